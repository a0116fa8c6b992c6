//! What belongs into one zone, and which of it can be served together.

use std::{
    collections::{BTreeMap, BTreeSet, HashSet},
    net::IpAddr,
    str::FromStr as _,
};

use headgate_dns::{
    InvalidZone, LowerName, Name, RData, RecordType, Serial,
    rdata::{A, AAAA, CAA, NS},
};
use headgate_types::{HostPattern, ProjectName};

use super::{Draft, name};
use crate::zones::{
    DomainRecord, Names, Naming, ProjectDomain, ZoneProblem,
    territory::{Holder, Territory, Trespass},
};

/// A gateway that moves is found again within minutes, and resolvers ask rarely enough.
const ADDRESS_TTL: u32 = 300;
/// Name servers move least.
const NS_TTL: u32 = 3600;

/// What belongs into one zone.
pub(super) struct Sketch<'n> {
    pub(super) origin: Name,
    is_operators: bool,
    /// Those that projects are called by.
    hosts: &'n [(HostPattern, ProjectName)],
    domains: Vec<&'n ProjectDomain>,
}

/// What projects say about names of one zone.
#[derive(Default)]
struct Said {
    records: Vec<(Name, u32, RData)>,
    /// Names that have no address of this node, because something else stands there.
    placed: HashSet<Name>,
    /// Names that another server answers for, with all below them.
    cuts: HashSet<Name>,
}

/// Gathers names by zone: those of the operator, then domains from the top down, each in the zone right above it
/// if that is the operator's or the same project's or has the very name, else in one of its own.
pub(super) fn sketches(names: &Names) -> Vec<Sketch<'_>> {
    let mut sketches: Vec<Sketch<'_>> = Vec::new();
    if let Some(zone) = &names.naming.zone {
        sketches.push(Sketch {
            origin: zone.origin.clone(),
            is_operators: true,
            hosts: &names.hosts,
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
            let is_own = sketch.domains.iter().any(|other| other.project == domain.project);
            // `example.com` and `*.example.com` may be two projects', and are one zone all the same.
            sketch.is_operators || is_own || sketch.origin == base
        });
        match joins {
            Some(n) => sketches[n].domains.push(domain),
            None => {
                by_origin.insert(base.clone(), sketches.len());
                sketches.push(Sketch {
                    origin: base,
                    is_operators: false,
                    hosts: &[],
                    domains: vec![domain],
                });
            }
        }
    }
    sketches
}

/// The name, then what is above it.
pub(super) fn ancestors(of: &Name) -> impl Iterator<Item = Name> {
    std::iter::successors(Some(of.clone()), |name| (!name.is_root()).then(|| name.base_name()))
}

impl<'n> Sketch<'n> {
    /// Every record of it, if they can be served together; else without those of the projects whose names
    /// something is wrong at, as often as that takes.
    pub(super) fn draft(
        &self,
        naming: &Naming,
        below: &[Draft],
        problems: &mut Vec<ZoneProblem>,
    ) -> Option<Draft> {
        let territory = self.territory(naming);
        let mut domains = self.domains.clone();
        let mut records = self.records(naming, below, &territory, &domains, problems);
        loop {
            let error = match self.checked(records, naming, &domains) {
                Ok(draft) => return Some(draft),
                Err(error) => error,
            };
            let text = explain(&error);
            let present: BTreeSet<_> = domains.iter().map(|domain| &domain.project).collect();
            let mut blamed = blamed(&error, &territory);
            blamed.retain(|project| present.contains(project));
            if blamed.is_empty() {
                blamed = present;
            }
            if blamed.is_empty() {
                problems.push(self.problem(None, &text));
                return None;
            }
            problems.extend(blamed.iter().map(|project| self.problem(Some(project), &text)));
            domains.retain(|domain| !blamed.contains(&domain.project));
            if domains.is_empty() && !self.is_operators {
                return None;
            }
            records = self.records(naming, below, &territory, &domains, &mut Vec::new());
        }
    }

