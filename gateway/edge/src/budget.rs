//! `Budget` and `Bucket`: how often something may happen.

use std::time::Duration;

use tokio::time::Instant;

/// A rate with a burst: `burst` at once, then `refill` in each `per`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Budget {
    pub burst: u32,
    pub refill: u32,
    pub per: Duration,
}

/// A token bucket that looks at the clock only when it is empty.
///
/// Over any time `t` it lets at most `burst + refill * t / per` through.
#[derive(Debug, Clone, Copy)]
pub struct Bucket {
    tokens: u32,
    since: Instant,
}

impl Bucket {
    /// A full bucket.
    pub fn new(budget: &Budget, now: Instant) -> Self {
        Self { tokens: budget.burst, since: now }
    }

    /// Takes one token; `false` if there is none.
    pub fn take(&mut self, budget: &Budget, now: impl FnOnce() -> Instant) -> bool {
        if self.tokens == 0 {
            self.refill(budget, now());
        }
        match self.tokens.checked_sub(1) {
            Some(left) => {
                self.tokens = left;
                true
            }
            None => false,
        }
    }

    /// Whether nothing would be lost by forgetting this bucket and starting with a full one.
    pub fn is_rested(&self, budget: &Budget, now: Instant) -> bool {
        u64::from(self.tokens) + earned(budget, now - self.since) >= u64::from(budget.burst)
    }

    fn refill(&mut self, budget: &Budget, now: Instant) {
        let earned = earned(budget, now - self.since);
        // The clock is only moved on when something was earned, so that fractions are not lost.
        if earned > 0 {
            self.tokens = u32::try_from(earned).unwrap_or(u32::MAX).min(budget.burst);
            self.since = now;
        }
    }
}

fn earned(budget: &Budget, elapsed: Duration) -> u64 {
    let earned = elapsed.as_nanos() * u128::from(budget.refill) / budget.per.as_nanos().max(1);
    u64::try_from(earned).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    const BUDGET: Budget = Budget { burst: 3, refill: 10, per: Duration::from_secs(1) };

    fn taken(bucket: &mut Bucket, at: Instant, tries: u32) -> u32 {
        (0..tries).map(|_| u32::from(bucket.take(&BUDGET, || at))).sum()
    }

    #[test]
    fn a_burst_then_the_rate() {
        let start = Instant::now();
        let mut bucket = Bucket::new(&BUDGET, start);
        assert_eq!(taken(&mut bucket, start, 10), 3);
        assert_eq!(taken(&mut bucket, start + Duration::from_millis(99), 10), 0);
        assert_eq!(taken(&mut bucket, start + Duration::from_millis(100), 10), 1);
        assert_eq!(taken(&mut bucket, start + Duration::from_secs(60), 10), 3);
    }

    #[test]
    fn a_bucket_rests_until_it_would_be_full() {
        let start = Instant::now();
        let mut bucket = Bucket::new(&BUDGET, start);
        assert!(bucket.is_rested(&BUDGET, start));
        assert_eq!(taken(&mut bucket, start, 3), 3);
        assert!(!bucket.is_rested(&BUDGET, start + Duration::from_millis(299)));
        assert!(bucket.is_rested(&BUDGET, start + Duration::from_millis(300)));
    }
}
