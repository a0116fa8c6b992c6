//! Instances that are started before their request comes.
//!
//! Where a start-up cannot be kept as a snapshot and costs more than handing an instance over, as that of Go's
//! runtime does, instances are started ahead: one as soon as a function was called, and as many more as requests
//! come while one is being started. Those nobody takes are dropped after some seconds, so idle functions have none.
//! Each serves one request and is gone; each was really started, so no two share their randomness.
//!
//! ```text
//!  request ─► Warm::take ─┬─ an instance: its slot of the pool comes with it
//!                         └─ none: start one now
//!               └─ too few left? order ─► Warmer ─► start ─► Warm::add
//!                                           └─ each second: drop what was not taken
//! ```

use std::{
    sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError, Weak},
    time::{Duration, Instant},
};

use tokio::{
    sync::{OwnedSemaphorePermit, mpsc},
    task::JoinSet,
};

use crate::{core, defaults, function::Inner, log::Output, metrics::Metrics};

/// An instance without a request.
pub(crate) struct Ready {
    pub(crate) started: core::Started,
    pub(crate) output: Output,
    /// Its slots of the pool.
    pub(crate) pool: OwnedSemaphorePermit,
    pub(crate) since: Instant,
    pub(crate) _count: Counted,
}

/// Counts an instance that waits for its request.
pub(crate) struct Counted {
    metrics: Arc<Metrics>,
    _share: OwnedSemaphorePermit,
}

impl Counted {
    /// `share` is taken of what all functions may have started ahead.
    pub(crate) fn new(metrics: Arc<Metrics>, share: OwnedSemaphorePermit) -> Self {
        metrics.prepared.inc();
        Self { metrics, _share: share }
    }
}

impl Drop for Counted {
    fn drop(&mut self) {
        self.metrics.prepared.dec();
    }
}

/// The instances of one function that wait for requests, and what is known of its demand.
#[derive(Default)]
pub(crate) struct Warm(Mutex<State>);

#[derive(Default)]
struct State {
    /// The newest last: its memory is still in the caches.
    ready: Vec<Ready>,
    /// An order for more is under way.
    ordered: bool,
    demand: Demand,
}

/// How many instances a function wants to have ready.
#[derive(Debug, Default)]
struct Demand {
    last: Option<Instant>,
    /// Between two requests, in the mean of the last ones.
    interval: Option<Duration>,
    /// What one start takes, once one was measured.
    cost: Option<Duration>,
    /// Its start-up fails or is not worth it: requests do it themselves.
    unwanted: bool,
}

impl Warm {
    /// A request comes. Also says whether more should be ordered; whoever is told so must do it.
    pub(crate) fn take(&self, now: Instant, most: usize) -> (Option<Ready>, bool) {
        let mut state = self.state();
        state.demand.arrival(now);
        let ready = state.ready.pop();
        let wanted = state.demand.wanted().min(most);
        let order = !state.ordered && state.ready.len() < wanted;
        state.ordered |= order;
        (ready, order)
    }

    /// How many wait.
    pub(crate) fn len(&self) -> usize {
        self.state().ready.len()
    }

    /// How many more should be there.
    fn missing(&self, most: usize) -> usize {
        let state = self.state();
        state.demand.wanted().min(most).saturating_sub(state.ready.len())
    }

    /// One more is ready, after `cost`. Not kept if starting one is no trouble.
    fn add(&self, ready: Ready, cost: Duration) {
        let mut state = self.state();
        state.demand.measured(cost);
        if !state.demand.unwanted {
            state.ready.push(ready);
        }
    }

    fn give_up(&self) {
        self.state().demand.unwanted = true;
    }

    fn done(&self) {
        self.state().ordered = false;
    }

    /// Drops what nobody took for a while; whether anything is left to look after.
    fn shrink(&self, now: Instant, idle: Duration) -> bool {
        let mut state = self.state();
        let stale = |ready: &Ready| now.saturating_duration_since(ready.since) >= idle;
        // Taken out first, dropped without the lock: that gives memory back to the kernel.
        let (old, kept) = std::mem::take(&mut state.ready).into_iter().partition(stale);
        state.ready = kept;
        let left = !state.ready.is_empty();
        drop(state);
        drop::<Vec<Ready>>(old);
        left
    }

