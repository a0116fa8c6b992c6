//! What a node says on standard error: its log, one JSON object a line.

use std::{
    collections::VecDeque,
    fmt,
    fs::File,
    io::{BufRead, BufReader},
    sync::{Arc, Mutex, PoisonError},
    thread::{self, JoinHandle},
};

use tokio::process::ChildStderr;

/// Lines kept; a failed story is explained by the last few.
const KEPT: usize = 5_000;
/// Lines shown when a test fails.
const SHOWN: usize = 60;

/// Read by a thread, so that all of it is there even when the test's runtime has ended.
#[derive(Debug)]
pub(crate) struct Log {
    lines: Arc<Mutex<VecDeque<String>>>,
    reader: Option<JoinHandle<()>>,
}

impl Log {
    pub(crate) fn read(stderr: ChildStderr) -> Self {
        let pipe = File::from(stderr.into_owned_fd().expect("a pipe has a descriptor"));
        let lines = Arc::<Mutex<VecDeque<String>>>::default();
        let writer = Arc::clone(&lines);
        let reader = thread::spawn(move || {
            for line in BufReader::new(pipe).lines().map_while(Result::ok) {
                let mut kept = writer.lock().unwrap_or_else(PoisonError::into_inner);
                if kept.len() == KEPT {
                    kept.pop_front();
                }
                kept.push_back(line);
            }
        });
        Self { lines, reader: Some(reader) }
    }

    pub(crate) fn lines(&self) -> Vec<String> {
        self.lines.lock().unwrap_or_else(PoisonError::into_inner).iter().cloned().collect()
    }

    /// Waits for the last line of a process that was ended.
    pub(crate) fn finish(&mut self) {
        if let Some(reader) = self.reader.take() {
            let _ = reader.join();
        }
    }
}

/// The last lines.
impl fmt::Display for Log {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let lines = self.lines();
        let last = lines.len().saturating_sub(SHOWN);
        lines[last..].iter().try_for_each(|line| writeln!(f, "  {line}"))
    }
}
