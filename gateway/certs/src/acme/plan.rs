//! When a certificate is due, and how long to wait after a failure. Pure.

use std::time::Duration;

use headgate_types::Timestamp;
use rand::Rng;

use super::{defaults, wanted::CertificateId};

/// A time in which an authority would have a certificate renewed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Window {
    pub(crate) start: Timestamp,
    pub(crate) end: Timestamp,
}

/// When to renew: within the authority's window, else with a third of the life left, a little
/// earlier for some, so that what was ordered together is not renewed together.
pub(crate) fn renewal_at(
    id: CertificateId,
    not_before: Timestamp,
    not_after: Timestamp,
    window: Option<Window>,
) -> Timestamp {
    let life = not_after.since(not_before);
    if let Some(Window { start, end }) = window {
        let at = start.after(end.since(start).mul_f64(id.fraction()));
        // Whatever it says, not in the last days.
        return at.min(not_after.before(life / 6));
    }
    let spread = (life / defaults::SPREAD).mul_f64(id.fraction());
    not_after.before(life / 3).before(spread)
}

/// The pause after so many failures in a row: doubled with each, up to a quarter more by chance.
pub(crate) fn back_off(
    failures: u32,
    first: Duration,
    longest: Duration,
    rng: &mut impl Rng,
) -> Duration {
    let doubled = first.saturating_mul(2u32.saturating_pow(failures.saturating_sub(1)));
    let pause = doubled.min(longest);
    (pause + (pause / 4).mul_f64(rng.random::<f64>())).min(longest)
}

#[cfg(test)]
mod tests {
    use rand::{SeedableRng, rngs::StdRng};

    use super::*;

    const DAY: Duration = Duration::from_secs(24 * 60 * 60);

    fn id(name: &str) -> CertificateId {
        CertificateId::of([&name.parse().unwrap()])
    }

    #[test]
    fn renewals_are_spread_before_the_last_third_of_a_life() {
        let (from, to) = (Timestamp::from_millis(0), Timestamp::from_millis(0).after(90 * DAY));
        let days: Vec<u64> = (0..1000)
            .map(|n| {
                renewal_at(id(&format!("h{n}.test")), from, to, None).since(from).as_secs() / 86_400
            })
            .collect();
        assert!(days.iter().all(|day| (52..=60).contains(day)));
        for day in 52..60 {
            let those = days.iter().filter(|one| **one == day).count();
            assert!((40..=200).contains(&those), "{those} on day {day}");
        }
    }

    #[test]
    fn an_authoritys_window_goes_before_our_rule_but_never_into_the_last_days() {
        let from = Timestamp::from_millis(0);
        let to = from.after(90 * DAY);
        let window = Window { start: from.after(2 * DAY), end: from.after(3 * DAY) };
        let at = renewal_at(id("a.test"), from, to, Some(window));
        assert!(window.start <= at && at <= window.end);
        let late = Window { start: from.after(100 * DAY), end: from.after(101 * DAY) };
        assert_eq!(renewal_at(id("a.test"), from, to, Some(late)), to.before(15 * DAY));
    }

    #[test]
    fn pauses_double_from_a_minute_to_a_day() {
        let mut rng = StdRng::seed_from_u64(1);
        let mut pause =
            |failures| back_off(failures, defaults::FIRST_RETRY, defaults::LONGEST_RETRY, &mut rng);
        for (failures, minutes) in [(1, 1), (2, 2), (3, 4), (6, 32)] {
            let seconds = pause(failures).as_secs();
            assert!((minutes * 60..=minutes * 75).contains(&seconds), "{failures}: {seconds}");
        }
        assert_eq!(pause(50), DAY);
    }
}
