//! `Event`: what happens in the life of a node and its projects, told to whoever runs it.
//!
//! Events are facts for people and scripts: the terminal words them, `--output json` prints them as
//! they are, one object a line. Requests are not events; they have the access log.

use std::{net::SocketAddr, path::PathBuf, sync::Arc, time::Duration};

use headgate_ownership::Record;
use headgate_project::{Diagnostics, changes::Changes};
use headgate_types::{Commit, Generation, HostPattern, ProjectName, Revision, Timestamp};

use crate::manifest::SourceEntry;

/// One thing that happened.
#[derive(Debug, Clone)]
pub enum Event {
    /// Every listener is bound and the first snapshot is published.
    Ready(Ready),
    /// A revision was found and is being prepared.
    Deploying { revision: Revision },
    /// Long work of a deploy moved on: `done` of `total` items of `stage`.
    Progress { project: ProjectName, stage: Stage, done: u64, total: u64 },
    /// A revision is accepted and served.
    Deployed(Deployed),
    /// A revision has errors; what was served before goes on being served.
    Refused {
        revision: Revision,
        diagnostics: Arc<Diagnostics>,
        serving: Option<Revision>,
        /// It was tried once more, and nothing else was found than what was told before.
        again: bool,
    },
    /// A revision that was served before is served again, and its branch is pinned to it.
    RolledBack(Switched),
    /// A branch stays at what is served of it, whatever its source brings.
    Pinned(Switched),
    /// A branch follows its source again.
    Unpinned(Switched),
    /// The source has something new, which is not deployed because the branch is pinned.
    Held { revision: Revision, source: Option<SourceEntry>, serving: Option<Revision> },
    /// A source could not be read or a deploy could not be finished, for no fault of the project.
    Failed { project: ProjectName, error: String, retry_in: Option<Duration> },
    /// The owner of a host has said that it is the project's, and it is served.
    HostVerified { project: ProjectName, host: HostPattern },
    /// A host is not served, because its owner has not said yet, or says no longer, that it is the project's.
    HostPending { project: ProjectName, host: HostPattern, record: Option<Record>, why: String },
    /// A certificate that was ordered is there and shown; `renewed` if it takes the place of one before.
    Certificate { names: Vec<HostPattern>, issuer: String, not_after: Timestamp, renewed: bool },
    /// A certificate could not be ordered. It is tried again by itself.
    CertificateFailing {
        names: Vec<HostPattern>,
        why: String,
        advice: Option<String>,
        next: String,
    },
    /// Shutdown began; no new connections are taken.
    Draining { connections: u64 },
    /// The end; `cut` connections did not finish in time.
    Stopped { cut: u64 },
}

#[derive(Debug, Clone)]
pub struct Ready {
    pub http: Vec<SocketAddr>,
    pub https: Vec<SocketAddr>,
    pub dns: Vec<SocketAddr>,
    pub dns_over_tls: Vec<SocketAddr>,
    /// Where DNS would have been answered, had nobody else listened there.
    pub dns_taken: Vec<SocketAddr>,
    pub admin_socket: PathBuf,
    pub admin_listen: Option<SocketAddr>,
    /// How many projects are followed.
    pub projects: usize,
    /// URLs a person can open, the nicest first.
    pub urls: Vec<String>,
}

#[derive(Debug, Clone)]
pub struct Deployed {
    pub revision: Revision,
    pub generation: Generation,
    /// From the moment the change was seen to the moment it was served.
    pub elapsed: Duration,
    pub functions: usize,
    pub websites: usize,
    /// Since what was served before; `None` if this process served nothing of the project.
    pub changes: Option<Changes>,
    /// Warnings only.
    pub diagnostics: Arc<Diagnostics>,
    pub urls: Vec<String>,
}

/// What an operator chose to serve.
#[derive(Debug, Clone)]
pub struct Switched {
    pub revision: Revision,
    /// What was current before.
    pub before: Commit,
    pub generation: Generation,
    /// From being asked to being served.
    pub elapsed: Duration,
    pub functions: usize,
    pub websites: usize,
    pub urls: Vec<String>,
}

/// The parts of a deploy that can take long.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Stage {
    Fetching,
    Storing,
    Compiling,
}

/// Who is told. The terminal, a JSON writer, or a test.
pub trait Reporter: Send + Sync {
    fn report(&self, event: Event);
}
