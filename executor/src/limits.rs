//! What one guest may allocate.

use std::{fmt, sync::Arc};

use wasmtime::ResourceLimiter;

use crate::{defaults, metrics::Metrics, running::GuestContext};

/// Counts a store's memories and tables against its function's limits. Growing beyond them fails inside the
/// guest (`memory.grow` gives -1), as the specification foresees, and is remembered to explain what follows.
pub(crate) struct Limits {
    memory_left: u64,
    table_elements_left: usize,
    refused: u32,
    metrics: Arc<Metrics>,
}

impl Limits {
    pub(crate) fn new(context: &GuestContext) -> Self {
        Self::of(context.function.limits.memory.as_bytes(), context.metrics.clone())
    }

    pub(crate) fn of(memory_left: u64, metrics: Arc<Metrics>) -> Self {
        let table_elements_left = defaults::TABLE_ELEMENTS;
        Self { memory_left, table_elements_left, refused: 0, metrics }
    }

    /// Bytes it may still have.
    #[cfg(test)]
    pub(crate) fn left(&self) -> u64 {
        self.memory_left
    }

    /// How often the guest was refused memory or table elements.
    pub(crate) fn refused(&self) -> u32 {
        self.refused
    }

    /// Counts what the host keeps for the guest, bodies and fields of calls, as if it were in its own memory.
    pub(crate) fn reserve(&mut self, bytes: usize) -> bool {
        match self.memory_left.checked_sub(bytes as u64) {
            Some(left) => {
                self.memory_left = left;
                true
            }
            None => self.refuse(),
        }
    }

    /// Grants a buffer of the host that a guest fills room for `needed` bytes, and more, as it is likely to grow
    /// further: the capacity it may have from now on. What a guest keeps here counts like its own memory.
    pub(crate) fn grow(&mut self, capacity: usize, needed: usize) -> Option<usize> {
        let ample = needed.max(capacity.saturating_add(capacity / 2)).max(defaults::BUFFER);
        // Near the end all that is left at once, or it would be copied for each byte.
        let most = (capacity as u64).saturating_add(self.memory_left);
        let granted = (ample as u64).min(most);
        if granted < needed as u64 {
            self.refuse();
            return None;
        }
        self.memory_left = most - granted;
        usize::try_from(granted).ok()
    }

    /// Gives back what was reserved or granted.
    pub(crate) fn release(&mut self, bytes: usize) {
        self.memory_left += bytes as u64;
    }

    fn refuse(&mut self) -> bool {
        if self.refused == 0 {
            self.metrics.memory_refusals.inc();
        }
        self.refused = self.refused.saturating_add(1);
        false
    }
}

impl fmt::Debug for Limits {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Limits").field("memory_left", &self.memory_left).finish_non_exhaustive()
    }
}

impl ResourceLimiter for Limits {
    fn memory_growing(
        &mut self,
        current: usize,
        desired: usize,
        _maximum: Option<usize>,
    ) -> wasmtime::Result<bool> {
        let more = desired.saturating_sub(current) as u64;
        Ok(match self.memory_left.checked_sub(more) {
            Some(left) => {
                self.memory_left = left;
                true
            }
            None => self.refuse(),
        })
    }

    fn table_growing(
        &mut self,
        current: usize,
        desired: usize,
        _maximum: Option<usize>,
    ) -> wasmtime::Result<bool> {
        let more = desired.saturating_sub(current);
        Ok(match self.table_elements_left.checked_sub(more) {
            Some(left) => {
                self.table_elements_left = left;
                true
            }
            None => self.refuse(),
        })
    }

    fn instances(&self) -> usize {
        defaults::CORE_INSTANCES as usize
    }

    fn tables(&self) -> usize {
        defaults::TABLES as usize
    }

    fn memories(&self) -> usize {
        defaults::MEMORIES as usize
    }
}

#[cfg(test)]
mod tests {
    use prometheus_client::registry::Registry;

    use super::*;

    fn limits(memory_left: u64) -> Limits {
        Limits::of(memory_left, Arc::new(Metrics::new(&mut Registry::default())))
    }

    #[test]
    fn a_buffer_is_granted_what_is_left_and_gives_it_back() {
        let mut limits = limits(100);
        assert_eq!(limits.grow(0, 1), Some(64));
        assert_eq!(limits.grow(64, 65), Some(96));
        assert_eq!(limits.grow(96, 97), Some(100)); // half as much again is more than there is
        assert_eq!(limits.grow(100, 101), None);
        assert_eq!(limits.refused(), 1);
        limits.release(100);
        assert_eq!(limits.grow(0, 100), Some(100));
    }

    #[test]
    fn all_memories_of_a_guest_share_one_limit() {
        let mut limits = limits(192 << 10);
        assert!(limits.memory_growing(0, 64 << 10, None).unwrap());
        assert!(limits.memory_growing(0, 128 << 10, None).unwrap());
        assert!(!limits.memory_growing(128 << 10, 192 << 10, None).unwrap());
        assert_eq!(limits.refused(), 1);
    }
}
