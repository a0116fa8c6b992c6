//! `Tree`: the files of one revision, read-only, wherever they come from.
//!
//! A folder on disk ([`FolderTree`]), a commit ([`crate::git::GitTree`]), several of them in one
//! ([`MountedTree`]) and a map in tests ([`MemoryTree`]) look alike to everything that reads a project. A
//! tree is listed once, when it is opened; reading is by listed path only, so no `..` and no absolute path
//! can mean anything. Links are listed as links and never followed. Nothing here knows what the files
//! mean.

mod folder;
pub(crate) mod ignored;
mod memory;
mod mounted;

use std::{error::Error, fmt};

use bytes::Bytes;
use headgate_types::{ByteSize, Digest};

pub use folder::{FolderTree, OpenFolderError};
pub use ignored::is_ignored;
pub use memory::MemoryTree;
pub use mounted::{Mount, MountPoint, MountedTree, TooManyFiles};

/// One revision's files, read-only.
pub trait Tree: Send + Sync + fmt::Debug {
    /// All entries that are not folders, sorted by path as bytes. Listed when the tree was opened.
    fn entries(&self) -> &[Entry];

    /// The whole file, if it has at most `limit` bytes.
    ///
    /// # Errors
    /// For whatever is not a listed plain file, is over the limit, or cannot be read.
    fn read(&self, path: &str, limit: u64) -> Result<Bytes, ReadError>;

    /// What was found but could not be listed, so that it can be reported instead of missed.
    fn unlisted(&self) -> &[Unlisted] {
        &[]
    }

    /// The repository that a file or a folder comes from, if the project has several and this is not the
    /// one of its configuration.
    fn repository_of(&self, _path: &str) -> Option<&str> {
        None
    }

    /// The entry with exactly this path.
    fn find(&self, path: &str) -> Option<&Entry> {
        let entries = self.entries();
        let index = entries.binary_search_by(|entry| (*entry.path).cmp(path)).ok()?;
        Some(&entries[index])
    }

    /// Everything below a folder, at any depth, in order. The root is the empty string.
    fn under(&self, dir: &str) -> &[Entry] {
        let entries = self.entries();
        if dir.is_empty() {
            return entries;
        }
        let start = entries.partition_point(|entry| before_folder(&entry.path, dir));
        let below = &entries[start..];
        &below[..below.partition_point(|entry| is_below(&entry.path, dir))]
    }
}

/// One name in a tree that is not a folder.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Entry {
    /// Relative to the root, `/`-separated, without `.` or `..`.
    pub path: Box<str>,
    /// Bytes, as listed; 0 for what is not a [`EntryKind::File`].
    pub size: u64,
    pub kind: EntryKind,
    pub fingerprint: Fingerprint,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum EntryKind {
    File,
    /// Listed, never followed: its target may lie outside the project.
    Symlink,
    /// Another repository's commit; its files are not part of this one.
    Submodule,
    /// A socket, pipe or device.
    Other,
}

impl fmt::Display for EntryKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::File => "file",
            Self::Symlink => "symbolic link",
            Self::Submodule => "Git submodule",
            Self::Other => "socket, pipe or device",
        })
    }
}

/// Equal fingerprints of entries from the same source mean equal content; unequal ones mean nothing.
///
/// For a commit it is made of the Git object id, for a file on disk of its device, inode, size,
/// modification and change time.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Fingerprint([u8; 32]);

impl Fingerprint {
    /// `source` keeps the fingerprints of different kinds of trees apart.
    pub(crate) fn of(source: &str, identity: &[u8]) -> Self {
        let labelled = [source.as_bytes(), &[0], identity].concat();
        Self(*Digest::of(&labelled).as_bytes())
    }

    pub const fn as_bytes(&self) -> &[u8; 32] {
        &self.0
    }
}

impl fmt::Debug for Fingerprint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Fingerprint({})", Digest::from_bytes(self.0).fmt_short())
    }
}

/// How large a tree may be before it is refused as a whole.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TreeLimits {
    /// Entries that are not folders, and folders, each.
    pub entries: usize,
    /// Folders above a file.
    pub depth: usize,
}

