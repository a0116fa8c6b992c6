//! `Output`: the only place that writes to the terminal.
//!
//! It knows whether a person reads along (colours, progress) and keeps progress bars, log lines and text from
//! drawing over each other. A reader that went away (`headgate routes | head`) is not an error: what is
//! written is dropped, and commands end as if it had been read.

use std::{
    env,
    io::{self, IsTerminal, Write},
};

use indicatif::{MultiProgress, ProgressDrawTarget};

use crate::logging::LogSink;

/// How events and data are written: for people, or one JSON value, or one object a line for what goes on.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, clap::ValueEnum)]
pub(super) enum OutputFormat {
    #[default]
    Human,
    Json,
    // Findings at lines of files, which only `check` has.
    Sarif,
}

/// Colours by meaning.
#[derive(Debug, Clone, Copy)]
pub(super) enum Paint {
    Good,
    Bad,
    Attention,
    Strong,
    Faint,
}

/// Where a command writes; cloning it clones a handle.
#[derive(Debug, Clone)]
pub(super) struct Output {
    pub(super) format: OutputFormat,
    /// Whether standard output takes colours.
    pub(super) color: bool,
    /// Whether standard error does.
    pub(super) error_color: bool,
    error_terminal: bool,
    pub(super) bars: MultiProgress,
}

impl Output {
    pub(super) fn detect(format: OutputFormat) -> Self {
        // https://no-color.org: any non-empty value.
        let allowed = env::var_os("NO_COLOR").is_none_or(|value| value.is_empty())
            && env::var_os("TERM").is_none_or(|term| term != "dumb");
        let error_terminal = io::stderr().is_terminal();
        Self {
            format,
            color: allowed && format == OutputFormat::Human && io::stdout().is_terminal(),
            error_color: allowed && error_terminal,
            error_terminal,
            // Draws nothing unless standard error is a terminal.
            bars: MultiProgress::with_draw_target(ProgressDrawTarget::stderr()),
        }
    }

    pub(super) fn is_json(&self) -> bool {
        self.format == OutputFormat::Json
    }

    /// Writes text, which brings its own line ends, to standard output.
    ///
    /// # Errors
    /// When it cannot be written for another reason than that nobody reads.
    pub(super) fn text(&self, text: &str) -> io::Result<()> {
        self.try_text(text).map(|_| ())
    }

    /// As [`Self::text`]; says whether somebody still reads.
    pub(super) fn try_text(&self, text: &str) -> io::Result<Reader> {
        self.try_bytes(text.as_bytes())
    }

    /// As [`Self::try_text`], for what need not be text.
    pub(super) fn try_bytes(&self, bytes: &[u8]) -> io::Result<Reader> {
        let written = self.bars.suspend(|| {
            let mut stdout = io::stdout().lock();
            stdout.write_all(bytes)?;
            stdout.flush()
        });
        match written {
            Ok(()) => Ok(Reader::There),
            Err(error) if error.kind() == io::ErrorKind::BrokenPipe => Ok(Reader::Gone),
            Err(error) => Err(error),
        }
    }

    /// One JSON value on a line.
    pub(super) fn json(&self, value: &impl serde::Serialize) -> io::Result<Reader> {
        let mut line = serde_json::to_string(value)?;
        line.push('\n');
        self.try_text(&line)
    }

    /// Writes text to standard error. There is nobody to tell if that fails.
    pub(super) fn error_text(&self, text: &str) {
        let _ = self.bars.suspend(|| io::stderr().lock().write_all(text.as_bytes()));
    }

    pub(super) fn paint(&self, paint: Paint, text: &str) -> String {
        painted(self.color, paint, text)
    }

    pub(super) fn paint_error(&self, paint: Paint, text: &str) -> String {
        painted(self.error_color, paint, text)
    }

    /// Where log lines of a node go.
    pub(super) fn log_sink(&self) -> LogSink {
        // A person's directives; an empty variable is none.
        let variable = |name| env::var(name).ok().filter(|text| !text.trim().is_empty());
        LogSink {
            writer: Box::new(Stderr(self.bars.clone())),
            terminal: self.error_terminal,
            color: self.error_color,
            directives: variable("HEADGATE_LOG").or_else(|| variable("RUST_LOG")),
        }
    }
}

/// Whether somebody reads what is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Reader {
    There,
    Gone,
}

/// Standard error, with the progress bars out of the way.
struct Stderr(MultiProgress);

impl Write for Stderr {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.suspend(|| io::stderr().lock().write_all(bytes)).map(|()| bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

fn painted(color: bool, paint: Paint, text: &str) -> String {
    let code = match paint {
        _ if !color => return text.to_owned(),
        Paint::Good => "32",
        Paint::Bad => "31",
        Paint::Attention => "33",
        Paint::Strong => "1",
        Paint::Faint => "2",
    };
    format!("\x1b[{code}m{text}\x1b[0m")
}

/// Text from outside (a guest's output, a folder's name) without what could steer a terminal.
pub(super) fn plain(text: &str) -> String {
    let keep = |c: char| c == '\t' || !c.is_control();
    if text.chars().all(keep) {
        return text.to_owned();
    }
    text.chars()
        .map(|c| if keep(c) { c.to_string() } else { c.escape_default().to_string() })
        .collect()
}

/// `1 function`, `2 functions`.
pub(super) fn count(n: usize, noun: &str) -> String {
    format!("{n} {noun}{}", if n == 1 { "" } else { "s" })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn guests_cannot_steer_the_terminal() {
        assert_eq!(plain("a\tb ü"), "a\tb ü");
        assert_eq!(plain("\x1b[2Jgone\r"), "\\u{1b}[2Jgone\\r");
    }

    #[test]
    fn without_colours_text_is_plain() {
        assert_eq!(painted(false, Paint::Bad, "x"), "x");
        assert_eq!(painted(true, Paint::Bad, "x"), "\x1b[31mx\x1b[0m");
    }
}
