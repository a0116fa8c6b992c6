//! `Waiter`: one timer and one shutdown watch per connection, lazily made and never registered per
//! request.

use std::{
    fmt,
    future::Future,
    pin::Pin,
    task::{Context, Poll},
};

use pingora_core::server::ShutdownWatch;
use tokio::time::{Instant, Sleep, sleep_until};

/// The timer is left to fire early and is then moved on to the deadline of the day: moving it on
/// each request would cost a lock of the timer wheel.
pub(crate) struct Waiter {
    timer: Option<Pin<Box<Sleep>>>,
    stop: Option<Pin<Box<dyn Future<Output = ()> + Send>>>,
    watch: ShutdownWatch,
}

impl Waiter {
    pub(crate) fn new(watch: ShutdownWatch) -> Self {
        Self { timer: None, stop: None, watch }
    }

    /// Whether `deadline` has passed; if not, the task is woken then.
    pub(crate) fn expired(&mut self, cx: &mut Context<'_>, deadline: Instant) -> bool {
        poll_deadline(&mut self.timer, cx, deadline)
    }

    /// Whether the node drains; if not, the task is woken when it begins to.
    pub(crate) fn stopping(&mut self, cx: &mut Context<'_>) -> bool {
        let stop = self.stop.get_or_insert_with(|| {
            let mut watch = self.watch.clone();
            Box::pin(async move {
                // An error says that the sender is gone, and with it who could let us go on.
                let _ = watch.wait_for(|stopping| *stopping).await;
            })
        });
        // A finished future must not be polled again, and a drain does not end.
        if stop.as_mut().poll(cx).is_ready() {
            self.stop = Some(Box::pin(std::future::ready(())));
            return true;
        }
        false
    }
}

/// Polls a timer that may be set earlier than `deadline`, and sets it right when it fires.
pub(crate) fn poll_deadline(
    timer: &mut Option<Pin<Box<Sleep>>>,
    cx: &mut Context<'_>,
    deadline: Instant,
) -> bool {
    let timer = timer.get_or_insert_with(|| Box::pin(sleep_until(deadline)));
    if timer.deadline() > deadline {
        timer.as_mut().reset(deadline);
    }
    while let Poll::Ready(()) = timer.as_mut().poll(cx) {
        if timer.deadline() >= deadline {
            return true;
        }
        timer.as_mut().reset(deadline);
    }
    false
}

impl fmt::Debug for Waiter {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Waiter").field("timer", &self.timer).finish_non_exhaustive()
    }
}
