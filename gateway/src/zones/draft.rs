//! From names to the records of each zone, checked; a pure function.

use std::{
    cmp::Reverse,
    collections::{BTreeMap, BTreeSet, HashSet},
    net::IpAddr,
};

use headgate_dns::{
    InvalidZone, LowerName, Name, RData, Serial, Zone, ZoneBuilder,
    rdata::{A, AAAA, CAA, NS, SOA},
};
use headgate_types::{DomainName, HostPattern, ProjectName};

use super::{Names, Naming, ProjectDomain, ZoneProblem};
use crate::node_config::Mailbox;

/// A gateway that moves is found again within minutes, and resolvers ask rarely enough.
const ADDRESS_TTL: u32 = 300;
/// Name servers move least.
const NS_TTL: u32 = 3600;
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

/// What belongs into one zone.
struct Sketch<'n> {
    origin: Name,
    is_operators: bool,
    hosts: Vec<&'n HostPattern>,
    domains: Vec<&'n ProjectDomain>,
}

/// Gathers names by zone: those of the operator, then domains from the top down, each in the zone right above it
/// if that is the operator's or the same project's, else in one of its own.
fn sketches(names: &Names) -> Vec<Sketch<'_>> {
    let mut sketches: Vec<Sketch<'_>> = Vec::new();
    if let Some(zone) = &names.naming.zone {
        sketches.push(Sketch {
            origin: zone.origin.clone(),
            is_operators: true,
            hosts: names.hosts.iter().collect(),
            domains: Vec::new(),
        });
    }
    let mut domains: Vec<_> = names.domains.iter().collect();
    let depth = |domain: &ProjectDomain| domain.host.base().as_str().matches('.').count();
    domains.sort_by_key(|domain| (depth(domain), domain.host.base().clone()));
    let mut by_origin: BTreeMap<Name, usize> =
        sketches.iter().enumerate().map(|(n, sketch)| (sketch.origin.clone(), n)).collect();
    for domain in domains {
        let base = name(domain.host.base());
        let above = ancestors(&base).find_map(|ancestor| by_origin.get(&ancestor).copied());
        let joins = above.filter(|n| {
            let sketch = &sketches[*n];
            let owner = sketch.domains.first().map(|first| &first.project);
            sketch.is_operators || owner == Some(&domain.project)
        });
        match joins {
            Some(n) => sketches[n].domains.push(domain),
            None => {
                by_origin.insert(base.clone(), sketches.len());
                sketches.push(Sketch {
                    origin: base,
                    is_operators: false,
                    hosts: Vec::new(),
                    domains: vec![domain],
                });
            }
        }
    }
    sketches
}

/// The name, then what is above it.
fn ancestors(of: &Name) -> impl Iterator<Item = Name> {
    std::iter::successors(Some(of.clone()), |name| (!name.is_root()).then(|| name.base_name()))
}