impl Default for TreeLimits {
    /// A hundred thousand files are ten times the largest site we expect, and still listed in about a
    /// second; hand-written trees are rarely ten folders deep.
    fn default() -> Self {
        Self { entries: 100_000, depth: 32 }
    }
}

/// A name that has no place in [`Tree::entries`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Unlisted {
    /// Readable, but not exact: what is not UTF-8 is replaced by `�`.
    pub path: String,
    pub reason: UnlistedReason,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum UnlistedReason {
    #[error("its name is not UTF-8")]
    NotUtf8,
    #[error("it may not be read by this user")]
    Forbidden,
    /// Only in a commit that was not made by Git: empty, `..`, with a slash in it, or there twice.
    #[error("it is no name for a file")]
    BadName,
}

/// Why a file of a tree could not be read.
#[derive(Debug, thiserror::Error)]
pub enum ReadError {
    #[error("`{path}` is not a file of this project")]
    NotFound { path: String },
    #[error("`{path}` is a {kind}, and only plain files are read")]
    NotAFile { path: String, kind: EntryKind },
    #[error("`{path}` has {}, over the limit of {}", ByteSize::from_bytes(*.size), ByteSize::from_bytes(*.limit))]
    TooLarge { path: String, size: u64, limit: u64 },
    /// Someone wrote the file while it was read; the next change event reads it again.
    #[error("`{path}` changed while it was read")]
    Changed { path: String },
    #[error("failed to read `{path}`")]
    Failed { path: String, source: Box<dyn Error + Send + Sync> },
}

impl ReadError {
    /// The same of a file that its reader knows under another path.
    pub(crate) fn at(self, other: &str) -> Self {
        let path = other.to_owned();
        match self {
            Self::NotFound { .. } => Self::NotFound { path },
            Self::NotAFile { kind, .. } => Self::NotAFile { path, kind },
            Self::TooLarge { size, limit, .. } => Self::TooLarge { path, size, limit },
            Self::Changed { .. } => Self::Changed { path },
            Self::Failed { source, .. } => Self::Failed { path, source },
        }
    }
}

/// The checks every kind of tree makes before it touches content.
pub(crate) fn plain_file<'a>(
    tree: &'a (impl Tree + ?Sized),
    path: &str,
    limit: u64,
) -> Result<&'a Entry, ReadError> {
    let Some(entry) = tree.find(path) else {
        return Err(ReadError::NotFound { path: path.to_owned() });
    };
    if entry.kind != EntryKind::File {
        return Err(ReadError::NotAFile { path: path.to_owned(), kind: entry.kind });
    }
    if entry.size > limit {
        return Err(ReadError::TooLarge { path: path.to_owned(), size: entry.size, limit });
    }
    Ok(entry)
}

/// Whether `path` sorts before `dir/`: compared without building that string.
fn before_folder(path: &str, dir: &str) -> bool {
    path.bytes().lt(dir.bytes().chain([b'/']))
}

fn is_below(path: &str, dir: &str) -> bool {
    path.strip_prefix(dir).is_some_and(|rest| rest.starts_with('/'))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn paths(entries: &[Entry]) -> Vec<&str> {
        entries.iter().map(|entry| &*entry.path).collect()
    }

    #[test]
    fn under_a_folder_is_everything_below_it_and_nothing_beside_it() {
        let tree = MemoryTree::new(
            ["a", "site.yaml", "site/x", "site/css/y", "site-2/z", "site0"].map(|path| (path, "")),
        );
        assert_eq!(paths(tree.under("site")), ["site/css/y", "site/x"]);
        assert_eq!(paths(tree.under("site/css")), ["site/css/y"]);
        assert!(tree.under("a").is_empty(), "a file is not a folder");
        assert!(tree.under("sit").is_empty());
        assert_eq!(tree.under("").len(), 6);
    }

    #[test]
    fn an_entry_is_found_by_its_exact_path() {
        let tree = MemoryTree::new([("b/c", "1"), ("a", "22")]);
        assert_eq!(tree.find("a").unwrap().size, 2);
        assert!(tree.find("b").is_none());
        assert!(tree.find("../a").is_none());
    }

    #[test]
    fn fingerprints_of_different_sources_differ() {
        assert_ne!(Fingerprint::of("git", b"x"), Fingerprint::of("folder", b"x"));
    }
}
