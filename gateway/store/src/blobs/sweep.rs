//! Removing blobs that nothing refers to.

use std::{
    collections::HashSet,
    fs::{self, Metadata},
    os::unix::fs::MetadataExt,
    sync::PoisonError,
};

use headgate_types::{Digest, Timestamp};

use super::{
    BlobStore,
    error::{StoreError, failed},
    layout::each_file,
};

/// What a sweep removed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Swept {
    pub blobs: u64,
    pub bytes: u64,
}

impl BlobStore {
    /// Removes every blob that is neither in `keep` nor was put or touched at `older_than` or later,
    /// and damaged blobs set aside before that.
    ///
    /// `keep` is what was reachable when it was collected; a deploy that has begun since refers to
    /// blobs nobody has named yet. Those are protected by their age: let `older_than` lie as far back
    /// as the longest deploy may take. Whatever the caller's clock says, nothing is removed that was
    /// written since the sweep began.
    ///
    /// # Errors
    /// What the file system says; blobs removed until then stay removed, and the next sweep goes on.
    pub fn sweep(
        &self,
        keep: &HashSet<Digest>,
        older_than: Timestamp,
    ) -> Result<Swept, StoreError> {
        let cutoff = older_than.min(self.began()?);
        let mut swept = Swept::default();
        self.layout.each_blob(|digest, _, metadata| {
            if !keep.contains(&digest) && modified(metadata) < cutoff {
                let bytes = self.remove_if_older(&digest, cutoff)?;
                swept.blobs += u64::from(bytes.is_some());
                swept.bytes += bytes.unwrap_or(0);
            }
            Ok(())
        })?;
        each_file(&self.layout.quarantine(), |_, path, metadata| {
            if modified(metadata) >= cutoff {
                return Ok(());
            }
            fs::remove_file(path).map_err(failed("remove a damaged blob"))
        })?;
        Ok(swept)
    }

    /// Looks again while no `put` can be relying on the blob, then removes it.
    fn remove_if_older(
        &self,
        digest: &Digest,
        cutoff: Timestamp,
    ) -> Result<Option<u64>, StoreError> {
        let _absent = self.presence.write().unwrap_or_else(PoisonError::into_inner);
        match self.layout.path(digest).metadata() {
            Ok(metadata) if modified(&metadata) < cutoff => {
                self.take_away_locked(digest, |path| fs::remove_file(path))?;
                Ok(Some(metadata.len()))
            }
            _ => Ok(None),
        }
    }

    /// The present, by the clock that stamps the blobs.
    fn began(&self) -> Result<Timestamp, StoreError> {
        let metadata = self.layout.incoming_file()?.as_file().metadata();
        Ok(modified(&metadata.map_err(failed("look up a file"))?))
    }
}

fn modified(metadata: &Metadata) -> Timestamp {
    let millis = metadata.mtime() * 1000 + metadata.mtime_nsec() / 1_000_000;
    Timestamp::from_millis(u64::try_from(millis).unwrap_or(0))
}
