//! A function that only traps is left alone for a while.
//!
//! Failures count in a row, and only once that has gone on for a while: one good answer among them, and nothing happens.
//! So a client whose requests make a guest trap does not shut off those whose requests do not, not even by sending
//! very many at once, as long as the function answers anybody now and then; and if that client is alone with the
//! function, it can keep it resting for [`BACKOFF_MAX`](defaults::BACKOFF_MAX) at a time at most. A new revision begins
//! anew.
//!
//! ```text
//!  answers ──traps in a row──► rests ──time is up──► one call is let through ──traps──► rests twice as long
//!     ▲                                                   │
//!     └───────────────────── it answers ──────────────────┘
//! ```

use std::{
    sync::{
        Mutex, MutexGuard, PoisonError,
        atomic::{AtomicBool, Ordering},
    },
    time::{Duration, Instant},
};

use crate::defaults;

/// What a function's latest calls say of it.
#[derive(Debug, Default)]
pub(crate) struct Backoff {
    /// Whether there is anything to remember, which is all that a sound function ever looks at.
    failing: AtomicBool,
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    /// The calls that trapped, since there was an answer, and when the first of them did.
    row: Option<Row>,
    rest: Option<Rest>,
}

#[derive(Debug)]
struct Row {
    traps: u32,
    since: Instant,
}

#[derive(Debug)]
struct Rest {
    until: Instant,
    length: Duration,
    /// Somebody tries whether it answers again.
    trial: bool,
}

/// A call that may go ahead.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Admitted {
    AsUsual,
    /// The one that tries whether a function answers again.
    Trial,
}

/// What changed with a call that ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Change {
    /// It rests now, after this many calls that trapped in a row.
    Rests {
        traps: u32,
        length: Duration,
    },
    /// The trial trapped as well.
    RestsOn {
        length: Duration,
    },
    Answers,
}

impl Backoff {
    /// Whether a call may go ahead at `now`, else after what time it is worth another try.
    pub(crate) fn admit(&self, now: Instant) -> Result<Admitted, Duration> {
        if !self.failing.load(Ordering::Relaxed) {
            return Ok(Admitted::AsUsual);
        }
        let mut state = self.state();
        let Some(rest) = &mut state.rest else { return Ok(Admitted::AsUsual) };
        match rest.until.checked_duration_since(now) {
            Some(left) if !left.is_zero() => Err(left),
            _ if rest.trial => Err(defaults::BACKOFF_MIN),
            _ => {
                rest.trial = true;
                Ok(Admitted::Trial)
            }
        }
    }

    /// A call trapped. While the function rests, only its trial says anything new.
    pub(crate) fn trapped(&self, call: Admitted, now: Instant) -> Option<Change> {
        let mut state = self.state();
        if let Some(rest) = &mut state.rest {
            if call == Admitted::AsUsual {
                return None;
            }
            let length = (rest.length * 2).min(defaults::BACKOFF_MAX);
            *rest = Rest { until: now + length, length, trial: false };
            return Some(Change::RestsOn { length });
        }
        let row = state.row.get_or_insert(Row { traps: 0, since: now });
        if now.saturating_duration_since(row.since) > defaults::BACKOFF_WITHIN {
            *row = Row { traps: 0, since: now };
        }
        row.traps += 1;
        let (traps, lasted) = (row.traps, now.saturating_duration_since(row.since));
        self.failing.store(true, Ordering::Relaxed);
        if traps < defaults::BACKOFF_TRAPS || lasted < defaults::BACKOFF_AFTER {
            return None;
        }
        let length = defaults::BACKOFF_MIN;
        state.rest = Some(Rest { until: now + length, length, trial: false });
        Some(Change::Rests { traps, length })
    }

    /// A call was answered, by whichever way it was let through: all is well.
    pub(crate) fn answered(&self) -> Option<Change> {
        if !self.failing.load(Ordering::Relaxed) {
            return None;
        }
        let mut state = self.state();
        self.failing.store(false, Ordering::Relaxed);
        state.row = None;
        state.rest.take().map(|_| Change::Answers)
    }

    /// A call ended without telling anything: its client left, or it had to wait too long. If it was the trial,
    /// the next one is.
    pub(crate) fn undecided(&self, call: Admitted) {
        if call == Admitted::Trial
            && let Some(rest) = &mut self.state().rest
        {
            rest.trial = false;
        }
    }

