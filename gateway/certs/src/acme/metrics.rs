//! `Metrics` of certificates: when they end, and how orders ended.

use std::sync::Arc;

use prometheus_client::{
    encoding::EncodeLabelSet,
    metrics::{counter::Counter, family::Family, gauge::Gauge},
    registry::{Registry, Unit},
};

/// Made once by [`Metrics::register`] and passed by `Arc`.
#[derive(Debug, Default)]
pub struct Metrics {
    pub(crate) not_after: Family<NameLabel, Gauge>,
    pub(crate) orders: Family<ResultLabel, Counter>,
    pub(crate) wanted: Gauge,
    pub(crate) missing: Gauge,
    pub(crate) failing: Gauge,
    pub(crate) under_way: Gauge,
    pub(crate) limits: Family<LimitLabel, Gauge>,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
pub(crate) struct NameLabel {
    pub(crate) name: String,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
pub(crate) struct ResultLabel {
    pub(crate) result: &'static str,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
pub(crate) struct LimitLabel {
    pub(crate) limit: &'static str,
}

impl Metrics {
    /// Registers all under `certs`. `registry` carries the prefix of the program.
    pub fn register(registry: &mut Registry) -> Arc<Self> {
        let metrics = Self::default();
        let certs = registry.sub_registry_with_prefix("certs");
        certs.register_with_unit(
            "not_after_timestamp",
            "When the certificate of the name ends",
            Unit::Seconds,
            metrics.not_after.clone(),
        );
        certs.register("orders", "Orders by how they ended", metrics.orders.clone());
        certs.register("wanted", "Certificates that are to be there", metrics.wanted.clone());
        certs.register(
            "missing",
            "Of those, the ones without a valid certificate",
            metrics.missing.clone(),
        );
        certs.register("failing", "Certificates whose last order failed", metrics.failing.clone());
        certs.register("orders_under_way", "Orders that are not done", metrics.under_way.clone());
        certs.register(
            "limit_used_percent",
            "The fullest of each limit of the authority",
            metrics.limits.clone(),
        );
        Arc::new(metrics)
    }
}
