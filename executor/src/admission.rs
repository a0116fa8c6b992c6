//! Who may run now, who waits, and who is sent away.
//!
//! A request passes up to three gates: its function's (how many of it at once), its project's (how many of all its
//! functions, if the caller has such a gate) and the pool's (how many guests on this node). All are fair and all
//! have a queue with an end; waiting counts against the request's deadline.

use std::{
    sync::{
        Arc,
        atomic::{AtomicU32, Ordering},
    },
    time::{Duration, Instant},
};

use headgate_types::Scope;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use crate::{
    backoff::{Admitted, Backoff, Change},
    function::FunctionSpec,
    metrics::{Metrics, Outcome},
    phases::Phases,
};

/// A limit on what runs at once, with a bounded first-come first-served queue before it.
#[derive(Debug)]
pub(crate) struct Gate {
    slots: Arc<Semaphore>,
    size: u32,
    waiting: AtomicU32,
    queue: u32,
}

/// Why a gate stayed shut.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Refused {
    QueueFull,
    Deadline,
}

impl Gate {
    pub(crate) fn new(size: u32, queue: u32) -> Self {
        let size = size.max(1);
        Self {
            slots: Arc::new(Semaphore::new(size as usize)),
            size,
            waiting: AtomicU32::new(0),
            queue,
        }
    }

    /// Slots taken now.
    pub(crate) fn taken(&self) -> u32 {
        let free = u32::try_from(self.slots.available_permits()).unwrap_or(u32::MAX);
        self.size.saturating_sub(free)
    }

    /// Requests that wait for one.
    pub(crate) fn waiting(&self) -> u32 {
        self.waiting.load(Ordering::Relaxed)
    }

    /// Takes `weight` slots if they are free and nobody waits for them.
    pub(crate) fn try_enter(&self, weight: u32) -> Option<OwnedSemaphorePermit> {
        self.slots.clone().try_acquire_many_owned(weight.clamp(1, self.size)).ok()
    }

    /// Takes `weight` slots (all of them if it is more than there are), at once if they are free.
    pub(crate) async fn enter(
        &self,
        weight: u32,
        deadline: Instant,
        metrics: &Metrics,
    ) -> Result<OwnedSemaphorePermit, Refused> {
        let weight = weight.clamp(1, self.size);
        if let Some(permit) = self.try_enter(weight) {
            return Ok(permit);
        }
        let _waiting = Waiting::enter(self, metrics).ok_or(Refused::QueueFull)?;
        let slots = self.slots.clone().acquire_many_owned(weight);
        let acquired = tokio::time::timeout_at(deadline.into(), slots).await;
        Ok(acquired.map_err(|_| Refused::Deadline)?.expect("a gate's semaphore is never closed"))
    }
}

/// What functions of one project share, so that no project takes the whole node: how many of its guests are
/// there at once, and the queue in which those that compute take turns. Cheap to clone; the clones are one gate.
#[derive(Debug, Clone)]
pub struct ProjectGate {
    pub(crate) instances: Arc<Gate>,
    pub(crate) turns: Arc<Semaphore>,
}

/// A place in a gate's queue.
struct Waiting<'a> {
    gate: &'a Gate,
    metrics: &'a Metrics,
    since: Instant,
}

impl<'a> Waiting<'a> {
    fn enter(gate: &'a Gate, metrics: &'a Metrics) -> Option<Self> {
        if gate.waiting.fetch_add(1, Ordering::Relaxed) >= gate.queue {
            gate.waiting.fetch_sub(1, Ordering::Relaxed);
            return None;
        }
        metrics.queued.inc();
        Some(Self { gate, metrics, since: Instant::now() })
    }
}

impl Drop for Waiting<'_> {
    fn drop(&mut self) {
        self.gate.waiting.fetch_sub(1, Ordering::Relaxed);
        self.metrics.queued.dec();
        self.metrics.queued_for(self.since.elapsed());
    }
}

/// A request from its arrival on: collects its slots, and is counted once when it ends, however it ends.
#[derive(Debug)]
pub(crate) struct Flight {
    outcome: Outcome,
    /// As far as they are known.
    pub(crate) phases: Phases,
    metrics: Arc<Metrics>,
    function: Arc<FunctionSpec>,
    backoff: Arc<Backoff>,
    call: Admitted,
    held: Option<Held>,
}

/// The slots of a guest that runs, counted as one.
#[derive(Debug)]
pub(crate) struct Held {
    _slots: Slots,
    metrics: Arc<Metrics>,
}

impl Drop for Held {
    fn drop(&mut self) {
        self.metrics.in_flight.dec();
    }
}

/// What a running guest holds: of its function, of its project, of the pool.
pub(crate) type Slots = (OwnedSemaphorePermit, Option<OwnedSemaphorePermit>, OwnedSemaphorePermit);

impl Flight {
    /// Of a function that may be tried now; else after what time it may be.
    pub(crate) fn begin(
        metrics: Arc<Metrics>,
        function: Arc<FunctionSpec>,
        backoff: Arc<Backoff>,
    ) -> Result<Self, Duration> {
        let call = backoff.admit(Instant::now()).inspect_err(|_| {
            metrics.invocation(Outcome::Resting);
        })?;
        let (outcome, held) = (Outcome::Cancelled, None);
        let phases = Phases::default();
        Ok(Self { outcome, phases, metrics, function, backoff, call, held })
    }

    /// Admitted: keeps the slots until the end.
    pub(crate) fn admitted(&mut self, slots: Slots) {
        self.metrics.in_flight.inc();
        self.held = Some(Held { _slots: slots, metrics: self.metrics.clone() });
    }

    /// Gives the slots to whoever holds the instance from now on.
    pub(crate) fn lend(&mut self) -> Option<Held> {
        self.held.take()
    }

    /// Takes them back.
    pub(crate) fn returned(&mut self, held: Option<Held>) {
        self.held = held;
    }

    /// How it ended, as far as is known. The last word counts.
    pub(crate) fn ended(&mut self, outcome: Outcome) {
        self.outcome = outcome;
    }

    pub(crate) fn metrics(&self) -> &Metrics {
        &self.metrics
    }
}

impl Drop for Flight {
    fn drop(&mut self) {
        self.metrics.invocation(self.outcome);
        let change = match self.outcome {
            Outcome::Ok => self.backoff.answered(),
            Outcome::Trap => self.backoff.trapped(self.call, Instant::now()),
            _ => {
                self.backoff.undecided(self.call);
                None
            }
        };
        if let Some(change) = change {
            self.tell(change);
        }
    }
}

impl Flight {
    /// One line when a function begins to rest, and one when it answers again.
    #[cold]
    fn tell(&self, change: Change) {
        let Scope { project, function, .. } = &self.function.scope;
        match change {
            Change::Rests { traps, length } => {
                self.metrics.rests.inc();
                let rest = length.as_secs_f32();
                tracing::warn!(%project, %function, traps, rest, "function rests");
            }
            Change::RestsOn { length } => {
                self.metrics.rests.inc();
                let rest = length.as_secs_f32();
                tracing::debug!(%project, %function, rest, "function rests on");
            }
            Change::Answers => tracing::info!(%project, %function, "function answers again"),
        }
    }
}
