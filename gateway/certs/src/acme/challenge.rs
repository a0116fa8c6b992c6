//! Where challenges are answered: TXT records, tokens over HTTP, certificates for `acme-tls/1`.

use std::{
    any::Any,
    collections::HashMap,
    fmt,
    sync::{Arc, Mutex, PoisonError},
};

use async_trait::async_trait;
use headgate_types::DomainName;
use rcgen::{CertificateParams, CustomExtension, DistinguishedName, KeyPair, SanType};
use rustls::{
    ServerConfig,
    pki_types::PrivateKeyDer,
    server::{ClientHello, ResolvesServerCert},
    sign::CertifiedKey,
    version::{TLS12, TLS13},
};

use super::defaults;
use crate::provider;

/// The protocol that an authority speaks when it looks (RFC 8737 §6.2).
const ACME_TLS: &[u8] = b"acme-tls/1";

/// Where HTTP-01 tokens are asked for (RFC 8555 §8.3).
pub const WELL_KNOWN: &str = "/.well-known/acme-challenge/";

/// A zone that answers with TXT values while an order needs them.
#[async_trait]
pub trait ChallengeZone: Send + Sync + fmt::Debug {
    /// Publishes `value` as a TXT record of `owner`, beside those that stand there. When this
    /// returns, whoever asks is answered with it.
    async fn publish(&self, owner: &DomainName, value: &str) -> Result<Standing, PublishError>;
}

/// What stands until this is dropped.
#[must_use = "it is withdrawn when this is dropped"]
pub struct Standing(
    #[expect(dead_code, reason = "it is held for its drop")] Box<dyn Any + Send + Sync>,
);

/// Why a value was not published.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
pub struct PublishError(pub String);

/// Tokens and what is answered to who asks for them. Cheap to clone; all clones are one.
#[derive(Clone, Default)]
pub struct HttpTokens {
    tokens: Table<String>,
}

/// Settings for handshakes by which an authority looks. Cheap to clone; all clones are one.
#[derive(Clone, Default)]
pub struct AlpnChallenges {
    names: Table<Arc<ServerConfig>>,
}

/// Values by key, each withdrawn by its guard. The same key may stand twice, as two orders can
/// share an authorization.
struct Table<V>(Arc<Mutex<TableState<V>>>);

struct TableState<V> {
    last: u64,
    entries: HashMap<String, Vec<(u64, V)>>,
}

struct Entry<V> {
    table: Table<V>,
    key: String,
    number: u64,
}

impl Standing {
    /// Anything that withdraws what was published when it is dropped.
    pub fn new(guard: impl Send + Sync + 'static) -> Self {
        Self(Box::new(guard))
    }
}

impl HttpTokens {
    /// The body for a request of `path`, as `text/plain` over port 80; `None` if no such token is
    /// out.
    pub fn answer(&self, path: &str) -> Option<String> {
        self.tokens.find(path.strip_prefix(WELL_KNOWN)?)
    }

    pub(super) fn publish(&self, token: &str, answer: &str) -> Result<Standing, PublishError> {
        self.tokens.insert(token, answer.to_owned())
    }
}

impl AlpnChallenges {
    /// The settings for a client that asks for nothing but `acme-tls/1`, and for a name whose
    /// challenge stands. It is shown the answer and has no other business here.
    pub fn pick(&self, hello: &ClientHello<'_>) -> Option<Arc<ServerConfig>> {
        let mut protocols = hello.alpn()?;
        if protocols.next() != Some(ACME_TLS) || protocols.next().is_some() {
            return None;
        }
        self.names.find(&hello.server_name()?.to_ascii_lowercase())
    }

    pub(super) fn publish(&self, name: &str, digest: &[u8]) -> Result<Standing, PublishError> {
        let config = acme_tls_config(name, digest).map_err(|error| PublishError(error.to_string()));
        self.names.insert(name, config?)
    }
}

