//! `Revisions`: what is kept of each project, and which of it is served, as its operator asks and decides.
//!
//! ```text
//! list     records ─► manifests ─► what changed from each to the next
//! pin      kept record ─► compiled? ─► Publisher::pin ─► told to the board, the log and the reporter
//! follow   newest record ─► compiled? ─► Publisher::unpin ─► the follower looks at its source again
//! ```
//!
//! Every change goes through the [`Publisher`], which alone writes. What it did is told even if nobody waits
//! for the answer any more.

mod changes;
mod choose;
mod error;
mod history;

use std::{collections::HashSet, fmt, sync::Arc, time::Instant};

use async_trait::async_trait;
use headgate_store::RevisionRecord;
use headgate_types::{Branch, ProjectName, Revision};
use tokio::{sync::Semaphore, task};
use tracing::info;

use self::choose::{begins, choose, matching};
pub use self::{
    changes::{Changed, Changes, Names},
    choose::{ChooseError, Wanted},
    error::RevisionsError,
    history::{History, KeptRevision, KeptState},
};
use crate::{
    admin::Operations,
    event::{Event, Switched},
    follow::Shared,
    log_hub::{LogLine, LogStream},
    manifest::SourceEntry,
    publisher::{Accepted, Kept, Publisher, SwitchError},
    status::{Latest, Serving},
};

/// The operator's hand on the revisions; cloning it clones handles.
#[derive(Clone)]
pub struct Revisions {
    shared: Shared,
    /// A list reads every kept manifest, so one is made at a time.
    listing: Arc<Semaphore>,
}

/// A branch, as somebody names it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Named {
    pub project: ProjectName,
    /// `None` for the only one that is followed.
    pub branch: Option<Branch>,
}

/// How a switch went.
#[derive(Debug, Clone)]
pub struct Done {
    pub switched: Switched,
    pub sources: Vec<SourceEntry>,
    /// Of the one that is served now, against the one before.
    pub changes: Changes,
    /// Why a branch that is followed again does not serve its newest kept revision.
    pub obstacle: Option<Arc<RevisionsError>>,
}

/// What the asker is to blame for leaves all as it was; where the node failed, asking again finishes what was
/// begun.
#[async_trait]
impl Operations for Revisions {
    /// What is kept of each branch, or of those of one project, by name.
    ///
    /// # Errors
    /// When the records cannot be read. A manifest that cannot be is [`KeptState::Lost`].
    async fn list(&self, project: Option<ProjectName>) -> Result<Vec<History>, RevisionsError> {
        let turn = self.listing.clone().acquire_owned().await;
        let turn = turn.expect("this semaphore is never closed");
        let publisher = self.publisher().clone();
        let list = move || {
            let _turn = turn;
            let kept = publisher.kept(project.as_ref())?;
            Ok(kept.into_iter().map(|kept| History::of(&publisher, kept)).collect())
        };
        task::spawn_blocking(list).await?
    }

    /// Serves a kept revision and holds the branch there, whatever its source brings.
    ///
    /// # Errors
    /// When it is not clear which is meant, or it cannot be served.
    async fn pin(&self, named: &Named, wanted: &Wanted) -> Result<Done, RevisionsError> {
        self.carry_out(named, Order::Pin(wanted)).await
    }

    /// Ends a pin: the newest kept revision is served again, and then whatever the source has. Where it
    /// cannot be served, what is served stays until the source brings something that can.
    ///
    /// # Errors
    /// When it is not clear which branch is meant, or the records cannot be written.
    async fn follow(&self, named: &Named) -> Result<Done, RevisionsError> {
        self.carry_out(named, Order::Follow).await
    }
}

impl Revisions {
    pub(crate) fn new(shared: Shared) -> Self {
        Self { shared, listing: Arc::new(Semaphore::new(1)) }
    }

    /// Looks and switches, again if a deploy or somebody else was quicker.
    async fn carry_out(&self, named: &Named, order: Order<'_>) -> Result<Done, RevisionsError> {
        let mut tries = 0;
        let result = loop {
            let result = match order {
                Order::Pin(wanted) => self.try_pin(named, wanted).await,
                Order::Follow => self.try_follow(named).await,
            };
            tries += 1;
            if tries == TRIES || !is_outrun(&result) {
                break result;
            }
        };
        self.count(&result);
        result
    }

