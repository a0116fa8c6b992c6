//! `Looks`: how many repositories are looked at at one time, so that slow ones keep nobody else waiting.

use std::{
    collections::HashMap,
    path::{Path, PathBuf},
    sync::{Arc, Mutex, PoisonError, Weak},
    time::Duration,
};

use tokio::{
    sync::{Mutex as AsyncMutex, OwnedSemaphorePermit, Semaphore},
    task::{self, JoinError},
};

/// Looks at repositories at one time that are answered promptly, as nearly all are.
const QUICK_LOOKS: usize = 16;
/// A look that takes longer makes room for others: it fetches, or its remote is slow or dead.
const PATIENCE: Duration = Duration::from_secs(2);
/// Slow looks at one time. Each holds a blocking thread for as long as its remote keeps it waiting, and
/// those that are dead must not have them all.
const SLOW_LOOKS: usize = 64;

/// Bounds the looks at the repositories of all projects. Those that take long, or failed the last time,
/// wait among themselves, so that dozens of dead remotes keep nobody else from being looked at.
#[derive(Debug, Clone)]
pub(crate) struct Looks {
    quick: Arc<Semaphore>,
    slow: Arc<Semaphore>,
    /// After which a quick look is a slow one.
    patience: Duration,
    /// By the folder of a project's clones, who looks.
    folders: Arc<Mutex<HashMap<PathBuf, Weak<AsyncMutex<()>>>>>,
}

/// A folder of clones. One look at a time writes to it, whichever follower began it: one that nobody waits
/// for any more goes on for a while.
#[derive(Debug, Clone)]
pub(super) struct CloneFolder(Arc<AsyncMutex<()>>);

impl Looks {
    fn new(quick: usize, slow: usize, patience: Duration) -> Self {
        let turns = |most| Arc::new(Semaphore::new(most));
        let folders = Arc::default();
        Self { quick: turns(quick), slow: turns(slow), patience, folders }
    }

    /// The same for all who name it by the same path.
    pub(super) fn folder(&self, dir: &Path) -> CloneFolder {
        let mut folders = self.folders.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(folder) = folders.get(dir).and_then(Weak::upgrade) {
            return CloneFolder(folder);
        }
        folders.retain(|_, folder| folder.strong_count() > 0);
        let folder = Arc::default();
        folders.insert(dir.to_owned(), Arc::downgrade(&folder));
        CloneFolder(folder)
    }

    pub(super) async fn run<T: Send + 'static>(
        &self,
        folder: &CloneFolder,
        failing: bool,
        look: impl FnOnce() -> T + Send + 'static,
    ) -> Result<T, JoinError> {
        // Before a turn is taken, so that whoever waits here takes it from nobody.
        let alone = folder.0.clone().lock_owned().await;
        let turn = Self::turn(if failing { &self.slow } else { &self.quick }).await;
        let turn = Arc::new(Mutex::new(turn));
        // Held by the thread, which goes on when nobody waits for it any more.
        let held = (alone, turn.clone());
        let mut looking = task::spawn_blocking(move || {
            let result = look();
            drop(held);
            result
        });
        let slow = async {
            tokio::time::sleep(self.patience).await;
            Self::turn(&self.slow).await
        };
        tokio::select! {
            done = &mut looking => return done,
            slow = slow, if !failing => {
                *turn.lock().unwrap_or_else(PoisonError::into_inner) = slow;
            }
        }
        looking.await
    }

    async fn turn(turns: &Arc<Semaphore>) -> OwnedSemaphorePermit {
        turns.clone().acquire_owned().await.expect("these semaphores are never closed")
    }
}

impl Default for Looks {
    fn default() -> Self {
        Self::new(QUICK_LOOKS, SLOW_LOOKS, PATIENCE)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::lab::eventually;

    #[tokio::test]
    async fn looks_that_take_long_leave_room_for_others() {
        let looks = Looks::new(2, 5, Duration::from_millis(10));
        let (end, ended) = std::sync::mpsc::sync_channel::<()>(0);
        let ended = Arc::new(Mutex::new(ended));
        let hanging: Vec<_> = (0..5)
            .map(|n| {
                let (looks, ended) = (looks.clone(), ended.clone());
                let folder = looks.folder(Path::new(&n.to_string()));
                tokio::spawn(async move {
                    let look = move || ended.lock().unwrap().recv().is_err();
                    looks.run(&folder, false, look).await
                })
            })
            .collect();
        let folder = looks.folder(Path::new("another"));
        eventually(|| (looks.slow.available_permits() == 0).then_some(())).await;
        assert!(looks.run(&folder, false, || true).await.unwrap(), "one that is quick");
        let failing = looks.run(&folder, true, || true);
        let failing = tokio::time::timeout(Duration::from_millis(100), failing).await;
        assert!(failing.is_err(), "one that failed waits for the slow ones");
        drop(end);
        for look in hanging {
            assert!(look.await.unwrap().unwrap());
        }
        assert!(looks.run(&folder, true, || true).await.unwrap());
    }

    #[tokio::test]
    async fn a_look_waits_for_the_end_of_one_that_nobody_waits_for() {
        let looks = Looks::new(2, 2, Duration::from_secs(60));
        let (end, ended) = std::sync::mpsc::sync_channel::<()>(0);
        let (begin, begun) = std::sync::mpsc::sync_channel::<()>(0);
        let (of_one, of_another) = (looks.clone(), looks.folder(Path::new("a")));
        let look = move || {
            begin.send(()).unwrap();
            ended.recv().is_err()
        };
        let left = tokio::spawn(async move { of_one.run(&of_another, false, look).await });
        task::spawn_blocking(move || begun.recv()).await.unwrap().unwrap();
        left.abort();
        assert!(left.await.unwrap_err().is_cancelled());

        let same = looks.folder(Path::new("a"));
        let early = looks.run(&same, false, || true);
        let early = tokio::time::timeout(Duration::from_millis(100), early).await;
        assert!(early.is_err(), "the first look still writes");
        assert_eq!(looks.quick.available_permits(), 1, "who waits for it takes no turn");
        let other = looks.folder(Path::new("b"));
        assert!(looks.run(&other, false, || true).await.unwrap());
        drop(end);
        assert!(looks.run(&same, false, || true).await.unwrap());
    }

    #[test]
    fn folders_that_nobody_looks_at_any_more_are_forgotten() {
        let looks = Looks::default();
        let kept = looks.folder(Path::new("kept"));
        drop(looks.folder(Path::new("left")));
        let _another = looks.folder(Path::new("another"));
        assert_eq!(looks.folders.lock().unwrap().len(), 2);
        assert!(Arc::ptr_eq(&kept.0, &looks.folder(Path::new("kept")).0));
    }
}
