//! How a resource's keys are read: a table of fields per group, and one reader for all tables.
//!
//! The reader checks what a single value can tell (its kind, a word of a closed set, a size) and
//! warns about keys nobody knows. What takes more than one value, or more than one file, is
//! `compile`'s business. A new group is a new table.

mod groups;
mod reader;

use std::{sync::Arc, time::Duration};

use headgate_types::ByteSize;

pub(crate) use groups::{APPLICATION, DOMAIN, FUNCTION, LIBRARY, PROJECT, WEBSITE};
pub(crate) use reader::read;

use crate::diagnostic::Place;

/// One key of a table.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Field {
    pub(crate) key: &'static str,
    pub(crate) shape: Shape,
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
    /// Known and read by nobody yet; not looked into.
    Unread,
    /// Known from older projects and without effect, for this reason.
    Obsolete(&'static str),
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

    pub(crate) fn place(&self) -> Option<&Place> {
        match self {
            Self::Value(At { place, .. }) | Self::Blank(place) => Some(place),
            Self::Absent | Self::Broken => None,
        }
    }

    /// The first of two spellings of a key that is there.
    #[must_use]
    pub(crate) fn or(self, other: Self) -> Self {
        match self {
            Self::Absent => other,
            written => written,
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
    /// Checked as far as its shape says, and of no further use yet.
    Unread,
    Text(Text),
    Size(ByteSize),
    Duration(Duration),
    Texts(Vec<At<Text>>),
    Pairs(Vec<(At<Text>, Text)>),
    Table(Fields),
}

impl Fields {
    pub(crate) fn text(&self, key: &str) -> Written<Text> {
        self.get(key, |data| match data {
            Data::Text(text) if text.trim().is_empty() => None,
            Data::Text(text) => Some(text.clone()),
            _ => None,
        })
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
}
