//! Which state of a project is meant: a branch, a commit, and the node's own count of what it serves.

use std::{fmt, sync::Arc};

use serde::{Deserialize, Serialize};

use crate::{Digest, ProjectName};

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

/// What identifies one state of the sources: a Git object id, `worktree-<digest>` for a folder, or of
/// several repositories the beginning of the first one's commit, a `+` and a digest of all.
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

    /// One state of several repositories: that of `first`, by which people know it, and what `others` are
    /// (each a place and a commit), in whichever order.
    pub fn of_several<'a>(
        first: &Self,
        others: impl IntoIterator<Item = (&'a str, &'a Self)>,
    ) -> Self {
        let mut lines: Vec<_> =
            others.into_iter().map(|(place, commit)| format!("{place}\0{commit}\n")).collect();
        lines.sort_unstable();
        let digest = Digest::of(format!("{first}\n{}", lines.concat()).as_bytes());
        Self::new(&format!("{}+{}", first.fmt_short(), digest.fmt_short()))
    }

    /// The first ten characters of a Git id; a folder's id keeps its prefix, and that of several
    /// repositories is short as it is.
    pub fn fmt_short(&self) -> &str {
        let length = match &self.0 {
            text if text.starts_with("worktree-") => 19,
            text if text.contains('+') => text.len(),
            _ => 10,
        };
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

impl Revision {
    /// Whether both are of one branch of one project, so that one replaces the other.
    pub fn replaces(&self, other: &Self) -> bool {
        self.project == other.project && self.branch == other.branch
    }
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_state_of_several_repositories_begins_with_the_first_ones_commit() {
        let first = Commit::new("1a2b3c4d5e6f1a2b3c4d5e6f1a2b3c4d5e6f1a2b");
        let (one, two) = (Commit::new("aa"), Commit::new("bb"));
        let of = |others: &[(&str, &Commit)]| {
            Commit::of_several(&first, others.iter().copied()).as_str().to_owned()
        };
        let both = of(&[("code", &one), ("site", &two)]);
        assert!(both.starts_with("1a2b3c4d5e+") && both.len() == 21, "{both}");
        assert_eq!(Commit::new(&both).fmt_short(), both);
        assert_eq!(of(&[("site", &two), ("code", &one)]), both, "in whichever order");
        assert_ne!(of(&[("code", &two), ("site", &one)]), both);
        assert_ne!(of(&[("code", &one)]), both);
        let rewritten = Commit::new("1a2b3c4d5e0000000000");
        assert_ne!(Commit::of_several(&rewritten, [("code", &one), ("site", &two)]).as_str(), both);
    }
}
