//! `Looking`: notices changes by listing the folder again and again.

use std::{
    path::{Path, PathBuf},
    sync::mpsc::{Receiver, RecvTimeoutError},
    time::Duration,
};

use headgate_types::{Clock, Commit, SystemClock};

use super::Signal;
use crate::tree::{FolderTree, TreeLimits};

pub(super) struct Looking {
    root: PathBuf,
    interval: Duration,
    /// What was last seen: the folder's state, or why it cannot be listed.
    seen: Result<Commit, String>,
}

impl Looking {
    pub(super) fn new(root: PathBuf, interval: Duration) -> Self {
        let seen = state(&root);
        Self { root, interval, seen }
    }

    pub(super) fn run_until_stopped(
        mut self,
        signals: Receiver<Signal>,
        mut changed: impl FnMut() + Send + 'static,
    ) -> Box<dyn FnOnce() + Send> {
        Box::new(move || {
            // Nobody sends events here; the only signal is the one to stop.
            while let Err(RecvTimeoutError::Timeout) = signals.recv_timeout(self.interval) {
                if self.look() {
                    changed();
                }
            }
        })
    }

    /// Whether anything is different. What was written a moment before may count twice.
    fn look(&mut self) -> bool {
        let now = state(&self.root);
        std::mem::replace(&mut self.seen, now) != self.seen
    }
}

/// Files carry stamps of the machine's clock, so no other clock can tell which of them are fresh.
fn state(root: &Path) -> Result<Commit, String> {
    let tree = FolderTree::open(root, &TreeLimits::default(), SystemClock.now());
    tree.map(|tree| tree.commit()).map_err(|error| error.to_string())
}
