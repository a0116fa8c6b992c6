//! The authority's file: certificate and key in one PEM of mode 0600, so that they can only appear
//! together.
//!
//! Beside it lies the certificate alone, `root.pem`, for everyone to read; it is written again if
//! it is lost.

use std::{
    fs::{self, File},
    io::{self, Write},
    os::unix::fs::PermissionsExt,
    path::{Path, PathBuf},
};

use headgate_types::Timestamp;
use rcgen::{Issuer, KeyPair};
use rustls::crypto::CryptoProvider;
use rustls_pki_types::{CertificateDer, pem::PemObject};

use super::{authority_params, certified};

const AUTHORITY: &str = "authority.pem";
const ROOT: &str = "root.pem";
const PRIVATE: u32 = 0o600;
const PUBLIC: u32 = 0o644;

/// Largest file read; ours has about 1 KiB.
const MAX_BYTES: u64 = 64 * 1024;

/// Why there is no local authority.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    #[error("cannot read or write the local authority at {path}")]
    Io { path: PathBuf, source: io::Error },
    #[error("cannot make a local authority")]
    Make(#[source] rcgen::Error),
    #[error("{path} is not a local authority; move it away and a new one is made")]
    NotAnAuthority { path: PathBuf, source: Option<rcgen::Error> },
    #[error(
        "the key in {path} does not belong to its certificate; move it away and a new one is made"
    )]
    WrongKey { path: PathBuf, source: rustls::Error },
}

pub(super) struct Kept {
    pub(super) name: String,
    pub(super) root_pem: String,
    pub(super) root_path: PathBuf,
    pub(super) issuer: Issuer<'static, KeyPair>,
}

/// Loads the authority in `dir`, or makes it.
pub(super) fn open(
    dir: &Path,
    now: Timestamp,
    provider: &CryptoProvider,
) -> Result<Kept, OpenError> {
    let path = dir.join(AUTHORITY);
    let failed = |source| OpenError::Io { path: path.clone(), source };
    fs::create_dir_all(dir).map_err(failed)?;
    let text = match read(&path) {
        Ok(text) => text,
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            write_once(&path, &make(now)?).map_err(failed)?;
            read(&path).map_err(failed)? // what another process made first counts
        }
        Err(error) => return Err(failed(error)),
    };
    let kept = parse(&text, &path, dir.join(ROOT), provider)?;
    publish(&kept).map_err(|source| OpenError::Io { path: kept.root_path.clone(), source })?;
    Ok(kept)
}

fn make(now: Timestamp) -> Result<String, OpenError> {
    let key = KeyPair::generate_for(&rcgen::PKCS_ECDSA_P256_SHA256).map_err(OpenError::Make)?;
    let name = format!("Headgate local authority ({})", host_name());
    let certificate = authority_params(&name, now).self_signed(&key).map_err(OpenError::Make)?;
    Ok(format!("{}\n{}{}", name, certificate.pem(), key.serialize_pem()))
}

/// The first line, which PEM readers skip, is the name. Then come the certificate and the key.
fn parse(
    text: &str,
    path: &Path,
    root_path: PathBuf,
    provider: &CryptoProvider,
) -> Result<Kept, OpenError> {
    let not = |source| OpenError::NotAnAuthority { path: path.to_owned(), source };
    let name =
        text.lines().next().filter(|line| !line.starts_with('-')).ok_or_else(|| not(None))?;
    let begin = text.find("-----BEGIN CERTIFICATE-----").ok_or_else(|| not(None))?;
    let key_begin = text.find("-----BEGIN PRIVATE KEY-----").ok_or_else(|| not(None))?;
    let root_pem = text.get(begin..key_begin).ok_or_else(|| not(None))?;
    let root = CertificateDer::from_pem_slice(root_pem.as_bytes()).map_err(|_| not(None))?;
    let key = KeyPair::from_pem(&text[key_begin..]).map_err(|error| not(Some(error)))?;
    certified(vec![root.clone()], &key, provider)
        .map_err(|source| OpenError::WrongKey { path: path.to_owned(), source })?;
    let issuer = Issuer::from_ca_cert_der(&root, key).map_err(|error| not(Some(error)))?;
    Ok(Kept { name: name.to_owned(), root_pem: root_pem.to_owned(), root_path, issuer })
}

fn read(path: &Path) -> io::Result<String> {
    use io::Read;
    let mut text = String::new();
    File::open(path)?.take(MAX_BYTES).read_to_string(&mut text)?;
    Ok(text)
}

/// Appears whole or not at all, and never replaces what is there.
fn write_once(path: &Path, text: &str) -> io::Result<()> {
    match temporary(path, text, PRIVATE)?.persist_noclobber(path) {
        Ok(_) => sync_folder(path),
        Err(error) if error.error.kind() == io::ErrorKind::AlreadyExists => Ok(()),
        Err(error) => Err(error.error),
    }
}

/// Writes the public certificate unless it is there already.
fn publish(kept: &Kept) -> io::Result<()> {
    if read(&kept.root_path).is_ok_and(|text| text == kept.root_pem) {
        return Ok(());
    }
    temporary(&kept.root_path, &kept.root_pem, PUBLIC)?.persist(&kept.root_path)?;
    sync_folder(&kept.root_path)
}

fn temporary(path: &Path, text: &str, mode: u32) -> io::Result<tempfile::NamedTempFile> {
    let dir = path.parent().unwrap_or_else(|| Path::new("."));
    let mut file =
        tempfile::Builder::new().permissions(fs::Permissions::from_mode(mode)).tempfile_in(dir)?;
    file.write_all(text.as_bytes())?;
    file.as_file().sync_all()?;
    Ok(file)
}

fn sync_folder(path: &Path) -> io::Result<()> {
    File::open(path.parent().unwrap_or_else(|| Path::new(".")))?.sync_all()
}

/// Tells apart the authorities of several machines in one browser; no more than a label.
fn host_name() -> String {
    let name = fs::read_to_string("/proc/sys/kernel/hostname").unwrap_or_default();
    let name: String = name.trim().chars().filter(|c| !c.is_control()).take(64).collect();
    if name.is_empty() { "this machine".to_owned() } else { name }
}
