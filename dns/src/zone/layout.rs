//! `Layout`: records that were checked, put where answers are copied from.

use std::{collections::BTreeMap, hash::BuildHasher as _};

use hashbrown::{DefaultHashBuilder, HashTable};

use super::{
    APEX, NONE, Node, RecordSet, SetEntry, Span, Zone,
    builder::{Owners, PendingSet},
    record_set::{host, kinds, push_record},
};
use crate::{name::LowerName, serial::Serial};

/// The boxes of a zone while they are filled.
pub(super) struct Layout {
    nodes: Vec<Node>,
    sets: Vec<SetEntry>,
    additional: Vec<u32>,
    bytes: Vec<u8>,
    hasher: DefaultHashBuilder,
    table: HashTable<u32>,
    depth: usize,
    serial: u32,
    negative_ttl: u32,
}

impl Layout {
    /// `None` if an index does not fit into its 32 bits.
    pub(super) fn of(origin: &LowerName, owners: &Owners, records: usize) -> Option<Self> {
        let names = with_ancestors(owners);
        u32::try_from(names.len().max(records)).ok().filter(|count| *count < NONE)?;
        let mut layout = Self {
            nodes: Vec::with_capacity(names.len()),
            sets: Vec::with_capacity(owners.values().map(Vec::len).sum()),
            additional: Vec::new(),
            bytes: Vec::new(),
            hasher: DefaultHashBuilder::default(),
            table: HashTable::with_capacity(names.len()),
            depth: 0,
            serial: 0,
            negative_ttl: 0,
        };
        for (name, sets) in &names {
            layout.add_node(name, sets)?;
        }
        layout.connect();
        layout.add_additional(origin)?;
        Some(layout)
    }

    fn add_node(&mut self, name: &[u8], sets: &[PendingSet]) -> Option<()> {
        let index = u32::try_from(self.nodes.len()).ok()?;
        let name = self.push_bytes(name)?;
        let first = u32::try_from(self.sets.len()).ok()?;
        for set in sets {
            let start = self.bytes.len();
            for data in &set.data {
                push_record(&mut self.bytes, set.kind, set.ttl, data);
            }
            if set.kind == kinds::SOA {
                self.note_soa(set);
            }
            let records = self.span_from(start)?;
            let additional = Span::default();
            self.sets.push(SetEntry { kind: set.kind, ttl: set.ttl, records, additional });
        }
        let sets = Span { start: first, len: u32::try_from(sets.len()).ok()? };
        self.nodes.push(Node { name, sets, wildcard: NONE, cut: NONE });

        let name = name.of(&self.bytes);
        self.depth = self.depth.max(labels(name).count());
        let (nodes, bytes, hasher) = (&self.nodes, &self.bytes, &self.hasher);
        let hash_of = |node: &u32| hasher.hash_one(nodes[*node as usize].name.of(bytes));
        self.table.insert_unique(hasher.hash_one(name), index, hash_of);
        Some(())
    }

    fn note_soa(&mut self, set: &PendingSet) {
        let data = &set.data[0];
        // Two names, then serial, refresh, retry, expire and minimum.
        let numbers = &data[data.len() - 20..];
        let number = |at: usize| {
            u32::from_be_bytes(numbers[at..at + 4].try_into().expect("four bytes of twenty"))
        };
        self.serial = number(0);
        self.negative_ttl = set.ttl.min(number(16));
    }

    /// Tells each node its wildcard and its delegation.
    fn connect(&mut self) {
        for index in 0..self.nodes.len() {
            let name = self.nodes[index].name.of(&self.bytes);
            let wildcard = self.find(&[b"\x01*", name].concat()).unwrap_or(NONE);
            // The topmost delegation counts: what is below it is not ours to delegate.
            let cut = suffixes(name)
                .filter_map(|ancestor| self.find(ancestor))
                .filter(|node| *node != APEX && self.has(*node, kinds::NS))
                .last();
            self.nodes[index].wildcard = wildcard;
            self.nodes[index].cut = cut.unwrap_or(NONE);
        }
    }

