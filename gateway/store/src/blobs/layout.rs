//! Where a blob lies on disk, and how folders are made durable.
//!
//! ```text
//! 00/ … ff/      one folder for each first byte, so that none grows long; made at the start
//! incoming/      files still being written
//! quarantine/    blobs that were found damaged
//! lock           held shared by every process that has the store open
//! ```

use std::{
    fs::{self, DirBuilder, File, Metadata, OpenOptions, TryLockError},
    io,
    os::unix::fs::{DirBuilderExt, OpenOptionsExt},
    path::{Path, PathBuf},
};

use headgate_types::Digest;
use rustix::fs::{AtFlags, CWD, Timespec, Timestamps, UTIME_NOW, UTIME_OMIT, syncfs, utimensat};
use tempfile::NamedTempFile;

use super::error::{StoreError, failed};

/// From this many files on, one `syncfs` is cheaper than an `fsync` for each: that flushes the whole
/// file system once, others' data included, where every `fsync` waits for the disk by itself.
const SYNC_AT_ONCE: usize = 8;

const SHARDS: u8 = u8::MAX;

#[derive(Debug)]
pub(super) struct Layout {
    root: PathBuf,
    /// Keeps the shared lock, and names the file system to sync.
    lock: File,
}

impl Layout {
    pub(super) fn open(root: &Path) -> Result<Self, StoreError> {
        make_folder(root)?;
        let lock = OpenOptions::new()
            .create(true)
            .truncate(false)
            .read(true)
            .write(true)
            .mode(0o600)
            .open(root.join("lock"))
            .map_err(failed("open the store's lock"))?;
        let layout = Self { root: root.to_owned(), lock };
        let folders = (0..=SHARDS).map(|first| format!("{first:02x}"));
        for folder in folders.chain(["incoming".to_owned(), "quarantine".to_owned()]) {
            make_folder(&root.join(folder))?;
        }
        layout.clear_leftovers()?;
        layout.sync([root.to_owned()])?;
        Ok(layout)
    }

    /// The folder a blob lies in.
    pub(super) fn shard(&self, digest: &Digest) -> PathBuf {
        self.root.join(format!("{:02x}", digest.as_bytes()[0]))
    }

    pub(super) fn path(&self, digest: &Digest) -> PathBuf {
        let name = digest.to_string();
        self.root.join(&name[..2]).join(&name[2..])
    }

    pub(super) fn quarantined(&self, digest: &Digest) -> PathBuf {
        self.quarantine().join(digest.to_string())
    }

    pub(super) fn quarantine(&self) -> PathBuf {
        self.root.join("quarantine")
    }

    /// A new file only its owner may read, removed again unless it is renamed.
    pub(super) fn incoming_file(&self) -> Result<NamedTempFile, StoreError> {
        NamedTempFile::new_in(self.root.join("incoming")).map_err(failed("create a blob's file"))
    }

    /// Marks a blob as written now. False if there is none.
    pub(super) fn touch(&self, digest: &Digest) -> bool {
        let now = Timestamps {
            last_access: Timespec { tv_sec: 0, tv_nsec: UTIME_OMIT },
            last_modification: Timespec { tv_sec: 0, tv_nsec: UTIME_NOW },
        };
        utimensat(CWD, self.path(digest), &now, AtFlags::SYMLINK_NOFOLLOW).is_ok()
    }

    /// Makes files or folders durable: what they hold, or which names they hold.
    pub(super) fn sync(
        &self,
        paths: impl IntoIterator<Item = PathBuf, IntoIter: ExactSizeIterator>,
    ) -> Result<(), StoreError> {
        let paths = paths.into_iter();
        if paths.len() >= SYNC_AT_ONCE {
            return syncfs(&self.lock).map_err(|error| failed("sync the store")(error.into()));
        }
        for path in paths {
            File::open(path).and_then(|file| file.sync_all()).map_err(failed("sync the store"))?;
        }
        Ok(())
    }

    /// Visits every blob. Names that are no digests are not ours and are passed over.
    pub(super) fn each_blob(
        &self,
        mut visit: impl FnMut(Digest, &Path, &Metadata) -> Result<(), StoreError>,
    ) -> Result<(), StoreError> {
        for first in 0..=SHARDS {
            let shard = format!("{first:02x}");
            each_file(&self.root.join(&shard), |name, path, metadata| {
                match format!("{shard}{name}").parse() {
                    Ok(digest) => visit(digest, path, metadata),
                    Err(_) => Ok(()),
                }
            })?;
        }
        Ok(())
    }

    /// Removes what killed processes left. While another process has the store open, its unfinished
    /// files look the same, so nothing is removed then.
    fn clear_leftovers(&self) -> Result<(), StoreError> {
        let lock_failed = failed("lock the store");
        match self.lock.try_lock() {
            Ok(()) => each_file(&self.root.join("incoming"), |_, path, _| {
                fs::remove_file(path).map_err(failed("remove a leftover file"))
            })?,
            Err(TryLockError::WouldBlock) => {}
            Err(TryLockError::Error(error)) => return Err(lock_failed(error)),
        }
        self.lock.lock_shared().map_err(lock_failed)
    }
}

/// Visits the files of one folder; those removed meanwhile are passed over.
pub(super) fn each_file(
    folder: &Path,
    mut visit: impl FnMut(&str, &Path, &Metadata) -> Result<(), StoreError>,
) -> Result<(), StoreError> {
    let list_failed = failed("list the store");
    for entry in fs::read_dir(folder).map_err(&list_failed)? {
        let entry = entry.map_err(&list_failed)?;
        let metadata = match entry.metadata() {
            Ok(metadata) => metadata,
            Err(error) if error.kind() == io::ErrorKind::NotFound => continue,
            Err(error) => return Err(list_failed(error)),
        };
        if let (true, Some(name)) = (metadata.is_file(), entry.file_name().to_str()) {
            visit(name, &entry.path(), &metadata)?;
        }
    }
    Ok(())
}

fn make_folder(path: &Path) -> Result<(), StoreError> {
    let made = DirBuilder::new().recursive(true).mode(0o700).create(path);
    made.map_err(failed("make the store's folders"))
}
