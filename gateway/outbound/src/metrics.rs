//! `Metrics` of calls out. Labels come from closed sets; whom a guest calls is in its function's log.

use prometheus_client::{
    encoding::EncodeLabelSet,
    metrics::{counter::Counter, family::Family, gauge::Gauge},
    registry::Registry,
};

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct ResultLabel {
    result: &'static str,
}

/// Made once by [`Metrics::new`] and passed by `Arc`; `headgate_outbound_` is the caller's prefix.
#[derive(Debug)]
pub struct Metrics {
    calls: Family<ResultLabel, Counter>,
    pub(crate) connections_opened: Counter,
    pub(crate) connections: Gauge,
}

impl Metrics {
    pub fn new(registry: &mut Registry) -> Self {
        let metrics = Self {
            calls: Family::default(),
            connections_opened: Counter::default(),
            connections: Gauge::default(),
        };
        registry.register("calls", "Calls of guests, by result", metrics.calls.clone());
        let opened = "Connections made for calls of guests";
        registry.register("connections_opened", opened, metrics.connections_opened.clone());
        let open = "Connections for calls of guests that are open, idle ones included";
        registry.register("connections", open, metrics.connections.clone());
        metrics
    }

    pub(crate) fn called(&self, result: &'static str) {
        self.calls.get_or_create(&ResultLabel { result }).inc();
    }
}
