//! A guest on its way, polled by whoever wants its answer.
//!
//! There is no task behind it: the request's own task drives it, and dropping it at any point frees its
//! instance, then its slots.

use std::{
    fmt,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll},
};

use tokio::time::Sleep;
use wasmtime::Store;

use crate::{
    admission::Flight,
    component,
    config::Config,
    error::{Failure, TimeUp},
    function::FunctionSpec,
    log::Output,
    metrics::{Metrics, Outcome},
    outbound::Outside,
    pace::Pace,
    phases::Phases,
    response::Head,
};

/// What every kind of guest is started with.
pub(crate) struct GuestContext {
    pub(crate) config: Arc<Config>,
    pub(crate) function: Arc<FunctionSpec>,
    pub(crate) output: Output,
    pub(crate) metrics: Arc<Metrics>,
    pub(crate) outside: Arc<Outside>,
    pub(crate) pace: Arc<Pace>,
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
    pace: Arc<Pace>,
    output: Output,
    flight: Flight,
}

impl Running {
    pub(crate) fn new(guest: GuestFuture, context: &GuestContext, flight: Flight) -> Self {
        Self {
            guest,
            timer: None,
            pace: context.pace.clone(),
            output: context.output.clone(),
            flight,
        }
    }

    /// Drives the guest. Not to be polled again once it is ready.
    ///
    /// A guest that computes looks at its time itself, each epoch; one that waits is watched by a timer.
    pub(crate) fn poll(&mut self, cx: &mut Context<'_>) -> Poll<Result<Ended, Failure>> {
        if self.timer.is_some() {
            self.pace.resume();
        }
        let result = match self.guest.as_mut().poll(cx) {
            Poll::Ready(result) => result,
            Poll::Pending => match self.poll_timer(cx) {
                Poll::Ready(time) => Err(Failure::Time(time)),
                Poll::Pending => return Poll::Pending,
            },
        };
        self.pace.ended();
        match &result {
            Ok(_) => self.flight.ended(Outcome::Ok),
            Err(failure) => self.report(failure),
        }
        Poll::Ready(result)
    }

    /// The guest waits: ready if it may not any longer.
    fn poll_timer(&mut self, cx: &mut Context<'_>) -> Poll<TimeUp> {
        if let Err(time) = self.pace.pause() {
            return Poll::Ready(time);
        }
        let deadline = self.pace.deadline().into();
        let timer = self.timer.get_or_insert_with(|| Box::pin(tokio::time::sleep_until(deadline)));
        // What was heard of the guest since has moved its deadline.
        if timer.deadline() != deadline {
            timer.as_mut().reset(deadline);
        }
        timer.as_mut().poll(cx).map(|()| TimeUp::Silent)
    }

    pub(crate) fn pace(&self) -> &Pace {
        &self.pace
    }

    pub(crate) fn phases(&self) -> Phases {
        let (starting, computed) = self.pace.spent();
        Phases { starting, computed, ..self.flight.phases }
    }

    pub(crate) fn flight(&mut self) -> &mut Flight {
        &mut self.flight
    }

    /// Tells the function's author; the operator sees the counters.
    #[cold]
    fn report(&mut self, failure: &Failure) {
        match failure {
            Failure::Time(time) => {
                self.flight.ended(Outcome::Deadline);
                let limit = self.pace.limit();
                self.output.host(&match time {
                    TimeUp::Silent => format!("ended: nothing was heard of it for {limit:?}"),
                    TimeUp::Computing => format!("ended: it computed for more than {limit:?}"),
                });
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

impl fmt::Debug for Running {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Running").field("pace", &self.pace).finish_non_exhaustive()
    }
}
