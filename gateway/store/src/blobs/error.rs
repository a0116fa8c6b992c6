//! What can go wrong with a blob, by what the caller does about it.

use std::io;

use headgate_types::{ByteSize, Digest};

/// Why the store could not do what it was asked.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// Refuse the revision, keep serving the old one.
    #[error("the disk is full")]
    Full { source: io::Error },
    #[error("blob {} is not in the store", .digest.fmt_short())]
    Missing { digest: Digest },
    /// The disk returned other bytes than were written. The file was set aside.
    #[error("blob {} is damaged and was set aside; deploy its revision again", .digest.fmt_short())]
    Corrupt { digest: Digest },
    #[error("the bytes are blob {}, not {}", .found.fmt_short(), .expected.fmt_short())]
    Mismatch { expected: Digest, found: Digest },
    #[error("the stream has more than {}", ByteSize::from_bytes(*.limit))]
    TooLarge { limit: u64 },
    /// The fault of whoever feeds the store.
    #[error("the stream failed")]
    Stream { source: io::Error },
    #[error("failed to {action}")]
    Io { action: &'static str, source: io::Error },
}

/// Gives an I/O error its meaning; `action` completes "failed to …".
pub(super) fn failed(action: &'static str) -> impl Fn(io::Error) -> StoreError {
    move |source| match source.kind() {
        io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded => StoreError::Full { source },
        _ => StoreError::Io { action, source },
    }
}
