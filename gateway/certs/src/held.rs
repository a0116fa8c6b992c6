//! `HeldCertificate`: a chain and its key as bytes in memory, made into a signing key at first use.
//!
//! The bytes are there from the start, so that a handshake never waits for a disk; what costs memory
//! and time, a parsed key, is made when the first client asks for the name, and kept.

use std::{
    fmt,
    sync::{Arc, OnceLock},
};

use headgate_types::{HostPattern, Timestamp};
use rustls::{
    pki_types::{CertificateDer, PrivateKeyDer, pem::PemObject},
    sign::CertifiedKey,
};
use tracing::error;
use x509_parser::{extensions::GeneralName, parse_x509_certificate};
use zeroize::Zeroizing;

use crate::provider;

/// Certificates in one chain; those of public authorities have two or three.
const MAX_CHAIN: usize = 10;

/// A private key as DER of any of the three formats that keys come in.
pub(crate) type KeyBytes = Zeroizing<Box<[u8]>>;

/// A certificate with its chain and key.
pub struct HeldCertificate {
    origin: Origin,
    names: Box<[HostPattern]>,
    issuer: Box<str>,
    serial: Box<str>,
    not_before: Timestamp,
    not_after: Timestamp,
    self_signed: bool,
    chain: Box<[CertificateDer<'static>]>,
    key: KeyBytes,
    parsed: OnceLock<Option<Arc<CertifiedKey>>>,
}

/// Where a certificate is from, which says who renews it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Origin {
    /// The directory of the authority that it was ordered from.
    Acme(Box<str>),
    /// The operator gave it.
    Imported,
}

