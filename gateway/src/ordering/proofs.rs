//! How each name can be proved: what the public DNS says of it.

use std::{
    collections::{BTreeMap, BTreeSet, HashMap, HashSet},
    time::Duration,
};

use futures::{StreamExt, stream};
use headgate_outbound::{LookupError, Resolver};
use headgate_types::{Chain, DomainName, HostPattern, Timestamp};

use super::{Parts, plan::is_public};

/// Lookups at one time: enough that a silent name server delays few others.
const LOOKS: usize = 8;

/// Names of one round; what is learnt counts before the next.
const ROUND: usize = 64;

/// A zone that is ours is looked at again after this: delegations last.
const ZONE_LIFE: Duration = Duration::from_secs(6 * 60 * 60);
/// What is not ours may become so while its owner watches.
const HOST_LIFE: Duration = Duration::from_secs(5 * 60);
/// After name servers failed to answer; doubled each time, up to the life of a host.
const FIRST_RETRY: Duration = Duration::from_secs(10);

/// How a name, and the wildcard right below it, can be proved.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Proof {
    /// By TXT records in this zone, for which the world asks this node.
    Zone(DomainName),
    /// By a TXT record in the operator's zone, to which the name's `_acme-challenge` is an alias.
    Alias(DomainName),
    /// By the host itself.
    Host,
    /// It cannot be told, because name servers do not answer.
    Unknown(String),
}

/// What is known of each name, and until when.
#[derive(Debug)]
pub(super) struct Proofs {
    operators: Option<DomainName>,
    nameservers: Vec<String>,
    known: HashMap<DomainName, Known>,
}

#[derive(Debug)]
struct Known {
    proof: Proof,
    next_at: Timestamp,
    failures: u32,
    /// The zone of ours it lies in, which somebody may have made since.
    zone: Option<DomainName>,
}

/// A name to be looked at.
#[derive(Debug)]
pub(super) struct Due {
    name: DomainName,
    /// The zone of ours that it lies in, and the servers this is to be delegated to.
    zone: Option<DomainName>,
    servers: HashSet<String>,
}

/// A zone that this node answers for: its origin, and the servers it is to be delegated to.
type OwnZones = BTreeMap<DomainName, HashSet<String>>;

impl Proofs {
    /// `operators` is the zone that is proved by itself, without a look.
    pub(super) fn new(operators: Option<DomainName>) -> Self {
        Self { operators, nameservers: Vec::new(), known: HashMap::new() }
    }

    pub(super) fn of(&self, name: &DomainName) -> Option<&Proof> {
        self.known.get(name).map(|known| &known.proof)
    }

    /// What the owner of a name does so that its wildcard can be proved.
    pub(super) fn advice(&self, name: &DomainName) -> String {
        let mut ways = Vec::new();
        if !self.nameservers.is_empty() {
            ways.push(format!("delegate {name} to {}", self.nameservers.join(" and ")));
        }
        if let Some(zone) = &self.operators {
            ways.push(format!(
                "enter `_acme-challenge.{name}. CNAME _acme-challenge.{name}.{zone}.`"
            ));
        }
        match ways.is_empty() {
            true => "a wildcard is proved by DNS, which this node does not answer".to_owned(),
            false => format!("a wildcard is proved by DNS: {}", ways.join(", or ")),
        }
    }

    /// Learns what needs no look, forgets what is no longer wanted, and returns what is to be looked at, a
    /// part of it if it is much: what is known is told meanwhile.
    pub(super) fn due(&mut self, hosts: &[HostPattern], parts: &Parts) -> Vec<Due> {
        let now = parts.clock.now();
        let zones = own_zones(parts);
        if let Some(servers) = self.operators.as_ref().and_then(|zone| zones.get(zone)) {
            self.nameservers = servers.iter().map(|server| plain(server).to_owned()).collect();
            self.nameservers.sort();
        }
        let names: BTreeSet<_> =
            hosts.iter().map(HostPattern::base).filter(|name| is_public(name)).cloned().collect();
        self.known.retain(|name, _| names.contains(name));
        let mut due = Vec::new();
        for name in names {
            if let Some(zone) = self.operators.as_ref().filter(|zone| is_within(&name, zone)) {
                let (proof, zone) = (Proof::Zone(zone.clone()), Some(zone.clone()));
                let next_at = now.after(ZONE_LIFE);
                self.known.insert(name, Known { proof, next_at, failures: 0, zone });
                continue;
            }
            let zone = own_zone_of(&name, &zones);
            let known = self.known.get(&name);
            if known.is_none_or(|known| known.next_at <= now || known.zone != zone) {
                let servers = zone.as_ref().and_then(|zone| zones.get(zone)).cloned();
                due.push(Due { name, zone, servers: servers.unwrap_or_default() });
            }
        }
        due.truncate(ROUND);
        due
    }

    /// Asks DNS.
    pub(super) async fn look(&mut self, due: Vec<Due>, parts: &Parts) {
        let operators = self.operators.as_ref();
        let looks = stream::iter(due).map(async |due: Due| {
            let proof = look(&due, operators, &parts.resolver).await;
            (due, proof)
        });
        let seen: Vec<_> = looks.buffer_unordered(LOOKS).collect().await;
        for (Due { name, zone, .. }, proof) in seen {
            self.learn(name, zone, proof, parts.clock.now());
        }
    }

    /// How long nothing is due.
    pub(super) fn rest(&self, now: Timestamp) -> Duration {
        let next = self.known.values().map(|known| known.next_at).min();
        next.map_or(ZONE_LIFE, |next| next.since(now))
    }

