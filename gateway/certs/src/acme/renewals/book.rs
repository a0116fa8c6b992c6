//! `Book`: what is wanted, held, under way and resting, and what follows from it. No I/O.

#[cfg(test)]
mod tests;

use std::{
    collections::{BTreeMap, HashMap},
    sync::Arc,
    time::Duration,
};

use headgate_types::{HostPattern, Timestamp};
use rand::{Rng, SeedableRng, rngs::StdRng};
use tracing::warn;

use super::held::Held;
use crate::{
    acme::{
        defaults,
        limits::{Counts, Ledger, LimitUse, Limits},
        order::Failure,
        plan::{Window, back_off, renewal_at},
        problem::{OrderError, ProblemKind},
        status::{CertificateState, CertificateStatus, NextStep},
        wanted::{CertificateId, Method, Wanted},
    },
    held::{HeldCertificate, Origin},
};

#[derive(Debug)]
pub(super) struct Book {
    limits: Limits,
    entries: BTreeMap<CertificateId, Entry>,
    held: Held,
    ledger: Ledger,
    outage: Outage,
    /// Changes of what is wanted so far.
    batch: u64,
    rng: StdRng,
}

#[derive(Debug)]
struct Entry {
    wanted: Wanted,
    /// The change that it came with.
    batch: u64,
    ordering: Option<Counts>,
    /// The operator wants it renewed whether it is due or not.
    forced: bool,
    window: Option<Window>,
    asking: bool,
    ask_at: Timestamp,
}

/// A time in which no order would get through, whatever it is for.
#[derive(Debug, Default)]
struct Outage {
    failures: u32,
    until: Timestamp,
    why: String,
}

/// An order to be driven.
#[derive(Debug)]
pub(super) struct Task {
    pub(super) id: CertificateId,
    pub(super) wanted: Wanted,
    pub(super) method: Method,
    pub(super) replaces: Option<Arc<HeldCertificate>>,
    pub(super) seed: u64,
}

/// What an authority says about renewing.
pub(super) type RenewalAnswer = Option<(Window, Duration)>;

impl Book {
    pub(super) fn new(
        limits: Limits,
        ledger: Ledger,
        certificates: Vec<Arc<HeldCertificate>>,
        seed: u64,
    ) -> Self {
        let mut held = Held::default();
        for certificate in certificates {
            held.insert(certificate);
        }
        Self {
            limits,
            entries: BTreeMap::new(),
            held,
            ledger,
            outage: Outage::default(),
            batch: 0,
            rng: StdRng::seed_from_u64(seed),
        }
    }

    /// Takes over what is wanted now. Orders under way for what is wanted no more come to their end.
    pub(super) fn adopt(&mut self, wanted: &[Wanted], now: Timestamp) {
        self.batch += 1;
        let mut old = std::mem::take(&mut self.entries);
        for wanted in wanted.iter().take(defaults::WANTED) {
            if !(1..=defaults::NAMES_PER_CERTIFICATE).contains(&wanted.names.len()) {
                warn!(names = wanted.names.len(), "a certificate has 1 to 100 names");
                continue;
            }
            let id = wanted.id();
            let entry = match old.remove(&id) {
                Some(entry) => Entry { wanted: wanted.clone(), ..entry },
                None => Entry {
                    wanted: wanted.clone(),
                    batch: self.batch,
                    ordering: None,
                    forced: false,
                    window: None,
                    asking: false,
                    ask_at: now.after(defaults::RENEWAL_INFO.mul_f64(id.fraction())),
                },
            };
            self.entries.insert(id, entry);
        }
        if wanted.len() > defaults::WANTED {
            warn!(wanted = wanted.len(), limit = defaults::WANTED, "too many certificates wanted");
        }
        // Their ends are still to come.
        self.entries.extend(old.into_iter().filter(|(_, entry)| entry.ordering.is_some()));
    }

