//! Going back to a kept revision, staying there, and following the branch again.
//!
//! A pin is the records' word, not a copy of anything: which record of a branch is current, and that it
//! stays so. What was served long ago is served again only if it still can be: its manifest is read, its
//! blobs are there, and no other project has taken one of its hosts meanwhile.

use std::{
    cmp::Reverse,
    collections::{BTreeMap, HashSet},
};

use headgate_project::Diagnostic;
use headgate_store::{RecordsError, RevisionRecord};
use headgate_types::{Branch, Digest, ProjectName, Revision, Timestamp};
use tokio::sync::watch;

use super::{Accepted, ManifestError, Pins, PublishError, Publisher, State, hosts::HostOwners};
use crate::manifest::Manifest;

/// What the records hold of one branch.
#[derive(Debug, Clone)]
pub struct Kept {
    pub project: ProjectName,
    pub branch: Branch,
    /// Else it only was, and nothing of it is served.
    pub followed: bool,
    /// Newest first.
    pub records: Vec<RevisionRecord>,
    /// The one of them that is, or should be, served.
    pub current: Option<RevisionRecord>,
    pub pinned_at: Option<Timestamp>,
}

/// A branch that was told what to serve, and to stay there.
#[derive(Debug)]
pub struct Pinned {
    /// What was current before.
    pub before: RevisionRecord,
    pub serving: Accepted,
}

/// A branch that follows its source again.
#[derive(Debug)]
pub struct Unpinned {
    /// What was current before.
    pub before: RevisionRecord,
    /// `None` if what is current cannot be served.
    pub serving: Option<Accepted>,
    /// Why that is not the newest revision, if it is not.
    pub obstacle: Option<SwitchError>,
}

