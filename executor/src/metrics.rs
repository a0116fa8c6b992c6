//! Counters of this crate. Labels come from closed sets; per-function figures belong to the access log.

use std::time::Duration;

use prometheus_client::{
    encoding::EncodeLabelSet,
    metrics::{counter::Counter, family::Family, gauge::Gauge, histogram::Histogram},
    registry::{Registry, Unit},
};

use crate::error::TrapReason;

/// How an instance came to be ready for its event.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Start {
    /// It has nothing to run before its event.
    None,
    /// It began from a snapshot of its start-up.
    Snapshot,
    /// Its start-up ran within the request.
    Cold,
    /// Its start-up ran before the request came.
    Warm,
}

const STARTS: [(Start, &str); 4] = [
    (Start::None, "none"),
    (Start::Snapshot, "snapshot"),
    (Start::Cold, "cold"),
    (Start::Warm, "warm"),
];

impl Start {
    /// As metrics and logs call it.
    pub fn label(self) -> &'static str {
        STARTS[self.index()].1
    }

    fn index(self) -> usize {
        STARTS.iter().position(|(known, _)| *known == self).expect("every start is listed")
    }
}

/// How an invocation ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Outcome {
    Ok,
    /// Refused before a guest ran.
    Busy,
    /// Not tried, because the function only trapped lately.
    Resting,
    Deadline,
    Trap,
    /// The guest returned without an answer, or with one that cannot be sent.
    Refused,
    /// The body ended before it was complete.
    Partial,
    /// The client left, or the answer was dropped for another reason.
    Cancelled,
    /// The artefact could not be opened.
    Artefact,
}

const OUTCOMES: [(Outcome, &str); 9] = [
    (Outcome::Ok, "ok"),
    (Outcome::Busy, "busy"),
    (Outcome::Resting, "resting"),
    (Outcome::Deadline, "deadline"),
    (Outcome::Trap, "trap"),
    (Outcome::Refused, "refused"),
    (Outcome::Partial, "partial"),
    (Outcome::Cancelled, "cancelled"),
    (Outcome::Artefact, "artefact"),
];

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct ResultLabel {
    result: &'static str,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct StartLabel {
    start: &'static str,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct ReasonLabel {
    reason: &'static str,
}

/// Register once per executor; `headgate_executor_` is the caller's prefix.
#[derive(Debug)]
pub struct Metrics {
    /// One counter per outcome, resolved here so that a request never looks up a label.
    invocations: [Counter; OUTCOMES.len()],
    starts: [Counter; STARTS.len()],
    start_durations: [Histogram; STARTS.len()],
    queue_duration: Histogram,
    traps: Family<ReasonLabel, Counter>,
    compiles: Family<ResultLabel, Counter>,
    compile_duration: Histogram,
    pub(crate) in_flight: Gauge,
    pub(crate) queued: Gauge,
    pub(crate) prepared: Gauge,
    pub(crate) open_artefacts: Gauge,
    pub(crate) memory_refusals: Counter,
    /// Functions that began to rest.
    pub(crate) rests: Counter,
}

impl Metrics {
    pub fn new(registry: &mut Registry) -> Self {
        let invocations = Family::<ResultLabel, Counter>::default();
        registry.register("invocations", "Invocations by result", invocations.clone());
        let starts = Family::<StartLabel, Counter>::default();
        registry.register("starts", "Instances by how they were started", starts.clone());
        let start_durations =
            Family::<StartLabel, Histogram>::new_with_constructor(start_histogram);
        registry.register_with_unit(
            "start_duration",
            "Time until an instance was ready for its event; of warm ones, before its request came",
            Unit::Seconds,
            start_durations.clone(),
        );
        let metrics = Self {
            invocations: OUTCOMES
                .map(|(_, result)| invocations.get_or_create_owned(&ResultLabel { result })),
            starts: STARTS.map(|(_, start)| starts.get_or_create_owned(&StartLabel { start })),
            start_durations: STARTS
                .map(|(_, start)| start_durations.get_or_create_owned(&StartLabel { start })),
            // A slot that is just being freed, up to the deadline of a function.
            queue_duration: Histogram::new([0.001, 0.005, 0.025, 0.1, 0.5, 2.5, 10.0]),
            traps: Family::default(),
            compiles: Family::default(),
            // 10 ms for a hello, tens of seconds for an interpreter on a slow machine.
            compile_duration: Histogram::new([0.01, 0.05, 0.25, 1.0, 5.0, 25.0, 125.0]),
            in_flight: Gauge::default(),
            queued: Gauge::default(),
            prepared: Gauge::default(),
            open_artefacts: Gauge::default(),
            memory_refusals: Counter::default(),
            rests: Counter::default(),
        };
        registry.register("traps", "Guests that trapped, by reason", metrics.traps.clone());
        registry.register("compiles", "Artefacts asked for, by result", metrics.compiles.clone());
        registry.register_with_unit(
            "compile_duration",
            "Time to compile one artefact",
            Unit::Seconds,
            metrics.compile_duration.clone(),
        );
        registry.register_with_unit(
            "queue_duration",
            "Time that requests waited for a slot, of those that had to",
            Unit::Seconds,
            metrics.queue_duration.clone(),
        );
        registry.register("in_flight", "Guests running now", metrics.in_flight.clone());
        registry.register("queued", "Requests waiting for a guest", metrics.queued.clone());
        registry.register(
            "prepared",
            "Instances started ahead, waiting for a request",
            metrics.prepared.clone(),
        );
        registry.register("open_artefacts", "Artefacts held open", metrics.open_artefacts.clone());
        registry.register(
            "memory_refusals",
            "Guests that asked for more memory than they may have",
            metrics.memory_refusals.clone(),
        );
        registry.register(
            "rests",
            "Functions that were left alone for a while, because every call trapped",
            metrics.rests.clone(),
        );
        metrics
    }

    pub(crate) fn invocation(&self, outcome: Outcome) {
        let index = OUTCOMES.iter().position(|(known, _)| *known == outcome);
        self.invocations[index.expect("every outcome is listed")].inc();
    }

    pub(crate) fn start(&self, start: Start) {
        self.starts[start.index()].inc();
    }

    pub(crate) fn started(&self, start: Start, took: Duration) {
        self.start_durations[start.index()].observe(took.as_secs_f64());
    }

    pub(crate) fn queued_for(&self, took: Duration) {
        self.queue_duration.observe(took.as_secs_f64());
    }

    pub(crate) fn trap(&self, reason: TrapReason) {
        self.traps.get_or_create(&ReasonLabel { reason: reason.label() }).inc();
    }

    pub(crate) fn compiled(&self, result: &'static str, took: Option<Duration>) {
        self.compiles.get_or_create(&ResultLabel { result }).inc();
        if let Some(took) = took {
            self.compile_duration.observe(took.as_secs_f64());
        }
    }
}

/// From an empty instance, some microseconds, to the start of an interpreter on a slow machine.
fn start_histogram() -> Histogram {
    Histogram::new([0.000_01, 0.000_03, 0.000_1, 0.000_3, 0.001, 0.01, 0.1, 1.0])
}
