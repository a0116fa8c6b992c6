//! The JSON of `/status`, `/snapshot` and what else is asked here, for the server that writes it and the command that reads it.
//!
//! Fields are added, never renamed: scripts read them.

mod certificates;
mod functions;
mod names;
mod revisions;

use headgate_project::Diagnostics;
use headgate_types::{Branch, Commit, Generation, HostPattern, ProjectName, Timestamp};
use serde::{Deserialize, Serialize};

pub use self::{
    certificates::{
        CertificateRow, CertificateState, CertificatesStatus, ImportPem, ImportedRow, LimitRow,
        RenewHost, RenewedRow, UnorderedRow,
    },
    functions::{FunctionKind, FunctionRow, LimitsRow, NowRow, StartUpKind, StartUpRow},
    names::{NamesStatus, RecordRow, UnansweredRow, ZoneProblemRow, ZoneRow},
    revisions::{BranchRow, Candidate, DoneRow, NewestRow, Order, Refusal, RevisionRow},
};
use super::{AdminState, Phase};
use crate::{
    log_hub::LogLine,
    status::{Latest, ProjectStatus},
};

/// Asks for one host.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct CheckHost {
    pub host: HostPattern,
}

/// The node as a whole.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct NodeStatus {
    pub version: String,
    pub phase: Phase,
    pub generation: Generation,
    pub routes: usize,
    pub functions: usize,
    pub websites: usize,
    pub projects: Vec<ProjectRow>,
}

/// One followed project.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct ProjectRow {
    pub project: ProjectName,
    pub branch: Branch,
    /// Where it comes from, without credentials.
    pub source: String,
    pub state: ProjectState,
    /// What requests are answered from; `null` before the first accepted revision.
    pub serving: Option<ServingRow>,
    /// Since when it stays at what is served, in milliseconds since the Unix epoch; `null` if it does not.
    #[serde(default)]
    pub pinned_at: Option<Timestamp>,
    /// The newest revision seen, where it is not the one being served.
    pub latest: Option<Commit>,
    /// Why the source or the node failed; not a fault of the project.
    pub error: Option<String>,
    pub errors: usize,
    pub warnings: usize,
    /// As `headgate check --output json` prints them. Only `/status` has them.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub diagnostics: Option<serde_json::Value>,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ServingRow {
    pub commit: Commit,
    /// Milliseconds since the Unix epoch.
    pub accepted_at: Timestamp,
    pub functions: usize,
    pub websites: usize,
}

/// What became of the newest revision.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum ProjectState {
    Waiting,
    Deploying,
    Served,
    Refused,
    /// Not deployed, because the branch is pinned.
    Held,
    Failed,
}

impl ProjectState {
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Waiting => "waiting",
            Self::Deploying => "deploying",
            Self::Served => "served",
            Self::Refused => "refused",
            Self::Held => "held",
            Self::Failed => "failed",
        }
    }
}

/// How much is told of a project's problems.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Detail {
    Counts,
    Diagnostics,
}

impl NodeStatus {
    pub(super) fn of(state: &AdminState, detail: Detail) -> Self {
        let statuses = state.board.all();
        let serving = || statuses.iter().filter_map(|status| status.serving.as_ref());
        Self {
            version: env!("CARGO_PKG_VERSION").to_owned(),
            phase: state.readiness.phase(),
            generation: state.view.generation(),
            routes: state.view.routes().len(),
            functions: serving().map(|s| s.functions).sum(),
            websites: serving().map(|s| s.websites).sum(),
            projects: statuses.iter().map(|status| ProjectRow::of(status, detail)).collect(),
        }
    }
}

impl ProjectRow {
    fn of(status: &ProjectStatus, detail: Detail) -> Self {
        let (state, latest, error, diagnostics) = match &status.latest {
            Latest::Waiting => (ProjectState::Waiting, None, None, None),
            Latest::Deploying { commit } => (ProjectState::Deploying, Some(commit), None, None),
            Latest::Served { diagnostics } => (ProjectState::Served, None, None, Some(diagnostics)),
            Latest::Refused { commit, diagnostics } => {
                (ProjectState::Refused, Some(commit), None, Some(diagnostics))
            }
            Latest::Held { commit } => (ProjectState::Held, Some(commit), None, None),
            Latest::Failed { error } => (ProjectState::Failed, None, Some(error), None),
        };
        let count = |of: fn(&Diagnostics) -> usize| diagnostics.map_or(0, |found| of(found));
        Self {
            project: status.project.clone(),
            branch: status.branch.clone(),
            source: status.source.clone(),
            state,
            serving: status.serving.as_ref().map(|serving| ServingRow {
                commit: serving.commit.clone(),
                accepted_at: serving.accepted_at,
                functions: serving.functions,
                websites: serving.websites,
            }),
            pinned_at: status.pinned_at,
            latest: latest.cloned(),
            error: error.cloned(),
            errors: count(Diagnostics::errors),
            warnings: count(Diagnostics::warnings),
            diagnostics: match detail {
                Detail::Counts => None,
                Detail::Diagnostics => diagnostics.map(|found| found.to_json()),
            },
        }
    }
}

/// One line of `/logs`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(untagged)]
pub enum LogEntry {
    Line(LogLine),
    Skipped(Skipped),
}

/// The reader was too slow: so many lines went by.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Skipped {
    pub skipped: u64,
}