    fn records(
        &self,
        naming: &Naming,
        below: &[Draft],
        territory: &Territory<'n>,
        domains: &[&'n ProjectDomain],
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
        let said = self.said(naming, below, territory, domains, problems);
        let is_elsewhere =
            |name: &Name| ancestors(&name.to_lowercase()).any(|name| said.cuts.contains(&name));
        // What a project gave to another server is that server's to delegate.
        for draft in below.iter().filter(|draft| !is_elsewhere(&draft.origin)) {
            records.extend(self.delegation(draft));
        }
        let mut hosts: Vec<Name> = Vec::new();
        if self.is_operators {
            hosts.extend([Some(self.origin.clone()), wildcard(&self.origin)].into_iter().flatten());
            records.extend(issuer(naming).and_then(|issuer| caa(&self.origin, issuer)));
        }
        let of_projects = self.hosts.iter().map(|(host, _)| host);
        for host in of_projects.chain(domains.iter().map(|domain| &domain.host)) {
            match host_name(host) {
                Some(name) => hosts.push(name),
                None => problems.push(self.problem(None, &format!("{host} is too long a name"))),
            }
        }
        let servers: HashSet<_> = nameservers.iter().map(Name::to_lowercase).collect();
        for host in hosts {
            let place = host.to_lowercase();
            // An address set has one TTL, and that of name servers stands already.
            let stands = said.placed.contains(&place) || servers.contains(&place);
            let below_it = below.iter().any(|draft| draft.origin.zone_of(&host));
            if !stands && !below_it && !is_elsewhere(&host) {
                records.extend(addresses(&host, ADDRESS_TTL, &naming.addresses));
            }
        }
        records.extend(said.records);
        records
    }

    /// What projects want to stand in the zone, as far as it is theirs to say.
    fn said(
        &self,
        naming: &Naming,
        below: &[Draft],
        territory: &Territory<'n>,
        domains: &[&'n ProjectDomain],
        problems: &mut Vec<ZoneProblem>,
    ) -> Said {
        let mut said = Said::default();
        for domain in domains {
            let mut refuses = |owner: &Name, kind: RecordType| {
                let why = self.refusal(naming, below, territory, &domain.project, owner, kind);
                let refuses = why.is_some();
                problems.extend(why.map(|why| self.problem(Some(&domain.project), &why)));
                refuses
            };
            for owner in &domain.aliased {
                if !refuses(owner, RecordType::A) {
                    said.placed.insert(owner.to_lowercase());
                }
            }
            for DomainRecord { owner, ttl, data } in &domain.records {
                if refuses(owner, data.record_type()) {
                    continue;
                }
                if takes_place(data) {
                    said.placed.insert(owner.to_lowercase());
                }
                if matches!(data, RData::NS(_)) {
                    said.cuts.insert(owner.to_lowercase());
                }
                said.records.push((owner.clone(), *ttl, data.clone()));
            }
        }
        said
    }

    /// Why a record of a project is left out, if it is.
    fn refusal(
        &self,
        naming: &Naming,
        below: &[Draft],
        territory: &Territory<'n>,
        project: &'n ProjectName,
        owner: &Name,
        kind: RecordType,
    ) -> Option<String> {
        if let Some(draft) = below.iter().find(|draft| draft.origin.zone_of(owner)) {
            return Some(format!("{owner} lies in the zone {} of another project", draft.origin));
        }
        match territory.trespass(project, owner, kind == RecordType::NS) {
            Some(Trespass::Name(holder)) => {
                return Some(format!(
                    "the {kind} record at {owner} is left out: the name belongs to {holder}"
                ));
            }
            Some(Trespass::Below(host, holder)) => {
                return Some(format!(
                    "the {kind} record at {owner} is left out: {host} below it belongs to {holder}"
                ));
            }
            None => {}
        }
        let issuing = kind == RecordType::CAA && self.is_operators && *owner == self.origin;
        (issuing && issuer(naming).is_some()).then(|| {
            format!("the CAA record at {owner} is left out: who may certify the zone is the node's to say")
        })
    }

    /// Whose which name is. The node's own come first, then those that projects are called by, then domains.
    fn territory(&self, naming: &Naming) -> Territory<'n> {
        let mut territory = Territory::default();
        let nameservers = self.nameservers(naming);
        for server in nameservers.iter().filter(|server| self.origin.zone_of(server)) {
            territory.note(server, Holder::Node);
        }
        if self.is_operators {
            wildcard(&self.origin).iter().for_each(|name| territory.note(name, Holder::Node));
        }
        let of_projects = self.hosts.iter().map(|(host, project)| (host, project));
        let of_domains = self.domains.iter().map(|domain| (&domain.host, &domain.project));
        for (host, project) in of_projects.chain(of_domains) {
            host_name(host).iter().for_each(|name| territory.note(name, Holder::Project(project)));
        }
        territory
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
        domains: &[&ProjectDomain],
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
            projects: domains.iter().map(|domain| domain.project.clone()).collect(),
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

/// The projects that have the names at which something is wrong.
fn blamed<'n>(error: &InvalidZone, territory: &Territory<'n>) -> BTreeSet<&'n ProjectName> {
    let holders = error.problems.iter().filter_map(|problem| {
        let owner = Name::from_str(&problem.owner.to_string()).ok()?;
        territory.holder(&owner)
    });
    holders
        .filter_map(|holder| match holder {
            Holder::Project(project) => Some(project),
            Holder::Node => None,
        })
        .collect()
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

fn issuer(naming: &Naming) -> Option<&'static str> {
    naming.zone.as_ref().and_then(|zone| zone.issuer)
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
