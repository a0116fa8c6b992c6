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

#[cfg(test)]
mod tests {
    use super::*;

    fn planned(hosts: &[&str], known: &[(&str, Proof)]) -> (Vec<String>, Vec<String>) {
        let hosts: Vec<HostPattern> = hosts.iter().map(|host| host.parse().unwrap()).collect();
        let plan = plan(&hosts, &Proofs::knowing(known), &Holders::new());
        let text = |one: &Wanted| {
            let names: Vec<_> = one.names.iter().map(ToString::to_string).collect();
            let how = match &one.prove {
                Prove::Host => "host",
                Prove::Dns01 { delegated } if delegated.is_empty() => "dns",
                Prove::Dns01 { .. } => "alias",
            };
            format!("{how}: {}", names.join(" "))
        };
        let mut wanted: Vec<_> = plan.wanted.iter().map(text).collect();
        wanted.sort();
        let left = plan.unordered.iter().map(|one| format!("{}: {}", one.host, one.why));
        (wanted, left.collect())
    }

    #[test]
    fn a_zone_has_one_certificate_for_all_that_its_wildcard_covers() {
        let zone = |text: &str| Proof::Zone(text.parse().unwrap());
        let known = [
            ("x.org", zone("x.org")),
            ("a.x.org", zone("x.org")),
            ("b.a.x.org", zone("x.org")),
            ("shop.edge.org", zone("edge.org")),
        ];
        let hosts =
            ["x.org", "a.x.org", "*.x.org", "b.a.x.org", "*.shop.edge.org", "shop.edge.org"];
        let (wanted, left) = planned(&hosts, &known);
        let expected = [
            "dns: b.a.x.org",
            "dns: edge.org *.edge.org",
            "dns: shop.edge.org *.shop.edge.org",
            "dns: x.org *.x.org",
        ];
        assert_eq!((wanted, left), (expected.map(str::to_owned).into(), vec![]));
    }

    #[test]
    fn hosts_prove_themselves_one_by_one_and_no_wildcards() {
        let alias = Proof::Alias("_acme-challenge.y-org.edge.org".parse().unwrap());
        let known = [
            ("x.org", Proof::Host),
            ("a.x.org", Proof::Host),
            ("y.org", alias),
            ("z.org", Proof::Unknown("silence".to_owned())),
        ];
        let hosts = ["x.org", "a.x.org", "*.x.org", "y.org", "z.org", "new.org", "localhost"];
        let (wanted, left) = planned(&hosts, &known);
        assert_eq!(wanted, ["alias: y.org *.y.org", "host: a.x.org", "host: x.org"]);
        let advice = "*.x.org: a wildcard is proved by DNS: delegate x.org to ns1.edge.org, or enter \
                      `_acme-challenge.x.org. CNAME _acme-challenge.x.org.edge.org.`";
        assert_eq!(left, [advice, "z.org: silence"]);
    }

    #[test]
    fn a_project_has_so_many_certificates_and_no_more() {
        let hosts: Vec<HostPattern> =
            (0..=PER_PROJECT).map(|n| format!("h{n}.org").parse().unwrap()).collect();
        let known: Vec<_> = (0..=PER_PROJECT).map(|n| (format!("h{n}.org"), Proof::Host)).collect();
        let known: Vec<_> = known.iter().map(|(name, proof)| (&**name, proof.clone())).collect();
        let shop: ProjectName = "shop".parse().unwrap();
        let holders = hosts.iter().map(|host| (host.clone(), shop.clone())).collect();
        let plan = plan(&hosts, &Proofs::knowing(&known), &holders);
        assert_eq!((plan.wanted.len(), plan.unordered.len()), (PER_PROJECT, 1));
        assert!(plan.unordered[0].why.contains("the most a project may"));
    }
}
