//! `Poller`: when to ask a remote again.

use std::time::Duration;

/// A remote that stays broken is still asked this often, so that it heals without a restart.
pub const MAX_DELAY: Duration = Duration::from_secs(300);

/// How much chance spreads the polls of many nodes and projects, as a share of the delay.
const SPREAD: f64 = 0.2;

/// Counts failures and gives the next delay; has no clock and does not wait.
#[derive(Clone, Debug)]
pub struct Poller {
    interval: Duration,
    failures: u32,
}

impl Poller {
    /// `interval` is the delay between polls while all is well.
    pub fn new(interval: Duration) -> Self {
        Self { interval: interval.min(MAX_DELAY), failures: 0 }
    }

    /// The delay until the next poll, given how the last one went: the interval after a success,
    /// doubled with each failure in a row up to [`MAX_DELAY`], and spread by a tenth up and down.
    /// `jitter` is a random number from 0 to 1.
    pub fn next_delay(&mut self, succeeded: bool, jitter: f64) -> Duration {
        self.failures = if succeeded { 0 } else { self.failures.saturating_add(1) };
        let doubled = self.interval.saturating_mul(2u32.saturating_pow(self.failures));
        let spread = 1.0 - SPREAD / 2.0 + SPREAD * jitter.clamp(0.0, 1.0);
        doubled.min(MAX_DELAY).mul_f64(spread)
    }

    /// Failures in a row.
    pub fn failures(&self) -> u32 {
        self.failures
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MIDDLE: f64 = 0.5;

    #[test]
    fn failures_double_the_delay_up_to_the_cap_and_success_resets_it() {
        let mut poller = Poller::new(Duration::from_secs(5));
        let mut seconds = |succeeded| poller.next_delay(succeeded, MIDDLE).as_secs();
        assert_eq!([true, true, false, false, false].map(&mut seconds), [5, 5, 10, 20, 40]);
        assert_eq!([false; 40].map(&mut seconds)[3..], [300; 37]);
        assert_eq!([true, false].map(&mut seconds), [5, 10]);
    }

    #[test]
    fn chance_spreads_the_delay_by_a_tenth() {
        let mut poller = Poller::new(Duration::from_secs(10));
        assert_eq!(poller.next_delay(true, 0.0), Duration::from_secs(9));
        assert_eq!(poller.next_delay(true, 1.0), Duration::from_secs(11));
        assert_eq!(poller.next_delay(true, f64::INFINITY), Duration::from_secs(11));
    }
}
