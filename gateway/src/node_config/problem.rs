//! What is wrong with a node's configuration, said with place and remedy.

use std::{fmt, io, path::PathBuf};

use headgate_project::Diagnostics;

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
    /// All problems of the file, each with place and hint.
    #[error("{}", Listed(.0))]
    Invalid(Diagnostics),
    #[error("cannot open the project folder {}", .path.display())]
    ProjectFolder {
        path: PathBuf,
        #[source]
        error: io::Error,
    },
    #[error("no folder for state is known: set HOME or XDG_STATE_HOME, or pass --state")]
    NoHome,
}

/// One problem after the other, for a log; on a terminal they are rendered with their lines.
struct Listed<'a>(&'a Diagnostics);

impl fmt::Display for Listed<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (i, problem) in self.0.iter().enumerate() {
            let separator = if i > 0 { "; " } else { "" };
            match &problem.place {
                Some(place) => write!(f, "{separator}{place}: {}", problem.message)?,
                None => write!(f, "{separator}{}", problem.message)?,
            }
            if let Some(hint) = &problem.hint {
                write!(f, " ({hint})")?;
            }
        }
        Ok(())
    }
}