    /// How much longer it rests.
    pub(crate) fn resting(&self, now: Instant) -> Option<Duration> {
        let until = self.state().rest.as_ref()?.until;
        until.checked_duration_since(now).filter(|left| !left.is_zero())
    }

    /// Nothing in here panics, and nothing is left half done.
    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MIN: Duration = defaults::BACKOFF_MIN;

    fn trap(backoff: &Backoff, times: u32, now: Instant) -> Option<Change> {
        (0..times).map(|_| backoff.trapped(Admitted::AsUsual, now)).last().flatten()
    }

    /// One that begins to rest now.
    fn resting(now: Instant) -> Backoff {
        let backoff = Backoff::default();
        let begun = now.checked_sub(defaults::BACKOFF_AFTER).unwrap();
        assert_eq!(trap(&backoff, defaults::BACKOFF_TRAPS - 1, begun), None);
        let change = trap(&backoff, 1, now);
        assert_eq!(change, Some(Change::Rests { traps: defaults::BACKOFF_TRAPS, length: MIN }));
        backoff
    }

    #[test]
    fn one_answer_among_traps_is_enough() {
        let (backoff, now) = (Backoff::default(), Instant::now());
        for _ in 0..100 {
            assert_eq!(trap(&backoff, defaults::BACKOFF_TRAPS - 1, now), None);
            assert_eq!(backoff.admit(now), Ok(Admitted::AsUsual));
            assert_eq!(backoff.answered(), None);
        }
    }

    #[test]
    fn a_burst_is_no_reason_to_rest() {
        let (backoff, now) = (Backoff::default(), Instant::now());
        assert_eq!(trap(&backoff, 10_000, now), None);
        let later = now + defaults::BACKOFF_AFTER / 2;
        assert_eq!(backoff.answered(), None);
        assert_eq!(trap(&backoff, 10_000, later), None);
        assert_eq!(trap(&backoff, 1, now + defaults::BACKOFF_AFTER), None, "it was answered since");
    }

    #[test]
    fn traps_far_apart_are_no_row() {
        let (backoff, start) = (Backoff::default(), Instant::now());
        for nth in 0..100 {
            let now = start + defaults::BACKOFF_WITHIN / 5 * nth;
            assert_eq!(backoff.trapped(Admitted::AsUsual, now), None);
        }
    }

    #[test]
    fn it_rests_and_one_call_tries() {
        let now = Instant::now();
        let backoff = resting(now);
        assert_eq!(backoff.admit(now), Err(MIN));
        assert_eq!(backoff.resting(now), Some(MIN));
        assert_eq!(backoff.trapped(Admitted::AsUsual, now), None, "it was under way before");
        let later = now + MIN;
        assert_eq!(backoff.resting(later), None);
        assert_eq!(backoff.admit(later), Ok(Admitted::Trial));
        assert_eq!(backoff.admit(later), Err(MIN), "one is enough");
        assert_eq!(backoff.answered(), Some(Change::Answers));
        assert_eq!(backoff.admit(later), Ok(Admitted::AsUsual));
        assert_eq!(backoff.trapped(Admitted::AsUsual, later), None, "the row begins anew");
    }

    #[test]
    fn it_rests_longer_each_time_but_not_for_ever() {
        let mut now = Instant::now();
        let backoff = resting(now);
        let mut length = MIN;
        for _ in 0..20 {
            now += length;
            assert_eq!(backoff.admit(now), Ok(Admitted::Trial));
            length = (length * 2).min(defaults::BACKOFF_MAX);
            let change = backoff.trapped(Admitted::Trial, now);
            assert_eq!(change, Some(Change::RestsOn { length }));
            assert_eq!(backoff.admit(now), Err(length));
        }
        assert_eq!(length, defaults::BACKOFF_MAX);
    }

    #[test]
    fn a_trial_that_tells_nothing_is_repeated() {
        let now = Instant::now();
        let backoff = resting(now);
        assert_eq!(backoff.admit(now + MIN), Ok(Admitted::Trial));
        backoff.undecided(Admitted::AsUsual);
        assert!(backoff.admit(now + MIN).is_err());
        backoff.undecided(Admitted::Trial);
        assert_eq!(backoff.admit(now + MIN), Ok(Admitted::Trial));
    }

    #[test]
    fn an_answer_that_was_under_way_ends_the_rest() {
        let now = Instant::now();
        let backoff = resting(now);
        assert_eq!(backoff.answered(), Some(Change::Answers));
        assert_eq!(backoff.admit(now), Ok(Admitted::AsUsual));
    }
}
