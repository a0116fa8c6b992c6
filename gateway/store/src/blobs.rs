//! `BlobStore`: immutable bytes in a folder, each named by its BLAKE3 digest.
//!
//! A file under a digest's name is whole from the moment it appears: it is written under `incoming/`,
//! synced, renamed into place, and the folder is synced before a `put` returns. What was interrupted
//! stays in `incoming/` and is removed at the next start. Equal bytes are stored once.
//!
//! Not here: who may see a blob, what it belongs to, compression, copies on other nodes.

mod batch;
mod blob;
mod error;
mod layout;
mod settling;
mod sweep;

use std::{
    fs::File,
    io::{self, Read, Write},
    path::Path,
    sync::{
        PoisonError, RwLock, RwLockReadGuard,
        atomic::{AtomicU64, Ordering::Relaxed},
    },
};

use bytes::Bytes;
use headgate_types::{Digest, DigestWriter};
use tempfile::{NamedTempFile, TempPath};
use tracing::warn;

pub use self::{batch::Batch, blob::Blob, error::StoreError, sweep::Swept};
use self::{error::failed, layout::Layout, settling::Settling};

/// Pages read from a stream at a time: large enough that system calls do not matter.
const STREAM_CHUNK: usize = 128 << 10;

/// A folder of blobs. Shared by reference; every method may run on many threads at once.
#[derive(Debug)]
pub struct BlobStore {
    layout: Layout,
    /// Read while a blob is put in its place, written while one is taken away: a sweep cannot remove
    /// what a `put` has just found to be there.
    presence: RwLock<()>,
    settling: Settling,
    blobs: AtomicU64,
    bytes: AtomicU64,
    /// Reads that found no blob, or a damaged one.
    losses: AtomicU64,
}

/// What the store holds, for metrics.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Usage {
    pub blobs: u64,
    /// Sum of the blobs' lengths; the file system needs a little more.
    pub bytes: u64,
}

impl BlobStore {
    /// Opens the store in `dir` and makes the folder if there is none. Leftovers of a process that was
    /// killed are removed, unless another process has the store open and may still be writing them.
    ///
    /// # Errors
    /// If the folder cannot be read and written.
    pub fn open(dir: &Path) -> Result<Self, StoreError> {
        let layout = Layout::open(dir)?;
        let (mut blobs, mut bytes) = (0, 0);
        layout.each_blob(|_, _, metadata| {
            blobs += 1;
            bytes += metadata.len();
            Ok(())
        })?;
        let (blobs, bytes) = (AtomicU64::new(blobs), AtomicU64::new(bytes));
        let losses = AtomicU64::new(0);
        Ok(Self {
            layout,
            presence: RwLock::new(()),
            settling: Settling::new(),
            blobs,
            bytes,
            losses,
        })
    }

    /// Stores bytes and returns their name once they are durable. Costs no write if they are there.
    ///
    /// # Errors
    /// [`StoreError::Full`] if the disk is; nothing is left behind then.
    pub fn put(&self, bytes: &[u8]) -> Result<Digest, StoreError> {
        let digest = Digest::of(bytes);
        self.put_known(digest, bytes)?;
        Ok(digest)
    }

    /// Stores bytes that someone else named.
    ///
    /// # Errors
    /// [`StoreError::Mismatch`] if the name is not theirs, before anything is written; otherwise as
    /// [`put`](Self::put).
    pub fn put_as(&self, digest: Digest, bytes: &[u8]) -> Result<(), StoreError> {
        let found = Digest::of(bytes);
        if found != digest {
            return Err(StoreError::Mismatch { expected: digest, found });
        }
        self.put_known(digest, bytes)
    }

