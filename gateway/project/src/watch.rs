//! `FolderWatch`: says that something in a working folder changed, soon but not for each write.
//!
//! It does not say what: whoever listens lists the folder again, which is quick and cannot miss
//! anything. What [`FolderTree`](crate::tree::FolderTree) leaves out does not wake anyone either, except
//! for `.git/HEAD`, which tells of another branch. While Git writes files, as for another branch, nobody is
//! told until it is done. A folder that is moved away and replaced is watched in its new place.

mod folders;
mod git_lock;
mod looking;
mod root;

use std::{
    fmt, io,
    path::{Path, PathBuf},
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering::Relaxed},
        mpsc::{Receiver, RecvTimeoutError, SyncSender, sync_channel},
    },
    thread::{self, JoinHandle},
    time::{Duration, Instant},
};

use notify::{Event, EventHandler};
use tracing::warn;

use self::{folders::WatchedFolders, git_lock::GitLock, looking::Looking, root::Root};

/// An editor or a build has come to rest after this long without a change…
const QUIET: Duration = Duration::from_millis(30);

/// …and one that does not rest is reported anyway: a change should show in a third of a second.
const MAX_WAIT: Duration = Duration::from_millis(200);

/// Git is taken to be at work while it holds its lock and the last file was written less than this ago. A lock
/// that is held for longer was left behind, or waits for a person, as during `git commit --all`.
const GIT_IDLE: Duration = Duration::from_secs(2);

/// What was written under Git's lock is reported after this long anyway: it may be a build that writes, under a
/// lock left behind. A switch of a hundred thousand files takes about as long.
const LONGEST_GIT: Duration = Duration::from_secs(30);

/// How often the root is asked whether it still is the folder we watch. The kernel does not tell when a
/// folder above it is moved.
const ROOT_INTERVAL: Duration = Duration::from_millis(500);

/// How often a folder is looked through where the kernel does not tell.
const LOOK_INTERVAL: Duration = Duration::from_secs(1);

/// Events waiting for our thread. When there are more, it looks at everything anew.
const MAX_WAITING: usize = 1024;

/// Watches a folder until it is dropped.
pub struct FolderWatch {
    flags: Arc<Flags>,
    wake: SyncSender<Signal>,
    thread: Option<JoinHandle<()>>,
}

impl FolderWatch {
    /// Calls `changed` from a thread of its own after each burst of changes below `dir`; it should only
    /// wake someone. Where the kernel has no watches left, the folder is looked through once a second,
    /// and a warning says so.
    ///
    /// # Errors
    /// If the folder cannot be found or no thread can be started.
    pub fn new(
        dir: &Path,
        changed: impl FnMut() + Send + 'static,
    ) -> Result<Self, WatchFolderError> {
        // Looked at before it is watched: if it is replaced in between, that shows at the first check.
        let asked = Root::of(dir);
        Self::start(dir, |root, signals, events| {
            match WatchedFolders::watch(&root, events.clone()) {
                Ok(folders) => {
                    let git = GitLock::of(&root);
                    let flags = events.flags;
                    let worker = Worker { root: asked, folders, git, signals, flags, changed };
                    Box::new(move || worker.run())
                }
                Err(error) => {
                    warn!(%error, "looking for changes once a second; raise fs.inotify.max_user_watches");
                    Looking::new(root, LOOK_INTERVAL).run_until_stopped(signals, changed)
                }
            }
        })
    }

    /// As [`new`](Self::new), but always looking, every `interval`: for network file systems, which do
    /// not tell.
    ///
    /// # Errors
    /// As [`new`](Self::new).
    pub fn looking(
        dir: &Path,
        interval: Duration,
        changed: impl FnMut() + Send + 'static,
    ) -> Result<Self, WatchFolderError> {
        Self::start(dir, |root, signals, _events| {
            Looking::new(root, interval).run_until_stopped(signals, changed)
        })
    }

    fn start(
        dir: &Path,
        prepare: impl FnOnce(PathBuf, Receiver<Signal>, Events) -> Box<dyn FnOnce() + Send>,
    ) -> Result<Self, WatchFolderError> {
        let root = dir.canonicalize().map_err(|source| WatchFolderError::Folder { source })?;
        let (wake, signals) = sync_channel(MAX_WAITING);
        let flags = Arc::<Flags>::default();
        let events = Events { queue: wake.clone(), flags: Arc::clone(&flags) };
        let work = prepare(root, signals, events);
        let thread = thread::Builder::new().name("folder-watch".to_owned());
        let thread = thread.spawn(work).map_err(|source| WatchFolderError::Thread { source })?;
        Ok(Self { flags, wake, thread: Some(thread) })
    }
}

