//! `ClientPolicies`: the hosts that only clients with a certificate may ask, as the handshake sees them.

use std::{borrow::Cow, collections::HashMap, sync::Arc};

use headgate_certs::{CertificateResolver, Tickets, server_config_for_clients};
use headgate_edge::Picked;
use headgate_types::{Chain, Digest};
use rustls::ServerConfig;
use tracing::error;

use crate::{manifest::ClientsEntry, snapshot::HostRules};

/// Goes by the rules that requests are judged by, so that both always ask for the same.
#[derive(Debug, Default)]
pub(super) struct ClientPolicies {
    rules: Arc<HostRules>,
    /// One for each policy that can be used.
    configs: HashMap<Digest, Arc<ServerConfig>>,
}

impl ClientPolicies {
    /// What `before` has already is not made again, so that sessions go on.
    pub(super) fn new(
        rules: Arc<HostRules>,
        before: &Self,
        resolver: &Arc<CertificateResolver>,
        tickets: &Arc<Tickets>,
    ) -> Self {
        let mut configs = HashMap::new();
        for (policy, clients) in rules.clients() {
            let known = before.configs.get(policy).cloned();
            let config = known.or_else(|| config(policy, clients, resolver, tickets));
            configs.extend(config.map(|config| (*policy, config)));
        }
        Self { rules, configs }
    }

    /// The configuration for clients that ask for `server_name`: `usual` where everybody is let in, and none
    /// where nobody can be.
    pub(super) fn pick(
        &self,
        server_name: Option<&str>,
        usual: &Arc<ServerConfig>,
    ) -> Option<Picked> {
        let rule = server_name.map(|name| self.rules.find(&lower(name))).unwrap_or_default();
        match rule.clients {
            None => Some(usual.clone().into()),
            Some(policy) => Some(Picked {
                config: self.configs.get(&policy)?.clone(),
                clients: Some(*policy.as_bytes()),
            }),
        }
    }
}

/// A session that began under one policy is not resumed under another: the policy is part of its ticket.
fn config(
    policy: &Digest,
    clients: &ClientsEntry,
    resolver: &Arc<CertificateResolver>,
    tickets: &Arc<Tickets>,
) -> Option<Arc<ServerConfig>> {
    let tickets = tickets.scoped(*policy.as_bytes());
    let Some(authorities) = clients.authorities() else {
        error!(policy = %policy.fmt_short(), "authorities for clients cannot be read");
        return None;
    };
    match server_config_for_clients(resolver.clone(), tickets, &authorities) {
        Ok(config) => Some(config),
        // They were judged when they were deployed, by another version of us perhaps. Nobody is let in.
        Err(error) => {
            error!(policy = %policy.fmt_short(), error = %Chain(&error), "no client can be let in");
            None
        }
    }
}

fn lower(name: &str) -> Cow<'_, str> {
    if name.bytes().any(|byte| byte.is_ascii_uppercase()) {
        Cow::Owned(name.to_ascii_lowercase())
    } else {
        Cow::Borrowed(name)
    }
}

#[cfg(test)]
mod tests {
    use headgate_certs::{CertificateTable, server_config};
    use headgate_types::SystemClock;

    use super::*;
    use crate::manifest::{DomainEntry, HttpsEntry};

    /// Whatever went wrong with whom to let in, it is not everybody.
    #[test]
    fn authorities_that_cannot_be_read_let_nobody_in() {
        let folder = tempfile::tempdir().unwrap();
        let tickets = Tickets::open(&folder.path().join("tickets"), Arc::new(SystemClock)).unwrap();
        let resolver = CertificateResolver::new(CertificateTable::default());
        let usual = server_config(resolver.clone(), tickets.scoped([])).unwrap();
        for authorities in [vec![], vec!["?".to_owned()], vec!["AAAA".to_owned()]] {
            let mut rules = HostRules::default();
            let closed = DomainEntry {
                name: "x".to_owned(),
                host: "x.org".parse().unwrap(),
                https: HttpsEntry::default(),
                certificate: None,
                clients: Some(ClientsEntry { authorities }),
                records: Vec::new(),
            };
            rules.add(&closed, true);
            let before = ClientPolicies::default();
            let policies = ClientPolicies::new(Arc::new(rules), &before, &resolver, &tickets);
            assert!(policies.pick(Some("x.org"), &usual).is_none());
            assert!(policies.pick(Some("X.ORG"), &usual).is_none());
            for other in [Some("y.org"), None] {
                assert_eq!(policies.pick(other, &usual).unwrap().clients, None);
            }
        }
    }
}
