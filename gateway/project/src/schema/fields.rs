//! What a file says: the values of its tables, each with the place where it stands.

use std::{sync::Arc, time::Duration};

use headgate_types::ByteSize;

use crate::diagnostic::Place;

/// A value and where it stands.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct At<T> {
    pub value: T,
    pub place: Place,
}

pub type Text = Arc<str>;

/// What a file says about one key.
#[derive(Clone, Debug)]
pub enum Written<T> {
    Absent,
    /// The key without a value.
    Blank(Place),
    /// A value that was already reported as wrong: nothing follows from it.
    Broken,
    Value(At<T>),
}

impl<T> Written<T> {
    pub fn value(self) -> Option<At<T>> {
        match self {
            Self::Value(value) => Some(value),
            Self::Absent | Self::Blank(_) | Self::Broken => None,
        }
    }

    pub(crate) fn map<U>(self, change: impl FnOnce(T) -> U) -> Written<U> {
        match self {
            Self::Absent => Written::Absent,
            Self::Blank(place) => Written::Blank(place),
            Self::Broken => Written::Broken,
            Self::Value(At { value, place }) => Written::Value(At { value: change(value), place }),
        }
    }

    /// Where the value stands, if there is one.
    pub(crate) fn value_place(&self) -> Option<&Place> {
        match self {
            Self::Value(At { place, .. }) => Some(place),
            Self::Absent | Self::Blank(_) | Self::Broken => None,
        }
    }

    /// Where the key stands, with a value or without.
    pub fn place(&self) -> Option<&Place> {
        match self {
            Self::Value(At { place, .. }) | Self::Blank(place) => Some(place),
            Self::Absent | Self::Broken => None,
        }
    }

    /// The first of two spellings of a key that says something.
    #[must_use]
    pub(crate) fn or(self, other: Self) -> Self {
        match (self, other) {
            (Self::Absent, other) => other,
            (blank @ Self::Blank(_), Self::Absent) => blank,
            (Self::Blank(_), other) => other,
            (written, _) => written,
        }
    }
}

/// The values of one table, as they were written.
#[derive(Clone, Debug)]
pub struct Fields {
    /// The key the table stands behind, or the whole file.
    pub place: Place,
    /// The table itself was reported as wrong or missing, so that nothing in it is missing as well.
    pub(super) broken: bool,
    pub(super) found: Vec<Found>,
}

#[derive(Clone, Debug)]
pub(super) struct Found {
    pub(super) key: &'static str,
    pub(super) place: Place,
    pub(super) data: Data,
}

#[derive(Clone, Debug)]
pub(super) enum Data {
    Blank,
    Broken,
    /// Without effect, and reported so.
    Obsolete,
    Text(Text),
    Flag(bool),
    Size(ByteSize),
    Duration(Duration),
    Number(u64),
    Texts(Vec<At<Text>>),
    Pairs(Vec<(At<Text>, Text)>),
    Table(Fields),
    Tables(Vec<(At<Text>, Fields)>),
    Items(Vec<Fields>),
}

impl Data {
    /// Nothing, a text of nothing, or a list of none.
    pub(super) fn is_empty(&self) -> bool {
        match self {
            Self::Blank => true,
            Self::Text(text) => text.trim().is_empty(),
            Self::Texts(texts) => texts.is_empty(),
            _ => false,
        }
    }
}

impl Data {
    /// Whether two spellings of a key say the same, wherever they stand.
    pub(super) fn agrees(&self, other: &Self) -> bool {
        match (self, other) {
            (Self::Text(a), Self::Text(b)) => a == b,
            (Self::Flag(a), Self::Flag(b)) => a == b,
            (Self::Texts(a), Self::Texts(b)) => {
                a.iter().map(|text| &text.value).eq(b.iter().map(|text| &text.value))
            }
            // One without a value leaves it to the other; a broken one was reported.
            (Self::Blank | Self::Broken, _) | (_, Self::Blank | Self::Broken) => true,
            _ => false,
        }
    }
}

impl Fields {
    pub fn text(&self, key: &str) -> Written<Text> {
        self.get(key, |data| match data {
            Data::Text(text) if text.trim().is_empty() => None,
            Data::Text(text) => Some(text.clone()),
            _ => None,
        })
    }