    /// Orders to begin now, no more than there is room for. They count as under way from here.
    pub(super) fn take_due(&mut self, now: Timestamp) -> Vec<Task> {
        let under_way = self.entries.values().filter(|entry| entry.ordering.is_some()).count();
        // While nothing gets through, one order at a time looks whether it does again.
        let most = if self.outage.failures > 0 { 1 } else { defaults::CONCURRENCY };
        let mut room = most.saturating_sub(under_way);
        let mut due: Vec<_> = self
            .entries
            .iter()
            .filter_map(|(id, entry)| {
                let due =
                    matches!(self.next(*id, entry, now), NextStep::Order { at, .. } if at <= now);
                // What a person waits for goes first: an order of theirs, then what was wanted
                // last. In a folder that was lost all came at once, and their hash decides.
                due.then_some(((!entry.forced, std::cmp::Reverse(entry.batch)), *id))
            })
            .collect();
        due.sort_unstable();
        let mut tasks = Vec::new();
        for (_, id) in due {
            if room == 0 {
                break;
            }
            // Again, as the orders before it count.
            let entry = &self.entries[&id];
            if !matches!(self.next(id, entry, now), NextStep::Order { at, .. } if at <= now) {
                continue;
            }
            room -= 1;
            tasks.push(self.begin(id, now));
        }
        tasks
    }

    fn begin(&mut self, id: CertificateId, now: Timestamp) -> Task {
        let counts = self.counts(id, &self.entries[&id], now);
        let failures = self.ledger.attempts.get(&id).map_or(0, |attempt| attempt.failures);
        self.ledger.ordered(now);
        let entry = self.entries.get_mut(&id).expect("it was found among them");
        entry.ordering = Some(counts);
        entry.forced = false;
        Task {
            id,
            wanted: entry.wanted.clone(),
            method: entry.wanted.method(failures),
            replaces: self.held.ordered(id).filter(|_| entry.window.is_some()).cloned(),
            seed: self.rng.random(),
        }
    }

    pub(super) fn issued(
        &mut self,
        id: CertificateId,
        certificate: Arc<HeldCertificate>,
        now: Timestamp,
    ) {
        self.outage = Outage::default();
        self.held.insert(certificate);
        if let Some(entry) = self.entries.get_mut(&id) {
            let counts = entry.ordering.take().unwrap_or(Counts::New);
            entry.window = None;
            entry.ask_at = now.after(defaults::RENEWAL_INFO.mul_f64(id.fraction()));
            self.ledger.issued(id, &entry.wanted.names, counts, now);
        }
        self.ledger.forget_old(&self.limits, now);
    }

    pub(super) fn failed(
        &mut self,
        id: CertificateId,
        method: Method,
        failure: &Failure,
        now: Timestamp,
    ) {
        let Some(entry) = self.entries.get_mut(&id) else { return };
        entry.ordering = None;
        let mut longest = defaults::LONGEST_RETRY;
        match &failure.error {
            OrderError::Unavailable { .. } | OrderError::Store { .. } => {
                self.outage.begin(failure, now, &mut self.rng);
                longest = defaults::LONGEST_OUTAGE;
            }
            OrderError::Refused(problem) if problem.kind == ProblemKind::Account => {
                self.outage.begin(failure, now, &mut self.rng);
            }
            OrderError::RateLimited { detail, .. } if detail.contains("new orders") => {
                self.outage.begin(failure, now, &mut self.rng);
            }
            OrderError::Refused(_) => {
                self.outage = Outage::default();
                self.ledger.refused(&entry.wanted.names, now);
            }
            _ => self.outage = Outage::default(),
        }
        let attempt = self.ledger.attempts.entry(id).or_default();
        let again = attempt.error == failure.error.to_string();
        let pause = match failure.error {
            // It is registered again with the next try.
            OrderError::AccountForgotten if !again => Duration::ZERO,
            // Another node's order is none of our tries.
            OrderError::Elsewhere => defaults::FIRST_RETRY,
            _ => {
                attempt.failures = attempt.failures.saturating_add(1);
                back_off(attempt.failures, defaults::FIRST_RETRY, longest, &mut self.rng)
            }
        };
        attempt.not_before = now.after(pause).max(failure.not_before.unwrap_or_default());
        attempt.error = failure.error.to_string();
        attempt.advice = failure.error.advice(method);
        self.ledger.forget_old(&self.limits, now);
    }

