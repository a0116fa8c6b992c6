//! How a resource's keys are read: a table of fields per group, and one reader for all tables.
//!
//! The reader checks what a single value can tell (its kind, a word of a closed set, a size) and
//! warns about keys nobody knows. What takes more than one value, or more than one file, is
//! `compile`'s business. The JSON Schemas for editors are made from the same tables.

mod groups;
mod instead;
mod near;
mod reader;

use std::{sync::Arc, time::Duration};

use headgate_types::ByteSize;

pub(crate) use groups::{
    APPLICATION, DATABASE, DOMAIN, FUNCTION, LIBRARY, MESSAGING, PROJECT, SERVICE, SMARTOP,
    STORAGE, WEBSITE,
};
pub(crate) use reader::read;

use crate::diagnostic::Place;

/// What one kind of file may say.
#[derive(Debug)]
pub(crate) struct Document {
    /// As in `headgate schema function`.
    pub(crate) name: &'static str,
    /// As in messages: `a function`.
    pub(crate) what: &'static str,
    /// One line for editors.
    pub(crate) about: &'static str,
    pub(crate) keys: &'static [Field],
    pub(crate) needs: &'static [Need],
    /// Paths of keys with two spellings: the one that gives way, and the one that counts.
    pub(crate) older: &'static [(&'static str, &'static str)],
}

/// One key of a table.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Field {
    pub(crate) key: &'static str,
    pub(crate) shape: Shape,
    /// One line for editors; empty where the shape says it all.
    pub(crate) about: &'static str,
}

/// What may stand behind a key.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Shape {
    /// Text or a number, as Taubyte reads them alike; never a boolean.
    Text,
    /// One of these words.
    Word(&'static [&'static str]),
    Flag,
    Size,
    Duration,
    Texts,
    /// Names and texts; numbers and booleans count as the text they are written with.
    Pairs,
    Table(&'static [Field]),
    /// Names of the user's choice, each with such a table; it has all of its keys or none.
    Tables(&'static [Field]),
    /// The older spelling of another key of the project.
    Older(&'static str, &'static Self),
    /// Known from older projects and without effect, for this reason.
    Obsolete(&'static str),
}

impl Shape {
    /// What it is read as, under whichever of its spellings.
    fn current(self) -> Self {
        match self {
            Self::Older(_, shape) => shape.current(),
            shape => shape,
        }
    }
}

/// Keys of which one has to be there; paths such as `trigger.paths`.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Need {
    pub(crate) when: When,
    pub(crate) any: &'static [&'static str],
    pub(crate) at_most_one: bool,
}

#[derive(Clone, Copy, Debug)]
pub(crate) enum When {
    Always,
    /// The key is one of these words.
    Is(&'static str, &'static [&'static str]),
    Given(&'static str),
    /// The flag is `true` under none of its spellings.
    NotTrue(&'static [&'static str]),
}

/// A value and where it stands.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct At<T> {
    pub(crate) value: T,
    pub(crate) place: Place,
}

pub(crate) type Text = Arc<str>;

/// What a file says about one key.
#[derive(Clone, Debug)]
pub(crate) enum Written<T> {
    Absent,
    /// The key without a value.
    Blank(Place),
    /// A value that was already reported as wrong: nothing follows from it.
    Broken,
    Value(At<T>),
}

impl<T> Written<T> {
    pub(crate) fn value(self) -> Option<At<T>> {
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
    pub(crate) fn place(&self) -> Option<&Place> {
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
pub(crate) struct Fields {
    /// The key the table stands behind, or the whole file.
    pub(crate) place: Place,
    /// The table itself was reported as wrong or missing, so that nothing in it is missing as well.
    broken: bool,
    found: Vec<Found>,
}

#[derive(Clone, Debug)]
struct Found {
    key: &'static str,
    place: Place,
    data: Data,
}

#[derive(Clone, Debug)]
enum Data {
    Blank,
    Broken,
    /// Without effect, and reported so.
    Obsolete,
    Text(Text),
    Flag(bool),
    Size(ByteSize),
    Duration(Duration),
    Texts(Vec<At<Text>>),
    Pairs(Vec<(At<Text>, Text)>),
    Table(Fields),
    Tables(Vec<(At<Text>, Fields)>),
}

impl Data {
    /// Whether two spellings of a key say the same, wherever they stand.
    fn agrees(&self, other: &Self) -> bool {
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
    pub(crate) fn text(&self, key: &str) -> Written<Text> {
        self.get(key, |data| match data {
            Data::Text(text) if text.trim().is_empty() => None,
            Data::Text(text) => Some(text.clone()),
            _ => None,
        })
    }

    pub(crate) fn flag(&self, key: &str) -> Written<bool> {
        self.get(key, |data| if let Data::Flag(flag) = data { Some(*flag) } else { None })
    }

    pub(crate) fn size(&self, key: &str) -> Written<ByteSize> {
        self.get(key, |data| if let Data::Size(size) = data { Some(*size) } else { None })
    }

    pub(crate) fn duration(&self, key: &str) -> Written<Duration> {
        self.get(key, |data| if let Data::Duration(time) = data { Some(*time) } else { None })
    }

    pub(crate) fn texts(&self, key: &str) -> Written<Vec<At<Text>>> {
        self.get(key, |data| match data {
            Data::Texts(texts) if !texts.is_empty() => Some(texts.clone()),
            _ => None,
        })
    }

    pub(crate) fn pairs(&self, key: &str) -> Written<Vec<(At<Text>, Text)>> {
        self.get(key, |data| if let Data::Pairs(pairs) = data { Some(pairs.clone()) } else { None })
    }

    /// The tables behind a key, by the names the user gave them.
    pub(crate) fn tables(&self, key: &str) -> Written<Vec<(At<Text>, Self)>> {
        self.get(key, |data| match data {
            Data::Tables(tables) if !tables.is_empty() => Some(tables.clone()),
            _ => None,
        })
    }

    /// The table behind a key; an empty one at the key, or at this table's place, if there is none.
    pub(crate) fn table(&self, key: &str) -> Self {
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

    /// Whether the key has a table behind it, be it an empty one.
    pub(crate) fn holds_table(&self, key: &str) -> bool {
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

    fn found(&self, key: &str) -> Option<&Found> {
        self.found.iter().find(|found| found.key == key)
    }

    /// What stands behind a path such as `trigger.paths`.
    fn at_path(&self, path: &str) -> Option<&Found> {
        match path.split_once('.') {
            None => self.found(path),
            Some((table, rest)) => match &self.found(table)?.data {
                Data::Table(fields) => fields.at_path(rest),
                _ => None,
            },
        }
    }
}
