//! `Pace`: the least speed of an HTTP/1 request body.

use std::time::Duration;

use tokio::time::Instant;

use crate::limits::Limits;

/// The speed of one request body, over the time spent waiting for the client alone: a handler that
/// reads slowly never counts against it.
#[derive(Debug, Default)]
pub(crate) struct Pace {
    waiting_since: Option<Instant>,
    waited: Duration,
    bytes: u64,
}

impl Pace {
    /// Nothing is there: the clock runs from the first time this is said.
    pub(crate) fn waits(&mut self, now: impl FnOnce() -> Instant) {
        if self.waiting_since.is_none() {
            self.waiting_since = Some(now());
        }
    }

    /// `bytes` came; whether the body is still fast enough.
    pub(crate) fn received(
        &mut self,
        bytes: usize,
        limits: &Limits,
        now: impl FnOnce() -> Instant,
    ) -> bool {
        self.bytes += bytes as u64;
        if let Some(since) = self.waiting_since.take() {
            self.waited += now() - since;
        }
        if self.waited <= limits.body_grace {
            return true;
        }
        let wanted = u128::from(limits.body_rate) * self.waited.as_millis() / 1000;
        u128::from(self.bytes) >= wanted
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn limits() -> Limits {
        Limits { body_rate: 100, body_grace: Duration::from_secs(2), ..Limits::default() }
    }

    #[test]
    fn a_drip_is_too_slow_after_the_grace() {
        let (limits, start) = (limits(), Instant::now());
        let mut pace = Pace::default();
        let mut drip = |second: u64| {
            pace.waits(|| start + Duration::from_secs(second));
            pace.received(1, &limits, || start + Duration::from_secs(second + 1))
        };
        assert!(drip(0) && drip(1));
        assert!(!drip(2));
    }

    #[test]
    fn only_waiting_counts() {
        let (limits, start) = (limits(), Instant::now());
        let mut pace = Pace::default();
        pace.waits(|| start);
        assert!(pace.received(1, &limits, || start + Duration::from_secs(1)));
        // The handler took an hour; then bytes were there at once.
        assert!(pace.received(1, &limits, || start + Duration::from_secs(3600)));
    }

    #[test]
    fn a_steady_pace_passes() {
        let (limits, start) = (limits(), Instant::now());
        let mut pace = Pace::default();
        for second in 0..100 {
            pace.waits(|| start + Duration::from_secs(second));
            assert!(pace.received(100, &limits, || start + Duration::from_secs(second + 1)));
        }
    }
}
