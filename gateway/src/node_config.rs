//! `NodeConfig`: this machine. Where it listens, where it keeps state, which projects it follows.
//!
//! Read once at start, and its projects and certificates again on SIGHUP. A flag wins over the environment,
//! that over `node.yaml`, that over a default. What a project wants (functions, domains, limits of a guest) is not
//! here: that is Git's. Secrets are paths to files, never values.

mod defaults;
mod dev;
mod file;
mod names;
mod problem;

use std::{
    collections::BTreeMap,
    mem,
    net::SocketAddr,
    num::NonZeroUsize,
    path::{self, Path, PathBuf},
    time::Duration,
};

use headgate_types::{Branch, ByteSize, ProjectName};
use serde::{Deserialize, Serialize};

pub(crate) use self::{defaults::MOST_REPOSITORIES, dev::name_of_folder};
pub use self::{
    dev::{DevOptions, Homes},
    names::{DnsConfig, Mailbox, NotAMailbox, ZoneConfig},
    problem::ConfigError,
};

/// The JSON Schema of `node.yaml`, from the table that it is read by.
pub fn json_schema() -> serde_json::Value {
    headgate_project::json_schema::of_document(&file::NODE)
}

/// Where `headgate run` looks for its file when nobody says otherwise.
pub const DEFAULT_FILE: &str = "/etc/headgate/node.yaml";

/// Where an appliance answers `headgate status` when nobody says otherwise.
pub const DEFAULT_SOCKET: &str = "/var/lib/headgate/admin.sock";

/// Everything a node must know of its machine before it can start; valid, with no doubts left.
#[derive(Debug, Clone, PartialEq)]
pub struct NodeConfig {
    /// The folder for blobs, records, clones and native code. One running node per folder.
    pub state: PathBuf,
    pub http: Listen,
    pub https: Listen,
    /// The zone in which every project has a host; with none, projects have their own domains alone.
    pub zone: Option<ZoneConfig>,
    /// `None` if this node answers no DNS.
    pub dns: Option<DnsConfig>,
    pub admin: AdminConfig,
    /// Threads that answer requests.
    pub workers: NonZeroUsize,
    pub tls: TlsConfig,
    /// Names are unique.
    pub projects: Vec<FollowedProject>,
    /// The name server that is asked whose a host is and where an ALIAS leads; those of the system if there is none.
    pub resolver: Option<SocketAddr>,
    pub executor: ExecutorConfig,
    pub limits: Limits,
    /// How long shutdown waits for running requests.
    pub drain: Duration,
    pub log: LogConfig,
    pub outbound: headgate_outbound::Config,
    pub store: StoreConfig,
    pub aids: DevAids,
}

impl NodeConfig {
    /// Reads `node.yaml` at `path` and lays `overrides` over it. Relative paths in the file start at its folder.
    ///
    /// # Errors
    /// When the file cannot be read, and with every problem at its place when what it says is not valid.
    pub fn load(path: &Path, overrides: &Overrides) -> Result<Self, ConfigError> {
        let mut config = file::read(path)?;
        config.apply(overrides);
        Ok(config)
    }

    /// The node that `headgate dev` runs: loopback, high ports, this user's own authority and state.
    ///
    /// # Errors
    /// When the folder is missing, or no folder for state is known.
    pub fn for_dev(options: &DevOptions, homes: &Homes) -> Result<Self, ConfigError> {
        dev::config(options, homes)
    }

    fn apply(&mut self, overrides: &Overrides) {
        if let Some(state) = overrides.state.as_deref().map(absolute) {
            // What was not placed by hand moves along with the folder it stands in by default.
            let old = mem::replace(&mut self.state, state.clone());
            for path in [&mut self.admin.socket, &mut self.tls.local] {
                if let Ok(inside) = path.strip_prefix(&old) {
                    *path = state.join(inside);
                }
            }
        }
        if let Some(addresses) = &overrides.http {
            self.http = Listen::exactly(addresses.clone());
        }
        if let Some(addresses) = &overrides.https {
            self.https = Listen::exactly(addresses.clone());
        }
        if let Some(addresses) = &overrides.dns {
            self.dns = Some(DnsConfig {
                listen: Listen::exactly(addresses.clone()),
                tls: self.dns.as_ref().map(|dns| dns.tls.clone()).unwrap_or_default(),
                if_free: false,
                query_log: self.dns.as_ref().and_then(|dns| dns.query_log),
            });
        }
        if let Some(socket) = &overrides.admin_socket {
            self.admin.socket = absolute(socket);
        }
        self.workers = overrides.workers.unwrap_or(self.workers);
        self.log.level = overrides.log_level.unwrap_or(self.log.level);
        self.log.format = overrides.log_format.unwrap_or(self.log.format);
    }
}

