//! `StatusBoard`: how each followed project stands, for `headgate status`, `/readyz` and the dev error page.

use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex, PoisonError},
};

use headgate_project::Diagnostics;
use headgate_types::{Branch, Commit, ProjectName, Timestamp};
use tokio::sync::Notify;

use crate::publisher::Accepted;

/// The last thing known of every followed project. Written by the followers, read by admin.
#[derive(Debug, Default)]
pub struct StatusBoard {
    projects: Mutex<BTreeMap<(ProjectName, Branch), ProjectStatus>>,
    changed: Notify,
}

#[derive(Debug, Clone)]
pub struct ProjectStatus {
    pub project: ProjectName,
    pub branch: Branch,
    /// Where it comes from, without credentials.
    pub source: String,
    pub serving: Option<Serving>,
    /// Since when it stays at what is served, if an operator said so.
    pub pinned_at: Option<Timestamp>,
    pub latest: Latest,
}

#[derive(Debug, Clone)]
pub struct Serving {
    pub commit: Commit,
    pub accepted_at: Timestamp,
    pub functions: usize,
    pub websites: usize,
}

impl Serving {
    pub(crate) fn of(accepted: &Accepted) -> Self {
        Self {
            commit: accepted.record.revision.commit.clone(),
            accepted_at: accepted.record.accepted_at,
            functions: accepted.manifest.functions.len(),
            websites: accepted.manifest.websites.len(),
        }
    }
}

/// What became of the newest revision that was seen.
#[derive(Debug, Clone)]
pub enum Latest {
    /// Nothing was seen yet.
    Waiting,
    Deploying {
        commit: Commit,
    },
    /// It is the one being served; its warnings, if any.
    Served {
        diagnostics: Arc<Diagnostics>,
    },
    Refused {
        commit: Commit,
        diagnostics: Arc<Diagnostics>,
    },
    /// It is not deployed, because the branch is pinned.
    Held {
        commit: Commit,
    },
    /// The source or this node failed, not the project.
    Failed {
        error: String,
    },
}

impl StatusBoard {
    pub fn all(&self) -> Vec<ProjectStatus> {
        self.lock().values().cloned().collect()
    }

    /// Puts a project on the board, with what is served of it already, keeping what else is known.
    pub fn follow(
        &self,
        project: &ProjectName,
        branch: &Branch,
        source: String,
        serving: Option<Serving>,
    ) {
        let latest = match &serving {
            // Its warnings were told when it was accepted.
            Some(_) => Latest::Served { diagnostics: Arc::default() },
            None => Latest::Waiting,
        };
        let mut projects = self.lock();
        let key = (project.clone(), branch.clone());
        let status = projects.entry(key).or_insert_with(|| ProjectStatus {
            project: project.clone(),
            branch: branch.clone(),
            source: String::new(),
            serving: None,
            pinned_at: None,
            latest,
        });
        status.source = source;
        status.serving = serving.or_else(|| status.serving.take());
    }

    pub fn update(
        &self,
        project: &ProjectName,
        branch: &Branch,
        change: impl FnOnce(&mut ProjectStatus),
    ) {
        if let Some(status) = self.lock().get_mut(&(project.clone(), branch.clone())) {
            change(status);
        }
        self.changed.notify_waiters();
    }

    /// Takes what is no longer followed off the board.
    pub fn retain(&self, followed: impl Fn(&ProjectName, &Branch) -> bool) {
        self.lock().retain(|(project, branch), _| followed(project, branch));
        self.changed.notify_waiters();
    }

    /// Waits until every followed project had its first answer, good or bad.
    pub async fn settled(&self) {
        loop {
            let changed = self.changed.notified();
            if self.is_settled() {
                return;
            }
            changed.await;
        }
    }

    fn is_settled(&self) -> bool {
        self.lock().values().all(|s| {
            s.serving.is_some() || !matches!(s.latest, Latest::Waiting | Latest::Deploying { .. })
        })
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, BTreeMap<(ProjectName, Branch), ProjectStatus>> {
        self.projects.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
