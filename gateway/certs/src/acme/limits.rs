//! An authority's limits, counted on our side, so that they are seen before they bite.

use std::{
    collections::{BTreeMap, BTreeSet},
    time::Duration,
};

use headgate_types::{HostPattern, Timestamp};
use serde::{Deserialize, Serialize};

use super::{defaults, registered_domain::registered_domain, wanted::CertificateId};

const HOUR: Duration = Duration::from_secs(60 * 60);
const WEEK: Duration = Duration::from_secs(7 * 24 * 60 * 60);

/// So many within a time that moves along.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Allowance {
    pub count: usize,
    pub window: Duration,
}

/// What an authority allows; `None` where it does not count.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Limits {
    /// New orders of the account.
    pub orders: Option<Allowance>,
    /// New certificates with a name under one registered domain. Renewals do not count.
    pub per_domain: Option<Allowance>,
    /// Certificates with exactly the same names.
    pub duplicates: Option<Allowance>,
}

/// How much of a limit is used.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LimitUse {
    /// `new orders`, `certificates for example.org`.
    pub what: String,
    pub used: usize,
    pub of: usize,
    pub window: Duration,
}

/// What was ordered, issued and refused lately, and what is to be tried again when. Kept on disk.
#[derive(Debug, Default, Serialize, Deserialize)]
#[serde(default)]
pub(crate) struct Ledger {
    orders: Vec<Timestamp>,
    issued: Vec<Issue>,
    /// By name, when the authority refused it.
    refused: BTreeMap<String, Vec<Timestamp>>,
    /// By certificate as hex digits of its id; only those that failed.
    pub(crate) attempts: BTreeMap<CertificateId, Attempt>,
}

#[derive(Debug, Serialize, Deserialize)]
struct Issue {
    at: Timestamp,
    id: CertificateId,
    /// The registered domains it counted for.
    domains: BTreeSet<String>,
}

/// Tries of one certificate that failed since the last that did not.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Attempt {
    pub(crate) failures: u32,
    pub(crate) not_before: Timestamp,
    pub(crate) error: String,
    pub(crate) advice: Option<String>,
}

impl Limits {
    /// Let's Encrypt's as it publishes them; none for an authority that is not known here.
    pub fn of(directory: &str) -> Self {
        if issuer_domain(directory).is_none() {
            return Self::default();
        }
        Self {
            orders: Some(Allowance { count: 300, window: 3 * HOUR }),
            per_domain: Some(Allowance { count: 50, window: WEEK }),
            duplicates: Some(Allowance { count: 5, window: WEEK }),
        }
    }
}

/// What CAA records call the authority of this directory (RFC 8659 §4.2), if that is known here.
pub fn issuer_domain(directory: &str) -> Option<&'static str> {
    let host = directory.strip_prefix("https://")?.split('/').next()?;
    host.ends_with(".api.letsencrypt.org").then_some("letsencrypt.org")
}

/// How a new certificate counts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Counts {
    /// For names that had none.
    New,
    /// For the same names as one that is held.
    Renewal,
    /// A renewal that names what it replaces in its window: an authority counts it nowhere.
    Exempt,
}

impl Ledger {
    /// Until when one of the limits stands against an order; `None` if none does.
    pub(crate) fn blocked(
        &self,
        limits: &Limits,
        id: CertificateId,
        names: &BTreeSet<HostPattern>,
        counts: Counts,
        now: Timestamp,
    ) -> Option<(Timestamp, String)> {
        if counts == Counts::Exempt {
            return None;
        }
        let orders = || full(limits.orders, self.orders.iter().copied(), now);
        let same = self.issued.iter().filter(|issue| issue.id == id).map(|issue| issue.at);
        let duplicates = full(limits.duplicates, same, now)
            .map(|until| (until, "certificates with the same names".to_owned()));
        let domains = domains(names).into_iter().filter(|_| counts == Counts::New);
        let domains = domains.filter_map(|domain| {
            let until = full(limits.per_domain, self.issued_for(&domain), now)?;
            Some((until, format!("certificates for {domain}")))
        });
        let orders = orders().map(|until| (until, "new orders".to_owned()));
        orders.into_iter().chain(duplicates).chain(domains).max()
    }

    /// Until when a name rests because an authority refused it too often.
    pub(crate) fn resting(
        &self,
        names: &BTreeSet<HostPattern>,
        now: Timestamp,
    ) -> Option<Timestamp> {
        let allowance =
            Allowance { count: defaults::FAILURES_PER_NAME, window: defaults::FAILURE_WINDOW };
        let times = names.iter().filter_map(|name| self.refused.get(name.base().as_str()));
        times.filter_map(|times| full(Some(allowance), times.iter().copied(), now)).max()
    }

    pub(crate) fn ordered(&mut self, now: Timestamp) {
        self.orders.push(now);
    }

    pub(crate) fn issued(
        &mut self,
        id: CertificateId,
        names: &BTreeSet<HostPattern>,
        counts: Counts,
        now: Timestamp,
    ) {
        let domains = if counts == Counts::New { domains(names) } else { BTreeSet::new() };
        self.issued.push(Issue { at: now, id, domains });
        self.attempts.remove(&id);
    }

    pub(crate) fn refused(&mut self, names: &BTreeSet<HostPattern>, now: Timestamp) {
        for name in names {
            self.refused.entry(name.base().to_string()).or_default().push(now);
        }
    }

