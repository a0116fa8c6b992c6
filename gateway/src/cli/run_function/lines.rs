//! What a guest prints, on its way to the terminal or into JSON.

use std::sync::{Mutex, MutexGuard, PoisonError};

use headgate_executor::{GuestLine, GuestLog, GuestStream};
use serde::Serialize;

use crate::cli::output::{Output, Paint, plain};

/// Shows lines as they come, each with its stream; for JSON it keeps them.
pub(super) struct Lines {
    output: Output,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    taken: Vec<Line>,
    muted: bool,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub(super) struct Line {
    stream: &'static str,
    text: String,
}

/// A guest that prints for ever is cut by the executor; this bounds what many lines of nothing take.
const MOST_LINES: usize = 100_000;

impl Lines {
    pub(super) fn new(output: Output) -> Self {
        Self { output, state: Mutex::default() }
    }

    /// What is printed from here on is of further runs, and of no interest.
    pub(super) fn mute(&self) {
        self.state().muted = true;
    }

    pub(super) fn taken(&self) -> Vec<Line> {
        std::mem::take(&mut self.state().taken)
    }

    fn state(&self) -> MutexGuard<'_, State> {
        // Lines are pushed whole.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl GuestLog for Lines {
    fn line(&self, line: GuestLine<'_>) {
        let mut state = self.state();
        if state.muted {
            return;
        }
        let stream = match line.stream {
            GuestStream::Stdout => "stdout",
            GuestStream::Stderr => "stderr",
            GuestStream::Host => "host",
        };
        if !self.output.is_json() {
            let (text, mark) = (plain(line.text), format!("{stream} |"));
            let mark = self.output.paint_error(Paint::Faint, &mark);
            self.output.error_text(&format!("{mark} {text}\n"));
        } else if state.taken.len() < MOST_LINES {
            state.taken.push(Line { stream, text: line.text.to_owned() });
        }
    }
}