/// As it is meant from where the process stands now; others (`headgate status`) stand elsewhere.
fn absolute(path: &Path) -> PathBuf {
    // Fails only for an empty path or without a current folder, and then nothing better is known.
    path::absolute(path).unwrap_or_else(|_| path.to_owned())
}

/// What flags and the environment say; each present value replaces the file's.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Overrides {
    pub state: Option<PathBuf>,
    pub http: Option<Vec<SocketAddr>>,
    pub https: Option<Vec<SocketAddr>>,
    /// Also turns DNS on.
    pub dns: Option<Vec<SocketAddr>>,
    pub admin_socket: Option<PathBuf>,
    pub workers: Option<NonZeroUsize>,
    pub log_level: Option<LogLevel>,
    pub log_format: Option<LogFormat>,
}

/// Addresses to listen on; port 0 lets the kernel pick.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Listen {
    pub addresses: Vec<SocketAddr>,
    /// False for our own defaults: there, a machine without IPv6 may do without that one address.
    pub required: bool,
}

impl Listen {
    /// Addresses somebody asked for: each must be bound.
    pub fn exactly(addresses: Vec<SocketAddr>) -> Self {
        Self { addresses, required: true }
    }

    fn by_default(addresses: [SocketAddr; 2]) -> Self {
        Self { addresses: addresses.into(), required: false }
    }
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AdminConfig {
    /// A unix socket that only this user may open.
    pub socket: PathBuf,
    /// A loopback address for probes and Prometheus; nothing else is ever accepted here.
    pub listen: Option<SocketAddr>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TlsConfig {
    /// The folder of an authority of the node's own, made once. Clients must be told to trust it.
    pub local: PathBuf,
    /// Who is asked for certificates that everybody trusts. If nobody is, or until one is there, the node's
    /// own authority signs.
    pub acme: Option<AcmeSettings>,
    /// The operator's own; each serves the hosts it names. Read again on SIGHUP.
    pub certificates: Vec<CertificateFiles>,
}

/// A certificate and its key, as PEM.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CertificateFiles {
    /// The chain, the host's own certificate first.
    pub cert: PathBuf,
    pub key: PathBuf,
}

/// An authority that speaks ACME, and who this node is to it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AcmeSettings {
    /// The URL of its directory.
    pub directory: String,
    /// Mail addresses of the operator.
    pub contact: Vec<String>,
    /// A PEM file with the only roots that it may have; those of this machine if there is none.
    pub roots: Option<PathBuf>,
    pub external_account: Option<ExternalAccountFile>,
    pub profile: Option<String>,
}

/// A customer's number with an authority that wants one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ExternalAccountFile {
    pub id: String,
    /// Holds the key in base64, as the authority shows it.
    pub key_file: PathBuf,
}

/// A project this node serves, and where it comes from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FollowedProject {
    pub name: ProjectName,
    pub source: Source,
    /// The branch that is followed; for a folder only a name to file the project under.
    pub branch: Branch,
    /// How often a repository is asked for news. A folder is watched instead.
    pub poll: Duration,
    /// How Git proves who it is; paths only.
    pub credentials: GitCredentials,
    /// Taubyte's separate ones; none of a project that is in one repository as a whole.
    pub others: OtherRepositories,
    pub ownership: OwnershipRule,
}

