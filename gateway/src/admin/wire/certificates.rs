//! The JSON of `/certs`.

use std::fmt;

use headgate_types::{HostPattern, Timestamp};
use serde::{Deserialize, Serialize};

/// What is ordered, held and not ordered.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct CertificatesStatus {
    /// The directory of the authority; `null` if the node's own is all there is.
    pub directory: Option<String>,
    /// By name.
    pub certificates: Vec<CertificateRow>,
    /// Hosts that have only a certificate of the node's own, and why.
    pub unordered: Vec<UnorderedRow>,
    /// The fullest first.
    pub limits: Vec<LimitRow>,
}

/// One certificate that is wanted. Times are milliseconds since the Unix epoch.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct CertificateRow {
    pub names: Vec<HostPattern>,
    pub state: CertificateState,
    /// `null` before there is one.
    pub issuer: Option<String>,
    /// Whether the operator gave it.
    pub imported: bool,
    pub not_before: Option<Timestamp>,
    pub not_after: Option<Timestamp>,
    /// What happens next, in words, and when; `null` if it is under way.
    pub next: String,
    pub next_at: Option<Timestamp>,
    /// What the last try met, if it failed, and what to do about it.
    pub last_error: Option<String>,
    pub advice: Option<String>,
    /// Tries in a row that failed.
    pub failures: u32,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum CertificateState {
    Valid,
    /// Shown all the same, as long as there is no better one.
    Expired,
    Missing,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct UnorderedRow {
    pub host: HostPattern,
    pub why: String,
}

/// How much of what an authority allows is used.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct LimitRow {
    pub what: String,
    pub used: usize,
    pub of: usize,
    /// Within so many seconds.
    pub within: u64,
}

/// The order to renew what covers a host.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct RenewHost {
    pub host: HostPattern,
}

/// How many certificates that is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct RenewedRow {
    pub certificates: usize,
}

/// A chain, leaf first, and its key.
#[derive(Clone, Serialize, Deserialize)]
pub struct ImportPem {
    pub pem: String,
}

impl fmt::Debug for ImportPem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("ImportPem([redacted])")
    }
}

/// What was kept.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ImportedRow {
    pub names: Vec<HostPattern>,
    pub issuer: String,
    pub not_after: Timestamp,
}
