//! A branch of a Git repository, followed: is there something new, fetch it, read its files.
//!
//! ```text
//! poll   asks the remote where the branch points; transfers no objects
//! fetch  brings the branch's newest commit, without its history, into a bare clone of ours
//! tree   lists a fetched commit; files are read from the object database, there is no worktree
//! ```
//!
//! https is spoken in this process; ssh and local paths run `ssh` (under `timeout`) and `git-upload-pack`.
//! Whatever a remote sends is bounded by [`GitLimits`]. The user's Git configuration is not read, so that a
//! node behaves alike whoever starts it. The clone is a cache: what is broken in it is thrown away and
//! fetched again. Nothing is ever pushed. Git LFS is not followed: such a file is its pointer.
//!
//! Every call blocks; async callers wrap them. One call at a time talks to the remote.

mod clone;
mod commit;
mod error;
#[cfg(any(test, fuzzing))]
pub mod hostile;
mod metered;
mod poller;
mod remote;
mod tree;
mod watchdog;

use std::{
    fs, io,
    path::{Path, PathBuf},
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicBool, Ordering::Relaxed},
    },
    time::Duration,
};

use gix::ObjectId;
use headgate_types::Commit;
use tracing::{info, warn};

use self::{
    clone::{BareClone, PACKS},
    error::Failure,
    watchdog::{Watchdog, folder_bytes},
};
pub use self::{
    commit::CommitInfo,
    error::{GitError, RemoteCause},
    poller::{MAX_DELAY, Poller},
    remote::RemoteConfig,
    tree::GitTree,
};
use crate::tree::TreeLimits;

/// What one repository may cost.
#[derive(Clone, Copy, Debug)]
pub struct GitLimits {
    pub tree: TreeLimits,
    /// For one fetch, after connecting.
    pub time: Duration,
    /// For one poll.
    pub poll_time: Duration,
    /// Bytes on disk one fetch may add. Checked a few times a second, so a fast remote gets a little
    /// further.
    pub pack_bytes: u64,
    /// Bytes of memory for any single object: one that is larger makes its commit unfetchable.
    pub object_bytes: u64,
}

impl Default for GitLimits {
    /// A gibibyte in ten minutes is a large repository on a slow line; a file of more than half a
    /// gibibyte belongs into object storage.
    fn default() -> Self {
        Self {
            tree: TreeLimits::default(),
            time: Duration::from_secs(600),
            // A remote that answers at all does so within a second or two.
            poll_time: Duration::from_secs(60),
            pack_bytes: 1 << 30,
            object_bytes: 512 << 20,
        }
    }
}

/// A followed branch and its bare clone.
#[derive(Debug)]
pub struct Repository {
    dir: PathBuf,
    remote: RemoteConfig,
    limits: GitLimits,
    /// One poll or fetch at a time.
    busy: Mutex<()>,
    interrupted: AtomicBool,
    /// Set where an object turns out to be unreadable, or by [`start_over`](Self::start_over).
    given_up: Arc<AtomicBool>,
}

/// Whether Git allows a branch of this name.
pub fn is_branch_name(name: &str) -> bool {
    let full_name = format!("refs/heads/{name}");
    gix::validate::reference::name(full_name.as_str().into()).is_ok()
}

/// Where the branch points on the remote.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RemoteHead {
    pub commit: Commit,
    /// Whether [`Repository::tree`] can read it without a fetch.
    pub fetched: bool,
}

impl Repository {
    /// Prepares to follow a branch with a clone kept in `dir`, which belongs to this repository alone.
    /// Touches the disk but not the network.
    ///
    /// # Errors
    /// If the folder cannot be made.
    pub fn open(dir: &Path, remote: RemoteConfig, limits: GitLimits) -> Result<Self, GitError> {
        fs::create_dir_all(dir)
            .map_err(|source| GitError::Folder { dir: dir.to_owned(), source })?;
        Ok(Self {
            dir: dir.to_owned(),
            remote,
            limits,
            busy: Mutex::new(()),
            interrupted: AtomicBool::new(false),
            given_up: Arc::default(),
        })
    }

