//! `NodeGlobals`: the values that functions keep, in memory, and a writer that makes them durable.
//!
//! ```text
//! value ─────────────► Memory ◄── all of the file, at the start
//! put ──► room? ─────► Memory ──► cells that changed ─► writer: a batch at a time ─► store::Globals
//!          └─ Full                                        └─► the puts of the batch go on
//! ```
//!
//! Reading touches memory only. A put is seen by others at once, and answers when its batch is durable, so that what
//! a visitor was told is true after a kill as well. What is put while a batch is written is the next one, in which a
//! cell counts once however often it was put. A burst is written as fast as the disk is; a flood costs it a steady few
//! transactions a second, and the guests behind it wait for those without a worker.
//!
//! What could not be written stays in memory and is tried again with the next batch, and its puts answer an error.

mod memory;
mod writer;

use std::{
    collections::HashSet,
    path::Path,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use bytes::Bytes;
use headgate_executor::{Global, Globals, GlobalsError};
use headgate_store::globals::{Cell, Space};
use tokio::sync::{Notify, watch};

use self::memory::Memory;
pub(crate) use self::writer::GlobalsWriter;
use crate::metrics::Metrics;

/// The executor's `Globals`, of all projects of a node.
#[derive(Debug)]
pub(crate) struct NodeGlobals {
    memory: Mutex<Memory>,
    changed: Notify,
    written: watch::Sender<Written>,
    /// Whether there is a writer.
    durable: bool,
}

/// How far the writer is, by the numbers of batches.
#[derive(Debug, Default)]
struct Written {
    /// All up to this one are durable: what a batch could not write is part of the next.
    durable: u64,
    /// The last that failed, and why.
    failed: Option<(u64, Arc<str>)>,
}

impl NodeGlobals {
    /// What is in `globals.redb` of the state folder. Nothing is durable before the writer runs.
    ///
    /// # Errors
    /// If the file cannot be read.
    pub(crate) fn open(
        state: &Path,
        metrics: Arc<Metrics>,
    ) -> Result<(Arc<Self>, GlobalsWriter), headgate_store::GlobalsError> {
        let file = headgate_store::Globals::open(state)?;
        let mut memory = Memory::default();
        for kept in file.all()? {
            memory.load(kept);
        }
        metrics.values_kept(memory.bytes());
        let globals = Arc::new(Self::with(memory, true));
        let writer = GlobalsWriter::new(globals.clone(), file, metrics);
        Ok((globals, writer))
    }

    /// For a process that is not to leave anything behind.
    pub(crate) fn in_memory() -> Self {
        Self::with(Memory::default(), false)
    }

    fn with(memory: Memory, durable: bool) -> Self {
        let (memory, written) = (Mutex::new(memory), watch::Sender::default());
        Self { memory, changed: Notify::new(), written, durable }
    }

    /// Takes away the values of all projects and branches but these.
    pub(crate) fn retain(&self, known: &HashSet<Space>) {
        self.memory().retain(known);
        self.changed.notify_one();
    }

    /// Waits until a batch is durable.
    async fn settled(&self, batch: u64) -> Result<(), GlobalsError> {
        if !self.durable {
            return Ok(());
        }
        self.changed.notify_one();
        let mut written = self.written.subscribe();
        let settled = |written: &Written| written.outcome(batch).is_some();
        let written = written.wait_for(settled).await.expect("its sender is ours");
        written.outcome(batch).expect("this was waited for")
    }

    /// Held for a few looks into tables, never while anybody waits. Each leaves them whole.
    fn memory(&self) -> MutexGuard<'_, Memory> {
        self.memory.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[async_trait::async_trait]
impl Globals for NodeGlobals {
    async fn value(&self, global: &Global<'_>) -> Result<Option<Bytes>, GlobalsError> {
        let (space, cell) = place(global);
        Ok(self.memory().value(&space, &cell))
    }

    async fn put(&self, global: &Global<'_>, value: Bytes) -> Result<(), GlobalsError> {
        let (space, cell) = place(global);
        let batch = self.memory().put(space, cell, value)?;
        self.settled(batch).await
    }

    async fn value_or_create(&self, global: &Global<'_>) -> Result<Option<Bytes>, GlobalsError> {
        let (space, cell) = place(global);
        let batch = {
            let mut memory = self.memory();
            match memory.value(&space, &cell) {
                Some(value) => return Ok(Some(value)),
                None => memory.put(space, cell, Bytes::new())?,
            }
        };
        self.settled(batch).await.map(|()| None)
    }
}

fn place(global: &Global<'_>) -> (Space, Cell) {
    let Global { project, branch, application, function, name } = *global;
    let cell = Cell {
        application: application.unwrap_or_default().into(),
        function: function.unwrap_or_default().into(),
        name: name.into(),
    };
    (Space { project: project.clone(), branch: branch.clone() }, cell)
}

impl Written {
    fn outcome(&self, batch: u64) -> Option<Result<(), GlobalsError>> {
        if self.durable >= batch {
            return Some(Ok(()));
        }
        let (failed, reason) = self.failed.as_ref()?;
        (*failed >= batch)
            .then(|| Err(GlobalsError::Unavailable { reason: format!("not written: {reason}") }))
    }
}

#[cfg(test)]
mod tests;
