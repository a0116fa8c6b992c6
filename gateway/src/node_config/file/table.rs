//! What `node.yaml` may say: the table that it is read by, and that its JSON Schema is made from.

use headgate_project::{
    Severity,
    schema::{Document, Field, Need, Shape, When},
};

use crate::node_config::defaults::{
    LONGEST_DEADLINE_LIMIT, LONGEST_DRAIN, MOST_KEPT, MOST_WORKERS, SHORTEST_DEADLINE_LIMIT,
    SHORTEST_POLL,
};

/// An unknown key is an error here: the file belongs to this version of headgate, and a limit that was
/// misspelt would hold for nobody.
pub(crate) const NODE: Document = Document {
    name: "node",
    what: "a node",
    begin: "a key: `version: 1`, then `projects:`",
    slips: Severity::Error,
    about: "A node: where it listens, where it keeps its state, which projects it follows.",
    keys: &[
        field("version", Shape::Text, "The version of this file's format, which is `1`."),
        field(
            "state",
            Shape::Text,
            "The folder for all it keeps; `/var/lib/headgate` if not given.",
        ),
        field("http", Shape::Texts, "Addresses for HTTP; port 80 of all if not given."),
        field("https", Shape::Texts, "Addresses for HTTPS; port 443 of all if not given."),
        field("zone", Shape::Table(ZONE), "The operator's own zone, in which projects have hosts."),
        field(
            "dns",
            Shape::Table(DNS),
            "How this node answers DNS; not at all without this and `zone`.",
        ),
        field("admin", Shape::Table(ADMIN), "How the node itself is asked."),
        field("workers", Shape::Number(1, MOST_WORKERS), "Threads; one per core if not given."),
        field("tls", Shape::Table(TLS), "How certificates are come by."),
        field("projects", Shape::Items(PROJECT, &["name", "config"]), "The projects it follows."),
        field(
            "ownership",
            OWNERSHIP,
            "When the hosts of projects are served; `trust` if not given, with ACME `verify`.",
        ),
        field(
            "resolver",
            Shape::Text,
            "The name server that is asked whose a host is and where an ALIAS leads; the system's if not given.",
        ),
        field("executor", Shape::Table(EXECUTOR), "What functions may take of this machine."),
        field("limits", Shape::Table(LIMITS), "What clients may take of this machine."),
        field(
            "drain",
            Shape::DurationIn(std::time::Duration::ZERO, LONGEST_DRAIN),
            "How long shutdown waits for running requests; `30s` if not given.",
        ),
        field("log", Shape::Table(LOG), "What is logged, and how."),
        field("outbound", Shape::Table(OUTBOUND), "What functions may call."),
        field("store", Shape::Table(STORE), "What is kept."),
    ],
    needs: &[
        Need { when: When::Given("zone"), any: &["zone.name"], at_most_one: false },
        Need { when: When::Given("zone"), any: &["zone.addresses"], at_most_one: false },
        Need {
            when: When::Given("tls.acme.external_account"),
            any: &["tls.acme.external_account.id"],
            at_most_one: false,
        },
        Need {
            when: When::Given("tls.acme.external_account"),
            any: &["tls.acme.external_account.key_file"],
            at_most_one: false,
        },
    ],
    older: &[],
};

const ZONE: &[Field] = &[
    field("name", Shape::Text, "What the zone is called: `edge.example.org`."),
    field("addresses", Shape::Texts, "Public addresses of the gateways, which hosts resolve to."),
    field(
        "nameservers",
        Shape::Texts,
        "What the parent zone delegates to; `ns1` and `ns2` of the zone if not given.",
    ),
    field("contact", Shape::Text, "Who is responsible; `hostmaster` of the zone if not given."),
];

const DNS: &[Field] = &[
    field("listen", Shape::Texts, "Addresses for UDP and TCP; port 53 of all if not given."),
    field(
        "tls",
        Shape::Texts,
        "Addresses for DNS over TLS, mostly at port 853; none if not given.",
    ),
    field("log", Shape::Table(DNS_LOG), "Which queries are logged; none if not given."),
];

const DNS_LOG: &[Field] = &[field("sample", COUNT, "One in so many queries.")];

const ADMIN: &[Field] = &[
    field("socket", Shape::Text, "The unix socket of `headgate status`; in `state` if not given."),
    field(
        "listen",
        Shape::Text,
        "A loopback address for probes and Prometheus; none if not given.",
    ),
];

const TLS: &[Field] = &[
    field(
        "authority",
        Shape::Word(&["local", "acme"]),
        "Who signs certificates: the node itself, or an authority that speaks ACME.",
    ),
    field(
        "acme",
        Shape::Table(ACME),
        "That authority, whose terms are agreed to; Let's Encrypt if not given.",
    ),
    field(
        "certificates",
        Shape::Items(CERTIFICATE, &["cert", "key"]),
        "Certificates of your own, each for the hosts it names.",
    ),
];

