//! `Stall`: how long a client may take nothing of what is written to it.

use std::{pin::Pin, task::Context, time::Duration};

use tokio::time::{Instant, Sleep};

use crate::waiter::poll_deadline;

/// The time in which nothing left although something was to leave. Only a write that has to wait
/// comes here; there is no least speed.
#[derive(Debug, Default)]
pub(crate) struct Stall {
    timer: Option<Pin<Box<Sleep>>>,
    /// Since when, and what had left by then.
    since: Option<(Instant, u64)>,
}

impl Stall {
    /// Something waits to leave and `sent` bytes have left so far. Whether that number has stood
    /// still for `limit`; if not, the task is woken when it has.
    ///
    /// A write that ends without a byte on the wire, because a buffer took it, is no progress: it
    /// would hide a client that takes nothing while new frames gather for it.
    pub(crate) fn expired(&mut self, cx: &mut Context<'_>, sent: u64, limit: Duration) -> bool {
        let since = match self.since {
            Some((since, then)) if then == sent => since,
            _ => {
                let now = Instant::now();
                self.since = Some((now, sent));
                now
            }
        };
        poll_deadline(&mut self.timer, cx, since + limit)
    }
}
