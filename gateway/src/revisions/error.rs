//! Why a revision was not served.

use std::sync::Arc;

use headgate_executor::CompileError;
use headgate_project::Diagnostics;
use headgate_store::{RecordsError, RevisionRecord, StoreError};
use headgate_types::{Branch, Commit, Digest, ProjectName};
use tokio::task::JoinError;

use super::ChooseError;
use crate::publisher::SwitchError;

#[derive(Debug, thiserror::Error)]
pub enum RevisionsError {
    #[error("no project `{project}` is followed here; {}", listed(known))]
    UnknownProject { project: ProjectName, known: Vec<ProjectName> },
    #[error("the branch `{branch}` of `{project}` is not followed here; {}", listed(known))]
    UnknownBranch { project: ProjectName, branch: Branch, known: Vec<Branch> },
    #[error("several branches of `{project}` are followed, so name one; {}", listed(known))]
    WhichBranch { project: ProjectName, known: Vec<Branch> },
    /// With what could have been meant.
    #[error("{error}")]
    Choose { error: ChooseError, candidates: Vec<RevisionRecord> },
    /// Nothing of it was kept.
    #[error("`{}` was refused, so it was never served", .commit.fmt_short())]
    WasRefused { commit: Commit, diagnostics: Arc<Diagnostics> },
    #[error("`{}` cannot be served again", .commit.fmt_short())]
    Switch {
        commit: Commit,
        #[source]
        error: SwitchError,
    },
    #[error("the artefact {} cannot be read", .digest.fmt_short())]
    Artefact {
        digest: Digest,
        #[source]
        error: StoreError,
    },
    #[error("the artefact {} cannot be compiled any more", .digest.fmt_short())]
    Compile {
        digest: Digest,
        #[source]
        error: CompileError,
    },
    #[error("the records failed")]
    Records(#[from] RecordsError),
    /// A bug; the panic itself is in the log.
    #[error("working on it panicked")]
    Panicked(#[from] JoinError),
}

impl RevisionsError {
    /// Whether asking for something else would help.
    pub fn is_askers_fault(&self) -> bool {
        match self {
            Self::UnknownProject { .. }
            | Self::UnknownBranch { .. }
            | Self::WhichBranch { .. }
            | Self::Choose { .. }
            | Self::WasRefused { .. }
            | Self::Compile { .. } => true,
            Self::Switch { error, .. } => {
                !matches!(error, SwitchError::Records(_) | SwitchError::Publish(_))
            }
            Self::Artefact { .. } | Self::Records(_) | Self::Panicked(_) => false,
        }
    }
}

/// What could have been named.
fn listed(known: &[impl ToString]) -> String {
    match known {
        [] => "nothing is".to_owned(),
        known => {
            let names: Vec<_> = known.iter().map(ToString::to_string).collect();
            format!("there is {}", names.join(", "))
        }
    }
}
