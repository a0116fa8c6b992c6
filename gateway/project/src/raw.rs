//! A project as it is written: every value optional, every value with its place.
//!
//! Nothing is decided here but which of two spellings of a key counts.

use std::time::Duration;

use headgate_types::ByteSize;

use crate::{
    diagnostic::Place,
    model::{Group, Network},
    schema::{At, Fields, Text, Written},
};

#[derive(Debug, Default)]
pub(crate) struct Project {
    pub(crate) config: Option<Config>,
    pub(crate) applications: Vec<Application>,
    pub(crate) databases: Vec<Resource<Database>>,
    pub(crate) domains: Vec<Resource<Domain>>,
    pub(crate) functions: Vec<Resource<Function>>,
    pub(crate) libraries: Vec<Resource<Library>>,
    pub(crate) messaging: Vec<Resource<Messaging>>,
    pub(crate) services: Vec<Resource<Service>>,
    pub(crate) smartops: Vec<Resource<Smartop>>,
    pub(crate) storages: Vec<Resource<Storage>>,
    pub(crate) websites: Vec<Resource<Website>>,
    /// Files that could not be read: a reference to one is not a second mistake.
    pub(crate) unread: Vec<(Group, Option<Text>, Text)>,
}

/// What every resource has: its place in the layout, and the common keys.
#[derive(Debug)]
pub(crate) struct Resource<T> {
    pub(crate) application: Option<Text>,
    pub(crate) name: Text,
    /// The whole file.
    pub(crate) place: Place,
    pub(crate) common: Common,
    pub(crate) body: T,
}

#[derive(Debug)]
pub(crate) struct Common {
    pub(crate) id: Written<Text>,
    pub(crate) name: Written<Text>,
    pub(crate) description: Written<Text>,
    pub(crate) tags: Written<Vec<At<Text>>>,
}

#[derive(Debug)]
pub(crate) struct Config {
    pub(crate) common: Common,
    pub(crate) email: Written<Text>,
    pub(crate) clouds: Written<Vec<(At<Text>, Cloud)>>,
}

#[derive(Clone, Debug)]
pub(crate) struct Cloud {
    pub(crate) account: Written<Text>,
    pub(crate) plan: Written<Text>,
}

#[derive(Debug)]
pub(crate) struct Application {
    pub(crate) name: Text,
    /// `None` for a folder without a `config.yaml`.
    pub(crate) common: Option<Common>,
}

#[derive(Debug)]
pub(crate) struct Domain {
    pub(crate) fqdn: Written<Text>,
    /// Where a missing part of the certificate would stand.
    pub(crate) certificate: Place,
    pub(crate) certificate_type: Written<Text>,
    pub(crate) certificate_chain: Written<Text>,
    pub(crate) certificate_key: Written<Text>,
    pub(crate) client_ca: Written<Text>,
    pub(crate) records: Written<Vec<Record>>,
    pub(crate) redirect: Written<bool>,
    pub(crate) hsts: Written<bool>,
}

#[derive(Debug)]
pub(crate) struct Record {
    pub(crate) place: Place,
    pub(crate) name: Written<Text>,
    pub(crate) kind: Written<Text>,
    pub(crate) values: Written<Vec<At<Text>>>,
    pub(crate) ttl: Written<Duration>,
}

#[derive(Debug)]
pub(crate) struct Function {
    pub(crate) trigger: Trigger,
    pub(crate) domains: Written<Vec<At<Text>>>,
    pub(crate) source: Written<Text>,
    pub(crate) execution: Execution,
    pub(crate) variables: Written<Vec<(At<Text>, Text)>>,
}

/// What a function or smartop calls, and its limits.
#[derive(Debug)]
pub(crate) struct Execution {
    /// Where a missing key would stand.
    pub(crate) place: Place,
    /// Nothing in it is written, so it is reported as a whole.
    pub(crate) missing: bool,
    pub(crate) timeout: Written<Duration>,
    pub(crate) memory: Written<ByteSize>,
    pub(crate) call: Written<Text>,
}