    pub fn flag(&self, key: &str) -> Written<bool> {
        self.get(key, |data| if let Data::Flag(flag) = data { Some(*flag) } else { None })
    }

    pub fn size(&self, key: &str) -> Written<ByteSize> {
        self.get(key, |data| if let Data::Size(size) = data { Some(*size) } else { None })
    }

    pub fn duration(&self, key: &str) -> Written<Duration> {
        self.get(key, |data| if let Data::Duration(time) = data { Some(*time) } else { None })
    }

    pub fn number(&self, key: &str) -> Written<u64> {
        self.get(key, |data| if let Data::Number(number) = data { Some(*number) } else { None })
    }

    /// As [`Self::texts`], but a list without items is a value as well.
    pub fn list(&self, key: &str) -> Written<Vec<At<Text>>> {
        self.get(key, |data| if let Data::Texts(texts) = data { Some(texts.clone()) } else { None })
    }

    pub fn texts(&self, key: &str) -> Written<Vec<At<Text>>> {
        self.get(key, |data| match data {
            Data::Texts(texts) if !texts.is_empty() => Some(texts.clone()),
            _ => None,
        })
    }

    pub(crate) fn pairs(&self, key: &str) -> Written<Vec<(At<Text>, Text)>> {
        self.get(key, |data| if let Data::Pairs(pairs) = data { Some(pairs.clone()) } else { None })
    }

    /// The tables behind a key, by the names the user gave them.
    pub fn tables(&self, key: &str) -> Written<Vec<(At<Text>, Self)>> {
        self.get(key, |data| match data {
            Data::Tables(tables) if !tables.is_empty() => Some(tables.clone()),
            _ => None,
        })
    }

    /// The tables of a list.
    pub fn items(&self, key: &str) -> Written<Vec<Self>> {
        self.get(key, |data| if let Data::Items(items) = data { Some(items.clone()) } else { None })
    }

    /// The table behind a key; an empty one at the key, or at this table's place, if there is none.
    pub fn table(&self, key: &str) -> Self {
        let Some(found) = self.found(key) else {
            let (place, broken) = (self.place.clone(), self.broken);
            return Self { place, broken, found: Vec::new() };
        };
        match &found.data {
            Data::Table(fields) => fields.clone(),
            data => Self {
                place: found.place.clone(),
                broken: matches!(data, Data::Broken),
                found: Vec::new(),
            },
        }
    }

    /// Whether there is something behind the key, be it wrong.
    pub fn says(&self, key: &str) -> bool {
        self.found(key).is_some_and(|found| !matches!(found.data, Data::Blank))
    }

    /// Where the key's value stands, or the table if it has none.
    pub fn place_of(&self, key: &str) -> Place {
        self.found(key).map_or_else(|| self.place.clone(), |found| found.place.clone())
    }

    /// Whether the key has a table behind it, be it an empty one.
    pub fn holds_table(&self, key: &str) -> bool {
        self.found(key).is_some_and(|found| matches!(found.data, Data::Table(_)))
    }

    /// It was reported as wrong.
    pub(crate) fn is_broken(&self) -> bool {
        self.broken
    }

    /// The table has no values: whoever needs some reports the table, not each of them.
    pub(crate) fn is_empty(&self) -> bool {
        self.found.is_empty() && !self.broken
    }

    fn get<T>(&self, key: &str, pick: impl Fn(&Data) -> Option<T>) -> Written<T> {
        let Some(found) = self.found(key) else {
            return if self.broken { Written::Broken } else { Written::Absent };
        };
        match (&found.data, pick(&found.data)) {
            (Data::Broken, _) => Written::Broken,
            (_, None) => Written::Blank(found.place.clone()),
            (_, Some(value)) => Written::Value(At { value, place: found.place.clone() }),
        }
    }

    pub(super) fn found(&self, key: &str) -> Option<&Found> {
        self.found.iter().find(|found| found.key == key)
    }

    /// What stands behind a path such as `trigger.paths`.
    pub(super) fn at_path(&self, path: &str) -> Option<&Found> {
        match path.split_once('.') {
            None => self.found(path),
            Some((table, rest)) => match &self.found(table)?.data {
                Data::Table(fields) => fields.at_path(rest),
                _ => None,
            },
        }
    }
}
