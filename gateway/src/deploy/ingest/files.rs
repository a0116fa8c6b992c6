//! Storing the files of a folder on several threads: compressing takes most of the time of a first deploy.

use std::{
    panic,
    sync::atomic::{AtomicBool, AtomicUsize, Ordering::Relaxed},
    thread,
};

use headgate_project::{
    defaults::MAX_SITE_FILE,
    tree::{Entry, ReadError, Tree},
};
use headgate_store::{Batch, StoreError};
use headgate_website::SiteFile;

use super::store_file;
use crate::deploy::{limits, progress::Counter};

/// Where files come from and go to.
pub(super) struct Files<'a> {
    pub(super) tree: &'a dyn Tree,
    pub(super) batch: &'a Batch<'a>,
    pub(super) counter: &'a Counter<'a>,
}

/// Why a file could not be stored.
pub(super) enum StoreFileError {
    Read(ReadError),
    Store(StoreError),
}

/// A path below the site's root, and the file in the tree.
type Named<'f> = (&'f str, &'f Entry);
type Stored = Result<SiteFile, StoreFileError>;

impl Files<'_> {
    /// Stores all, in order; none behind the first that shows the rest to be in vain.
    pub(super) fn store<'f>(&self, files: &[Named<'f>]) -> Vec<(Named<'f>, Stored)> {
        let (next, vain) = (AtomicUsize::new(0), AtomicBool::new(false));
        let work = || {
            let mut done = Vec::new();
            while !vain.load(Relaxed) {
                let index = next.fetch_add(1, Relaxed);
                let Some((path, entry)) = files.get(index) else { break };
                let stored = self.store_one(path, entry);
                if is_vain(&stored) {
                    vain.store(true, Relaxed);
                }
                self.counter.advance();
                done.push((index, stored));
            }
            done
        };
        let mut done = thread::scope(|scope| {
            let others: Vec<_> = (1..threads(files.len())).map(|_| scope.spawn(work)).collect();
            let mut done = work();
            for other in others {
                done.extend(other.join().unwrap_or_else(|panic| panic::resume_unwind(panic)));
            }
            done
        });
        done.sort_unstable_by_key(|(index, _)| *index);
        done.into_iter().map(|(index, stored)| (files[index], stored)).collect()
    }

    fn store_one(&self, path: &str, entry: &Entry) -> Stored {
        let content = self.tree.read(&entry.path, MAX_SITE_FILE).map_err(StoreFileError::Read)?;
        store_file(self.batch, path, content).map_err(StoreFileError::Store)
    }
}

fn is_vain(stored: &Stored) -> bool {
    matches!(
        stored,
        Err(StoreFileError::Store(_) | StoreFileError::Read(ReadError::Changed { .. }))
    )
}

fn threads(files: usize) -> usize {
    if files <= limits::FEW_FILES {
        return 1;
    }
    thread::available_parallelism().map_or(1, usize::from).min(limits::MAX_THREADS)
}
