//! `StrMap`: a read-only map from text, laid out for its size.

use std::{collections::HashMap, hash::RandomState};

/// Most hosts have a handful of paths, for which walking one short slice beats hashing; some have ten
/// thousand. The hash is keyed at random, so that no project can choose paths that collide.
#[derive(Debug)]
#[expect(
    clippy::box_collection,
    reason = "a hundred thousand hosts pay for the size of the common case"
)]
pub(crate) enum StrMap<V> {
    Few(Box<[(Box<str>, V)]>),
    Many(Box<HashMap<Box<str>, V, RandomState>>),
}

impl<V> StrMap<V> {
    pub(crate) fn get(&self, key: &str) -> Option<&V> {
        match self {
            Self::Few(entries) => entries.iter().find(|(k, _)| **k == *key).map(|(_, v)| v),
            Self::Many(map) => map.get(key),
        }
    }
}

/// Up to here comparing lengths and a few bytes costs less than one keyed hash (about 20 ns).
const FEW: usize = 8;

/// The keys must differ from each other.
impl<V> FromIterator<(Box<str>, V)> for StrMap<V> {
    fn from_iter<I: IntoIterator<Item = (Box<str>, V)>>(entries: I) -> Self {
        let entries: Box<[_]> = entries.into_iter().collect();
        match entries.len() {
            0..=FEW => Self::Few(entries),
            _ => Self::Many(Box::new(entries.into_iter().collect())),
        }
    }
}