    async fn try_pin(&self, named: &Named, wanted: &Wanted) -> Result<Done, RevisionsError> {
        let started = Instant::now();
        // Until it is served, a sweep might take what was compiled for it.
        let under_way = self.shared.deployer.under_way.begin().await;
        let kept = self.kept(named).await?;
        let chosen = choose(&kept, wanted).map_err(|error| match error {
            ChooseError::Unknown { prefix } => self.unknown(prefix, &kept),
            error => not_chosen(error, &kept),
        })?;
        let chosen = chosen.clone();
        self.compile(&chosen).await?;
        let this = self.clone();
        let switch = move || {
            let _under_way = under_way;
            let switched = this.publisher().pin(&chosen, &kept);
            let switched = switched.map_err(|error| cannot(&chosen, error))?;
            let done = this.done(&switched.before, Some(switched.serving), started);
            this.tell(&done, true);
            Ok(done)
        };
        task::spawn_blocking(switch).await?
    }

    async fn try_follow(&self, named: &Named) -> Result<Done, RevisionsError> {
        let started = Instant::now();
        let under_way = self.shared.deployer.under_way.begin().await;
        let kept = self.kept(named).await?;
        let newest = kept.records.first().cloned();
        let newest = newest.ok_or_else(|| not_chosen(ChooseError::Nothing, &kept))?;
        let compiled = self.compile(&newest).await;
        let this = self.clone();
        let switch = move || {
            let _under_way = under_way;
            let target = match &compiled {
                Ok(()) => &newest,
                Err(_) => kept.current.as_ref().unwrap_or(&newest),
            };
            let unpinned = this.publisher().unpin(target, &kept);
            let unpinned = unpinned.map_err(|error| cannot(target, error))?;
            let mut done = this.done(&unpinned.before, unpinned.serving, started);
            let obstacle = unpinned.obstacle.map(|error| cannot(target, error));
            done.obstacle = compiled.err().or(obstacle).map(Arc::new);
            this.tell(&done, false);
            Ok(done)
        };
        task::spawn_blocking(switch).await?
    }

    /// The records of a followed branch.
    async fn kept(&self, named: &Named) -> Result<Kept, RevisionsError> {
        let branch = self.branch(named)?;
        let (publisher, project) = (self.publisher().clone(), named.project.clone());
        let kept = task::spawn_blocking(move || publisher.kept(Some(&project))).await??;
        let kept = kept.into_iter().find(|kept| kept.branch == branch);
        kept.ok_or(RevisionsError::Choose { error: ChooseError::Nothing, candidates: Vec::new() })
    }

    fn branch(&self, named: &Named) -> Result<Branch, RevisionsError> {
        let project = &named.project;
        let followed = self.shared.board.all();
        let branches = followed.iter().filter(|status| status.project == *project);
        let known: Vec<_> = branches.map(|status| status.branch.clone()).collect();
        let project = project.clone();
        match (&named.branch, known.as_slice()) {
            (_, []) => {
                let mut known: Vec<_> = followed.into_iter().map(|status| status.project).collect();
                known.dedup();
                Err(RevisionsError::UnknownProject { project, known })
            }
            (Some(branch), _) if known.contains(branch) => Ok(branch.clone()),
            (Some(branch), _) => {
                let branch = branch.clone();
                Err(RevisionsError::UnknownBranch { project, branch, known })
            }
            (None, [only]) => Ok(only.clone()),
            (None, _) => Err(RevisionsError::WhichBranch { project, known }),
        }
    }

    /// Why nothing is kept whose commit begins so: perhaps it was just refused.
    fn unknown(&self, prefix: String, kept: &Kept) -> RevisionsError {
        let board = self.shared.board.all();
        let mut of_branch = board
            .into_iter()
            .filter(|status| status.project == kept.project && status.branch == kept.branch);
        match of_branch.next().map(|status| status.latest) {
            Some(Latest::Refused { commit, diagnostics })
                if begins(&commit, &prefix.to_ascii_lowercase()) =>
            {
                RevisionsError::WasRefused { commit, diagnostics }
            }
            _ => not_chosen(ChooseError::Unknown { prefix }, kept),
        }
    }

    /// Compiles what a revision runs and has lost since: nothing is served before it can be.
    async fn compile(&self, record: &RevisionRecord) -> Result<(), RevisionsError> {
        let executor = &self.shared.deployer.executor;
        let (publisher, of) = (self.publisher().clone(), record.clone());
        let manifest = task::spawn_blocking(move || publisher.manifest(&of)).await?;
        let manifest = manifest.map_err(|error| cannot(record, error))?;
        let lost: HashSet<_> =
            manifest.artefacts().filter(|artefact| !executor.has_native(*artefact)).collect();
        for digest in lost {
            let store = self.shared.deployer.store.clone();
            let read = task::spawn_blocking(move || store.read(&digest)).await?;
            let wasm = read.map_err(|error| RevisionsError::Artefact { digest, error })?;
            let compiled = executor.compile(digest, wasm).await;
            compiled.map_err(|error| RevisionsError::Compile { digest, error })?;
        }
        Ok(())
    }

