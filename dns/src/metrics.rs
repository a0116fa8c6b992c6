//! `Metrics` of the name server: queries by zone, type and code; what was no query; what was held
//! back.

use std::{
    collections::HashMap,
    fmt,
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicU64, Ordering::Relaxed},
    },
};

use prometheus_client::{
    collector::Collector,
    encoding::{DescriptorEncoder, EncodeLabelSet},
    metrics::{MetricType, counter::Counter, family::Family, gauge::Gauge},
    registry::Registry,
};

use crate::{message::Rcode, rate_limit::Verdict, responder::Transport};

/// Made once by [`Metrics::register`] and passed by `Arc`.
#[derive(Debug, Default)]
pub struct Metrics {
    zones: Arc<ZoneTable>,
    by_transport: Family<TransportLabels, Counter>,
    malformed: Counter,
    limited: Family<ActionLabels, Counter>,
    unsent: Counter,
    connections: Gauge,
    rejected: Counter,
}

/// Counters by zone. A query adds to one number of its zone's; a map with labels would cost it more
/// than finding its answer.
#[derive(Debug, Default)]
struct ZoneTable {
    served: Mutex<HashMap<String, Arc<ZoneCounters>>>,
    off_zone: Arc<ZoneCounters>,
}

/// What is counted for one zone.
#[derive(Debug)]
pub(crate) struct ZoneCounters {
    queries: [[AtomicU64; Rcode::ALL.len()]; TYPES.len() + 1],
}

/// Labels of what became of an answer that was held back.
const SLIPPED: &str = "slip";
const DROPPED: &str = "drop";

/// Types with a label of their own; all others are `other`, because clients choose them.
const TYPES: [(u16, &str); 15] = [
    (1, "A"),
    (2, "NS"),
    (5, "CNAME"),
    (6, "SOA"),
    (12, "PTR"),
    (15, "MX"),
    (16, "TXT"),
    (28, "AAAA"),
    (33, "SRV"),
    (43, "DS"),
    (48, "DNSKEY"),
    (64, "SVCB"),
    (65, "HTTPS"),
    (255, "ANY"),
    (257, "CAA"),
];

/// What was counted, for people.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Counts {
    /// Queries answered, by the zone's origin.
    pub zones: HashMap<String, u64>,
    /// Queries within no zone, which are refused, and headers sent to what was no query.
    pub off_zone: u64,
    pub malformed: u64,
    /// Answers held back by the rate limit: told to come back otherwise, and dropped.
    pub slipped: u64,
    pub dropped: u64,
}

impl Metrics {
    /// Registers all under `dns`. `registry` carries the prefix of the program.
    pub fn register(registry: &mut Registry) -> Arc<Self> {
        let metrics = Self::default();
        let dns = registry.sub_registry_with_prefix("dns");
        dns.register_collector(Box::new(Arc::clone(&metrics.zones)));
        dns.register("transport_queries", "Queries by how they came", metrics.by_transport.clone());
        dns.register("malformed", "Packets that were no valid query", metrics.malformed.clone());
        dns.register(
            "limited",
            "Answers over UDP held back by the rate limit",
            metrics.limited.clone(),
        );
        dns.register("unsent", "Answers over UDP the kernel did not take", metrics.unsent.clone());
        dns.register(
            "connections_open",
            "Connections of TCP and TLS that are open",
            metrics.connections.clone(),
        );
        dns.register(
            "connections_rejected",
            "Connections closed at once for a limit",
            metrics.rejected.clone(),
        );
        Arc::new(metrics)
    }

    /// The counters as they stand.
    pub fn counts(&self) -> Counts {
        let limited = |action| self.limited.get_or_create(&ActionLabels { action }).get();
        let served = self.zones.served.lock().unwrap_or_else(PoisonError::into_inner);
        Counts {
            zones: served.iter().map(|(name, zone)| (name.clone(), zone.total())).collect(),
            off_zone: self.zones.off_zone.total(),
            malformed: self.malformed.get(),
            slipped: limited(SLIPPED),
            dropped: limited(DROPPED),
        }
    }

    /// Names the zones that are served. Those that were served before keep their counts, and those
    /// that are served no more lose them.
    pub(crate) fn serve_zones(
        &self,
        names: impl Iterator<Item = String>,
    ) -> HashMap<String, Arc<ZoneCounters>> {
        let mut served = self.zones.served.lock().unwrap_or_else(PoisonError::into_inner);
        *served = names
            .map(|name| {
                let counters = served.get(&name).map(Arc::clone).unwrap_or_default();
                (name, counters)
            })
            .collect();
        served.clone()
    }

