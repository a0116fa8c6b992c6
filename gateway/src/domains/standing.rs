//! `Standing`: what is known of one claim on a host, and when DNS is asked again. No I/O, no clock, no chance.
//!
//! ```text
//!            shown                      shown
//! pending ──────────► verified ◄────────────────┐
//!    ▲  │ ask again,     │  absent              │
//!    │  └ ever later     ▼                      │
//!    └──── three days ─ verified, for now ──────┘
//! ```
//!
//! Only an answer takes anything away. A name server that is silent, for an hour or a week, changes nothing: a
//! domain whose DNS is down reaches nobody anyway, and one whose operator's resolver is down must not go with it.

use std::time::Duration;

use headgate_ownership::Proof;
use headgate_types::Timestamp;
use serde::{Deserialize, Serialize};

/// After the first look at a pending claim; doubled with each one that shows nothing. Whoever enters a record
/// waits beside it.
const FIRST_PAUSE: Duration = Duration::from_secs(15);
/// A claim that nobody tends is asked for no less often. `headgate domains check` asks at once.
const LONGEST_PAUSE: Duration = Duration::from_secs(30 * 60);
/// Ownership changes rarely, and a domain that changed hands is noticed within the grace all the same.
const VERIFIED_PAUSE: Duration = Duration::from_secs(24 * 60 * 60);
/// While a record is gone, so that one that comes back is believed again soon.
const ABSENT_PAUSE: Duration = Duration::from_secs(60 * 60);
/// How long a record may be gone before its host is. Moving a zone to another provider loses records, and a
/// weekend passes before somebody notices.
pub(crate) const GRACE: Duration = Duration::from_secs(3 * 24 * 60 * 60);

#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Standing {
    pub(crate) verified: Option<Verified>,
    pub(crate) looked_at: Option<Timestamp>,
    pub(crate) next_at: Timestamp,
    /// What the last look found, where it did not show the claim.
    pub(crate) said: Option<String>,
    /// Looks in a row that did not show it.
    pub(crate) misses: u32,
}

/// What outlives a restart.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Verified {
    pub(crate) by: Proof,
    /// When it was first shown. Of two projects that both show a claim on one host, the earlier one has it.
    pub(crate) at: Timestamp,
    /// Since when DNS says that the record is gone.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) absent_since: Option<Timestamp>,
}

/// What one look at DNS found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Seen {
    Shown(Proof),
    /// DNS answered, and nothing in it shows the claim; in words.
    Absent(String),
    /// DNS did not answer; in words.
    Unanswered(String),
}

impl Standing {
    /// Of a claim that is new: to be asked for at once.
    pub(crate) fn pending() -> Self {
        Self::default()
    }

    /// Of a claim that was verified before a restart, to be asked for within the next hour or so: a node with
    /// ten thousand does not ask for all of them at once.
    pub(crate) fn remembered(verified: Verified, now: Timestamp, chance: f64) -> Self {
        let pause = ABSENT_PAUSE.mul_f64(chance);
        Self { verified: Some(verified), next_at: now.after(pause), ..Self::default() }
    }

    /// What follows from a look. `chance` is drawn from 0 to 1 and spreads the next one.
    #[must_use]
    pub(crate) fn after(self, seen: Seen, now: Timestamp, chance: f64) -> Self {
        let misses = match seen {
            Seen::Shown(_) => 0,
            _ => self.misses.saturating_add(1),
        };
        let verified = match (&seen, self.verified) {
            (Seen::Shown(by), known) => {
                let at = known.map_or(now, |known| known.at);
                Some(Verified { by: *by, at, absent_since: None })
            }
            (Seen::Unanswered(_), known) => known,
            (Seen::Absent(_), known) => known.and_then(|known| {
                let since = known.absent_since.unwrap_or(now);
                let absent_since = Some(since);
                (now.since(since) < GRACE).then_some(Verified { absent_since, ..known })
            }),
        };
        let pause = match &verified {
            Some(_) if misses == 0 => VERIFIED_PAUSE,
            Some(_) => ABSENT_PAUSE,
            None => FIRST_PAUSE.saturating_mul(1 << (misses - 1).min(16)).min(LONGEST_PAUSE),
        };
        let said = match seen {
            Seen::Shown(_) => None,
            Seen::Absent(said) | Seen::Unanswered(said) => Some(said),
        };
        let next_at = now.after(pause.mul_f64(0.8 + 0.4 * chance));
        Self { verified, looked_at: Some(now), next_at, said, misses }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const HOUR: Duration = Duration::from_secs(3600);

    fn absent() -> Seen {
        Seen::Absent("there is no such record".to_owned())
    }

    fn silent() -> Seen {
        Seen::Unanswered("no name server answered in time".to_owned())
    }

    fn at(hours: u32) -> Timestamp {
        Timestamp::from_millis(1_767_268_800_000).after(HOUR * hours)
    }

    #[test]
    fn a_pending_claim_is_asked_for_ever_later_but_never_not() {
        let mut standing = Standing::pending();
        assert!(standing.next_at <= at(0), "the first time at once");
        let mut pauses = Vec::new();
        for _ in 0..40 {
            let now = standing.next_at.max(at(0));
            standing = standing.after(absent(), now, 0.5);
            pauses.push(standing.next_at.since(now));
        }
        assert_eq!(pauses[0], FIRST_PAUSE);
        assert!(pauses.is_sorted());
        assert_eq!(pauses[39], LONGEST_PAUSE);
        assert!(standing.verified.is_none());
        let spread = |chance| standing.clone().after(absent(), at(0), chance).next_at.since(at(0));
        assert!(spread(0.0) < LONGEST_PAUSE && spread(1.0) > LONGEST_PAUSE);
    }

    #[test]
    fn a_silent_name_server_takes_nothing_away() {
        let mut standing = Standing::pending().after(Seen::Shown(Proof::Token), at(0), 0.5);
        for hour in 1..24 * 30 {
            standing = standing.after(silent(), at(hour), 0.5);
        }
        assert_eq!(standing.verified.map(|verified| verified.at), Some(at(0)));
        assert_eq!(standing.verified.and_then(|verified| verified.absent_since), None);
        assert_eq!(standing.next_at.since(at(24 * 30 - 1)), HOUR, "and is asked again soon");
    }

    #[test]
    fn a_record_may_be_gone_for_a_weekend() {
        let shown = || Seen::Shown(Proof::Token);
        let mut standing = Standing::pending().after(shown(), at(0), 0.5);
        for hour in 1..72 {
            standing = standing.after(absent(), at(hour), 0.5);
        }
        assert!(standing.verified.is_some());
        let back = standing.clone().after(shown(), at(72), 0.5);
        assert_eq!(
            back.verified.unwrap(),
            Verified { by: Proof::Token, at: at(0), absent_since: None }
        );
        // Silence in between neither helps nor hurts.
        let gone = standing.after(silent(), at(80), 0.5).after(absent(), at(81), 0.5);
        assert_eq!(gone.verified, None);
        let again = gone.after(shown(), at(90), 0.5);
        assert_eq!(again.verified.unwrap().at, at(90), "it begins anew");
    }
}
