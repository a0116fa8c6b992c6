//! `Follower`: keeps one project at the newest revision of its source.
//!
//! A reconciler: whatever wakes it, it looks at the source, compares with what it last saw, and deploys
//! if that differs. A failing source is asked again with back-off and never disturbs another project.

mod looks;
mod pinned;
mod repositories;
mod source;

use std::{collections::HashSet, pin::pin, sync::Arc, time::Instant};

use headgate_project::{
    Diagnostics, LoadOptions,
    changes::{Changes, Listing},
    diagnostic::codes,
};
use headgate_types::{Chain, Clock, Commit, HostPattern, Revision};
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;
use tracing::{info, warn};

use self::source::{Seen, SourceError};
pub(crate) use self::{looks::Looks, source::WatchedSource};
use crate::{
    deploy::{Accepted, Candidate, DeployError, Deployer, IngestCache, Outcome, Progress},
    event::{Deployed, Event, Reporter},
    log_hub::{LogHub, LogLine, LogStream},
    metrics::Metrics,
    node_config::FollowedProject,
    publisher::Pins,
    status::{Latest, ProjectStatus, Serving, StatusBoard},
    urls::Urls,
};

/// What every follower shares.
#[derive(Clone)]
pub(crate) struct Shared {
    pub(crate) deployer: Deployer,
    pub(crate) board: Arc<StatusBoard>,
    pub(crate) reporter: Arc<dyn Reporter>,
    pub(crate) logs: Arc<LogHub>,
    pub(crate) clock: Arc<dyn Clock>,
    pub(crate) metrics: Arc<Metrics>,
    pub(crate) urls: Arc<Urls>,
    pub(crate) options: LoadOptions,
    /// At the repositories of all projects.
    pub(crate) looks: Looks,
}

/// Follows `project` until `stop`, which cuts short whatever is under way: a deploy may end anywhere.
/// `seen` is what is served already and need not be deployed again.
pub(crate) async fn follow(
    shared: Shared,
    project: FollowedProject,
    seen: Option<Commit>,
    mut source: WatchedSource,
    stop: CancellationToken,
) {
    let mut follower = Follower::new(shared, project, seen);
    let following = async {
        follower.confirm_served().await;
        loop {
            match follower.wait(&mut source).await {
                Woken::Looked(seen) => follower.step(seen, &mut source).await,
                Woken::MayDeploy => source.look_now(),
            }
        }
    };
    let _: Option<()> = stop.run_until_cancelled(following).await;
}

/// What ends a follower's waiting.
enum Woken {
    Looked(Result<Option<Seen>, SourceError>),
    /// What was refused or held before may be deployed now.
    MayDeploy,
}

struct Follower {
    shared: Shared,
    project: FollowedProject,
    cache: IngestCache,
    /// The newest commit that was deployed, refused or held; not the one whose deploy failed.
    seen: Option<Commit>,
    /// It was refused for nothing but a host that another project has.
    lacks_a_host: bool,
    hosts: watch::Receiver<HashSet<HostPattern>>,
    pins: watch::Receiver<Pins>,
    /// The branch is, as far as is known here.
    pinned: bool,
    /// What became of `seen`; told again when a failure is over.
    outcome: Latest,
    /// The files of what was accepted last, to tell what changed.
    accepted_files: Option<Listing>,
}

impl Follower {
    fn new(shared: Shared, project: FollowedProject, seen: Option<Commit>) -> Self {
        let outcome = match seen {
            Some(_) => Latest::Served { diagnostics: Arc::default() },
            None => Latest::Waiting,
        };
        let publisher = &shared.deployer.publisher;
        let (hosts, pins) = (publisher.hosts(), publisher.pins());
        let pinned = publisher.pinned_at(&project.name, &project.branch).is_some();
        let cache = IngestCache::default();
        Self {
            shared,
            project,
            cache,
            seen,
            lacks_a_host: false,
            hosts,
            pins,
            pinned,
            outcome,
            accepted_files: None,
        }
    }

