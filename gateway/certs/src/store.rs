//! `CertificateStore`: the folder that certificates, orders under way and what was counted are kept in.
//!
//! ```text
//! <folder>/held/<name>-<hash>.pem       key and chain of a certificate, in one file
//!          orders/<name>-<hash>.json    key and request of a certificate that is being ordered, and the order's URL
//!          account-<hash>.json          the account with one authority, its key included
//!          ledger.json                  what was ordered when, what failed, and when to try again
//! ```
//!
//! Each file is replaced whole: written beside it, flushed, renamed. All are for their owner alone,
//! as most have a key in them. There is no index that could be wrong: the files are the index, read
//! at start, which takes some 30 µs each.

use std::{
    fs::{self, File},
    io::{self, Read, Write},
    os::unix::fs::{DirBuilderExt, PermissionsExt},
    path::{Path, PathBuf},
    sync::Arc,
};

use base64::{Engine, prelude::BASE64_STANDARD};
use headgate_types::{Chain, Timestamp};
use rustls::pki_types::PrivateKeyDer;
use serde::{Deserialize, Serialize, de::DeserializeOwned};
use tracing::warn;
use zeroize::Zeroizing;

use crate::{
    acme::wanted::{CertificateId, Wanted},
    held::{HeldCertificate, InvalidCertificate, KeyBytes, Origin, read_pem},
};

const PRIVATE: u32 = 0o600;
const PRIVATE_FOLDER: u32 = 0o700;

/// Largest file read. A ledger of a hundred thousand certificates stays below; others have some
/// kilobytes.
const MAX_BYTES: u64 = 64 * 1024 * 1024;

/// How the first line of a certificate's file begins; readers of PEM skip it.
const PREFACE: &str = "headgate: ";

/// A folder of certificates. Cheap to clone.
#[derive(Debug, Clone)]
pub struct CertificateStore {
    folder: Arc<Path>,
}

/// An order under way: everything that is needed to go on with it.
#[derive(Serialize, Deserialize)]
pub(crate) struct Draft {
    /// The authority it is ordered from.
    pub(crate) directory: String,
    pub(crate) begun: Timestamp,
    pub(crate) names: Vec<String>,
    /// The order's URL, once there is one.
    pub(crate) url: Option<String>,
    key: Zeroizing<String>,
    request: String,
}

/// The folder cannot be used.
#[derive(Debug, thiserror::Error)]
#[error("cannot read or write {path}")]
pub struct StoreError {
    pub path: PathBuf,
    pub source: io::Error,
}

#[derive(Serialize, Deserialize)]
struct Preface {
    /// None for what was imported.
    directory: Option<String>,
}

impl CertificateStore {
    /// Makes the folder, or makes use of it.
    pub fn open(folder: &Path) -> Result<Self, StoreError> {
        let store = Self { folder: folder.into() };
        for sub in [store.held(), store.orders()] {
            let make = || fs::DirBuilder::new().recursive(true).mode(PRIVATE_FOLDER).create(&sub);
            make().map_err(|source| StoreError { path: sub.clone(), source })?;
        }
        Ok(store)
    }

    /// Every certificate there is. A file that cannot be read is told and left alone: its names are
    /// ordered again.
    pub(crate) fn load(&self) -> Result<Vec<(CertificateId, Arc<HeldCertificate>)>, StoreError> {
        let path = self.held();
        let failed = |source| StoreError { path: path.clone(), source };
        let mut held = Vec::new();
        for entry in fs::read_dir(&path).map_err(failed)? {
            let file = entry.map_err(failed)?.path();
            if file.extension().is_none_or(|extension| extension != "pem") {
                continue;
            }
            match read_certificate(&file) {
                Ok(certificate) => {
                    let id = CertificateId::of(certificate.names());
                    held.push((id, Arc::new(certificate)));
                }
                Err(error) => {
                    let error = Chain(&*error).to_string();
                    warn!(path = %file.display(), error, "a certificate cannot be read");
                }
            }
        }
        Ok(held)
    }

    /// Puts a certificate in place of the one with the same names and origin.
    pub(crate) fn put(&self, certificate: &HeldCertificate) -> Result<(), StoreError> {
        let directory = match certificate.origin() {
            Origin::Acme(directory) => Some(directory.to_string()),
            Origin::Imported => None,
        };
        let preface = serde_json::to_string(&Preface { directory }).expect("strings are JSON");
        let mut text = Zeroizing::new(format!("{PREFACE}{preface}\n"));
        let label = match PrivateKeyDer::try_from(certificate.key()) {
            Ok(PrivateKeyDer::Pkcs1(_)) => "RSA PRIVATE KEY",
            Ok(PrivateKeyDer::Sec1(_)) => "EC PRIVATE KEY",
            _ => "PRIVATE KEY",
        };
        write_pem(&mut text, label, certificate.key());
        for one in certificate.chain() {
            write_pem(&mut text, "CERTIFICATE", one);
        }
        write(&self.held_path(certificate), text.as_bytes())
    }

    pub(crate) fn remove(&self, certificate: &HeldCertificate) -> Result<(), StoreError> {
        remove(&self.held_path(certificate))
    }

    /// The order under way for these names, if there is one and it can be read.
    pub(crate) fn draft(&self, wanted: &Wanted) -> Option<Draft> {
        self.read_json(&self.draft_path(wanted))
    }

    pub(crate) fn put_draft(&self, wanted: &Wanted, draft: &Draft) -> Result<(), StoreError> {
        let text = Zeroizing::new(serde_json::to_vec(draft).expect("strings are JSON"));
        write(&self.draft_path(wanted), &text)
    }

