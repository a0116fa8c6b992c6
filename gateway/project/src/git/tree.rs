//! `GitTree`: the files of a commit, read from the object database.

use std::{
    collections::HashSet,
    fmt,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering::Relaxed},
    },
};

use bytes::Bytes;
use gix::{ObjectId, bstr::ByteSlice, objs::tree::EntryKind as GitKind};
use headgate_types::{ByteSize, Commit};

use super::{GitError, clone::BareClone, error::RemoteCause};
use crate::tree::{
    Entry, EntryKind, Fingerprint, ReadError, Tree, TreeLimits, Unlisted, UnlistedReason,
    ignored::CACHE_TAG, is_ignored, plain_file,
};

/// One folder's listing may have this many bytes: a hundred thousand names of usual length.
const MAX_FOLDER_BYTES: u64 = 16 << 20;

/// A commit's files. Folders that a working folder would leave out are left out here too.
pub struct GitTree {
    clone: BareClone,
    commit: Commit,
    entries: Vec<Entry>,
    ids: Vec<ObjectId>, // parallel to `entries`
    unlisted: Vec<Unlisted>,
    damaged: Arc<AtomicBool>,
}

impl GitTree {
    pub(super) fn list(
        clone: BareClone,
        id: ObjectId,
        limits: &TreeLimits,
        damaged: Arc<AtomicBool>,
    ) -> Result<Self, GitError> {
        let commit = Commit::new(&id.to_string());
        let repository = clone.repository().to_thread_local();
        let mut listing = Listing {
            repository: &repository,
            commit: &commit,
            limits,
            folders: 0,
            found: Vec::new(),
            unlisted: Vec::new(),
        };
        let root = listing.readable(
            repository.find_commit(id).and_then(|commit| commit.tree_id().map(gix::Id::detach)),
        )?;
        listing.list(root, "", 0)?;
        let Listing { mut found, unlisted, .. } = listing;
        found.sort_unstable_by(|(a, _), (b, _)| a.path.cmp(&b.path));
        let (entries, ids) = found.into_iter().unzip();
        Ok(Self { clone, commit, entries, ids, unlisted, damaged })
    }

    pub fn commit(&self) -> &Commit {
        &self.commit
    }
}

impl Tree for GitTree {
    fn entries(&self) -> &[Entry] {
        &self.entries
    }

    fn read(&self, path: &str, limit: u64) -> Result<Bytes, ReadError> {
        plain_file(self, path, limit)?; // by the size in the object's header, before it is inflated
        let index = self.entries.binary_search_by(|entry| (*entry.path).cmp(path));
        let id = self.ids[index.expect("the path was just found")];
        let repository = self.clone.repository().to_thread_local();
        match repository.find_blob(id) {
            Ok(mut blob) => Ok(blob.take_data().into()),
            Err(error) => {
                self.damaged.store(true, Relaxed);
                let source = Box::new(RemoteCause::of(&error));
                Err(ReadError::Failed { path: path.to_owned(), source })
            }
        }
    }

    fn unlisted(&self) -> &[Unlisted] {
        &self.unlisted
    }
}

impl fmt::Debug for GitTree {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("GitTree")
            .field("commit", &self.commit)
            .field("entries", &self.entries.len())
            .finish_non_exhaustive()
    }
}

/// Walks the trees of a commit, which may be anything: a remote's objects are checked by nobody else.
struct Listing<'a> {
    repository: &'a gix::Repository,
    commit: &'a Commit,
    limits: &'a TreeLimits,
    folders: usize,
    found: Vec<(Entry, ObjectId)>,
    unlisted: Vec<Unlisted>,
}

impl Listing<'_> {
    /// The recursion ends at the depth limit.
    fn list(&mut self, id: ObjectId, prefix: &str, depth: usize) -> Result<(), GitError> {
        let size = self.readable(self.repository.find_header(id))?.size();
        if size > MAX_FOLDER_BYTES {
            let (size, limit) =
                (ByteSize::from_bytes(size), ByteSize::from_bytes(MAX_FOLDER_BYTES));
            return self
                .refuse(format!("the list of `{prefix}` has {size}, over the limit of {limit}"));
        }
        let tree = self.readable(self.repository.find_tree(id))?;
        let tree = self.readable(tree.decode())?;
        let is_cache = tree.entries.iter().any(|entry| entry.filename == CACHE_TAG);
        if is_cache && depth > 0 {
            return Ok(());
        }
        let mut names = HashSet::with_capacity(tree.entries.len());
        for entry in &tree.entries {
            let readable = format!("{prefix}{}", entry.filename.to_str_lossy());
            match entry.filename.to_str() {
                Err(_) => self.leave_out(readable, UnlistedReason::NotUtf8)?,
                Ok("" | "." | "..") => self.leave_out(readable, UnlistedReason::BadName)?,
                Ok(name) if name.contains(['/', '\0']) || !names.insert(name) => {
                    self.leave_out(readable, UnlistedReason::BadName)?;
                }
                Ok(name) if entry.mode.is_tree() && is_ignored(name) => {}
                Ok(_) if entry.mode.is_tree() => {
                    self.descend(entry.oid.to_owned(), readable, depth)?;
                }
                Ok(_) => self.add(entry.oid.to_owned(), entry.mode.kind(), readable)?,
            }
        }
        Ok(())
    }

    fn descend(&mut self, id: ObjectId, mut path: String, depth: usize) -> Result<(), GitError> {
        if depth == self.limits.depth {
            return self.refuse(format!("`{path}` lies more than {depth} folders deep"));
        }
        self.check_count(self.folders, &path)?;
        self.folders += 1;
        path.push('/');
        self.list(id, &path, depth + 1)
    }

    fn add(&mut self, id: ObjectId, kind: GitKind, path: String) -> Result<(), GitError> {
        self.check_count(self.found.len(), &path)?;
        let (kind, size) = match kind {
            GitKind::Blob | GitKind::BlobExecutable => {
                (EntryKind::File, self.readable(self.repository.find_header(id))?.size())
            }
            GitKind::Link => (EntryKind::Symlink, 0),
            GitKind::Commit => (EntryKind::Submodule, 0),
            GitKind::Tree => (EntryKind::Other, 0),
        };
        let fingerprint = Fingerprint::of("git", id.as_bytes());
        self.found.push((Entry { path: path.into(), size, kind, fingerprint }, id));
        Ok(())
    }

    fn leave_out(&mut self, path: String, reason: UnlistedReason) -> Result<(), GitError> {
        self.check_count(self.unlisted.len(), &path)?;
        self.unlisted.push(Unlisted { path, reason });
        Ok(())
    }

    fn check_count(&self, count: usize, path: &str) -> Result<(), GitError> {
        let limit = self.limits.entries;
        if count < limit {
            return Ok(());
        }
        self.refuse(format!(
            "it has more than {limit} files or folders, `{path}` being one too many"
        ))
    }

    fn refuse(&self, why: String) -> Result<(), GitError> {
        Err(GitError::Tree { commit: self.commit.clone(), why })
    }

    fn readable<T, E: Into<gix::Error>>(&self, result: Result<T, E>) -> Result<T, GitError> {
        result.map_err(|error| GitError::Damaged { source: RemoteCause::of(&error.into()) })
    }
}
