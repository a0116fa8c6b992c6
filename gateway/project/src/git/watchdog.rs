//! `Watchdog`: ends what takes too long, brings too much, or is no longer wanted.

use std::{
    fs,
    path::{Path, PathBuf},
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering::Relaxed},
        mpsc::{RecvTimeoutError, sync_channel},
    },
    thread,
    time::{Duration, Instant},
};

use super::{GitLimits, error::Failure};

/// How soon an interruption or a limit is noticed.
const TICK: Duration = Duration::from_millis(100);

/// Watches one operation. It can only ask gix to stop, which it does between two reads; reads
/// themselves end by the time limits of ssh and of the HTTP client.
#[derive(Debug)]
pub(super) struct Watchdog<'a> {
    interrupted: &'a AtomicBool,
    limits: &'a GitLimits,
    packs: PathBuf,
}

impl<'a> Watchdog<'a> {
    pub(super) fn new(interrupted: &'a AtomicBool, limits: &'a GitLimits, packs: PathBuf) -> Self {
        Self { interrupted, limits, packs }
    }

    /// Runs `work`, which has to look at the flag it is given.
    pub(super) fn watch<T>(
        &self,
        work: impl FnOnce(&Arc<AtomicBool>) -> Result<T, Failure>,
    ) -> Result<T, Failure> {
        if self.interrupted.load(Relaxed) {
            return Err(Failure::Interrupted);
        }
        let stop = Arc::new(AtomicBool::new(false));
        thread::scope(|scope| {
            let (done, is_done) = sync_channel::<()>(0);
            let (started, before) = (Instant::now(), folder_bytes(&self.packs));
            let stop = &stop;
            let guard = scope.spawn(move || {
                while is_done.recv_timeout(TICK) == Err(RecvTimeoutError::Timeout) {
                    if let Some(reason) = self.reason_to_stop(started, before) {
                        stop.store(true, Relaxed);
                        return Some(reason);
                    }
                }
                None
            });
            let result = work(stop);
            drop(done);
            let reason = guard.join().expect("the watching thread has nothing to panic about");
            match (result, reason) {
                (Err(_), Some(reason)) => Err(reason),
                (result, _) => result,
            }
        })
    }

    fn reason_to_stop(&self, started: Instant, before: u64) -> Option<Failure> {
        if self.interrupted.load(Relaxed) {
            Some(Failure::Interrupted)
        } else if started.elapsed() > self.limits.time {
            Some(Failure::TimedOut)
        } else if folder_bytes(&self.packs).saturating_sub(before) > self.limits.pack_bytes {
            Some(Failure::TooLarge)
        } else {
            None
        }
    }
}

/// The sum of the files in one folder; what vanishes meanwhile counts nothing.
pub(super) fn folder_bytes(folder: &Path) -> u64 {
    let Ok(entries) = fs::read_dir(folder) else { return 0 };
    entries.flatten().filter_map(|entry| entry.metadata().ok()).map(|metadata| metadata.len()).sum()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn watch(limits: GitLimits, interrupt: bool) -> Result<(), Failure> {
        let dir = tempfile::tempdir().unwrap();
        let interrupted = AtomicBool::new(false);
        let watchdog = Watchdog::new(&interrupted, &limits, dir.path().to_owned());
        watchdog.watch(|stop| {
            fs::write(dir.path().join("tmp_pack"), [0; 2048]).unwrap();
            interrupted.store(interrupt, Relaxed);
            let deadline = Instant::now() + Duration::from_secs(10);
            while !stop.load(Relaxed) {
                assert!(Instant::now() < deadline, "never stopped");
                thread::yield_now();
            }
            Err(Failure::NoBranch(Vec::new()))
        })
    }

    #[test]
    fn an_operation_ends_by_time_size_or_interruption() {
        let roomy = GitLimits::default();
        let late = watch(GitLimits { time: Duration::ZERO, ..roomy }, false);
        assert!(matches!(late, Err(Failure::TimedOut)), "{late:?}");
        let large = watch(GitLimits { pack_bytes: 1024, ..roomy }, false);
        assert!(matches!(large, Err(Failure::TooLarge)), "{large:?}");
        let interrupted = watch(roomy, true);
        assert!(matches!(interrupted, Err(Failure::Interrupted)), "{interrupted:?}");
    }
}