    /// Stores what `reader` yields, of which at most `limit` bytes are accepted and never more than a
    /// chunk is held in memory. Returns the name and the length.
    ///
    /// # Errors
    /// [`StoreError::TooLarge`] for longer streams, [`StoreError::Stream`] if the reader fails;
    /// otherwise as [`put`](Self::put).
    pub fn put_stream(
        &self,
        mut reader: impl Read,
        limit: u64,
    ) -> Result<(Digest, u64), StoreError> {
        let mut writer = DigestWriter::new(self.layout.incoming_file()?);
        let mut chunk = vec![0; STREAM_CHUNK];
        loop {
            let length = match reader.read(&mut chunk) {
                Ok(0) => break,
                Ok(length) => length,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
                Err(source) => return Err(StoreError::Stream { source }),
            };
            if writer.written() + length as u64 > limit {
                return Err(StoreError::TooLarge { limit });
            }
            writer.write_all(&chunk[..length]).map_err(failed("write a blob"))?;
        }
        let length = writer.written();
        let (file, digest) = writer.finish();
        self.install_synced(digest, length, file)?;
        Ok((digest, length))
    }

    /// Starts a group of blobs that are made durable together, at the price of a few syncs instead of
    /// two for each.
    pub fn batch(&self) -> Batch<'_> {
        Batch::new(self)
    }

    /// Whether a blob is there. It may be swept right after; [`touch`](Self::touch) keeps it.
    pub fn contains(&self, digest: &Digest) -> bool {
        self.layout.path(digest).exists()
    }

    /// Like [`contains`](Self::contains), and a blob that is there counts as written now: no sweep
    /// takes it before its grace is over. For callers which know the digest and skip the `put`.
    pub fn touch(&self, digest: &Digest) -> bool {
        let _present = self.presence();
        self.layout.touch(digest)
    }

    /// The length in bytes.
    ///
    /// # Errors
    /// [`StoreError::Missing`], or what the file system says.
    pub fn len(&self, digest: &Digest) -> Result<u64, StoreError> {
        let metadata = self.layout.path(digest).metadata();
        Ok(metadata.map_err(missing_or(digest, "look up a blob"))?.len())
    }

    /// The whole blob, verified.
    ///
    /// # Errors
    /// [`StoreError::Missing`]; [`StoreError::Corrupt`] if the bytes no longer have this name: the file
    /// is set aside then, so that the blob can be put again.
    pub fn read(&self, digest: &Digest) -> Result<Bytes, StoreError> {
        self.read_whole(digest).inspect_err(|error| self.note(error))
    }

    fn read_whole(&self, digest: &Digest) -> Result<Bytes, StoreError> {
        let bytes =
            std::fs::read(self.layout.path(digest)).map_err(missing_or(digest, "read a blob"))?;
        if Digest::of(&bytes) != *digest {
            let damaged =
                |path: &Path| std::fs::read(path).is_ok_and(|bytes| Digest::of(&bytes) != *digest);
            self.set_aside(digest, damaged)?;
            return Err(StoreError::Corrupt { digest: *digest });
        }
        Ok(bytes.into())
    }

    /// A blob opened for reading ranges of it, unverified.
    ///
    /// # Errors
    /// [`StoreError::Missing`], or what the file system says.
    pub fn blob(&self, digest: &Digest) -> Result<Blob, StoreError> {
        let opened =
            File::open(self.layout.path(digest)).map_err(missing_or(digest, "open a blob"));
        Blob::new(*digest, opened.inspect_err(|error| self.note(error))?)
    }

    /// How often a blob was asked for that is lost or damaged. Grows with each; whoever relied on a blob
    /// because it was there looks again then.
    pub fn losses(&self) -> u64 {
        self.losses.load(Relaxed)
    }

    fn note(&self, error: &StoreError) {
        if matches!(error, StoreError::Missing { .. } | StoreError::Corrupt { .. }) {
            self.losses.fetch_add(1, Relaxed);
        }
    }

    pub fn usage(&self) -> Usage {
        Usage { blobs: self.blobs.load(Relaxed), bytes: self.bytes.load(Relaxed) }
    }

    fn put_known(&self, digest: Digest, bytes: &[u8]) -> Result<(), StoreError> {
        if self.is_whole(&digest, bytes.len() as u64) {
            return self.settle_found(&digest);
        }
        let mut file = self.layout.incoming_file()?;
        file.write_all(bytes).map_err(failed("write a blob"))?;
        self.install_synced(digest, bytes.len() as u64, file)
    }

    fn install_synced(
        &self,
        digest: Digest,
        length: u64,
        file: NamedTempFile,
    ) -> Result<(), StoreError> {
        file.as_file().sync_all().map_err(failed("sync a blob"))?;
        self.settling.begin(&digest);
        self.install(&digest, length, file.into_temp_path())?;
        self.layout.sync([self.layout.shard(&digest)])?;
        self.settling.end(&digest);
        Ok(())
    }

    /// Makes sure that a blob found in place stays there.
    fn settle_found(&self, digest: &Digest) -> Result<(), StoreError> {
        if self.settling.is_suspect(digest) {
            self.settling.begin(digest);
            self.layout.sync([self.layout.shard(digest)])?;
            self.settling.end(digest);
        }
        Ok(())
    }

    /// Whether a blob is in place with its full length; if so it counts as written now.
    fn is_whole(&self, digest: &Digest, length: u64) -> bool {
        let _present = self.presence();
        let whole = self.layout.path(digest).metadata().is_ok_and(|found| found.len() == length);
        whole && self.layout.touch(digest)
    }

    /// Renames a durable file to its digest. The folder is not synced yet.
    fn install(&self, digest: &Digest, length: u64, file: TempPath) -> Result<(), StoreError> {
        if self.is_whole(digest, length) {
            return Ok(());
        }
        // Of another length: it lost its end in a power failure.
        self.set_aside(digest, |path| path.metadata().is_ok_and(|found| found.len() != length))?;
        let _present = self.presence();
        match file.persist_noclobber(self.layout.path(digest)) {
            Ok(()) => {
                self.blobs.fetch_add(1, Relaxed);
                self.bytes.fetch_add(length, Relaxed);
                Ok(())
            }
            // Another thread stored the same bytes meanwhile.
            Err(refused) if refused.error.kind() == io::ErrorKind::AlreadyExists => Ok(()),
            Err(refused) => Err(failed("put a blob in place")(refused.error)),
        }
    }

    /// Moves a blob out of the way, to where an operator can still look at it, if it is `damaged`. That is
    /// asked while nobody can put one: it may have been replaced by a whole one a moment ago.
    fn set_aside(
        &self,
        digest: &Digest,
        damaged: impl FnOnce(&Path) -> bool,
    ) -> Result<(), StoreError> {
        let _absent = self.presence.write().unwrap_or_else(PoisonError::into_inner);
        if !damaged(&self.layout.path(digest)) {
            return Ok(());
        }
        warn!(digest = %digest, "damaged blob set aside");
        self.take_away_locked(digest, |path| std::fs::rename(path, self.layout.quarantined(digest)))
    }

    /// Removes a blob by `how`, the presence lock being held for writing. One that is gone is fine.
    fn take_away_locked(
        &self,
        digest: &Digest,
        how: impl FnOnce(&Path) -> io::Result<()>,
    ) -> Result<(), StoreError> {
        let path = self.layout.path(digest);
        let result = path.metadata().and_then(|metadata| how(&path).map(|()| metadata.len()));
        match result {
            Ok(length) => {
                self.blobs.fetch_sub(1, Relaxed);
                self.bytes.fetch_sub(length, Relaxed);
                Ok(())
            }
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
            Err(error) => Err(failed("remove a blob")(error)),
        }
    }

    fn presence(&self) -> RwLockReadGuard<'_, ()> {
        self.presence.read().unwrap_or_else(PoisonError::into_inner)
    }
}

fn missing_or(digest: &Digest, action: &'static str) -> impl FnOnce(io::Error) -> StoreError {
    let digest = *digest;
    move |error| match error.kind() {
        io::ErrorKind::NotFound => StoreError::Missing { digest },
        _ => failed(action)(error),
    }
}

#[cfg(test)]
mod tests;
