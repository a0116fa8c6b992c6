//! The gateway's own metrics; every crate brings its own, all in the one registry that `app` passes down.
//!
//! What is counted for every request is a plain array of atomics, indexed by what is known anyway: no
//! lock, no hash, no allocation on the way of an answer.

mod requests;

use std::sync::{
    Arc,
    atomic::{AtomicI64, AtomicU64},
};

use headgate_types::Generation;
use prometheus_client::{
    encoding::EncodeLabelSet,
    metrics::{counter::Counter, family::Family, gauge::Gauge, info::Info},
    registry::{Registry, Unit},
};

pub use self::requests::{RequestKind, Requests};

#[derive(Debug)]
pub struct Metrics {
    pub(crate) requests: Arc<Requests>,
    generation: Gauge<i64, AtomicI64>,
    deploys: Family<ResultLabel, Counter>,
    switches: Family<ResultLabel, Counter>,
    pinned: Gauge<i64, AtomicI64>,
    snapshot_seconds: Gauge<f64, AtomicU64>,
    globals_bytes: Gauge<i64, AtomicI64>,
    globals_batches: Family<ResultLabel, Counter>,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct ResultLabel {
    result: &'static str,
}

impl Metrics {
    /// Registers everything; `headgate` is the caller's prefix.
    pub fn register(registry: &mut Registry) -> Arc<Self> {
        let metrics = Self {
            requests: Arc::default(),
            generation: Gauge::default(),
            deploys: Family::default(),
            switches: Family::default(),
            pinned: Gauge::default(),
            snapshot_seconds: Gauge::default(),
            globals_bytes: Gauge::default(),
            globals_batches: Family::default(),
        };
        let build = Info::new(vec![("version", env!("CARGO_PKG_VERSION"))]);
        registry.register("build", "The running binary", build);
        registry.register_collector(Box::new(metrics.requests.clone()));
        registry.register(
            "project_generation",
            "Snapshots published since the start",
            metrics.generation.clone(),
        );
        registry.register("project_deploys", "Revisions seen", metrics.deploys.clone());
        registry.register(
            "project_switches",
            "Times an operator asked for a rollback, a pin or to follow again",
            metrics.switches.clone(),
        );
        registry.register(
            "project_pinned",
            "Branches held at what is served of them",
            metrics.pinned.clone(),
        );
        registry.register_with_unit(
            "project_snapshot_build",
            "Time the last snapshot took to build",
            Unit::Seconds,
            metrics.snapshot_seconds.clone(),
        );
        registry.register_with_unit(
            "globals_kept",
            "Values of functions, names included",
            Unit::Bytes,
            metrics.globals_bytes.clone(),
        );
        registry.register(
            "globals_batches",
            "Times values of functions were written",
            metrics.globals_batches.clone(),
        );
        Arc::new(metrics)
    }

    pub(crate) fn published(&self, generation: Generation, seconds: f64) {
        self.generation.set(i64::try_from(generation.0).unwrap_or(i64::MAX));
        self.snapshot_seconds.set(seconds);
    }

    /// `result` is `accepted`, `refused` or `failed`.
    pub(crate) fn deployed(&self, result: &'static str) {
        self.deploys.get_or_create(&ResultLabel { result }).inc();
    }

    /// `result` is `served`, `refused` or `failed`.
    pub(crate) fn switched(&self, result: &'static str) {
        self.switches.get_or_create(&ResultLabel { result }).inc();
    }

    pub(crate) fn values_kept(&self, bytes: usize) {
        self.globals_bytes.set(i64::try_from(bytes).unwrap_or(i64::MAX));
    }

    /// `result` is `written` or `failed`.
    pub(crate) fn values_written(&self, result: &'static str) {
        self.globals_batches.get_or_create(&ResultLabel { result }).inc();
    }

    pub(crate) fn pinned(&self, branches: usize) {
        self.pinned.set(i64::try_from(branches).unwrap_or(i64::MAX));
    }
}
