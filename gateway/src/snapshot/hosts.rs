//! `HostRules`: what a host demands of its clients before any of its routes is looked at.

use std::{
    collections::{HashMap, HashSet},
    sync::Arc,
};

use headgate_types::{Digest, HostPattern};

use super::{Aliases, Served};
use crate::{
    domains::Holders,
    manifest::{ClientsEntry, DomainEntry, HttpsEntry},
};

/// What one host demands.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct HostRule {
    /// Requests in the clear are sent to HTTPS.
    pub redirect: bool,
    /// Browsers are told to ask for HTTPS alone from now on (RFC 6797).
    pub hsts: bool,
    /// The policy by which clients have to prove themselves in the handshake.
    pub clients: Option<Digest>,
}

impl From<HttpsEntry> for HostRule {
    fn from(https: HttpsEntry) -> Self {
        Self { redirect: https.redirect, hsts: https.hsts, clients: None }
    }
}

/// The rules of every host of a snapshot, by the most specific pattern: the one that its routes go by, too.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct HostRules {
    exact: HashMap<Box<str>, HostRule>,
    /// By the part behind `*.`.
    wildcard: HashMap<Box<str>, HostRule>,
    /// Whom each of the policies lets in.
    clients: HashMap<Digest, ClientsEntry>,
}

impl HostRules {
    /// `trusted` are the hosts whose certificate a browser takes without being told to. The others are not
    /// redirected: sent to HTTPS, their visitors would meet a warning, and with HSTS one that they could
    /// not pass.
    ///
    /// Of a host that several projects name, the rules are those of who `holds` it; a host without `routes` has
    /// none of its own, because a wildcard's answer for it.
    /// The hosts that a project has in the operator's zone demand what all of its domains do.
    pub(crate) fn new(
        served: &[Arc<Served>],
        holders: &Holders,
        trusted: &HashSet<HostPattern>,
        routed: &HashSet<&HostPattern>,
        aliases: &Aliases,
    ) -> Self {
        let mut rules = Self::default();
        let domains = served.iter().flat_map(|served| {
            let project = &served.manifest.revision.project;
            let domains = served.manifest.domains.iter();
            domains.filter(move |domain| holders.get(&domain.host) == Some(project))
        });
        for domain in domains.filter(|domain| routed.contains(&domain.host)) {
            rules.add(domain, trusted.contains(&domain.host));
        }
        for served in served {
            let manifest = &served.manifest;
            let theirs = |host: &HostPattern| {
                holders.get(host).is_none_or(|holder| *holder == manifest.revision.project)
            };
            let hosts = aliases.hosts_of(manifest).into_iter();
            for host in hosts.filter(|host| trusted.contains(&aliases.certified(host))) {
                for domain in manifest.domains.iter().filter(|_| theirs(&host)) {
                    rules.demand(&host, domain.https.into());
                }
            }
        }
        if rules.exact.values().chain(rules.wildcard.values()).all(|it| *it == HostRule::default())
        {
            return Self::default();
        }
        rules
    }

    pub(crate) fn add(&mut self, domain: &DomainEntry, trusted: bool) {
        let clients = domain.clients.as_ref().map(|clients| {
            let policy = clients.policy();
            self.clients.entry(policy).or_insert_with(|| clients.clone());
            policy
        });
        let https = if trusted { domain.https.into() } else { HostRule::default() };
        self.demand(&domain.host, HostRule { clients, ..https });
    }

    fn demand(&mut self, host: &HostPattern, rule: HostRule) {
        let place = match host {
            HostPattern::Exact(name) => self.exact.entry(name.as_str().into()),
            HostPattern::Wildcard(base) => self.wildcard.entry(base.as_str().into()),
        };
        // The same host may be a domain of several applications: what one of them opts out of is out, and
        // whom one of them does not let in stays outside.
        place
            .and_modify(|known| {
                known.redirect &= rule.redirect;
                known.hsts &= rule.hsts;
                known.clients = known.clients.or(rule.clients);
            })
            .or_insert(rule);
    }

    /// Allocates nothing. `host` is in lower case.
    pub fn find(&self, host: &str) -> HostRule {
        // Most nodes in development have none.
        if self.exact.is_empty() && self.wildcard.is_empty() {
            return HostRule::default();
        }
        let wildcard = || self.wildcard.get(host.split_once('.')?.1);
        self.exact.get(host).or_else(wildcard).copied().unwrap_or_default()
    }

    /// Every policy for clients, with whom it lets in.
    pub fn clients(&self) -> impl Iterator<Item = (&Digest, &ClientsEntry)> {
        self.clients.iter()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn domain(host: &str, authorities: &[&str]) -> DomainEntry {
        let authorities: Vec<_> = authorities.iter().map(|it| (*it).to_owned()).collect();
        DomainEntry {
            name: "x".to_owned(),
            host: host.parse().unwrap(),
            https: HttpsEntry::default(),
            certificate: None,
            clients: (!authorities.is_empty()).then_some(ClientsEntry { authorities }),
            records: Vec::new(),
        }
    }

    fn rules(domains: &[DomainEntry], trusted: bool) -> HostRules {
        let mut rules = HostRules::default();
        domains.iter().for_each(|domain| rules.add(domain, trusted));
        rules
    }

    #[test]
    fn a_host_of_its_own_is_not_ruled_by_the_wildcard() {
        let domains =
            [domain("*.x.org", &["A"]), domain("a.x.org", &[]), domain("b.x.org", &["B"])];
        for trusted in [true, false] {
            let rules = rules(&domains, trusted);
            let policy = |host: &str| rules.find(host).clients;
            assert_eq!(policy("a.x.org"), None);
            assert_eq!(policy("b.x.org"), domains[2].clients.as_ref().map(ClientsEntry::policy));
            assert_eq!(policy("c.x.org"), domains[0].clients.as_ref().map(ClientsEntry::policy));
            assert_eq!(policy("x.org"), None);
            assert_ne!(policy("b.x.org"), policy("c.x.org"));
            assert_eq!(rules.find("a.x.org").redirect, trusted);
            assert_eq!(rules.clients().count(), 2);
        }
    }

    #[test]
    fn a_host_that_one_of_its_files_closes_is_closed() {
        let (open, closed) = (domain("x.org", &[]), domain("x.org", &["A"]));
        let policy = closed.clients.as_ref().map(ClientsEntry::policy);
        for domains in [[open.clone(), closed.clone()], [closed, open]] {
            assert_eq!(rules(&domains, true).find("x.org").clients, policy);
        }
    }
}