    pub(crate) fn remove_draft(&self, wanted: &Wanted) -> Result<(), StoreError> {
        remove(&self.draft_path(wanted))
    }

    /// Forgets orders that were begun before; the authority has forgotten them as well.
    pub(crate) fn sweep_drafts(&self, begun_before: Timestamp) {
        for entry in fs::read_dir(self.orders()).into_iter().flatten().flatten() {
            let draft: Option<Draft> = self.read_json(&entry.path());
            if draft.is_none_or(|draft| draft.begun < begun_before) {
                let _ = fs::remove_file(entry.path()); // it is looked for again at the next start
            }
        }
    }

    /// A value kept under `name`; `None` if it is not there. One that cannot be read is told.
    pub(crate) fn value<T: DeserializeOwned>(&self, name: &str) -> Option<T> {
        self.read_json(&self.folder.join(name))
    }

    pub(crate) fn put_value<T: Serialize>(&self, name: &str, value: &T) -> Result<(), StoreError> {
        let text = Zeroizing::new(serde_json::to_vec(value).expect("our values are JSON"));
        write(&self.folder.join(name), &text)
    }

    fn held(&self) -> PathBuf {
        self.folder.join("held")
    }

    fn orders(&self) -> PathBuf {
        self.folder.join("orders")
    }

    fn held_path(&self, certificate: &HeldCertificate) -> PathBuf {
        let names = certificate.names();
        let stem = CertificateId::of(names).file_stem(&names[0]);
        let imported = if *certificate.origin() == Origin::Imported { "-imported" } else { "" };
        self.held().join(format!("{stem}{imported}.pem"))
    }

    fn draft_path(&self, wanted: &Wanted) -> PathBuf {
        let first = wanted.names.first().expect("a certificate is wanted for a name");
        self.orders().join(format!("{}.json", wanted.id().file_stem(first)))
    }

    fn read_json<T: DeserializeOwned>(&self, path: &Path) -> Option<T> {
        let bytes = match read(path) {
            Ok(bytes) => bytes,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return None,
            Err(error) => {
                warn!(path = %path.display(), %error, "a file of the certificate folder cannot be read");
                return None;
            }
        };
        match serde_json::from_slice(&bytes) {
            Ok(value) => Some(value),
            // Not the error's text: it may quote what is in the file.
            Err(_) => {
                warn!(path = %path.display(), "a file of the certificate folder is not what it was");
                None
            }
        }
    }
}

impl Draft {
    pub(crate) fn new(
        directory: &str,
        wanted: &Wanted,
        key: &[u8],
        request: &[u8],
        now: Timestamp,
    ) -> Self {
        Self {
            directory: directory.to_owned(),
            begun: now,
            names: wanted.names.iter().map(ToString::to_string).collect(),
            url: None,
            key: Zeroizing::new(BASE64_STANDARD.encode(key)),
            request: BASE64_STANDARD.encode(request),
        }
    }

    /// The key as PKCS #8; `None` if the file was damaged.
    pub(crate) fn key(&self) -> Option<KeyBytes> {
        let key = BASE64_STANDARD.decode(self.key.as_bytes()).ok()?;
        Some(Zeroizing::new(key.into_boxed_slice()))
    }

    /// The certificate signing request as DER.
    pub(crate) fn request(&self) -> Option<Vec<u8>> {
        BASE64_STANDARD.decode(&self.request).ok()
    }
}

fn read_certificate(path: &Path) -> Result<HeldCertificate, Box<dyn std::error::Error>> {
    let bytes = read(path)?;
    let line = bytes.split(|byte| *byte == b'\n').next().unwrap_or_default();
    let preface = line.strip_prefix(PREFACE.as_bytes()).ok_or(InvalidCertificate::NoCertificate)?;
    let preface: Preface = serde_json::from_slice(preface)?;
    let origin = preface.directory.map_or(Origin::Imported, |url| Origin::Acme(url.into()));
    let (chain, key) = read_pem(&bytes)?;
    Ok(HeldCertificate::unchecked(origin, chain, key)?)
}

fn write_pem(text: &mut String, label: &str, der: &[u8]) {
    let encoded = Zeroizing::new(BASE64_STANDARD.encode(der));
    text.push_str(&format!("-----BEGIN {label}-----\n"));
    let mut rest = encoded.as_str();
    while !rest.is_empty() {
        let (line, after) = rest.split_at(rest.len().min(64));
        text.push_str(line);
        text.push('\n');
        rest = after;
    }
    text.push_str(&format!("-----END {label}-----\n"));
}

fn read(path: &Path) -> io::Result<Zeroizing<Vec<u8>>> {
    let mut bytes = Zeroizing::new(Vec::new());
    File::open(path)?.take(MAX_BYTES).read_to_end(&mut bytes)?;
    Ok(bytes)
}

/// Replaces a file whole.
fn write(path: &Path, bytes: &[u8]) -> Result<(), StoreError> {
    let folder = path.parent().unwrap_or_else(|| Path::new("."));
    let write = || {
        let permissions = fs::Permissions::from_mode(PRIVATE);
        let mut file = tempfile::Builder::new().permissions(permissions).tempfile_in(folder)?;
        file.write_all(bytes)?;
        file.as_file().sync_all()?;
        file.persist(path)?;
        File::open(folder)?.sync_all()
    };
    write().map_err(|source: io::Error| StoreError { path: path.to_owned(), source })
}

fn remove(path: &Path) -> Result<(), StoreError> {
    match fs::remove_file(path) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => {
            Err(StoreError { path: path.to_owned(), source: error })
        }
        _ => Ok(()),
    }
}

impl std::fmt::Debug for Draft {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Draft")
            .field("names", &self.names)
            .field("url", &self.url)
            .finish_non_exhaustive()
    }
}
