//! A guest on its way, polled by whoever wants its answer.
//!
//! There is no task behind it: the request's own task drives it, and dropping it at any point frees its
//! instance, then its slots.

use std::{
    fmt,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll},
    time::{Duration, Instant},
};

use tokio::time::Sleep;
use wasmtime::{Store, UpdateDeadline};

use crate::{
    admission::Flight,
    component,
    config::Config,
    error::{DeadlineReached, Failure},
    function::FunctionSpec,
    log::Output,
    metrics::{Metrics, Outcome},
    outbound::Outside,
    response::Head,
};

/// What every kind of guest is started with.
pub(crate) struct GuestContext {
    pub(crate) config: Arc<Config>,
    pub(crate) function: Arc<FunctionSpec>,
    pub(crate) output: Output,
    pub(crate) metrics: Arc<Metrics>,
    pub(crate) outside: Arc<Outside>,
    pub(crate) deadline: Instant,
}

pub(crate) type GuestFuture = Pin<Box<dyn Future<Output = Result<Ended, Failure>> + Send>>;

/// A guest that returned as it should.
pub(crate) enum Ended {
    /// The store is kept until the body was looked at. As long as it lives, a body that was not finished is
    /// pending; without it, it would look complete.
    Component(#[expect(dead_code, reason = "kept alive, not looked at")] Store<component::State>),
    /// A core guest whose answer was held back until now.
    Whole(Head),
    /// A core guest that sent its answer while it ran.
    Streamed,
}

/// A guest, its deadline and its slots. The fields are dropped in this order: a slot is free only when its
/// instance is.
pub(crate) struct Running {
    guest: GuestFuture,
    /// Made when the guest first waits: most never do.
    timer: Option<Pin<Box<Sleep>>>,
    deadline: Instant,
    limit: Duration,
    output: Output,
    flight: Flight,
}

impl Running {
    pub(crate) fn new(guest: GuestFuture, context: &GuestContext, flight: Flight) -> Self {
        Self {
            guest,
            timer: None,
            deadline: context.deadline,
            limit: context.function.limits.deadline,
            output: context.output.clone(),
            flight,
        }
    }

    /// Drives the guest. Not to be polled again once it is ready.
    ///
    /// A guest that computes looks at its deadline itself, each epoch; one that waits is watched by a timer.
    pub(crate) fn poll(&mut self, cx: &mut Context<'_>) -> Poll<Result<Ended, Failure>> {
        let result = match self.guest.as_mut().poll(cx) {
            Poll::Ready(result) => result,
            Poll::Pending => {
                let deadline = self.deadline;
                let timer = self
                    .timer
                    .get_or_insert_with(|| Box::pin(tokio::time::sleep_until(deadline.into())));
                match timer.as_mut().poll(cx) {
                    Poll::Ready(()) => Err(Failure::Deadline),
                    Poll::Pending => return Poll::Pending,
                }
            }
        };
        match &result {
            Ok(_) => self.flight.ended(Outcome::Ok),
            Err(failure) => self.report(failure),
        }
        Poll::Ready(result)
    }

    pub(crate) fn limit(&self) -> Duration {
        self.limit
    }

    pub(crate) fn flight(&mut self) -> &mut Flight {
        &mut self.flight
    }

    /// Tells the function's author; the operator sees the counters.
    #[cold]
    fn report(&mut self, failure: &Failure) {
        match failure {
            Failure::Deadline => {
                self.flight.ended(Outcome::Deadline);
                self.output.host(&format!("ended: not done after {:?}", self.limit));
            }
            Failure::Trap(trapped) => {
                self.flight.ended(Outcome::Trap);
                self.flight.metrics().trap(trapped.reason);
                self.output.host(&format!("trap: {}", trapped.message));
                for frame in trapped.backtrace.lines() {
                    self.output.host(&format!("  in {frame}"));
                }
            }
        }
    }
}

/// Makes a guest that computes look up at each epoch: it ends at its deadline, and yields before that.
///
/// It yields by tokio's own `yield_now`, after which a worker asks for new events. Were the guest merely woken
/// again, a worker with nothing else to do would poll it sixty times before it looked at its sockets.
pub(crate) fn watch<T: 'static>(store: &mut Store<T>, deadline: fn(&T) -> Instant) {
    store.set_epoch_deadline(1);
    store.epoch_deadline_callback(move |store| {
        if Instant::now() >= deadline(store.data()) {
            return Err(DeadlineReached.into());
        }
        Ok(UpdateDeadline::YieldCustom(1, Box::pin(tokio::task::yield_now())))
    });
}

impl fmt::Debug for Running {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Running").field("deadline", &self.deadline).finish_non_exhaustive()
    }
}
