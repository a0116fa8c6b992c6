//! `Follower`: keeps one project at the newest revision of its source.
//!
//! A reconciler: whatever wakes it, it looks at the source, compares with what it last saw, and deploys
//! if that differs. A failing source is asked again with back-off and never disturbs another project.

mod source;

use std::{sync::Arc, time::Instant};

use headgate_project::{Diagnostics, LoadOptions};
use headgate_types::{Chain, Commit, Revision};
use tokio_util::sync::CancellationToken;
use tracing::{info, warn};

pub(crate) use self::source::WatchedSource;
use self::source::{Seen, SourceError};
use crate::{
    deploy::{Accepted, Candidate, DeployError, Deployer, IngestCache, Outcome, Progress},
    event::{Deployed, Event, Reporter},
    metrics::Metrics,
    node_config::FollowedProject,
    status::{Latest, Serving, StatusBoard},
    urls::Urls,
};

/// What every follower shares.
#[derive(Clone)]
pub(crate) struct Shared {
    pub(crate) deployer: Deployer,
    pub(crate) board: Arc<StatusBoard>,
    pub(crate) reporter: Arc<dyn Reporter>,
    pub(crate) metrics: Arc<Metrics>,
    pub(crate) urls: Arc<Urls>,
    pub(crate) options: LoadOptions,
}

/// Follows `project` until `stop`, which cuts short whatever is under way: a deploy may end anywhere.
pub(crate) async fn follow(
    shared: Shared,
    project: FollowedProject,
    mut source: WatchedSource,
    stop: CancellationToken,
) {
    let mut follower = Follower { shared, project, cache: IngestCache::default(), seen: None };
    let following = async {
        loop {
            let seen = source.next(follower.seen.as_ref()).await;
            follower.step(seen, &mut source).await;
        }
    };
    let _: Option<()> = stop.run_until_cancelled(following).await;
}

struct Follower {
    shared: Shared,
    project: FollowedProject,
    cache: IngestCache,
    /// The newest commit that was deployed or refused; not the one whose deploy failed.
    seen: Option<Commit>,
}

impl Follower {
    async fn step(&mut self, seen: Result<Seen, SourceError>, source: &mut WatchedSource) {
        let outcome = match seen {
            Ok(seen) => self.deploy(seen).await,
            Err(error) => return self.failed(Chain(&error).to_string(), source.failed()),
        };
        match outcome {
            Ok(()) => source.succeeded(),
            // What was not seen yet is looked at again at once.
            Err(DeployError::SourceChanged) => {}
            Err(error) => self.failed(Chain(&error).to_string(), source.failed()),
        }
    }

    async fn deploy(&mut self, seen: Seen) -> Result<(), DeployError> {
        let revision = self.revision(&seen.commit);
        self.report(Event::Deploying { revision: revision.clone() });
        self.set_latest(Latest::Deploying { commit: seen.commit.clone() });
        let options = self.shared.options;
        let candidate = Candidate { revision: revision.clone(), tree: seen.tree, options };
        let progress = self.progress();
        let outcome = self.shared.deployer.deploy(candidate, &mut self.cache, &progress).await?;
        self.seen = Some(seen.commit);
        match outcome {
            Outcome::Accepted { accepted, diagnostics } => {
                self.accepted(&accepted, diagnostics, seen.since);
            }
            Outcome::Refused(diagnostics) => self.refused(revision, diagnostics),
        }
        Ok(())
    }

    fn accepted(&self, accepted: &Accepted, diagnostics: Diagnostics, since: Instant) {
        let diagnostics = Arc::new(diagnostics);
        let (functions, websites) =
            (accepted.manifest.functions.len(), accepted.manifest.websites.len());
        let serving = Serving {
            commit: accepted.manifest.revision.commit.clone(),
            accepted_at: accepted.record.accepted_at,
            functions,
            websites,
        };
        self.update(|status| {
            status.serving = Some(serving);
            status.latest = Latest::Served { diagnostics: diagnostics.clone() };
        });
        self.shared.metrics.deployed("accepted");
        let revision = accepted.manifest.revision.clone();
        info!(%revision, generation = %accepted.generation, functions, websites, "revision accepted");
        self.report(Event::Deployed(Deployed {
            revision,
            generation: accepted.generation,
            elapsed: since.elapsed(),
            functions,
            websites,
            diagnostics,
            urls: self.shared.urls.of(&accepted.manifest),
        }));
    }

    fn refused(&self, revision: Revision, diagnostics: Diagnostics) {
        let diagnostics = Arc::new(diagnostics);
        let mut serving = None;
        self.update(|status| {
            serving = status.serving.as_ref().map(|serving| serving.commit.clone());
            let commit = revision.commit.clone();
            status.latest = Latest::Refused { commit, diagnostics: diagnostics.clone() };
        });
        self.shared.metrics.deployed("refused");
        warn!(%revision, problems = %diagnostics.summary(), "revision refused");
        let serving = serving.map(|commit| self.revision(&commit));
        self.report(Event::Refused { revision, diagnostics, serving });
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

    fn update(&self, change: impl FnOnce(&mut crate::status::ProjectStatus)) {
        self.shared.board.update(&self.project.name, &self.project.branch, change);
    }

    fn report(&self, event: Event) {
        self.shared.reporter.report(event);
    }
}
