//! `History`: what is kept of a branch, told from its records and manifests.

use headgate_types::{Branch, Commit, ProjectName, Timestamp};
use serde::{Deserialize, Serialize};

use super::Changes;
use crate::{
    manifest::SourceEntry,
    publisher::{Kept, Publisher},
};

/// What is kept of one branch.
#[derive(Debug)]
pub struct History {
    pub project: ProjectName,
    pub branch: Branch,
    pub pinned_at: Option<Timestamp>,
    /// Newest first.
    pub revisions: Vec<KeptRevision>,
}

/// One kept revision.
#[derive(Debug)]
pub struct KeptRevision {
    pub commit: Commit,
    pub accepted_at: Timestamp,
    pub state: KeptState,
    /// The rest is told by the manifest, unless that is lost.
    pub sources: Vec<SourceEntry>,
    pub functions: usize,
    pub websites: usize,
    /// Since the kept revision before; `None` for the oldest.
    pub changes: Option<Changes>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum KeptState {
    /// Requests are answered from it.
    Serving,
    /// The same, and it stays so.
    Pinned,
    /// It can be served again.
    Kept,
    /// Its manifest cannot be read.
    Lost,
}

impl KeptState {
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Serving => "serving",
            Self::Pinned => "pinned",
            Self::Kept => "kept",
            Self::Lost => "lost",
        }
    }
}

impl History {
    /// Two manifests are held at a time: those of large sites have megabytes.
    pub(super) fn of(publisher: &Publisher, kept: Kept) -> Self {
        let current = kept.current.as_ref().filter(|_| kept.followed).map(|record| record.sequence);
        let (mut revisions, mut before) = (Vec::with_capacity(kept.records.len()), None);
        for record in kept.records.iter().rev() {
            let manifest = publisher.manifest(record).ok();
            let state = match (&manifest, kept.pinned_at) {
                (None, _) => KeptState::Lost,
                _ if current != Some(record.sequence) => KeptState::Kept,
                (Some(_), None) => KeptState::Serving,
                (Some(_), Some(_)) => KeptState::Pinned,
            };
            let (mut sources, mut functions, mut websites, mut changes) = (Vec::new(), 0, 0, None);
            if let Some(manifest) = &manifest {
                sources.clone_from(&manifest.sources);
                (functions, websites) = (manifest.functions.len(), manifest.websites.len());
                changes = before.as_ref().map(|before| Changes::between(before, manifest));
            }
            revisions.push(KeptRevision {
                commit: record.revision.commit.clone(),
                accepted_at: record.accepted_at,
                state,
                sources,
                functions,
                websites,
                changes,
            });
            before = manifest;
        }
        revisions.reverse();
        let Kept { project, branch, pinned_at, .. } = kept;
        Self { project, branch, pinned_at, revisions }
    }
}
