//! `Memory`: all values of a node, how much each project has, and what is not on disk yet.

use std::{
    collections::{HashMap, HashSet},
    mem,
};

use bytes::Bytes;
use headgate_executor::GlobalsError;
use headgate_store::globals::{Cell, Change, Kept, Space};

/// Bytes of a project's values on one branch, names included: what Taubyte gives a project.
pub(super) const CAPACITY: usize = 1_000_000;

/// Values of a project on one branch. A value of one byte costs a hundred in memory, so that bytes alone bound nothing.
pub(super) const VALUES: usize = 50_000;

#[derive(Debug)]
pub(super) struct Memory {
    spaces: HashMap<Space, Values>,
    /// The number of the batch that is being gathered.
    batch: u64,
    changed: HashSet<(Space, Cell)>,
    cleared: HashSet<Space>,
}

/// The values of one project on one branch.
#[derive(Debug, Default)]
struct Values {
    bytes: usize,
    cells: HashMap<Cell, Bytes>,
}

/// What is written in one transaction.
#[derive(Debug)]
pub(super) struct Batch {
    pub(super) number: u64,
    pub(super) changes: Vec<Change>,
}

impl Default for Memory {
    fn default() -> Self {
        // Before the first one nothing is durable.
        let batch = 1;
        Self { spaces: HashMap::new(), batch, changed: HashSet::new(), cleared: HashSet::new() }
    }
}

impl Memory {
    /// Takes over what is on disk.
    pub(super) fn load(&mut self, Kept { space, cell, value }: Kept) {
        self.spaces.entry(space).or_default().put(cell, value);
    }

    pub(super) fn value(&self, space: &Space, cell: &Cell) -> Option<Bytes> {
        self.spaces.get(space)?.cells.get(cell).cloned()
    }

    /// Of all projects, names included.
    pub(super) fn bytes(&self) -> usize {
        self.spaces.values().map(|values| values.bytes).sum()
    }

    /// Gives the number of the batch that will make it durable.
    pub(super) fn put(
        &mut self,
        space: Space,
        cell: Cell,
        value: Bytes,
    ) -> Result<u64, GlobalsError> {
        let values = self.spaces.entry(space.clone()).or_default();
        if !values.have_room(&cell, &value) {
            return Err(GlobalsError::Full { values: VALUES, bytes: CAPACITY });
        }
        values.put(cell.clone(), value);
        self.changed.insert((space, cell));
        Ok(self.batch)
    }

    pub(super) fn retain(&mut self, known: &HashSet<Space>) {
        let gone: Vec<_> = self.spaces.keys().filter(|space| !known.contains(space)).collect();
        self.cleared.extend(gone.into_iter().cloned());
        self.spaces.retain(|space, _| known.contains(space));
    }

    /// What changed since the last batch, as it is now.
    pub(super) fn next_batch(&mut self) -> Option<Batch> {
        if self.changed.is_empty() && self.cleared.is_empty() {
            return None;
        }
        let number = self.batch;
        self.batch += 1;
        let cleared = mem::take(&mut self.cleared).into_iter();
        let mut changes: Vec<_> = cleared.map(|space| Change::Clear { space }).collect();
        for (space, cell) in mem::take(&mut self.changed) {
            // It is none of those that were cleared then, or was put again since.
            if let Some(value) = self.value(&space, &cell) {
                changes.push(Change::Put { space, cell, value });
            }
        }
        Some(Batch { number, changes })
    }

    /// A batch that was not written becomes part of the next.
    pub(super) fn take_back(&mut self, batch: Batch) {
        for change in batch.changes {
            match change {
                Change::Put { space, cell, .. } => _ = self.changed.insert((space, cell)),
                Change::Clear { space } => {
                    // What was put there since is in memory, and some of it may be in this batch.
                    let cells = self.spaces.get(&space).into_iter().flat_map(|own| &own.cells);
                    let again = cells.map(|(cell, _)| (space.clone(), cell.clone()));
                    self.changed.extend(again);
                    self.cleared.insert(space);
                }
            }
        }
    }
}

impl Values {
    /// Whether there is, once the value is in place of the old one. What takes less than that always fits.
    fn have_room(&self, cell: &Cell, value: &Bytes) -> bool {
        let new = weight(cell, value);
        match self.cells.get(cell) {
            Some(old) => {
                let old = weight(cell, old);
                new <= old || self.bytes - old + new <= CAPACITY
            }
            None => self.cells.len() < VALUES && self.bytes + new <= CAPACITY,
        }
    }

    fn put(&mut self, cell: Cell, value: Bytes) {
        self.bytes += weight(&cell, &value);
        let old = weight(&cell, &Bytes::new());
        if let Some(value) = self.cells.insert(cell, value) {
            self.bytes -= old + value.len();
        }
    }
}

fn weight(cell: &Cell, value: &Bytes) -> usize {
    cell.application.len() + cell.function.len() + cell.name.len() + value.len()
}
