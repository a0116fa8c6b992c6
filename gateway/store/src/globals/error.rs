//! What can go wrong with the file of values.

use std::path::{Path, PathBuf};

/// Why values could not be opened, read or written.
#[derive(Debug, thiserror::Error)]
pub enum GlobalsError {
    #[error(
        "failed to open `{}`; a copy of it from a backup will do, and without it functions begin without values",
        path.display()
    )]
    Open { path: PathBuf, source: Box<dyn std::error::Error + Send + Sync> },
    #[error(
        "`{}` has schema {found}, and this headgate knows up to {known}; run a newer one",
        path.display()
    )]
    NewerSchema { path: PathBuf, found: u64, known: u64 },
    #[error("failed to access `{}`", path.display())]
    Access { path: PathBuf, source: Box<redb::Error> },
}

impl GlobalsError {
    pub(super) fn open(
        path: &Path,
        source: impl Into<Box<dyn std::error::Error + Send + Sync>>,
    ) -> Self {
        Self::Open { path: path.to_owned(), source: source.into() }
    }

    pub(super) fn access(path: &Path, source: redb::Error) -> Self {
        Self::Access { path: path.to_owned(), source: Box::new(source) }
    }
}
