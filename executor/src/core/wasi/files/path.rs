//! From a path to the place it names.

use super::{Content, Files, NodeId, ROOT};
use crate::{
    core::wasi::codes::{NAME_TOO_LONG, NOT_THERE, Result},
    defaults,
};

/// Where a path leads: a folder and a name in it, whether something has that name or not.
pub(super) struct Place<'p> {
    pub(super) folder: NodeId,
    /// None if the path names the folder itself: `/`, `.`, or one that ends with `..`.
    pub(super) name: Option<&'p str>,
    /// It ends with a slash, so it can only name a folder.
    pub(super) folder_only: bool,
}

impl Files {
    /// Paths that begin with a slash begin at the root, others at `base`. Nothing leads out of the root.
    pub(super) fn place<'p>(&self, base: NodeId, path: &'p str) -> Result<Place<'p>> {
        if path.is_empty() {
            return Err(NOT_THERE);
        }
        if path.len() > defaults::PATH {
            return Err(NAME_TOO_LONG);
        }
        let mut folder = if path.starts_with('/') { ROOT } else { base };
        self.entries(folder)?;
        let mut parts = path.split('/').filter(|part| !matches!(*part, "" | ".")).peekable();
        while let Some(part) = parts.next() {
            if part == ".." {
                folder = self.parent(folder);
                continue;
            }
            if part.len() > defaults::FILE_NAME {
                return Err(NAME_TOO_LONG);
            }
            if parts.peek().is_none() {
                let folder_only = path.ends_with('/') || path.ends_with("/.");
                return Ok(Place { folder, name: Some(part), folder_only });
            }
            folder = self.entries(folder)?.get(part).ok_or(NOT_THERE)?.node;
            self.entries(folder)?;
        }
        Ok(Place { folder, name: None, folder_only: true })
    }

    /// What stands at a place.
    pub(super) fn at(&self, place: &Place<'_>) -> Result<Option<NodeId>> {
        let entries = self.entries(place.folder)?;
        Ok(match place.name {
            Some(name) => entries.get(name).map(|entry| entry.node),
            None => Some(place.folder),
        })
    }

    fn parent(&self, folder: NodeId) -> NodeId {
        match &self.node(folder).content {
            Content::Folder { parent, .. } => *parent,
            Content::File { .. } => folder,
        }
    }
}
