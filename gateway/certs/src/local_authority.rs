//! `LocalAuthority`: a certificate authority of this machine's own, for `headgate dev`.
//!
//! Made once and kept in a folder; whoever trusts its root trusts every certificate it issues. Its
//! key never leaves the file it was made in.

mod file;

use std::{
    collections::{BTreeSet, HashMap},
    fmt,
    net::{IpAddr, Ipv4Addr, Ipv6Addr},
    path::{Path, PathBuf},
    sync::{Arc, Mutex, PoisonError},
};

use headgate_types::{Clock, DomainName, HostPattern, Timestamp};
use rcgen::{
    BasicConstraints, CertificateParams, DnType, ExtendedKeyUsagePurpose, IsCa, Issuer, KeyPair,
    KeyUsagePurpose, SanType,
};
use rustls::{
    crypto::CryptoProvider,
    pki_types::{CertificateDer, PrivateKeyDer},
    sign::CertifiedKey,
};

pub use self::file::OpenError;
use crate::{defaults, provider, resolver::CertificateTable};

/// A certificate authority of this machine's own.
pub struct LocalAuthority {
    name: String,
    root_pem: String,
    root_path: PathBuf,
    issuer: Issuer<'static, KeyPair>,
    clock: Arc<dyn Clock>,
    provider: Arc<CryptoProvider>,
    issued: Mutex<HashMap<BTreeSet<Subject>, Issued>>,
}

/// What a certificate is for.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Subject {
    Host(HostPattern),
    Address(IpAddr),
}

#[derive(Debug, Clone)]
struct Issued {
    at: Timestamp,
    key: Arc<CertifiedKey>,
}

/// The authority's key cannot sign, or a name cannot stand in a certificate.
#[derive(Debug, thiserror::Error)]
pub enum IssueError {
    #[error("a certificate needs a name")]
    NoName,
    #[error("cannot issue a certificate for {name}")]
    Sign { name: String, source: rcgen::Error },
    #[error("the certificate issued for {name} cannot be used")]
    Load { name: String, source: rustls::Error },
}

impl LocalAuthority {
    /// Loads the authority kept in `dir`, or makes it. Two processes that make it at once end with
    /// the same one.
    ///
    /// # Errors
    ///
    /// If the folder cannot be read or written, or what is in it is not an authority.
    pub fn open(dir: &Path, clock: Arc<dyn Clock>) -> Result<Self, OpenError> {
        let provider = provider();
        let kept = file::open(dir, clock.now(), &provider)?;
        Ok(Self {
            name: kept.name,
            root_pem: kept.root_pem,
            root_path: kept.root_path,
            issuer: kept.issuer,
            clock,
            provider,
            issued: Mutex::default(),
        })
    }

    /// A certificate for all of `subjects` together, signed by this authority. The same set is
    /// given the same certificate until two thirds of its life are over.
    pub fn issue(&self, subjects: &[Subject]) -> Result<Arc<CertifiedKey>, IssueError> {
        let now = self.clock.now();
        let set: BTreeSet<_> = subjects.iter().cloned().collect();
        if let Some(issued) = self.issued().get(&set)
            && now.since(issued.at) < defaults::LEAF_RENEW_AFTER
        {
            return Ok(Arc::clone(&issued.key));
        }
        let key = self.sign(&set, now)?;
        let mut issued = self.issued();
        if issued.len() >= defaults::ISSUED {
            issued.clear(); // they are cheap to make again
        }
        issued.insert(set, Issued { at: now, key: Arc::clone(&key) });
        Ok(key)
    }

