//! `Records`: which revisions this node accepted, in one redb file.
//!
//! Accepting a revision is one durable transaction that names its manifest; until then nothing has
//! happened, afterwards it survives whatever comes. One process at a time owns the file, and one
//! transaction at a time writes.
//!
//! The current revision of a branch is the newest one, unless somebody pinned the branch to another: going
//! back makes no new record, it names an old one as current. So going back twice leads further back.
//!
//! Not here: what a manifest says, and whether its blobs exist. The deployer made sure of that first.

mod error;
mod table;

use std::{
    fs::{self, DirBuilder, File, OpenOptions},
    io,
    os::unix::fs::{DirBuilderExt, OpenOptionsExt},
    path::{Path, PathBuf},
    sync::{Mutex, PoisonError},
};

use headgate_types::{Branch, Digest, ProjectName, Revision, Timestamp};
use redb::{Database, DatabaseError};
use serde::{Deserialize, Serialize};

pub use self::error::RecordsError;

/// Revisions kept for each branch, the current one included: enough to roll back a bad day.
pub const HISTORY: usize = 10;

/// Records are a few kilobytes; redb's own default would allow a gibibyte.
const CACHE_BYTES: usize = 4 << 20;

/// A revision this node accepted.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct RevisionRecord {
    pub revision: Revision,
    /// The blob from which the revision can be served.
    pub manifest: Digest,
    pub accepted_at: Timestamp,
    /// Grows by one with each acceptance on this node, whatever the project.
    pub sequence: u64,
}

/// A branch that stays at its current revision until the pin is taken out.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Pin {
    pub project: ProjectName,
    pub branch: Branch,
    pub pinned_at: Timestamp,
}

/// The records file. Shared by reference; calls wait for each other.
#[derive(Debug)]
pub struct Records {
    path: PathBuf,
    history: usize,
    /// `None` after an I/O error, such as a full disk: redb wants to be opened anew then.
    database: Mutex<Option<Database>>,
}

impl Records {
    /// Opens `records.redb` in `dir`, making both if there are none.
    ///
    /// # Errors
    /// [`RecordsError::InUse`] while another process has it open, [`RecordsError::NewerSchema`] if a
    /// later Headgate wrote it.
    pub fn open(dir: &Path) -> Result<Self, RecordsError> {
        Self::open_keeping(dir, HISTORY)
    }

    /// As [`open`](Self::open), keeping the last `history` revisions of each branch, at least one.
    ///
    /// # Errors
    /// As [`open`](Self::open).
    pub fn open_keeping(dir: &Path, history: usize) -> Result<Self, RecordsError> {
        let path = dir.join("records.redb");
        make_durable(dir, &path)
            .map_err(|source| RecordsError::Create { path: path.clone(), source })?;
        let database = open_database(&path)?;
        table::migrate(&database)?;
        let database = Mutex::new(Some(database));
        Ok(Self { path, history: history.max(1), database })
    }

    /// Makes a revision its branch's current one, and returns its record once that is durable.
    ///
    /// # Errors
    /// [`RecordsError::Pinned`] if the branch is, [`RecordsError::Full`] if the disk is; what was current
    /// stays current then.
    pub fn accept(
        &self,
        revision: Revision,
        manifest: Digest,
        now: Timestamp,
    ) -> Result<RevisionRecord, RecordsError> {
        let record = RevisionRecord { revision, manifest, accepted_at: now, sequence: 0 };
        self.with(|database| table::accept(database, record.clone(), self.history))
    }

    /// Makes a kept revision its branch's current one, and pins the branch to it.
    ///
    /// # Errors
    /// [`RecordsError::NotKept`] if newer ones have taken its place; otherwise as
    /// [`accept`](Self::accept).
    pub fn pin(&self, record: &RevisionRecord, now: Timestamp) -> Result<(), RecordsError> {
        let Revision { project, branch, .. } = record.revision.clone();
        let pin = Pin { project, branch, pinned_at: now };
        self.with(|database| table::select(database, record, Some(&pin)))
    }

    /// Makes a kept revision its branch's current one, and takes the pin out.
    ///
    /// # Errors
    /// As [`pin`](Self::pin).
    pub fn unpin(&self, record: &RevisionRecord) -> Result<(), RecordsError> {
        self.with(|database| table::select(database, record, None))
    }

    /// Every branch that is pinned.
    ///
    /// # Errors
    /// As [`current`](Self::current).
    pub fn pins(&self) -> Result<Vec<Pin>, RecordsError> {
        self.with(table::pins)
    }

    /// What each branch of each project serves, in the order in which the branches were first accepted:
    /// of two that claim the same host the earlier one keeps it.
    ///
    /// # Errors
    /// What the file says, [`RecordsError::Damaged`] among it.
    pub fn current(&self) -> Result<Vec<RevisionRecord>, RecordsError> {
        self.with(table::current)
    }

    /// The last revisions of a branch, newest first, the current one included.
    ///
    /// # Errors
    /// As [`current`](Self::current).
    pub fn history(
        &self,
        project: &ProjectName,
        branch: &Branch,
    ) -> Result<Vec<RevisionRecord>, RecordsError> {
        self.with(|database| table::history(database, project, branch))
    }

    /// Every kept record of every branch, in no particular order: what a sweep starts from.
    ///
    /// # Errors
    /// As [`current`](Self::current).
    pub fn all(&self) -> Result<Vec<RevisionRecord>, RecordsError> {
        self.with(table::all)
    }

    /// Forgets a project with all its branches, and with them its place in the order. Forgetting an
    /// unknown one is fine.
    ///
    /// # Errors
    /// As [`accept`](Self::accept).
    pub fn remove(&self, project: &ProjectName) -> Result<(), RecordsError> {
        self.with(|database| table::remove(database, project))
    }

    fn with<T>(
        &self,
        work: impl FnOnce(&Database) -> Result<T, RecordsError>,
    ) -> Result<T, RecordsError> {
        let mut database = self.database.lock().unwrap_or_else(PoisonError::into_inner);
        let opened = match database.take() {
            Some(opened) => opened,
            None => open_database(&self.path)?,
        };
        let result = work(&opened);
        if !result.as_ref().is_err_and(RecordsError::needs_reopening) {
            *database = Some(opened);
        }
        result
    }
}

fn open_database(path: &Path) -> Result<Database, RecordsError> {
    let opened = Database::builder().set_cache_size(CACHE_BYTES).create(path);
    opened.map_err(|error| match error {
        DatabaseError::DatabaseAlreadyOpen => {
            RecordsError::InUse { folder: path.parent().unwrap_or(path).to_owned() }
        }
        error => redb::Error::from(error).into(),
    })
}

/// Makes the folder and the file, for their owner only, so that a power failure finds both.
pub(crate) fn make_durable(dir: &Path, path: &Path) -> io::Result<()> {
    DirBuilder::new().recursive(true).mode(0o700).create(dir)?;
    if !fs::exists(path)? {
        OpenOptions::new().create(true).append(true).mode(0o600).open(path)?.sync_all()?;
    }
    File::open(dir)?.sync_all()
}

#[cfg(test)]
mod tests;
