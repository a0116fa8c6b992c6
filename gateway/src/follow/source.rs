//! `WatchedSource`: where a project comes from, and how its next state is noticed.

use std::{
    fmt,
    path::{Path, PathBuf},
    sync::Arc,
    time::{Duration, Instant},
};

use headgate_project::{
    git::{GitError, GitLimits, Poller, RemoteConfig, Repository},
    tree::{FolderTree, OpenFolderError, Tree, TreeLimits},
    watch::{FolderWatch, WatchFolderError},
};
use headgate_types::{Clock, Commit, SystemClock};
use tokio::sync::Notify;

use crate::node_config::{FollowedProject, Source};

/// One state of a source.
pub(crate) struct Seen {
    pub(crate) commit: Commit,
    pub(crate) tree: Arc<dyn Tree>,
    /// When the change was noticed.
    pub(crate) since: Instant,
}

#[derive(Debug, thiserror::Error)]
pub(crate) enum SourceError {
    #[error("the folder cannot be read")]
    Folder(#[from] OpenFolderError),
    #[error("the folder cannot be watched")]
    Watch(#[from] WatchFolderError),
    #[error("the repository cannot be followed")]
    Git(#[from] GitError),
}

/// A source and when to look at it next.
pub(crate) struct WatchedSource {
    shown: String,
    kind: Kind,
    poller: Poller,
    /// To pass before the next look; zero at first.
    pause: Duration,
}

enum Kind {
    Folder(Folder),
    Git(Git),
}

impl WatchedSource {
    /// Touches neither disk nor network: what is wrong shows at the first look, and is retried.
    pub(crate) fn new(project: &FollowedProject, repositories: &Path) -> Self {
        let (shown, kind) = match &project.source {
            Source::Folder(dir) => {
                (dir.display().to_string(), Kind::Folder(Folder { dir: dir.clone(), watch: None }))
            }
            Source::Git(_) => {
                let git = Git::new(project, repositories.join(project.name.as_str()));
                (git.to_string(), Kind::Git(git))
            }
        };
        Self { shown, kind, poller: Poller::new(project.poll), pause: Duration::ZERO }
    }

    /// Waits until the source differs from `seen`. May be dropped and called again at any time.
    pub(crate) async fn next(&mut self, seen: Option<&Commit>) -> Result<Seen, SourceError> {
        tokio::time::sleep(self.pause).await;
        match &mut self.kind {
            Kind::Folder(folder) => folder.next(seen).await,
            Kind::Git(git) => loop {
                let found = git.look(seen).await?;
                if let Some(found) = found {
                    return Ok(found);
                }
                let pause = self.poller.next_delay(true, rand::random());
                tokio::time::sleep(pause).await;
            },
        }
    }

    /// The last state was dealt with, whether it was accepted or refused.
    pub(crate) fn succeeded(&mut self) {
        let interval = self.poller.next_delay(true, rand::random());
        self.pause = if matches!(self.kind, Kind::Git(_)) { interval } else { Duration::ZERO };
    }

    /// The last look or deploy failed; returns when the next one is due.
    pub(crate) fn failed(&mut self) -> Option<Duration> {
        self.pause = self.poller.next_delay(false, rand::random());
        Some(self.pause)
    }
}

/// Where it comes from, without credentials.
impl fmt::Display for WatchedSource {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.shown)
    }
}

struct Folder {
    dir: PathBuf,
    watch: Option<(FolderWatch, Arc<Notify>)>,
}

impl Folder {
    async fn next(&mut self, seen: Option<&Commit>) -> Result<Seen, SourceError> {
        // Watched before it is listed, so that a change in between is not missed.
        let changed = self.changed()?;
        let mut since = Instant::now();
        loop {
            let tree = self.list().await?;
            let commit = tree.commit();
            if seen != Some(&commit) {
                return Ok(Seen { commit, tree: Arc::new(tree), since });
            }
            changed.notified().await;
            since = Instant::now();
        }
    }

    fn changed(&mut self) -> Result<Arc<Notify>, SourceError> {
        if let Some((_, changed)) = &self.watch {
            return Ok(changed.clone());
        }
        let changed = Arc::new(Notify::new());
        let notify = changed.clone();
        let watch = FolderWatch::new(&self.dir, move || notify.notify_one())?;
        self.watch = Some((watch, changed.clone()));
        Ok(changed)
    }

    async fn list(&self) -> Result<FolderTree, SourceError> {
        let dir = self.dir.clone();
        let list = move || FolderTree::open(&dir, &TreeLimits::default(), SystemClock.now());
        Ok(tokio::task::spawn_blocking(list).await.expect("listing a folder does not panic")?)
    }
}

/// A repository that is opened at the first look.
struct Git {
    project: FollowedProject,
    dir: PathBuf,
    repository: Option<Arc<Repository>>,
}

impl Git {
    fn new(project: &FollowedProject, dir: PathBuf) -> Self {
        Self { project: project.clone(), dir, repository: None }
    }

    /// The newest commit of the branch, if it is not `seen`.
    async fn look(&mut self, seen: Option<&Commit>) -> Result<Option<Seen>, SourceError> {
        let repository = match &self.repository {
            Some(repository) => repository.clone(),
            None => self.repository.insert(Arc::new(self.open()?)).clone(),
        };
        let seen = seen.cloned();
        let since = Instant::now();
        let look = move || -> Result<_, GitError> {
            let head = repository.poll()?;
            if seen.as_ref() == Some(&head.commit) {
                return Ok(None);
            }
            let commit = if head.fetched { head.commit } else { repository.fetch()? };
            let tree: Arc<dyn Tree> = Arc::new(repository.tree(&commit)?);
            Ok(Some(Seen { commit, tree, since }))
        };
        let looked = tokio::task::spawn_blocking(look).await;
        Ok(looked.expect("reading a repository does not panic")?)
    }

    fn open(&self) -> Result<Repository, GitError> {
        Repository::open(&self.dir, self.remote()?, GitLimits::default())
    }

    fn remote(&self) -> Result<RemoteConfig, GitError> {
        let Source::Git(url) = &self.project.source else {
            unreachable!("a Git source is made of a Git source");
        };
        let credentials = &self.project.credentials;
        let mut remote = RemoteConfig::new(url, self.project.branch.clone())?;
        if let Some(path) = &credentials.token_file {
            remote = remote.with_token_file(path);
        }
        if let Some(path) = &credentials.ssh_key {
            remote = remote.with_ssh_key(path);
        }
        if let Some(path) = &credentials.known_hosts {
            remote = remote.with_known_hosts(path);
        }
        Ok(remote)
    }
}

/// Ends a fetch under way, so that shutdown need not wait for a slow remote.
impl Drop for Git {
    fn drop(&mut self) {
        if let Some(repository) = &self.repository {
            repository.interrupt();
        }
    }
}

/// An unusable URL may hold a secret anywhere, so it is not shown at all.
impl fmt::Display for Git {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.remote() {
            Ok(remote) => remote.fmt(f),
            Err(_) => f.write_str("an unusable URL"),
        }
    }
}
