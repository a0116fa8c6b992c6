//! A file system in memory: what a guest writes is there until its request ends.
//!
//! It begins empty. Bytes of files count against the memory of the function, and there are only so many files. Nothing
//! here recurses, so folders may be as deep as there are folders.

mod content;
mod path;
#[cfg(test)]
mod tests;

use std::collections::BTreeMap;

pub(super) use self::content::Stat;
use self::path::Place;
use super::codes::{
    EXISTS, INVALID, IS_FOLDER, Kind, NO_SPACE, NOT_A_FOLDER, NOT_EMPTY, NOT_THERE, Result,
};
use crate::{defaults, limits::Limits};

/// Files and folders by number. One that was removed while it is open lives until it is closed.
pub(super) struct Files {
    nodes: Vec<Option<Node>>,
    free: Vec<usize>,
    /// Orders the entries of a folder by when they came, so that a list that is read in parts misses none.
    sequence: u64,
}

/// A file or a folder.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct NodeId(usize);

/// The folder everything is in.
pub(super) const ROOT: NodeId = NodeId(0);

struct Node {
    content: Content,
    /// It has a name.
    linked: bool,
    /// Descriptors that stand for it.
    opens: u32,
    times: Times,
}

enum Content {
    File {
        bytes: Vec<u8>,
        /// What it was granted of the function's memory.
        capacity: usize,
    },
    Folder {
        entries: BTreeMap<Box<str>, Entry>,
        parent: NodeId,
    },
}

#[derive(Clone, Copy)]
struct Entry {
    node: NodeId,
    sequence: u64,
}

/// Nanoseconds since the Unix epoch.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Times {
    pub(super) accessed: u64,
    pub(super) modified: u64,
    pub(super) changed: u64,
}

/// What opening a path may do.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct OpenOptions {
    pub(super) create: bool,
    /// It must be new.
    pub(super) exclusive: bool,
    pub(super) truncate: bool,
    /// It must be a folder.
    pub(super) folder: bool,
    /// It is to be written.
    pub(super) write: bool,
}

impl Files {
    pub(super) fn new(now: u64) -> Self {
        let root = Node::new(Content::folder(ROOT), now);
        Self { nodes: vec![Some(root)], free: Vec::new(), sequence: FIRST_ENTRY }
    }

    /// What `path` stands for, seen from `base`.
    pub(super) fn find(&self, base: NodeId, path: &str) -> Result<NodeId> {
        let place = self.place(base, path)?;
        let node = self.at(&place)?.ok_or(NOT_THERE)?;
        if place.folder_only {
            self.entries(node)?;
        }
        Ok(node)
    }

    pub(super) fn open(
        &mut self,
        base: NodeId,
        path: &str,
        options: OpenOptions,
        limits: &mut Limits,
        now: u64,
    ) -> Result<NodeId> {
        let place = self.place(base, path)?;
        let Some(node) = self.at(&place)? else {
            if !options.create {
                return Err(NOT_THERE);
            }
            // Whether for a folder that `mkdir` has to make, or by a name that only a folder can have.
            if options.folder || place.folder_only {
                return Err(if options.folder { INVALID } else { IS_FOLDER });
            }
            return self.add(&place, Content::File { bytes: Vec::new(), capacity: 0 }, now);
        };
        if options.create && options.exclusive {
            return Err(EXISTS);
        }
        match self.kind(node) {
            Kind::Folder if options.write && !options.folder => return Err(IS_FOLDER),
            Kind::File if options.folder || place.folder_only => return Err(NOT_A_FOLDER),
            Kind::File if options.truncate => self.resize(node, 0, limits, now)?,
            _ => {}
        }
        Ok(node)
    }

    pub(super) fn create_folder(&mut self, base: NodeId, path: &str, now: u64) -> Result<()> {
        let place = self.place(base, path)?;
        if self.at(&place)?.is_some() {
            return Err(EXISTS);
        }
        self.add(&place, Content::folder(place.folder), now).map(drop)
    }

    pub(super) fn remove_folder(
        &mut self,
        base: NodeId,
        path: &str,
        limits: &mut Limits,
        now: u64,
    ) -> Result<()> {
        let place = self.place(base, path)?;
        let node = self.at(&place)?.ok_or(NOT_THERE)?;
        if !self.entries(node)?.is_empty() {
            return Err(NOT_EMPTY);
        }
        self.unlink(&place, limits, now)
    }

    pub(super) fn remove_file(
        &mut self,
        base: NodeId,
        path: &str,
        limits: &mut Limits,
        now: u64,
    ) -> Result<()> {
        let place = self.place(base, path)?;
        let node = self.at(&place)?.ok_or(NOT_THERE)?;
        match self.kind(node) {
            Kind::File if place.folder_only => Err(NOT_A_FOLDER),
            Kind::File => self.unlink(&place, limits, now),
            _ => Err(IS_FOLDER),
        }
    }

