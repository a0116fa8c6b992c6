//! Which state of a project is meant: a branch, a commit, and the node's own count of what it serves.

use std::{fmt, sync::Arc};

use serde::{Deserialize, Serialize};

use crate::ProjectName;

/// A Git branch by its short name (`main`, `feature/x`).
#[derive(Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Debug, Serialize, Deserialize)]
#[serde(from = "String", into = "String")]
pub struct Branch(Arc<str>);

impl Branch {
    pub fn new(name: &str) -> Self {
        Self(name.into())
    }

    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for Branch {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// What identifies one state of the sources: a Git object id, or `worktree-<digest>` for a folder.
#[derive(Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Debug, Serialize, Deserialize)]
#[serde(from = "String", into = "String")]
pub struct Commit(Arc<str>);

impl Commit {
    pub fn new(id: &str) -> Self {
        Self(id.into())
    }

    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The first ten characters of a Git id; a folder's id keeps its prefix.
    pub fn fmt_short(&self) -> &str {
        let length = if self.0.starts_with("worktree-") { 19 } else { 10 };
        self.0.get(..length).unwrap_or(&self.0)
    }
}

impl fmt::Display for Commit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

macro_rules! text_newtype {
    ($($name:ident),*) => {$(
        impl From<String> for $name {
            fn from(text: String) -> Self {
                Self(text.into())
            }
        }
        impl From<$name> for String {
            fn from(name: $name) -> Self {
                name.0.as_ref().to_owned()
            }
        }
    )*};
}
text_newtype!(Branch, Commit);

/// One commit of one branch of one project: the unit that is accepted or refused as a whole.
#[derive(Clone, PartialEq, Eq, Hash, Debug, Serialize, Deserialize)]
pub struct Revision {
    pub project: ProjectName,
    pub branch: Branch,
    pub commit: Commit,
}

impl fmt::Display for Revision {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}@{}:{}", self.project, self.branch, self.commit.fmt_short())
    }
}

/// Counts the snapshots a node has published since it started, from 1. Ours, where *revision* is Git's.
#[derive(
    Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Debug, Default, Serialize, Deserialize,
)]
#[serde(transparent)]
pub struct Generation(pub u64);

impl Generation {
    pub fn next(self) -> Self {
        Self(self.0 + 1)
    }
}

impl fmt::Display for Generation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}
