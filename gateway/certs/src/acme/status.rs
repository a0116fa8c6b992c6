//! `CertificateStatus`: a row for people, about one certificate.

use headgate_types::{HostPattern, Timestamp};

pub use crate::held::Origin;

/// What is held for a set of names, and what happens next.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CertificateStatus {
    pub names: Vec<HostPattern>,
    /// None if there is no certificate yet.
    pub issuer: Option<String>,
    /// Two certificates of one second have the same times.
    pub serial: Option<String>,
    pub origin: Option<Origin>,
    pub not_before: Option<Timestamp>,
    pub not_after: Option<Timestamp>,
    /// In words: `valid`, `ordering`, `waiting`, `expired`.
    pub state: CertificateState,
    pub next: NextStep,
    /// What the last try met, if it failed, and what to do about it.
    pub last_error: Option<String>,
    pub advice: Option<String>,
    pub failures: u32,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum CertificateState {
    Valid,
    /// Served all the same, as long as there is no better one.
    Expired,
    Missing,
}

/// What the reconciler does next about it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum NextStep {
    /// An order is under way.
    Ordering,
    /// It waits for its turn, a limit, or the pause after a failure.
    Order {
        at: Timestamp,
        why: String,
    },
    Renew {
        at: Timestamp,
    },
}

impl std::fmt::Display for CertificateState {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::Valid => "valid",
            Self::Expired => "expired",
            Self::Missing => "none yet",
        })
    }
}

impl std::fmt::Display for NextStep {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Ordering => f.write_str("being ordered"),
            Self::Order { at, why } => write!(f, "order at {at} ({why})"),
            Self::Renew { at } => write!(f, "renew at {at}"),
        }
    }
}