    pub fn remote(&self) -> &RemoteConfig {
        &self.remote
    }

    /// Ends the running fetch soon and refuses all later ones: the process shuts down.
    pub fn interrupt(&self) {
        self.interrupted.store(true, Relaxed);
    }

    /// Asks the remote where the branch is.
    ///
    /// # Errors
    /// [`GitError::NoBranch`] naming those it has, and whatever keeps us from asking.
    pub fn poll(&self) -> Result<RemoteHead, GitError> {
        let _busy = self.busy();
        let clone = self.open_or_make()?;
        let limits = GitLimits { time: self.limits.poll_time, ..self.limits };
        let watchdog = Watchdog::new(&self.interrupted, &limits, clone.pack_folder());
        let id = watchdog
            .watch(|stop| clone.remote_head(&self.remote, stop))
            .map_err(|failure| failure.explain(&self.remote, &limits))?;
        let fetched = !self.given_up.load(Relaxed) && clone.has_commit(id);
        Ok(RemoteHead { commit: to_commit(id), fetched })
    }

    /// Fetches the newest commit of the branch, its history left out, and returns it. Trees of other
    /// commits should not be read meanwhile: the clone may be replaced by a fresh one.
    ///
    /// # Errors
    /// As [`poll`](Self::poll), and [`GitError::TooLarge`] for what is over a limit.
    pub fn fetch(&self) -> Result<Commit, GitError> {
        self.fetch_within(self.limits.pack_bytes)
    }

    /// As [`fetch`](Self::fetch), if it brings no more than so many bytes; the limit of this repository
    /// holds as well.
    ///
    /// # Errors
    /// As [`fetch`](Self::fetch).
    pub fn fetch_within(&self, bytes: u64) -> Result<Commit, GitError> {
        let _busy = self.busy();
        let limits = GitLimits { pack_bytes: bytes.min(self.limits.pack_bytes), ..self.limits };
        let dir = self.clone_dir();
        let given_up = self.given_up.load(Relaxed);
        if !given_up && !BareClone::is_worn(&dir, &self.limits) {
            let had_one = dir.exists();
            match self.fetch_into(&dir, &limits) {
                Ok(id) => return Ok(to_commit(id)),
                Err(failure) if had_one && failure.may_be_the_clone() => {
                    warn!(url = %self.remote, error = %failure, "fetch failed, trying a new clone");
                }
                Err(failure) => return Err(failure.explain(&self.remote, &limits)),
            }
        }
        self.fetch_anew(&limits).map(to_commit)
    }

    /// As [`fetch`](Self::fetch), from a remote that is reached in another way.
    #[cfg(any(test, fuzzing))]
    fn fetch_over<T>(&self, transport: impl FnOnce() -> T) -> Result<Commit, GitError>
    where
        T: gix::protocol::transport::client::blocking_io::Transport,
    {
        let clone = self.open_or_make()?;
        let watchdog = Watchdog::new(&self.interrupted, &self.limits, clone.pack_folder());
        let fetched = watchdog.watch(|stop| clone.fetch_over(&self.remote, transport(), stop));
        fetched.map(to_commit).map_err(|failure| failure.explain(&self.remote, &self.limits))
    }

    /// What the clone takes of the disk, nearly.
    pub fn bytes(&self) -> u64 {
        folder_bytes(&self.clone_dir().join(PACKS))
    }

    /// Lets the next fetch clone anew, if that makes the clone smaller: it holds more than one fetch
    /// brought. Whether it will do so and was not going to.
    pub fn start_over(&self) -> bool {
        BareClone::has_gathered(&self.clone_dir()) && !self.given_up.swap(true, Relaxed)
    }

    /// Lists a fetched commit.
    ///
    /// # Errors
    /// [`GitError::NotFetched`], or [`GitError::Tree`] for one over a limit.
    pub fn tree(&self, commit: &Commit) -> Result<GitTree, GitError> {
        let (clone, id) = self.find(commit)?;
        let listed = GitTree::list(clone, id, &self.limits.tree, Arc::clone(&self.given_up));
        listed.inspect_err(|error| {
            if matches!(error, GitError::Damaged { .. }) {
                self.given_up.store(true, Relaxed);
            }
        })
    }

