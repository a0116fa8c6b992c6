//! Where guests go that compute for longer than others should wait: to threads of their own.
//!
//! A guest begins in the task of its request, where most of them end before anybody could notice. One that is
//! still computing after an epoch is moved to these threads for the rest of its life. They are as many as the
//! node has workers, so a request that comes in waits for none of a guest's slices: the system gives both their
//! time. They have the workers' priority: at a lower one, a guest that was interrupted while it changed its memory
//! would hold the process's memory map for as long, and with it every start of an instance.
//!
//! A function whose calls compute as a rule begins there.
//!
//! The request's task still owns the guest: it waits for its end, and takes it along when it is dropped.

use std::{
    future::poll_fn,
    io, panic,
    pin::Pin,
    sync::atomic::{AtomicU8, Ordering},
    task::{Context, Poll, ready},
};

use tokio::{
    runtime::{Builder, Handle, Runtime},
    task::JoinHandle,
};

use crate::{
    admission::Held,
    running::{Ended, Failed, Timed},
};

/// The threads. Dropping them ends what computes there.
#[derive(Debug)]
pub(crate) struct ComputeThreads(Option<Runtime>);

impl ComputeThreads {
    pub(crate) fn start(count: usize) -> io::Result<Self> {
        let runtime =
            Builder::new_multi_thread().worker_threads(count).thread_name("guest").build()?;
        Ok(Self(Some(runtime)))
    }

    pub(crate) fn handle(&self) -> Option<Handle> {
        self.0.as_ref().map(|runtime| runtime.handle().clone())
    }
}

impl Drop for ComputeThreads {
    fn drop(&mut self) {
        // By itself a runtime waits for its threads, which tasks of another one must not.
        if let Some(runtime) = self.0.take() {
            runtime.shutdown_background();
        }
    }
}

/// What a function's latest calls were like: one that computes as a rule need not keep a worker busy first.
#[derive(Debug, Default)]
pub(crate) struct Habit(AtomicU8);

impl Habit {
    const MOST: u8 = 8;

    /// Whether its next call is expected to compute for long.
    pub(crate) fn computes(&self) -> bool {
        self.0.load(Ordering::Relaxed) >= Self::MOST / 2
    }

    /// A call ended. Whoever reads at the same time loses nothing but a hint.
    pub(crate) fn ended(&self, computed_for_long: bool) {
        let before = self.0.load(Ordering::Relaxed);
        let after = match computed_for_long {
            true => (before + 2).min(Self::MOST),
            false => before.saturating_sub(1),
        };
        if after != before {
            self.0.store(after, Ordering::Relaxed);
        }
    }
}

/// A guest on those threads. Dropping this ends it at the end of its slice.
pub(crate) struct Away(JoinHandle<Back>);

/// What comes back. As long as the instance lives, its slots are taken.
pub(crate) struct Back {
    pub(crate) result: Result<Ended, Failed>,
    pub(crate) timed: Timed,
    pub(crate) held: Option<Held>,
}

impl Away {
    /// Goes on with a guest over there. What it waits for stays with the runtime of the request.
    pub(crate) fn begin(threads: &Handle, timed: Timed, held: Option<Held>) -> Self {
        let home = Handle::current();
        Self(threads.spawn(async move {
            // Dropped in the opposite order: first the instance, then its slots.
            let held = held;
            let mut timed = timed;
            let result = poll_fn(|cx| {
                let _at_home = home.enter();
                timed.poll(cx)
            })
            .await;
            Back { result, timed, held }
        }))
    }

    /// What became of it.
    pub(crate) fn poll(&mut self, cx: &mut Context<'_>) -> Poll<Back> {
        match ready!(Pin::new(&mut self.0).poll(cx)) {
            Ok(back) => Poll::Ready(back),
            Err(error) => match error.try_into_panic() {
                Ok(panicked) => panic::resume_unwind(panicked),
                // The threads are gone, and with them the process in a moment.
                Err(_) => Poll::Pending,
            },
        }
    }
}

impl Drop for Away {
    fn drop(&mut self) {
        self.0.abort();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_function_is_expected_to_do_what_it_did() {
        let habit = Habit::default();
        habit.ended(true);
        assert!(!habit.computes(), "one call is no habit");
        habit.ended(true);
        assert!(habit.computes());
        (0..100).for_each(|_| habit.ended(true));
        (0..4).for_each(|_| habit.ended(false));
        assert!(habit.computes());
        habit.ended(false);
        assert!(!habit.computes());
    }
}
