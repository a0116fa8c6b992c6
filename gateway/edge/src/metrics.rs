//! `Metrics` of the edge: connections, handshakes, refusals, bytes.

use std::sync::Arc;

use prometheus_client::{
    encoding::EncodeLabelSet,
    metrics::{counter::Counter, family::Family, gauge::Gauge},
    registry::{Registry, Unit},
};

use crate::{info::ConnectionInfo, refusal::Refusal};

/// Made once by [`Metrics::register`] and passed by `Arc`.
#[derive(Debug, Default)]
pub struct Metrics {
    connections: Family<ConnectionLabels, Counter>,
    open: Family<KindLabels, Gauge>,
    handshakes: Family<ResultLabels, Counter>,
    rejected: Family<ReasonLabels, Counter>,
    accept_errors: Counter,
    received: Family<KindLabels, Counter>,
    sent: Family<KindLabels, Counter>,
}

/// What kind of connection: a metric label.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) enum Kind {
    Plain,
    Tls,
}

/// How a connection ended: a metric label.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) enum Ending {
    /// Either side closed it as HTTP allows.
    Closed,
    /// The edge refused a request or cut it for a limit.
    Refused,
    /// Its handshake failed.
    Handshake,
    /// The drain's deadline cut it.
    Cut,
    /// Its task panicked.
    Panicked,
}

/// How a TLS handshake ended: a metric label.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) enum Handshake {
    Completed,
    /// `acme-tls/1`: the handshake was all there was to it.
    Challenge,
    /// Nobody has a configuration for the ClientHello.
    UnknownName,
    Failed,
    Timeout,
}

impl Metrics {
    /// Registers all under `edge`. `registry` carries the prefix of the program.
    pub fn register(registry: &mut Registry) -> Arc<Self> {
        let metrics = Self::default();
        let edge = registry.sub_registry_with_prefix("edge");
        edge.register("connections", "Client connections that ended", metrics.connections.clone());
        edge.register("connections_open", "Client connections that are open", metrics.open.clone());
        edge.register("handshakes", "TLS handshakes", metrics.handshakes.clone());
        edge.register(
            "rejected",
            "Connections and requests turned away by a limit",
            metrics.rejected.clone(),
        );
        edge.register("accept_errors", "Failed accepts", metrics.accept_errors.clone());
        let received = "Bytes read from clients, TLS included";
        edge.register_with_unit("received", received, Unit::Bytes, metrics.received.clone());
        let sent = "Bytes written to clients, TLS included";
        edge.register_with_unit("sent", sent, Unit::Bytes, metrics.sent.clone());
        Arc::new(metrics)
    }

    pub(crate) fn opened(&self, kind: Kind) {
        self.open.get_or_create(&KindLabels { kind: kind.label() }).inc();
    }

    pub(crate) fn ended(&self, kind: Kind, ending: Ending) {
        let kind = kind.label();
        self.open.get_or_create(&KindLabels { kind }).dec();
        self.connections.get_or_create(&ConnectionLabels { kind, result: ending.label() }).inc();
    }

    /// Bytes are counted when a connection ends, so that the hot path touches its own counters
    /// only.
    pub(crate) fn passed(&self, info: &ConnectionInfo) {
        let kind =
            KindLabels { kind: if info.tls.is_some() { Kind::Tls } else { Kind::Plain }.label() };
        self.received.get_or_create(&kind).inc_by(info.received());
        self.sent.get_or_create(&kind).inc_by(info.sent());
    }

    pub(crate) fn handshake(&self, result: Handshake) {
        self.handshakes.get_or_create(&ResultLabels { result: result.label() }).inc();
    }

    pub(crate) fn rejected(&self, refusal: Refusal) {
        self.rejected.get_or_create(&ReasonLabels { reason: refusal.label() }).inc();
    }

    pub(crate) fn accept_error(&self) {
        self.accept_errors.inc();
    }
}

impl Kind {
    fn label(self) -> &'static str {
        match self {
            Self::Plain => "plain",
            Self::Tls => "tls",
        }
    }
}

impl Ending {
    fn label(self) -> &'static str {
        match self {
            Self::Closed => "closed",
            Self::Refused => "refused",
            Self::Handshake => "handshake_failed",
            Self::Cut => "cut",
            Self::Panicked => "panicked",
        }
    }
}

impl Handshake {
    fn label(self) -> &'static str {
        match self {
            Self::Completed => "completed",
            Self::Challenge => "challenge",
            Self::UnknownName => "unknown_name",
            Self::Failed => "failed",
            Self::Timeout => "timeout",
        }
    }
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct ConnectionLabels {
    kind: &'static str,
    result: &'static str,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct KindLabels {
    kind: &'static str,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct ResultLabels {
    result: &'static str,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct ReasonLabels {
    reason: &'static str,
}
