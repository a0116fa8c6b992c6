//! What a node keeps on disk: blobs named by their content, and which revisions it accepted.
//!
//! ```text
//! BlobStore   artefacts, site files, manifests: bytes by BLAKE3 digest, owned by nobody
//! Globals     (project, branch, application, function, name) → a value that functions keep
//! Records     (project, branch) → commit, manifest digest, time; a few revisions back; what is pinned
//! ```
//!
//! The order of writing is the whole protocol: first every blob of a revision is made durable, then its
//! manifest, then one record names the manifest. Whatever kills the process in between leaves blobs
//! nobody refers to, which a sweep removes, and never a record whose blobs are missing.
//!
//! Nothing here knows what a blob means, who uses it, or where it will be copied to. All calls block;
//! async callers wrap them.

pub mod blobs;
pub mod globals;
pub mod records;

pub use blobs::{Batch, Blob, BlobStore, StoreError, Swept, Usage};
pub use globals::{Globals, GlobalsError};
pub use records::{Pin, Records, RecordsError, RevisionRecord};
