//! How far a deploy has come.

use std::{
    fmt,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering::Relaxed},
    },
};

use super::limits;
use crate::event::Stage;

/// Told how far long work has come: stage, done, total.
pub type Progress = Arc<dyn Fn(Stage, u64, u64) + Send + Sync>;

/// Counts the items of one stage and tells some of it. Threads may share it.
pub(super) struct Counter<'a> {
    stage: Stage,
    total: u64,
    done: AtomicU64,
    progress: &'a Progress,
}

impl<'a> Counter<'a> {
    pub(super) fn new(stage: Stage, total: u64, progress: &'a Progress) -> Self {
        progress(stage, 0, total);
        Self { stage, total, done: AtomicU64::new(0), progress }
    }

    /// One more is done.
    pub(super) fn advance(&self) {
        let done = self.done.fetch_add(1, Relaxed) + 1;
        let step = (self.total / limits::REPORTS).max(1);
        if done.is_multiple_of(step) && done < self.total {
            (self.progress)(self.stage, done, self.total);
        }
    }

    pub(super) fn end(self) {
        (self.progress)(self.stage, self.total, self.total);
    }
}

impl fmt::Debug for Counter<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { stage, total, done, .. } = self;
        f.debug_struct("Counter")
            .field("stage", stage)
            .field("total", total)
            .field("done", done)
            .finish_non_exhaustive()
    }
}
