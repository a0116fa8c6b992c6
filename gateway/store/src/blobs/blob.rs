//! `Blob`: an open blob, read by range.

use std::{fs::File, os::unix::fs::FileExt};

use bytes::Bytes;
use headgate_types::Digest;

use super::error::{StoreError, failed};

/// A blob opened for reading. It stays readable while a sweep removes it.
///
/// Its bytes are not verified: a range cannot be, and whoever needs certainty uses
/// [`BlobStore::read`](super::BlobStore::read).
#[derive(Debug)]
pub struct Blob {
    digest: Digest,
    file: File,
    length: u64,
}

impl Blob {
    pub(super) fn new(digest: Digest, file: File) -> Result<Self, StoreError> {
        let length = file.metadata().map_err(failed("look up a blob"))?.len();
        Ok(Self { digest, file, length })
    }

    pub fn digest(&self) -> &Digest {
        &self.digest
    }

    /// In bytes.
    pub fn len(&self) -> u64 {
        self.length
    }

    pub fn is_empty(&self) -> bool {
        self.length == 0
    }

    /// `length` bytes from `offset` on, fewer only at the blob's end. Does not move any position, so
    /// threads may share the blob.
    ///
    /// # Errors
    /// What the file system says.
    pub fn read_at(&self, offset: u64, length: usize) -> Result<Bytes, StoreError> {
        let left = self.length.saturating_sub(offset);
        let length = usize::try_from(left).map_or(length, |left| length.min(left));
        let mut bytes = vec![0; length];
        self.file.read_exact_at(&mut bytes, offset).map_err(failed("read a blob"))?;
        Ok(bytes.into())
    }

    /// The file itself, for callers with their own way of reading, positioned at the start.
    pub fn into_file(self) -> File {
        self.file
    }
}
