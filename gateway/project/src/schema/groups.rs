//! The tables of all groups, with a line about each key for editors.
//!
//! What a table needs stands beside it, for the JSON Schema; `compile` reports it with words of its
//! own, and `tests/schema.rs` holds the two together.

use headgate_types::RecordType;

use super::{Document, Field, Need, Shape, When};
use crate::{
    defaults::{MAX_TTL, MIN_TTL},
    diagnostic::Severity,
};

const fn field(key: &'static str, shape: Shape, about: &'static str) -> Field {
    Field { key, shape, about }
}

const fn need(any: &'static [&'static str]) -> Need {
    Need { when: When::Always, any, at_most_one: false }
}

const fn need_when(when: When, any: &'static [&'static str]) -> Need {
    Need { when, any, at_most_one: false }
}

const ID: Field = field(
    "id",
    Shape::Text,
    "What it is recognised by after it was renamed. Taubyte's tools write it; where it is missing, one \
     is derived from the names.",
);
const NAME: Field =
    field("name", Shape::Text, "The name of the file, which counts; it may be repeated here.");
const DESCRIPTION: Field = field("description", Shape::Text, "A few words for people.");
const TAGS: Field =
    field("tags", Shape::Texts, "Words to find it by; `smartops:<name>` attaches a smartop.");
const GITHUB: Field = field(
    "github",
    Shape::Table(&[
        field("id", Shape::Text, "GitHub's number of the repository."),
        field("fullname", Shape::Text, "Owner and repository, such as `acme/site`."),
    ]),
    "The repository that holds it.",
);
const BRANCH: Field = field("branch", Shape::Text, "The branch of its repository.");
const MATCH: Field = field(
    "match",
    Shape::Text,
    "The name it is opened by, or a regular expression for several names.",
);
const REGEX: Field =
    field("regex", Shape::Flag, "Whether `match` is a regular expression; `false` if not given.");
const USE_REGEX: Field = field("useRegex", Shape::Older("regex", &Shape::Flag), "");
const ACCESS: Field = field(
    "access",
    Shape::Table(&[field(
        "network",
        Shape::Word(&["all", "subnet", "host"]),
        "Who may reach it; `all` if not given.",
    )]),
    "From where it can be reached.",
);
const SOURCE: Field = field(
    "source",
    Shape::Text,
    "Where the code is: `.` for files named as this one is, or `libraries/<name>`.",
);
const EXECUTION: Field = field(
    "execution",
    Shape::Table(&[
        field(
            "timeout",
            Shape::Duration,
            "How long it may be silent before and while it answers; 30s if not given.",
        ),
        field("memory", Shape::Size, "How much memory one call may use; 128MiB if not given."),
        field("call", Shape::Text, "The exported function to call. Components need none."),
    ]),
    "What is called, and within which limits.",
);

/// The root's `config.yaml`.
pub(crate) const PROJECT: Document = Document {
    name: "project",
    what: "a project",
    begin: "a key, such as `id: …`",
    slips: Severity::Warning,
    about: "A project, in `config.yaml` at the top of its repository.",
    keys: &[
        ID,
        field("name", Shape::Text, "What the project is called; ids are derived from it."),
        DESCRIPTION,
        field("tags", Shape::Texts, "Words to find it by."),
        field(
            "notification",
            Shape::Table(&[field("email", Shape::Text, "An address such as `name@example.com`.")]),
            "Who hears of the project.",
        ),
        field(
            "clouds",
            Shape::Tables(&[
                field("account", Shape::Text, "The account at that cloud."),
                field("plan", Shape::Text, "The account's plan."),
            ]),
            "Accounts at Taubyte's clouds, by host name. A node of your own has none.",
        ),
    ],
    needs: &[],
    older: &[],
};

