//! The file of ticket keys: a first line that says what it is, then each key at its place.
//!
//! ```text
//! headgate ticket keys 1\n │ made at (8, ms) │ name (16) │ secret (32) │ …
//! ```

use std::{
    fs::{File, Permissions},
    io::{self, Read, Write},
    os::unix::fs::PermissionsExt,
    path::Path,
};

use headgate_types::Timestamp;

use super::{NAME_LEN, SECRET_LEN, TicketKey};

const HEAD: &[u8] = b"headgate ticket keys 1\n";
const KEY: usize = 8 + NAME_LEN + SECRET_LEN;
/// Two are in use, three for a moment; a longer file is none of ours.
const MOST_KEYS: usize = 8;
const PRIVATE: u32 = 0o600;

/// None if there is no file. A file that others may read is none of ours either: its keys are known.
pub(super) fn read(path: &Path) -> io::Result<Vec<TicketKey>> {
    let file = match File::open(path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
        file => file?,
    };
    if file.metadata()?.permissions().mode() & 0o077 != 0 {
        return Err(io::Error::other("others may read it, so its keys are no secret any more"));
    }
    let longest = HEAD.len() + MOST_KEYS * KEY;
    let mut bytes = Vec::with_capacity(longest + 1);
    file.take(longest as u64 + 1).read_to_end(&mut bytes)?;
    let keys = bytes.strip_prefix(HEAD).filter(|keys| keys.len() % KEY == 0);
    let keys = keys.filter(|keys| keys.len() <= MOST_KEYS * KEY);
    let keys = keys.ok_or_else(|| io::Error::other("it is not a file of ticket keys"))?;
    Ok(keys.chunks_exact(KEY).filter_map(parse).collect())
}

fn parse(bytes: &[u8]) -> Option<TicketKey> {
    let (made_at, rest) = bytes.split_first_chunk::<8>()?;
    let (name, secret) = rest.split_first_chunk::<NAME_LEN>()?;
    let made_at = Timestamp::from_millis(u64::from_be_bytes(*made_at));
    Some(TicketKey::new(*name, made_at, secret.try_into().ok()?))
}

/// Replaces the file whole, so that what was forgotten is gone from it.
pub(super) fn write(path: &Path, keys: &[TicketKey]) -> io::Result<()> {
    let folder = path.parent().unwrap_or_else(|| Path::new("."));
    let mut bytes = HEAD.to_vec();
    for key in keys {
        bytes.extend_from_slice(&key.made_at.as_millis().to_be_bytes());
        bytes.extend_from_slice(&key.name);
        bytes.extend_from_slice(&key.secret);
    }
    let permissions = Permissions::from_mode(PRIVATE);
    let mut file = tempfile::Builder::new().permissions(permissions).tempfile_in(folder)?;
    file.write_all(&bytes)?;
    file.as_file().sync_all()?;
    file.persist(path).map_err(|error| error.error)?;
    File::open(folder)?.sync_all()
}
