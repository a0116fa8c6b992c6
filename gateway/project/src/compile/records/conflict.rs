//! Records that do not go together.

use std::collections::{BTreeMap, HashMap, HashSet};

use headgate_types::{DomainName, HostPattern, RecordType, format_duration};

use super::{Entry, ancestors, is_within, value::relative};
use crate::{
    defaults::MAX_RECORD_SET,
    diagnostic::{Diagnostic, Diagnostics, codes, quoted},
};

/// Reports what cannot stand in one zone, and takes out what is there twice.
pub(super) fn check(domain: &DomainName, entries: &mut Vec<Entry>, report: &mut Diagnostics) {
    let mut seen = HashSet::new();
    entries.retain(|Entry { record, .. }| {
        let new = seen.insert((record.name.clone(), record.data.clone()));
        if !new {
            let message = format!("this {} record is there twice", record.data.kind());
            let warning = Diagnostic::warning(codes::REPEATED_VALUE, message);
            report.push(warning.at(record.place.clone()).hint("remove one of them"));
        }
        new
    });
    let mut names: BTreeMap<_, BTreeMap<_, Vec<_>>> = BTreeMap::new();
    for entry in &*entries {
        let sets = names.entry(&entry.record.name).or_default();
        sets.entry(entry.record.data.kind()).or_default().push(entry);
    }
    let delegations =
        || names.iter().filter_map(|(name, sets)| Some((name, sets.get(&RecordType::Ns)?)));
    let cuts = delegations()
        .filter_map(|(name, set)| Some((name.base().as_str(), *set.first()?)))
        .collect();
    let hosts = delegations().flat_map(|(_, set)| set).filter_map(|entry| entry.record.data.host());
    let name_servers = hosts.map(DomainName::as_str).collect();
    let zone = Zone { domain, cuts, name_servers, names };
    for (name, sets) in &zone.names {
        for (kind, set) in sets {
            one_ttl(set, report);
            not_too_large(set, report);
            zone.not_delegated(name, *kind, set, report);
        }
        alone(sets, report);
        zone.servers_have_addresses(sets, report);
    }
}

type Sets<'e> = BTreeMap<RecordType, Vec<&'e Entry>>;

struct Zone<'e> {
    domain: &'e DomainName,
    names: BTreeMap<&'e HostPattern, Sets<'e>>,
    /// The names with NS records.
    cuts: HashMap<&'e str, &'e Entry>,
    /// What those records name.
    name_servers: HashSet<&'e str>,
}

fn one_ttl(set: &[&Entry], report: &mut Diagnostics) {
    let [first, others @ ..] = set else { return };
    for other in others.iter().filter(|other| other.record.ttl != first.record.ttl) {
        let kind = other.record.data.kind();
        let name = other.record.name.to_string();
        let message = format!("the {kind} records of {} have two TTLs", quoted(&name));
        let ttl = |entry: &Entry| format_duration(entry.record.ttl);
        report.push(
            Diagnostic::error(codes::RECORD_CONFLICT, message)
                .at(other.ttl.clone())
                .label(ttl(other))
                .related(first.ttl.clone(), ttl(first))
                .note("resolvers keep them together (RFC 2181 §5.2)")
                .hint("write the same `ttl` at both, or one record with both values"),
        );
    }
}

fn not_too_large(set: &[&Entry], report: &mut Diagnostics) {
    let size: usize = set.iter().map(|entry| entry.record.data.size()).sum();
    let Some(entry) = set.first().filter(|_| size > MAX_RECORD_SET) else { return };
    let kind = entry.record.data.kind();
    let name = entry.record.name.to_string();
    let message = format!("the {kind} records of {} have {size} bytes", quoted(&name));
    let error = Diagnostic::error(codes::INVALID_RECORD, message).at(entry.record.place.clone());
    report.push(
        error
            .note("every answer carries all of them")
            .hint(format!("use at most {MAX_RECORD_SET} bytes at one name")),
    );
}

