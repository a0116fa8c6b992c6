//! `Requests`: how many, how answered, how long. Written by every request, read by a scrape.

use std::{
    fmt,
    sync::atomic::{AtomicU64, Ordering::Relaxed},
    time::Duration,
};

use headgate_types::methods::METHODS;
use http::StatusCode;
use prometheus_client::{
    collector::Collector, encoding::DescriptorEncoder, metrics::MetricType, registry::Unit,
};

/// What answered.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RequestKind {
    Function,
    Website,
    /// The gateway itself: no route, or no valid request.
    Gateway,
}

const KINDS: [&str; 3] = ["function", "website", "gateway"];

/// One for each method a route can have, and one for all others.
const METHOD_LABELS: usize = METHODS.len() + 1;

/// Codes that are told apart; guests choose codes, so the rest is counted by its class.
const CODES: [u16; 25] = [
    200, 201, 202, 204, 206, 301, 302, 303, 304, 307, 308, 400, 401, 403, 404, 405, 408, 413, 416,
    429, 500, 502, 503, 504, 508,
];
const CLASSES: [&str; 6] = ["none", "1xx", "2xx", "3xx", "4xx", "5xx"];
const STATUS_LABELS: usize = CODES.len() + CLASSES.len();

/// From a lookup in memory to a guest's usual deadline, in microseconds.
const BOUNDS: [u64; 12] = [
    100, 500, 1_000, 2_500, 5_000, 10_000, 25_000, 100_000, 250_000, 1_000_000, 5_000_000,
    30_000_000,
];

pub struct Requests {
    counts: [[[AtomicU64; STATUS_LABELS]; METHOD_LABELS]; KINDS.len()],
    durations: [Durations; KINDS.len()],
}

#[derive(Default)]
struct Durations {
    /// The last one is for what is over every bound.
    buckets: [AtomicU64; BOUNDS.len() + 1],
    micros: AtomicU64,
}

impl Requests {
    /// `status` is `None` if the client left before it was answered.
    pub(crate) fn count(
        &self,
        kind: RequestKind,
        method: &str,
        status: Option<StatusCode>,
        took: Duration,
    ) {
        let method = METHODS.iter().position(|name| *name == method).unwrap_or(METHODS.len());
        self.counts[kind as usize][method][status_label(status)].fetch_add(1, Relaxed);
        let micros = u64::try_from(took.as_micros()).unwrap_or(u64::MAX);
        let durations = &self.durations[kind as usize];
        durations.buckets[BOUNDS.partition_point(|bound| *bound < micros)].fetch_add(1, Relaxed);
        durations.micros.fetch_add(micros, Relaxed);
    }
}

fn status_label(status: Option<StatusCode>) -> usize {
    let code = status.map_or(0, |status| status.as_u16());
    let class = usize::from(code / 100).min(CLASSES.len() - 1);
    CODES.binary_search(&code).unwrap_or(CODES.len() + class)
}

impl Default for Requests {
    fn default() -> Self {
        Self {
            counts: std::array::from_fn(|_| {
                std::array::from_fn(|_| std::array::from_fn(|_| AtomicU64::new(0)))
            }),
            durations: Default::default(),
        }
    }
}

impl fmt::Debug for Requests {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Requests")
    }
}

impl Collector for Requests {
    fn encode(&self, mut encoder: DescriptorEncoder<'_>) -> fmt::Result {
        let help = "Answered requests";
        let mut counters =
            encoder.encode_descriptor("http_requests", help, None, MetricType::Counter)?;
        for (kind, methods) in KINDS.iter().zip(&self.counts) {
            for (method, statuses) in METHODS.iter().chain(&["other"]).zip(methods) {
                for (status, count) in statuses.iter().enumerate() {
                    let count = count.load(Relaxed);
                    if count > 0 {
                        let status = status_text(status);
                        let labels = [("kind", *kind), ("method", *method), ("status", &*status)];
                        let mut counter = counters.encode_family(&labels)?;
                        counter.encode_counter::<[(&str, &str); 0], _, f64>(&count, None)?;
                    }
                }
            }
        }
        let help = "From the request's head to the answer's end";
        let mut histograms = encoder.encode_descriptor(
            "http_request_duration",
            help,
            Some(&Unit::Seconds),
            MetricType::Histogram,
        )?;
        for (kind, durations) in KINDS.iter().zip(&self.durations) {
            let bounds = BOUNDS.iter().map(|micros| seconds(*micros)).chain([f64::INFINITY]);
            let counts = durations.buckets.iter().map(|bucket| bucket.load(Relaxed));
            let buckets: Vec<_> = bounds.zip(counts).collect();
            let count = buckets.iter().map(|(_, count)| count).sum();
            let sum = seconds(durations.micros.load(Relaxed));
            let labels = [("kind", *kind)];
            let mut histogram = histograms.encode_family(&labels)?;
            histogram.encode_histogram::<[(&str, &str); 0]>(sum, count, &buckets, None)?;
        }
        Ok(())
    }
}

fn status_text(label: usize) -> String {
    match CODES.get(label) {
        Some(code) => code.to_string(),
        None => CLASSES[label - CODES.len()].to_owned(),
    }
}

#[expect(clippy::cast_precision_loss, reason = "exact up to 285 years")]
fn seconds(micros: u64) -> f64 {
    micros as f64 / 1e6
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use prometheus_client::{encoding::text::encode, registry::Registry};

    use super::*;

    fn encoded(requests: Requests) -> String {
        let mut registry = Registry::with_prefix("headgate");
        registry.register_collector(Box::new(Arc::new(requests)));
        let mut text = String::new();
        encode(&mut text, &registry).unwrap();
        text
    }

    #[test]
    fn requests_are_told_apart_by_kind_method_and_status() {
        let requests = Requests::default();
        let brief = Duration::from_micros(80);
        requests.count(RequestKind::Function, "GET", Some(StatusCode::OK), brief);
        requests.count(RequestKind::Function, "GET", Some(StatusCode::OK), brief);
        requests.count(RequestKind::Gateway, "BREW", Some(StatusCode::IM_A_TEAPOT), brief);
        requests.count(RequestKind::Website, "HEAD", None, brief);
        let text = encoded(requests);
        for line in [
            r#"headgate_http_requests_total{kind="function",method="GET",status="200"} 2"#,
            r#"headgate_http_requests_total{kind="gateway",method="other",status="4xx"} 1"#,
            r#"headgate_http_requests_total{kind="website",method="HEAD",status="none"} 1"#,
        ] {
            assert!(text.contains(line), "{line} is missing in\n{text}");
        }
    }

    #[test]
    fn durations_fall_into_the_bucket_that_holds_them() {
        let requests = Requests::default();
        for micros in [100, 101, 60_000_000] {
            let took = Duration::from_micros(micros);
            requests.count(RequestKind::Website, "GET", Some(StatusCode::OK), took);
        }
        let text = encoded(requests);
        let bucket = |bound: &str, count: u32| {
            let name = "headgate_http_request_duration_seconds_bucket";
            format!(r#"{name}{{le="{bound}",kind="website"}} {count}"#)
        };
        for line in [bucket("0.0001", 1), bucket("0.0005", 2), bucket("30.0", 2), bucket("+Inf", 3)]
        {
            assert!(text.contains(&line), "{line} is missing in\n{text}");
        }
    }
}
