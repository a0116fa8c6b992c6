//! Artefacts in use: opened on first call, closed when nobody calls them any more.

use std::{io, sync::Arc, time::Duration};

use bytes::Bytes;
use headgate_types::Digest;
use moka::{policy::EvictionPolicy, sync::Cache};
use wasmtime_wasi_http::p2::bindings::ProxyPre;

use crate::{component, core, defaults, metrics::Metrics};

/// Where raw artefacts come from. Asked only when the native one was lost, off the request's thread.
pub trait Artefacts: Send + Sync + 'static {
    /// The wasm whose digest this is.
    fn read(&self, digest: Digest) -> io::Result<Bytes>;
}

/// An artefact ready to be instantiated: imports resolved, entries found.
pub(crate) enum Opened {
    Component { pre: ProxyPre<component::State>, weight: u32 },
    Core(core::CoreModule),
}

impl Opened {
    /// Pool slots an instance takes. A slot has one linear memory and a few tables.
    pub(crate) fn weight(&self) -> u32 {
        match self {
            Self::Component { weight, .. } => *weight,
            Self::Core(_) => 1,
        }
    }
}

/// Slots for a component with these needs; the most, if it does not tell.
pub(crate) fn weight(needs: Option<wasmtime::ResourcesRequired>) -> u32 {
    needs.map_or(defaults::MEMORIES, |needs| {
        needs.num_memories.max(needs.num_tables.div_ceil(defaults::TABLES_PER_SLOT)).max(1)
    })
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