impl Sketch<'_> {
    /// Every record of it, if they can be served together; else without the records of projects; else, if it is
    /// the operator's, without their hosts as well.
    fn draft(
        &self,
        naming: &Naming,
        below: &[Draft],
        problems: &mut Vec<ZoneProblem>,
    ) -> Option<Draft> {
        let whole = self.records(naming, below, &self.domains, problems);
        let error = match self.checked(whole, naming) {
            Ok(draft) => return Some(draft),
            Err(error) => error,
        };
        let mut blamed: Vec<_> = self.domains.iter().filter(|d| blames(&error, d)).collect();
        if blamed.is_empty() {
            blamed = self.domains.iter().collect();
        }
        let projects: BTreeSet<_> = blamed.iter().map(|domain| &domain.project).collect();
        let text = explain(&error);
        match projects.is_empty() {
            true => problems.push(self.problem(None, &text)),
            false => problems.extend(projects.iter().map(|p| self.problem(Some(p), &text))),
        }
        if !self.is_operators {
            return None;
        }
        let others: Vec<_> =
            self.domains.iter().copied().filter(|d| !projects.contains(&d.project)).collect();
        for domains in [&others[..], &[]] {
            let records = self.records(naming, below, domains, &mut Vec::new());
            if let Ok(draft) = self.checked(records, naming) {
                return Some(draft);
            }
        }
        None
    }

    fn records(
        &self,
        naming: &Naming,
        below: &[Draft],
        domains: &[&ProjectDomain],
        problems: &mut Vec<ZoneProblem>,
    ) -> Vec<(Name, u32, RData)> {
        let mut records = Vec::new();
        let nameservers = self.nameservers(naming);
        for server in &nameservers {
            records.push((self.origin.clone(), NS_TTL, RData::NS(NS(server.clone()))));
            if self.origin.zone_of(server) {
                records.extend(addresses(server, NS_TTL, &naming.addresses));
            }
        }
        for draft in below {
            records.extend(self.delegation(draft));
        }
        let mut placed = HashSet::new();
        for domain in domains {
            placed.extend(domain.aliased.iter().map(Name::to_lowercase));
            for record in &domain.records {
                match below.iter().find(|draft| draft.origin.zone_of(&record.owner)) {
                    Some(draft) => {
                        let text = format!(
                            "{} lies in the zone {} of another project",
                            record.owner, draft.origin
                        );
                        problems.push(self.problem(Some(&domain.project), &text));
                    }
                    None => {
                        if takes_place(&record.data) {
                            placed.insert(record.owner.to_lowercase());
                        }
                        records.push((record.owner.clone(), record.ttl, record.data.clone()));
                    }
                }
            }
        }
        let mut hosts: Vec<Name> = Vec::new();
        if self.is_operators {
            hosts.extend([Some(self.origin.clone()), wildcard(&self.origin)].into_iter().flatten());
            let issuer = naming.zone.as_ref().and_then(|zone| zone.issuer);
            records.extend(issuer.and_then(|issuer| caa(&self.origin, issuer)));
        }
        for host in self.hosts.iter().copied().chain(domains.iter().map(|domain| &domain.host)) {
            match host_name(host) {
                Some(name) => hosts.push(name),
                None => problems.push(self.problem(None, &format!("{host} is too long a name"))),
            }
        }
        let servers: HashSet<_> = nameservers.iter().map(Name::to_lowercase).collect();
        for host in hosts {
            let place = host.to_lowercase();
            // An address set has one TTL, and that of name servers stands already.
            let stands = placed.contains(&place) || servers.contains(&place);
            let elsewhere = below.iter().any(|draft| draft.origin.zone_of(&host));
            if !stands && !elsewhere {
                records.extend(addresses(&host, ADDRESS_TTL, &naming.addresses));
            }
        }
        records
    }

    /// The operator's, or two of the zone itself.
    fn nameservers(&self, naming: &Naming) -> Vec<Name> {
        match &naming.zone {
            Some(zone) => zone.nameservers.clone(),
            None => ["ns1", "ns2"]
                .iter()
                .filter_map(|label| self.origin.prepend_label(*label).ok())
                .collect(),
        }
    }

    /// What a zone below is delegated with, and the addresses its name servers cannot be found without.
    fn delegation(&self, below: &Draft) -> Vec<(Name, u32, RData)> {
        let servers: HashSet<_> = below
            .records
            .iter()
            .filter_map(|(owner, _, data)| match data {
                RData::NS(NS(server)) if *owner == below.origin => Some(server.to_lowercase()),
                _ => None,
            })
            .collect();
        let goes_along = |(owner, _, data): &&(Name, u32, RData)| match data {
            RData::NS(_) => *owner == below.origin,
            RData::A(_) | RData::AAAA(_) => servers.contains(&owner.to_lowercase()),
            _ => false,
        };
        below.records.iter().filter(goes_along).cloned().collect()
    }

    fn checked(
        &self,
        mut records: Vec<(Name, u32, RData)>,
        naming: &Naming,
    ) -> Result<Draft, InvalidZone> {
        let text = |data: &RData| data.to_string();
        records.sort_by_cached_key(|(owner, ttl, data)| {
            (owner.to_lowercase(), data.record_type(), text(data), *ttl)
        });
        records.dedup();
        let servers = self.nameservers(naming);
        let primary = servers.first().cloned().unwrap_or_else(|| self.origin.clone());
        let contact = match &naming.zone {
            Some(zone) => zone.contact.clone(),
            None => self.origin.prepend_label("hostmaster").unwrap_or_else(|_| self.origin.clone()),
        };
        let draft = Draft {
            origin: self.origin.clone(),
            projects: self.domains.iter().map(|domain| domain.project.clone()).collect(),
            soa: (primary, contact),
            records,
        };
        draft.build(Serial::new(0))?;
        Ok(draft)
    }

    fn problem(&self, project: Option<&ProjectName>, text: &str) -> ZoneProblem {
        ZoneProblem {
            zone: LowerName::from(&self.origin).to_string(),
            project: project.cloned(),
            text: text.to_owned(),
        }
    }
}

/// Whether something is wrong at or below a domain's name.
fn blames(error: &InvalidZone, domain: &ProjectDomain) -> bool {
    let base = LowerName::from(&name(domain.host.base()));
    let at_record = |owner: &LowerName| {
        domain.records.iter().any(|record| LowerName::from(&record.owner) == *owner)
    };
    error.problems.iter().any(|problem| problem.owner.is_within(&base) || at_record(&problem.owner))
}

fn explain(error: &InvalidZone) -> String {
    let problems: Vec<_> = error.problems.iter().map(ToString::to_string).collect();
    problems.join("; ")
}

/// Whether a record at a host's own name says that it is elsewhere.
fn takes_place(data: &RData) -> bool {
    matches!(data, RData::A(_) | RData::AAAA(_) | RData::CNAME(_) | RData::NS(_))
}

fn addresses(owner: &Name, ttl: u32, addresses: &[IpAddr]) -> Vec<(Name, u32, RData)> {
    let data = addresses.iter().map(|address| match address {
        IpAddr::V4(address) => RData::A(A(*address)),
        IpAddr::V6(address) => RData::AAAA(AAAA(*address)),
    });
    data.map(|data| (owner.clone(), ttl, data)).collect()
}

fn caa(origin: &Name, issuer: &str) -> Option<(Name, u32, RData)> {
    // Written without the root's dot, which authorities would not recognise.
    let mut issuer = Name::from_ascii(issuer).ok()?;
    issuer.set_fqdn(false);
    let data = RData::CAA(CAA::new_issue(false, Some(issuer), Vec::new()));
    Some((origin.clone(), NS_TTL, data))
}

fn host_name(host: &HostPattern) -> Option<Name> {
    match host {
        HostPattern::Exact(exact) => Some(name(exact)),
        HostPattern::Wildcard(base) => wildcard(&name(base)),
    }
}

fn wildcard(base: &Name) -> Option<Name> {
    base.prepend_label(&b"*"[..]).ok()
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
