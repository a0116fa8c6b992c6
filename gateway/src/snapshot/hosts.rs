//! `HostRules`: what a host demands of its clients before any of its routes is looked at.

use std::{
    collections::{HashMap, HashSet},
    sync::Arc,
};

use headgate_types::HostPattern;

use super::{Aliases, Served};
use crate::{domains::Holders, manifest::HttpsEntry};

/// What one host demands.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct HostRule {
    /// Requests in the clear are sent to HTTPS.
    pub redirect: bool,
    /// Browsers are told to ask for HTTPS alone from now on (RFC 6797).
    pub hsts: bool,
}

impl From<HttpsEntry> for HostRule {
    fn from(https: HttpsEntry) -> Self {
        Self { redirect: https.redirect, hsts: https.hsts }
    }
}

/// The rules of every host of a snapshot, by the most specific pattern.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct HostRules {
    exact: HashMap<Box<str>, HostRule>,
    /// By the part behind `*.`.
    wildcard: HashMap<Box<str>, HostRule>,
}

impl HostRules {
    /// `trusted` are the hosts whose certificate a browser takes without being told to. The others are left
    /// as they are: sent to HTTPS, their visitors would meet a warning, and with HSTS one that they could
    /// not pass.
    ///
    /// Of a host that several projects name, the rules are those of who `holds` it. The hosts that a project has
    /// in the operator's zone demand what all of its domains do.
    pub(crate) fn new(
        served: &[Arc<Served>],
        holders: &Holders,
        trusted: &HashSet<HostPattern>,
        aliases: &Aliases,
    ) -> Self {
        let mut rules = Self::default();
        let domains = served.iter().flat_map(|served| {
            let project = &served.manifest.revision.project;
            let domains = served.manifest.domains.iter();
            domains.filter(move |domain| holders.get(&domain.host) == Some(project))
        });
        for domain in domains.filter(|domain| trusted.contains(&domain.host)) {
            rules.demand(&domain.host, domain.https.into());
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
        rules
    }

    /// The same host may be a domain of several applications: what one of them opts out of is out.
    fn demand(&mut self, host: &HostPattern, rule: HostRule) {
        let place = match host {
            HostPattern::Exact(name) => self.exact.entry(name.as_str().into()),
            HostPattern::Wildcard(base) => self.wildcard.entry(base.as_str().into()),
        };
        place
            .and_modify(|known| {
                known.redirect &= rule.redirect;
                known.hsts &= rule.hsts;
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
}
