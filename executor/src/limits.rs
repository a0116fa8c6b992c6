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
        Self {
            memory_left: context.function.limits.memory.as_bytes(),
            table_elements_left: defaults::TABLE_ELEMENTS,
            refused: 0,
            metrics: context.metrics.clone(),
        }
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

    /// Gives back what was reserved.
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

    #[test]
    fn all_memories_of_a_guest_share_one_limit() {
        let mut limits = Limits {
            memory_left: 192 << 10,
            table_elements_left: 0,
            refused: 0,
            metrics: Arc::new(Metrics::new(&mut Registry::default())),
        };
        assert!(limits.memory_growing(0, 64 << 10, None).unwrap());
        assert!(limits.memory_growing(0, 128 << 10, None).unwrap());
        assert!(!limits.memory_growing(128 << 10, 192 << 10, None).unwrap());
        assert_eq!(limits.refused(), 1);
    }
}
