//! `WatchedSource`: where a project comes from, and how its next state is noticed.

use std::{
    fmt, io,
    path::{Path, PathBuf},
    sync::Arc,
    time::{Duration, Instant},
};

use headgate_project::{
    git::{GitError, Poller},
    tree::{FolderTree, OpenFolderError, TooManyFiles, Tree, TreeLimits},
    watch::{FolderWatch, WatchFolderError},
};
use headgate_types::{Clock, Commit, SystemClock};
use tokio::{
    sync::Notify,
    task::{self, JoinError},
};

use super::{
    looks::{CloneFolder, Looks},
    repositories::Repositories,
};
use crate::{
    manifest::SourceEntry,
    node_config::{FollowedProject, Source},
};

/// To pass before a source is looked at again that changed while it was read, doubled each time it does:
/// editors and builds write for moments, and reading what is being written is in vain.
const CHANGED_PAUSE: Duration = Duration::from_millis(50);
/// A folder that never rests is still read this often.
const LONGEST_CHANGED_PAUSE: Duration = Duration::from_secs(2);

/// One state of a source.
pub(crate) struct Seen {
    pub(crate) commit: Commit,
    /// The repositories it is made of, for the manifest.
    pub(crate) sources: Vec<SourceEntry>,
    pub(crate) tree: Arc<dyn Tree>,
    /// When the change was noticed.
    pub(crate) since: Instant,
}

