//! Which certificates follow from the hosts that want one.

use std::collections::{BTreeMap, HashMap};

use headgate_certs::acme::{Prove, Wanted};
use headgate_types::{DomainName, HostPattern, ProjectName};

use super::proofs::{Proof, Proofs};
use crate::domains::Holders;

/// Certificates of one project. An authority gives fifty a week for one domain; more is nobody's plan.
const PER_PROJECT: usize = 100;

/// What is ordered, and what is not.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Plan {
    pub(super) wanted: Vec<Wanted>,
    pub(super) unordered: Vec<Unordered>,
}

/// A host for which nothing is ordered.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Unordered {
    pub(super) host: HostPattern,
    pub(super) why: String,
}

/// A certificate for each name that TXT records prove, with its wildcard; the hosts right below it need none
/// of their own. All other hosts get one each, and wildcards among them none, because no host can prove those.
pub(super) fn plan(hosts: &[HostPattern], proofs: &Proofs, holders: &Holders) -> Plan {
    let mut plan = Plan::default();
    let mut wanted: BTreeMap<Vec<HostPattern>, Wanted> = BTreeMap::new();
    let mut per_project: HashMap<&ProjectName, usize> = HashMap::new();
    for host in hosts.iter().filter(|host| is_public(host.base())) {
        let mut leave = |why: String| plan.unordered.push(Unordered { host: host.clone(), why });
        let one = match proofs.of(host.base()) {
            None => continue, // it is being looked at
            Some(Proof::Zone(origin)) => by_zone(host, origin),
            Some(Proof::Alias(target)) => {
                let delegated = [(host.base().clone(), target.clone())].into();
                with_wildcard(host.base(), Prove::Dns01 { delegated })
            }
            Some(Proof::Host) => match host {
                HostPattern::Exact(_) => {
                    Wanted { names: [host.clone()].into(), prove: Prove::Host }
                }
                HostPattern::Wildcard(base) => {
                    leave(proofs.advice(base));
                    continue;
                }
            },
            Some(Proof::Unknown(why)) => {
                leave(why.clone());
                continue;
            }
        };
        let key: Vec<_> = one.names.iter().cloned().collect();
        if wanted.contains_key(&key) {
            continue;
        }
        if let Some(project) = holders.get(host) {
            let count = per_project.entry(project).or_default();
            if *count >= PER_PROJECT {
                leave(format!("{project} has {PER_PROJECT} certificates, the most a project may"));
                continue;
            }
            *count += 1;
        }
        wanted.insert(key, one);
    }
    plan.wanted = wanted.into_values().collect();
    plan
}

/// A name in a zone of ours: the zone's own certificate, if it covers it.
fn by_zone(host: &HostPattern, origin: &DomainName) -> Wanted {
    match host {
        HostPattern::Exact(name) if name == origin => with_wildcard(origin, Prove::dns()),
        HostPattern::Exact(name) if name.parent() == Some(origin.as_str()) => {
            with_wildcard(origin, Prove::dns())
        }
        HostPattern::Exact(_) => Wanted { names: [host.clone()].into(), prove: Prove::dns() },
        HostPattern::Wildcard(base) => with_wildcard(base, Prove::dns()),
    }
}

fn with_wildcard(base: &DomainName, prove: Prove) -> Wanted {
    let names = [HostPattern::Exact(base.clone()), HostPattern::Wildcard(base.clone())];
    Wanted { names: names.into(), prove }
}

/// Whether an authority could know the name: `localhost` and what has no dot is this machine's alone.
pub(super) fn is_public(name: &DomainName) -> bool {
    let name = name.as_str();
    name.contains('.') && !name.ends_with(".localhost")
}
