//! The thread that writes log lines.
//!
//! Whoever logs appends to a buffer in memory and goes on. The thread takes the buffer as a whole and writes
//! it, so that a busy node makes a hundred system calls a second for its access log, not a hundred thousand.
//! When the sink cannot keep up the newest lines are dropped, and a line says how many.

use std::{
    io::{self, Write},
    mem,
    sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError},
    thread,
    time::Duration,
};

use tracing_subscriber::fmt::MakeWriter;

/// Bytes that may wait for the sink: about five thousand lines of an access log.
const MOST_WAITING: usize = 1 << 20;
/// From here on the thread is woken early, so that a burst does not fill the buffer while it gathers.
const WAKE_AT: usize = MOST_WAITING / 4;
/// How long lines are gathered before they are written; a person does not notice.
const GATHER: Duration = Duration::from_millis(10);
/// The last lines get so long when the process ends. A sink that blocks must not keep it alive.
const LAST_WRITE: Duration = Duration::from_secs(1);

/// Starts the thread. It ends when the guard is dropped.
pub(super) fn start(sink: Box<dyn Write + Send>) -> io::Result<(LineWriter, LogGuard)> {
    let shared = Arc::new(Shared::default());
    let writer = LineWriter(Arc::clone(&shared));
    let guard = LogGuard(Arc::clone(&shared));
    thread::Builder::new().name("log".to_owned()).spawn(move || shared.write_to(sink))?;
    Ok((writer, guard))
}

/// Appends what it is given to the buffer. One call per line.
#[derive(Debug, Clone)]
pub(super) struct LineWriter(Arc<Shared>);

impl Write for LineWriter {
    fn write(&mut self, line: &[u8]) -> io::Result<usize> {
        self.0.append(line);
        Ok(line.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl<'a> MakeWriter<'a> for LineWriter {
    type Writer = Self;

    fn make_writer(&'a self) -> Self {
        self.clone()
    }
}

/// Keeps logging alive; dropping it writes what is left.
#[derive(Debug)]
#[must_use = "logging ends when the guard is dropped"]
pub struct LogGuard(Arc<Shared>);

impl Drop for LogGuard {
    fn drop(&mut self) {
        let mut state = self.0.lock();
        state.phase = Phase::Closing;
        self.0.changed.notify_all();
        let _in_time =
            self.0.changed.wait_timeout_while(state, LAST_WRITE, |s| s.phase != Phase::Closed);
    }
}

#[derive(Debug, Default)]
struct Shared {
    state: Mutex<State>,
    changed: Condvar,
}

#[derive(Debug, Default)]
struct State {
    waiting: Vec<u8>,
    lost: u64,
    phase: Phase,
}

#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
enum Phase {
    #[default]
    Open,
    Closing,
    Closed,
}

impl Shared {
    fn append(&self, line: &[u8]) {
        let mut state = self.lock();
        if state.waiting.len() + line.len() > MOST_WAITING {
            state.lost += 1;
            return;
        }
        let before = state.waiting.len();
        state.waiting.extend_from_slice(line);
        let after = state.waiting.len();
        drop(state);
        if before == 0 || (before < WAKE_AT && after >= WAKE_AT) {
            self.changed.notify_all();
        }
    }

    fn write_to(&self, mut sink: Box<dyn Write + Send>) {
        let mut batch = Vec::new();
        loop {
            let state = self.lock();
            let idle = |s: &mut State| s.waiting.is_empty() && s.phase == Phase::Open;
            let state =
                self.changed.wait_while(state, idle).unwrap_or_else(PoisonError::into_inner);
            let gathering = |s: &mut State| s.waiting.len() < WAKE_AT && s.phase == Phase::Open;
            let (mut state, _) = self
                .changed
                .wait_timeout_while(state, GATHER, gathering)
                .unwrap_or_else(PoisonError::into_inner);
            mem::swap(&mut state.waiting, &mut batch);
            let lost = mem::take(&mut state.lost);
            let last = state.phase != Phase::Open;
            drop(state);
            // A sink that is gone (a closed pipe) takes the log with it, not the node.
            let _ = write_batch(&mut sink, &batch, lost);
            batch.clear();
            if last {
                self.lock().phase = Phase::Closed;
                return self.changed.notify_all();
            }
        }
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn write_batch(sink: &mut dyn Write, batch: &[u8], lost: u64) -> io::Result<()> {
    sink.write_all(batch)?;
    if lost > 0 {
        writeln!(sink, r#"{{"level":"WARN","message":"log lines lost","lines":{lost}}}"#)?;
    }
    sink.flush()
}

#[cfg(test)]
mod tests {
    use std::sync::mpsc;

    use super::*;

    /// A sink whose writes wait until the test lets them through.
    struct Gate {
        entered: mpsc::SyncSender<()>,
        open: mpsc::Receiver<()>,
        written: Arc<Mutex<Vec<u8>>>,
    }

    impl Write for Gate {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            let _ = self.entered.try_send(());
            let _ = self.open.recv();
            self.written.lock().unwrap().extend_from_slice(bytes);
            Ok(bytes.len())
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    #[test]
    fn a_blocked_sink_costs_lines_and_never_the_writer() {
        let (entered, was_entered) = mpsc::sync_channel(1);
        let (open, gate) = mpsc::sync_channel(1);
        let written = Arc::<Mutex<Vec<u8>>>::default();
        let sink = Gate { entered, open: gate, written: Arc::clone(&written) };
        let (mut writer, guard) = start(Box::new(sink)).unwrap();
        writer.write_all(b"first\n").unwrap();
        was_entered.recv().unwrap(); // the thread now hangs in the sink
        let line = [b'x'; 1024];
        for _ in 0..MOST_WAITING / line.len() + 5 {
            writer.write_all(&line).unwrap();
        }
        drop(open); // every write passes from here on
        drop(guard);
        let written = String::from_utf8(written.lock().unwrap().clone()).unwrap();
        assert!(written.starts_with("first\n"));
        assert!(written.ends_with("\"message\":\"log lines lost\",\"lines\":5}\n"));
    }

    #[test]
    fn a_closed_pipe_is_survived() {
        struct Closed;
        impl Write for Closed {
            fn write(&mut self, _: &[u8]) -> io::Result<usize> {
                Err(io::ErrorKind::BrokenPipe.into())
            }
            fn flush(&mut self) -> io::Result<()> {
                Ok(())
            }
        }
        let (mut writer, guard) = start(Box::new(Closed)).unwrap();
        writer.write_all(b"line\n").unwrap();
        drop(guard);
        writer.write_all(b"late\n").unwrap();
    }
}