    /// A pin of another branch, of which all are told, neither ends the look under way nor begins the pause
    /// before it anew.
    async fn wait(&mut self, source: &mut WatchedSource) -> Woken {
        let seen = self.seen.clone();
        let mut look = pin!(source.next(seen.as_ref()));
        loop {
            tokio::select! {
                seen = &mut look => return Woken::Looked(seen),
                Ok(()) = self.hosts.changed(), if self.lacks_a_host => {
                    self.try_again();
                    return Woken::MayDeploy;
                }
                Ok(()) = self.pins.changed() => {
                    if self.is_free_again() {
                        return Woken::MayDeploy;
                    }
                }
            }
        }
    }

    /// `None` means that the source is well and unchanged.
    async fn step(&mut self, seen: Result<Option<Seen>, SourceError>, source: &mut WatchedSource) {
        let outcome = match seen {
            Ok(Some(seen)) => self.deploy(seen).await,
            Ok(None) => {
                self.recovered();
                Ok(())
            }
            Err(error) => return self.failed(Chain(&error).to_string(), source.failed()),
        };
        match outcome {
            Ok(()) => source.succeeded(),
            Err(DeployError::SourceChanged) => source.changed_meanwhile(),
            Err(error) => {
                if error.lost_a_blob() {
                    self.cache = IngestCache::default();
                }
                self.failed(Chain(&error).to_string(), source.failed());
            }
        }
    }

    async fn deploy(&mut self, seen: Seen) -> Result<(), DeployError> {
        if self.is_pinned() {
            self.hold(seen.commit, seen.sources.into_iter().next());
            return Ok(());
        }
        let revision = self.revision(&seen.commit);
        // What changes from here on is not known to the deploy.
        self.hosts.mark_unchanged();
        self.report(Event::Deploying { revision: revision.clone() });
        self.set_latest(Latest::Deploying { commit: seen.commit.clone() });
        let options = self.shared.options;
        let Seen { commit, sources, tree, since } = seen;
        let source = sources.first().cloned();
        let files = tree.clone();
        let candidate = Candidate { revision: revision.clone(), sources, tree, options };
        let progress = self.progress();
        let outcome = self.shared.deployer.deploy(candidate, &mut self.cache, &progress).await;
        if outcome.as_ref().is_err_and(DeployError::is_pinned) {
            self.hold(commit, source);
            return Ok(());
        }
        let outcome = outcome?;
        self.seen = Some(commit);
        self.lacks_a_host = false;
        match outcome {
            Outcome::Accepted { accepted, diagnostics } => {
                let changes = self.accepted_files.as_ref().map(|before| before.changes(&*files));
                self.accepted_files = Some(Listing::of(&*files));
                self.accepted(&accepted, diagnostics, changes, since);
                let confirmed = self.shared.deployer.confirm(&accepted).await;
                return confirmed.inspect_err(|_| self.seen = None);
            }
            Outcome::Refused(diagnostics) => self.refused(revision, diagnostics),
        }
        Ok(())
    }

    /// What was served before the node started may have lost something, or was killed before it was confirmed.
    async fn confirm_served(&mut self) {
        let Some(accepted) = self.serving() else { return };
        if let Err(error) = self.shared.deployer.confirm(&accepted).await {
            let project = &self.project.name;
            warn!(%project, error = %Chain(&error), "what is served is deployed again");
            self.seen = None;
        }
    }

    fn serving(&self) -> Option<Accepted> {
        self.shared.deployer.publisher.serving(&self.project.name, &self.project.branch)
    }

    /// The hosts are others now, so a revision that was refused for one may be accepted.
    fn try_again(&mut self) {
        self.seen = None;
        self.lacks_a_host = false;
    }

    /// What failed before went well this time.
    fn recovered(&self) {
        self.update(|status| {
            if let Latest::Failed { .. } = status.latest {
                status.latest = self.outcome.clone();
            }
        });
    }

