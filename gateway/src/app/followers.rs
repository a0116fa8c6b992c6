//! `Followers`: one task for each followed project, owned here, started and ended with the list.

use std::{collections::HashMap, path::PathBuf};

use headgate_project::LoadOptions;
use headgate_types::{Branch, ProjectName};
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;
use tracing::{Instrument, error, info_span, warn};

use crate::{
    follow::{Shared, WatchedSource, follow},
    node_config::{FollowedProject, NodeConfig},
    publisher::Followed,
};

pub(super) struct Followers {
    shared: Shared,
    /// Where Git repositories are cloned to, each under its project's name.
    repositories: PathBuf,
    running: HashMap<ProjectName, Running>,
}

struct Running {
    project: FollowedProject,
    stop: CancellationToken,
    task: JoinHandle<()>,
}

impl Followers {
    pub(super) fn new(shared: Shared, repositories: PathBuf) -> Self {
        Self { shared, repositories, running: HashMap::new() }
    }

    /// Follows these projects and no others. One that is followed already, unchanged, is left alone.
    pub(super) fn follow(&mut self, projects: &[FollowedProject]) {
        self.running.retain(|_, running| {
            let kept = projects.contains(&running.project);
            if !kept {
                running.stop.cancel();
            }
            kept
        });
        let followed = followed(projects);
        let kept = |project: &ProjectName, branch: &Branch| {
            followed.contains(&(project.clone(), branch.clone()))
        };
        self.shared.board.retain(kept);
        for project in projects {
            if !self.running.contains_key(&project.name) {
                self.start(project.clone());
            }
        }
    }

    /// As [`follow`](Self::follow), and what is no longer followed is no longer served.
    pub(super) async fn refollow(&mut self, config: &NodeConfig) {
        let publisher = self.shared.deployer.publisher.clone();
        let followed = followed(&config.projects);
        self.follow(&config.projects);
        let reconciled = tokio::task::spawn_blocking(move || publisher.reconcile(Some(followed)));
        if let Err(error) = reconciled.await.expect("publishing does not panic") {
            error!(error = %headgate_types::Chain(&error), "the new project list is not served yet");
        }
    }

    pub(super) async fn stop(&mut self) {
        for running in self.running.values() {
            running.stop.cancel();
        }
        for (project, running) in self.running.drain() {
            if running.task.await.is_err() {
                warn!(%project, "a follower ended early");
            }
        }
    }

    fn start(&mut self, project: FollowedProject) {
        let source = WatchedSource::new(&project, &self.repositories);
        self.shared.board.follow(&project.name, &project.branch, source.to_string());
        let stop = CancellationToken::new();
        let span = info_span!("follow", project = %project.name);
        let following = follow(self.shared.clone(), project.clone(), source, stop.clone());
        let task = tokio::spawn(following.instrument(span));
        self.running.insert(project.name.clone(), Running { project, stop, task });
    }
}

pub(super) fn followed(projects: &[FollowedProject]) -> Followed {
    projects.iter().map(|project| (project.name.clone(), project.branch.clone())).collect()
}

/// What a developer's folder may do that a repository may not: be a plain site, carry a `.env`.
pub(crate) fn load_options(config: &NodeConfig) -> LoadOptions {
    LoadOptions { plain_site: config.aids.localhost_hosts, dotenv: config.aids.env_file }
}