    /// Drops what no limit looks at any more.
    pub(crate) fn forget_old(&mut self, limits: &Limits, now: Timestamp) {
        let window = |allowance: Option<Allowance>| allowance.map_or(HOUR, |one| one.window);
        let week = window(limits.per_domain).max(window(limits.duplicates));
        self.orders.retain(|at| now.since(*at) < window(limits.orders));
        self.issued.retain(|issue| now.since(issue.at) < week);
        self.refused.retain(|_, times| {
            times.retain(|at| now.since(*at) < defaults::FAILURE_WINDOW);
            !times.is_empty()
        });
    }

    /// How much of each limit is used, the fullest first.
    pub(crate) fn uses(&self, limits: &Limits, now: Timestamp) -> Vec<LimitUse> {
        let mut uses = Vec::new();
        let mut push = |what: String, allowance: Option<Allowance>, times: Vec<Timestamp>| {
            if let Some(Allowance { count, window }) = allowance {
                let used = times.iter().filter(|at| now.since(**at) < window).count();
                uses.push(LimitUse { what, used, of: count, window });
            }
        };
        push("new orders".to_owned(), limits.orders, self.orders.clone());
        let domains: BTreeSet<_> = self.issued.iter().flat_map(|issue| &issue.domains).collect();
        for domain in domains {
            let times = self.issued_for(domain).collect();
            push(format!("certificates for {domain}"), limits.per_domain, times);
        }
        uses.sort_by_key(|one| std::cmp::Reverse(one.used * 100 / one.of.max(1)));
        uses
    }

    fn issued_for(&self, domain: &str) -> impl Iterator<Item = Timestamp> {
        let issued = self.issued.iter().filter(move |issue| issue.domains.contains(domain));
        issued.map(|issue| issue.at)
    }
}

/// When there is room again, if there is none now.
fn full(
    allowance: Option<Allowance>,
    times: impl Iterator<Item = Timestamp>,
    now: Timestamp,
) -> Option<Timestamp> {
    let Allowance { count, window } = allowance?;
    let mut times: Vec<_> = times.filter(|at| now.since(*at) < window).collect();
    times.sort_unstable();
    let frees = times.len().checked_sub(count)?;
    Some(times.get(frees)?.after(window))
}

fn domains(names: &BTreeSet<HostPattern>) -> BTreeSet<String> {
    names.iter().map(registered_domain).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names(text: &str) -> BTreeSet<HostPattern> {
        text.split(' ').map(|name| name.parse().unwrap()).collect()
    }

    fn at(hours: u64) -> Timestamp {
        Timestamp::from_millis(1_700_000_000_000).after(HOUR * u32::try_from(hours).unwrap())
    }

    fn lets_encrypt() -> Limits {
        Limits::of("https://acme-v02.api.letsencrypt.org/directory")
    }

    #[test]
    fn the_fifty_first_certificate_of_a_domain_waits_and_its_renewal_does_not() {
        let (mut ledger, limits) = (Ledger::default(), lets_encrypt());
        for number in 0..50 {
            let names = names(&format!("h{number}.example.co.uk"));
            assert_eq!(
                ledger.blocked(&limits, CertificateId::of(&names), &names, Counts::New, at(1)),
                None
            );
            ledger.issued(CertificateId::of(&names), &names, Counts::New, at(1));
        }
        let next = names("next.example.co.uk");
        let id = CertificateId::of(&next);
        let (until, what) = ledger.blocked(&limits, id, &next, Counts::New, at(2)).unwrap();
        assert_eq!((until, what.as_str()), (at(1 + 7 * 24), "certificates for example.co.uk"));
        assert_eq!(ledger.blocked(&limits, id, &next, Counts::Renewal, at(2)), None);
        assert_eq!(ledger.blocked(&limits, id, &names("a.test"), Counts::New, at(2)), None);
        assert_eq!(ledger.uses(&limits, at(2))[0].used, 50);
        ledger.forget_old(&limits, at(1 + 7 * 24));
        assert_eq!(ledger.blocked(&limits, id, &next, Counts::New, at(1 + 7 * 24)), None);
    }

    #[test]
    fn a_sixth_duplicate_waits_unless_it_is_exempt() {
        let (mut ledger, limits) = (Ledger::default(), lets_encrypt());
        let names = names("a.test *.a.test");
        let id = CertificateId::of(&names);
        for hour in 0..5 {
            ledger.issued(id, &names, Counts::Renewal, at(hour));
        }
        let (until, _) = ledger.blocked(&limits, id, &names, Counts::Renewal, at(9)).unwrap();
        assert_eq!(until, at(7 * 24));
        assert_eq!(ledger.blocked(&limits, id, &names, Counts::Exempt, at(9)), None);
    }

    #[test]
    fn a_name_refused_five_times_rests_until_an_hour_after_the_first() {
        let mut ledger = Ledger::default();
        let names = names("a.test");
        for _ in 0..4 {
            ledger.refused(&names, at(1));
        }
        assert_eq!(ledger.resting(&names, at(1)), None);
        ledger.refused(&names, at(1));
        assert_eq!(ledger.resting(&names, at(1)), Some(at(2)));
        assert_eq!(ledger.resting(&names, at(2)), None);
    }

    #[test]
    fn other_authorities_are_not_counted() {
        assert_eq!(Limits::of("https://acme.corp.test/dir"), Limits::default());
    }
}
