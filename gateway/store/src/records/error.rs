//! What can go wrong with the records.

use std::{io, path::PathBuf};

/// Why the records could not be opened, read or written.
#[derive(Debug, thiserror::Error)]
pub enum RecordsError {
    #[error(
        "another headgate runs with the state folder `{}`; stop it, or give this one its own",
        folder.display()
    )]
    InUse { folder: PathBuf },
    #[error("failed to create `{}`", path.display())]
    Create { path: PathBuf, source: io::Error },
    #[error(
        "the records have schema {found}, and this headgate knows up to {known}; run a newer one"
    )]
    NewerSchema { found: u64, known: u64 },
    /// Refuse the revision, keep serving the old one.
    #[error("the disk is full")]
    Full { source: Box<redb::Error> },
    #[error("failed to access the records")]
    Access { source: Box<redb::Error> },
    #[error("{project}@{branch} is pinned to the revision it serves")]
    Pinned { project: String, branch: String },
    #[error("{project}@{branch} no longer keeps that revision")]
    NotKept { project: String, branch: String },
    #[error("the record of {project}@{branch} is damaged")]
    Damaged { project: String, branch: String, source: Option<serde_json::Error> },
}

impl RecordsError {
    /// After a failed read or write redb answers nothing until the file is opened anew.
    pub(super) fn needs_reopening(&self) -> bool {
        matches!(self, Self::Full { .. } | Self::Access { .. })
    }
}

impl From<redb::Error> for RecordsError {
    fn from(error: redb::Error) -> Self {
        let full = matches!(
            &error,
            redb::Error::Io(cause)
                if matches!(cause.kind(), io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded)
        );
        let source = Box::new(error);
        if full { Self::Full { source } } else { Self::Access { source } }
    }
}

macro_rules! from_redb {
    ($($error:ident),*) => {$(
        impl From<redb::$error> for RecordsError {
            fn from(error: redb::$error) -> Self {
                redb::Error::from(error).into()
            }
        }
    )*};
}
from_redb!(TransactionError, TableError, StorageError, CommitError);
