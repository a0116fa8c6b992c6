//! `Lookup`: what a zone says about a name and a type (RFC 1034 §4.3.2, RFC 4592).

use super::{APEX, NONE, RecordSet, Zone, record_set::kinds};
use crate::name::LowerName;

/// What a zone says about a name and a type.
#[derive(Debug, Clone, Copy)]
pub enum Lookup<'z> {
    /// Records of the type that was asked for.
    Answer(RecordSet<'z>),
    /// The name is an alias; whoever asked looks on at its target.
    Alias(RecordSet<'z>),
    /// The name exists, with nothing of this type.
    NoData,
    /// The name does not exist, and no wildcard stands for it.
    NameError,
    /// The name lies in a zone that others answer for: their NS records.
    Delegation(RecordSet<'z>),
}

impl Zone {
    /// Looks for a name of this zone.
    ///
    /// A wildcard answers as if the name itself stood there; the record set then tells the
    /// wildcard's node. Type ANY is answered with the shortest set there is (RFC 8482 §4.1).
    ///
    /// # Panics
    ///
    /// If the name is not within [`Zone::origin`].
    pub fn lookup(&self, name: &LowerName, kind: u16) -> Lookup<'_> {
        let below = name.labels() - self.origin.labels();
        let origin = self.origin.as_wire().len();
        // Deeper than its deepest name the zone has nothing, so a name of a hundred labels costs as
        // much as a short one.
        let mut skipped = below.saturating_sub(self.depth);
        let closest = loop {
            if let Some(node) = self.find(name.relative(skipped, origin)) {
                break node;
            }
            skipped += 1;
        };
        if skipped == 0 {
            return self.at(closest, kind);
        }
        let encloser = &self.nodes[closest as usize];
        if encloser.cut != NONE {
            return self.delegation(encloser.cut);
        }
        match encloser.wildcard {
            NONE => Lookup::NameError,
            wildcard => self.at(wildcard, kind),
        }
    }

    fn at(&self, node: u32, kind: u16) -> Lookup<'_> {
        let cut = self.nodes[node as usize].cut;
        // What a delegation is signed with stands in the parent (RFC 4035 §3.1.4.1).
        if cut != NONE && !(cut == node && kind == kinds::DS) {
            return self.delegation(cut);
        }
        let found = match kind {
            kinds::ANY => self.shortest(node),
            kind => self.find_set(node, kind),
        };
        match found {
            Some(set) => Lookup::Answer(set),
            None => self.find_set(node, kinds::CNAME).map_or(Lookup::NoData, Lookup::Alias),
        }
    }

    fn delegation(&self, cut: u32) -> Lookup<'_> {
        debug_assert_ne!(cut, APEX);
        Lookup::Delegation(self.find_set(cut, kinds::NS).expect("a delegation has NS records"))
    }

    fn shortest(&self, node: u32) -> Option<RecordSet<'_>> {
        let sets = self.nodes[node as usize].sets.of(&self.sets);
        let shortest = sets.iter().min_by_key(|entry| entry.records.len)?;
        Some(self.set(node, shortest))
    }
}