/// `applications/<app>/config.yaml`.
pub(crate) const APPLICATION: Document = Document {
    name: "application",
    what: "an application",
    begin: "a key, such as `id: …`",
    slips: Severity::Warning,
    about: "An application, in `applications/<name>/config.yaml`: resources that belong together.",
    keys: &[
        ID,
        field(
            "name",
            Shape::Text,
            "The name of the folder, which counts; it may be repeated here.",
        ),
        DESCRIPTION,
        TAGS,
    ],
    needs: &[],
    older: &[],
};

pub(crate) const DATABASE: Document = Document {
    name: "database",
    what: "a database",
    begin: "a key, such as `id: …`",
    slips: Severity::Warning,
    about: "A key-value database, in `databases/<name>.yaml`.",
    keys: &[
        ID,
        NAME,
        DESCRIPTION,
        TAGS,
        MATCH,
        REGEX,
        USE_REGEX,
        ACCESS,
        field(
            "storage",
            Shape::Table(&[field("size", Shape::Size, "How much it may hold.")]),
            "The room it gets.",
        ),
        field("encryption", Shape::Obsolete("Taubyte no longer encrypts databases by key"), ""),
        field(
            "replicas",
            Shape::Obsolete("how many copies are kept is the nodes' own business"),
            "",
        ),
        field("path", Shape::Obsolete("databases are found by `match`"), ""),
    ],
    needs: &[need_when(When::NotTrue(&["regex", "useRegex"]), &["match"]), need(&["storage.size"])],
    older: &[("useRegex", "regex")],
};

pub(crate) const DOMAIN: Document = Document {
    name: "domain",
    what: "a domain",
    begin: "a key, such as `id: …`",
    slips: Severity::Warning,
    about: "A host name under which functions and websites answer, in `domains/<name>.yaml`.",
    keys: &[
        ID,
        NAME,
        DESCRIPTION,
        TAGS,
        field(
            "fqdn",
            Shape::Text,
            "The host name: `shop.example.com`, or `*.example.com` for all names directly below one.",
        ),
        field(
            "certificate",
            Shape::Table(&[
                field(
                    "type",
                    Shape::Word(&["auto", "inline"]),
                    "`auto` to have certificates obtained, which is what happens if it is not given.",
                ),
                field(
                    "cert",
                    Shape::Text,
                    "For `inline`: the certificate chain as PEM, or the path of such a file.",
                ),
                field(
                    "key",
                    Shape::Text,
                    "For `inline`: its private key as PEM, or the path of such a file.",
                ),
            ]),
            "Where its certificate comes from.",
        ),
        field(
            "client_ca",
            Shape::Text,
            "Certificates of authorities as PEM, or the path of such a file: only clients with a \
             certificate that one of them signed are let in.",
        ),
        field(
            "https",
            Shape::Table(&[
                field(
                    "redirect",
                    Shape::Flag,
                    "Whether requests in the clear are sent to HTTPS; `true` if not given.",
                ),
                field(
                    "hsts",
                    Shape::Flag,
                    "Whether browsers are told to ask for HTTPS alone; `true` if not given.",
                ),
            ]),
            "What holds where its certificate is one that clients trust.",
        ),
        field(
            "records",
            Shape::Items(
                &[
                    field(
                        "name",
                        Shape::Text,
                        "The name within the domain: `www`, `*.dev`, or `@` for the domain itself.",
                    ),
                    field(
                        "type",
                        Shape::Word(&RecordType::NAMES),
                        "The record's type; `ALIAS` is answered with the addresses of its target.",
                    ),
                    field(
                        "value",
                        Shape::OneOrMore,
                        "What the record says, as a zone file has it: `192.0.2.1`, `10 mail.example.com`; \
                         a list for several.",
                    ),
                    field(
                        "ttl",
                        Shape::DurationIn(MIN_TTL, MAX_TTL),
                        "How long resolvers may keep it; 5m if not given.",
                    ),
                ],
                &["name", "type", "value"],
            ),
            "What the node answers in DNS for names of the domain, beside its own addresses.",
        ),
    ],
    needs: &[
        need(&["fqdn"]),
        need_when(When::Is("certificate.type", &["inline"]), &["certificate.cert"]),
        need_when(When::Is("certificate.type", &["inline"]), &["certificate.key"]),
    ],
    older: &[],
};

