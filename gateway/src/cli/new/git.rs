//! A repository of the new project with a first commit, made by the user's own Git.
//!
//! Their Git rather than a library: it is their name, their hooks and their settings.

use std::{
    io,
    path::Path,
    process::{Command, Output, Stdio},
};

use anyhow::{Context as _, bail};
use serde_json::{Value, json};

/// What `node.yaml` follows where it names no branch, whatever this user's Git would call the first one.
const BRANCH: &str = "main";

/// Where a hook or `git rebase --exec` keeps its repository. The new project has one of its own.
const OF_ANOTHER_REPOSITORY: [&str; 6] = [
    "GIT_DIR",
    "GIT_WORK_TREE",
    "GIT_INDEX_FILE",
    "GIT_OBJECT_DIRECTORY",
    "GIT_ALTERNATE_OBJECT_DIRECTORIES",
    "GIT_COMMON_DIR",
];

/// What became of it.
#[derive(Debug)]
pub(super) enum Git {
    NotAsked,
    Committed {
        commit: String,
    },
    /// The repository is there and every file is staged, but Git knows no name to commit under.
    Nameless,
}

pub(super) fn commit(dir: &Path, template: &str) -> anyhow::Result<Git> {
    run(dir, &["init", "--quiet", "--initial-branch", BRANCH])?;
    run(dir, &["add", "--all"])?;
    // Git would make up a name from the machine's, and it would stay in the history.
    let own_name = ["-c", "user.useConfigOnly=true"];
    if !git(dir, &[&own_name[..], &["var", "GIT_COMMITTER_IDENT"]].concat())?.status.success() {
        return Ok(Git::Nameless);
    }
    let message = format!("A new project, from Headgate's template {template}");
    run(dir, &[&own_name[..], &["commit", "--quiet", "--message", &message]].concat())?;
    let commit = run(dir, &["rev-parse", "HEAD"])?;
    Ok(Git::Committed { commit })
}

impl Git {
    pub(super) fn to_json(&self) -> Value {
        match self {
            Self::NotAsked => Value::Null,
            Self::Committed { commit } => json!({"commit": commit}),
            Self::Nameless => json!({"commit": null}),
        }
    }

    pub(super) fn told(&self) -> Option<String> {
        match self {
            Self::NotAsked => None,
            Self::Committed { commit } => {
                let short = commit.get(..10).unwrap_or(commit);
                Some(format!("Committed as {short} on {BRANCH}."))
            }
            Self::Nameless => Some(
                "A repository with every file staged, but not committed: Git does not know who you are.\n  \
                 git config --global user.name 'Your Name'\n  \
                 git config --global user.email you@example.com\n  \
                 git commit"
                    .to_owned(),
            ),
        }
    }
}

/// What it printed.
fn run(dir: &Path, arguments: &[&str]) -> anyhow::Result<String> {
    let output = git(dir, arguments)?;
    if !output.status.success() {
        let said = String::from_utf8_lossy(&output.stderr);
        bail!("git {} failed in {}: {}", arguments.join(" "), dir.display(), said.trim());
    }
    Ok(String::from_utf8_lossy(&output.stdout).trim().to_owned())
}

fn git(dir: &Path, arguments: &[&str]) -> anyhow::Result<Output> {
    let mut command = Command::new("git");
    command.arg("-C").arg(dir).args(arguments).stdin(Stdio::null());
    OF_ANOTHER_REPOSITORY.iter().for_each(|variable| _ = command.env_remove(variable));
    command
        .output()
        .map_err(|error| match error.kind() {
            io::ErrorKind::NotFound => {
                anyhow::anyhow!("the project is made, but there is no `git` to commit it with")
            }
            _ => error.into(),
        })
        .context("making a repository of it")
}