    /// Who made a fetched commit, when, and what for.
    ///
    /// # Errors
    /// [`GitError::NotFetched`].
    pub fn commit_info(&self, commit: &Commit) -> Result<CommitInfo, GitError> {
        let (clone, id) = self.find(commit)?;
        CommitInfo::read(clone.repository(), id)
    }

    fn find(&self, commit: &Commit) -> Result<(BareClone, ObjectId), GitError> {
        let not_fetched = || GitError::NotFetched(commit.clone());
        let id = ObjectId::from_hex(commit.as_str().as_bytes()).map_err(|_| not_fetched())?;
        let clone = BareClone::open(&self.clone_dir(), &self.remote, &self.limits)
            .map_err(|_| not_fetched())?;
        if clone.has_commit(id) { Ok((clone, id)) } else { Err(not_fetched()) }
    }

    fn fetch_into(&self, dir: &Path, limits: &GitLimits) -> Result<ObjectId, Failure> {
        let clone = self.try_open_or_make(dir)?;
        let watchdog = Watchdog::new(&self.interrupted, limits, clone.pack_folder());
        let id = watchdog.watch(|stop| clone.fetch(&self.remote, limits, stop))?;
        // Opened anew, so that the new pack counts; listed, so that what is missing shows now.
        let clone = self.try_open_or_make(dir)?;
        match GitTree::list(clone, id, &self.limits.tree, Arc::clone(&self.given_up)) {
            Err(GitError::Damaged { source }) => Err(Failure::Clone(source)),
            // A tree that is too large is no damage; whoever reads it is told.
            Ok(_) | Err(_) => Ok(id),
        }
    }

    /// Clones into a folder of its own, and lets that replace the clone once it is complete.
    fn fetch_anew(&self, limits: &GitLimits) -> Result<ObjectId, GitError> {
        let (next, dir) = (self.dir.join("clone.next"), self.clone_dir());
        remove(&next)?;
        match self.fetch_into(&next, limits) {
            Ok(id) => {
                remove(&dir)?;
                fs::rename(&next, &dir).map_err(|source| GitError::Folder { dir, source })?;
                self.given_up.store(false, Relaxed);
                Ok(id)
            }
            Err(failure) => {
                remove(&next)?;
                Err(failure.explain(&self.remote, limits))
            }
        }
    }

    /// For a poll: a clone that cannot be opened is replaced at once, there is nothing to lose.
    fn open_or_make(&self) -> Result<BareClone, GitError> {
        let dir = self.clone_dir();
        self.try_open_or_make(&dir).or_else(|failure| {
            info!(url = %self.remote, error = %failure, "clone cannot be opened, making a new one");
            remove(&dir)?;
            let made = self.try_open_or_make(&dir);
            made.map_err(|failure| failure.explain(&self.remote, &self.limits))
        })
    }

    fn try_open_or_make(&self, dir: &Path) -> Result<BareClone, Failure> {
        if dir.exists() {
            BareClone::clear_leftovers(dir).map_err(|error| Failure::clone(&error))?;
            BareClone::open(dir, &self.remote, &self.limits)
        } else {
            BareClone::make(dir, &self.remote, &self.limits)
        }
    }

    fn clone_dir(&self) -> PathBuf {
        self.dir.join("clone.git")
    }

    fn busy(&self) -> MutexGuard<'_, ()> {
        self.busy.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn remove(dir: &Path) -> Result<(), GitError> {
    match fs::remove_dir_all(dir) {
        Err(source) if source.kind() != io::ErrorKind::NotFound => {
            Err(GitError::Folder { dir: dir.to_owned(), source })
        }
        _ => Ok(()),
    }
}

fn to_commit(id: ObjectId) -> Commit {
    Commit::new(&id.to_string())
}

#[cfg(test)]
mod tests;
