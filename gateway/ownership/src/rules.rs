//! `Rules`: what a node accepts as a sign of ownership.

use headgate_types::Timestamp;

use crate::{Claim, Ownership, OwnershipKey, Proof, Record, Taubyte};

/// Strings looked at for one name: DNS may hold many, and each costs a signature.
const MOST_STRINGS: usize = 64;

/// What a node accepts. Trusting is a rule of its own, so that no key decides it by being absent.
#[derive(Debug)]
#[expect(clippy::large_enum_variant, reason = "a node has one of these")]
pub enum Rules {
    /// Whatever a project names is its own: for development, where nobody could enter a record.
    TrustAll,
    Ask {
        /// Makes and recognises our own tokens.
        key: OwnershipKey,
        /// For projects that come from a Taubyte cloud.
        taubyte: Option<Taubyte>,
    },
}

/// The strings of the TXT records of one name, each record joined to one string (RFC 7208 §3.3).
#[derive(Debug, Clone)]
pub struct Found<'a> {
    pub name: &'a str,
    pub strings: &'a [String],
}

impl Rules {
    /// The records that would each show that the host is the project's; their names are what to look up.
    pub fn wanted(&self, claim: Claim<'_>) -> Vec<Record> {
        match self {
            Self::TrustAll => Vec::new(),
            Self::Ask { key, taubyte } => {
                let theirs = taubyte.as_ref().and_then(|taubyte| taubyte.record(claim));
                [Some(key.record(claim)), theirs].into_iter().flatten().collect()
            }
        }
    }

    /// What is known before anybody asked DNS.
    pub fn pending(&self, claim: Claim<'_>) -> Ownership {
        self.judge(claim, &[], Timestamp::default())
    }

    /// What `found` says about a claim. What was found under other names than were wanted counts for
    /// nothing.
    pub fn judge(&self, claim: Claim<'_>, found: &[Found<'_>], now: Timestamp) -> Ownership {
        let Self::Ask { key, taubyte } = self else { return Ownership::Trusted };
        if taubyte.as_ref().is_some_and(|taubyte| taubyte.is_generated(claim)) {
            return Ownership::Verified { by: Proof::Generated };
        }
        let wanted = self.wanted(claim);
        let under = |name: &str| {
            let found = found.iter().filter(|found| found.name.eq_ignore_ascii_case(name));
            let strings: Vec<_> =
                found.flat_map(|found| found.strings).take(MOST_STRINGS).collect();
            strings
        };
        for record in &wanted {
            for string in under(&record.name) {
                if key.shows(claim, &record.name, string) {
                    return Ownership::Verified { by: Proof::Token };
                }
                let theirs = taubyte.as_ref();
                if theirs.is_some_and(|theirs| theirs.shows(claim, &record.name, string, now)) {
                    return Ownership::Verified { by: Proof::Taubyte };
                }
            }
        }
        Ownership::Pending { enter: wanted }
    }
}
