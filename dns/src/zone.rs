//! `Zone`: what is known below one origin, as an immutable table that answers are copied from.
//!
//! ```text
//!   names ──hash──► Node { record sets, wildcard below it, delegation above it }
//!                            │
//!                            ▼
//!                   SetEntry { type, TTL, bytes as they are sent, names worth adding }
//! ```
//!
//! What an answer depends on beside the name (whether it is below a delegation, whether a wildcard
//! stands there, which addresses belong with it) is worked out once, by [`ZoneBuilder`]. A name that
//! exists is answered after one look into the table.

use std::{fmt, hash::BuildHasher};

use hashbrown::{DefaultHashBuilder, HashTable};

use crate::{name::LowerName, serial::Serial};

pub mod builder;
pub mod lookup;
pub mod record_set;

mod check;
mod layout;

pub use builder::{Fault, InvalidZone, Problem, ZoneBuilder};
pub use lookup::Lookup;
pub use record_set::RecordSet;

use record_set::kinds;

/// No node: an index that no zone reaches.
const NONE: u32 = u32::MAX;

/// The node of the origin; it is made first.
const APEX: u32 = 0;

/// One zone of authority. Made by [`ZoneBuilder`].
pub struct Zone {
    origin: LowerName,
    serial: Serial,
    /// TTL of negative answers: the lesser of the SOA's own and its minimum (RFC 2308 §3).
    negative_ttl: u32,
    /// Labels below the origin of the deepest name.
    depth: usize,
    hasher: DefaultHashBuilder,
    /// Nodes by their names.
    table: HashTable<u32>,
    nodes: Box<[Node]>,
    sets: Box<[SetEntry]>,
    /// Nodes whose addresses go along with a record set, those a referral cannot do without first.
    additional: Box<[u32]>,
    /// Names relative to the origin, and records as they are sent.
    bytes: Box<[u8]>,
}

/// A name that exists, if only because there is one below it.
#[derive(Debug, Clone, Copy)]
struct Node {
    name: Span,
    sets: Span,
    /// The `*` right below.
    wildcard: u32,
    /// The delegation at this name or above it.
    cut: u32,
}

/// A record set of a node.
#[derive(Debug, Clone, Copy)]
struct SetEntry {
    kind: u16,
    ttl: u32,
    /// Each record from its type on.
    records: Span,
    additional: Span,
}

/// A part of one of the zone's boxes.
#[derive(Debug, Clone, Copy, Default)]
struct Span {
    start: u32,
    len: u32,
}

impl Span {
    fn of<T>(self, whole: &[T]) -> &[T] {
        let start = self.start as usize;
        &whole[start..start + self.len as usize]
    }
}

impl Zone {
    pub fn origin(&self) -> &LowerName {
        &self.origin
    }

    pub fn serial(&self) -> Serial {
        self.serial
    }

    /// Records in all.
    pub fn records(&self) -> usize {
        self.record_sets().map(|(_, set)| set.records().count()).sum()
    }

    /// Every record set with its owner, in no particular order.
    pub fn record_sets(&self) -> impl Iterator<Item = (LowerName, RecordSet<'_>)> {
        (0..).zip(&self.nodes).flat_map(move |(index, node)| {
            node.sets
                .of(&self.sets)
                .iter()
                .map(move |entry| (self.owner(index), self.set(index, entry)))
        })
    }

    /// Memory the zone takes, to within an allocator's rounding.
    pub fn size(&self) -> usize {
        size_of::<Self>()
            + self.table.allocation_size()
            + size_of_val(&*self.nodes)
            + size_of_val(&*self.sets)
            + size_of_val(&*self.additional)
            + self.bytes.len()
    }

    /// The SOA, which each zone has.
    pub fn soa(&self) -> RecordSet<'_> {
        self.find_set(APEX, kinds::SOA).expect("the builder takes no zone without SOA")
    }

    /// The TTL of the SOA in negative answers.
    pub fn negative_ttl(&self) -> u32 {
        self.negative_ttl
    }

    /// The address sets that go along with `set`, which is one of this zone's; whether a referral
    /// at `set` leads nowhere without them; and their owner relative to the origin.
    pub(crate) fn additional<'z>(
        &'z self,
        set: &RecordSet<'z>,
    ) -> impl Iterator<Item = Additional<'z>> + use<'z> {
        let cut = set.node;
        set.additional.iter().flat_map(move |&target| {
            let node = &self.nodes[target as usize];
            [kinds::A, kinds::AAAA].into_iter().filter_map(move |kind| {
                Some(Additional {
                    owner: node.name.of(&self.bytes),
                    set: self.find_set(target, kind)?,
                    needed: node.cut == cut,
                })
            })
        })
    }

    /// Where `set` stands: relative to the origin, and the origin.
    pub(crate) fn place(&self, set: &RecordSet<'_>) -> (&[u8], &[u8]) {
        (self.nodes[set.node as usize].name.of(&self.bytes), self.origin.as_wire())
    }

    fn owner(&self, node: u32) -> LowerName {
        let relative = self.nodes[node as usize].name.of(&self.bytes);
        LowerName::read(&[relative, self.origin.as_wire()].concat())
            .expect("the builder takes no longer names")
    }

    fn find(&self, relative: &[u8]) -> Option<u32> {
        let name_of = |node: &u32| self.nodes[*node as usize].name.of(&self.bytes);
        self.table.find(self.hasher.hash_one(relative), |node| name_of(node) == relative).copied()
    }

    fn find_set(&self, node: u32, kind: u16) -> Option<RecordSet<'_>> {
        let sets = self.nodes[node as usize].sets.of(&self.sets);
        sets.iter().find(|entry| entry.kind == kind).map(|entry| self.set(node, entry))
    }

    fn set<'z>(&'z self, node: u32, entry: &SetEntry) -> RecordSet<'z> {
        RecordSet {
            kind: entry.kind,
            ttl: entry.ttl,
            bytes: entry.records.of(&self.bytes),
            additional: entry.additional.of(&self.additional),
            node,
        }
    }
}

/// Addresses that go along with an answer.
pub(crate) struct Additional<'z> {
    /// Relative to the origin.
    pub(crate) owner: &'z [u8],
    pub(crate) set: RecordSet<'z>,
    /// They lie below the delegation that names them, so nobody else could tell them (RFC 9471).
    pub(crate) needed: bool,
}

impl fmt::Debug for Zone {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Zone")
            .field("origin", &self.origin)
            .field("serial", &self.serial)
            .field("names", &self.nodes.len())
            .finish_non_exhaustive()
    }
}
