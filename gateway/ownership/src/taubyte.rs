//! Taubyte's rule: its cloud signs that a host belongs to a project, and the owner enters the signature.
//!
//! ```text
//! QmNTj7BY.shop.example.com  TXT  "<JWT, ES256, {"address": base58(multihash(SHA-1, host + project id))}>"
//! ```
//!
//! Hosts the cloud gives out itself need no record; they contain the end of the project's id.
//!
//! Both rules go by the project's id. In Taubyte's cloud the id comes from its auth service; here it is what
//! a repository says, and a repository may say what another one does. So the rule shows that *the project
//! with this id* may have the host, and whoever enforces it must know the id from elsewhere.

use std::fmt;

use aws_lc_rs::digest;
use headgate_types::{HostPattern, Timestamp};
use jsonwebtoken::{Algorithm, DecodingKey, Validation, decode};
use regex::Regex;
use serde::Deserialize;

use crate::{Claim, Record, RecordKind, Value};

/// Characters of an id that are a label of the record's name, and as many at its end that generated hosts
/// contain.
const ID_PART: usize = 8;
/// The multihash of SHA-1: its code and its length.
const SHA1_MULTIHASH: [u8; 2] = [0x11, 20];
/// Theirs have about 200 characters.
const LONGEST_TOKEN: usize = 4096;

/// What a node must know of a Taubyte cloud to accept its word.
pub struct Taubyte {
    key: DecodingKey,
    /// Of the hosts the cloud gives out.
    generated: Option<Regex>,
}

#[derive(Debug, thiserror::Error)]
pub enum TaubyteError {
    #[error("the key is not an elliptic-curve public key in PEM")]
    Key(#[source] jsonwebtoken::errors::Error),
    #[error("the pattern of generated hosts cannot be understood")]
    Pattern(#[source] regex::Error),
}

#[derive(Deserialize)]
struct Claims {
    address: String,
    /// Seconds since the Unix epoch. Their tokens have none.
    #[serde(default)]
    exp: Option<u64>,
}

impl Taubyte {
    /// `key` is `domains.key.public` of the cloud's configuration, `generated` its `domains.generated`, which
    /// is matched against the whole host.
    ///
    /// # Errors
    /// Each names which of both is wrong.
    pub fn new(key: &[u8], generated: Option<&str>) -> Result<Self, TaubyteError> {
        let key = DecodingKey::from_ec_pem(key).map_err(TaubyteError::Key)?;
        let anchored = generated.map(|pattern| Regex::new(&format!("^(?:{pattern})$")));
        let generated = anchored.transpose().map_err(TaubyteError::Pattern)?;
        Ok(Self { key, generated })
    }

    /// What the owner of a host enters; the cloud says what it holds. `None` for a project without an id of
    /// their making.
    pub(crate) fn record(&self, claim: Claim<'_>) -> Option<Record> {
        let issuer = "the Taubyte cloud of the project".to_owned();
        Some(Record { kind: RecordKind::Txt, name: name(claim)?, value: Value::From(issuer) })
    }

    /// Whether the host is one of those the cloud gives out, and was given to this project.
    pub(crate) fn is_generated(&self, claim: Claim<'_>) -> bool {
        let HostPattern::Exact(host) = claim.host else { return false };
        let matches =
            self.generated.as_ref().is_some_and(|pattern| pattern.is_match(host.as_str()));
        let end = is_id(claim.project_id)
            .then(|| claim.project_id[claim.project_id.len() - ID_PART..].to_ascii_lowercase());
        matches && end.is_some_and(|end| host.as_str().contains(&end))
    }

    /// Whether a string found under `name` is the cloud's word for this claim.
    pub(crate) fn shows(&self, claim: Claim<'_>, name: &str, found: &str, now: Timestamp) -> bool {
        if self::name(claim).as_deref() != Some(name) || found.len() > LONGEST_TOKEN {
            return false;
        }
        // One algorithm, whatever the token says; times are compared with `now` and no other clock.
        let mut validation = Validation::new(Algorithm::ES256);
        validation.required_spec_claims.clear();
        validation.validate_exp = false;
        validation.validate_aud = false;
        let Ok(token) = decode::<Claims>(found.trim(), &self.key, &validation) else {
            return false;
        };
        let Claims { address, exp } = token.claims;
        let expired = exp.is_some_and(|exp| exp <= now.as_millis() / 1000);
        !expired && address == self::address(claim)
    }
}

/// Ids are CIDs, so letters and digits; anything else is none of theirs and would make odd names.
fn is_id(id: &str) -> bool {
    id.len() >= ID_PART && id.bytes().all(|byte| byte.is_ascii_alphanumeric())
}

/// They know no wildcards: what stands for one is its base.
fn name(claim: Claim<'_>) -> Option<String> {
    match claim.host {
        HostPattern::Exact(host) if is_id(claim.project_id) => {
            Some(format!("{}.{host}", &claim.project_id[..ID_PART]))
        }
        HostPattern::Exact(_) | HostPattern::Wildcard(_) => None,
    }
}

/// Public, and compared as such.
fn address(claim: Claim<'_>) -> String {
    let text = format!("{}{}", claim.host, claim.project_id);
    let digest = digest::digest(&digest::SHA1_FOR_LEGACY_USE_ONLY, text.as_bytes());
    let multihash = [&SHA1_MULTIHASH, digest.as_ref()].concat();
    bs58::encode(multihash).into_string()
}

impl fmt::Debug for Taubyte {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Taubyte").field("generated", &self.generated).finish_non_exhaustive()
    }
}
