//! `Supplied`: a certificate that somebody handed over together with its key.
//!
//! It is read once and judged then: whether the two belong together, which names it is for, how long it
//! holds. Whether it is good *now* is asked each time it would be shown.

use std::{fmt, sync::Arc};

use headgate_types::{HostPattern, Timestamp};
use rustls::{InconsistentKeys, crypto::CryptoProvider, sign::CertifiedKey};
use rustls_pki_types::{CertificateDer, PrivateKeyDer, pem::PemObject};
use x509_parser::{extensions::GeneralName, prelude::X509Certificate};

use crate::provider;

/// A certificate, its key, and what is worth knowing about both.
#[derive(Clone)]
pub struct Supplied {
    key: Arc<CertifiedKey>,
    /// The names of its subject alternative name that a host can have.
    names: Vec<HostPattern>,
    not_before: Timestamp,
    not_after: Timestamp,
    self_signed: bool,
}

/// Why what was handed over cannot be shown to a client. None of these repeats what was in it.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum SuppliedError {
    #[error("there is no certificate in it")]
    NoCertificate,
    #[error("the certificate cannot be read")]
    Certificate,
    #[error("there is no private key in it")]
    NoKey,
    #[error("the private key is of a kind that is not supported")]
    Key,
    #[error("the private key does not belong to the certificate")]
    Mismatch,
    #[error("the certificate names no host: it has no subject alternative name")]
    NoName,
}

impl Supplied {
    /// Reads a chain, the host's own certificate first, and its key, both as PEM.
    ///
    /// # Errors
    ///
    /// See [`SuppliedError`].
    pub fn from_pem(chain: &[u8], key: &[u8]) -> Result<Self, SuppliedError> {
        Self::read(chain, key, &provider())
    }

    fn read(chain: &[u8], key: &[u8], provider: &CryptoProvider) -> Result<Self, SuppliedError> {
        let chain: Vec<_> = CertificateDer::pem_slice_iter(chain)
            .collect::<Result<_, _>>()
            .map_err(|_| SuppliedError::Certificate)?;
        let leaf = chain.first().ok_or(SuppliedError::NoCertificate)?.clone();
        let key = PrivateKeyDer::from_pem_slice(key).map_err(|_| SuppliedError::NoKey)?;
        let key = CertifiedKey::from_der(chain, key, provider).map_err(|error| match error {
            rustls::Error::InconsistentKeys(InconsistentKeys::KeyMismatch) => {
                SuppliedError::Mismatch
            }
            rustls::Error::InvalidCertificate(_) => SuppliedError::Certificate,
            _ => SuppliedError::Key,
        })?;
        let (_, parsed) =
            x509_parser::parse_x509_certificate(&leaf).map_err(|_| SuppliedError::Certificate)?;
        let names = names(&parsed);
        if names.is_empty() {
            return Err(SuppliedError::NoName);
        }
        let at = |seconds: i64| {
            Timestamp::from_millis(u64::try_from(seconds).unwrap_or(0).saturating_mul(1000))
        };
        let validity = parsed.validity();
        Ok(Self {
            key: Arc::new(key),
            names,
            not_before: at(validity.not_before.timestamp()),
            not_after: at(validity.not_after.timestamp()),
            self_signed: parsed.issuer() == parsed.subject(),
        })
    }

    pub fn key(&self) -> &Arc<CertifiedKey> {
        &self.key
    }

    /// The hosts it names.
    pub fn names(&self) -> &[HostPattern] {
        &self.names
    }

    /// Whether it names this host, or a wildcard one label up.
    pub fn covers(&self, host: &HostPattern) -> bool {
        self.names.iter().any(|name| match host {
            HostPattern::Exact(wanted) => name.matches(wanted.as_str()),
            HostPattern::Wildcard(_) => name == host,
        })
    }

    pub fn is_valid_at(&self, now: Timestamp) -> bool {
        self.not_before <= now && now < self.not_after
    }

    pub fn not_before(&self) -> Timestamp {
        self.not_before
    }

    pub fn not_after(&self) -> Timestamp {
        self.not_after
    }

    /// Whether it vouches for itself alone, so that no client trusts it unasked.
    pub fn is_self_signed(&self) -> bool {
        self.self_signed
    }
}

/// As browsers do, the common name is not looked at (RFC 9525 §2).
fn names(certificate: &X509Certificate<'_>) -> Vec<HostPattern> {
    let Ok(Some(alternative)) = certificate.subject_alternative_name() else { return Vec::new() };
    let names = alternative.value.general_names.iter().filter_map(|name| match name {
        GeneralName::DNSName(name) => name.to_ascii_lowercase().parse().ok(),
        _ => None,
    });
    names.collect()
}

impl fmt::Debug for Supplied {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Supplied")
            .field("names", &self.names)
            .field("not_after", &self.not_after)
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use rcgen::{CertificateParams, KeyPair};

    use super::*;

    fn made(names: &[&str]) -> (String, KeyPair) {
        let key = KeyPair::generate_for(&rcgen::PKCS_ECDSA_P256_SHA256).unwrap();
        let names: Vec<_> = names.iter().map(|name| (*name).to_owned()).collect();
        (CertificateParams::new(names).unwrap().self_signed(&key).unwrap().pem(), key)
    }

    fn read(chain: &str, key: &str) -> Result<Supplied, SuppliedError> {
        Supplied::from_pem(chain.as_bytes(), key.as_bytes())
    }

    #[test]
    fn a_certificate_is_for_the_names_in_it() {
        let (chain, key) = made(&["x.org", "*.X.org"]);
        let supplied = read(&chain, &key.serialize_pem()).unwrap();
        for host in ["x.org", "a.x.org", "*.x.org"] {
            assert!(supplied.covers(&host.parse().unwrap()), "{host}");
        }
        for host in ["y.org", "a.b.x.org", "*.a.x.org", "*.org"] {
            assert!(!supplied.covers(&host.parse().unwrap()), "{host}");
        }
        assert!(supplied.is_self_signed());
        assert!(supplied.is_valid_at(supplied.not_before()));
        assert!(!supplied.is_valid_at(supplied.not_after()));
    }

    #[test]
    fn what_cannot_be_shown_is_told_apart() {
        let (chain, key) = made(&["x.org"]);
        let (pem, other) = (key.serialize_pem(), made(&["x.org"]).1.serialize_pem());
        let error = |chain: &str, key: &str| read(chain, key).unwrap_err();
        assert_eq!(error("", &pem), SuppliedError::NoCertificate);
        assert_eq!(error(&pem, &pem), SuppliedError::NoCertificate);
        assert_eq!(error(&chain, ""), SuppliedError::NoKey);
        assert_eq!(error(&chain, &chain), SuppliedError::NoKey);
        assert_eq!(error(&chain, &other), SuppliedError::Mismatch);
        let cut = chain.replace("MII", "MIA");
        assert_eq!(error(&cut, &pem), SuppliedError::Certificate);
        assert_eq!(error(&made(&["10.0.0.1"]).0, &pem), SuppliedError::Mismatch);
        let (nameless, key) = made(&["10.0.0.1"]);
        assert_eq!(error(&nameless, &key.serialize_pem()), SuppliedError::NoName);
    }

    #[test]
    fn the_key_is_not_printed() {
        let (chain, key) = made(&["x.org"]);
        let printed = format!("{:?}", read(&chain, &key.serialize_pem()).unwrap());
        assert!(printed.contains("x.org") && printed.len() < 300, "{printed}");
    }
}