    /// What is served now, and what that means beside what was served before.
    fn done(&self, before: &RevisionRecord, serving: Option<Accepted>, started: Instant) -> Done {
        let manifest = serving.as_ref().map(|serving| serving.manifest.clone());
        let old = self.publisher().manifest(before).ok();
        let changes = match (&old, &manifest) {
            (Some(old), Some(new)) => Changes::between(old, new),
            _ => Changes::default(),
        };
        let urls = manifest.as_ref().map(|manifest| self.shared.urls.of(manifest));
        let revision = serving.as_ref().map(|serving| serving.record.revision.clone());
        Done {
            switched: Switched {
                revision: revision.unwrap_or_else(|| before.revision.clone()),
                before: before.revision.commit.clone(),
                generation: self.publisher().cell().load().generation,
                elapsed: started.elapsed(),
                functions: manifest.as_ref().map_or(0, |manifest| manifest.functions.len()),
                websites: manifest.as_ref().map_or(0, |manifest| manifest.websites.len()),
                urls: urls.unwrap_or_default(),
            },
            sources: manifest.map(|manifest| manifest.sources.clone()).unwrap_or_default(),
            changes,
            obstacle: None,
        }
    }

    /// To the board, the node's log, the project's log and whoever runs the node.
    fn tell(&self, done: &Done, pinned: bool) {
        let Switched { revision, before, generation, .. } = &done.switched;
        let Revision { project, branch, commit } = revision;
        let publisher = self.publisher();
        self.shared.board.update(project, branch, |status| {
            // As it is now: another switch or a deploy may have followed already.
            status.serving = publisher.serving(project, branch).as_ref().map(Serving::of);
            status.pinned_at = publisher.pinned_at(project, branch);
            // Its warnings are of a revision that is perhaps not served any more.
            if let Latest::Served { .. } = status.latest {
                status.latest = Latest::Served { diagnostics: Arc::default() };
            }
        });
        let short = commit.fmt_short();
        let text = match (pinned, before == commit) {
            (true, true) => format!("pinned to revision {short}"),
            (true, false) => format!("went back from revision {} to {short}", before.fmt_short()),
            (false, _) => format!("follows {branch} again from revision {short}"),
        };
        info!(%revision, %generation, pinned, before = before.fmt_short(), "revision chosen");
        self.shared.logs.publish(LogLine {
            time: self.shared.clock.now(),
            project: project.clone(),
            application: None,
            function: None,
            request_id: None,
            stream: LogStream::Deploy,
            text,
        });
        let switched = done.switched.clone();
        self.shared.reporter.report(match (pinned, before == commit) {
            (true, true) => Event::Pinned(switched),
            (true, false) => Event::RolledBack(switched),
            (false, _) => Event::Unpinned(switched),
        });
    }

    fn count(&self, result: &Result<Done, RevisionsError>) {
        self.shared.metrics.switched(match result {
            Ok(_) => "served",
            Err(error) if error.is_askers_fault() => "refused",
            Err(_) => "failed",
        });
    }

    fn publisher(&self) -> &Arc<Publisher> {
        &self.shared.deployer.publisher
    }
}

/// What a branch is told.
#[derive(Clone, Copy)]
enum Order<'a> {
    Pin(&'a Wanted),
    Follow,
}

/// Looks and orders, when a deploy or somebody else is quicker each time.
const TRIES: u32 = 3;

fn is_outrun(result: &Result<Done, RevisionsError>) -> bool {
    matches!(result, Err(RevisionsError::Switch { error: SwitchError::Switched, .. }))
}

fn not_chosen(error: ChooseError, kept: &Kept) -> RevisionsError {
    let candidates = match &error {
        ChooseError::Ambiguous { prefix } => matching(kept, prefix).into_iter().cloned().collect(),
        ChooseError::Unknown { .. } => kept.records.clone(),
        ChooseError::Nothing | ChooseError::NothingOlder { .. } => Vec::new(),
    };
    RevisionsError::Choose { error, candidates }
}

fn cannot(record: &RevisionRecord, error: SwitchError) -> RevisionsError {
    RevisionsError::Switch { commit: record.revision.commit.clone(), error }
}

impl fmt::Debug for Revisions {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Revisions").finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests;
