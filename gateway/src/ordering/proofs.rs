//! How each name can be proved: what the public DNS says of it.

use std::{
    collections::{BTreeMap, HashMap, HashSet},
    time::Duration,
};

use futures::{StreamExt, stream};
use headgate_outbound::{LookupError, Resolver};
use headgate_types::{Chain, DomainName, HostPattern, Timestamp};

use super::{Parts, plan::is_public};

/// Lookups at one time: enough that a silent name server delays few others.
const LOOKS: usize = 8;

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

    /// Looks at those of these hosts that are due, and returns how long none is.
    pub(super) async fn look(&mut self, hosts: &[HostPattern], parts: &Parts) -> Duration {
        let now = parts.clock.now();
        let zones = own_zones(parts);
        if let Some(servers) = self.operators.as_ref().and_then(|zone| zones.get(zone)) {
            self.nameservers = servers.iter().map(|server| plain(server).to_owned()).collect();
            self.nameservers.sort();
        }
        let names: HashSet<_> =
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
                due.push((name, zone));
            }
        }
        let operators = self.operators.as_ref();
        let looks =
            stream::iter(due).map(async |(name, zone): (DomainName, Option<DomainName>)| {
                let servers = zone.as_ref().and_then(|zone| Some((zone, zones.get(zone)?)));
                let proof = look(&name, servers, operators, &parts.resolver).await;
                (name, zone, proof)
            });
        let seen: Vec<_> = looks.buffer_unordered(LOOKS).collect().await;
        for (name, zone, proof) in seen {
            self.learn(name, zone, proof, parts.clock.now());
        }
        let next = self.known.values().map(|known| known.next_at).min();
        next.map_or(ZONE_LIFE, |next| next.since(parts.clock.now()))
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
async fn look(
    name: &DomainName,
    zone: Option<(&DomainName, &HashSet<String>)>,
    operators: Option<&DomainName>,
    resolver: &Resolver,
) -> Proof {
    if let Some((origin, ours)) = zone {
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
