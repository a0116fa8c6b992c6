//! `Zones`: every zone this server answers for, replaced as a whole.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, PoisonError},
};

use arc_swap::{ArcSwap, Guard};

use crate::{
    metrics::{Metrics, ZoneCounters},
    name::LowerName,
    zone::{Zone, record_set::kinds},
};

/// The zones there are now. Whoever answers takes them once for each query, so that an answer is
/// from one set of zones, never from two.
#[derive(Debug)]
pub struct Zones {
    current: ArcSwap<ZoneSet>,
    publishing: Mutex<()>,
    metrics: Arc<Metrics>,
}

/// Zones by their origins.
#[derive(Debug, Default)]
pub(crate) struct ZoneSet {
    by_origin: HashMap<Box<[u8]>, Served>,
    /// Labels of the longest origin.
    depth: usize,
}

/// A zone and what is counted for it.
#[derive(Debug)]
pub(crate) struct Served {
    pub(crate) zone: Arc<Zone>,
    pub(crate) counters: Arc<ZoneCounters>,
}

impl Zones {
    pub fn new(metrics: Arc<Metrics>) -> Arc<Self> {
        Arc::new(Self { current: ArcSwap::default(), publishing: Mutex::default(), metrics })
    }

    /// Serves these zones and no others from now on. Of two with one origin the later counts.
    ///
    /// A zone whose records changed must come with a newer [`Serial`](crate::Serial): secondaries and
    /// people compare it. That is the caller's promise, who alone knows what was served before a
    /// restart.
    pub fn publish(&self, zones: impl IntoIterator<Item = Arc<Zone>>) {
        let zones: Vec<_> = zones.into_iter().collect();
        let _one_at_a_time = self.publishing.lock().unwrap_or_else(PoisonError::into_inner);
        let counters = self.metrics.serve_zones(zones.iter().map(|zone| zone.origin().to_string()));
        let mut set = ZoneSet::default();
        for zone in zones {
            set.depth = set.depth.max(zone.origin().labels());
            let counters = Arc::clone(&counters[&zone.origin().to_string()]);
            set.by_origin.insert(zone.origin().as_wire().into(), Served { zone, counters });
        }
        self.current.store(Arc::new(set));
    }

    /// The zones that are served, in no particular order.
    pub fn all(&self) -> Vec<Arc<Zone>> {
        self.current.load().by_origin.values().map(|served| Arc::clone(&served.zone)).collect()
    }

    pub(crate) fn current(&self) -> Guard<Arc<ZoneSet>> {
        self.current.load()
    }
}

impl ZoneSet {
    /// The zone that is responsible: that of the longest origin, and for what a zone is signed with
    /// the one above it.
    pub(crate) fn find(&self, name: &LowerName, kind: u16) -> Option<&Served> {
        let mut own = None;
        for skipped in name.labels().saturating_sub(self.depth)..=name.labels() {
            let Some(served) = self.by_origin.get(name.without(skipped)) else { continue };
            if kind != kinds::DS || name != served.zone.origin() {
                return Some(served);
            }
            own = Some(served);
        }
        own
    }
}
