//! How a resource's keys are read: a table of fields per group, and one reader for all tables.
//!
//! The reader checks what a single value can tell (its kind, a word of a closed set, a size) and
//! warns about keys nobody knows. What takes more than one value, or more than one file, is
//! `compile`'s business. The JSON Schemas for editors are made from the same tables. A node's own file
//! is read this way, too, by a table that the gateway brings along.

mod fields;
mod groups;
mod instead;
mod near;
mod reader;

use std::time::Duration;

pub use fields::{At, Fields, Text, Written};
pub(crate) use groups::{
    APPLICATION, DATABASE, DOMAIN, FUNCTION, LIBRARY, MESSAGING, PROJECT, SERVICE, SMARTOP,
    STORAGE, WEBSITE,
};
pub(crate) use reader::read;
pub use reader::read_text;

use self::fields::{Data, Found};
use crate::diagnostic::Severity;

/// What one kind of file may say.
#[derive(Debug)]
pub struct Document {
    /// As in `headgate schema function`.
    pub name: &'static str,
    /// As in messages: `a function`.
    pub what: &'static str,
    /// What such a file begins with, for someone who wrote something else altogether.
    pub begin: &'static str,
    /// How a slip that spoils nothing is taken: an unknown key, a repetition.
    pub slips: Severity,
    /// One line for editors.
    pub about: &'static str,
    pub keys: &'static [Field],
    pub needs: &'static [Need],
    /// Paths of keys with two spellings: the one that gives way, and the one that counts.
    pub older: &'static [(&'static str, &'static str)],
}

/// One key of a table.
#[derive(Clone, Copy, Debug)]
pub struct Field {
    pub key: &'static str,
    pub shape: Shape,
    /// One line for editors; empty where the shape says it all.
    pub about: &'static str,
}

/// What may stand behind a key.
#[derive(Clone, Copy, Debug)]
pub enum Shape {
    /// Text or a number, as Taubyte reads them alike; never a boolean.
    Text,
    /// One of these words.
    Word(&'static [&'static str]),
    Flag,
    Size,
    Duration,
    /// A duration from the first to the second.
    DurationIn(Duration, Duration),
    /// A whole number from the first to the second.
    Number(u64, u64),
    Texts,
    /// A text, or a list of several.
    OneOrMore,
    /// Names and texts; numbers and booleans count as the text they are written with.
    Pairs,
    Table(&'static [Field]),
    /// Names of the user's choice, each with such a table; it has all of its keys or none.
    Tables(&'static [Field]),
    /// A list of such tables, each with at least these keys.
    Items(&'static [Field], &'static [&'static str]),
    /// A table that needs this key, whose value alone may stand for the table.
    Short(&'static str, &'static [Field]),
    /// Names of the user's choice, each with what [`Self::Short`] says.
    Shorts(&'static str, &'static [Field]),
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
pub struct Need {
    pub when: When,
    pub any: &'static [&'static str],
    pub at_most_one: bool,
}

#[derive(Clone, Copy, Debug)]
pub enum When {
    Always,
    /// The key is one of these words.
    Is(&'static str, &'static [&'static str]),
    Given(&'static str),
    /// The flag is `true` under none of its spellings.
    NotTrue(&'static [&'static str]),
}
