//! From names to the records of each zone, checked; a pure function.

mod sketch;

use std::{
    cmp::Reverse,
    collections::{BTreeMap, BTreeSet},
};

use headgate_dns::{
    InvalidZone, Name, RData, Serial, Zone, ZoneBuilder,
    rdata::{NS, SOA},
};
use headgate_types::{DomainName, ProjectName};

use self::sketch::{ancestors, sketches};
use super::{Names, ZoneProblem};
use crate::node_config::Mailbox;

/// Also how long a name that did not exist stays unknown (RFC 2308 §5): a host that is added is found
/// within a minute.
const SOA_TTL: u32 = 60;
/// Nobody transfers these zones, but delegation tests look at the numbers: four hours, one, two weeks, and five
/// minutes that the TTL above makes one.
const SOA_TIMES: (i32, i32, i32, u32) = (14_400, 3_600, 1_209_600, 300);

/// A zone without its serial. It is valid, so a serial is all it lacks.
#[derive(Debug, Clone)]
pub struct Draft {
    pub origin: Name,
    /// Whose domains it has; none if it is the operator's own.
    pub projects: BTreeSet<ProjectName>,
    soa: (Name, Name),
    /// Sorted, each once.
    records: Vec<(Name, u32, RData)>,
}

impl Draft {
    /// The name servers that it names for itself.
    pub(super) fn nameservers(&self) -> Vec<Name> {
        let own = self.records.iter().filter(|(owner, _, _)| *owner == self.origin);
        let servers = own.filter_map(|(_, _, data)| match data {
            RData::NS(NS(server)) => Some(server.clone()),
            _ => None,
        });
        servers.collect()
    }

    /// The zone with this serial.
    ///
    /// # Errors
    /// None: it was built before. Whoever relies on that says so.
    pub fn build(&self, serial: Serial) -> Result<Zone, InvalidZone> {
        let (refresh, retry, expire, minimum) = SOA_TIMES;
        let (primary, contact) = self.soa.clone();
        let soa = SOA::new(primary, contact, serial.value(), refresh, retry, expire, minimum);
        let mut builder = ZoneBuilder::new(&self.origin);
        builder.add(&self.origin, SOA_TTL, &RData::SOA(soa));
        for (owner, ttl, data) in &self.records {
            builder.add(owner, *ttl, data);
        }
        builder.build()
    }
}

/// The zones that follow from the names, and what is left out of them and why.
pub fn draft(names: &Names) -> (Vec<Draft>, Vec<ZoneProblem>) {
    let mut sketches = sketches(names);
    let origins: BTreeSet<_> = sketches.iter().map(|sketch| sketch.origin.clone()).collect();
    let mut problems = Vec::new();
    let mut drafts: Vec<Draft> = Vec::new();
    let mut below: BTreeMap<Name, Vec<Draft>> = BTreeMap::new();
    // The deepest first: a zone delegates to those right below it that are served.
    sketches.sort_by_key(|sketch| Reverse(sketch.origin.num_labels()));
    for sketch in sketches {
        let below_it = below.remove(&sketch.origin).unwrap_or_default();
        let Some(draft) = sketch.draft(&names.naming, &below_it, &mut problems) else { continue };
        if let Some(above) = ancestors(&draft.origin).skip(1).find(|name| origins.contains(name)) {
            below.entry(above).or_default().push(draft.clone());
        }
        drafts.push(draft);
    }
    drafts.sort_by_cached_key(|draft| draft.origin.clone());
    problems.sort();
    problems.dedup();
    (drafts, problems)
}
pub(super) fn name(domain: &DomainName) -> Name {
    let mut name = Name::from_labels(domain.as_str().split('.').map(str::as_bytes))
        .expect("a domain name has no more and no longer labels than DNS allows");
    name.set_fqdn(true);
    name
}

/// As an SOA has it: what stands before the `@` is the first label, its dots included.
pub(super) fn mailbox(mailbox: &Mailbox) -> Name {
    let domain = name(&mailbox.domain);
    domain.prepend_label(mailbox.local.as_bytes()).unwrap_or(domain)
}

#[cfg(test)]
mod tests;
