//! `Followers`: one task for each followed project, owned here, started and ended with the list.

use std::{collections::HashMap, path::PathBuf, time::Duration};

use headgate_project::LoadOptions;
use headgate_types::{Chain, ProjectName};
use tokio::task::{self, JoinSet};
use tokio_util::sync::CancellationToken;
use tracing::{Instrument, error, info_span, warn};

use crate::{
    follow::{Shared, WatchedSource, follow},
    node_config::{FollowedProject, NodeConfig},
    publisher::{Accepted, Followed},
    status::{Latest, Serving},
};

/// Before a follower that ended by itself is started again: a bug that strikes at once costs little then.
const RESTART_PAUSE: Duration = Duration::from_secs(10);

pub(super) struct Followers {
    shared: Shared,
    /// Where Git repositories are cloned to, each under its project's name.
    repositories: PathBuf,
    running: HashMap<ProjectName, Running>,
    /// Those of `running`, and those that were told to end and have not yet.
    tasks: JoinSet<()>,
    restart_pause: Duration,
}

struct Running {
    project: FollowedProject,
    stop: CancellationToken,
    task: task::Id,
}

impl Followers {
    pub(super) fn new(shared: Shared, repositories: PathBuf) -> Self {
        let (running, tasks) = (HashMap::new(), JoinSet::new());
        Self { shared, repositories, running, tasks, restart_pause: RESTART_PAUSE }
    }

    /// Follows these projects and no others. One that is followed already, unchanged, is left alone.
    pub(super) fn follow(&mut self, projects: &[FollowedProject]) {
        self.end_all_but(projects);
        for project in projects {
            if !self.running.contains_key(&project.name) {
                self.start(project.clone(), Duration::ZERO);
            }
        }
    }

    /// As [`follow`](Self::follow), and what is no longer followed is no longer served. That comes first:
    /// only then are its hosts free for others.
    pub(super) async fn refollow(&mut self, config: &NodeConfig) {
        self.end_all_but(&config.projects);
        let publisher = self.shared.deployer.publisher.clone();
        let followed = followed(&config.projects);
        match task::spawn_blocking(move || publisher.reconcile(Some(followed))).await {
            Ok(Ok(())) => {}
            // The next revision that is accepted publishes the list, too.
            Ok(Err(error)) => error!(error = %Chain(&error), "the new list is not served yet"),
            Err(error) => error!(%error, "publishing the new list panicked"),
        }
        self.follow(&config.projects);
    }

    /// Starts followers anew that ended unasked. Never returns; may be dropped and called again at any
    /// time.
    pub(super) async fn supervise(&mut self) {
        loop {
            let (id, error) = match self.tasks.join_next_with_id().await {
                Some(Ok((id, ()))) => (id, None),
                Some(Err(error)) => (error.id(), Some(error)),
                None => std::future::pending().await,
            };
            let ended = self.running.values().find(|running| running.task == id);
            let Some(project) = ended.map(|running| running.project.clone()) else {
                continue; // it was told to
            };
            let why = error.map_or_else(|| "it returned".to_owned(), |error| error.to_string());
            error!(project = %project.name, error = %why, "follower ended, starting another");
            self.shared.board.update(&project.name, &project.branch, |status| {
                let error = "what follows it failed and is started again".to_owned();
                status.latest = Latest::Failed { error };
            });
            self.start(project, self.restart_pause);
        }
    }

    pub(super) async fn stop(&mut self) {
        for (_, running) in self.running.drain() {
            running.stop.cancel();
        }
        while let Some(ended) = self.tasks.join_next().await {
            if let Err(error) = ended {
                warn!(%error, "a follower ended early");
            }
        }
    }

    /// Ends the followers of all projects but these, and takes them off the board.
    fn end_all_but(&mut self, projects: &[FollowedProject]) {
        self.running.retain(|_, running| {
            let kept = projects.contains(&running.project);
            if !kept {
                running.stop.cancel();
            }
            kept
        });
        let followed = followed(projects);
        self.shared
            .board
            .retain(|project, branch| followed.contains(&(project.clone(), branch.clone())));
    }

    fn start(&mut self, project: FollowedProject, pause: Duration) {
        let Shared { deployer, board, looks, .. } = &self.shared;
        let served = deployer.publisher.serving(&project.name, &project.branch);
        let source = WatchedSource::new(&project, &self.repositories, looks, served.is_some());
        let serving = served.as_ref().map(Serving::of);
        let pinned_at = deployer.publisher.pinned_at(&project.name, &project.branch);
        board.follow(&project.name, &project.branch, source.to_string(), serving);
        board.update(&project.name, &project.branch, |status| status.pinned_at = pinned_at);
        // After an upgrade the same commit is deployed once more, and served as it was until then.
        let seen = served.as_ref().and_then(Accepted::finished_commit);
        let stop = CancellationToken::new();
        let span = info_span!("follow", project = %project.name);
        let following = follow(self.shared.clone(), project.clone(), seen, source, stop.clone());
        let waiting = stop.clone();
        let following = async move {
            if waiting.run_until_cancelled(tokio::time::sleep(pause)).await.is_some() {
                following.await;
            }
        };
        let task = self.tasks.spawn(following.instrument(span)).id();
        self.running.insert(project.name.clone(), Running { project, stop, task });
    }
}

pub(super) fn followed(projects: &[FollowedProject]) -> Followed {
    projects.iter().map(|project| (project.name.clone(), project.branch.clone())).collect()
}

/// What a developer's folder may do that a repository may not: be a plain site, carry a `.env`.
pub(crate) fn load_options(config: &NodeConfig) -> LoadOptions {
    LoadOptions {
        plain_site: config.aids.localhost_hosts,
        dotenv: config.aids.env_file,
        ..LoadOptions::default()
    }
}

#[cfg(test)]
mod tests;