impl Drop for FolderWatch {
    fn drop(&mut self) {
        self.flags.stopped.store(true, Relaxed);
        let _full = self.wake.try_send(Signal::LookAtFlags); // then the thread is awake anyway
        if let Some(thread) = self.thread.take()
            && thread.thread().id() != thread::current().id()
        {
            let _panicked = thread.join(); // in the caller's `changed`, and already reported
        }
    }
}

impl fmt::Debug for FolderWatch {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("FolderWatch").finish_non_exhaustive()
    }
}

/// Why a folder cannot be watched.
#[derive(Debug, thiserror::Error)]
pub enum WatchFolderError {
    #[error("failed to find the folder to watch")]
    Folder { source: io::Error },
    #[error("failed to start the watching thread")]
    Thread { source: io::Error },
}

#[derive(Debug, Default)]
struct Flags {
    stopped: AtomicBool,
    /// Events were lost.
    overflowed: AtomicBool,
}

#[derive(Debug)]
enum Signal {
    Event(Event),
    LookAtFlags,
}

/// Passes events from notify's thread to ours, which alone may change what is watched.
#[derive(Clone)]
struct Events {
    queue: SyncSender<Signal>,
    flags: Arc<Flags>,
}

impl EventHandler for Events {
    fn handle_event(&mut self, event: notify::Result<Event>) {
        let signal = match event {
            Ok(event) if folders::is_only_access(&event) => return,
            Ok(event) if !event.need_rescan() => Signal::Event(event),
            Ok(_) | Err(_) => {
                self.flags.overflowed.store(true, Relaxed);
                Signal::LookAtFlags
            }
        };
        if self.queue.try_send(signal).is_err() {
            self.flags.overflowed.store(true, Relaxed);
        }
    }
}

struct Worker<F> {
    root: Root,
    folders: WatchedFolders,
    git: GitLock,
    signals: Receiver<Signal>,
    flags: Arc<Flags>,
    changed: F,
}

impl<F: FnMut()> Worker<F> {
    fn run(mut self) {
        let mut next_check = Instant::now() + ROOT_INTERVAL;
        loop {
            let left = next_check.saturating_duration_since(Instant::now());
            let concerns = match self.signals.recv_timeout(left) {
                Ok(signal) => self.take(&signal),
                Err(RecvTimeoutError::Timeout) => {
                    next_check = Instant::now() + ROOT_INTERVAL;
                    self.root.differs()
                }
                Err(RecvTimeoutError::Disconnected) => return,
            };
            if self.is_stopped() {
                return;
            }
            if concerns {
                self.wait_for_rest();
                if self.is_stopped() {
                    return;
                }
                // Both first, so that nothing changes unseen after `changed`.
                self.follow_root();
                self.folders.refresh();
                (self.changed)();
            }
        }
    }

    fn is_stopped(&self) -> bool {
        self.flags.stopped.load(Relaxed)
    }

    /// Watches the folder that now stands where we were told to look.
    fn follow_root(&mut self) {
        if let Some(root) = self.root.moved() {
            self.git = GitLock::of(&root);
            self.folders.move_to(root);
        }
    }

    /// Takes what comes until nothing has for a while, and Git is done; or for too long.
    fn wait_for_rest(&mut self) {
        self.wait_until_quiet();
        let begun = Instant::now();
        let (mut written, mut waited) = (begun, false);
        while !self.is_stopped() && self.git.is_held() {
            waited = true;
            if self.wait_until_quiet() {
                written = Instant::now();
            }
            if written.elapsed() >= GIT_IDLE || begun.elapsed() >= LONGEST_GIT {
                self.git.disregard();
                return;
            }
        }
        if waited {
            self.wait_until_quiet(); // Git writes HEAD last
        }
    }

    /// Takes what comes until nothing has for a while, or for too long; says whether anything came.
    fn wait_until_quiet(&mut self) -> bool {
        let latest = Instant::now() + MAX_WAIT;
        let mut rest = Instant::now() + QUIET;
        let mut came = false;
        loop {
            let until = rest.min(latest);
            let left = until.saturating_duration_since(Instant::now());
            match self.signals.recv_timeout(left) {
                Ok(signal) if self.take(&signal) => {
                    rest = Instant::now() + QUIET;
                    came = true;
                }
                Ok(_) if !left.is_zero() => {}
                Ok(_) | Err(_) => return came,
            }
            if Instant::now() >= latest {
                return came;
            }
        }
    }

    /// Whether this is a change someone should hear of.
    fn take(&mut self, signal: &Signal) -> bool {
        if self.flags.overflowed.swap(false, Relaxed) {
            self.folders.suspect_all();
            return true;
        }
        matches!(signal, Signal::Event(event) if self.folders.take(event))
    }
}

#[cfg(test)]
mod tests;
