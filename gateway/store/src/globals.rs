//! `Globals`: the values that functions of projects keep, in one redb file of their own.
//!
//! A file of its own, because records are written by the deployer, seldom, and values by whoever visits a function;
//! neither is to wait for the other. A batch of changes is one durable transaction: after a kill at any moment the
//! file holds all of it or nothing.
//!
//! Not here: who may have how much, when a batch is written, and reading, which is done once at the start.

mod error;
mod table;

use std::{
    path::{Path, PathBuf},
    sync::{Mutex, PoisonError},
};

use bytes::Bytes;
use headgate_types::{Branch, ProjectName};
use redb::Database;

pub use self::error::GlobalsError;
use crate::records::make_durable;

/// Batches touch few pages, and nothing is read again.
const CACHE_BYTES: usize = 1 << 20;

/// Whose values are apart from all others'.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Space {
    pub project: ProjectName,
    pub branch: Branch,
}

/// A value's place in its space.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Cell {
    /// Empty: of no application in particular.
    pub application: Box<str>,
    /// Empty: of no function in particular.
    pub function: Box<str>,
    pub name: Box<[u8]>,
}

/// What a batch consists of.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Change {
    Put {
        space: Space,
        cell: Cell,
        value: Bytes,
    },
    /// Takes away all that is in a space.
    Clear {
        space: Space,
    },
}

/// A value as it is kept.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Kept {
    pub space: Space,
    pub cell: Cell,
    pub value: Bytes,
}

/// The file of values. Calls wait for each other.
#[derive(Debug)]
pub struct Globals {
    path: PathBuf,
    /// `None` after an error, such as a full disk: redb wants to be opened anew then.
    database: Mutex<Option<Database>>,
}

impl Globals {
    /// Opens `globals.redb` in `dir`, making both if there are none.
    ///
    /// # Errors
    /// [`GlobalsError::Open`] if the file is damaged or another process has it, [`GlobalsError::NewerSchema`] if a
    /// later Headgate wrote it.
    pub fn open(dir: &Path) -> Result<Self, GlobalsError> {
        let path = dir.join("globals.redb");
        make_durable(dir, &path).map_err(|source| GlobalsError::open(&path, source))?;
        let database = open_database(&path)?;
        let found =
            table::migrate(&database).map_err(|error| GlobalsError::access(&path, error))?;
        if let Some(found) = found {
            return Err(GlobalsError::NewerSchema { path, found, known: table::SCHEMA });
        }
        Ok(Self { path, database: Mutex::new(Some(database)) })
    }

    /// Every value, in no particular order.
    ///
    /// # Errors
    /// [`GlobalsError::Access`].
    pub fn all(&self) -> Result<Vec<Kept>, GlobalsError> {
        self.with(table::all)
    }

    /// Makes changes, in this order, and returns once all are durable. After an error none is made.
    ///
    /// # Errors
    /// [`GlobalsError::Access`], also if the disk is full.
    pub fn write(&self, changes: &[Change]) -> Result<(), GlobalsError> {
        self.with(|database| table::write(database, changes))
    }

    fn with<T>(
        &self,
        work: impl FnOnce(&Database) -> Result<T, redb::Error>,
    ) -> Result<T, GlobalsError> {
        let mut database = self.database.lock().unwrap_or_else(PoisonError::into_inner);
        let opened = match database.take() {
            Some(opened) => opened,
            None => open_database(&self.path)?,
        };
        let result = work(&opened).map_err(|error| GlobalsError::access(&self.path, error));
        if result.is_ok() {
            *database = Some(opened);
        }
        result
    }
}

fn open_database(path: &Path) -> Result<Database, GlobalsError> {
    let opened = Database::builder().set_cache_size(CACHE_BYTES).create(path);
    opened.map_err(|error| GlobalsError::open(path, error))
}

#[cfg(test)]
mod tests;
