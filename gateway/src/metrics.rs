//! The gateway's own metrics; every crate brings its own, all in the one registry that `app` passes down.

use std::sync::{Arc, atomic::AtomicU64};

use headgate_types::{Generation, MethodSet};
use pingora_proxy::Session;
use prometheus_client::{
    encoding::EncodeLabelSet,
    metrics::{counter::Counter, family::Family, gauge::Gauge, histogram::Histogram, info::Info},
    registry::{Registry, Unit},
};

use crate::{proxy::RequestContext, snapshot::Target};

/// From a memory lookup to a guest's default deadline, in seconds.
const BUCKETS: [f64; 12] =
    [0.000_1, 0.000_5, 0.001, 0.002_5, 0.005, 0.01, 0.025, 0.1, 0.25, 1.0, 5.0, 30.0];

#[derive(Debug)]
pub struct Metrics {
    requests: Family<RequestLabels, Counter>,
    duration: Family<KindLabel, Histogram, fn() -> Histogram>,
    generation: Gauge<i64, std::sync::atomic::AtomicI64>,
    deploys: Family<DeployLabel, Counter>,
    snapshot_seconds: Gauge<f64, AtomicU64>,
}

/// Every label comes from a closed set: no path, host or address from the wire.
#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct RequestLabels {
    kind: &'static str,
    method: &'static str,
    status: u16,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct KindLabel {
    kind: &'static str,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct DeployLabel {
    result: &'static str,
}

impl Metrics {
    pub fn register(registry: &mut Registry) -> Arc<Self> {
        let metrics = Self {
            requests: Family::default(),
            duration: Family::new_with_constructor(|| Histogram::new(BUCKETS)),
            generation: Gauge::default(),
            deploys: Family::default(),
            snapshot_seconds: Gauge::default(),
        };
        let build = Info::new(vec![("version", env!("CARGO_PKG_VERSION"))]);
        registry.register("build", "The running binary", build);
        registry.register("http_requests", "Answered requests", metrics.requests.clone());
        registry.register_with_unit(
            "http_request_duration",
            "From the request's head to the answer's end",
            Unit::Seconds,
            metrics.duration.clone(),
        );
        registry.register(
            "project_generation",
            "Snapshots published since the start",
            metrics.generation.clone(),
        );
        registry.register("project_deploys", "Revisions seen", metrics.deploys.clone());
        registry.register_with_unit(
            "project_snapshot_build",
            "Time the last snapshot took to build",
            Unit::Seconds,
            metrics.snapshot_seconds.clone(),
        );
        Arc::new(metrics)
    }

    pub(crate) fn request(&self, session: &Session, ctx: &RequestContext) {
        let kind = match ctx.route.as_ref().map(|route| &route.target) {
            Some(Target::Function(_)) => "function",
            Some(Target::Website(_)) => "website",
            None => "none",
        };
        let method = MethodSet::of(session.req_header().method.as_str())
            .and_then(|method| method.iter().next())
            .unwrap_or("other");
        let status = session.response_written().map_or(0, |head| head.status.as_u16());
        self.requests.get_or_create(&RequestLabels { kind, method, status }).inc();
        let elapsed = ctx.started.elapsed().as_secs_f64();
        self.duration.get_or_create(&KindLabel { kind }).observe(elapsed);
    }

    pub(crate) fn published(&self, generation: Generation, seconds: f64) {
        self.generation.set(i64::try_from(generation.0).unwrap_or(i64::MAX));
        self.snapshot_seconds.set(seconds);
    }

    /// `result` is `accepted`, `refused` or `failed`.
    pub(crate) fn deployed(&self, result: &'static str) {
        self.deploys.get_or_create(&DeployLabel { result }).inc();
    }
}
