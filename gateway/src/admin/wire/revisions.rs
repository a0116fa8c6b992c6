//! The JSON of `/revisions`, and of the orders `/rollback`, `/pin` and `/follow`.

use headgate_project::{Diagnostics, Severity};
use headgate_types::{Branch, Chain, Commit, Generation, ProjectName, Timestamp};
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::ProjectState;
use crate::{
    event::Switched,
    manifest::SourceEntry,
    publisher::SwitchError,
    revisions::{Changes, Done, History, KeptRevision, KeptState, RevisionsError},
    status::{Latest, ProjectStatus},
};

/// One branch and what is kept of it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct BranchRow {
    pub project: ProjectName,
    pub branch: Branch,
    /// Where it comes from, without credentials; `null` if it is no longer followed.
    pub source: Option<String>,
    /// Since when it stays at what is served, in milliseconds since the Unix epoch; `null` if it does not.
    pub pinned_at: Option<Timestamp>,
    /// What its source has, where that is not served.
    pub newest: Option<NewestRow>,
    /// Newest first.
    pub revisions: Vec<RevisionRow>,
}

/// The newest revision that was seen, which did not make it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct NewestRow {
    pub state: ProjectState,
    pub commit: Option<Commit>,
    pub errors: usize,
    pub error: Option<String>,
}

/// One kept revision.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct RevisionRow {
    pub commit: Commit,
    /// Milliseconds since the Unix epoch.
    pub accepted_at: Timestamp,
    pub state: KeptState,
    pub sources: Vec<SourceEntry>,
    pub functions: usize,
    pub websites: usize,
    /// Since the kept revision before; `null` for the oldest.
    pub changes: Option<Changes>,
}

/// What an operator wants served: the body of every order.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Order {
    pub project: ProjectName,
    /// May be left out where only one is followed.
    #[serde(default)]
    pub branch: Option<Branch>,
    /// The beginning of one. `/rollback` goes back by one revision without it, `/pin` stays.
    #[serde(default)]
    pub commit: Option<String>,
}

/// What became of an order.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct DoneRow {
    pub project: ProjectName,
    pub branch: Branch,
    /// What is served now.
    pub commit: Commit,
    /// What was served before.
    pub before: Commit,
    pub pinned: bool,
    pub generation: Generation,
    pub elapsed_ms: f64,
    pub functions: usize,
    pub websites: usize,
    pub urls: Vec<String>,
    pub sources: Vec<SourceEntry>,
    /// From what was served before to what is served now.
    pub changes: Changes,
    /// Why a branch that is followed again does not serve its newest kept revision.
    pub obstacle: Option<Refusal>,
}

/// Why an order was not followed; then all is as it was.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Refusal {
    /// With its causes.
    pub error: String,
    /// What could have been meant.
    pub candidates: Vec<Candidate>,
    /// As `headgate check --output json` prints them.
    pub diagnostics: Value,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Candidate {
    pub commit: Commit,
    pub accepted_at: Timestamp,
}

impl BranchRow {
    /// What is kept, beside what is followed: a branch may be only one of both.
    pub(in crate::admin) fn all(kept: Vec<History>, board: &[ProjectStatus]) -> Vec<Self> {
        let row = |history: History| {
            let of = |status: &&ProjectStatus| {
                status.project == history.project && status.branch == history.branch
            };
            let status = board.iter().find(of);
            Self {
                source: status.map(|status| status.source.clone()),
                newest: status.and_then(NewestRow::of),
                pinned_at: history.pinned_at,
                revisions: history.revisions.into_iter().map(RevisionRow::of).collect(),
                project: history.project,
                branch: history.branch,
            }
        };
        let mut rows: Vec<_> = kept.into_iter().map(row).collect();
        for status in board {
            let is_there =
                |row: &Self| row.project == status.project && row.branch == status.branch;
            if !rows.iter().any(is_there) {
                rows.push(Self {
                    project: status.project.clone(),
                    branch: status.branch.clone(),
                    source: Some(status.source.clone()),
                    pinned_at: status.pinned_at,
                    newest: NewestRow::of(status),
                    revisions: Vec::new(),
                });
            }
        }
        rows
    }
}

impl NewestRow {
    fn of(status: &ProjectStatus) -> Option<Self> {
        let (state, commit, errors, error) = match &status.latest {
            Latest::Waiting | Latest::Served { .. } => return None,
            Latest::Deploying { commit } => (ProjectState::Deploying, Some(commit), 0, None),
            Latest::Refused { commit, diagnostics } => {
                (ProjectState::Refused, Some(commit), diagnostics.errors(), None)
            }
            Latest::Held { commit } => (ProjectState::Held, Some(commit), 0, None),
            Latest::Failed { error } => (ProjectState::Failed, None, 0, Some(error.clone())),
        };
        Some(Self { state, commit: commit.cloned(), errors, error })
    }
}

impl RevisionRow {
    fn of(kept: KeptRevision) -> Self {
        let KeptRevision { commit, accepted_at, state, .. } = kept;
        let KeptRevision { sources, functions, websites, changes, .. } = kept;
        Self { commit, accepted_at, state, sources, functions, websites, changes }
    }
}

impl DoneRow {
    pub(in crate::admin) fn of(done: Done, pinned: bool) -> Self {
        let Done { switched, sources, changes, obstacle } = done;
        let Switched { revision, before, generation, elapsed, .. } = switched;
        let Switched { functions, websites, urls, .. } = switched;
        Self {
            project: revision.project,
            branch: revision.branch,
            commit: revision.commit,
            before,
            pinned,
            generation,
            elapsed_ms: (elapsed.as_secs_f64() * 1e6).round() / 1e3,
            functions,
            websites,
            urls,
            sources,
            changes,
            obstacle: obstacle.as_deref().map(Refusal::of),
        }
    }
}

impl Refusal {
    pub(in crate::admin) fn of(error: &RevisionsError) -> Self {
        let candidates = match error {
            RevisionsError::Choose { candidates, .. } => candidates.as_slice(),
            _ => &[],
        };
        let mut diagnostics = Diagnostics::default();
        match error {
            RevisionsError::Switch { error: SwitchError::Taken(taken), .. } => {
                taken.iter().cloned().for_each(|diagnostic| diagnostics.push(diagnostic));
            }
            RevisionsError::WasRefused { diagnostics: found, .. } => {
                let errors = found.iter().filter(|found| found.severity == Severity::Error);
                errors.cloned().for_each(|diagnostic| diagnostics.push(diagnostic));
            }
            _ => {}
        }
        Self {
            error: Chain(error).to_string(),
            candidates: candidates
                .iter()
                .map(|record| Candidate {
                    commit: record.revision.commit.clone(),
                    accepted_at: record.accepted_at,
                })
                .collect(),
            diagnostics: diagnostics.to_json(),
        }
    }
}