#[derive(Debug, thiserror::Error)]
pub enum SwitchError {
    #[error("nothing was ever accepted of this branch, or it is not followed")]
    NothingKept,
    /// Somebody or something else switched it between the look and the order; to be looked at again.
    #[error("the branch was switched meanwhile")]
    Switched,
    #[error("its manifest is lost")]
    Lost(#[source] Box<dyn std::error::Error + Send + Sync>),
    #[error("the blob {} of the revision is not in the store", .0.fmt_short())]
    Incomplete(Digest),
    /// With one diagnostic for each host.
    #[error("another project has taken a host of it meanwhile")]
    Taken(Vec<Diagnostic>),
    #[error("the records failed")]
    Records(#[from] RecordsError),
    #[error("the revision could not be published")]
    Publish(#[from] PublishError),
}

impl Publisher {
    /// Which branches are pinned, for whoever waits for one to be free again.
    pub fn pins(&self) -> watch::Receiver<Pins> {
        self.pins.subscribe()
    }

    /// Since when a branch is pinned, if it is.
    pub fn pinned_at(&self, project: &ProjectName, branch: &Branch) -> Option<Timestamp> {
        self.pins.borrow().get(&(project.clone(), branch.clone())).copied()
    }

    /// What could be served of each branch, or of those of one project, by name. Waits for an acceptance
    /// under way.
    pub fn kept(&self, project: Option<&ProjectName>) -> Result<Vec<Kept>, RecordsError> {
        let state = self.lock();
        let mut branches: BTreeMap<_, Vec<RevisionRecord>> = BTreeMap::new();
        for record in self.parts.records.all()? {
            let Revision { project: of, branch, .. } = &record.revision;
            if project.is_none_or(|project| project == of) {
                branches.entry((of.clone(), branch.clone())).or_default().push(record);
            }
        }
        let current = self.parts.records.current()?;
        let kept = branches.into_iter().map(|((project, branch), mut records)| {
            records.sort_unstable_by_key(|record| Reverse(record.sequence));
            let current = current.iter().find(|record| is_of(record, &project, &branch)).cloned();
            let key = (project, branch);
            let pinned_at = state.pins.get(&key).copied();
            let followed = state.followed.contains(&key);
            let (project, branch) = key;
            Kept { project, branch, followed, records, current, pinned_at }
        });
        Ok(kept.collect())
    }

    /// The manifest of a kept revision.
    pub fn manifest(&self, record: &RevisionRecord) -> Result<Manifest, SwitchError> {
        let read = self.read_manifest(&record.manifest);
        read.map_err(|error: ManifestError| SwitchError::Lost(error.into()))
    }

    /// Serves a kept revision and holds its branch there. What it runs must have been compiled before.
    ///
    /// Twice is the same as once, so a switch that failed after it was recorded can be repeated.
    ///
    /// `target` was chosen by what was `seen`; if that is no longer so, nothing happens.
    pub fn pin(&self, target: &RevisionRecord, seen: &Kept) -> Result<Pinned, SwitchError> {
        let mut state = self.lock();
        let before = self.current(&mut state, target)?;
        state.is_as(seen, &before)?;
        self.check(&state, target)?;
        let key = (target.revision.project.clone(), target.revision.branch.clone());
        if before.sequence != target.sequence || !state.pins.contains_key(&key) {
            self.parts.records.pin(target, self.parts.clock.now())?;
        }
        self.refresh(&mut state)?;
        self.bring_up(&mut state)?;
        let serving = self.serving(&key.0, &key.1).ok_or(SwitchError::NothingKept)?;
        Ok(Pinned { before, serving })
    }

    /// Lets a branch follow its source again, from `newest` on. If that cannot be served, what is current
    /// stays so until the source brings something better. A branch that is not pinned is left alone: what
    /// it serves is its follower's business.
    ///
    /// `newest` was chosen by what was `seen`; if that is no longer so, nothing happens.
    pub fn unpin(&self, newest: &RevisionRecord, seen: &Kept) -> Result<Unpinned, SwitchError> {
        let mut state = self.lock();
        let before = self.current(&mut state, newest)?;
        state.is_as(seen, &before)?;
        if seen.pinned_at.is_none() {
            let serving = self.serving(&newest.revision.project, &newest.revision.branch);
            return Ok(Unpinned { before, serving, obstacle: None });
        }
        let obstacle = self.check(&state, newest).err();
        let target = if obstacle.is_none() { newest } else { &before };
        self.parts.records.unpin(target)?;
        self.refresh(&mut state)?;
        self.bring_up(&mut state)?;
        let serving = self.serving(&newest.revision.project, &newest.revision.branch);
        Ok(Unpinned { before, serving, obstacle })
    }

    /// What is current of the branch of `record`, which must be followed.
    fn current(
        &self,
        state: &mut State,
        record: &RevisionRecord,
    ) -> Result<RevisionRecord, SwitchError> {
        let records = self.refresh(state)?;
        let (project, branch) = (&record.revision.project, &record.revision.branch);
        let current = records.into_iter().find(|record| is_of(record, project, branch));
        current.filter(|_| state.follows(&record.revision)).ok_or(SwitchError::NothingKept)
    }

    /// Whether a kept revision can be served.
    fn check(&self, state: &State, record: &RevisionRecord) -> Result<(), SwitchError> {
        let manifest = self.manifest(record)?;
        let blobs: HashSet<_> = manifest.blobs().collect();
        if let Some(lost) = blobs.into_iter().find(|digest| !self.parts.store.contains(digest)) {
            return Err(SwitchError::Incomplete(lost));
        }
        let others = state.current.iter().map(|current| &*current.served.manifest);
        let reserved = self.reserved_hosts(state, &record.revision.project);
        let holders = self.parts.grants.holders(others.clone());
        let mut owners = HostOwners::other_than(&record.revision.project, others, &holders);
        owners.reserve(&reserved);
        let domains = manifest.domains.iter().map(|domain| (&domain.host, None));
        let conflicts = owners.conflicts(domains);
        if conflicts.is_empty() { Ok(()) } else { Err(SwitchError::Taken(conflicts)) }
    }

    pub(super) fn announce_pins(&self, state: &State) {
        self.parts.metrics.pinned(state.pins.len());
        self.pins.send_if_modified(|before| {
            let changed = *before != state.pins;
            before.clone_from(&state.pins);
            changed
        });
    }
}

impl State {
    /// Whether a branch, whose current record is this one now, is as somebody has `seen` it. While it was
    /// pinned nothing was accepted, so its history is the same, too.
    fn is_as(&self, seen: &Kept, current: &RevisionRecord) -> Result<(), SwitchError> {
        let pinned_at = self.pins.get(&(seen.project.clone(), seen.branch.clone())).copied();
        let same = seen.current.as_ref() == Some(current) && pinned_at == seen.pinned_at;
        if same { Ok(()) } else { Err(SwitchError::Switched) }
    }
}

fn is_of(record: &RevisionRecord, project: &ProjectName, branch: &Branch) -> bool {
    record.revision.project == *project && record.revision.branch == *branch
}
