//! `Urls`: addresses a person can open, made of what is bound and what is served.

use std::net::SocketAddr;

use headgate_types::HostPattern;

use crate::{manifest::Manifest, snapshot::Aliases};

/// Where this node is reached, as seen by a browser on the same machine.
#[derive(Debug, Clone)]
pub struct Urls {
    http: Option<u16>,
    https: Option<u16>,
    aliases: Aliases,
}

impl Urls {
    pub fn new(http: &[SocketAddr], https: &[SocketAddr], aliases: Aliases) -> Self {
        let port = |addresses: &[SocketAddr]| addresses.first().map(SocketAddr::port);
        Self { http: port(http), https: port(https), aliases }
    }

    /// The bases under which any project is reached, the plain one first because it needs no trust.
    pub fn bases(&self) -> Vec<String> {
        match self.aliases {
            Aliases::Localhost => self.of_host("localhost"),
            Aliases::None | Aliases::Zone(_) => Vec::new(),
        }
    }

    /// Where to look at a revision: under each of its hosts and the one in the node's zone, or under
    /// `localhost` and the names below it.
    pub fn of(&self, manifest: &Manifest) -> Vec<String> {
        let mut urls = self.bases();
        for domain in &manifest.domains {
            match (&self.aliases, &domain.host) {
                // It has no alias, and is not served in the clear.
                (_, HostPattern::Exact(name)) if domain.clients.is_some() => {
                    urls.extend(self.secure(name.as_str()));
                }
                (Aliases::Localhost, _) if domain.clients.is_none() => {
                    urls.extend(self.of_host(&format!("{}.localhost", domain.name)));
                }
                (_, HostPattern::Exact(name)) => urls.extend(self.of_host(name.as_str())),
                (_, HostPattern::Wildcard(_)) => {}
            }
        }
        if let Some(host) = self.aliases.host_of(&manifest.revision.project) {
            urls.extend(self.of_host(host.as_str()));
        }
        urls
    }

    fn of_host(&self, host: &str) -> Vec<String> {
        let http = self.http.map(|port| match port {
            80 => format!("http://{host}/"),
            port => format!("http://{host}:{port}/"),
        });
        http.into_iter().chain(self.secure(host)).collect()
    }

    fn secure(&self, host: &str) -> Option<String> {
        Some(match self.https? {
            443 => format!("https://{host}/"),
            port => format!("https://{host}:{port}/"),
        })
    }
}
