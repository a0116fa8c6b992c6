//! How a guest's time passes: until when it may be silent, how long it may compute, and whose turn it is.
//!
//! A short guest notices nothing of this. One that computes is looked at each epoch, and after one in all it
//! runs in turns: there are as many as the node has workers, so however many guests compute, a request that comes
//! in waits behind a few slices of one epoch and not behind all of them. Turns are handed out twice, first among
//! the guests of a project and then among projects, both times first come first served: a project with a hundred
//! busy guests gets as much as a project with one.
//!
//! ```text
//!  epoch ─► computed too long, silent too long? end it
//!             └─ no ─► let others run ─► give the turn back ─► turn of the project ─► turn of the node ─► go on
//! ```

use std::{
    future::poll_fn,
    pin::pin,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    task::Poll,
    time::{Duration, Instant},
};

use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use wasmtime::{Store, UpdateDeadline};

use crate::{defaults, error::TimeUp};

/// A guest that computed for so long, in all, is one that computes.
const LONG: Duration = defaults::EPOCH_TICK;

/// The time of one guest. Shared by its store, which computes, and by whoever polls it.
#[derive(Debug)]
pub(crate) struct Pace {
    limit: Duration,
    /// When its request was admitted.
    begun: Instant,
    turns: Turns,
    state: Mutex<State>,
}

#[derive(Debug)]
struct State {
    /// When it has been silent for too long.
    deadline: Instant,
    /// What it computed before `since`.
    computed: Duration,
    /// When it was last seen to begin.
    since: Instant,
    /// What its start took within its request.
    starting: Duration,
    turn: Option<Turn>,
    /// It has computed for an epoch and lets others run before it gives its turn back.
    yielding: bool,
}

/// What is held while a guest computes on. Dropped in this order: whoever of the project waits is let in first.
#[derive(Debug)]
struct Turn {
    _node: OwnedSemaphorePermit,
    _project: OwnedSemaphorePermit,
}

/// Where a guest queues to compute on.
#[derive(Debug, Clone)]
pub(crate) struct Turns {
    pub(crate) project: Arc<Semaphore>,
    pub(crate) node: Arc<Semaphore>,
}

impl Pace {
    /// `limit` is how long the guest may be silent, counted from its request's `arrival`, and how long it may
    /// compute in all, counted from `now`.
    pub(crate) fn new(limit: Duration, arrival: Instant, now: Instant, turns: Turns) -> Self {
        let deadline = arrival + limit;
        let state = State {
            deadline,
            computed: Duration::ZERO,
            since: now,
            starting: Duration::ZERO,
            turn: None,
            yielding: false,
        };
        Self { limit, begun: now, turns, state: Mutex::new(state) }
    }

    pub(crate) fn limit(&self) -> Duration {
        self.limit
    }

    /// When its request was admitted.
    pub(crate) fn begun(&self) -> Instant {
        self.begun
    }

    pub(crate) fn deadline(&self) -> Instant {
        self.state().deadline
    }

    /// It is polled again after it waited.
    pub(crate) fn resume(&self) {
        self.state().since = Instant::now();
    }

    /// Its instance is ready for its event.
    pub(crate) fn started(&self) {
        self.state().starting = self.begun.elapsed();
    }

    /// It runs no more.
    pub(crate) fn ended(&self) {
        let mut state = self.state();
        state.count(Instant::now());
    }

    /// What its start took within its request, and what it computed when that was last looked at.
    pub(crate) fn spent(&self) -> (Duration, Duration) {
        let state = self.state();
        (state.starting, state.computed)
    }

    /// Whether it was stopped in the midst of computing, to let others run.
    pub(crate) fn computes(&self) -> bool {
        self.state().yielding
    }

    /// It waits for something: that is not computing, and nobody waits for its turn meanwhile.
    pub(crate) fn pause(&self) -> Result<(), TimeUp> {
        let mut state = self.state();
        if !state.yielding {
            state.turn = None;
        }
        state.look(Instant::now(), self.limit)
    }

    /// Drives a guest that no request polls. Its turn is given back whenever it waits, and when it is done.
    ///
    /// # Errors
    /// When its time is up.
    pub(crate) async fn drive<T>(&self, guest: impl Future<Output = T>) -> Result<T, TimeUp> {
        let mut guest = pin!(guest);
        poll_fn(|cx| {
            self.resume();
            let polled = guest.as_mut().poll(cx);
            match (polled, self.pause()) {
                (Poll::Ready(done), _) => Poll::Ready(Ok(done)),
                (Poll::Pending, Err(time)) => Poll::Ready(Err(time)),
                (Poll::Pending, Ok(())) => Poll::Pending,
            }
        })
        .await
    }

    /// A part of its answer was taken, so it is not silent.
    pub(crate) fn heard(&self) {
        self.state().deadline = Instant::now() + self.limit;
    }

    /// An epoch passed while it computed; whether it has done so for long.
    fn tick(&self) -> Result<bool, TimeUp> {
        let mut state = self.state();
        state.look(Instant::now(), self.limit)?;
        Ok(state.computed >= LONG)
    }

    /// Whether it computed for longer than others should wait.
    pub(crate) fn is_long(&self) -> bool {
        self.state().computed >= LONG
    }

