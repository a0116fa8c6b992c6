//! Artefacts in use: opened on first call, closed when nobody calls them any more.

use std::{io, ops::Add, sync::Arc, time::Duration};

use bytes::Bytes;
use headgate_types::Digest;
use moka::{policy::EvictionPolicy, sync::Cache};
use wasmtime::ResourcesRequired;

use crate::{component, core, defaults, metrics::Metrics};

/// Where raw artefacts come from. Asked only when the native one was lost, off the request's thread.
pub trait Artefacts: Send + Sync + 'static {
    /// The wasm whose digest this is.
    fn read(&self, digest: Digest) -> io::Result<Bytes>;
}

/// An artefact ready to be instantiated: imports resolved, entries found.
pub(crate) enum Opened {
    Component { pre: component::Pre, needs: Needs },
    Core(core::CoreModule),
}

impl Opened {
    pub(crate) fn needs(&self) -> Needs {
        match self {
            Self::Component { needs, .. } => *needs,
            Self::Core(module) => module.needs(),
        }
    }
}

/// What an instance takes of the pool.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Needs {
    memories: u32,
    tables: u32,
}

impl Needs {
    /// The most, of a guest that does not tell.
    pub(crate) const UNKNOWN: Self = Self { memories: defaults::MEMORIES, tables: 0 };

    /// Pool slots. Each has one linear memory and a few tables.
    pub(crate) fn slots(self) -> u32 {
        self.memories.max(self.tables.div_ceil(defaults::TABLES_PER_SLOT)).max(1)
    }
}

impl From<ResourcesRequired> for Needs {
    fn from(needs: ResourcesRequired) -> Self {
        Self { memories: needs.num_memories, tables: needs.num_tables }
    }
}

impl Add for Needs {
    type Output = Self;

    fn add(self, other: Self) -> Self {
        Self { memories: self.memories + other.memories, tables: self.tables + other.tables }
    }
}

/// The artefacts that are open, least recently used out first.
pub(crate) fn cache(
    capacity: u64,
    idle: Duration,
    metrics: Arc<Metrics>,
) -> Cache<Digest, Arc<Opened>> {
    Cache::builder()
        .max_capacity(capacity)
        .time_to_idle(idle)
        .eviction_policy(EvictionPolicy::lru())
        .eviction_listener(move |_, _, _| {
            metrics.open_artefacts.dec();
        })
        .build()
}