const HTTP: When = When::Is("trigger.type", &["http", "https"]);
const PUBSUB: When = When::Is("trigger.type", &["pubsub"]);
const P2P: When = When::Is("trigger.type", &["p2p"]);

pub(crate) const FUNCTION: Document = Document {
    name: "function",
    what: "a function",
    begin: "a key, such as `id: …`",
    slips: Severity::Warning,
    about: "A WebAssembly function, in `functions/<name>.yaml`.",
    keys: &[
        ID,
        NAME,
        DESCRIPTION,
        TAGS,
        field(
            "trigger",
            Shape::Table(&[
                field(
                    "type",
                    Shape::Word(&["http", "https", "pubsub", "p2p"]),
                    "What calls it: requests, messages on a channel, or commands of other nodes.",
                ),
                field(
                    "local",
                    Shape::Flag,
                    "For pubsub and p2p: whether only this node calls it; `false` if not given.",
                ),
                field("method", Shape::Text, "For http: the request method, such as `GET`."),
                field("methods", Shape::Texts, "For http: several request methods."),
                field(
                    "paths",
                    Shape::Texts,
                    "For http: the paths it answers. `{id}` takes one segment, `{*rest}` all that is \
                     left.",
                ),
                field("domains", Shape::Texts, "For http: names of files in `domains/`."),
                field("channel", Shape::Text, "For pubsub: the channel it listens to."),
                field("protocol", Shape::Text, "For p2p: the protocol of a file in `services/`."),
                field("service", Shape::Older("protocol", &Shape::Text), ""),
                field("command", Shape::Text, "For p2p: the command it answers."),
            ]),
            "What calls the function.",
        ),
        field("domains", Shape::Texts, "For http: names of files in `domains/`."),
        field("methods", Shape::Texts, "For http: several request methods."),
        SOURCE,
        EXECUTION,
        field(
            "variables",
            Shape::Pairs,
            "Its environment: names and values. Headgate's own; Taubyte has none.",
        ),
        field("includes", Shape::Obsolete("sources are found by the function's name"), ""),
        field("libraries", Shape::Obsolete("a library is named by `source: libraries/<name>`"), ""),
    ],
    needs: &[
        need(&["trigger.type"]),
        need_when(HTTP, &["trigger.method", "trigger.methods", "methods"]),
        need_when(HTTP, &["trigger.paths"]),
        need_when(HTTP, &["domains", "trigger.domains"]),
        need_when(PUBSUB, &["trigger.channel"]),
        need_when(P2P, &["trigger.protocol", "trigger.service"]),
        need_when(P2P, &["trigger.command"]),
    ],
    older: &[
        ("domains", "trigger.domains"),
        ("methods", "trigger.methods"),
        ("trigger.service", "trigger.protocol"),
    ],
};

pub(crate) const LIBRARY: Document = Document {
    name: "library",
    what: "a library",
    begin: "a key, such as `id: …`",
    slips: Severity::Warning,
    about: "WebAssembly that functions are made from or import, in `libraries/<name>.yaml`.",
    keys: &[
        ID,
        NAME,
        DESCRIPTION,
        TAGS,
        field(
            "source",
            Shape::Table(&[
                field("path", Shape::Text, "The folder in its repository; `/` if not given."),
                BRANCH,
                GITHUB,
            ]),
            "Where its code is.",
        ),
    ],
    needs: &[need_when(When::Given("source.github"), &["source.github.fullname"])],
    older: &[],
};

