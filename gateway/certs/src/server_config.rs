//! The TLS settings: Mozilla's *intermediate* profile, post-quantum key exchange first.

use std::sync::Arc;

use rustls::{
    ServerConfig,
    crypto::{
        CryptoProvider,
        aws_lc_rs::{self, cipher_suite, kx_group},
    },
    server::{
        NoServerSessionStorage, ProducesTickets, ResolvesServerCert, ServerSessionMemoryCache,
        WebPkiClientVerifier, danger::ClientCertVerifier,
    },
    version::{TLS12, TLS13},
};

use crate::{ClientAuthorities, clients::UnusableAuthorities, defaults};

/// aws-lc-rs with the suites and groups we offer. Passed explicitly wherever TLS is set up: another
/// crate of the program may have installed another default.
pub fn provider() -> Arc<CryptoProvider> {
    Arc::new(CryptoProvider {
        cipher_suites: vec![
            cipher_suite::TLS13_AES_128_GCM_SHA256,
            cipher_suite::TLS13_AES_256_GCM_SHA384,
            cipher_suite::TLS13_CHACHA20_POLY1305_SHA256,
            cipher_suite::TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256,
            cipher_suite::TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256,
            cipher_suite::TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384,
            cipher_suite::TLS_ECDHE_RSA_WITH_AES_256_GCM_SHA384,
            cipher_suite::TLS_ECDHE_ECDSA_WITH_CHACHA20_POLY1305_SHA256,
            cipher_suite::TLS_ECDHE_RSA_WITH_CHACHA20_POLY1305_SHA256,
        ],
        kx_groups: vec![
            kx_group::X25519MLKEM768,
            kx_group::X25519,
            kx_group::SECP256R1,
            kx_group::SECP384R1,
        ],
        ..aws_lc_rs::default_provider()
    })
}

/// A server's settings: TLS 1.2 and 1.3, h2 and HTTP/1.1, no early data.
///
/// # Errors
///
/// If what we offer is not what the library can do, which a test would show.
pub fn server_config(
    resolver: Arc<dyn ResolvesServerCert>,
    tickets: Arc<dyn ProducesTickets>,
) -> Result<Arc<ServerConfig>, rustls::Error> {
    let mut config = usual(resolver, tickets, WebPkiClientVerifier::no_client_auth())?;
    config.session_storage = ServerSessionMemoryCache::new(defaults::SESSIONS);
    Ok(Arc::new(config))
}

/// The same for hosts that only clients with a certificate may ask. `tickets` are to be those of this
/// policy alone, for who resumes is not asked again.
///
/// # Errors
///
/// If the authorities cannot be used, although they were judged.
pub fn server_config_for_clients(
    resolver: Arc<dyn ResolvesServerCert>,
    tickets: Arc<dyn ProducesTickets>,
    clients: &ClientAuthorities,
) -> Result<Arc<ServerConfig>, UnusableAuthorities> {
    let mut config = usual(resolver, tickets, clients.verifier()?)?;
    // There may be many policies, and who takes no tickets is rare: no room is held for each.
    config.session_storage = Arc::new(NoServerSessionStorage {});
    Ok(Arc::new(config))
}

fn usual(
    resolver: Arc<dyn ResolvesServerCert>,
    tickets: Arc<dyn ProducesTickets>,
    clients: Arc<dyn ClientCertVerifier>,
) -> Result<ServerConfig, rustls::Error> {
    let mut config = ServerConfig::builder_with_provider(provider())
        .with_protocol_versions(&[&TLS13, &TLS12])?
        .with_client_cert_verifier(clients)
        .with_cert_resolver(resolver);
    config.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
    config.ticketer = tickets;
    // What early data asks for can be replayed by anyone who saw it (RFC 8446 §8).
    config.max_early_data_size = 0;
    Ok(config)
}

#[cfg(test)]
mod tests {
    use headgate_types::SystemClock;

    use super::*;
    use crate::{CertificateResolver, Tickets};

    #[test]
    fn the_profile_is_intermediate_with_post_quantum_first() {
        let folder = tempfile::tempdir().unwrap();
        let tickets = Tickets::open(&folder.path().join("tickets"), Arc::new(SystemClock)).unwrap();
        let resolver = CertificateResolver::new(Default::default());
        let config = server_config(resolver, tickets.scoped([])).unwrap();
        let provider = config.crypto_provider();
        let groups: Vec<_> = provider.kx_groups.iter().map(|group| group.name()).collect();
        assert_eq!(groups[0], rustls::NamedGroup::X25519MLKEM768);
        assert!(provider.cipher_suites.iter().all(|suite| {
            let name = suite.suite().as_str().unwrap_or_default();
            name.starts_with("TLS13_") || name.starts_with("TLS_ECDHE_")
        }));
        assert!(config.ticketer.enabled());
        assert!(config.ticketer.lifetime() <= 24 * 60 * 60);
        assert_eq!(config.max_early_data_size, 0);
    }
}
