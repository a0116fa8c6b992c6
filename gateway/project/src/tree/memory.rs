//! `MemoryTree`: a tree held in memory, for tests and for sources that have no files.

use bytes::Bytes;

use super::{Entry, EntryKind, Fingerprint, ReadError, Tree, plain_file};

/// Files in a map. Of a path given twice the last one counts.
#[derive(Clone, Debug, Default)]
pub struct MemoryTree {
    entries: Vec<Entry>,
    contents: Vec<Bytes>, // parallel to `entries`
}

impl MemoryTree {
    pub fn new<P, B>(files: impl IntoIterator<Item = (P, B)>) -> Self
    where
        P: Into<Box<str>>,
        B: Into<Bytes>,
    {
        let mut tree = Self::default();
        for (path, content) in files {
            tree.insert(path.into(), EntryKind::File, content.into());
        }
        tree
    }

    /// Adds something that is not a file, such as a link.
    #[must_use]
    pub fn with(mut self, path: &str, kind: EntryKind) -> Self {
        self.insert(path.into(), kind, Bytes::new());
        self
    }

    fn insert(&mut self, path: Box<str>, kind: EntryKind, content: Bytes) {
        let size = content.len() as u64;
        let fingerprint = Fingerprint::of("memory", &content);
        let entry = Entry { path, size, kind, fingerprint };
        match self.entries.binary_search_by(|other| other.path.cmp(&entry.path)) {
            Ok(index) => {
                self.entries[index] = entry;
                self.contents[index] = content;
            }
            Err(index) => {
                self.entries.insert(index, entry);
                self.contents.insert(index, content);
            }
        }
    }
}

impl Tree for MemoryTree {
    fn entries(&self) -> &[Entry] {
        &self.entries
    }

    fn read(&self, path: &str, limit: u64) -> Result<Bytes, ReadError> {
        plain_file(self, path, limit)?;
        let index = self.entries.binary_search_by(|entry| (*entry.path).cmp(path));
        Ok(self.contents[index.expect("the path was just found")].clone())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_plain_files_within_the_limit_are_read() {
        let tree = MemoryTree::new([("a", "one"), ("a", "four")]).with("link", EntryKind::Symlink);
        assert_eq!(tree.read("a", 4).unwrap(), "four");
        assert!(matches!(tree.read("a", 3), Err(ReadError::TooLarge { size: 4, limit: 3, .. })));
        assert!(matches!(tree.read("b", 3), Err(ReadError::NotFound { .. })));
        let refused = tree.read("link", 3).unwrap_err();
        assert_eq!(refused.to_string(), "`link` is a symbolic link, and only plain files are read");
    }
}