pub(crate) const MESSAGING: Document = Document {
    name: "messaging",
    what: "a messaging channel",
    begin: "a key, such as `id: …`",
    slips: Severity::Warning,
    about: "A channel for messages, in `messaging/<name>.yaml`.",
    keys: &[
        ID,
        NAME,
        DESCRIPTION,
        TAGS,
        field("local", Shape::Flag, "Whether messages stay on one node; `false` if not given."),
        field(
            "channel",
            Shape::Table(&[
                field(
                    "match",
                    Shape::Text,
                    "The channel's name, or a regular expression for several.",
                ),
                REGEX,
            ]),
            "Which channels it describes.",
        ),
        field(
            "bridges",
            Shape::Table(&[
                field(
                    "mqtt",
                    Shape::Table(&[field(
                        "enable",
                        Shape::Flag,
                        "Whether MQTT clients take part.",
                    )]),
                    "MQTT.",
                ),
                field(
                    "websocket",
                    Shape::Table(&[field("enable", Shape::Flag, "Whether browsers take part.")]),
                    "WebSocket.",
                ),
            ]),
            "What else can publish and subscribe.",
        ),
    ],
    needs: &[need(&["channel.match"])],
    older: &[],
};

pub(crate) const SERVICE: Document = Document {
    name: "service",
    what: "a service",
    begin: "a key, such as `id: …`",
    slips: Severity::Warning,
    about: "A protocol that functions answer to other nodes, in `services/<name>.yaml`.",
    keys: &[
        ID,
        NAME,
        DESCRIPTION,
        TAGS,
        field("protocol", Shape::Text, "The protocol's name, such as `/simple/v1`."),
    ],
    needs: &[need(&["protocol"])],
    older: &[],
};

pub(crate) const SMARTOP: Document = Document {
    name: "smartop",
    what: "a smartop",
    begin: "a key, such as `id: …`",
    slips: Severity::Warning,
    about: "A function that decides where resources may run, in `smartops/<name>.yaml`.",
    keys: &[ID, NAME, DESCRIPTION, TAGS, SOURCE, EXECUTION],
    needs: &[],
    older: &[],
};

const SIZE: Field = field("size", Shape::Size, "How much it may hold.");

pub(crate) const STORAGE: Document = Document {
    name: "storage",
    what: "a storage",
    begin: "a key, such as `id: …`",
    slips: Severity::Warning,
    about: "Storage for files (`object`) or for what is soon forgotten (`streaming`), in \
            `storages/<name>.yaml`.",
    keys: &[
        ID,
        NAME,
        DESCRIPTION,
        TAGS,
        MATCH,
        REGEX,
        USE_REGEX,
        ACCESS,
        field(
            "object",
            Shape::Table(&[
                field(
                    "versioning",
                    Shape::Flag,
                    "Whether older versions of a file are kept; `false` if not given.",
                ),
                SIZE,
            ]),
            "Files, kept until they are removed. Either this or `streaming`.",
        ),
        field(
            "streaming",
            Shape::Table(&[
                field("ttl", Shape::Duration, "How long what is stored is kept."),
                SIZE,
            ]),
            "Data that is kept for a while. Either this or `object`.",
        ),
    ],
    needs: &[
        Need { when: When::Always, any: &["object", "streaming"], at_most_one: true },
        need_when(When::Given("object"), &["object.size"]),
        need_when(When::Given("streaming"), &["streaming.size"]),
    ],
    older: &[("useRegex", "regex")],
};

pub(crate) const WEBSITE: Document = Document {
    name: "website",
    what: "a website",
    begin: "a key, such as `id: …`",
    slips: Severity::Warning,
    about: "A folder of files that is served, in `websites/<name>.yaml`.",
    keys: &[
        ID,
        NAME,
        DESCRIPTION,
        TAGS,
        field("domains", Shape::Texts, "The hosts it answers under: names of files in `domains/`."),
        field("paths", Shape::Texts, "Below which paths it answers; `/` is the whole host."),
        field(
            "source",
            Shape::Table(&[
                field("paths", Shape::Older("paths", &Shape::Texts), ""),
                BRANCH,
                GITHUB,
            ]),
            "Where its files are, if not in this repository.",
        ),
    ],
    needs: &[
        need(&["domains"]),
        need(&["paths", "source.paths"]),
        need_when(When::Given("source.github"), &["source.github.fullname"]),
    ],
    older: &[("source.paths", "paths")],
};
