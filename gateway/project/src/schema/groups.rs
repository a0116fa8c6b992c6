//! The tables of the groups that are served. Those of the other groups join them when they are.

use super::{Field, Shape};

const fn field(key: &'static str, shape: Shape) -> Field {
    Field { key, shape }
}

const INCLUDES_NOTE: &str = "sources are found by the function's name";
const ID: Field = field("id", Shape::Text);
const NAME: Field = field("name", Shape::Text);
const DESCRIPTION: Field = field("description", Shape::Text);
const TAGS: Field = field("tags", Shape::Texts);
const GITHUB: Field =
    field("github", Shape::Table(&[field("id", Shape::Text), field("fullname", Shape::Text)]));

/// The root's `config.yaml`.
pub(crate) const PROJECT: &[Field] = &[
    ID,
    NAME,
    DESCRIPTION,
    TAGS,
    field("notification", Shape::Table(&[field("email", Shape::Text)])),
    field("clouds", Shape::Unread),
];

/// `applications/<app>/config.yaml`.
pub(crate) const APPLICATION: &[Field] = &[ID, NAME, DESCRIPTION, TAGS];

pub(crate) const DOMAIN: &[Field] = &[
    ID,
    NAME,
    DESCRIPTION,
    TAGS,
    field("fqdn", Shape::Text),
    field(
        "certificate",
        Shape::Table(&[
            field("type", Shape::Word(&["auto", "inline"])),
            field("cert", Shape::Text),
            field("key", Shape::Text),
        ]),
    ),
];

pub(crate) const FUNCTION: &[Field] = &[
    ID,
    NAME,
    DESCRIPTION,
    TAGS,
    field(
        "trigger",
        Shape::Table(&[
            field("type", Shape::Word(&["http", "https", "pubsub", "p2p"])),
            field("local", Shape::Flag),
            field("method", Shape::Text),
            field("methods", Shape::Texts),
            field("paths", Shape::Texts),
            field("domains", Shape::Texts),
            field("channel", Shape::Text),
            field("protocol", Shape::Text),
            field("service", Shape::Text),
            field("command", Shape::Text),
        ]),
    ),
    field("domains", Shape::Texts),
    field("methods", Shape::Texts),
    field("source", Shape::Text),
    field(
        "execution",
        Shape::Table(&[
            field("timeout", Shape::Duration),
            field("memory", Shape::Size),
            field("call", Shape::Text),
        ]),
    ),
    field("variables", Shape::Pairs),
    field("includes", Shape::Obsolete(INCLUDES_NOTE)),
    field("libraries", Shape::Obsolete("a library is named by `source: libraries/<name>`")),
];

pub(crate) const WEBSITE: &[Field] = &[
    ID,
    NAME,
    DESCRIPTION,
    TAGS,
    field("domains", Shape::Texts),
    field("paths", Shape::Texts),
    field(
        "source",
        Shape::Table(&[field("paths", Shape::Texts), field("branch", Shape::Text), GITHUB]),
    ),
];

pub(crate) const LIBRARY: &[Field] = &[
    ID,
    NAME,
    DESCRIPTION,
    TAGS,
    field(
        "source",
        Shape::Table(&[field("path", Shape::Text), field("branch", Shape::Text), GITHUB]),
    ),
];
