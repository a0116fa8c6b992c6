//! `AliasTargets`: the addresses that the targets of ALIAS records have, looked up and kept fresh.
//!
//! DNS has no ALIAS: a zone that has one holds addresses in its place, those of another name. Whoever
//! builds zones says which names those are, and builds anew when what was found for them changes.
//!
//! ```text
//!   wanted names ──► Table: what is due ──► Resolver ──► Table ──► found, published if it differs
//! ```
//!
//! Whose name servers are slow keeps nobody else waiting, and whose addresses change all the time does not
//! have zones made all the time.

use std::{
    collections::{BTreeMap, BTreeSet},
    net::IpAddr,
    sync::Arc,
    time::Duration,
};

use futures::{StreamExt as _, stream::FuturesUnordered};
use headgate_outbound::{LookupError, Resolver, policy::address::special};
use headgate_types::DomainName;
use tokio::{
    sync::watch,
    time::{Instant, sleep_until},
};
use tokio_util::sync::CancellationToken;

/// The names whose addresses are wanted.
pub type Wanted = BTreeSet<DomainName>;

/// The addresses of each name that has some.
pub type Found = BTreeMap<DomainName, BTreeSet<IpAddr>>;

/// How often names are looked up.
#[derive(Debug, Clone, Copy)]
pub struct Pace {
    /// The least and the longest time for which an answer is believed, whatever its TTL.
    pub fresh: (Duration, Duration),
    /// Until a lookup that failed is tried again.
    pub retry: Duration,
    /// How long addresses stay when nobody can be asked: a target whose name servers are down may
    /// well answer (RFC 8767 §5 speaks of a day or more).
    pub stale: Duration,
    /// What was found is published no more often: every zone is looked at anew for it.
    pub apart: Duration,
}

impl Default for Pace {
    fn default() -> Self {
        Self {
            fresh: (Duration::from_secs(30), Duration::from_hours(1)),
            retry: Duration::from_secs(30),
            stale: Duration::from_hours(24),
            apart: Duration::from_secs(5),
        }
    }
}

/// Lookups at once. They wait for others, and a project has fewer targets than this
/// (`headgate_project::defaults::MAX_ALIASES`), so that one alone does not hold up the rest.
const AT_ONCE: usize = 64;

/// Addresses of one name. Honest ones have a handful, and what a zone holds must fit into answers.
const MOST_ADDRESSES: usize = 32;

/// Keeps what was found for the wanted names, and refreshes it.
#[derive(Debug)]
pub struct AliasTargets {
    pub wanted: watch::Receiver<Wanted>,
    pub found: watch::Sender<Arc<Found>>,
    pub resolver: Arc<Resolver>,
    /// Whether addresses that are not public are told, too. The resolver may know names that are the operator's
    /// alone, and what a project aliases, everybody sees.
    pub private: bool,
    pub pace: Pace,
}

impl AliasTargets {
    /// Runs until it is told to stop, or until nobody wants anything any more.
    pub async fn run(mut self, shutdown: CancellationToken) {
        let mut table = Table::new(self.pace);
        let mut lookups = FuturesUnordered::new();
        let mut published_at: Option<Instant> = None;
        loop {
            table.want(&self.wanted.borrow_and_update(), Instant::now());
            for name in table.ask(Instant::now(), AT_ONCE - lookups.len()) {
                let resolver = Arc::clone(&self.resolver);
                lookups.push(async move {
                    let found = resolver.addresses_and_ttl(name.as_str()).await;
                    (name, found)
                });
            }
            let found = table.found();
            let differs = **self.found.borrow() != found;
            let may_publish = published_at.map(|at| at + self.pace.apart);
            if differs && may_publish.is_none_or(|at| at <= Instant::now()) {
                self.found.send_replace(Arc::new(found));
                published_at = Some(Instant::now());
                continue;
            }
            let look = table.next().filter(|_| lookups.len() < AT_ONCE);
            let next = look.into_iter().chain(may_publish.filter(|_| differs)).min();
            tokio::select! {
                () = shutdown.cancelled() => return,
                wanted = self.wanted.changed() => if wanted.is_err() { return },
                Some((name, result)) = lookups.next() => self.learn(&mut table, &name, result),
                () = async { sleep_until(next.unwrap_or_else(Instant::now)).await }, if next.is_some() => {}
            }
        }
    }

    fn learn(
        &self,
        table: &mut Table,
        name: &DomainName,
        result: Result<(Vec<IpAddr>, Duration), LookupError>,
    ) {
        if let Err(error) = &result {
            tracing::debug!(%name, %error, "target of an ALIAS not found");
        }
        let may_be_told = |ip: &IpAddr| self.private || special(*ip).is_none();
        let result = result.map(|(mut addresses, ttl)| {
            addresses.retain(may_be_told);
            (addresses, ttl)
        });
        table.learn(name, result, Instant::now());
    }
}

/// What is known of each wanted name, and when it is to be looked up again. No I/O.
#[derive(Debug)]
struct Table {
    pace: Pace,
    names: BTreeMap<DomainName, Known>,
}

#[derive(Debug)]
struct Known {
    addresses: BTreeSet<IpAddr>,
    due: Instant,
    /// A lookup is under way.
    asked: bool,
    /// When the addresses are no longer to be told, unless somebody confirms them.
    until: Instant,
}

impl Table {
    fn new(pace: Pace) -> Self {
        Self { pace, names: BTreeMap::new() }
    }

    fn want(&mut self, wanted: &Wanted, now: Instant) {
        self.names.retain(|name, _| wanted.contains(name));
        for name in wanted {
            self.names.entry(name.clone()).or_insert_with(|| Known {
                addresses: BTreeSet::new(),
                due: now,
                asked: false,
                until: now,
            });
        }
    }

    /// The names to look up now, those that wait the longest first.
    fn ask(&mut self, now: Instant, most: usize) -> Vec<DomainName> {
        let due = self.names.iter_mut().filter(|(_, known)| known.due <= now && !known.asked);
        let mut due: Vec<_> = due.collect();
        due.sort_by_key(|(_, known)| known.due);
        let asked = due.into_iter().take(most).map(|(name, known)| {
            known.asked = true;
            name.clone()
        });
        asked.collect()
    }

    fn learn(
        &mut self,
        name: &DomainName,
        result: Result<(Vec<IpAddr>, Duration), LookupError>,
        now: Instant,
    ) {
        let Pace { fresh: (least, longest), retry, stale, .. } = self.pace;
        let Some(known) = self.names.get_mut(name) else { return };
        known.asked = false;
        match result {
            Ok((addresses, ttl)) => {
                // The least of all, so that an answer in another order is the same.
                let all: BTreeSet<_> = addresses.into_iter().collect();
                known.addresses = all.into_iter().take(MOST_ADDRESSES).collect();
                known.due = now + ttl.clamp(least, longest);
                known.until = now + stale;
            }
            // Its owner says that there is nothing.
            Err(LookupError::NotFound | LookupError::NoRecords | LookupError::Name) => {
                known.addresses.clear();
                known.due = now + retry;
            }
            Err(_) => {
                known.due = now + retry;
                if known.until <= now {
                    known.addresses.clear();
                }
            }
        }
    }

    fn found(&self) -> Found {
        let some = self.names.iter().filter(|(_, known)| !known.addresses.is_empty());
        some.map(|(name, known)| (name.clone(), known.addresses.clone())).collect()
    }

    fn next(&self) -> Option<Instant> {
        self.names.values().filter(|known| !known.asked).map(|known| known.due).min()
    }
}

#[cfg(test)]
mod tests;