#[derive(Debug)]
pub(crate) struct Trigger {
    pub(crate) place: Place,
    /// Nothing in it is written, so it is reported as a whole.
    pub(crate) missing: bool,
    pub(crate) kind: Written<Text>,
    pub(crate) local: Written<bool>,
    pub(crate) channel: Written<Text>,
    pub(crate) protocol: Written<Text>,
    pub(crate) command: Written<Text>,
    pub(crate) method: Written<Text>,
    pub(crate) methods: Written<Vec<At<Text>>>,
    pub(crate) paths: Written<Vec<At<Text>>>,
}

#[derive(Debug)]
pub(crate) struct Website {
    pub(crate) domains: Written<Vec<At<Text>>>,
    pub(crate) paths: Written<Vec<At<Text>>>,
    pub(crate) repository: Repository,
}

/// `source`, as far as it names a repository.
#[derive(Debug)]
pub(crate) struct Repository {
    /// Where a missing name would stand.
    pub(crate) place: Place,
    /// `github` is there, whatever is in it.
    pub(crate) given: bool,
    pub(crate) id: Written<Text>,
    pub(crate) fullname: Written<Text>,
    pub(crate) branch: Written<Text>,
}

#[derive(Debug)]
pub(crate) struct Database {
    pub(crate) matches: Matches,
    pub(crate) network: Network,
    /// Where a missing size would stand.
    pub(crate) storage: Place,
    pub(crate) size: Written<ByteSize>,
}

/// What a resource is found by.
#[derive(Debug)]
pub(crate) struct Matches {
    pub(crate) text: Written<Text>,
    pub(crate) regex: bool,
}

#[derive(Debug)]
pub(crate) struct Library {
    pub(crate) path: Written<Text>,
    pub(crate) repository: Repository,
}

#[derive(Debug)]
pub(crate) struct Messaging {
    pub(crate) local: bool,
    /// Where a missing `match` would stand.
    pub(crate) channel: Place,
    pub(crate) matches: Matches,
    pub(crate) mqtt: bool,
    pub(crate) websocket: bool,
}

#[derive(Debug)]
pub(crate) struct Service {
    pub(crate) protocol: Written<Text>,
}

#[derive(Debug)]
pub(crate) struct Smartop {
    pub(crate) source: Written<Text>,
    pub(crate) execution: Execution,
}

#[derive(Debug)]
pub(crate) struct Storage {
    pub(crate) matches: Matches,
    pub(crate) network: Network,
    pub(crate) object: Option<StorageKind>,
    pub(crate) streaming: Option<StorageKind>,
    pub(crate) versioning: bool,
    pub(crate) ttl: Written<Duration>,
    /// `object` or `streaming` is there and was reported as wrong.
    pub(crate) broken: bool,
}

#[derive(Debug)]
pub(crate) struct StorageKind {
    pub(crate) place: Place,
    pub(crate) size: Written<ByteSize>,
}

impl Common {
    pub(crate) fn read(fields: &Fields) -> Self {
        Self {
            id: fields.text("id"),
            name: fields.text("name"),
            description: fields.text("description"),
            tags: fields.texts("tags"),
        }
    }
}

impl Config {
    pub(crate) fn read(fields: &Fields) -> Self {
        let clouds = fields.tables("clouds").map(|clouds| {
            let cloud =
                |cloud: Fields| Cloud { account: cloud.text("account"), plan: cloud.text("plan") };
            clouds.into_iter().map(|(name, fields)| (name, cloud(fields))).collect()
        });
        let email = fields.table("notification").text("email");
        Self { common: Common::read(fields), email, clouds }
    }
}

impl Domain {
    pub(crate) fn read(fields: &Fields) -> Self {
        let (certificate, https) = (fields.table("certificate"), fields.table("https"));
        Self {
            fqdn: fields.text("fqdn"),
            certificate_type: certificate.text("type"),
            certificate_chain: certificate.text("cert"),
            certificate_key: certificate.text("key"),
            client_ca: fields.text("client_ca"),
            records: fields
                .items("records")
                .map(|items| items.into_iter().map(Record::read).collect()),
            certificate: certificate.place,
            redirect: https.flag("redirect"),
            hsts: https.flag("hsts"),
        }
    }
}

impl Record {
    fn read(fields: Fields) -> Self {
        Self {
            name: fields.text("name"),
            kind: fields.text("type"),
            values: fields.texts("value"),
            ttl: fields.duration("ttl"),
            place: fields.place,
        }
    }
}

