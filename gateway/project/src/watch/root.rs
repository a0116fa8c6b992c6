//! `Root`: the folder we were told to watch, and whether it still is the same one.

use std::{
    fs,
    os::unix::fs::MetadataExt,
    path::{Path, PathBuf},
};

pub(super) struct Root {
    /// As we were told; it may be a link.
    dir: PathBuf,
    seen: Option<Identity>,
}

/// Device and inode: a folder keeps them wherever it is moved.
type Identity = (u64, u64);

impl Root {
    pub(super) fn of(dir: &Path) -> Self {
        Self { dir: dir.to_owned(), seen: identity(dir) }
    }

    /// Whether another folder stands there than was seen last, or none.
    pub(super) fn differs(&self) -> bool {
        identity(&self.dir) != self.seen
    }

    /// Where to watch from now on, if there is another folder. A root that is gone moves when there is one again.
    pub(super) fn moved(&mut self) -> Option<PathBuf> {
        if !self.differs() {
            return None;
        }
        self.seen = identity(&self.dir);
        self.dir.canonicalize().ok()
    }
}

fn identity(dir: &Path) -> Option<Identity> {
    fs::metadata(dir).ok().map(|metadata| (metadata.dev(), metadata.ino()))
}
