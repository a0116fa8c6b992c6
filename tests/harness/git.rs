//! A repository as a developer has one: a work tree, and the bare repository it is pushed to.

use std::{
    fs,
    path::{Path, PathBuf},
    process::Command,
    sync::atomic::{AtomicU64, Ordering},
};

use tempfile::TempDir;

use crate::project;

/// The date of the first commit; each next one is a second later, so that the same story has the same commits.
const FIRST_DATE: u64 = 1_750_000_000;

/// Work tree and remote, driven by the real `git`.
#[derive(Debug)]
pub struct GitRepo {
    folder: TempDir,
    commits: AtomicU64,
}

impl GitRepo {
    /// With an empty branch `main`.
    pub fn new() -> Self {
        let folder = tempfile::tempdir().expect("there is a place for temporary files");
        let repo = Self { folder, commits: AtomicU64::new(0) };
        fs::create_dir(repo.work()).expect("temporary folders are writable");
        repo.git(&["init", "--quiet", "--initial-branch=main", "."]);
        repo.git(&["init", "--quiet", "--bare", "--initial-branch=main", "../origin.git"]);
        repo.git(&["remote", "add", "origin", "../origin.git"]);
        repo
    }

    /// With a small project on its branch `main`, already pushed. See [`Project::small`](crate::Project::small).
    pub fn small(host: &str, page: &str) -> Self {
        let repo = Self::new();
        project::write_small(&repo.work(), host, page);
        repo.commit("first");
        repo
    }

    /// Where others fetch from.
    pub fn url(&self) -> String {
        format!("file://{}", self.origin().display())
    }

    /// The bare repository.
    pub fn origin(&self) -> PathBuf {
        self.folder.path().join("origin.git")
    }

    pub fn write(&self, path: &str, content: impl AsRef<[u8]>) {
        project::write(&self.work().join(path), content.as_ref());
    }

    /// What the small project's page says.
    pub fn write_page(&self, page: &str) {
        self.write(project::PAGE, page);
    }

    /// Commits all there is and pushes. Returns the commit.
    pub fn commit(&self, message: &str) -> String {
        self.git(&["add", "--all"]);
        self.git(&["commit", "--quiet", "--allow-empty", "--message", message]);
        self.git(&["push", "--quiet", "origin", "HEAD"]);
        self.head()
    }

    /// Puts all there is in place of the last commit and pushes by force. Returns the commit.
    pub fn rewrite(&self, message: &str) -> String {
        self.git(&["add", "--all"]);
        self.git(&["commit", "--quiet", "--amend", "--allow-empty", "--message", message]);
        self.git(&["push", "--quiet", "--force", "origin", "HEAD"]);
        self.head()
    }

    /// Begins another branch here.
    pub fn branch(&self, name: &str) {
        self.git(&["switch", "--quiet", "--create", name]);
    }

    pub fn switch(&self, name: &str) {
        self.git(&["switch", "--quiet", name]);
    }

    pub fn head(&self) -> String {
        self.git(&["rev-parse", "HEAD"])
    }

    /// The remote is gone, as a server that burnt down.
    pub fn lose_origin(&self) {
        fs::remove_dir_all(self.origin()).expect("the remote is there");
    }

    fn work(&self) -> PathBuf {
        self.folder.path().join("work")
    }

    pub fn git(&self, arguments: &[&str]) -> String {
        let date = FIRST_DATE + self.commits.fetch_add(1, Ordering::Relaxed);
        run(&self.work(), arguments, &format!("{date} +0000"))
    }
}

impl Default for GitRepo {
    fn default() -> Self {
        Self::new()
    }
}

/// Without the user's and the machine's configuration.
fn run(folder: &Path, arguments: &[&str], date: &str) -> String {
    let mut git = Command::new("git");
    git.args(arguments).current_dir(folder).env("HOME", folder);
    git.env("GIT_CONFIG_NOSYSTEM", "1").env("GIT_CONFIG_GLOBAL", "/dev/null");
    for who in ["AUTHOR", "COMMITTER"] {
        git.env(format!("GIT_{who}_NAME"), "Ada")
            .env(format!("GIT_{who}_EMAIL"), "ada@example.com");
        git.env(format!("GIT_{who}_DATE"), date);
    }
    let output = git.output().unwrap_or_else(|error| panic!("git cannot be run: {error}"));
    let errors = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "git {arguments:?}: {errors}");
    String::from_utf8_lossy(&output.stdout).trim().to_owned()
}
