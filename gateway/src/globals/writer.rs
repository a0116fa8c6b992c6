//! `GlobalsWriter`: the one task that writes values, a batch at a time.

use std::{sync::Arc, time::Duration};

use headgate_types::Chain;
use tokio::{
    task,
    time::{Instant, sleep},
};
use tokio_util::sync::CancellationToken;
use tracing::{error, info};

use super::{NodeGlobals, memory::Batch};
use crate::metrics::Metrics;

/// From one batch to the next, on average: a flood of puts is a steady twenty transactions a second, some hundred
/// kilobytes of them, and a guest that counts its visitors does not feel it.
const PAUSE: Duration = Duration::from_millis(50);

/// Batches that may follow each other at once after a quiet while, so that a guest that puts one value after the other
/// waits for the disk alone.
const AT_ONCE: u32 = 100;

/// After a failure. A disk that is full stays so for a while.
const RETRY: Duration = Duration::from_secs(1);

#[derive(Debug)]
pub(crate) struct GlobalsWriter {
    globals: Arc<NodeGlobals>,
    file: Arc<headgate_store::Globals>,
    metrics: Arc<Metrics>,
    /// The last batch failed: said once, not each second.
    failing: bool,
    rhythm: Rhythm,
}

/// When the next batch may be written.
#[derive(Debug)]
struct Rhythm {
    /// When the batches so far would be over, had they come one each [`PAUSE`].
    even: Instant,
}

impl GlobalsWriter {
    pub(super) fn new(
        globals: Arc<NodeGlobals>,
        file: headgate_store::Globals,
        metrics: Arc<Metrics>,
    ) -> Self {
        Self {
            globals,
            file: Arc::new(file),
            metrics,
            failing: false,
            rhythm: Rhythm { even: Instant::now() },
        }
    }

    /// Writes until it is stopped, and then what is left.
    pub(crate) async fn run(mut self, stop: CancellationToken) {
        while stop.run_until_cancelled(self.globals.changed.notified()).await.is_some() {
            self.write().await;
            let pause = self.rhythm.wrote(Instant::now());
            let pause = if self.failing { RETRY } else { pause };
            stop.run_until_cancelled(sleep(pause)).await;
        }
        self.write().await;
    }

    async fn write(&mut self) {
        let (batch, bytes) = {
            let mut memory = self.globals.memory();
            (memory.next_batch(), memory.bytes())
        };
        let Some(batch) = batch else { return };
        self.metrics.values_kept(bytes);
        let file = self.file.clone();
        let write = move || (file.write(&batch.changes), batch);
        let (result, batch) = match task::spawn_blocking(write).await {
            Ok(done) => done,
            Err(error) => std::panic::resume_unwind(error.into_panic()),
        };
        match result {
            Ok(()) => self.wrote(&batch),
            Err(error) => self.failed(batch, &error),
        }
    }

    fn wrote(&mut self, batch: &Batch) {
        if self.failing {
            info!("values of functions are written again");
        }
        self.failing = false;
        self.metrics.values_written("written");
        self.globals.written.send_modify(|written| written.durable = batch.number);
    }

    fn failed(&mut self, batch: Batch, failure: &headgate_store::GlobalsError) {
        if !self.failing {
            error!(
                error = %Chain(failure),
                "values of functions cannot be written; they are tried again each second, and what is not written \
                 by then is lost when this node ends"
            );
        }
        self.failing = true;
        self.metrics.values_written("failed");
        let (number, reason) = (batch.number, Chain(failure).to_string().into());
        self.globals.memory().take_back(batch);
        self.globals.written.send_modify(|written| written.failed = Some((number, reason)));
        self.globals.changed.notify_one();
    }
}

impl Rhythm {
    /// How long to wait after a batch.
    fn wrote(&mut self, now: Instant) -> Duration {
        self.even = self.even.max(now) + PAUSE;
        self.even.duration_since(now).saturating_sub(PAUSE * AT_ONCE)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_burst_is_written_at_once_and_a_flood_at_its_pace() {
        let mut now = Instant::now();
        let mut rhythm = Rhythm { even: now };
        for _ in 0..AT_ONCE {
            assert_eq!(rhythm.wrote(now), Duration::ZERO);
        }
        for _ in 0..3 {
            assert_eq!(rhythm.wrote(now), PAUSE);
            now += PAUSE;
        }
        now += 10 * PAUSE;
        for _ in 0..10 {
            assert_eq!(rhythm.wrote(now), Duration::ZERO);
        }
        assert_eq!(rhythm.wrote(now), PAUSE);
    }
}
