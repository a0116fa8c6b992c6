//! `Certificates`: what the node's listeners prove themselves with, kept in step with what is served.

use std::{path::Path, sync::Arc};

use headgate_certs::{
    CertificateResolver, CertificateTable, LocalAuthority, Tickets,
    local_authority::{IssueError, OpenError},
    tickets::NoRandomness,
};
use headgate_edge::PickConfig;
use headgate_types::{Clock, HostPattern};
use rustls::{ServerConfig, server::ClientHello};

use crate::node_config::{Authority, TlsConfig};

/// The keys of session tickets, in the state folder.
const TICKET_KEYS: &str = "ticket.keys";

/// The local authority, the table it fills, and the tickets by which clients come back.
#[derive(Debug)]
pub struct Certificates {
    authority: LocalAuthority,
    resolver: Arc<CertificateResolver>,
    tickets: Arc<Tickets>,
}

#[derive(Debug, thiserror::Error)]
pub enum CertificatesError {
    #[error("the local authority cannot be opened")]
    Open(#[from] OpenError),
    #[error("the local authority cannot issue")]
    Issue(#[from] IssueError),
    #[error("TLS cannot be set up")]
    Tls(#[from] rustls::Error),
    #[error("session tickets cannot be made")]
    Tickets(#[from] NoRandomness),
}

impl Certificates {
    pub fn open(
        config: &TlsConfig,
        state: &Path,
        clock: Arc<dyn Clock>,
    ) -> Result<Self, CertificatesError> {
        let Authority::Local { folder } = &config.authority;
        let authority = LocalAuthority::open(folder, clock.clone())?;
        let resolver = CertificateResolver::new(CertificateTable::default());
        let tickets = Tickets::open(&state.join(TICKET_KEYS), clock)?;
        Ok(Self { authority, resolver, tickets })
    }

    /// For whoever has their keys rotated.
    pub fn tickets(&self) -> &Arc<Tickets> {
        &self.tickets
    }

    /// Has a certificate ready for every one of these hosts and for none else.
    pub fn cover(&self, hosts: &[HostPattern]) -> Result<(), CertificatesError> {
        self.resolver.store(self.authority.table_for(hosts)?);
        Ok(())
    }

    /// One configuration for every name in the table. Others are refused before a key is touched.
    pub fn pick_config(&self) -> Result<Arc<dyn PickConfig>, CertificatesError> {
        let config = headgate_certs::server_config(self.resolver.clone(), self.tickets.scoped([]))?;
        Ok(Arc::new(KnownNames { config, resolver: self.resolver.clone() }))
    }
}

#[derive(Debug)]
struct KnownNames {
    config: Arc<ServerConfig>,
    resolver: Arc<CertificateResolver>,
}

impl PickConfig for KnownNames {
    fn pick(&self, hello: &ClientHello<'_>) -> Option<Arc<ServerConfig>> {
        self.resolver.knows(hello.server_name()).then(|| self.config.clone())
    }
}
