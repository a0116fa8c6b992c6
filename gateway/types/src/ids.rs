//! Names of things: projects, the scope a guest acts in, requests.

use std::{fmt, str::FromStr, sync::Arc};

use rand::Rng;
use serde::{Deserialize, Serialize};

use crate::Branch;

/// A project as this node calls it: letters, digits, `-` and `_`, at most 63 characters.
#[derive(Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Debug, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct ProjectName(Arc<str>);

impl ProjectName {
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl FromStr for ProjectName {
    type Err = ParseProjectNameError;

    fn from_str(text: &str) -> Result<Self, ParseProjectNameError> {
        let fits = (1..=63).contains(&text.len());
        let plain = text.chars().all(|c| c.is_ascii_alphanumeric() || matches!(c, '-' | '_'));
        if fits && plain {
            Ok(Self(text.into()))
        } else {
            Err(ParseProjectNameError(text.to_owned()))
        }
    }
}

impl TryFrom<String> for ProjectName {
    type Error = ParseProjectNameError;

    fn try_from(text: String) -> Result<Self, Self::Error> {
        text.parse()
    }
}

impl From<ProjectName> for String {
    fn from(name: ProjectName) -> Self {
        name.0.as_ref().to_owned()
    }
}

impl fmt::Display for ProjectName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

#[derive(Debug, Clone, thiserror::Error, PartialEq, Eq)]
#[error("`{0}` is not a project name: use 1 to 63 letters from `a` to `z`, digits, `-` or `_`")]
pub struct ParseProjectNameError(String);

/// In whose name a guest acts. Host capabilities are scoped by it, log lines and metrics carry it.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub struct Scope {
    pub project: ProjectName,
    /// `None` for a function at the project's root.
    pub application: Option<Arc<str>>,
    pub function: Arc<str>,
    pub branch: Branch,
}

/// `shop/admin/report`, or `shop/hello` at the root. The branch is left out: one node mostly follows one.
impl fmt::Display for Scope {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/", self.project)?;
        if let Some(application) = &self.application {
            write!(f, "{application}/")?;
        }
        f.write_str(&self.function)
    }
}

/// Names one request in logs and answers: 128 random bits, which also serve as the W3C trace id.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct RequestId([u8; 16]);

impl RequestId {
    pub fn random(rng: &mut impl Rng) -> Self {
        let mut bytes: [u8; 16] = rng.random();
        bytes[0] |= 1; // an all-zero trace id is invalid (W3C Trace Context §3.2.2.3)
        Self(bytes)
    }

    pub const fn from_bytes(bytes: [u8; 16]) -> Self {
        Self(bytes)
    }

    /// 32 lower-case hex digits.
    pub fn to_hex(self) -> [u8; 32] {
        const DIGITS: &[u8; 16] = b"0123456789abcdef";
        let mut hex = [0; 32];
        for (pair, byte) in hex.chunks_exact_mut(2).zip(self.0) {
            pair[0] = DIGITS[usize::from(byte >> 4)];
            pair[1] = DIGITS[usize::from(byte & 15)];
        }
        hex
    }
}

impl fmt::Display for RequestId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(std::str::from_utf8(&self.to_hex()).expect("hex digits are ASCII"))
    }
}

impl fmt::Debug for RequestId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_scope_reads_like_a_path() {
        let scope = Scope {
            project: "shop".parse().unwrap(),
            application: Some("admin".into()),
            function: "report".into(),
            branch: Branch::new("main"),
        };
        assert_eq!(scope.to_string(), "shop/admin/report");
        assert_eq!(Scope { application: None, ..scope }.to_string(), "shop/report");
    }

    #[test]
    fn project_names_are_safe_in_paths_and_labels() {
        for bad in ["", "a/b", "..", "a b", &"a".repeat(64)] {
            assert!(bad.parse::<ProjectName>().is_err(), "{bad:?}");
        }
    }

    #[test]
    fn request_ids_are_32_hex_digits() {
        let id = RequestId::from_bytes([0xab; 16]);
        assert_eq!(id.to_string(), "ab".repeat(16));
    }
}
