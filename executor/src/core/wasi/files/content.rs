//! What is in files and folders, and what is known of them.

use super::{Content, Files, NodeId, Times};
use crate::{
    core::wasi::codes::{FILE_TOO_LARGE, IS_FOLDER, Kind, NO_SPACE, NOT_A_FOLDER, Result},
    limits::Limits,
};

/// What is known of a file or a folder.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::core::wasi) struct Stat {
    pub(in crate::core::wasi) number: u64,
    pub(in crate::core::wasi) kind: Kind,
    pub(in crate::core::wasi) links: u64,
    pub(in crate::core::wasi) size: u64,
    pub(in crate::core::wasi) times: Times,
}

/// One name in a folder.
#[derive(Debug, PartialEq, Eq)]
pub(in crate::core::wasi) struct Listed<'a> {
    /// Where to go on after it.
    pub(in crate::core::wasi) cookie: u64,
    pub(in crate::core::wasi) number: u64,
    pub(in crate::core::wasi) kind: Kind,
    pub(in crate::core::wasi) name: &'a str,
}

impl Files {
    pub(in crate::core::wasi) fn stat(&self, id: NodeId) -> Stat {
        let node = self.node(id);
        let size = match &node.content {
            Content::File { bytes, .. } => bytes.len() as u64,
            Content::Folder { .. } => 0,
        };
        let links = u64::from(node.linked);
        Stat { number: id.number(), kind: self.kind(id), links, size, times: node.times }
    }

    pub(in crate::core::wasi) fn set_times(&mut self, id: NodeId, times: Times) {
        self.node_mut(id).times = times;
    }

    /// How many of a file's bytes from `at` on now stand in `buffer`.
    pub(in crate::core::wasi) fn read(
        &self,
        id: NodeId,
        at: u64,
        buffer: &mut [u8],
    ) -> Result<usize> {
        let Content::File { bytes, .. } = &self.node(id).content else { return Err(IS_FOLDER) };
        let rest = usize::try_from(at).ok().and_then(|at| bytes.get(at..)).unwrap_or_default();
        let count = rest.len().min(buffer.len());
        buffer[..count].copy_from_slice(&rest[..count]);
        Ok(count)
    }

    /// Writes all or nothing. A gap before it is zeros.
    pub(in crate::core::wasi) fn write(
        &mut self,
        id: NodeId,
        at: u64,
        written: &[u8],
        limits: &mut Limits,
        now: u64,
    ) -> Result<()> {
        let end = at.checked_add(written.len() as u64).ok_or(FILE_TOO_LARGE)?;
        let node = self.node_mut(id);
        let Content::File { bytes, capacity } = &mut node.content else { return Err(IS_FOLDER) };
        if written.is_empty() {
            return Ok(()); // wherever it would be, the file stays as long as it is
        }
        let (start, end) = (index(at)?, index(end)?);
        if end > bytes.len() {
            resize(bytes, capacity, end, limits)?;
        }
        bytes[start..end].copy_from_slice(written);
        node.touch(now);
        Ok(())
    }

    pub(in crate::core::wasi) fn resize(
        &mut self,
        id: NodeId,
        size: u64,
        limits: &mut Limits,
        now: u64,
    ) -> Result<()> {
        let node = self.node_mut(id);
        let Content::File { bytes, capacity } = &mut node.content else { return Err(IS_FOLDER) };
        resize(bytes, capacity, index(size)?, limits)?;
        node.touch(now);
        Ok(())
    }

    /// What is in a folder, after `cookie`; zero is the beginning.
    pub(in crate::core::wasi) fn list(&self, id: NodeId, cookie: u64) -> Result<Vec<Listed<'_>>> {
        let Content::Folder { entries, parent } = &self.node(id).content else {
            return Err(NOT_A_FOLDER);
        };
        let listed = |cookie, node: NodeId, name| {
            let (number, kind) = (node.number(), self.kind(node));
            Listed { cookie, number, kind, name }
        };
        let mut list = vec![listed(1, id, "."), listed(2, *parent, "..")];
        list.extend(entries.iter().map(|(name, entry)| listed(entry.sequence, entry.node, name)));
        list.retain(|entry| entry.cookie > cookie);
        list.sort_unstable_by_key(|entry| entry.cookie);
        Ok(list)
    }
}

fn index(at: u64) -> Result<usize> {
    usize::try_from(at).map_err(|_| FILE_TOO_LARGE)
}

fn resize(
    bytes: &mut Vec<u8>,
    capacity: &mut usize,
    size: usize,
    limits: &mut Limits,
) -> Result<()> {
    if size > *capacity {
        *capacity = limits.grow(*capacity, size).ok_or(NO_SPACE)?;
        bytes.reserve_exact(*capacity - bytes.len());
    } else if size == 0 {
        *bytes = Vec::new();
        limits.release(std::mem::take(capacity));
    }
    bytes.resize(size, 0);
    Ok(())
}
