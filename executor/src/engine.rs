//! The wasmtime engines of a process, and the thread that makes their time pass.
//!
//! There are two, alike but for one setting: whether calls of a component may run side by side. Guests of
//! wasi:http 0.3 need that, and to others its bookkeeping costs as much again as a third of their whole call.

use std::{
    num::NonZeroUsize,
    sync::mpsc::{RecvTimeoutError, SyncSender, sync_channel},
    thread::{self, JoinHandle},
    time::Duration,
};

use wasmtime::{Enabled, Engine, EngineWeak, InstanceAllocationStrategy, PoolingAllocationConfig};

use crate::{config::Config, defaults};

/// Who runs what.
#[derive(Clone)]
pub(crate) struct Engines {
    /// Core modules, and components of 0.2.
    pub(crate) plain: Engine,
    /// Components of 0.3.
    pub(crate) concurrent: Engine,
}

impl Engines {
    pub(crate) fn open(config: &Config) -> wasmtime::Result<Self> {
        Ok(Self { plain: open(config, false)?, concurrent: open(config, true)? })
    }

    /// The one that is tried first is first.
    pub(crate) fn all(&self) -> [&Engine; 2] {
        [&self.plain, &self.concurrent]
    }
}

/// Builds an engine. Everything here but the pool's counts is part of a native artefact's compatibility hash.
fn open(config: &Config, concurrent: bool) -> wasmtime::Result<Engine> {
    let mut engine = wasmtime::Config::new();
    engine
        .allocation_strategy(InstanceAllocationStrategy::Pooling(pool(config)))
        .epoch_interruption(true)
        .max_wasm_stack(defaults::WASM_STACK)
        .async_stack_size(defaults::FIBRE_STACK)
        // A trap names its functions. Files and lines are left out. They need a map that makes every artefact a
        // good tenth larger, and what toolchains emit by default has none of what they are looked up in; where it
        // has, a guest would decide how long the host reads it, for each frame of each trap, outside its deadline.
        .wasm_backtrace_max_frames(NonZeroUsize::new(defaults::BACKTRACE_FRAMES))
        .generate_address_map(false)
        // Only native debuggers use it, and registering it is slow once thousands of artefacts were open.
        .native_unwind_info(false)
        .concurrency_support(concurrent)
        // Pointers of both guest ABIs are 32 bits wide.
        .wasm_memory64(false)
        .memory_init_cow(true);
    if concurrent {
        engine.wasm_component_model_async(true);
    }
    Engine::new(&engine)
}

fn pool(config: &Config) -> PoolingAllocationConfig {
    let instances = config.instances.max(1);
    let mut pool = PoolingAllocationConfig::new();
    pool.total_stacks(instances)
        .total_component_instances(instances)
        .total_core_instances(instances.saturating_mul(defaults::CORE_INSTANCES))
        .total_memories(instances.max(defaults::MEMORIES))
        .total_tables(instances.saturating_mul(defaults::TABLES_PER_SLOT).max(defaults::TABLES))
        .max_core_instances_per_component(defaults::CORE_INSTANCES)
        .max_memories_per_component(defaults::MEMORIES)
        .max_tables_per_component(defaults::TABLES)
        .max_memories_per_module(defaults::MEMORIES)
        .max_tables_per_module(defaults::TABLES_PER_MODULE)
        .table_elements(defaults::TABLE_ELEMENTS)
        .max_memory_size(4 << 30)
        .max_unused_warm_slots(defaults::WARM_SLOTS.min(instances))
        .linear_memory_keep_resident(defaults::MEMORY_KEEP_RESIDENT)
        .table_keep_resident(defaults::TABLE_KEEP_RESIDENT)
        // Where the kernel can tell which pages were written, only those are cleared.
        .pagemap_scan(Enabled::Auto);
    pool
}

/// Advances the epoch until it is dropped. It holds the engines weakly, so it never keeps one alive.
#[derive(Debug)]
pub(crate) struct Ticker {
    /// Dropping the sender ends the thread at once, without waiting for its tick.
    stop: Option<SyncSender<()>>,
    thread: Option<JoinHandle<()>>,
}

impl Ticker {
    /// Ticks each `tick` while `busy` says that guests run, and ten times slower while none does: a node at
    /// rest is hardly woken, and a guest that starts then is noticed within ten ticks.
    pub(crate) fn start(
        engines: &Engines,
        tick: Duration,
        busy: impl Fn() -> bool + Send + 'static,
    ) -> std::io::Result<Self> {
        let (stop, stopped) = sync_channel(0);
        let engines: [EngineWeak; 2] = engines.all().map(Engine::weak);
        let pause = move || if busy() { tick } else { tick * 10 };
        let thread = thread::Builder::new().name("wasm-epoch".to_owned()).spawn(move || {
            while stopped.recv_timeout(pause()) == Err(RecvTimeoutError::Timeout) {
                for engine in &engines {
                    let Some(engine) = engine.upgrade() else { return };
                    engine.increment_epoch();
                }
            }
        })?;
        Ok(Self { stop: Some(stop), thread: Some(thread) })
    }
}

impl Drop for Ticker {
    fn drop(&mut self) {
        drop(self.stop.take());
        if let Some(thread) = self.thread.take() {
            // The thread cannot panic; if it did, there is nobody left to tell.
            _ = thread.join();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_dropped_ticker_has_ended() {
        let engines = Engines { plain: Engine::default(), concurrent: Engine::default() };
        let ticker = Ticker::start(&engines, Duration::from_secs(3600), || true).unwrap();
        drop(ticker); // would hang for an hour otherwise
    }
}
