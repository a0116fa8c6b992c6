//! The file of claims that were verified, so that a node without a network serves them after a restart.

use std::{
    fs::{File, Permissions},
    io::{self, Read, Write},
    os::unix::fs::PermissionsExt,
    path::{Path, PathBuf},
};

use serde::{Deserialize, Serialize};

use super::{ClaimKey, standing::Verified};

const FILE: &str = "ownership.json";
const VERSION: u32 = 1;
const PRIVATE: u32 = 0o600;
/// A claim has about 200 bytes.
const LARGEST: u64 = 64 << 20;

#[derive(Debug, Serialize, Deserialize)]
struct Document {
    version: u32,
    verified: Vec<Entry>,
}

#[derive(Debug, Serialize, Deserialize)]
struct Entry {
    #[serde(flatten)]
    claim: ClaimKey,
    #[serde(flatten)]
    verified: Verified,
}

pub(super) fn path(state: &Path) -> PathBuf {
    state.join(FILE)
}

/// None if there is no file.
pub(super) fn read(path: &Path) -> io::Result<Vec<(ClaimKey, Verified)>> {
    let file = match File::open(path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
        file => file?,
    };
    let mut bytes = Vec::new();
    file.take(LARGEST).read_to_end(&mut bytes)?;
    let document: Document = serde_json::from_slice(&bytes)?;
    if document.version != VERSION {
        let text = format!("it has version {}, this headgate reads {VERSION}", document.version);
        return Err(io::Error::other(text));
    }
    Ok(document.verified.into_iter().map(|entry| (entry.claim, entry.verified)).collect())
}

/// Replaces the file whole. JSON, a claim a line, because people will look at it.
pub(super) fn write(path: &Path, verified: Vec<(ClaimKey, Verified)>) -> io::Result<()> {
    let folder = path.parent().unwrap_or_else(|| Path::new("."));
    let mut verified: Vec<_> =
        verified.into_iter().map(|(claim, verified)| Entry { claim, verified }).collect();
    verified.sort_by(|a, b| a.claim.cmp(&b.claim));
    let text = serde_json::to_string_pretty(&Document { version: VERSION, verified })?;
    let permissions = Permissions::from_mode(PRIVATE);
    let mut file = tempfile::Builder::new().permissions(permissions).tempfile_in(folder)?;
    file.write_all(text.as_bytes())?;
    file.as_file().sync_all()?;
    file.persist(path).map_err(|error| error.error)?;
    File::open(folder)?.sync_all()
}