    /// The operator wants those renewed that are for `host`, now. How many there are.
    pub(super) fn force(&mut self, host: &HostPattern) -> usize {
        let mut forced = 0;
        for (id, entry) in &mut self.entries {
            let covers = |name: &HostPattern| {
                name == host
                    || matches!(host, HostPattern::Exact(exact) if name.matches(exact.as_str()))
            };
            if entry.wanted.names.iter().any(covers) {
                entry.forced = true;
                if let Some(attempt) = self.ledger.attempts.get_mut(id) {
                    attempt.not_before = Timestamp::default();
                }
                forced += 1;
            }
        }
        forced
    }

    pub(super) fn import(&mut self, certificate: Arc<HeldCertificate>) {
        self.held.insert(certificate);
    }

    /// Certificates about which the authority is to be asked when it would renew them.
    pub(super) fn take_questions(
        &mut self,
        directory: &str,
        now: Timestamp,
    ) -> Vec<(CertificateId, Arc<HeldCertificate>)> {
        let asking = self.entries.values().filter(|entry| entry.asking).count();
        let room = defaults::RENEWAL_INFO_CONCURRENCY.saturating_sub(asking);
        if self.outage.failures > 0 {
            return Vec::new();
        }
        let due = self.entries.iter_mut().filter(|(_, entry)| entry.ask_at <= now && !entry.asking);
        let due = due.filter_map(|(id, entry)| {
            let held = self.held.ordered(*id)?;
            let theirs = matches!(held.origin(), Origin::Acme(from) if **from == *directory);
            theirs.then_some((id, entry, held))
        });
        due.take(room)
            .map(|(id, entry, held)| {
                entry.asking = true;
                (*id, Arc::clone(held))
            })
            .collect()
    }

    pub(super) fn answered(
        &mut self,
        id: CertificateId,
        answer: Option<RenewalAnswer>,
        now: Timestamp,
    ) {
        let Some(entry) = self.entries.get_mut(&id) else { return };
        entry.asking = false;
        let pause = match answer {
            Some(Some((window, pause))) => {
                entry.window = Some(window);
                pause.clamp(defaults::RENEWAL_INFO_SHORTEST, defaults::RENEWAL_INFO_LONGEST)
            }
            // It does not offer this; it may one day.
            Some(None) => defaults::RENEWAL_INFO_LONGEST,
            None => defaults::RENEWAL_INFO_SHORTEST,
        };
        entry.ask_at = now.after(pause);
    }

    /// Certificates that nobody wants and nobody could use. They are held no longer.
    pub(super) fn take_expired(&mut self, now: Timestamp) -> Vec<Arc<HeldCertificate>> {
        let unwanted = |one: &&Arc<HeldCertificate>| {
            one.not_after() < now
                && *one.origin() != Origin::Imported
                && !self.entries.contains_key(&CertificateId::of(one.names()))
        };
        let expired: Vec<_> = self.held.iter().filter(unwanted).cloned().collect();
        for certificate in &expired {
            self.held.remove(certificate);
        }
        expired
    }

    /// The certificate for each name that one is held for, wanted now or not: at a start nothing is wanted
    /// yet, and everything is served.
    pub(super) fn by_name(&self, now: Timestamp) -> HashMap<HostPattern, Arc<HeldCertificate>> {
        let wanted = self.entries.values().flat_map(|entry| &entry.wanted.names);
        let names = wanted.chain(self.held.iter().flat_map(|one| one.names()));
        names
            .filter_map(|name| Some((name.clone(), self.held.best([name], now)?.clone())))
            .collect()
    }

    pub(super) fn statuses(&self, now: Timestamp) -> Vec<CertificateStatus> {
        let mut rows: Vec<_> = self
            .entries
            .iter()
            .map(|(id, entry)| {
                let held = self.held.best(&entry.wanted.names, now);
                let attempt = self.ledger.attempts.get(id).cloned().unwrap_or_default();
                let known = |text: String| (!text.is_empty()).then_some(text);
                CertificateStatus {
                    names: entry.wanted.names.iter().cloned().collect(),
                    issuer: held.map(|held| held.issuer().to_owned()),
                    serial: held.map(|held| held.serial().to_owned()),
                    origin: held.map(|held| held.origin().clone()),
                    not_before: held.map(|held| held.not_before()),
                    not_after: held.map(|held| held.not_after()),
                    state: match held {
                        Some(held) if held.not_after() <= now => CertificateState::Expired,
                        Some(_) => CertificateState::Valid,
                        None => CertificateState::Missing,
                    },
                    next: self.next(*id, entry, now),
                    last_error: known(attempt.error),
                    advice: attempt.advice,
                    failures: attempt.failures,
                }
            })
            .collect();
        rows.sort_by(|a, b| a.names.cmp(&b.names));
        rows
    }