#[derive(Debug, thiserror::Error)]
pub(crate) enum SourceError {
    #[error("the folder {} does not exist", .0.display())]
    NoFolder(PathBuf),
    #[error("the folder cannot be read")]
    Folder(#[from] OpenFolderError),
    #[error("the folder cannot be watched")]
    Watch(#[from] WatchFolderError),
    #[error("the repository cannot be followed")]
    Git(#[from] GitError),
    /// One beside that of the configuration.
    #[error("the repository {repository} cannot be followed")]
    Other { repository: Arc<str>, source: GitError },
    #[error("the project wants more than {limit} repositories and branches of them")]
    TooMany { limit: usize },
    #[error("the repositories cannot be served together")]
    TooManyFiles(#[from] TooManyFiles),
    /// A bug; the panic itself is in the log.
    #[error("looking at the source panicked")]
    Panicked(#[from] JoinError),
}

impl SourceError {
    /// Some repository brings more than there is room for.
    pub(super) fn is_too_large(&self) -> bool {
        let (Self::Git(error) | Self::Other { source: error, .. }) = self else { return false };
        matches!(error, GitError::TooLarge { .. })
    }
}

/// A source and when to look at it next.
pub(crate) struct WatchedSource {
    shown: String,
    kind: Kind,
    poller: Poller,
    /// To pass before the next look.
    pause: Duration,
    /// The last of the pauses for a source that changed while it was read, if that was the last thing it did.
    changed_pause: Duration,
}

enum Kind {
    Folder(Folder),
    Git(Git),
}

impl WatchedSource {
    /// Touches neither disk nor network: what is wrong shows at the first look, and is retried.
    ///
    /// A repository whose project is `served` already is first looked at within one interval, so that the
    /// looks of all projects spread; somebody waits for the others.
    pub(crate) fn new(
        project: &FollowedProject,
        repositories: &Path,
        looks: &Looks,
        served: bool,
    ) -> Self {
        let mut pause = Duration::ZERO;
        let (shown, kind) = match &project.source {
            Source::Folder(dir) => {
                (dir.display().to_string(), Kind::Folder(Folder::new(dir.clone())))
            }
            Source::Git(_) => {
                if served {
                    pause = project.poll.mul_f64(rand::random());
                }
                let dir = repositories.join(project.name.as_str());
                let folder = looks.folder(&dir);
                let repositories = Arc::new(Repositories::new(project, dir));
                let shown = repositories.to_string();
                (shown, Kind::Git(Git { repositories, folder, looks: looks.clone() }))
            }
        };
        let poller = Poller::new(project.poll);
        Self { shown, kind, poller, pause, changed_pause: Duration::ZERO }
    }

    /// Waits until it is time to look, and looks; `None` if the source is at `seen`. May be dropped and
    /// called again at any time.
    pub(crate) async fn next(
        &mut self,
        seen: Option<&Commit>,
    ) -> Result<Option<Seen>, SourceError> {
        tokio::time::sleep(self.pause).await;
        match &mut self.kind {
            Kind::Folder(folder) => folder.look(seen).await,
            Kind::Git(git) => git.look(seen, self.poller.failures() > 0).await,
        }
    }

    /// The last state was dealt with, whether it was accepted, refused or known.
    pub(crate) fn succeeded(&mut self) {
        let interval = self.poller.next_delay(true, rand::random());
        self.changed_pause = Duration::ZERO;
        self.pause = match &mut self.kind {
            Kind::Git(_) => interval,
            Kind::Folder(folder) => {
                folder.wait = true;
                Duration::ZERO
            }
        };
    }

    /// The last look or deploy failed; returns when the next one is due.
    pub(crate) fn failed(&mut self) -> Option<Duration> {
        self.changed_pause = Duration::ZERO;
        self.pause = self.poller.next_delay(false, rand::random());
        Some(self.pause)
    }

    /// The source changed while it was read, so that what was seen of it is worth nothing.
    pub(crate) fn changed_meanwhile(&mut self) {
        self.changed_pause = (self.changed_pause * 2).clamp(CHANGED_PAUSE, LONGEST_CHANGED_PAUSE);
        self.pause = self.changed_pause;
    }

    /// Looks without waiting for a change or for the next poll.
    pub(crate) fn look_now(&mut self) {
        self.pause = Duration::ZERO;
        if let Kind::Folder(folder) = &mut self.kind {
            folder.wait = false;
        }
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
    /// Until something changes; else the next look is due at once.
    wait: bool,
}

impl Folder {
    fn new(dir: PathBuf) -> Self {
        Self { dir, watch: None, wait: false }
    }

    async fn look(&mut self, seen: Option<&Commit>) -> Result<Option<Seen>, SourceError> {
        // Watched before it is listed, so that a change in between is not missed.
        let changed = self.changed()?;
        if self.wait {
            changed.notified().await;
            self.wait = false; // until this change was dealt with
        }
        let since = Instant::now();
        let tree = self.list().await?;
        let commit = tree.commit();
        let differs = seen != Some(&commit);
        Ok(differs.then(|| {
            let sources = vec![folder_source(&self.dir, &commit)];
            Seen { commit, sources, tree: Arc::new(tree), since }
        }))
    }

    fn changed(&mut self) -> Result<Arc<Notify>, SourceError> {
        if let Some((_, changed)) = &self.watch {
            return Ok(changed.clone());
        }
        if self.dir.metadata().is_err_and(|error| error.kind() == io::ErrorKind::NotFound) {
            return Err(SourceError::NoFolder(self.dir.clone()));
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
        Ok(task::spawn_blocking(list).await??)
    }
}

/// One or more repositories, opened at the first look.
struct Git {
    repositories: Arc<Repositories>,
    folder: CloneFolder,
    looks: Looks,
}

impl Git {
    async fn look(
        &self,
        seen: Option<&Commit>,
        failing: bool,
    ) -> Result<Option<Seen>, SourceError> {
        let (repositories, seen) = (self.repositories.clone(), seen.cloned());
        let look = move || repositories.look(seen.as_ref());
        self.looks.run(&self.folder, failing, look).await?
    }
}

/// Ends a fetch under way, so that shutdown need not wait for a slow remote.
impl Drop for Git {
    fn drop(&mut self) {
        self.repositories.interrupt();
    }
}

fn folder_source(dir: &Path, commit: &Commit) -> SourceEntry {
    SourceEntry {
        repository: dir.display().to_string(),
        commit: commit.clone(),
        author: None,
        committed_at: None,
        subject: None,
    }
}

#[cfg(test)]
mod tests {
    use headgate_types::Branch;

    use super::*;
    use crate::node_config::{GitCredentials, OtherRepositories};

    fn source(source: Source, served: bool) -> WatchedSource {
        let project = FollowedProject {
            name: "one".parse().unwrap(),
            source,
            branch: Branch::new("main"),
            poll: Duration::from_secs(5),
            credentials: GitCredentials::default(),
            others: OtherRepositories::default(),
            ownership: crate::node_config::OwnershipRule::Trust,
        };
        WatchedSource::new(&project, Path::new("/nowhere"), &Looks::default(), served)
    }

    #[test]
    fn a_source_that_changes_while_it_is_read_is_given_ever_more_rest() {
        let mut source = source(Source::Folder("/nowhere".into()), false);
        let mut pauses = || {
            source.changed_meanwhile();
            source.pause.as_millis()
        };
        assert_eq!([(); 8].map(|()| pauses()), [50, 100, 200, 400, 800, 1600, 2000, 2000]);
        source.succeeded();
        assert_eq!(source.pause, Duration::ZERO);
        source.changed_meanwhile();
        assert_eq!(source.pause, CHANGED_PAUSE);
    }

    #[test]
    fn repositories_of_served_projects_are_not_all_looked_at_at_once() {
        let url = || Source::Git("file:///nowhere".into());
        let pauses: Vec<_> = (0..20).map(|_| source(url(), true).pause).collect();
        assert!(pauses.iter().all(|pause| *pause < Duration::from_secs(5)));
        assert!(pauses.iter().any(|pause| *pause != pauses[0]), "{pauses:?}");
        assert_eq!(source(url(), false).pause, Duration::ZERO, "somebody waits for it");
    }

    #[tokio::test]
    async fn a_folder_that_is_as_it_was_is_looked_at_again_when_it_changes() {
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(folder.path().join("a"), "a").unwrap();
        let mut source = source(Source::Folder(folder.path().to_owned()), false);
        // What was written a moment ago has a name that is good only once.
        let mut seen = source.next(None).await.unwrap().unwrap().commit;
        while let Some(other) = source.next(Some(&seen)).await.unwrap() {
            seen = other.commit;
        }
        source.succeeded();
        let written = async { std::fs::write(folder.path().join("b"), "b") };
        let (changed, written) = tokio::join!(source.next(Some(&seen)), written);
        written.unwrap();
        assert_ne!(changed.unwrap().unwrap().commit, seen);
    }
}
