//! What the records of a zone must hold to together.

use std::collections::BTreeSet;

use super::{
    builder::{Fault, Owners, PendingSet, Problem},
    layout::suffixes,
    record_set::{FIXED, host, kinds},
};
use crate::{defaults, name::LowerName};

/// Everything that is wrong, in the order of the owners.
pub(super) fn faults(origin: &LowerName, owners: &Owners) -> Vec<Problem> {
    let zone = Records { origin, owners, name_servers: name_servers(owners) };
    let mut problems = Vec::new();
    if !owners.contains_key(&b""[..]) {
        problems.extend([Fault::Soa, Fault::NoNameServer].map(|fault| zone.problem(b"", fault)));
    }
    for (owner, sets) in owners {
        let faults = zone.faults_at(owner, sets);
        problems.extend(faults.into_iter().map(|fault| zone.problem(owner, fault)));
    }
    problems
}

struct Records<'r> {
    origin: &'r LowerName,
    owners: &'r Owners,
    name_servers: BTreeSet<LowerWire>,
}

/// A name in wire form, lower-cased, as a key.
type LowerWire = Box<[u8]>;

/// Every host that an NS record of the zone names.
fn name_servers(owners: &Owners) -> BTreeSet<LowerWire> {
    let sets = owners.values().flatten().filter(|set| set.kind == kinds::NS);
    sets.flat_map(|set| &set.data).map(|data| lower(data).as_wire().into()).collect()
}

fn lower(wire: &[u8]) -> LowerName {
    LowerName::read(wire).expect("it was encoded from a name")
}

impl Records<'_> {
    fn faults_at(&self, owner: &[u8], sets: &[PendingSet]) -> Vec<Fault> {
        let mut faults = Vec::new();
        match owner.is_empty() {
            true => faults.extend(apex(sets)),
            false => faults.extend(below_apex(owner, sets)),
        }
        let alias = find(sets, kinds::CNAME);
        if alias.is_some_and(|alias| sets.len() > 1 || alias.data.len() > 1) {
            faults.push(Fault::Alias);
        }
        for set in sets {
            let size: usize = set.data.iter().map(|data| 2 + FIXED + data.len()).sum();
            if size > defaults::RECORD_SET_BYTES {
                faults.push(Fault::TooLarge(set.kind.into()));
            }
        }
        if let Some(caa) = find(sets, kinds::CAA)
            && caa.data.iter().any(|data| names_issuer_with_dot(data))
        {
            faults.push(Fault::IssuerWithDot);
        }
        faults.extend(self.delegated(owner, sets));
        faults.extend(self.unreachable(sets));
        faults
    }

    /// Records that a delegation hides.
    fn delegated(&self, owner: &[u8], sets: &[PendingSet]) -> Vec<Fault> {
        let topmost =
            suffixes(owner).filter(|name| !name.is_empty() && self.has(name, kinds::NS)).last();
        let Some(cut) = topmost else { return Vec::new() };
        let is_glue = self.name_servers.contains(self.absolute(owner).as_wire());
        let may_stand = |kind| match kind {
            kinds::NS | kinds::DS => cut == owner,
            kinds::A | kinds::AAAA => is_glue,
            _ => false,
        };
        let hidden = sets.iter().filter(|set| !may_stand(set.kind));
        let fault = |set: &PendingSet| Fault::Delegated {
            cut: Box::new(self.absolute(cut)),
            kind: set.kind.into(),
        };
        hidden.map(fault).collect()
    }

    /// Name servers that lead nowhere.
    fn unreachable(&self, sets: &[PendingSet]) -> Vec<Fault> {
        let Some(set) = find(sets, kinds::NS) else { return Vec::new() };
        let hosts = set.data.iter().filter_map(|data| host(set.kind, data));
        let within = hosts.map(lower).filter(|server| server.is_within(self.origin));
        within.filter_map(|server| self.unreachable_server(server)).collect()
    }

    fn unreachable_server(&self, server: LowerName) -> Option<Fault> {
        let relative = server.relative(0, self.origin.as_wire().len());
        if self.has(relative, kinds::A) || self.has(relative, kinds::AAAA) {
            return None;
        }
        if self.has(relative, kinds::CNAME) {
            return Some(Fault::NameServerIsAlias(Box::new(server)));
        }
        // A server in another zone below this one: its own delegation leads there.
        let elsewhere =
            suffixes(relative).any(|name| !name.is_empty() && self.has(name, kinds::NS));
        let own = self.delegates_to(relative, &server);
        (!elsewhere || own).then_some(Fault::NoAddress(Box::new(server)))
    }

    /// Whether a server lies at or below a delegation to itself: then nothing but glue leads there.
    fn delegates_to(&self, relative: &[u8], server: &LowerName) -> bool {
        let sets = suffixes(relative).filter(|name| !name.is_empty());
        sets.filter_map(|name| self.owners.get(name)).any(|sets| {
            find(sets, kinds::NS)
                .is_some_and(|set| set.data.iter().any(|data| lower(data) == *server))
        })
    }

    fn has(&self, relative: &[u8], kind: u16) -> bool {
        self.owners.get(relative).is_some_and(|sets| find(sets, kind).is_some())
    }

    fn absolute(&self, relative: &[u8]) -> LowerName {
        lower(&[relative, self.origin.as_wire()].concat())
    }

    fn problem(&self, owner: &[u8], fault: Fault) -> Problem {
        Problem { owner: self.absolute(owner), fault }
    }
}

fn find(sets: &[PendingSet], kind: u16) -> Option<&PendingSet> {
    sets.iter().find(|set| set.kind == kind)
}

fn apex(sets: &[PendingSet]) -> Vec<Fault> {
    let mut faults = Vec::new();
    if find(sets, kinds::SOA).is_none_or(|soa| soa.data.len() != 1) {
        faults.push(Fault::Soa);
    }
    if find(sets, kinds::NS).is_none() {
        faults.push(Fault::NoNameServer);
    }
    if find(sets, kinds::DS).is_some() {
        faults.push(Fault::NoDelegation);
    }
    faults
}

fn below_apex(owner: &[u8], sets: &[PendingSet]) -> Vec<Fault> {
    let mut faults = Vec::new();
    let delegates = find(sets, kinds::NS).is_some();
    if find(sets, kinds::SOA).is_some() {
        faults.push(Fault::SoaBelow);
    }
    if delegates && owner.starts_with(b"\x01*") {
        faults.push(Fault::WildcardDelegation);
    }
    if !delegates && find(sets, kinds::DS).is_some() {
        faults.push(Fault::NoDelegation);
    }
    faults
}

/// Authorities compare the issuer with their own name as text, so a dot at its end forbids them to
/// issue (RFC 8659 §4.2).
fn names_issuer_with_dot(data: &[u8]) -> bool {
    let [_, length, rest @ ..] = data else { return false };
    let Some((tag, value)) = rest.split_at_checked(usize::from(*length)) else { return false };
    let issuer = value.split(|byte| *byte == b';').next().unwrap_or_default().trim_ascii();
    [&b"issue"[..], b"issuewild"].iter().any(|name| tag.eq_ignore_ascii_case(name))
        && issuer.ends_with(b".")
}
