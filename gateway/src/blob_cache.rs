//! `BlobCache`: site files on the way out. Small ones stay in memory, large ones are read in pieces.

use std::sync::Arc;

use bytes::Bytes;
use headgate_store::{Blob, BlobStore, StoreError};
use headgate_types::Digest;
use moka::sync::Cache;

/// Most pages, styles and scripts are smaller; a larger file is rare and its reader slow anyway.
const MAX_CACHED: u64 = 1 << 20;

/// One read of a large file: long enough that the trip to a blocking thread is cheap beside it.
const CHUNK: usize = 256 << 10;

#[derive(Debug)]
pub struct BlobCache {
    store: Arc<BlobStore>,
    memory: Cache<Digest, Bytes>,
}

/// A blob's bytes, or a way to them.
#[derive(Debug)]
pub enum Content {
    Whole(Bytes),
    Stream(BlobReader),
}

/// Reads a blob in pieces, off the async threads.
#[derive(Debug)]
pub struct BlobReader(Arc<Blob>);

impl BlobCache {
    /// `capacity` in bytes of content.
    pub fn new(store: Arc<BlobStore>, capacity: u64) -> Self {
        let memory = Cache::builder()
            .max_capacity(capacity)
            .weigher(|_, bytes: &Bytes| u32::try_from(bytes.len()).unwrap_or(u32::MAX))
            .build();
        Self { store, memory }
    }

    /// The content of a blob of `size` bytes. Waits for the disk only at the first request.
    pub async fn content(&self, digest: Digest, size: u64) -> Result<Content, StoreError> {
        if size > MAX_CACHED {
            let blob = self.blocking(move |store| store.blob(&digest)).await?;
            return Ok(Content::Stream(BlobReader(Arc::new(blob))));
        }
        if let Some(bytes) = self.memory.get(&digest) {
            return Ok(Content::Whole(bytes));
        }
        let bytes = self.blocking(move |store| store.read(&digest)).await?;
        self.memory.insert(digest, bytes.clone());
        Ok(Content::Whole(bytes))
    }

    async fn blocking<T: Send + 'static>(
        &self,
        read: impl FnOnce(&BlobStore) -> Result<T, StoreError> + Send + 'static,
    ) -> Result<T, StoreError> {
        let store = self.store.clone();
        tokio::task::spawn_blocking(move || read(&store))
            .await
            .expect("reading a blob does not panic")
    }
}

impl BlobReader {
    /// Up to `left` bytes from `offset`, at least one while any are left.
    pub async fn read_at(&mut self, offset: u64, left: u64) -> Result<Bytes, StoreError> {
        let blob = self.0.clone();
        let length = usize::try_from(left).map_or(CHUNK, |left| left.min(CHUNK));
        tokio::task::spawn_blocking(move || blob.read_at(offset, length))
            .await
            .expect("reading a blob does not panic")
    }
}
