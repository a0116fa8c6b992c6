//! The node's ownership key: a file of 32 random bytes that only its owner may read.
//!
//! Nodes that serve the same projects are given the same file. If it is lost, a new one is made, and the
//! owners of hosts have to enter new records.

use std::{
    fs::{File, Permissions},
    io::{self, Read, Write},
    os::unix::fs::PermissionsExt,
    path::{Path, PathBuf},
};

use headgate_ownership::OwnershipKey;
use rand::{TryRngCore, rngs::OsRng};

const FILE: &str = "ownership.key";
const LENGTH: usize = 32;
const PRIVATE: u32 = 0o600;

/// Why there is no key.
#[derive(Debug, thiserror::Error)]
pub enum KeyError {
    #[error("cannot read or write the ownership key at {}", path.display())]
    Io { path: PathBuf, source: io::Error },
    #[error("{} does not have {LENGTH} bytes; put back what it was, or remove it and a new one is made", .0.display())]
    NotAKey(PathBuf),
}

/// Reads the key in `state`, or makes it.
pub(super) fn open(state: &Path) -> Result<OwnershipKey, KeyError> {
    let path = state.join(FILE);
    let failed = |source| KeyError::Io { path: path.clone(), source };
    let found = match read(&path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            make(state, &path).and_then(|()| read(&path)).map_err(failed)?
        }
        found => found.map_err(failed)?,
    };
    let secret = found.try_into().map_err(|_| KeyError::NotAKey(path.clone()))?;
    Ok(OwnershipKey::new(&secret))
}

/// One byte more than a key has, so that a longer file is seen to be none.
fn read(path: &Path) -> io::Result<Vec<u8>> {
    let mut bytes = Vec::with_capacity(LENGTH + 1);
    File::open(path)?.take(LENGTH as u64 + 1).read_to_end(&mut bytes)?;
    Ok(bytes)
}

/// Appears whole or not at all, and never replaces what is there.
fn make(state: &Path, path: &Path) -> io::Result<()> {
    let mut secret = [0; LENGTH];
    OsRng.try_fill_bytes(&mut secret).map_err(io::Error::other)?;
    let permissions = Permissions::from_mode(PRIVATE);
    let mut file = tempfile::Builder::new().permissions(permissions).tempfile_in(state)?;
    file.write_all(&secret)?;
    file.as_file().sync_all()?;
    match file.persist_noclobber(path) {
        Err(error) if error.error.kind() != io::ErrorKind::AlreadyExists => return Err(error.error),
        _ => {}
    }
    File::open(state)?.sync_all()
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    #[test]
    fn the_key_is_its_owners_alone_and_never_replaced() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join(FILE);
        open(folder.path()).unwrap();
        let mode = fs::metadata(&path).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o600);
        let first = fs::read(&path).unwrap();
        open(folder.path()).unwrap();
        assert_eq!(fs::read(&path).unwrap(), first);
        for wrong in [&first[1..], &[&first[..], b"\n"].concat()] {
            fs::write(&path, wrong).unwrap();
            let refused = open(folder.path()).unwrap_err();
            assert!(matches!(refused, KeyError::NotAKey(_)), "{refused}");
        }
    }
}
