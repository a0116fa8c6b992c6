//! `WatchedFolders`: which folders the kernel watches for us, kept in step with those there are.
//!
//! Each folder is watched by itself rather than the root recursively: that would put a watch on every
//! folder of `node_modules` and `target`, of which the kernel allows only so many.

use std::{
    collections::BTreeSet,
    ffi::OsStr,
    fs,
    path::{Path, PathBuf},
};

use notify::{
    Config, Event, EventHandler, EventKind, RecommendedWatcher, RecursiveMode, Watcher,
    event::{AccessKind, AccessMode, ModifyKind},
};
use tracing::warn;

use crate::tree::{
    TreeLimits,
    ignored::{CACHE_TAG, is_left_by_editor},
    is_ignored,
};

pub(super) struct WatchedFolders {
    root: PathBuf,
    watcher: RecommendedWatcher,
    watched: BTreeSet<PathBuf>,
    /// Folders came or went since the last [`refresh`](Self::refresh).
    stale: bool,
}

impl WatchedFolders {
    /// Watches a folder and those below it.
    pub(super) fn watch(root: &Path, events: impl EventHandler) -> notify::Result<Self> {
        let config = Config::default().with_follow_symlinks(false);
        let (root, watcher) = (root.to_owned(), RecommendedWatcher::new(events, config)?);
        let mut folders = Self { root, watcher, watched: BTreeSet::new(), stale: false };
        folders.watch_new()?;
        Ok(folders)
    }

    /// Notes what an event means for the folders, and says whether it concerns the project.
    pub(super) fn take(&mut self, event: &Event) -> bool {
        let mut concerns = false;
        for path in &event.paths {
            if !self.concerns_project(path) {
                continue;
            }
            concerns = true;
            let gone = match event.kind {
                EventKind::Remove(_) | EventKind::Modify(ModifyKind::Name(_)) => true,
                EventKind::Create(_) => false,
                _ => continue,
            };
            if gone && self.watched.contains(path) {
                self.forget(path);
                self.stale = true;
            }
            self.stale |= path.is_dir() || path.file_name() == Some(OsStr::new(CACHE_TAG));
        }
        concerns
    }

    /// After lost events: whatever we know may be wrong.
    pub(super) fn suspect_all(&mut self) {
        for path in std::mem::take(&mut self.watched) {
            let _gone = self.watcher.unwatch(&path);
        }
        self.stale = true;
    }

    /// The root is another folder now: moved away and replaced, or a link that leads elsewhere.
    pub(super) fn move_to(&mut self, root: PathBuf) {
        self.suspect_all();
        self.root = root;
    }

    /// Watches folders that are new. While the root is gone there are none.
    pub(super) fn refresh(&mut self) {
        if !self.root.exists() {
            return;
        }
        if std::mem::take(&mut self.stale)
            && let Err(error) = self.watch_new()
        {
            warn!(%error, "some folders are not watched; their changes show with the next other one");
        }
    }

    /// Each folder is watched before it is listed, so that none can appear unseen in between.
    fn watch_new(&mut self) -> notify::Result<()> {
        let mut folders = vec![self.root.clone()];
        while let Some(folder) = folders.pop() {
            if folder != self.root && folder.join(CACHE_TAG).exists() {
                self.forget(&folder);
                continue;
            }
            if self.watched.len() == TreeLimits::default().entries {
                return Ok(()); // the tree will be refused by its limit
            }
            self.watch_one(&folder)?;
            for entry in fs::read_dir(&folder).into_iter().flatten().flatten() {
                let is_folder = entry.file_type().is_ok_and(|kind| kind.is_dir());
                let ignored = entry.file_name().to_str().is_none_or(is_ignored);
                if is_folder && !ignored {
                    folders.push(entry.path());
                }
            }
        }
        let git = self.root.join(".git");
        if git.is_dir() { self.watch_one(&git) } else { Ok(()) }
    }

    fn watch_one(&mut self, folder: &Path) -> notify::Result<()> {
        if self.watched.contains(folder) {
            return Ok(());
        }
        match self.watcher.watch(folder, RecursiveMode::NonRecursive) {
            Ok(()) => {
                self.watched.insert(folder.to_owned());
                Ok(())
            }
            Err(_) if folder != self.root && !folder.exists() => Ok(()), // deleted meanwhile
            Err(error) => Err(error),
        }
    }

    /// Drops a folder and all below it.
    fn forget(&mut self, folder: &Path) {
        let from = self.watched.range(folder.to_owned()..);
        let gone: Vec<_> = from.take_while(|path| path.starts_with(folder)).cloned().collect();
        for path in gone {
            let _gone_already = self.watcher.unwatch(&path);
            self.watched.remove(&path);
        }
    }

    fn concerns_project(&self, path: &Path) -> bool {
        let Ok(inside) = path.strip_prefix(&self.root) else { return false };
        if inside == Path::new(".git/HEAD") {
            return true;
        }
        let ignored = |name: &OsStr| name.to_str().is_some_and(is_ignored);
        let above = inside.parent().into_iter().flat_map(Path::components);
        let within_ignored = above.map(|folder| folder.as_os_str()).any(ignored);
        if within_ignored {
            return false;
        }
        let Some(name) = inside.file_name().and_then(OsStr::to_str) else { return true };
        // A name like `.env` is a hidden folder or a file that counts; with an editor's it is the reverse.
        match (is_ignored(name), is_left_by_editor(name)) {
            (false, false) => true,
            (false, true) => path.is_dir(),
            (true, false) => !path.is_dir(),
            (true, true) => false,
        }
    }
}

/// Opening and reading changes nothing, and we do it ourselves each time we list.
pub(super) fn is_only_access(event: &Event) -> bool {
    match event.kind {
        EventKind::Access(AccessKind::Close(AccessMode::Write)) => false,
        EventKind::Access(_) => true,
        _ => false,
    }
}