    /// The first name of what is wanted, for people.
    pub(super) fn title(&self, id: CertificateId) -> String {
        self.entries.get(&id).map(|entry| entry.wanted.title()).unwrap_or_default()
    }

    pub(super) fn uses(&self, now: Timestamp) -> Vec<LimitUse> {
        self.ledger.uses(&self.limits, now)
    }

    pub(super) fn ledger(&self) -> &Ledger {
        &self.ledger
    }

    /// How long nothing is to be done.
    pub(super) fn idle(&self, now: Timestamp) -> Duration {
        let next = self.entries.iter().filter_map(|(id, entry)| match self.next(*id, entry, now) {
            NextStep::Ordering => None,
            // What is due now waits for room, and the end of an order wakes it.
            NextStep::Order { at, .. } | NextStep::Renew { at } => (at > now).then_some(at),
        });
        next.min().map_or(defaults::LONGEST_SLEEP, |at| at.since(now)).min(defaults::LONGEST_SLEEP)
    }

    fn next(&self, id: CertificateId, entry: &Entry, now: Timestamp) -> NextStep {
        if entry.ordering.is_some() {
            return NextStep::Ordering;
        }
        let due = self.due(id, entry, now);
        if due > now && !entry.forced {
            return NextStep::Renew { at: due };
        }
        let why = if entry.forced {
            "it was asked for"
        } else if due == Timestamp::default() {
            "there is none"
        } else {
            "it is due"
        };
        let mut at = now;
        let mut why = why.to_owned();
        let mut wait = |until: Timestamp, reason: String| {
            if until > at {
                (at, why) = (until, reason);
            }
        };
        if let Some(attempt) = self.ledger.attempts.get(&id) {
            wait(attempt.not_before, "after a failure".to_owned());
        }
        let names = &entry.wanted.names;
        if let Some(until) = self.ledger.resting(names, now) {
            wait(until, "it was refused too often within the hour".to_owned());
        }
        let counts = self.counts(id, entry, now);
        if let Some((until, what)) = self.ledger.blocked(&self.limits, id, names, counts, now) {
            wait(until, format!("the authority's limit of {what} is reached"));
        }
        if self.outage.failures > 0 {
            wait(self.outage.until, self.outage.why.clone());
        }
        NextStep::Order { at, why }
    }

    /// When it is to be ordered; the beginning of time if it is missing.
    fn due(&self, id: CertificateId, entry: &Entry, now: Timestamp) -> Timestamp {
        let Some(held) = self.held.best(&entry.wanted.names, now) else {
            return Timestamp::default();
        };
        let own = self.held.ordered(id).is_some_and(|own| Arc::ptr_eq(own, held));
        let (from, to) = (held.not_before(), held.not_after());
        match (own, held.origin()) {
            (true, _) | (_, Origin::Imported) => renewal_at(id, from, to, entry.window),
            // Another entry renews it; this one has to act only if that fails.
            (false, Origin::Acme(_)) => to.before(to.since(from) / 6),
        }
    }

    fn counts(&self, id: CertificateId, entry: &Entry, now: Timestamp) -> Counts {
        match (self.held.ordered(id), entry.window) {
            (Some(_), Some(window)) if window.start <= now => Counts::Exempt,
            (Some(_), _) => Counts::Renewal,
            (None, _) => Counts::New,
        }
    }
}

impl Outage {
    fn begin(&mut self, failure: &Failure, now: Timestamp, rng: &mut StdRng) {
        self.failures = self.failures.saturating_add(1);
        let pause = back_off(self.failures, defaults::FIRST_OUTAGE, defaults::LONGEST_OUTAGE, rng);
        self.until = now.after(pause).max(failure.not_before.unwrap_or_default());
        self.why = failure.error.to_string();
    }
}