    /// A table with a certificate for each of `hosts`, and one for loopback as the default:
    /// `localhost`, 127.0.0.1 and ::1, for clients that send no server name.
    ///
    /// A certificate takes some 100 µs to make and is kept for the next table.
    pub fn table_for<'a>(
        &self,
        hosts: impl IntoIterator<Item = &'a HostPattern>,
    ) -> Result<CertificateTable, IssueError> {
        let localhost: DomainName = "localhost".parse().map_err(|_| IssueError::NoName)?;
        let localhost = HostPattern::Exact(localhost);
        let loopback = self.issue(&[
            Subject::Host(localhost.clone()),
            Subject::Address(Ipv4Addr::LOCALHOST.into()),
            Subject::Address(Ipv6Addr::LOCALHOST.into()),
        ])?;
        let mut table = CertificateTable::default();
        table.insert(&localhost, Arc::clone(&loopback));
        table.set_default(loopback);
        for host in hosts {
            if *host != localhost {
                table.insert(host, self.issue(&[Subject::Host(host.clone())])?);
            }
        }
        Ok(table)
    }

    /// What people see in their browsers: `Headgate local authority (<host>)`.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The certificate to trust.
    pub fn root_pem(&self) -> &str {
        &self.root_pem
    }

    /// Where that certificate lies, readable by everyone.
    pub fn root_path(&self) -> &Path {
        &self.root_path
    }

    /// One line for a terminal.
    pub fn install_hint(&self) -> String {
        format!(
            "browsers do not trust this machine's authority yet: run `headgate dev trust`, \
             or `curl --cacert {}`",
            self.root_path.display()
        )
    }

    fn sign(
        &self,
        subjects: &BTreeSet<Subject>,
        now: Timestamp,
    ) -> Result<Arc<CertifiedKey>, IssueError> {
        let first = subjects.first().ok_or(IssueError::NoName)?.to_string();
        let refuse = |source| IssueError::Sign { name: first.clone(), source };
        let key = KeyPair::generate_for(&rcgen::PKCS_ECDSA_P256_SHA256).map_err(refuse)?;
        let mut params = CertificateParams::default();
        params.distinguished_name = rcgen::DistinguishedName::new();
        // Names count in the extension alone, but some clients (kdig) take no certificate without a subject.
        if first.len() <= MOST_COMMON_NAME {
            params.distinguished_name.push(DnType::CommonName, first.clone());
        }
        params.subject_alt_names =
            subjects.iter().map(Subject::to_san).collect::<Result<_, _>>().map_err(refuse)?;
        valid_from(&mut params, now, defaults::LEAF_LIFE);
        params.key_usages = vec![KeyUsagePurpose::DigitalSignature];
        params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth];
        params.use_authority_key_identifier_extension = true;
        let certificate = params.signed_by(&key, &self.issuer).map_err(refuse)?;
        let chain = vec![certificate.der().clone()];
        certified(chain, &key, &self.provider)
            .map(Arc::new)
            .map_err(|source| IssueError::Load { name: first, source })
    }

    fn issued(&self) -> std::sync::MutexGuard<'_, HashMap<BTreeSet<Subject>, Issued>> {
        // Entries are put in whole, so a poisoned map is still right.
        self.issued.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// RFC 5280 appendix A.1: `ub-common-name`.
const MOST_COMMON_NAME: usize = 64;

/// What an authority says of itself.
fn authority_params(name: &str, now: Timestamp) -> CertificateParams {
    let mut params = CertificateParams::default();
    params.distinguished_name = rcgen::DistinguishedName::new();
    params.distinguished_name.push(DnType::OrganizationName, "Headgate");
    params.distinguished_name.push(DnType::CommonName, name);
    // Nothing below it but leaves.
    params.is_ca = IsCa::Ca(BasicConstraints::Constrained(0));
    params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
    valid_from(&mut params, now, defaults::AUTHORITY_LIFE);
    params
}

fn valid_from(params: &mut CertificateParams, now: Timestamp, life: std::time::Duration) {
    let now = now.to_system_time();
    params.not_before = (now - defaults::BACKDATE).into();
    params.not_after = (now + life).into();
}

/// A chain and its key, checked to belong together.
fn certified(
    chain: Vec<CertificateDer<'static>>,
    key: &KeyPair,
    provider: &CryptoProvider,
) -> Result<CertifiedKey, rustls::Error> {
    let key = PrivateKeyDer::Pkcs8(key.serialize_der().into());
    CertifiedKey::from_der(chain, key, provider)
}

impl Subject {
    fn to_san(&self) -> Result<SanType, rcgen::Error> {
        Ok(match self {
            Self::Host(host) => SanType::DnsName(host.to_string().try_into()?),
            Self::Address(address) => SanType::IpAddress(*address),
        })
    }
}

impl From<HostPattern> for Subject {
    fn from(host: HostPattern) -> Self {
        Self::Host(host)
    }
}

impl From<IpAddr> for Subject {
    fn from(address: IpAddr) -> Self {
        Self::Address(address)
    }
}

impl fmt::Display for Subject {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Host(host) => host.fmt(f),
            Self::Address(address) => address.fmt(f),
        }
    }
}

impl fmt::Debug for LocalAuthority {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("LocalAuthority")
            .field("name", &self.name)
            .field("root_path", &self.root_path)
            .finish_non_exhaustive()
    }
}
