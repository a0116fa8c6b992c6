//! A valid project: no doubts, no options that are required, every name resolved.
//!
//! Only [`crate::load()`] makes one, so whoever holds a [`Project`] need not check it again. Artefacts
//! and sites are named, not read: their bytes stay in the tree.

mod resources;

use std::{collections::BTreeMap, fmt, sync::Arc, time::Duration};

use headgate_types::{ByteSize, HostPattern, MethodSet, PathPattern, RecordData};

pub use self::resources::{
    Cloud, Database, HttpTrigger, IdleFunction, Library, Matcher, Messaging, Network, Service,
    Smartop, Storage, StorageKind, Trigger,
};
use crate::{artefact::ArtefactFile, diagnostic::Place};

#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Project {
    pub id: Option<String>,
    pub name: Option<String>,
    pub description: Option<String>,
    pub tags: Vec<Arc<str>>,
    /// Who wants to hear of the project.
    pub email: Option<String>,
    pub clouds: Vec<Cloud>,
    pub applications: Vec<Application>,
    pub databases: Vec<Database>,
    pub domains: Vec<Domain>,
    /// Those that are called: by HTTP requests, and their code is here.
    pub functions: Vec<Function>,
    /// All other functions.
    pub idle_functions: Vec<IdleFunction>,
    pub libraries: Vec<Library>,
    pub messaging: Vec<Messaging>,
    pub services: Vec<Service>,
    pub smartops: Vec<Smartop>,
    pub storages: Vec<Storage>,
    pub websites: Vec<Website>,
    /// Each of the above that has nothing here that would run it yet.
    pub unserved: Vec<Unserved>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Application {
    pub name: Arc<str>,
    pub id: Option<String>,
    pub about: About,
}

/// What a resource says about itself.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct About {
    pub description: Option<Arc<str>>,
    /// As written, those that attach a smartop included.
    pub tags: Vec<Arc<str>>,
    /// What the tags `smartops:<name>` refer to.
    pub smartops: Vec<ResourceRef>,
}

/// Another resource, found by name: in the resource's own application first, then in the project.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct ResourceRef {
    /// The application that holds it; `None` for the project itself.
    pub application: Option<Arc<str>>,
    pub name: Arc<str>,
}

/// Where a function's code comes from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Source {
    /// Files named as its YAML is.
    Own,
    /// One of the project's libraries.
    Library(ResourceRef),
}

/// A repository beside the project's own, as Taubyte names it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Repository {
    /// GitHub's number for it.
    pub id: Option<Arc<str>>,
    /// Owner and name: `acme/site`.
    pub fullname: Arc<str>,
    pub branch: Option<Arc<str>>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Domain {
    pub application: Option<Arc<str>>,
    pub name: Arc<str>,
    /// As written, or derived from the names around it.
    pub id: String,
    pub about: About,
    pub host: HostPattern,
    pub certificate: Certificate,
    /// Whose clients alone are let in; none where everybody is.
    pub client_ca: Option<ClientCa>,
    pub https: Https,
    /// In the order in which they are written; those of one name and type have one TTL.
    pub records: Vec<Record>,
    /// Where the host name is written.
    pub place: Place,
}

/// What DNS is to say about a name of a domain, beside what the node says of its own accord.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Record {
    /// Whole. As in every zone, `*` stands for names of any depth that have no records (RFC 4592).
    pub name: HostPattern,
    /// Whole seconds.
    pub ttl: Duration,
    pub data: RecordData,
    /// Where the value is written.
    pub place: Place,
}

/// How a domain is to be asked, where its certificate is one that clients trust.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Https {
    /// Requests in the clear are sent to HTTPS.
    pub redirect: bool,
    /// Browsers are told to ask for HTTPS alone from then on.
    pub hsts: bool,
}

#[derive(Clone, PartialEq, Eq)]
pub enum Certificate {
    /// Obtained and renewed by the node.
    Auto,
    /// From the project: each is PEM, or the path of a file of it in the repository.
    Inline { chain: Arc<str>, key: Arc<str>, place: Place },
}

/// Authorities that sign the certificates of clients.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ClientCa {
    /// PEM, or the path of a file of it in the repository.
    pub source: Arc<str>,
    pub place: Place,
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
    pub about: About,
    /// Taubyte's `https`; routes are the same for both.
    pub secure: bool,
    /// Each once, in the order of `domains`.
    pub hosts: Vec<HostPattern>,
    /// The names of the domain resources behind `hosts`.
    pub domains: Vec<Arc<str>>,
    pub paths: Vec<PathPattern>,
    /// As written: that `HEAD` follows `GET` is the router's business.
    pub methods: MethodSet,
    pub source: Source,
    pub artefact: ArtefactFile,
    /// The exported symbol to call. Core guests need it; whether this is one, its bytes tell.
    pub call: Option<Arc<str>>,
    /// Where `call` is written or, if it is missing, where it would be.
    pub call_place: Place,
    pub timeout: Duration,
    /// As [`Self::call_place`].
    pub timeout_place: Place,
    /// Whole WebAssembly pages.
    pub memory: ByteSize,
    /// As [`Self::call_place`].
    pub memory_place: Place,
    pub variables: BTreeMap<String, String>,
    /// The function's file as a whole.
    pub place: Place,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Website {
    pub application: Option<Arc<str>>,
    pub name: Arc<str>,
    pub id: String,
    pub about: About,
    /// Empty only for the site of a plain folder, which has no domains.
    pub hosts: Vec<HostPattern>,
    pub domains: Vec<Arc<str>>,
    /// Begin with `/`, and end with it only if that is all: `/docs` covers `/docs` and `/docs/…`.
    pub prefixes: Vec<Box<str>>,
    /// Where Taubyte keeps its files, if not here.
    pub repository: Option<Repository>,
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
