//! `AliasTargets`: the addresses that the targets of ALIAS records have, looked up and kept fresh.
//!
//! DNS has no ALIAS: a zone that has one holds addresses in its place, those of another name. Whoever
//! builds zones says which names those are, and builds anew when what was found for them changes.
//!
//! ```text
//!   wanted names ──► Table: what is due ──► Resolver ──► Table ──► found, published if it differs
//! ```

use std::{
    collections::{BTreeMap, BTreeSet},
    net::IpAddr,
    sync::Arc,
    time::Duration,
};

use futures::{StreamExt as _, stream};
use headgate_outbound::{LookupError, Resolver};
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
}

impl Default for Pace {
    fn default() -> Self {
        Self {
            fresh: (Duration::from_secs(30), Duration::from_hours(1)),
            retry: Duration::from_secs(30),
            stale: Duration::from_hours(24),
        }
    }
}

/// Lookups at once. They wait for others, so that few are enough for a thousand names.
const AT_ONCE: usize = 8;

/// Keeps what was found for the wanted names, and refreshes it.
#[derive(Debug)]
pub struct AliasTargets {
    pub wanted: watch::Receiver<Wanted>,
    pub found: watch::Sender<Arc<Found>>,
    pub resolver: Arc<Resolver>,
    pub pace: Pace,
}

impl AliasTargets {
    /// Runs until it is told to stop, or until nobody wants anything any more.
    pub async fn run(mut self, shutdown: CancellationToken) {
        let mut table = Table::new(self.pace);
        loop {
            table.want(&self.wanted.borrow_and_update(), Instant::now());
            let lookups = stream::iter(table.due(Instant::now())).map(|name| {
                let resolver = Arc::clone(&self.resolver);
                async move {
                    let found = resolver.addresses_and_ttl(name.as_str()).await;
                    (name, found)
                }
            });
            let learnt = lookups.buffer_unordered(AT_ONCE).collect::<Vec<_>>();
            let learnt = tokio::select! {
                learnt = learnt => learnt,
                () = shutdown.cancelled() => return,
            };
            for (name, result) in learnt {
                if let Err(error) = &result {
                    tracing::debug!(%name, %error, "target of an ALIAS not found");
                }
                table.learn(&name, result, Instant::now());
            }
            let found = table.found();
            self.found.send_if_modified(|current| {
                let differs = **current != found;
                if differs {
                    *current = Arc::new(found);
                }
                differs
            });
            let next = table.next();
            tokio::select! {
                () = shutdown.cancelled() => return,
                wanted = self.wanted.changed() => if wanted.is_err() { return },
                () = async { sleep_until(next.unwrap_or_else(Instant::now)).await }, if next.is_some() => {}
            }
        }
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
                until: now,
            });
        }
    }

    fn due(&self, now: Instant) -> Vec<DomainName> {
        let due = self.names.iter().filter(|(_, known)| known.due <= now);
        due.map(|(name, _)| name.clone()).collect()
    }

    fn learn(
        &mut self,
        name: &DomainName,
        result: Result<(Vec<IpAddr>, Duration), LookupError>,
        now: Instant,
    ) {
        let Pace { fresh: (least, longest), retry, stale } = self.pace;
        let Some(known) = self.names.get_mut(name) else { return };
        match result {
            Ok((addresses, ttl)) => {
                known.addresses = addresses.into_iter().collect();
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
        self.names.values().map(|known| known.due).min()
    }
}

#[cfg(test)]
mod tests;