    /// Lets others run, then waits for the next turn.
    async fn next_turn(self: Arc<Self>) {
        self.state().yielding = true;
        // By tokio's own, after which a worker asks for new events. Were the guest merely woken again, a worker
        // with nothing else to do would poll it sixty times before it looked at its sockets. Only then is the next
        // one let in: given back before, the turn would pass through all who wait without anybody else running.
        tokio::task::yield_now().await;
        {
            let mut state = self.state();
            (state.yielding, state.turn) = (false, None);
        }
        let closed = "semaphores of turns are never closed";
        let project = self.turns.project.clone().acquire_owned().await.expect(closed);
        let node = self.turns.node.clone().acquire_owned().await.expect(closed);
        let mut state = self.state();
        state.turn = Some(Turn { _node: node, _project: project });
        state.since = Instant::now();
    }

    fn state(&self) -> MutexGuard<'_, State> {
        // Each change is one assignment, so a state somebody panicked over is whole.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    /// Counts what was computed since it was last looked at.
    fn count(&mut self, now: Instant) {
        self.computed += now.saturating_duration_since(self.since);
        self.since = now;
    }

    /// Whether it may go on.
    fn look(&mut self, now: Instant, limit: Duration) -> Result<(), TimeUp> {
        self.count(now);
        if now >= self.deadline {
            return Err(TimeUp::Silent);
        }
        if self.computed > limit {
            return Err(TimeUp::Computing);
        }
        Ok(())
    }
}

/// Makes a guest that computes look up at each epoch: its time may be up, and others may want to run.
pub(crate) fn watch<T: 'static>(store: &mut Store<T>, pace: Arc<Pace>) {
    store.set_epoch_deadline(1);
    store.epoch_deadline_callback(move |_| {
        // Epochs pass when they do: a guest of some microseconds may be there by chance.
        Ok(match pace.tick()? {
            false => UpdateDeadline::Continue(1),
            true => UpdateDeadline::YieldCustom(1, Box::pin(pace.clone().next_turn())),
        })
    });
}

#[cfg(test)]
mod tests {
    use super::*;

    const LIMIT: Duration = Duration::from_secs(10);

    fn turns(node: &Arc<Semaphore>) -> Turns {
        Turns { project: Arc::new(Semaphore::new(1)), node: node.clone() }
    }

    #[test]
    fn silence_and_computing_are_told_apart() {
        let (start, second) = (Instant::now(), Duration::from_secs(1));
        let mut state = State {
            deadline: start + LIMIT,
            computed: Duration::ZERO,
            since: start,
            starting: Duration::ZERO,
            turn: None,
            yielding: false,
        };
        assert_eq!(state.look(start + 6 * second, LIMIT), Ok(()));
        // It waited for five seconds, which is no computing, and was heard at the end of them.
        state.since = start + 11 * second;
        state.deadline = start + 21 * second;
        assert_eq!(state.look(start + 12 * second, LIMIT), Ok(()));
        assert_eq!(state.look(start + 15 * second + second / 2, LIMIT), Err(TimeUp::Computing));
        state.computed = Duration::ZERO;
        state.since = start + 21 * second;
        assert_eq!(state.look(start + 21 * second, LIMIT), Err(TimeUp::Silent));
    }

    #[tokio::test]
    async fn a_project_with_many_guests_gets_as_many_turns_as_one_with_one() {
        let node = Arc::new(Semaphore::new(1));
        let (crowd, alone) = (turns(&node), turns(&node));
        let order = Arc::new(Mutex::new(Vec::new()));
        let run = |name: &'static str, turns: &Turns| {
            let pace = Arc::new(Pace::new(LIMIT, Instant::now(), Instant::now(), turns.clone()));
            let order = order.clone();
            async move {
                for _ in 0..10 {
                    pace.clone().next_turn().await;
                    order.lock().unwrap().push(name);
                }
                pace.pause().unwrap();
            }
        };
        let crowd: Vec<_> = (0..20).map(|_| tokio::spawn(run("crowd", &crowd))).collect();
        tokio::spawn(run("alone", &alone)).await.unwrap();
        let beside = order.lock().unwrap().iter().filter(|name| **name == "crowd").count();
        assert!(beside <= 12, "{beside} turns of the others passed before ten of one");
        for guest in crowd {
            guest.await.unwrap();
        }
    }

    #[tokio::test(start_paused = true)]
    async fn a_guest_that_is_driven_keeps_no_turn_while_it_sleeps() {
        let node = Arc::new(Semaphore::new(1));
        let pace = Arc::new(Pace::new(LIMIT, Instant::now(), Instant::now(), turns(&node)));
        let (taken, sleeping) = (node.clone(), pace.clone());
        let guest = async move {
            sleeping.next_turn().await;
            assert_eq!(taken.available_permits(), 0);
            tokio::time::sleep(LIMIT).await;
            taken.available_permits()
        };
        assert_eq!(pace.drive(guest).await, Ok(1));
        assert_eq!(node.available_permits(), 1);
    }

    #[tokio::test]
    async fn a_guest_that_waits_or_is_dropped_keeps_no_turn() {
        let node = Arc::new(Semaphore::new(1));
        let pace = Arc::new(Pace::new(LIMIT, Instant::now(), Instant::now(), turns(&node)));
        pace.clone().next_turn().await;
        assert_eq!(node.available_permits(), 0);
        pace.pause().unwrap();
        assert_eq!(node.available_permits(), 1);
        pace.clone().next_turn().await;
        drop(pace);
        assert_eq!(node.available_permits(), 1);
    }
}