/// Why a chain and a key are no certificate to serve.
#[derive(Debug, thiserror::Error)]
pub enum InvalidCertificate {
    #[error("there is no certificate in it")]
    NoCertificate,
    #[error("there is no private key in it")]
    NoKey,
    #[error("there are more than {MAX_CHAIN} certificates in it")]
    LongChain,
    #[error("it is not well-formed PEM")]
    Pem(#[source] rustls::pki_types::pem::Error),
    #[error("its certificate cannot be read")]
    Certificate(#[source] x509_parser::nom::Err<x509_parser::error::X509Error>),
    #[error("its certificate names no host")]
    NoNames,
    #[error("its key does not belong to its certificate, or is of a kind that is not supported")]
    Key(#[source] rustls::Error),
}

impl HeldCertificate {
    /// From a chain, leaf first, and its key, which are looked at whether they belong together.
    pub(crate) fn new(
        origin: Origin,
        chain: Vec<CertificateDer<'static>>,
        key: KeyBytes,
    ) -> Result<Self, InvalidCertificate> {
        let held = Self::unchecked(origin, chain, key)?;
        let parsed = held.parse().map_err(InvalidCertificate::Key)?;
        let _ = held.parsed.set(Some(Arc::new(parsed)));
        Ok(held)
    }

    /// The same without a look at the key, for what was checked before it was stored.
    pub(crate) fn unchecked(
        origin: Origin,
        chain: Vec<CertificateDer<'static>>,
        key: KeyBytes,
    ) -> Result<Self, InvalidCertificate> {
        let leaf = chain.first().ok_or(InvalidCertificate::NoCertificate)?;
        if chain.len() > MAX_CHAIN {
            return Err(InvalidCertificate::LongChain);
        }
        let (_, leaf) = parse_x509_certificate(leaf).map_err(InvalidCertificate::Certificate)?;
        let names = host_names(&leaf);
        if names.is_empty() {
            return Err(InvalidCertificate::NoNames);
        }
        let issuer = leaf.issuer();
        let self_signed = issuer == leaf.subject();
        let issuer_names = issuer.iter_common_name().chain(issuer.iter_organization());
        let issuer = issuer_names.filter_map(|name| name.as_str().ok()).next().unwrap_or("unnamed");
        Ok(Self {
            origin,
            names: names.into(),
            issuer: issuer.into(),
            serial: leaf.raw_serial_as_string().into(),
            not_before: seconds(leaf.validity().not_before.timestamp()),
            not_after: seconds(leaf.validity().not_after.timestamp()),
            self_signed,
            chain: chain.into(),
            key,
            parsed: OnceLock::new(),
        })
    }

    /// From PEM blocks in any order: certificates, leaf first, and one key.
    pub(crate) fn from_pem(origin: Origin, pem: &[u8]) -> Result<Self, InvalidCertificate> {
        let (chain, key) = read_pem(pem)?;
        Self::new(origin, chain, key)
    }

    /// What a client is shown. Parsed once; `None` if the key is not usable, which is logged then.
    pub fn certified_key(&self) -> Option<Arc<CertifiedKey>> {
        self.parsed
            .get_or_init(|| match self.parse() {
                Ok(parsed) => Some(Arc::new(parsed)),
                Err(error) => {
                    error!(name = %self.title(), %error, "a stored certificate cannot be used");
                    None
                }
            })
            .clone()
    }

    pub fn origin(&self) -> &Origin {
        &self.origin
    }

    pub fn names(&self) -> &[HostPattern] {
        &self.names
    }

    /// What the issuer calls itself.
    pub fn issuer(&self) -> &str {
        &self.issuer
    }

    /// As its issuer counts (RFC 5280 §4.1.2.2), in hexadecimal.
    pub fn serial(&self) -> &str {
        &self.serial
    }

    pub fn not_before(&self) -> Timestamp {
        self.not_before
    }

    pub fn not_after(&self) -> Timestamp {
        self.not_after
    }

    pub fn is_valid_at(&self, now: Timestamp) -> bool {
        self.not_before <= now && now < self.not_after
    }

    /// Whether it vouches for itself alone, so that no client trusts it unasked.
    pub fn is_self_signed(&self) -> bool {
        self.self_signed
    }

    /// Whether a client that asks for this host, or for any that the pattern covers, may be shown it.
    pub fn covers(&self, host: &HostPattern) -> bool {
        self.names.iter().any(|name| match host {
            HostPattern::Exact(exact) => name.matches(exact.as_str()),
            HostPattern::Wildcard(_) => name == host,
        })
    }

    pub(crate) fn leaf(&self) -> &CertificateDer<'static> {
        &self.chain[0]
    }

    pub(crate) fn chain(&self) -> &[CertificateDer<'static>] {
        &self.chain
    }

    pub(crate) fn key(&self) -> &[u8] {
        &self.key
    }

    pub(crate) fn title(&self) -> String {
        self.names.first().map(ToString::to_string).unwrap_or_default()
    }

    fn parse(&self) -> Result<CertifiedKey, rustls::Error> {
        let key = PrivateKeyDer::try_from(&**self.key)
            .map_err(|error| rustls::Error::General(error.to_owned()))?;
        CertifiedKey::from_der(self.chain.to_vec(), key.clone_key(), &provider())
    }
}

/// Certificates and the key of a PEM text.
pub(crate) fn read_pem(
    pem: &[u8],
) -> Result<(Vec<CertificateDer<'static>>, KeyBytes), InvalidCertificate> {
    let chain: Vec<_> = CertificateDer::pem_slice_iter(pem)
        .take(MAX_CHAIN + 1)
        .collect::<Result<_, _>>()
        .map_err(InvalidCertificate::Pem)?;
    let key = match PrivateKeyDer::from_pem_slice(pem) {
        Ok(key) => Zeroizing::new(Box::<[u8]>::from(key.secret_der())),
        Err(rustls::pki_types::pem::Error::NoItemsFound) => return Err(InvalidCertificate::NoKey),
        Err(error) => return Err(InvalidCertificate::Pem(error)),
    };
    Ok((chain, key))
}

fn host_names(leaf: &x509_parser::certificate::X509Certificate<'_>) -> Vec<HostPattern> {
    let Ok(Some(names)) = leaf.subject_alternative_name() else { return Vec::new() };
    let dns = names.value.general_names.iter().filter_map(|name| match name {
        GeneralName::DNSName(name) => name.parse().ok(),
        _ => None,
    });
    let mut names: Vec<HostPattern> = dns.collect();
    names.sort();
    names.dedup();
    names
}

fn seconds(since_epoch: i64) -> Timestamp {
    Timestamp::from_millis(u64::try_from(since_epoch).unwrap_or_default().saturating_mul(1000))
}

impl fmt::Debug for HeldCertificate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("HeldCertificate")
            .field("names", &self.names)
            .field("issuer", &self.issuer)
            .field("not_after", &self.not_after)
            .finish_non_exhaustive()
    }
}
