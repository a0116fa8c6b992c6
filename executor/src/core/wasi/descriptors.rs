//! What a guest's descriptors stand for.

use std::{
    collections::BTreeMap,
    time::{SystemTime, UNIX_EPOCH},
};

use super::{
    codes::{BAD_DESCRIPTOR, Result, TOO_MANY_OPEN},
    files::{Files, NodeId, ROOT},
};
use crate::{defaults, limits::Limits, log::GuestStream};

/// The open descriptors of one request, of all its modules, and the files they lead to.
pub(super) struct Descriptors {
    open: BTreeMap<u32, Descriptor>,
    pub(super) files: Files,
}

#[derive(Debug, Clone, Copy)]
pub(super) enum Descriptor {
    /// Always at its end.
    Stdin,
    /// The function's log.
    Output(GuestStream),
    Open(Open),
}

/// A file or folder that was opened.
#[derive(Debug, Clone, Copy)]
pub(super) struct Open {
    pub(super) node: NodeId,
    pub(super) position: u64,
    pub(super) readable: bool,
    pub(super) writable: bool,
    /// As WASI numbers them; only [`APPEND`] changes anything.
    pub(super) flags: u16,
    /// It was open from the beginning, as the folder everything is in.
    pub(super) given: bool,
}

/// Writing always happens at the end.
pub(super) const APPEND: u16 = 1;
/// The root, by which libraries for C and Go find their way; the first after those of the standard streams.
const GIVEN: u32 = 3;

impl Default for Descriptors {
    fn default() -> Self {
        let mut files = Files::new(now());
        files.hold(ROOT);
        let root = Open {
            node: ROOT,
            position: 0,
            readable: true,
            writable: false,
            flags: 0,
            given: true,
        };
        let open = BTreeMap::from([
            (0, Descriptor::Stdin),
            (1, Descriptor::Output(GuestStream::Stdout)),
            (2, Descriptor::Output(GuestStream::Stderr)),
            (GIVEN, Descriptor::Open(root)),
        ]);
        Self { open, files }
    }
}

/// Nanoseconds since the Unix epoch.
#[expect(clippy::disallowed_methods, reason = "guests see this machine's clock as it is")]
pub(super) fn now() -> u64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    u64::try_from(since.as_nanos()).unwrap_or(u64::MAX)
}

impl Descriptors {
    pub(super) fn find(&self, fd: u32) -> Result<Descriptor> {
        self.open.get(&fd).copied().ok_or(BAD_DESCRIPTOR)
    }

    /// One that can be changed in place.
    pub(super) fn file_mut(&mut self, fd: u32) -> Result<&mut Open> {
        match self.open.get_mut(&fd) {
            Some(Descriptor::Open(open)) => Ok(open),
            _ => Err(BAD_DESCRIPTOR),
        }
    }

    /// The lowest number that is free, which the next descriptor gets.
    pub(super) fn free(&self) -> Result<u32> {
        if self.open.len() >= defaults::DESCRIPTORS {
            return Err(TOO_MANY_OPEN);
        }
        let mut taken = self.open.keys();
        Ok((0..).find(|number| taken.next() != Some(number)).unwrap_or(u32::MAX))
    }

    pub(super) fn insert(&mut self, open: Open) -> Result<u32> {
        let fd = self.free()?;
        self.files.hold(open.node);
        self.open.insert(fd, Descriptor::Open(open));
        Ok(fd)
    }

    pub(super) fn close(&mut self, fd: u32, limits: &mut Limits) -> Result<()> {
        if let Descriptor::Open(open) = self.open.remove(&fd).ok_or(BAD_DESCRIPTOR)? {
            self.files.let_go(open.node, limits);
        }
        Ok(())
    }

    /// What was `from` is `to` from now on, whose own meaning is closed.
    pub(super) fn renumber(&mut self, from: u32, to: u32, limits: &mut Limits) -> Result<()> {
        let moved = self.find(from)?;
        self.find(to)?;
        if from != to {
            self.close(to, limits)?;
            self.open.remove(&from);
            self.open.insert(to, moved);
        }
        Ok(())
    }
}
