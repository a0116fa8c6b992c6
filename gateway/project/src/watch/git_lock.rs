//! `GitLock`: whether Git is writing to the folder at this moment.
//!
//! It holds `index.lock` while it writes files for a switch, a merge or a reset. What is seen meanwhile is half of one
//! branch and half of another, and best not looked at.

use std::{
    fs,
    path::{Path, PathBuf},
};

pub(super) struct GitLock {
    /// Of the repository the folder lies in, if it does.
    path: Option<PathBuf>,
    /// It was held for too long, and counts no more until it is gone.
    disregarded: bool,
}

impl GitLock {
    pub(super) fn of(root: &Path) -> Self {
        let found = root.ancestors().find_map(git_dir);
        Self { path: found.map(|folder| folder.join("index.lock")), disregarded: false }
    }

    pub(super) fn is_held(&mut self) -> bool {
        let held = self.path.as_ref().is_some_and(|path| path.exists());
        self.disregarded &= held;
        held && !self.disregarded
    }

    /// Of a process that was killed, or that waits for a person.
    pub(super) fn disregard(&mut self) {
        self.disregarded = true;
    }
}

/// The repository's own folder: `.git`, or where that file points to in a further working tree or a submodule.
fn git_dir(folder: &Path) -> Option<PathBuf> {
    let git = folder.join(".git");
    if git.is_dir() {
        return Some(git);
    }
    let text = fs::read_to_string(&git).ok()?;
    Some(folder.join(text.strip_prefix("gitdir:")?.trim()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_lock_of_the_repository_around_is_seen_until_it_is_disregarded() {
        let folder = tempfile::tempdir().unwrap();
        let project = folder.path().join("shop");
        fs::create_dir_all(folder.path().join(".git/worktrees/w")).unwrap();
        fs::create_dir(&project).unwrap();
        let mut lock = GitLock::of(&project);
        assert!(!lock.is_held());
        fs::write(folder.path().join(".git/index.lock"), "").unwrap();
        assert!(lock.is_held());
        lock.disregard();
        assert!(!lock.is_held());
        fs::remove_file(folder.path().join(".git/index.lock")).unwrap();
        assert!(!lock.is_held());
        fs::write(folder.path().join(".git/index.lock"), "").unwrap();
        assert!(lock.is_held(), "another one counts again");

        fs::write(project.join(".git"), "gitdir: ../.git/worktrees/w\n").unwrap();
        let mut lock = GitLock::of(&project);
        assert!(!lock.is_held(), "a further working tree has its own");
        fs::write(folder.path().join(".git/worktrees/w/index.lock"), "").unwrap();
        assert!(lock.is_held());
    }
}