    /// Finds the addresses that go along with each record set.
    fn add_additional(&mut self, origin: &LowerName) -> Option<()> {
        for node in 0..self.nodes.len() {
            let Node { sets, cut, .. } = self.nodes[node];
            for set in sets.start..sets.start + sets.len {
                let entry = self.sets[set as usize];
                let mut targets = self.targets(&entry, origin);
                targets.sort_by_key(|target| self.nodes[*target as usize].cut != cut);
                let start = u32::try_from(self.additional.len()).ok()?;
                let len = u32::try_from(targets.len()).ok()?;
                self.additional.extend(targets);
                self.sets[set as usize].additional = Span { start, len };
            }
        }
        Some(())
    }

    /// The nodes with addresses that the records of a set name.
    fn targets(&self, entry: &SetEntry, origin: &LowerName) -> Vec<u32> {
        let set = RecordSet {
            kind: entry.kind,
            ttl: entry.ttl,
            bytes: entry.records.of(&self.bytes),
            additional: &[],
            node: NONE,
        };
        let mut targets = Vec::new();
        for data in set.records() {
            let Some(host) = host(entry.kind, data) else { break };
            let host = LowerName::read(host).expect("it was encoded from a name");
            if !host.is_within(origin) {
                continue;
            }
            let Some(node) = self.find(host.relative(0, origin.as_wire().len())) else { continue };
            let has_address = self.has(node, kinds::A) || self.has(node, kinds::AAAA);
            // Glue is for referrals only: elsewhere the child's own word counts.
            let is_ours = entry.kind == kinds::NS || self.nodes[node as usize].cut == NONE;
            if has_address && is_ours && !targets.contains(&node) {
                targets.push(node);
            }
        }
        targets
    }

    fn find(&self, relative: &[u8]) -> Option<u32> {
        let name_of = |node: &u32| self.nodes[*node as usize].name.of(&self.bytes);
        self.table.find(self.hasher.hash_one(relative), |node| name_of(node) == relative).copied()
    }

    fn has(&self, node: u32, kind: u16) -> bool {
        self.nodes[node as usize].sets.of(&self.sets).iter().any(|entry| entry.kind == kind)
    }

    fn push_bytes(&mut self, bytes: &[u8]) -> Option<Span> {
        let start = self.bytes.len();
        self.bytes.extend_from_slice(bytes);
        self.span_from(start)
    }

    fn span_from(&self, start: usize) -> Option<Span> {
        let len = u32::try_from(self.bytes.len() - start).ok()?;
        Some(Span { start: u32::try_from(start).ok()?, len })
    }

    pub(super) fn into_zone(self, origin: LowerName) -> Zone {
        Zone {
            origin,
            serial: Serial::new(self.serial),
            negative_ttl: self.negative_ttl,
            depth: self.depth,
            hasher: self.hasher,
            table: self.table,
            nodes: self.nodes.into(),
            sets: self.sets.into(),
            additional: self.additional.into(),
            bytes: self.bytes.into(),
        }
    }
}

/// The owners and every name between them and the origin, which exists as well (RFC 4592 §2.2.2).
fn with_ancestors(owners: &Owners) -> BTreeMap<&[u8], &[PendingSet]> {
    let mut names: BTreeMap<&[u8], &[PendingSet]> = BTreeMap::from([(&b""[..], &[][..])]);
    for owner in owners.keys() {
        names.extend(suffixes(owner).map(|ancestor| (ancestor, &[][..])));
    }
    names.extend(owners.iter().map(|(owner, sets)| (&**owner, &**sets)));
    names
}

/// A relative name and its ancestors, the origin (which is empty) last.
pub(super) fn suffixes(relative: &[u8]) -> impl Iterator<Item = &[u8]> {
    labels(relative).chain(std::iter::once(&relative[relative.len()..]))
}

/// A relative name from each of its labels on.
fn labels(relative: &[u8]) -> impl Iterator<Item = &[u8]> {
    let mut rest = relative;
    std::iter::from_fn(move || {
        let (length, _) = rest.split_first()?;
        let here = rest;
        rest = &rest[1 + usize::from(*length)..];
        Some(here)
    })
}
