//! A guest on its way, polled by whoever wants its answer.
//!
//! There is no task behind it: the request's own task drives it, and dropping it at any point frees its
//! instance, then its slots. Only one that computes for long is driven elsewhere (see [`compute`](crate::compute)).

use std::{
    fmt, mem,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll, ready},
};

use tokio::{runtime::Handle, time::Sleep};
use wasmtime::Store;

use crate::{
    admission::Flight,
    component,
    compute::{Away, Back, Habit},
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
    /// Where it goes if it computes for long; nowhere if nobody is to be spared.
    pub(crate) compute: Option<Handle>,
    pub(crate) habit: Arc<Habit>,
}

pub(crate) type GuestFuture = Pin<Box<dyn Future<Output = Result<Ended, Failed>> + Send>>;

/// A guest that did not return.
pub(crate) struct Failed {
    pub(crate) failure: Failure,
    /// What it leaves, alive: without it, a body that was cut would look complete.
    _remains: Option<Box<dyn Send>>,
}

impl Failed {
    pub(crate) fn keeping(failure: Failure, remains: impl Send + 'static) -> Self {
        Self { failure, _remains: Some(Box::new(remains)) }
    }
}

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

/// A guest and its slots. The fields are dropped in this order: a slot is free only when its instance is.
pub(crate) struct Running {
    guest: Guest,
    /// Where it goes; nowhere if it is there.
    compute: Option<Handle>,
    habit: Arc<Habit>,
    pace: Arc<Pace>,
    output: Output,
    flight: Flight,
}

enum Guest {
    /// In the task of its request.
    Here(Timed),
    /// On the threads for those that compute.
    Away(Away),
    Gone,
}

/// A guest and its deadline.
pub(crate) struct Timed {
    guest: GuestFuture,
    /// Made when the guest first waits: most never do.
    timer: Option<Pin<Box<Sleep>>>,
    pace: Arc<Pace>,
}

impl Timed {
    /// Drives the guest. Not to be polled again once it is ready.
    ///
    /// A guest that computes looks at its time itself, each epoch; one that waits is watched by a timer.
    pub(crate) fn poll(&mut self, cx: &mut Context<'_>) -> Poll<Result<Ended, Failed>> {
        if self.timer.is_some() {
            self.pace.resume();
        }
        if let Poll::Ready(result) = self.guest.as_mut().poll(cx) {
            self.pace.ended();
            return Poll::Ready(result);
        }
        let time = match self.pace.pause() {
            Err(time) => time,
            Ok(()) => ready!(self.poll_timer(cx)),
        };
        // It stays where it is.
        Poll::Ready(Err(Failed { failure: Failure::Time(time), _remains: None }))
    }

    /// The guest waits: ready if it may not any longer.
    fn poll_timer(&mut self, cx: &mut Context<'_>) -> Poll<TimeUp> {
        let deadline = self.pace.deadline().into();
        let timer = self.timer.get_or_insert_with(|| Box::pin(tokio::time::sleep_until(deadline)));
        // What was heard of the guest since has moved its deadline.
        if timer.deadline() != deadline {
            timer.as_mut().reset(deadline);
        }
        timer.as_mut().poll(cx).map(|()| TimeUp::Silent)
    }
}

impl Running {
    pub(crate) fn new(guest: GuestFuture, context: &GuestContext, flight: Flight) -> Self {
        let pace = context.pace.clone();
        Self {
            guest: Guest::Here(Timed { guest, timer: None, pace: pace.clone() }),
            compute: context.compute.clone(),
            habit: context.habit.clone(),
            pace,
            output: context.output.clone(),
            flight,
        }
    }

    /// Drives the guest, or waits for it where it computes. Not to be polled again once it is ready.
    pub(crate) fn poll(&mut self, cx: &mut Context<'_>) -> Poll<Result<Ended, Failed>> {
        let result = ready!(self.poll_guest(cx));
        self.habit.ended(self.pace.is_long());
        match &result {
            Ok(_) => self.flight.ended(Outcome::Ok),
            Err(failed) => self.report(&failed.failure),
        }
        Poll::Ready(result)
    }

    fn poll_guest(&mut self, cx: &mut Context<'_>) -> Poll<Result<Ended, Failed>> {
        if let Guest::Here(timed) = &mut self.guest {
            let begins_there = self.compute.is_some() && self.habit.computes();
            let polled = if begins_there { Poll::Pending } else { timed.poll(cx) };
            let leaves = begins_there || polled.is_pending() && self.pace.computes();
            let Some(threads) = self.compute.take_if(|_| leaves) else { return polled };
            if let Guest::Here(timed) = mem::replace(&mut self.guest, Guest::Gone) {
                let held = self.flight.lend();
                self.guest = Guest::Away(Away::begin(&threads, timed, held));
            }
        }
        let Guest::Away(away) = &mut self.guest else { return Poll::Pending };
        let Back { result, timed, held } = ready!(away.poll(cx));
        self.flight.returned(held);
        self.guest = Guest::Here(timed);
        Poll::Ready(result)
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
