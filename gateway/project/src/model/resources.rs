//! Resources that nothing here runs yet: read, checked and resolved like the others.

use std::{collections::BTreeMap, sync::Arc, time::Duration};

use headgate_types::{ByteSize, HostPattern, MethodSet, PathPattern};

use super::{About, Repository, Source};
use crate::{artefact::ArtefactFile, diagnostic::Place};

/// A key-value database.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Database {
    pub application: Option<Arc<str>>,
    pub name: Arc<str>,
    pub id: String,
    pub about: About,
    pub matches: Option<Matcher>,
    pub network: Network,
    pub size: ByteSize,
    pub place: Place,
}

/// WebAssembly that functions are made from or import.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Library {
    pub application: Option<Arc<str>>,
    pub name: Arc<str>,
    pub id: String,
    pub about: About,
    /// The folder in its repository, without slashes at its ends; empty for the root.
    pub path: Box<str>,
    /// `None` for a library whose code is not in a repository of its own.
    pub repository: Option<Repository>,
    /// `None` if there is none; then nothing that is served needs it.
    pub artefact: Option<ArtefactFile>,
    pub place: Place,
}

/// Which channels for messages there are, and who takes part.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Messaging {
    pub application: Option<Arc<str>>,
    pub name: Arc<str>,
    pub id: String,
    pub about: About,
    pub channels: Matcher,
    /// Messages stay on the node they were published on.
    pub local: bool,
    pub mqtt: bool,
    pub websocket: bool,
    pub place: Place,
}

/// A protocol that functions answer to other nodes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Service {
    pub application: Option<Arc<str>>,
    pub name: Arc<str>,
    pub id: String,
    pub about: About,
    pub protocol: Arc<str>,
    pub place: Place,
}

/// A function that decides where resources may run.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Smartop {
    pub application: Option<Arc<str>>,
    pub name: Arc<str>,
    pub id: String,
    pub about: About,
    pub source: Source,
    pub call: Option<Arc<str>>,
    pub timeout: Duration,
    pub memory: ByteSize,
    pub place: Place,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Storage {
    pub application: Option<Arc<str>>,
    pub name: Arc<str>,
    pub id: String,
    pub about: About,
    /// Taubyte lets it be missing.
    pub matches: Option<Matcher>,
    pub network: Network,
    pub kind: StorageKind,
    pub size: ByteSize,
    pub place: Place,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum StorageKind {
    Object {
        /// Older versions of a file are kept.
        versioning: bool,
    },
    Streaming {
        /// How long what is stored is kept; `None` if nothing is written.
        ttl: Option<Duration>,
    },
}

/// The names a resource goes by.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Matcher {
    Exact(Arc<str>),
    /// A regular expression, as written: whoever uses it compiles it.
    Regex(Arc<str>),
}

/// From where a database or storage can be reached.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Network {
    #[default]
    All,
    Subnet,
    Host,
}

/// A function that is not called yet, because of its trigger or of where its code is. Others may import
/// from its code all the same.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct IdleFunction {
    pub application: Option<Arc<str>>,
    pub name: Arc<str>,
    pub id: String,
    pub about: About,
    pub trigger: Trigger,
    pub source: Source,
    /// `None` if there is none; then nothing that is served needs it.
    pub artefact: Option<ArtefactFile>,
    pub call: Option<Arc<str>>,
    /// Where `call` is written or, if it is missing, where it would be.
    pub call_place: Place,
    pub timeout: Duration,
    /// Whole WebAssembly pages.
    pub memory: ByteSize,
    pub variables: BTreeMap<String, String>,
    pub place: Place,
}

/// What calls a function.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Trigger {
    Http(HttpTrigger),
    /// Messages on a channel.
    Pubsub {
        channel: Arc<str>,
        local: bool,
    },
    /// A command of another node.
    P2p {
        protocol: Arc<str>,
        command: Arc<str>,
        local: bool,
    },
}

/// As in [`super::Function`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HttpTrigger {
    /// Taubyte's `https`; routes are the same for both.
    pub secure: bool,
    pub hosts: Vec<HostPattern>,
    pub domains: Vec<Arc<str>>,
    pub paths: Vec<PathPattern>,
    pub methods: MethodSet,
}

/// An account at one of Taubyte's clouds.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Cloud {
    /// The cloud's host name.
    pub name: Arc<str>,
    pub account: Arc<str>,
    pub plan: Arc<str>,
}