    fn state(&self) -> MutexGuard<'_, State> {
        // Nothing in here is half done when it panics.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Demand {
    fn arrival(&mut self, now: Instant) {
        if let Some(last) = self.last.replace(now) {
            // A long silence says nothing about what comes now.
            let passed = now.saturating_duration_since(last).min(defaults::LONGEST_INTERVAL);
            let mean = self.interval.unwrap_or(passed);
            self.interval = Some((mean * 7 + passed) / 8);
        }
    }

    fn measured(&mut self, cost: Duration) {
        self.cost = Some(cost);
        self.unwanted |= cost < defaults::WORTH_PREPARING;
    }

    /// One, and those that come while it is started.
    fn wanted(&self) -> usize {
        if self.unwanted {
            return 0;
        }
        let (Some(interval), Some(cost)) = (self.interval, self.cost) else { return 1 };
        let meanwhile = cost.as_nanos() / interval.as_nanos().max(1);
        usize::try_from(meanwhile).unwrap_or(usize::MAX).saturating_add(1)
    }
}

/// Starts instances that were ordered. Its task begins with the first order and ends with the executor.
#[derive(Debug)]
pub(crate) struct Warmer {
    /// How long an instance waits for its request.
    idle: Duration,
    orders: OnceLock<mpsc::Sender<Weak<Inner>>>,
}

impl Warmer {
    pub(crate) fn new(idle: Duration) -> Self {
        Self { idle, orders: OnceLock::new() }
    }

    pub(crate) fn order(&self, function: &Arc<Inner>) {
        let orders = self.orders.get_or_init(|| {
            let (sender, orders) = mpsc::channel(defaults::PREPARE_ORDERS);
            tokio::spawn(serve(orders, self.idle));
            sender
        });
        if orders.try_send(Arc::downgrade(function)).is_err() {
            function.warm.done(); // the next request orders again
        }
    }
}

async fn serve(mut orders: mpsc::Receiver<Weak<Inner>>, idle: Duration) {
    let mut known: Vec<Weak<Inner>> = Vec::new();
    let mut under_way = JoinSet::new();
    let mut sweep = tokio::time::interval(defaults::PREPARED_SWEEP.min(idle));
    loop {
        tokio::select! {
            order = orders.recv(), if under_way.len() < defaults::PREPARE_AT_ONCE => {
                let Some(order) = order else { return };
                under_way.spawn(fulfil(order));
            }
            Some(done) = under_way.join_next() => {
                if let Ok(Some(function)) = done
                    && !known.iter().any(|known| known.ptr_eq(&function))
                {
                    known.push(function);
                }
            }
            _ = sweep.tick(), if !known.is_empty() => {
                let now = Instant::now();
                known.retain(|known| known.upgrade().is_some_and(|known| known.warm.shrink(now, idle)));
            }
        }
    }
}

/// Starts what the function lacks, as long as there is room. Gives back the function if it has any now.
async fn fulfil(order: Weak<Inner>) -> Option<Weak<Inner>> {
    let function = order.upgrade()?;
    while function.warm.missing(function.most_prepared()) > 0 {
        let begin = Instant::now();
        match tokio::time::timeout(defaults::PREPARE_TIME, function.prepare()).await {
            Ok(None) => break,
            Ok(Some(Ok(ready))) => function.warm.add(ready, begin.elapsed()),
            // The next request sees for itself why, and says so.
            Ok(Some(Err(_))) | Err(_) => function.warm.give_up(),
        }
    }
    function.warm.done();
    (function.warm.len() > 0).then_some(order)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn as_many_are_wanted_as_come_while_one_is_started() {
        let mut demand = Demand::default();
        let mut now = Instant::now();
        demand.arrival(now);
        assert_eq!(demand.wanted(), 1);
        demand.measured(Duration::from_millis(10));
        for _ in 0..100 {
            now += Duration::from_millis(2);
            demand.arrival(now);
        }
        assert_eq!(demand.wanted(), 6);
        for _ in 0..100 {
            now += Duration::from_secs(1);
            demand.arrival(now);
        }
        assert_eq!(demand.wanted(), 1);
        demand.measured(Duration::from_micros(3));
        assert_eq!(demand.wanted(), 0, "a start-up that costs nothing is left to the request");
    }
}
