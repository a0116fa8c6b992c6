//! Whom TLS trusts: the platform's authorities, and those of the node's owner.

use std::{path::Path, sync::Arc};

use rustls::{ClientConfig, RootCertStore, client::Resumption};
use rustls_pki_types::{CertificateDer, pem::PemObject};

use crate::{defaults, error::OpenError};

/// The client's side of TLS, from which each project's is made.
pub(crate) fn base(roots: Option<&Path>) -> Result<ClientConfig, OpenError> {
    let mut store = RootCertStore::empty();
    let platform = rustls_native_certs::load_native_certs();
    for error in &platform.errors {
        tracing::warn!(%error, "failed to read some of the platform's certificates");
    }
    let (trusted, _) = store.add_parsable_certificates(platform.certs);
    if trusted == 0 {
        tracing::warn!("the platform has no certificates; guests can call https with `roots` only");
    }
    if let Some(path) = roots {
        add_own(&mut store, path)?;
    }
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let mut config = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .expect("the provider has suites of both versions")
        .with_root_certificates(store)
        .with_no_client_auth();
    config.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
    Ok(config)
}

/// The same with sessions of its own: who resumes one tells the server that it was there before.
pub(crate) fn of_project(base: &ClientConfig) -> Arc<ClientConfig> {
    let mut config = base.clone();
    config.resumption = Resumption::in_memory_sessions(defaults::TLS_SESSIONS);
    Arc::new(config)
}

fn add_own(store: &mut RootCertStore, path: &Path) -> Result<(), OpenError> {
    let broken = |error| OpenError::Roots { path: path.to_owned(), error };
    let before = store.len();
    for certificate in CertificateDer::pem_file_iter(path).map_err(|error| broken(error.into()))? {
        let certificate = certificate.map_err(|error| broken(error.into()))?;
        store.add(certificate).map_err(|error| broken(error.into()))?;
    }
    if store.len() == before {
        return Err(OpenError::NoRoots { path: path.to_owned() });
    }
    Ok(())
}
