//! A project as it is written: every value optional, every value with its place.
//!
//! Nothing is decided here but which of two spellings of a key counts.

use std::time::Duration;

use headgate_types::ByteSize;

use crate::{
    diagnostic::Place,
    model::Group,
    schema::{At, Fields, Text, Written},
};

#[derive(Debug, Default)]
pub(crate) struct Project {
    pub(crate) config: Option<Config>,
    pub(crate) applications: Vec<Application>,
    pub(crate) domains: Vec<Resource<Domain>>,
    pub(crate) functions: Vec<Resource<Function>>,
    pub(crate) websites: Vec<Resource<Website>>,
    /// Resources of the groups that are not served yet.
    pub(crate) others: Vec<Other>,
    /// Domain files that could not be read: a reference to one is not a second mistake.
    pub(crate) unread_domains: Vec<(Option<Text>, Text)>,
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
}

#[derive(Debug)]
pub(crate) struct Config {
    pub(crate) common: Common,
    pub(crate) email: Written<Text>,
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
}

#[derive(Debug)]
pub(crate) struct Function {
    pub(crate) trigger: Trigger,
    pub(crate) domains: Written<Vec<At<Text>>>,
    pub(crate) source: Written<Text>,
    /// Where a missing key of `execution` would stand.
    pub(crate) execution: Place,
    /// Nothing in `execution` is written, so it is reported as a whole.
    pub(crate) execution_missing: bool,
    pub(crate) timeout: Written<Duration>,
    pub(crate) memory: Written<ByteSize>,
    pub(crate) call: Written<Text>,
    pub(crate) variables: Written<Vec<(At<Text>, Text)>>,
}

#[derive(Debug)]
pub(crate) struct Trigger {
    pub(crate) place: Place,
    /// Nothing in it is written, so it is reported as a whole.
    pub(crate) missing: bool,
    pub(crate) kind: Written<Text>,
    pub(crate) method: Written<Text>,
    pub(crate) methods: Written<Vec<At<Text>>>,
    pub(crate) paths: Written<Vec<At<Text>>>,
}

#[derive(Debug)]
pub(crate) struct Website {
    pub(crate) domains: Written<Vec<At<Text>>>,
    pub(crate) paths: Written<Vec<At<Text>>>,
    /// `source.github.fullname`: where Taubyte keeps the site.
    pub(crate) repository: Written<Text>,
    /// `source.branch`: of that repository.
    pub(crate) branch: Written<Text>,
}

#[derive(Debug)]
pub(crate) struct Other {
    pub(crate) group: Group,
    pub(crate) application: Option<Text>,
    pub(crate) name: Text,
    pub(crate) place: Place,
}

impl Common {
    pub(crate) fn read(fields: &Fields) -> Self {
        Self {
            id: fields.text("id"),
            name: fields.text("name"),
            description: fields.text("description"),
        }
    }
}

impl Config {
    pub(crate) fn read(fields: &Fields) -> Self {
        let email = fields.table("notification").text("email");
        Self { common: Common::read(fields), email }
    }
}

impl Domain {
    pub(crate) fn read(fields: &Fields) -> Self {
        let certificate = fields.table("certificate");
        Self {
            fqdn: fields.text("fqdn"),
            certificate_type: certificate.text("type"),
            certificate_chain: certificate.text("cert"),
            certificate_key: certificate.text("key"),
            certificate: certificate.place,
        }
    }
}

impl Function {
    pub(crate) fn read(fields: &Fields) -> Self {
        let (trigger, execution) = (fields.table("trigger"), fields.table("execution"));
        Self {
            domains: trigger.texts("domains").or(fields.texts("domains")),
            trigger: Trigger {
                missing: trigger.is_empty(),
                kind: trigger.text("type"),
                method: trigger.text("method"),
                methods: trigger.texts("methods").or(fields.texts("methods")),
                paths: trigger.texts("paths"),
                place: trigger.place,
            },
            source: fields.text("source"),
            timeout: execution.duration("timeout"),
            memory: execution.size("memory"),
            call: execution.text("call"),
            execution_missing: execution.is_empty(),
            execution: execution.place,
            variables: fields.pairs("variables"),
        }
    }
}

impl Website {
    pub(crate) fn read(fields: &Fields) -> Self {
        let source = fields.table("source");
        Self {
            domains: fields.texts("domains"),
            paths: fields.texts("paths").or(source.texts("paths")),
            repository: source.table("github").text("fullname"),
            branch: source.text("branch"),
        }
    }
}