/// Types that point away stand where nothing else says what they do.
fn alone(sets: &Sets<'_>, report: &mut Diagnostics) {
    for (kind, set) in sets {
        let [first, more @ ..] = set.as_slice() else { continue };
        let excludes: &[RecordType] = match kind {
            RecordType::Cname => &RecordType::ALL,
            RecordType::Alias => &[RecordType::A, RecordType::Aaaa, RecordType::Cname],
            _ => continue,
        };
        let name = first.record.name.to_string();
        if let Some(second) = more.first() {
            let message = format!("{} has {} {kind} records", quoted(&name), set.len());
            report.push(
                Diagnostic::error(codes::RECORD_CONFLICT, message)
                    .at(second.record.place.clone())
                    .related(first.record.place.clone(), "the first one")
                    .hint("keep one of them: a name leads to one other name"),
            );
        }
        let others = sets.iter().filter(|(other, _)| *other != kind && excludes.contains(other));
        // A CNAME tells of the ALIAS, and not the other way round as well.
        let others =
            others.filter(|(other, _)| (*kind, **other) != (RecordType::Alias, RecordType::Cname));
        let Some((other, [second, ..])) = others.map(|(other, set)| (other, set.as_slice())).next()
        else {
            continue;
        };
        let message = format!("{} has records of type {other} beside its {kind}", quoted(&name));
        let hint = match kind {
            RecordType::Cname => {
                "remove one of them, or write `type: ALIAS` for the CNAME, beside which other records than \
                 addresses may stand"
            }
            _ => "remove one of them: an ALIAS is answered with the addresses of its target",
        };
        report.push(
            Diagnostic::error(codes::RECORD_CONFLICT, message)
                .at(first.kind.clone())
                .related(second.kind.clone(), "beside this")
                .hint(hint),
        );
    }
}

impl Zone<'_> {
    /// Names below a delegation are another server's to answer, but for the addresses of servers.
    fn not_delegated(
        &self,
        name: &HostPattern,
        kind: RecordType,
        set: &[&Entry],
        report: &mut Diagnostics,
    ) {
        let Some((cut, delegation)) = self.cut(name) else { return };
        let is_fine = match (kind, name) {
            (RecordType::Ns, HostPattern::Exact(name)) => name == cut,
            (RecordType::A | RecordType::Aaaa, HostPattern::Exact(name)) => {
                self.name_servers.contains(name.as_str())
            }
            _ => false,
        };
        let Some(entry) = set.first().filter(|_| !is_fine) else { return };
        let message = format!("this {kind} record is never answered");
        report.push(
            Diagnostic::error(codes::RECORD_CONFLICT, message)
                .at(entry.name.clone())
                .related(
                    delegation.kind.clone(),
                    format!("{} is another server's", quoted(cut.as_str())),
                )
                .hint("enter it at that server, or remove the NS records"),
        );
    }

    /// The topmost name at or above this one that has NS records.
    fn cut(&self, name: &HostPattern) -> Option<(&DomainName, &Entry)> {
        let entry = ancestors(name.base()).filter_map(|name| self.cuts.get(name)).last()?;
        Some((entry.record.name.base(), entry))
    }

    fn servers_have_addresses(&self, sets: &Sets<'_>, report: &mut Diagnostics) {
        for entry in sets.get(&RecordType::Ns).into_iter().flatten() {
            let Some(server) = entry.record.data.host() else { continue };
            let server_name = HostPattern::Exact(server.clone());
            let has =
                |kind| self.names.get(&server_name).is_some_and(|sets| sets.contains_key(&kind));
            if !is_within(server, self.domain) || has(RecordType::A) || has(RecordType::Aaaa) {
                continue;
            }
            let message =
                format!("the name server {} has no address here", quoted(server.as_str()));
            let name = relative(&server_name, self.domain);
            report.push(
                Diagnostic::error(codes::INVALID_RECORD, message)
                    .at(entry.record.place.clone())
                    .note("it is within the domain, so that nobody else could tell its address")
                    .hint(format!(
                        "add it, such as `- {{name: {name}, type: A, value: 192.0.2.53}}`"
                    )),
            );
        }
    }
}