/// When a host that a project names is served.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, clap::ValueEnum)]
pub enum OwnershipRule {
    /// At once: whoever writes the project is the operator, or as good.
    #[default]
    Trust,
    /// When its owner has said in DNS that it is this project's.
    Verify,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Source {
    /// A working folder, served as it lies there, uncommitted files included.
    Folder(PathBuf),
    /// A repository: a URL (https, ssh, file), `user@host:path`, or a local path when a branch was named.
    Git(String),
}

/// The repositories of a project beside that of its configuration.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct OtherRepositories {
    /// That of the functions' code.
    pub code: Option<GitSource>,
    /// Those of websites and libraries, by their `source.github.fullname` in lower case.
    pub named: BTreeMap<String, GitSource>,
}

impl OtherRepositories {
    pub fn is_empty(&self) -> bool {
        self.code.is_none() && self.named.is_empty()
    }

    /// The repository that is meant by `source.github.fullname`, in which GitHub ignores case.
    pub fn find(&self, full_name: &str) -> Option<&GitSource> {
        self.named.get(&full_name.to_ascii_lowercase())
    }
}

/// A repository and how to be let in.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct GitSource {
    /// As in [`Source::Git`].
    pub url: String,
    pub credentials: GitCredentials,
}

#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct GitCredentials {
    /// The user beside the token, for https.
    pub username: Option<String>,
    /// Holds a token or a password for https.
    pub token_file: Option<PathBuf>,
    /// A private key for ssh.
    pub ssh_key: Option<PathBuf>,
    /// The host keys ssh accepts; without it the user's own.
    pub known_hosts: Option<PathBuf>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ExecutorConfig {
    /// Guest instances alive at one time, over all functions.
    pub instances: u32,
    /// Of these, what the functions of one project may have together.
    pub project_instances: u32,
    /// The most memory one instance may ask for in its `memory`.
    pub memory_limit: ByteSize,
    /// The longest time one request may ask for in its function's `timeout`.
    pub deadline_limit: Duration,
    /// Instances one function may have alive at one time.
    pub concurrency: u32,
    /// Requests that may wait for one function; the next is answered 503.
    pub queue: u32,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Limits {
    /// Connections at one time; `None` takes its share of the descriptor limit.
    pub max_connections: Option<NonZeroUsize>,
    /// Connections at one time from one client address.
    pub per_address_connections: u32,
    /// New connections a second from one client address.
    pub per_address_rate: u32,
    /// The longest request body.
    pub request_body: ByteSize,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct LogConfig {
    pub format: LogFormat,
    pub level: LogLevel,
    /// One line per request.
    pub access: bool,
}

/// How log lines look; `auto` is text on a terminal and JSON anywhere else.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, clap::ValueEnum)]
#[serde(rename_all = "lowercase")]
pub enum LogFormat {
    #[default]
    Auto,
    Json,
    Text,
}

/// The least level that is logged. Release builds hold nothing below `info`.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, clap::ValueEnum)]
#[serde(rename_all = "lowercase")]
pub enum LogLevel {
    Error,
    Warn,
    #[default]
    Info,
    Debug,
    Trace,
}

impl LogLevel {
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Error => "error",
            Self::Warn => "warn",
            Self::Info => "info",
            Self::Debug => "debug",
            Self::Trace => "trace",
        }
    }
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StoreConfig {
    /// Revisions of each project that stay on disk, the served one included.
    pub keep_revisions: NonZeroUsize,
}

/// What a developer is granted and an appliance is not. The serving itself is the same.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct DevAids {
    /// Also serve `localhost` and `<name>.localhost`, and let any `Host` reach the one project.
    pub localhost_hosts: bool,
    /// Show the diagnostics of a refused revision on an error page.
    pub error_page: bool,
    /// Lay the project's `.env` over the `variables` of its functions.
    pub env_file: bool,
    /// Let functions call this machine's own addresses, where a developer runs what they talk to.
    pub loopback_calls: bool,
}

impl DevAids {
    pub const NONE: Self =
        Self { localhost_hosts: false, error_page: false, env_file: false, loopback_calls: false };
    pub const ALL: Self =
        Self { localhost_hosts: true, error_page: true, env_file: true, loopback_calls: true };
}
