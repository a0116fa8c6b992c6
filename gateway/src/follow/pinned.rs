//! A pinned branch is still looked at: what is new is told, and deployed once the pin is taken out.

use std::{mem, sync::Arc};

use headgate_types::Commit;
use tracing::info;

use super::Follower;
use crate::{event::Event, manifest::SourceEntry, publisher::Accepted, status::Latest};

impl Follower {
    pub(super) fn is_pinned(&self) -> bool {
        let project = &self.project;
        self.shared.deployer.publisher.pinned_at(&project.name, &project.branch).is_some()
    }

    /// Whether the pin was taken out since the last time. What is served may be another revision then, and
    /// what was held is to be deployed.
    pub(super) fn is_free_again(&mut self) -> bool {
        let pinned = self.is_pinned();
        let was_pinned = mem::replace(&mut self.pinned, pinned);
        let free = was_pinned && !self.pinned;
        if free {
            self.seen = self.serving().as_ref().and_then(Accepted::finished_commit);
            self.lacks_a_host = false;
            self.conclude(Latest::Served { diagnostics: Arc::default() });
        }
        free
    }

    /// Tells what the source has instead of deploying it.
    pub(super) fn hold(&mut self, commit: Commit, source: Option<SourceEntry>) {
        (self.pinned, self.lacks_a_host) = (true, false);
        self.seen = Some(commit.clone());
        let serving = self.serving().map(|serving| serving.record.revision);
        if serving.as_ref().is_some_and(|serving| serving.commit == commit) {
            self.conclude(Latest::Served { diagnostics: Arc::default() });
            return;
        }
        self.conclude(Latest::Held { commit: commit.clone() });
        let revision = self.revision(&commit);
        info!(%revision, "revision held, its branch is pinned");
        self.log(format!("revision {} held, the branch is pinned", commit.fmt_short()));
        self.report(Event::Held { revision, source, serving });
    }

    fn conclude(&mut self, latest: Latest) {
        self.outcome = latest.clone();
        self.set_latest(latest);
    }
}
