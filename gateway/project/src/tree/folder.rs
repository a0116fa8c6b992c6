//! `FolderTree`: a working folder as it is now, uncommitted files included.
//!
//! Others write while we read, so nothing is trusted twice: folders and files are opened relative to
//! the root's descriptor, step by step and without following links, and a file whose metadata is no
//! longer what was listed is reported as changed instead of being read as something else.

mod listing;

use std::{
    fs::File,
    io::{self, Read},
    path::{Path, PathBuf},
};

use bytes::Bytes;
use headgate_types::{Commit, Digest, Timestamp};
use rustix::{
    fd::{AsFd, OwnedFd},
    fs::{Mode, OFlags, fstat, open, openat},
    io::Errno,
};

use self::listing::{FOLDER, Identity, Listing};
use super::{Entry, EntryKind, ReadError, Tree, TreeLimits, Unlisted, plain_file};

/// A folder's files as listed at one moment.
#[derive(Debug)]
pub struct FolderTree {
    root: OwnedFd,
    listed_at: Timestamp,
    entries: Vec<Entry>,
    unlisted: Vec<Unlisted>,
}

impl FolderTree {
    /// Lists a folder. `now` is the present: what was written within the last few milliseconds may be
    /// written again without a new time stamp, so such files get a fingerprint that is good only once.
    ///
    /// # Errors
    /// If the folder cannot be read, or is over a limit; the error names the path that was.
    pub fn open(dir: &Path, limits: &TreeLimits, now: Timestamp) -> Result<Self, OpenFolderError> {
        let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC;
        let root = open(dir, flags, Mode::empty())
            .map_err(|error| OpenFolderError::Root { dir: dir.to_owned(), source: error.into() })?;
        let mut listing = Listing::new(limits, now);
        listing.list(root.as_fd(), "", 0)?;
        let Listing { mut entries, unlisted, .. } = listing;
        entries.sort_unstable_by(|a, b| a.path.cmp(&b.path));
        Ok(Self { root, listed_at: now, entries, unlisted })
    }

    /// Names this state: `worktree-` and a digest over every path, kind and fingerprint. Listing an
    /// untouched folder again gives the same id; a copy of the folder has another.
    pub fn commit(&self) -> Commit {
        let mut identity = Vec::with_capacity(self.entries.len() * 64);
        for Entry { path, kind, fingerprint, .. } in &self.entries {
            identity.extend_from_slice(path.as_bytes());
            identity.extend_from_slice(&[0, *kind as u8]);
            identity.extend_from_slice(fingerprint.as_bytes());
        }
        Commit::new(&format!("worktree-{}", Digest::of(&identity)))
    }

    /// Opens a listed file without following a link at any step.
    fn open_file(&self, path: &str) -> Result<OwnedFd, Errno> {
        // A pipe put in the file's place must not block us until someone writes to it.
        let file_flags =
            OFlags::RDONLY | OFlags::NOFOLLOW | OFlags::NONBLOCK | OFlags::NOCTTY | OFlags::CLOEXEC;
        let Some((folders, name)) = path.rsplit_once('/') else {
            return openat(&self.root, path, file_flags, Mode::empty());
        };
        let mut folder: Option<OwnedFd> = None;
        for step in folders.split('/') {
            let parent = folder.as_ref().unwrap_or(&self.root);
            folder = Some(openat(parent, step, FOLDER, Mode::empty())?);
        }
        let parent = folder.as_ref().unwrap_or(&self.root);
        openat(parent, name, file_flags, Mode::empty())
    }
}

impl Tree for FolderTree {
    fn entries(&self) -> &[Entry] {
        &self.entries
    }

    fn read(&self, path: &str, limit: u64) -> Result<Bytes, ReadError> {
        let entry = plain_file(self, path, limit)?;
        let changed = || ReadError::Changed { path: path.to_owned() };
        let failed =
            |error: io::Error| ReadError::Failed { path: path.to_owned(), source: error.into() };
        let mut file = match self.open_file(path) {
            Ok(file) => File::from(file),
            // Gone, or something else stands where the file or a folder above it stood.
            Err(Errno::NOENT | Errno::LOOP | Errno::NOTDIR | Errno::NXIO) => return Err(changed()),
            Err(error) => return Err(failed(error.into())),
        };
        let identity = |file: &File| fstat(file).map(|stat| Identity::of(&stat));
        let before = identity(&file).map_err(|error| failed(error.into()))?;
        if before.kind != EntryKind::File || before.fingerprint(self.listed_at) != entry.fingerprint
        {
            return Err(changed());
        }
        let size = usize::try_from(entry.size).map_err(|_| changed())?;
        let mut content = Vec::with_capacity(size + 1); // one more, to see the end without growing
        Read::by_ref(&mut file).take(entry.size + 1).read_to_end(&mut content).map_err(failed)?;
        let after = identity(&file).map_err(|error| failed(error.into()))?;
        if content.len() != size || before != after {
            return Err(changed());
        }
        Ok(content.into())
    }

    fn unlisted(&self) -> &[Unlisted] {
        &self.unlisted
    }
}

/// Why a folder could not be listed.
#[derive(Debug, thiserror::Error)]
pub enum OpenFolderError {
    #[error("failed to open the folder `{}`", dir.display())]
    Root { dir: PathBuf, source: io::Error },
    #[error("failed to list `{path}`")]
    List { path: String, source: io::Error },
    #[error(
        "the folder has more than {limit} files or folders, `{path}` being one too many; is it the project's?"
    )]
    TooMany { path: String, limit: usize },
    #[error("`{path}` lies more than {limit} folders deep")]
    TooDeep { path: String, limit: usize },
}

#[cfg(test)]
mod tests;
