//! A valid project: no doubts, no options that are required, every name resolved.
//!
//! Only [`crate::load()`] makes one, so whoever holds a [`Project`] need not check it again. Artefacts
//! and sites are named, not read: their bytes stay in the tree.

use std::{collections::BTreeMap, fmt, sync::Arc, time::Duration};

use headgate_types::{ByteSize, HostPattern, MethodSet, PathPattern};

use crate::{artefact::ArtefactFile, diagnostic::Place};

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Project {
    pub id: Option<String>,
    pub name: Option<String>,
    pub description: Option<String>,
    pub applications: Vec<Application>,
    pub domains: Vec<Domain>,
    pub functions: Vec<Function>,
    pub websites: Vec<Website>,
    /// What was read and understood, but has nothing here that would run it yet.
    pub unserved: Vec<Unserved>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Application {
    pub name: Arc<str>,
    pub id: Option<String>,
    pub description: Option<String>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Domain {
    pub application: Option<Arc<str>>,
    pub name: Arc<str>,
    /// As written, or derived from the names around it.
    pub id: String,
    pub host: HostPattern,
    pub certificate: Certificate,
    /// Where the host name is written.
    pub place: Place,
}

#[derive(Clone, PartialEq, Eq)]
pub enum Certificate {
    /// Obtained and renewed by the node.
    Auto,
    /// PEM, from the project. Nobody serves it yet.
    Inline { chain: Arc<str>, key: Arc<str> },
}

/// The key never reaches a log.
impl fmt::Debug for Certificate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Auto => "Auto",
            Self::Inline { .. } => "Inline([redacted])",
        })
    }
}

/// A function that answers HTTP requests.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Function {
    pub application: Option<Arc<str>>,
    pub name: Arc<str>,
    pub id: String,
    /// Each once, in the order of `domains`.
    pub hosts: Vec<HostPattern>,
    /// The names of the domain resources behind `hosts`.
    pub domains: Vec<Arc<str>>,
    pub paths: Vec<PathPattern>,
    /// As written: that `HEAD` follows `GET` is the router's business.
    pub methods: MethodSet,
    pub artefact: ArtefactFile,
    /// The exported symbol to call. Core guests need it; whether this is one, its bytes tell.
    pub call: Option<Arc<str>>,
    /// Where `call` is written or, if it is missing, where it would be.
    pub call_place: Place,
    pub timeout: Duration,
    /// Whole WebAssembly pages.
    pub memory: ByteSize,
    pub variables: BTreeMap<String, String>,
    /// The function's file as a whole.
    pub place: Place,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Website {
    pub application: Option<Arc<str>>,
    pub name: Arc<str>,
    pub id: String,
    /// Empty only for the site of a plain folder, which has no domains.
    pub hosts: Vec<HostPattern>,
    pub domains: Vec<Arc<str>>,
    /// Begin with `/`, and end with it only if that is all: `/docs` covers `/docs` and `/docs/…`.
    pub prefixes: Vec<Box<str>>,
    pub root: SiteRoot,
    pub place: Place,
}

/// Where a site's files are.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum SiteRoot {
    /// Everything below this folder of the tree; the empty string is the tree's root.
    Folder { dir: Box<str> },
    /// A ZIP archive at this path; [`crate::unpack::site`] reads it.
    Archive { path: Box<str> },
}

/// A resource that is valid as far as it is known, and does nothing yet.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Unserved {
    pub group: Group,
    pub application: Option<Arc<str>>,
    pub name: Arc<str>,
    pub place: Place,
}

/// The kinds of resources, each a folder of Taubyte's layout.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Group {
    Databases,
    Domains,
    Functions,
    Libraries,
    Messaging,
    Services,
    Smartops,
    Storages,
    Websites,
}

impl Group {
    pub const ALL: [Self; 9] = [
        Self::Databases,
        Self::Domains,
        Self::Functions,
        Self::Libraries,
        Self::Messaging,
        Self::Services,
        Self::Smartops,
        Self::Storages,
        Self::Websites,
    ];

    /// The folder's name: `functions`.
    pub const fn folder(self) -> &'static str {
        match self {
            Self::Databases => "databases",
            Self::Domains => "domains",
            Self::Functions => "functions",
            Self::Libraries => "libraries",
            Self::Messaging => "messaging",
            Self::Services => "services",
            Self::Smartops => "smartops",
            Self::Storages => "storages",
            Self::Websites => "websites",
        }
    }

    /// What one of it is called: `function`.
    pub const fn noun(self) -> &'static str {
        match self {
            Self::Databases => "database",
            Self::Domains => "domain",
            Self::Functions => "function",
            Self::Libraries => "library",
            Self::Messaging => "messaging channel",
            Self::Services => "service",
            Self::Smartops => "smartop",
            Self::Storages => "storage",
            Self::Websites => "website",
        }
    }
}
