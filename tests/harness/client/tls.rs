//! TLS as a client that trusts the node's authority and nobody else, with a certificate of its own or without.

use std::{io, path::Path, sync::Arc};

use rustls::{
    ClientConfig, RootCertStore,
    crypto::aws_lc_rs,
    pki_types::{CertificateDer, PrivateKeyDer, ServerName, pem::PemObject},
};
use tokio::{net::TcpStream, time::timeout};
use tokio_rustls::{TlsConnector, client::TlsStream};

use crate::{Certificate, PATIENCE};

/// Whom a client trusts.
#[derive(Debug, Clone)]
pub(crate) struct Roots(RootCertStore);

impl Roots {
    pub(crate) fn read(pem: &Path) -> Self {
        let certificate = CertificateDer::from_pem_file(pem);
        let certificate = certificate.unwrap_or_else(|error| panic!("{}: {error}", pem.display()));
        let mut roots = RootCertStore::empty();
        roots.add(certificate).expect("an authority's certificate is one");
        Self(roots)
    }
}

/// # Errors
/// When the node refuses, or shows a certificate that is not to be trusted for `host`.
pub(crate) async fn shake_hands(
    tcp: TcpStream,
    host: &str,
    alpn: &[u8],
    roots: &Roots,
    own: Option<&Certificate>,
) -> io::Result<TlsStream<TcpStream>> {
    let provider = Arc::new(aws_lc_rs::default_provider());
    let config = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .expect("the provider has both versions")
        .with_root_certificates(roots.0.clone());
    let mut config = match own {
        None => config.with_no_client_auth(),
        Some(Certificate { cert, key }) => {
            let cert = CertificateDer::from_pem_file(cert).expect("tests write certificates");
            let key = PrivateKeyDer::from_pem_file(key).expect("and keys");
            config.with_client_auth_cert(vec![cert], key).expect("that belong together")
        }
    };
    config.alpn_protocols = vec![alpn.to_vec()];
    let name = ServerName::try_from(host.to_owned()).expect("tests use valid names");
    let shaken = TlsConnector::from(Arc::new(config)).connect(name, tcp);
    timeout(PATIENCE, shaken).await.expect("a handshake ends in time")
}
