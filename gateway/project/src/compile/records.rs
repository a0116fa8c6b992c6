//! The records that domains are to have in DNS: whatever passes here can stand in one zone.

mod conflict;
mod value;

use std::{
    collections::{BTreeSet, HashMap, HashSet, hash_map},
    time::Duration,
};

use headgate_types::{DomainName, HostPattern, RecordData, RecordType};

use super::Compiler;
use crate::{
    defaults::{DEFAULT_TTL, MAX_ALIASES, MAX_RECORDS},
    diagnostic::{Diagnostic, Place, codes, quoted},
    model::{Domain, Record},
    raw,
    schema::{At, Text, Written},
};

/// A record, and where the parts of it are written.
struct Entry {
    record: Record,
    name: Place,
    kind: Place,
    ttl: Place,
}

impl Compiler<'_> {
    pub(super) fn records(
        &mut self,
        written: Written<Vec<raw::Record>>,
        host: &HostPattern,
    ) -> Vec<Record> {
        let Written::Value(At { value: items, place }) = written else { return Vec::new() };
        let domain = match host {
            HostPattern::Exact(domain) => domain,
            HostPattern::Wildcard(_) if items.is_empty() => return Vec::new(),
            HostPattern::Wildcard(base) => {
                let message = format!(
                    "{} is no single name, which records belong to",
                    quoted(&host.to_string())
                );
                let hint = format!("move them to the file of a domain with `fqdn: {base}`");
                let error = Diagnostic::error(codes::INVALID_RECORD, message);
                self.report.push(error.at(place).hint(hint));
                return Vec::new();
            }
        };
        let mut entries = Vec::new();
        for item in items {
            self.record(item, domain, &mut entries);
        }
        if entries.len() > MAX_RECORDS {
            let message = format!("`records` holds {} values", entries.len());
            let error = Diagnostic::error(codes::TOO_MANY, message).at(place);
            let hint = "delegate a part of the domain to a server of its own, with NS records";
            self.report.push(error.hint(format!("use at most {MAX_RECORDS}, or {hint}")));
            return Vec::new();
        }
        conflict::check(domain, &mut entries, self.report);
        entries.into_iter().map(|entry| entry.record).collect()
    }

    /// One item, which has a record for each of its values.
    fn record(&mut self, item: raw::Record, domain: &DomainName, entries: &mut Vec<Entry>) {
        let place = item.place;
        let (ttl, ttl_place) = match item.ttl {
            Written::Value(At { value, place }) => (value, place),
            _ => (DEFAULT_TTL, place),
        };
        let ttl = Duration::from_secs(ttl.as_secs());
        let Written::Value(name) = item.name else { return };
        let owner = self.owner(&name, domain);
        let Written::Value(At { value: kind, place: kind_place }) = item.kind else { return };
        let Ok(kind) = kind.parse::<RecordType>() else { return };
        let owner =
            owner.filter(|owner| self.may_hold(kind, owner, domain, &name.place, &kind_place));
        for value in item.values.value().map(|at| at.value).unwrap_or_default() {
            let data = self.data(kind, &value, owner.as_ref(), domain);
            let (Some(owner), Some(data)) = (&owner, data) else { continue };
            let record = Record { name: owner.clone(), ttl, data, place: value.place };
            let (name, kind, ttl) = (name.place.clone(), kind_place.clone(), ttl_place.clone());
            entries.push(Entry { record, name, kind, ttl });
        }
    }

    /// The whole name of a record.
    fn owner(&mut self, name: &At<Text>, domain: &DomainName) -> Option<HostPattern> {
        let text = name.value.trim();
        match value::owner(text, domain) {
            Ok(owner) => Some(owner),
            Err((code, message, hint)) => {
                let error = Diagnostic::error(code, message).at(name.place.clone());
                self.report.push(error.hint(hint));
                None
            }
        }
    }

    fn data(
        &mut self,
        kind: RecordType,
        text: &At<Text>,
        owner: Option<&HostPattern>,
        domain: &DomainName,
    ) -> Option<RecordData> {
        let apex = owner.is_some_and(|owner| is_apex(owner, domain));
        let leads_to = |data: &RecordData| match data {
            RecordData::Alias(host) | RecordData::Cname(host) => {
                owner == Some(&HostPattern::Exact(host.clone()))
            }
            _ => false,
        };
        let itself = || {
            let message = format!("this {kind} leads to itself");
            (message, "write the name that it is to lead to".to_owned())
        };
        match value::data(kind, &text.value, apex, domain) {
            Ok(data) if !leads_to(&data) => Some(data),
            refused => {
                let (message, hint) = refused.err().unwrap_or_else(itself);
                let error = Diagnostic::error(codes::INVALID_RECORD, message);
                self.report.push(error.at(text.place.clone()).hint(hint));
                None
            }
        }
    }

    /// Whether a record of this type may stand at this name at all.
    fn may_hold(
        &mut self,
        kind: RecordType,
        owner: &HostPattern,
        domain: &DomainName,
        name_place: &Place,
        kind_place: &Place,
    ) -> bool {
        let apex = is_apex(owner, domain);
        let wildcard = matches!(owner, HostPattern::Wildcard(_));
        let error = if owner.base().as_str().starts_with("_acme-challenge.") {
            let message =
                format!("`_acme-challenge` of {} is the node's own", quoted(domain.as_str()));
            Diagnostic::error(codes::RESERVED_RECORD, message)
                .at(name_place.clone())
                .note("it answers there when it obtains a certificate, which needs no record of yours")
                .hint("remove this record")
        } else {
            match kind {
                RecordType::Ns if apex => {
                    let message = "the name servers of the domain itself are the node's to name";
                    Diagnostic::error(codes::RESERVED_RECORD, message).at(kind_place.clone()).hint(
                        "remove it; NS records at another name give that name to another server",
                    )
                }
                RecordType::Ns if wildcard => {
                    let message = "NS records cannot stand at a wildcard";
                    Diagnostic::error(codes::INVALID_RECORD, message)
                        .at(name_place.clone())
                        .note("what resolvers make of them differs (RFC 4592 §4.2)")
                        .hint("name each part that another server answers for")
                }
                RecordType::Cname if apex => {
                    let message = "a CNAME cannot stand at the domain itself";
                    Diagnostic::error(codes::RECORD_CONFLICT, message)
                        .at(kind_place.clone())
                        .note(
                            "it would replace the domain's own SOA and NS records (RFC 1912 §2.4)",
                        )
                        .hint(
                            "write `type: ALIAS`: it is answered with the addresses of the target",
                        )
                }
                _ => return true,
            }
        };
        self.report.push(error);
        false
    }

    /// What domains of one project say about names of each other.
    pub(super) fn check_records_of_each_other(&mut self, domains: &[Domain]) {
        let (mut by_host, mut with_records) = (HashMap::new(), HashMap::new());
        for domain in domains {
            let HostPattern::Exact(host) = &domain.host else { continue };
            by_host.entry(host.as_str()).or_insert(domain);
            let Some(record) = domain.records.first() else { continue };
            match with_records.entry(host.as_str()) {
                hash_map::Entry::Vacant(vacant) => _ = vacant.insert(record),
                hash_map::Entry::Occupied(first) => {
                    let message =
                        format!("the records of {} stand in two files", quoted(host.as_str()));
                    self.report.push(
                        Diagnostic::error(codes::RECORD_CONFLICT, message)
                            .at(record.place.clone())
                            .related(first.get().place.clone(), "here, too")
                            .hint("move them into one of the files"),
                    );
                }
            }
        }
        for domain in domains {
            for record in &domain.records {
                let names = ancestors(record.name.base())
                    .take_while(|name| *name != domain.host.base().as_str());
                if let Some(nearest) = names.filter_map(|name| by_host.get(name)).next() {
                    self.belongs_elsewhere(record, nearest);
                }
            }
        }
        self.not_given_away(domains);
        self.servers_have_addresses(domains);
        self.not_too_many_aliases(domains);
    }

    /// A domain below a name that another server answers for is never asked for here.
    fn not_given_away(&mut self, domains: &[Domain]) {
        let records = domains.iter().flat_map(|domain| &domain.records);
        let delegations = records.filter(|record| record.data.kind() == RecordType::Ns);
        let cuts: HashMap<_, _> =
            delegations.map(|record| (record.name.base().as_str(), record)).collect();
        for domain in domains {
            // Of the name itself a wildcard is below, too; at a domain's own NS records are told elsewhere.
            let own = usize::from(matches!(domain.host, HostPattern::Exact(_)));
            let above = ancestors(domain.host.base()).skip(own).filter_map(|name| cuts.get(name));
            let Some(cut) = above.last() else { continue };
            let host = quoted(&domain.host.to_string());
            let message = format!("{host} lies below a name that another server answers for");
            self.report.push(
                Diagnostic::error(codes::RECORD_CONFLICT, message)
                    .at(cut.place.clone())
                    .related(domain.place.clone(), "this domain")
                    .hint("remove these NS records, or the domain"),
            );
        }
    }

    /// Domains above one are in its zone, so that name servers there need an address as well.
    fn servers_have_addresses(&mut self, domains: &[Domain]) {
        let bases: HashSet<_> = domains.iter().map(|domain| domain.host.base().as_str()).collect();
        let hosts = domains.iter().map(|domain| &domain.host);
        let records = || domains.iter().flat_map(|domain| &domain.records);
        let is_address =
            |record: &&Record| matches!(record.data.kind(), RecordType::A | RecordType::Aaaa);
        let placed = records().filter(is_address).map(|record| &record.name);
        let known: HashSet<_> = placed.chain(hosts).collect();
        for domain in domains {
            let above: Vec<_> = ancestors(domain.host.base())
                .skip(1)
                .filter_map(|name| bases.get(name)?.parse::<DomainName>().ok())
                .collect();
            for record in
                domain.records.iter().filter(|record| record.data.kind() == RecordType::Ns)
            {
                let Some(server) = record.data.host() else { continue };
                let beside = above.iter().find(|above| is_within(server, above));
                // Within the domain itself it was looked for already.
                let Some(beside) = beside.filter(|_| !is_within(server, domain.host.base())) else {
                    continue;
                };
                if known.contains(&HostPattern::Exact(server.clone())) {
                    continue;
                }
                let message =
                    format!("the name server {} has no address here", quoted(server.as_str()));
                let name = value::relative(&HostPattern::Exact(server.clone()), beside);
                let hint = format!(
                    "add it in the file of {beside}, such as `- {{name: {name}, type: A, value: 192.0.2.53}}`"
                );
                self.report.push(
                    Diagnostic::error(codes::INVALID_RECORD, message)
                        .at(record.place.clone())
                        .note(format!(
                            "it is within {beside}, so that nobody else could tell its address"
                        ))
                        .hint(hint),
                );
            }
        }
    }

    fn not_too_many_aliases(&mut self, domains: &[Domain]) {
        let records = domains.iter().flat_map(|domain| &domain.records);
        let aliases = records.filter(|record| record.data.kind() == RecordType::Alias);
        let mut targets = BTreeSet::new();
        let beyond = aliases.filter(|record| {
            targets.insert(record.data.host());
            targets.len() > MAX_ALIASES
        });
        let Some(record) = beyond.last() else { return };
        let message = format!("ALIAS records lead to {} names", targets.len());
        self.report.push(
            Diagnostic::error(codes::TOO_MANY, message)
                .at(record.place.clone())
                .note("the node looks each of them up again and again")
                .hint(format!(
                    "use at most {MAX_ALIASES} in a project, and CNAME below the domain itself"
                )),
        );
    }

    fn belongs_elsewhere(&mut self, record: &Record, domain: &Domain) {
        let host = domain.host.base();
        let message = format!("{} is a domain of its own", quoted(host.as_str()));
        let name = value::relative(&record.name, host);
        self.report.push(
            Diagnostic::error(codes::RECORD_CONFLICT, message)
                .at(record.place.clone())
                .related(domain.place.clone(), "in this file")
                .note("the node answers for it, with its own addresses if nothing else is said")
                .hint(format!("move this record there as `name: \"{name}\"`, or remove it")),
        );
    }
}

/// The name itself, then all above it.
fn ancestors(name: &DomainName) -> impl Iterator<Item = &str> {
    std::iter::successors(Some(name.as_str()), |name| Some(name.split_once('.')?.1))
}

fn is_apex(owner: &HostPattern, domain: &DomainName) -> bool {
    matches!(owner, HostPattern::Exact(name) if name == domain)
}

/// At the other name or below it.
fn is_within(name: &DomainName, other: &DomainName) -> bool {
    let above = name.as_str().strip_suffix(other.as_str());
    above.is_some_and(|above| above.is_empty() || above.ends_with('.'))
}
