//! What is wrong with a node's configuration, said with place and remedy.

use std::{fmt, io, path::PathBuf};

/// Why there is no `NodeConfig`.
#[derive(Debug, thiserror::Error)]
pub enum ConfigError {
    #[error("cannot read {}", .path.display())]
    Read {
        path: PathBuf,
        #[source]
        error: io::Error,
    },
    #[error("{} is larger than {limit} bytes, so it is not a node's configuration", .path.display())]
    TooLarge { path: PathBuf, limit: u64 },
    /// All problems that could be found at once, in the order of the file.
    #[error("{}", Listed(.0))]
    Invalid(Vec<Problem>),
    #[error("cannot open the project folder {}", .path.display())]
    ProjectFolder {
        path: PathBuf,
        #[source]
        error: io::Error,
    },
    #[error("no folder for state is known: set HOME or XDG_STATE_HOME, or pass --state")]
    NoHome,
}

/// One mistake in `node.yaml`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Problem {
    pub file: PathBuf,
    /// From 1; 0 when the reader could not tell.
    pub line: u64,
    /// From 1, in characters.
    pub column: u64,
    pub message: String,
    /// What to do about it.
    pub help: Option<String>,
}

/// `node.yaml:3:5: what is wrong`, and the remedy on a line of its own.
impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.file.display())?;
        if self.line > 0 {
            write!(f, ":{}:{}", self.line, self.column)?;
        }
        write!(f, ": {}", self.message)?;
        match &self.help {
            Some(help) => write!(f, "\n  help: {help}"),
            None => Ok(()),
        }
    }
}

struct Listed<'a>(&'a [Problem]);

impl fmt::Display for Listed<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (i, problem) in self.0.iter().enumerate() {
            write!(f, "{}{problem}", if i > 0 { "\n" } else { "" })?;
        }
        Ok(())
    }
}
