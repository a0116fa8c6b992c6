//! Our own token: a TXT record at `_headgate.<host>` that names one host for one project of one operator.
//!
//! ```text
//! _headgate.shop.example.com  TXT  "headgate-v1=<base58 of HMAC-SHA256(key, host, project, id)>"
//! ```
//!
//! The record is public, and copying it is in vain: it says nothing about any other host or project, nor to
//! a node with another key. Several projects and wildcards may stand beside each other under one name. The
//! key never leaves the operator's nodes; if it is lost, records must be entered anew.

use std::fmt;

use aws_lc_rs::hmac;
use headgate_types::HostPattern;

use crate::{Claim, Record, RecordKind, Value};

/// The underscore keeps it apart from host names (RFC 8552).
const LABEL: &str = "_headgate";
/// Whoever changes what the token is made of counts on.
const PREFIX: &str = "headgate-v1=";
/// First of what is authenticated, so that the key may serve other ends, too.
const PURPOSE: &str = "headgate domain ownership 1";

/// An operator's secret, the same on all nodes that serve the same projects.
pub struct OwnershipKey(hmac::Key);

impl OwnershipKey {
    pub fn new(secret: &[u8; 32]) -> Self {
        Self(hmac::Key::new(hmac::HMAC_SHA256, secret))
    }

    /// What the owner of a host enters to give it to a project.
    pub(crate) fn record(&self, claim: Claim<'_>) -> Record {
        let tag = hmac::sign(&self.0, &message(claim));
        let value = format!("{PREFIX}{}", bs58::encode(tag).into_string());
        Record { kind: RecordKind::Txt, name: name(claim.host), value: Value::Text(value) }
    }

    /// Whether a string found under `name` does that. Compared in constant time, so that answers give no
    /// hint at a token that was never entered anywhere.
    pub(crate) fn shows(&self, claim: Claim<'_>, name: &str, found: &str) -> bool {
        let Some(token) = found.trim().strip_prefix(PREFIX) else { return false };
        let mut tag = [0; 32];
        name == self::name(claim.host)
            && bs58::decode(token).onto(&mut tag) == Ok(tag.len())
            && hmac::verify(&self.0, &message(claim), &tag).is_ok()
    }
}

fn name(host: &HostPattern) -> String {
    format!("{LABEL}.{}", host.base())
}

/// Each part with its length before it, so that no two claims read alike.
fn message(claim: Claim<'_>) -> Vec<u8> {
    let host = claim.host.to_string();
    let mut message = Vec::new();
    for part in [PURPOSE, &host, claim.project.as_str(), claim.project_id] {
        message.extend_from_slice(&(part.len() as u64).to_be_bytes());
        message.extend_from_slice(part.as_bytes());
    }
    message
}

impl fmt::Debug for OwnershipKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("OwnershipKey([redacted])")
    }
}