    /// While name servers are silent, what was known stays.
    fn learn(&mut self, name: DomainName, zone: Option<DomainName>, seen: Proof, now: Timestamp) {
        let before = self.known.remove(&name);
        let (proof, failures, life) = match (seen, before) {
            (Proof::Unknown(why), before) => {
                let failures = before.as_ref().map_or(0, |known| known.failures);
                let retry = FIRST_RETRY * 2u32.saturating_pow(failures.min(8));
                let proof = before.map_or(Proof::Unknown(why), |known| known.proof);
                (proof, failures.saturating_add(1), retry.min(HOST_LIFE))
            }
            (seen @ Proof::Host, _) => (seen, 0, HOST_LIFE),
            (seen, _) => (seen, 0, ZONE_LIFE),
        };
        let next_at = now.after(life);
        self.known.insert(name, Known { proof, next_at, failures, zone });
    }
}

/// What DNS says of one name. A zone counts as ours if the world is sent nowhere else for it: an authority
/// asks any of its servers.
async fn look(due: &Due, operators: Option<&DomainName>, resolver: &Resolver) -> Proof {
    let Due { name, zone, servers: ours } = due;
    if let Some(origin) = zone {
        match resolver.name_servers(origin.as_str()).await {
            Ok(servers) if servers.iter().all(|server| ours.contains(&server.to_lowercase())) => {
                return Proof::Zone(origin.clone());
            }
            Ok(_) | Err(LookupError::NotFound | LookupError::NoRecords) => {}
            Err(error) => return Proof::Unknown(format!("{origin}: {}", Chain(&error))),
        }
    }
    let Some(operators) = operators else { return Proof::Host };
    let challenge = format!("_acme-challenge.{name}");
    match resolver.alias(&challenge).await {
        Ok(target) => {
            let target: Option<DomainName> = plain(&target).to_lowercase().parse().ok();
            let ours = |target: &DomainName| {
                is_within(target, operators) && target.as_str().starts_with("_acme-challenge.")
            };
            target.filter(ours).map_or(Proof::Host, Proof::Alias)
        }
        Err(LookupError::NotFound | LookupError::NoRecords) => Proof::Host,
        Err(error) => Proof::Unknown(format!("{challenge}: {}", Chain(&error))),
    }
}

fn own_zones(parts: &Parts) -> OwnZones {
    let Some(keeper) = &parts.keeper else { return OwnZones::new() };
    let report = keeper.report();
    let zones = report.zones.iter().filter_map(|zoned| {
        let origin = plain(&zoned.zone.origin().to_string()).parse().ok()?;
        let servers = zoned.nameservers.iter().map(|server| server.to_ascii().to_lowercase());
        Some((origin, servers.collect()))
    });
    zones.collect()
}

/// The deepest zone of ours that a name lies in.
fn own_zone_of(name: &DomainName, zones: &OwnZones) -> Option<DomainName> {
    let within = zones.keys().filter(|zone| is_within(name, zone));
    within.max_by_key(|zone| zone.as_str().len()).cloned()
}

fn is_within(name: &DomainName, zone: &DomainName) -> bool {
    name == zone
        || name.as_str().strip_suffix(zone.as_str()).is_some_and(|rest| rest.ends_with('.'))
}

fn plain(name: &str) -> &str {
    name.strip_suffix('.').unwrap_or(name)
}

#[cfg(test)]
impl Proofs {
    pub(super) fn knowing(known: &[(&str, Proof)]) -> Self {
        let mut proofs = Self::new(Some("edge.org".parse().expect("a name")));
        proofs.nameservers = vec!["ns1.edge.org".to_owned()];
        for (name, proof) in known {
            let name = name.parse().expect("tests use valid names");
            proofs.learn(name, None, proof.clone(), Timestamp::default());
        }
        proofs
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn while_name_servers_are_silent_what_was_known_stays() {
        let name: DomainName = "x.org".parse().unwrap();
        let unknown = || Proof::Unknown("silence".to_owned());
        let mut proofs = Proofs::new(None);
        let now = Timestamp::default();
        proofs.learn(name.clone(), None, unknown(), now);
        assert_eq!(proofs.of(&name), Some(&unknown()));
        assert_eq!(proofs.rest(now), FIRST_RETRY);
        proofs.learn(name.clone(), None, unknown(), now);
        assert_eq!(proofs.rest(now), FIRST_RETRY * 2);
        let zone = Proof::Zone(name.clone());
        proofs.learn(name.clone(), Some(name.clone()), zone.clone(), now);
        proofs.learn(name.clone(), Some(name.clone()), unknown(), now);
        assert_eq!((proofs.of(&name), proofs.rest(now)), (Some(&zone), FIRST_RETRY));
        proofs.learn(name.clone(), None, Proof::Host, now);
        assert_eq!(proofs.of(&name), Some(&Proof::Host));
    }

    #[test]
    fn a_name_lies_in_the_deepest_zone_above_it() {
        let name = |text: &str| text.parse::<DomainName>().unwrap();
        let zones = ["x.org", "b.x.org", "ab.org"].map(|zone| (name(zone), HashSet::new())).into();
        assert_eq!(own_zone_of(&name("a.b.x.org"), &zones), Some(name("b.x.org")));
        assert_eq!(own_zone_of(&name("x.org"), &zones), Some(name("x.org")));
        assert_eq!(own_zone_of(&name("b.org"), &zones), None);
    }
}
