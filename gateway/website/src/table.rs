//! `SiteTable`: the files of a website as a manifest keeps them.

use std::{borrow::Cow, collections::BTreeMap};

use headgate_types::Digest;
use serde::{Deserialize, Serialize};

/// Every file of one website, by its path below the root: `docs/index.html`.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct SiteTable {
    files: BTreeMap<Box<str>, SiteFile>,
}

impl SiteTable {
    pub fn insert(&mut self, path: &str, file: SiteFile) {
        self.files.insert(path.into(), file);
    }

    pub fn iter(&self) -> impl Iterator<Item = (&str, &SiteFile)> {
        self.files.iter().map(|(path, file)| (&**path, file))
    }

    pub fn len(&self) -> usize {
        self.files.len()
    }

    pub fn is_empty(&self) -> bool {
        self.files.is_empty()
    }

    /// Every blob the site needs, for the sweep of those that nobody needs. Some may come twice.
    pub fn digests(&self) -> impl Iterator<Item = Digest> {
        self.files.values().flat_map(|file| {
            file.encodings.iter().map(|encoded| encoded.digest).chain([file.digest])
        })
    }
}

/// One file: what [`crate::prepare()`] found, with its bytes replaced by their names.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct SiteFile {
    pub digest: Digest,
    /// In bytes.
    pub size: u64,
    /// The whole `Content-Type`, with charset.
    pub mime: Cow<'static, str>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub encodings: Vec<Encoded>,
    /// The name changes with the content, so that the content under the name never does.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub immutable: bool,
}

/// A file as it is under one content coding.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Encoded {
    pub encoding: Encoding,
    pub digest: Digest,
    /// In bytes, as sent.
    pub size: u64,
}

/// The content codings made at deploy (RFC 7932, RFC 8878, RFC 1952).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Encoding {
    Br,
    Zstd,
    Gzip,
}

impl Encoding {
    /// As `Content-Encoding` and `Accept-Encoding` spell it.
    pub const fn token(self) -> &'static str {
        match self {
            Self::Br => "br",
            Self::Zstd => "zstd",
            Self::Gzip => "gzip",
        }
    }
}

/// Whether a file of this path is ever served: nothing whose name begins with a dot (`.git`, `.env`), but
/// for the folder `.well-known` at the root (RFC 8615). A deployer need not store what is not served.
pub fn is_served(path: &str) -> bool {
    let path = path.strip_prefix(".well-known/").unwrap_or(path);
    !path.split('/').any(|segment| segment.starts_with('.'))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hidden_files_are_not_served_but_well_known_ones_are() {
        for path in ["index.html", "a/b.c", ".well-known/security.txt", "a..b/c."] {
            assert!(is_served(path), "{path}");
        }
        for path in [
            ".env",
            ".git/config",
            "a/.git/config",
            "a/.htaccess",
            "../etc/passwd",
            "a/./b",
            ".well-known/.env",
            ".well-known/.well-known/x",
            "a/.well-known/x",
            ".well-known",
        ] {
            assert!(!is_served(path), "{path}");
        }
    }

    #[test]
    fn a_manifest_reads_back_what_was_written() {
        let digest = Digest::of(b"x");
        let mut table = SiteTable::default();
        let encodings = vec![Encoded { encoding: Encoding::Zstd, digest, size: 3 }];
        let mime = Cow::Borrowed("text/html; charset=utf-8");
        table.insert("a.html", SiteFile { digest, size: 9, mime, encodings, immutable: false });
        let text = serde_json::to_string(&table).unwrap();
        assert!(text.starts_with(r#"{"a.html":{"digest":""#), "{text}");
        assert!(text.contains(r#""encoding":"zstd""#), "{text}");
        assert_eq!(serde_json::from_str::<SiteTable>(&text).unwrap(), table);
        assert_eq!(table.digests().count(), 2);
    }
}