    fn accepted(
        &mut self,
        accepted: &Accepted,
        diagnostics: Diagnostics,
        changes: Option<Changes>,
        since: Instant,
    ) {
        let diagnostics = Arc::new(diagnostics);
        let Serving { functions, websites, .. } = Serving::of(accepted);
        self.outcome = Latest::Served { diagnostics: diagnostics.clone() };
        self.update(|status| {
            // As it is now: somebody may have gone back already.
            status.serving = self.serving().as_ref().map(Serving::of);
            status.latest = self.outcome.clone();
        });
        self.shared.metrics.deployed("accepted");
        let revision = accepted.manifest.revision.clone();
        info!(%revision, generation = %accepted.generation, functions, websites, "revision accepted");
        let counts = format!("functions: {functions}, websites: {websites}");
        self.log(format!("revision {} accepted; {counts}", revision.commit.fmt_short()));
        self.report(Event::Deployed(Deployed {
            revision,
            generation: accepted.generation,
            elapsed: since.elapsed(),
            functions,
            websites,
            changes,
            diagnostics,
            urls: self.shared.urls.of(&accepted.manifest),
        }));
    }

    fn refused(&mut self, revision: Revision, diagnostics: Diagnostics) {
        let diagnostics = Arc::new(diagnostics);
        // Hosts are looked at last: whoever is refused for one had no other error.
        self.lacks_a_host = diagnostics.iter().any(|found| found.code == codes::HOST_TAKEN);
        let commit = revision.commit.clone();
        let again = matches!(&self.outcome, Latest::Refused { commit: before, diagnostics: told }
            if *before == commit && told.iter().eq(diagnostics.iter()));
        self.outcome = Latest::Refused { commit, diagnostics: diagnostics.clone() };
        let mut serving = None;
        self.update(|status| {
            serving = status.serving.as_ref().map(|serving| serving.commit.clone());
            status.latest = self.outcome.clone();
        });
        self.shared.metrics.deployed("refused");
        if !again {
            let problems = diagnostics.summary();
            warn!(%revision, %problems, "revision refused");
            self.log(format!("revision {} refused: {problems}", revision.commit.fmt_short()));
        }
        let serving = serving.map(|commit| self.revision(&commit));
        self.report(Event::Refused { revision, diagnostics, serving, again });
    }

    fn failed(&self, error: String, retry_in: Option<std::time::Duration>) {
        self.shared.metrics.deployed("failed");
        let project = self.project.name.clone();
        warn!(%project, %error, "following failed");
        self.set_latest(Latest::Failed { error: error.clone() });
        self.report(Event::Failed { project, error, retry_in });
    }

    fn progress(&self) -> Progress {
        let (reporter, project) = (self.shared.reporter.clone(), self.project.name.clone());
        Arc::new(move |stage, done, total| {
            reporter.report(Event::Progress { project: project.clone(), stage, done, total });
        })
    }

    fn revision(&self, commit: &Commit) -> Revision {
        Revision {
            project: self.project.name.clone(),
            branch: self.project.branch.clone(),
            commit: commit.clone(),
        }
    }

    fn set_latest(&self, latest: Latest) {
        self.update(|status| status.latest = latest);
    }

    fn update(&self, change: impl FnOnce(&mut ProjectStatus)) {
        self.shared.board.update(&self.project.name, &self.project.branch, change);
    }

    /// For `headgate logs`, between what the functions say.
    fn log(&self, text: String) {
        self.shared.logs.publish(LogLine {
            time: self.shared.clock.now(),
            project: self.project.name.clone(),
            application: None,
            function: None,
            request_id: None,
            stream: LogStream::Deploy,
            text,
        });
    }

    fn report(&self, event: Event) {
        self.shared.reporter.report(event);
    }
}

#[cfg(test)]
mod tests;