    /// For queries that are within no zone.
    pub(crate) fn off_zone(&self) -> &ZoneCounters {
        &self.zones.off_zone
    }

    pub(crate) fn queries(&self, transport: Transport, count: u64) {
        let transport = transport.label();
        self.by_transport.get_or_create(&TransportLabels { transport }).inc_by(count);
    }

    pub(crate) fn malformed(&self) {
        self.malformed.inc();
    }

    pub(crate) fn limited(&self, verdict: Verdict) {
        let action = match verdict {
            Verdict::Send => return,
            Verdict::Slip => SLIPPED,
            Verdict::Drop => DROPPED,
        };
        self.limited.get_or_create(&ActionLabels { action }).inc();
    }

    pub(crate) fn unsent(&self) {
        self.unsent.inc();
    }

    pub(crate) fn opened(&self) {
        self.connections.inc();
    }

    pub(crate) fn closed(&self) {
        self.connections.dec();
    }

    pub(crate) fn rejected(&self) {
        self.rejected.inc();
    }
}

impl ZoneCounters {
    pub(crate) fn count(&self, kind: u16, rcode: Rcode) {
        let kind = TYPES.iter().position(|(number, _)| *number == kind).unwrap_or(TYPES.len());
        self.queries[kind][rcode as usize].fetch_add(1, Relaxed);
    }

    fn total(&self) -> u64 {
        self.queries.iter().flatten().map(|count| count.load(Relaxed)).sum()
    }

    fn counted(&self) -> impl Iterator<Item = (&'static str, &'static str, u64)> {
        let labels = TYPES.iter().map(|(_, label)| *label).chain(["other"]);
        labels.zip(&self.queries).flat_map(|(kind, by_rcode)| {
            let codes = Rcode::ALL.into_iter().zip(by_rcode);
            codes.map(move |(rcode, count)| (kind, rcode.label(), count.load(Relaxed)))
        })
    }
}

impl Default for ZoneCounters {
    fn default() -> Self {
        Self { queries: std::array::from_fn(|_| std::array::from_fn(|_| AtomicU64::new(0))) }
    }
}

impl Collector for ZoneTable {
    fn encode(&self, mut encoder: DescriptorEncoder<'_>) -> Result<(), fmt::Error> {
        let served = self.served.lock().unwrap_or_else(PoisonError::into_inner).clone();
        let help = "Queries that were answered";
        let mut metric = encoder.encode_descriptor("queries", help, None, MetricType::Counter)?;
        let off_zone = ("none".to_owned(), Arc::clone(&self.off_zone));
        for (zone, counters) in served.into_iter().chain([off_zone]) {
            for (kind, rcode, count) in counters.counted().filter(|(_, _, count)| *count > 0) {
                let labels = [("zone", zone.as_str()), ("type", kind), ("rcode", rcode)];
                let labels = &labels[..];
                let mut counter = metric.encode_family(&labels)?;
                counter.encode_counter::<[(&str, &str); 0], u64, u64>(&count, None)?;
            }
        }
        Ok(())
    }
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct TransportLabels {
    transport: &'static str,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct ActionLabels {
    action: &'static str,
}

#[cfg(test)]
mod tests {
    use prometheus_client::encoding::text::encode;

    use super::*;

    fn scraped(registry: &Registry) -> String {
        let mut text = String::new();
        encode(&mut text, registry).unwrap();
        text
    }

    #[test]
    fn counts_are_kept_while_a_zone_is_served() {
        let mut registry = Registry::with_prefix("headgate");
        let metrics = Metrics::register(&mut registry);
        let name = || ["example.test.".to_owned()].into_iter();
        metrics.serve_zones(name())["example.test."].count(1, Rcode::NoError);
        metrics.serve_zones(name())["example.test."].count(1, Rcode::NoError);
        metrics.off_zone().count(999, Rcode::Refused);
        let counts = metrics.counts();
        assert_eq!((counts.zones["example.test."], counts.off_zone, counts.dropped), (2, 1, 0));

        let text = scraped(&registry);
        let of_zone =
            r#"headgate_dns_queries_total{zone="example.test.",type="A",rcode="NOERROR"} 2"#;
        let of_none = r#"headgate_dns_queries_total{zone="none",type="other",rcode="REFUSED"} 1"#;
        assert!(text.contains(of_zone) && text.contains(of_none), "{text}");

        metrics.serve_zones(std::iter::empty());
        assert!(!scraped(&registry).contains("example.test."));
    }
}