    /// Replaces what has the new name already, if it is of the same kind and, as a folder, empty.
    pub(super) fn rename(
        &mut self,
        from: (NodeId, &str),
        to: (NodeId, &str),
        limits: &mut Limits,
        now: u64,
    ) -> Result<()> {
        let (from, to) = (self.place(from.0, from.1)?, self.place(to.0, to.1)?);
        let node = self.at(&from)?.ok_or(NOT_THERE)?;
        let (Some(old), Some(new)) = (from.name, to.name) else { return Err(INVALID) };
        let kind = self.kind(node);
        if kind == Kind::File && (from.folder_only || to.folder_only) {
            return Err(NOT_A_FOLDER);
        }
        if kind == Kind::Folder && self.is_within(to.folder, node) {
            return Err(INVALID);
        }
        match self.at(&to)? {
            Some(same) if same == node => return Ok(()),
            Some(other) => {
                match (kind, self.kind(other)) {
                    (Kind::File, Kind::Folder) => return Err(IS_FOLDER),
                    (Kind::Folder, Kind::File) => return Err(NOT_A_FOLDER),
                    (Kind::Folder, _) if !self.entries(other)?.is_empty() => return Err(NOT_EMPTY),
                    _ => {}
                }
                self.unlink(&to, limits, now)?;
            }
            None if !self.node(to.folder).linked => return Err(NOT_THERE),
            None => {}
        }
        self.entries_mut(from.folder)?.remove(old);
        self.enter(to.folder, new, node)?;
        if let Content::Folder { parent, .. } = &mut self.node_mut(node).content {
            *parent = to.folder;
        }
        for folder in [from.folder, to.folder] {
            self.node_mut(folder).touch(now);
        }
        Ok(())
    }

    /// One more descriptor stands for it.
    pub(super) fn hold(&mut self, id: NodeId) {
        self.node_mut(id).opens += 1;
    }

    /// One fewer does.
    pub(super) fn let_go(&mut self, id: NodeId, limits: &mut Limits) {
        self.node_mut(id).opens -= 1;
        self.forget_if_gone(id, limits);
    }

    pub(super) fn kind(&self, id: NodeId) -> Kind {
        match self.node(id).content {
            Content::File { .. } => Kind::File,
            Content::Folder { .. } => Kind::Folder,
        }
    }

    /// Makes a file or a folder with the name of a place where nothing is.
    fn add(&mut self, place: &Place<'_>, content: Content, now: u64) -> Result<NodeId> {
        let name = place.name.ok_or(EXISTS)?;
        if !self.node(place.folder).linked {
            return Err(NOT_THERE);
        }
        let node = Some(Node::new(content, now));
        let id = match self.free.pop() {
            Some(free) => {
                self.nodes[free] = node;
                NodeId(free)
            }
            None if self.nodes.len() >= defaults::FILES => return Err(NO_SPACE),
            None => {
                self.nodes.push(node);
                NodeId(self.nodes.len() - 1)
            }
        };
        self.enter(place.folder, name, id)?;
        self.node_mut(place.folder).touch(now);
        Ok(id)
    }

    fn enter(&mut self, folder: NodeId, name: &str, node: NodeId) -> Result<()> {
        let sequence = self.sequence;
        self.sequence += 1;
        self.entries_mut(folder)?.insert(name.into(), Entry { node, sequence });
        Ok(())
    }

    /// Takes the name from what stands at a place.
    fn unlink(&mut self, place: &Place<'_>, limits: &mut Limits, now: u64) -> Result<()> {
        let name = place.name.ok_or(INVALID)?;
        let entry = self.entries_mut(place.folder)?.remove(name).ok_or(NOT_THERE)?;
        self.node_mut(place.folder).touch(now);
        let node = self.node_mut(entry.node);
        node.linked = false;
        if let Content::Folder { parent, .. } = &mut node.content {
            *parent = ROOT; // its own may go before it does
        }
        self.forget_if_gone(entry.node, limits);
        Ok(())
    }

    fn forget_if_gone(&mut self, id: NodeId, limits: &mut Limits) {
        let node = self.node(id);
        if node.linked || node.opens > 0 {
            return;
        }
        if let Content::File { capacity, .. } = node.content {
            limits.release(capacity);
        }
        self.nodes[id.0] = None;
        self.free.push(id.0);
    }

    /// Whether a folder is `outer` or anywhere in it.
    fn is_within(&self, folder: NodeId, outer: NodeId) -> bool {
        let mut at = folder;
        loop {
            if at == outer {
                return true;
            }
            match &self.node(at).content {
                Content::Folder { parent, .. } if at != ROOT => at = *parent,
                _ => return false,
            }
        }
    }

    fn entries(&self, id: NodeId) -> Result<&BTreeMap<Box<str>, Entry>> {
        match &self.node(id).content {
            Content::Folder { entries, .. } => Ok(entries),
            Content::File { .. } => Err(NOT_A_FOLDER),
        }
    }

    fn entries_mut(&mut self, id: NodeId) -> Result<&mut BTreeMap<Box<str>, Entry>> {
        match &mut self.node_mut(id).content {
            Content::Folder { entries, .. } => Ok(entries),
            Content::File { .. } => Err(NOT_A_FOLDER),
        }
    }

    fn node(&self, id: NodeId) -> &Node {
        self.nodes[id.0].as_ref().expect(ALIVE)
    }

    fn node_mut(&mut self, id: NodeId) -> &mut Node {
        self.nodes[id.0].as_mut().expect(ALIVE)
    }
}

const ALIVE: &str = "what has a name or is open is there";
/// `.` and `..` come before all entries.
const FIRST_ENTRY: u64 = 3;

impl NodeId {
    /// As guests see it; zero would mean "none" to some.
    fn number(self) -> u64 {
        self.0 as u64 + 1
    }
}

impl Node {
    fn new(content: Content, now: u64) -> Self {
        let times = Times { accessed: now, modified: now, changed: now };
        Self { content, linked: true, opens: 0, times }
    }

    fn touch(&mut self, now: u64) {
        self.times.modified = now;
        self.times.changed = now;
    }
}

impl Content {
    fn folder(parent: NodeId) -> Self {
        Self::Folder { entries: BTreeMap::new(), parent }
    }
}
