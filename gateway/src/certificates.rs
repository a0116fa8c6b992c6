//! `Certificates`: what the node's listeners prove themselves with, kept in step with what is served.

use std::{fmt, sync::Arc};

use headgate_certs::{
    CertificateResolver, CertificateTable, LocalAuthority,
    local_authority::{IssueError, OpenError},
};
use headgate_edge::PickConfig;
use headgate_types::{Clock, HostPattern};
use rustls::{ServerConfig, server::ClientHello};

use crate::node_config::{Authority, TlsConfig};

/// The local authority and the table it fills.
#[derive(Debug)]
pub struct Certificates {
    authority: LocalAuthority,
    resolver: Arc<CertificateResolver>,
}

#[derive(Debug, thiserror::Error)]
pub enum CertificatesError {
    #[error("the local authority cannot be opened")]
    Open(#[from] OpenError),
    #[error("the local authority cannot issue")]
    Issue(#[from] IssueError),
    #[error("TLS cannot be set up")]
    Tls(#[from] rustls::Error),
}

impl Certificates {
    pub fn open(config: &TlsConfig, clock: Arc<dyn Clock>) -> Result<Self, CertificatesError> {
        let Authority::Local { folder } = &config.authority;
        let authority = LocalAuthority::open(folder, clock)?;
        Ok(Self { authority, resolver: CertificateResolver::new(CertificateTable::default()) })
    }

    /// Has a certificate ready for every one of these hosts and for none else.
    pub fn cover(&self, hosts: &[HostPattern]) -> Result<(), CertificatesError> {
        self.resolver.store(self.authority.table_for(hosts)?);
        Ok(())
    }

    /// One configuration for every client so far; which certificate it is shown, the table decides.
    pub fn pick_config(&self) -> Result<Arc<dyn PickConfig>, CertificatesError> {
        let config = headgate_certs::server_config(self.resolver.clone())?;
        Ok(Arc::new(OneConfig(config)))
    }
}

struct OneConfig(Arc<ServerConfig>);

impl PickConfig for OneConfig {
    fn pick(&self, _: &ClientHello<'_>) -> Option<Arc<ServerConfig>> {
        Some(self.0.clone())
    }
}

impl fmt::Debug for OneConfig {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("OneConfig")
    }
}
