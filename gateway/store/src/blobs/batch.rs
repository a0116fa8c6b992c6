//! `Batch`: many blobs, few syncs.

use std::{
    collections::{HashMap, HashSet},
    io::Write,
    sync::{Mutex, MutexGuard, PoisonError},
};

use headgate_types::Digest;
use tempfile::TempPath;

use super::{
    BlobStore,
    error::{StoreError, failed},
};

/// Blobs that become durable together.
///
/// A site of 10,000 files would need 20,000 syncs, each waiting for the disk: minutes. So [`put`] only
/// writes the file; [`commit`] syncs the contents of all of them, renames them into place, and syncs the
/// folders. No blob is visible before its content is durable, and all are durable when `commit` returns;
/// only then may a manifest name them. A batch dropped without commit leaves nothing.
///
/// [`put`]: Self::put
/// [`commit`]: Self::commit
#[derive(Debug)]
pub struct Batch<'a> {
    store: &'a BlobStore,
    staged: Mutex<HashMap<Digest, Staged>>,
}

#[derive(Debug)]
enum Staged {
    /// In place before; its folder may still have to be synced.
    Present,
    Written {
        file: TempPath,
        length: u64,
    },
}

impl<'a> Batch<'a> {
    pub(super) fn new(store: &'a BlobStore) -> Self {
        Self { store, staged: Mutex::default() }
    }

    /// Writes a blob that will be visible after [`commit`](Self::commit). Threads may share the batch.
    ///
    /// # Errors
    /// [`StoreError::Full`] if the disk is; drop the batch then, and nothing is left behind.
    pub fn put(&self, bytes: &[u8]) -> Result<Digest, StoreError> {
        let digest = Digest::of(bytes);
        if self.staged().contains_key(&digest) {
            return Ok(digest);
        }
        let length = bytes.len() as u64;
        let staged = if self.store.is_whole(&digest, length) {
            Staged::Present
        } else {
            let mut file = self.store.layout.incoming_file()?;
            file.write_all(bytes).map_err(failed("write a blob"))?;
            Staged::Written { file: file.into_temp_path(), length }
        };
        self.staged().insert(digest, staged);
        Ok(digest)
    }

    /// Makes everything put so far durable, then visible.
    ///
    /// # Errors
    /// As [`put`](Self::put). Blobs already in place stay; nobody refers to them.
    pub fn commit(self) -> Result<(), StoreError> {
        let staged = self.staged.into_inner().unwrap_or_else(PoisonError::into_inner);
        let (layout, settling) = (&self.store.layout, &self.store.settling);
        let written = staged.values().filter_map(|staged| match staged {
            Staged::Written { file, .. } => Some(file.to_path_buf()),
            Staged::Present => None,
        });
        layout.sync(written.collect::<Vec<_>>())?;
        let mut unsettled = Vec::new();
        for (digest, staged) in staged {
            match staged {
                Staged::Present if !settling.is_suspect(&digest) => continue,
                Staged::Present => settling.begin(&digest),
                Staged::Written { file, length } => {
                    settling.begin(&digest);
                    self.store.install(&digest, length, file)?;
                }
            }
            unsettled.push(digest);
        }
        let shards: HashSet<_> = unsettled.iter().map(|digest| layout.shard(digest)).collect();
        layout.sync(shards)?;
        unsettled.iter().for_each(|digest| settling.end(digest));
        Ok(())
    }

    fn staged(&self) -> MutexGuard<'_, HashMap<Digest, Staged>> {
        self.staged.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