#[derive(Debug, thiserror::Error)]
enum MakeError {
    #[error("cannot make a certificate for the challenge")]
    Sign(#[from] rcgen::Error),
    #[error("cannot use the certificate made for the challenge")]
    Use(#[from] rustls::Error),
}

/// A certificate for `name` that carries the digest, and settings that show it (RFC 8737 §3).
fn acme_tls_config(name: &str, digest: &[u8]) -> Result<Arc<ServerConfig>, MakeError> {
    let key = KeyPair::generate_for(&rcgen::PKCS_ECDSA_P256_SHA256)?;
    let mut params = CertificateParams::default();
    params.distinguished_name = DistinguishedName::new();
    params.subject_alt_names = vec![SanType::DnsName(name.try_into()?)];
    params.custom_extensions = vec![CustomExtension::new_acme_identifier(digest)];
    let certificate = params.self_signed(&key)?;
    let provider = provider();
    let key = PrivateKeyDer::Pkcs8(key.serialize_der().into());
    let key = provider.key_provider.load_private_key(key)?;
    // Not `from_der`: it refuses the extension that this is all about.
    let key = CertifiedKey::new(vec![certificate.der().clone()], key);
    let mut config = ServerConfig::builder_with_provider(provider)
        .with_protocol_versions(&[&TLS13, &TLS12])?
        .with_no_client_auth()
        .with_cert_resolver(Arc::new(Only(Arc::new(key))));
    config.alpn_protocols = vec![ACME_TLS.to_vec()];
    Ok(Arc::new(config))
}

#[derive(Debug)]
struct Only(Arc<CertifiedKey>);

impl ResolvesServerCert for Only {
    fn resolve(&self, _hello: ClientHello<'_>) -> Option<Arc<CertifiedKey>> {
        Some(Arc::clone(&self.0))
    }
}

impl<V: Clone + Send + Sync + 'static> Table<V> {
    fn find(&self, key: &str) -> Option<V> {
        let state = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        state.entries.get(key)?.last().map(|(_, value)| value.clone())
    }

    fn insert(&self, key: &str, value: V) -> Result<Standing, PublishError> {
        let mut state = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if state.entries.len() >= defaults::CHALLENGES {
            return Err(PublishError(
                "as many challenges stand already as there may be".to_owned(),
            ));
        }
        state.last += 1;
        let number = state.last;
        state.entries.entry(key.to_owned()).or_default().push((number, value));
        Ok(Standing::new(Entry { table: self.clone(), key: key.to_owned(), number }))
    }
}

impl<V> Drop for Entry<V> {
    fn drop(&mut self) {
        let mut state = self.table.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(values) = state.entries.get_mut(&self.key) {
            values.retain(|(number, _)| *number != self.number);
            if values.is_empty() {
                state.entries.remove(&self.key);
            }
        }
    }
}

impl<V> Clone for Table<V> {
    fn clone(&self) -> Self {
        Self(Arc::clone(&self.0))
    }
}

impl<V> Default for Table<V> {
    fn default() -> Self {
        Self(Arc::new(Mutex::new(TableState { last: 0, entries: HashMap::new() })))
    }
}

impl fmt::Debug for Standing {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Standing")
    }
}

impl fmt::Debug for HttpTokens {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("HttpTokens").finish_non_exhaustive()
    }
}

impl fmt::Debug for AlpnChallenges {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("AlpnChallenges").finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_token_is_answered_until_each_who_needs_it_is_done() {
        let tokens = HttpTokens::default();
        let first = tokens.publish("abc", "abc.key").unwrap();
        let second = tokens.publish("abc", "abc.key").unwrap();
        drop(first);
        assert_eq!(tokens.answer("/.well-known/acme-challenge/abc").unwrap(), "abc.key");
        assert_eq!(tokens.answer("/.well-known/acme-challenge/ab"), None);
        assert_eq!(tokens.answer("/abc"), None);
        drop(second);
        assert_eq!(tokens.answer("/.well-known/acme-challenge/abc"), None);
    }
}
