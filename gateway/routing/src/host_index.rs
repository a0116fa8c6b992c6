//! `HostIndex`: from a host's name to its claims, in as few cache misses as can be.

use std::{
    hash::{BuildHasher, RandomState},
    num::NonZeroU8,
};

use crate::claim::{Text, Texts};

/// An open-addressed table with linear probing; made once, so that nothing is ever removed.
///
/// The hash is keyed at random, so that nobody can choose names that collide.
#[derive(Debug, Default)]
pub(crate) struct HostIndex {
    /// A power of two, or none at all; never full, so every probe ends.
    slots: Box<[Slot]>,
    hasher: RandomState,
    hosts: usize,
}

/// Where the claims of a host are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Place {
    /// So many of `RouteTable::claims`: few, to be read one after the other.
    Few { start: u32, count: NonZeroU8 },
    /// One of `RouteTable::large`.
    Many(u32),
}

/// A host in sixteen bytes: what [`Text`] and [`Place`] say, without their padding.
#[derive(Debug, Clone, Copy, Default)]
struct Slot {
    /// Half of the hash; it differs for nearly all names that are not the wanted one.
    tag: u32,
    name_start: u32,
    /// No host has an empty name, so 0 is a vacant slot.
    name_len: u16,
    few: Option<NonZeroU8>,
    place: u32,
}

impl HostIndex {
    pub(crate) fn new(hosts: &[(Text, Place)], texts: &Texts) -> Self {
        let size = match hosts.len() {
            0 => 0,
            count => (count + count / SPARE + 1).next_power_of_two(),
        };
        let slots = vec![Slot::default(); size].into();
        let mut index = Self { slots, hosts: hosts.len(), ..Self::default() };
        for &(name, place) in hosts {
            let (tag, mut at) = index.probe(&texts[name]);
            while index.slots[at].name_len > 0 {
                at = (at + 1) & (size - 1);
            }
            let (place, few) = match place {
                Place::Few { start, count } => (start, Some(count)),
                Place::Many(large) => (large, None),
            };
            let (name_start, name_len) = (name.start, name.len);
            index.slots[at] = Slot { tag, name_start, name_len, few, place };
        }
        index
    }

    pub(crate) fn get(&self, name: &str, texts: &Texts) -> Option<Place> {
        if self.slots.is_empty() {
            return None;
        }
        let (tag, mut at) = self.probe(name);
        loop {
            let slot = &self.slots[at];
            let text = Text { start: slot.name_start, len: slot.name_len };
            if slot.name_len == 0 {
                return None;
            }
            if slot.tag == tag && &texts[text] == name {
                return Some(slot.place());
            }
            at = (at + 1) & (self.slots.len() - 1);
        }
    }

    pub(crate) fn len(&self) -> usize {
        self.hosts
    }

    fn probe(&self, name: &str) -> (u32, usize) {
        let hash = self.hasher.hash_one(name);
        ((hash >> 32) as u32, hash as usize & (self.slots.len() - 1))
    }
}

/// One slot in five stays vacant at least: a probe then reads three slots on average, mostly of one cache line.
const SPARE: usize = 4;

impl Slot {
    fn place(&self) -> Place {
        match self.few {
            Some(count) => Place::Few { start: self.place, count },
            None => Place::Many(self.place),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::claim::TextWriter;

    #[test]
    fn four_hosts_fill_a_cache_line() {
        assert_eq!(size_of::<Slot>(), 16);
    }

    #[test]
    fn every_host_is_found_and_no_other() {
        for count in [0, 1, 3, 4, 5, 1000] {
            let mut writer = TextWriter::default();
            let host = |i| (writer.add(&format!("h{i}")), Place::Many(i));
            let hosts: Vec<_> = (0..count).map(host).collect();
            let texts = writer.finish();
            let index = HostIndex::new(&hosts, &texts);
            for i in 0..count {
                assert_eq!(index.get(&format!("h{i}"), &texts), Some(Place::Many(i)));
            }
            for name in ["", "h", "x", &format!("h{count}")] {
                assert_eq!(index.get(name, &texts), None, "{name} of {count}");
            }
            assert_eq!(index.len(), hosts.len());
        }
    }
}