impl Function {
    pub(crate) fn read(fields: &Fields) -> Self {
        let trigger = fields.table("trigger");
        Self {
            domains: trigger.texts("domains").or(fields.texts("domains")),
            trigger: Trigger {
                missing: trigger.is_empty(),
                kind: trigger.text("type"),
                local: trigger.flag("local"),
                channel: trigger.text("channel"),
                protocol: trigger.text("protocol").or(trigger.text("service")),
                command: trigger.text("command"),
                method: trigger.text("method"),
                methods: trigger.texts("methods").or(fields.texts("methods")),
                paths: trigger.texts("paths"),
                place: trigger.place,
            },
            source: fields.text("source"),
            execution: Execution::read(fields),
            variables: fields.pairs("variables"),
        }
    }
}

impl Execution {
    fn read(fields: &Fields) -> Self {
        let execution = fields.table("execution");
        Self {
            timeout: execution.duration("timeout"),
            memory: execution.size("memory"),
            call: execution.text("call"),
            missing: execution.is_empty(),
            place: execution.place,
        }
    }
}

impl Website {
    pub(crate) fn read(fields: &Fields) -> Self {
        let source = fields.table("source");
        Self {
            domains: fields.texts("domains"),
            paths: fields.texts("paths").or(source.texts("paths")),
            repository: Repository::read(&source),
        }
    }
}

impl Repository {
    fn read(source: &Fields) -> Self {
        let github = source.table("github");
        Self {
            given: source.holds_table("github"),
            id: github.text("id"),
            fullname: github.text("fullname"),
            branch: source.text("branch"),
            place: github.place,
        }
    }
}

impl Database {
    pub(crate) fn read(fields: &Fields) -> Self {
        let storage = fields.table("storage");
        Self {
            matches: Matches::read(fields),
            network: network(fields),
            size: storage.size("size"),
            storage: storage.place,
        }
    }
}

impl Matches {
    fn read(fields: &Fields) -> Self {
        let regex = fields.flag("regex").or(fields.flag("useRegex"));
        Self { text: fields.text("match"), regex: is_set(regex) }
    }
}

impl Library {
    pub(crate) fn read(fields: &Fields) -> Self {
        let source = fields.table("source");
        Self { path: source.text("path"), repository: Repository::read(&source) }
    }
}

impl Messaging {
    pub(crate) fn read(fields: &Fields) -> Self {
        let channel = fields.table("channel");
        let bridges = fields.table("bridges");
        let bridge = |name| is_set(bridges.table(name).flag("enable"));
        Self {
            local: is_set(fields.flag("local")),
            matches: Matches::read(&channel),
            channel: channel.place,
            mqtt: bridge("mqtt"),
            websocket: bridge("websocket"),
        }
    }
}

impl Service {
    pub(crate) fn read(fields: &Fields) -> Self {
        Self { protocol: fields.text("protocol") }
    }
}

impl Smartop {
    pub(crate) fn read(fields: &Fields) -> Self {
        Self { source: fields.text("source"), execution: Execution::read(fields) }
    }
}

impl Storage {
    pub(crate) fn read(fields: &Fields) -> Self {
        let (object, streaming) = (fields.table("object"), fields.table("streaming"));
        let kind = |name| {
            let table: Fields = fields.table(name);
            let given = fields.holds_table(name);
            given.then(|| StorageKind { size: table.size("size"), place: table.place })
        };
        Self {
            matches: Matches::read(fields),
            network: network(fields),
            object: kind("object"),
            streaming: kind("streaming"),
            versioning: is_set(object.flag("versioning")),
            ttl: streaming.duration("ttl"),
            broken: object.is_broken() || streaming.is_broken(),
        }
    }
}

/// What is not said, or was reported as wrong, is `false`.
fn is_set(flag: Written<bool>) -> bool {
    flag.value().is_some_and(|at| at.value)
}

fn network(fields: &Fields) -> Network {
    match fields.table("access").text("network").value().as_ref().map(|at| &*at.value) {
        Some("subnet") => Network::Subnet,
        Some("host") => Network::Host,
        _ => Network::All,
    }
}