const ACME: &[Field] = &[
    field("directory", Shape::Text, "The URL of its directory; Let's Encrypt's if not given."),
    field("contact", Shape::Texts, "Mail addresses it writes to; none if not given."),
    field("roots", Shape::Text, "A PEM file with its own roots; the system's if not given."),
    field(
        "external_account",
        Shape::Table(EXTERNAL_ACCOUNT),
        "The customer's number, for those that want one.",
    ),
    field("profile", Shape::Text, "A kind of certificate it offers, such as `shortlived`."),
];

const EXTERNAL_ACCOUNT: &[Field] = &[
    field("id", Shape::Text, "What it calls the customer's key."),
    field("key_file", Shape::Text, "A file with that key in base64."),
];

const CERTIFICATE: &[Field] = &[
    field("cert", Shape::Text, "A PEM file with the chain, the host's own certificate first."),
    field("key", Shape::Text, "A PEM file with its private key."),
];

const PROJECT: &[Field] = &[
    field("name", Shape::Text, "What the project is called on this node."),
    field(
        "config",
        Shape::Text,
        "The URL of its repository, or a folder to serve as it lies there.",
    ),
    field("branch", Shape::Text, "The branch that is followed; `main` if not given."),
    field(
        "poll",
        Shape::DurationIn(SHORTEST_POLL, LONGEST_DRAIN),
        "How often the repository is asked for news; `5s` if not given.",
    ),
    USERNAME,
    TOKEN_FILE,
    SSH_KEY,
    KNOWN_HOSTS,
    field("ownership", OWNERSHIP, "When its hosts are served; as for all projects if not given."),
    field("code", Shape::Short("url", REPOSITORY), "The repository of its functions' code."),
    field(
        "repositories",
        Shape::Shorts("url", REPOSITORY),
        "Those of its websites and libraries, by their `source.github.fullname`.",
    ),
];

const REPOSITORY: &[Field] = &[
    field("url", Shape::Text, "The repository: a URL, `user@host:path` or a path."),
    USERNAME,
    TOKEN_FILE,
    SSH_KEY,
    KNOWN_HOSTS,
];

const USERNAME: Field = field("username", Shape::Text, "The user beside the token, for https.");
const TOKEN_FILE: Field =
    field("token_file", Shape::Text, "A file with a token, or `user:password`, for https.");
const SSH_KEY: Field = field("ssh_key", Shape::Text, "A file with a private key, for ssh.");
const KNOWN_HOSTS: Field = field(
    "known_hosts",
    Shape::Text,
    "A file with the host keys that ssh accepts; this user's own if not given.",
);

const EXECUTOR: &[Field] = &[
    field("instances", COUNT, "Guest instances alive at one time; 200 if not given."),
    field("project_instances", COUNT, "Of these, those of one project; half if not given."),
    field("memory_limit", Shape::Size, "The most memory of one instance; `512MiB` if not given."),
    field(
        "deadline_limit",
        Shape::DurationIn(SHORTEST_DEADLINE_LIMIT, LONGEST_DEADLINE_LIMIT),
        "The longest time of one request; `5m` if not given.",
    ),
    field("concurrency", COUNT, "Instances of one function at one time; 100 if not given."),
    field("queue", COUNT, "Requests that may wait for one function; 1000 if not given."),
];

const LIMITS: &[Field] = &[
    field("max_connections", COUNT, "Connections at one time; by the system's limit if not given."),
    field("per_address_connections", COUNT, "Those of one client address; 256 if not given."),
    field("per_address_rate", COUNT, "New ones a second of one address; 100 if not given."),
    field("request_body", Shape::Size, "The longest request body; `100MiB` if not given."),
];

const LOG: &[Field] = &[
    field("format", Shape::Word(&["auto", "json", "text"]), "`auto` is text on a terminal only."),
    field(
        "level",
        Shape::Word(&["error", "warn", "info", "debug", "trace"]),
        "The least level that is logged; `info` if not given.",
    ),
    field("access", Shape::Flag, "One line per request; `true` if not given."),
];

const OUTBOUND: &[Field] = &[
    field(
        "allow",
        Shape::Texts,
        "Networks, addresses and hosts that are reachable although not public.",
    ),
    field("deny", Shape::Texts, "Those that never are; wins over everything."),
    field("ports", Shape::Texts, "Open ports and ranges; 80, 443 and 1024-65535 if not given."),
    field("roots", Shape::Text, "A PEM file of authorities trusted beside the platform's."),
];

const STORE: &[Field] = &[field(
    "keep_revisions",
    Shape::Number(1, MOST_KEPT),
    "Revisions of each project that stay on disk; 10 if not given.",
)];

/// At once, or when the owner of a host has said in DNS that it is the project's.
const OWNERSHIP: Shape = Shape::Word(&["trust", "verify"]);

const COUNT: Shape = Shape::Number(1, u32::MAX as u64);

const fn field(key: &'static str, shape: Shape, about: &'static str) -> Field {
    Field { key, shape, about }
}
