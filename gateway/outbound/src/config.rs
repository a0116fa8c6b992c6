//! `Config`: what this machine's owner says about calls of guests.

use std::path::PathBuf;

use crate::policy::Policy;

/// Settings of a [`Client`](crate::Client).
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Config {
    pub policy: Policy,
    /// Certificates (PEM) of authorities that are trusted beside the platform's.
    pub roots: Option<PathBuf>,
}
