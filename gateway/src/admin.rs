//! Admin: what a node tells about itself, to its operator and to probes.
//!
//! ```text
//! unix socket (0600)  ── everything below
//! loopback TCP (opt.) ── /livez /readyz /metrics /snapshot, if `Host` is loopback too (DNS rebinding)
//!
//! /livez     200 while the process answers          /snapshot  JSON: generation, projects, counts
//! /readyz    200, or 503 and the reason             /status    /snapshot with the diagnostics
//! /metrics   OpenMetrics                            /routes    JSON: every route of the snapshot
//!                                                   /logs      NDJSON; ?follow=1, ?project=NAME
//!                                                   /revisions JSON: what is kept; ?project=NAME
//!                                                   /domains   JSON: whose the hosts are
//!                                                   /certs     JSON: certificates, what comes next
//!                                                   /functions JSON: what each runs, and how
//!                                                   /dns       JSON: zones, problems, counters
//!                                                   /dns/zone  JSON: records; ?name=ZONE
//!
//! unix socket only, POST, with {"project", "branch"?, "commit"?}:
//! /rollback  serves a kept revision, the one before if no commit is named, and pins the branch to it
//! /pin       the same, staying at what is served if no commit is named
//! /follow    takes the pin out
//! and with {"host"}:
//! /domains/check  asks DNS now whose the host is
//! /certs/renew    has the certificates that cover the host ordered now
//! and with {"pem"}:
//! /certs/import   keeps and shows a certificate of the operator's
//! ```
//! GET changes nothing, and over TCP there is nothing but GET: a page in a browser can make it send a POST to
//! loopback, but cannot reach a unix socket. Who may open the socket is the file system's decision; there are
//! no passwords. Everything is bounded, because a probe gone wild must not take down what it watches.

mod answer;
pub mod client;
mod listener;
mod orders;
mod server;
pub mod wire;

use std::{fmt, sync::Arc};

use async_trait::async_trait;
use headgate_certs::acme::CommandError;
use headgate_ownership::Ownership;
use headgate_types::{Branch, Generation, HostPattern, MethodSet, ProjectName, Timestamp};
use prometheus_client::registry::Registry;
use serde::{Deserialize, Serialize};
use tokio::sync::watch;

pub use self::listener::{AdminError, AdminListener};
use crate::{
    log_hub::LogHub,
    revisions::{Done, History, Named, RevisionsError, Wanted},
    status::StatusBoard,
};

/// The current snapshot, as far as an operator asks about it.
pub trait SnapshotView: Send + Sync {
    fn generation(&self) -> Generation;
    /// In the order in which people look for them: host, path, then the route that wins first.
    fn routes(&self) -> Vec<RouteRow>;
}

/// One route: which requests reach which function or website.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct RouteRow {
    /// A name, or `*.` and a name.
    pub host: String,
    /// A pattern for a function, a prefix for a website.
    pub path: String,
    pub methods: MethodSet,
    pub kind: RouteKind,
    /// Of the function or website.
    pub name: String,
    pub project: ProjectName,
    pub application: Option<String>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum RouteKind {
    Function,
    Website,
}

impl RouteKind {
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Function => "function",
            Self::Website => "website",
        }
    }
}

/// Everything the answers are made of; cloning it clones handles.
#[derive(Clone)]
pub struct AdminState {
    pub board: Arc<StatusBoard>,
    pub registry: Arc<Registry>,
    pub logs: Arc<LogHub>,
    pub view: Arc<dyn SnapshotView>,
    pub readiness: Arc<Readiness>,
    pub domains: Arc<dyn DomainsView>,
    pub functions: Arc<dyn FunctionsView>,
    /// `None` if the node orders no certificates.
    pub certificates: Option<Arc<dyn CertificatesView>>,
    /// `None` if the node answers no DNS.
    pub names: Option<Arc<dyn NamesView>>,
    pub operations: Arc<dyn Operations>,
}

impl fmt::Debug for AdminState {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("AdminState").field("readiness", &self.readiness).finish_non_exhaustive()
    }
}

/// The functions of what is served.
#[async_trait]
pub trait FunctionsView: Send + Sync {
    /// By project, application and name.
    async fn functions(&self) -> Vec<wire::FunctionRow>;
}

/// The certificates that are ordered.
#[async_trait]
pub trait CertificatesView: Send + Sync {
    fn certificates(&self) -> wire::CertificatesStatus;
    /// Has those that cover `host` ordered now.
    async fn renew(&self, host: HostPattern) -> Result<wire::RenewedRow, CommandError>;
    async fn import(&self, pem: &str) -> Result<wire::ImportedRow, CommandError>;
}

/// The zones that are answered.
pub trait NamesView: Send + Sync {
    fn names(&self) -> wire::NamesStatus;
    /// The records of a zone; `None` if there is none of this name.
    fn records(&self, zone: &str) -> Option<Vec<wire::RecordRow>>;
}

/// The hosts of what is served, and whose they are.
#[async_trait]
pub trait DomainsView: Send + Sync {
    /// By host.
    fn domains(&self) -> Vec<DomainRow>;
    /// Asks DNS now for the claims on one host, and tells them; none if no project names it.
    async fn check(&self, host: &HostPattern) -> Vec<DomainRow>;
}

/// One host of one project.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct DomainRow {
    /// A name, or `*.` and a name.
    pub host: String,
    pub project: ProjectName,
    pub branch: Branch,
    /// Whether DNS was asked. If not, `pending` says nothing about what was entered.
    pub checked: bool,
    /// Whether the host is served only when its owner said so.
    #[serde(default)]
    pub enforced: bool,
    /// Whether it is served, for this project.
    #[serde(default)]
    pub served: bool,
    /// Milliseconds since the Unix epoch.
    #[serde(default)]
    pub looked_at: Option<Timestamp>,
    #[serde(default)]
    pub next_at: Option<Timestamp>,
    /// What the last look found, if that was not the host's record.
    #[serde(default)]
    pub said: Option<String>,
    #[serde(flatten)]
    pub ownership: Ownership,
}

/// What an operator may ask and order about the kept revisions.
#[async_trait]
pub trait Operations: Send + Sync {
    /// What is kept of each branch, or of those of one project, by name.
    async fn list(&self, project: Option<ProjectName>) -> Result<Vec<History>, RevisionsError>;
    /// Serves a kept revision and holds its branch there.
    async fn pin(&self, named: &Named, wanted: &Wanted) -> Result<Done, RevisionsError>;
    /// Takes the pin out.
    async fn follow(&self, named: &Named) -> Result<Done, RevisionsError>;
}

/// Where the node is in its life. The process sets it, `/readyz` tells it.
#[derive(Debug)]
pub struct Readiness(watch::Sender<Phase>);

#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Phase {
    /// Nothing is served yet, or not everything that should be.
    #[default]
    Starting,
    Ready,
    /// Requests under way are finished, new ones belong elsewhere.
    Draining,
}

impl Default for Readiness {
    fn default() -> Self {
        Self(watch::Sender::new(Phase::Starting))
    }
}

impl Readiness {
    pub fn set(&self, phase: Phase) {
        self.0.send_replace(phase);
    }

    pub fn phase(&self) -> Phase {
        *self.0.borrow()
    }
}

#[cfg(test)]
mod tests;
