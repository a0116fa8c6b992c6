//! `Config`: what this machine lets guests have.

use std::{path::PathBuf, time::Duration};

use headgate_types::ByteSize;
use tokio::sync::Semaphore;

use crate::defaults;

/// Settings of one [`Executor`](crate::Executor). Start from [`Config::new`] and change what differs.
#[derive(Debug, Clone)]
pub struct Config {
    /// Where native artefacts are kept. Only this process's user may be able to write there.
    pub native_dir: PathBuf,
    /// Guests that run at once; 4 GiB of address space each.
    pub instances: u32,
    /// Requests that wait for one of them, over all functions.
    pub pool_queue: u32,
    /// Guests that compute at once: as many as there are threads to poll them.
    pub workers: usize,
    /// What [`InvokeError::Busy`](crate::InvokeError::Busy) suggests.
    pub retry_after: Duration,
    /// Artefacts held open at once.
    pub open_artefacts: u64,
    /// An artefact that was not called for this long is closed.
    pub artefact_idle: Duration,
    /// An instance that was started ahead and taken by no request for this long is dropped.
    pub prepared_idle: Duration,
    /// The largest guest that is compiled.
    pub artefact_size: ByteSize,
    /// Compilations at once.
    pub compilations: usize,
    /// How often guests are interrupted to share their worker and to look at their deadline.
    pub epoch_tick: Duration,
    /// Bytes of a response head.
    pub response_head: usize,
    /// Fields of a response head.
    pub response_fields: usize,
    /// Bytes of a core guest's response that are held back until it returns or flushes.
    pub response_buffer: usize,
    /// Bytes after which a log line is cut.
    pub log_line: usize,
    /// Bytes of output one request may log.
    pub log_request: usize,
    /// Calls out and lookups one request may make.
    pub calls: u32,
    /// Calls out one request may have under way; more wait for their turn.
    pub calls_at_once: usize,
    /// Calls out that all instances of one function may have under way.
    pub function_calls_at_once: usize,
}

impl Config {
    pub fn new(native_dir: impl Into<PathBuf>) -> Self {
        Self {
            native_dir: native_dir.into(),
            instances: defaults::INSTANCES,
            pool_queue: defaults::POOL_QUEUE,
            workers: std::thread::available_parallelism().map_or(1, usize::from),
            retry_after: defaults::RETRY_AFTER,
            open_artefacts: defaults::OPEN_ARTEFACTS,
            artefact_idle: defaults::ARTEFACT_IDLE,
            prepared_idle: defaults::PREPARED_IDLE,
            artefact_size: defaults::ARTEFACT_SIZE,
            compilations: defaults::COMPILATIONS,
            epoch_tick: defaults::EPOCH_TICK,
            response_head: defaults::RESPONSE_HEAD,
            response_fields: defaults::RESPONSE_FIELDS,
            response_buffer: defaults::RESPONSE_BUFFER,
            log_line: defaults::LOG_LINE,
            log_request: defaults::LOG_REQUEST,
            calls: defaults::CALLS,
            calls_at_once: defaults::CALLS_AT_ONCE,
            function_calls_at_once: defaults::FUNCTION_CALLS_AT_ONCE,
        }
    }

    pub(crate) fn turns(&self) -> usize {
        self.workers.clamp(1, Semaphore::MAX_PERMITS)
    }
}
