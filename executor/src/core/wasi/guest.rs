//! A guest's memory as WASI's functions see it: the same checks, WASI's error numbers, WASI's structures.

use wasmtime::Caller;

use super::{
    Wasi,
    codes::{BAD_DESCRIPTOR, FAULT, ILLEGAL_BYTES, INVALID, Kind, Result},
    descriptors::{Descriptor, Descriptors},
    files::{NodeId, Stat},
};
use crate::{
    core::{
        State,
        memory::{GuestMemory, enter},
    },
    defaults,
    limits::Limits,
    log::Output,
};

/// What a function about files works with.
pub(super) struct Call<'a> {
    pub(super) memory: Memory<'a>,
    pub(super) descriptors: &'a mut Descriptors,
    pub(super) limits: &'a mut Limits,
    pub(super) output: &'a Output,
}

pub(super) struct Memory<'a>(GuestMemory<'a>);

/// Runs a host function's body.
pub(super) fn with<T>(
    caller: &mut Caller<'_, State>,
    function: impl FnOnce(&mut Call<'_>) -> Result<T>,
) -> Result<T> {
    let (memory, state) = enter(caller).map_err(|_| FAULT)?;
    let State { wasi, limits, output, .. } = state;
    let Wasi { descriptors, .. } = wasi;
    let descriptors = descriptors.get_or_insert_with(Box::default);
    function(&mut Call { memory: Memory(memory), descriptors, limits, output })
}

impl Memory<'_> {
    pub(super) fn read(&self, at: u32, length: u32) -> Result<&[u8]> {
        self.0.read(at, length).map_err(|_| FAULT)
    }

    pub(super) fn slice(&mut self, at: u32, length: u32) -> Result<&mut [u8]> {
        if length == 0 {
            return Ok(&mut []);
        }
        self.0.slice(at, length as usize).map_err(|_| FAULT)
    }

    pub(super) fn write(&mut self, at: u32, bytes: &[u8]) -> Result<()> {
        self.0.write(at, bytes).map_err(|_| FAULT)
    }

    pub(super) fn write_u32(&mut self, at: u32, value: u32) -> Result<()> {
        self.write(at, &value.to_le_bytes())
    }

    pub(super) fn write_u64(&mut self, at: u32, value: u64) -> Result<()> {
        self.write(at, &value.to_le_bytes())
    }

    /// A path, which must be text.
    pub(super) fn path(&self, at: u32, length: u32) -> Result<&str> {
        std::str::from_utf8(self.read(at, length)?).map_err(|_| ILLEGAL_BYTES)
    }

    /// The buffers of a vectored call.
    pub(super) fn buffers(&self, at: u32, count: u32) -> Result<Vec<(u32, u32)>> {
        if count > defaults::IO_VECTORS {
            return Err(INVALID);
        }
        let words = self.read(at, count * 8)?.chunks_exact(8);
        Ok(words.map(|pair| (word(pair, 0), word(pair, 4))).collect())
    }

    /// The structure `filestat`.
    pub(super) fn write_stat(&mut self, at: u32, stat: &Stat) -> Result<()> {
        let mut bytes = [0; 64];
        bytes[8..16].copy_from_slice(&stat.number.to_le_bytes());
        bytes[16] = stat.kind as u8;
        bytes[24..32].copy_from_slice(&stat.links.to_le_bytes());
        bytes[32..40].copy_from_slice(&stat.size.to_le_bytes());
        bytes[40..48].copy_from_slice(&stat.times.accessed.to_le_bytes());
        bytes[48..56].copy_from_slice(&stat.times.modified.to_le_bytes());
        bytes[56..].copy_from_slice(&stat.times.changed.to_le_bytes());
        self.write(at, &bytes)
    }

    /// The structure `fdstat`.
    pub(super) fn write_descriptor(
        &mut self,
        at: u32,
        kind: Kind,
        flags: u16,
        rights: u64,
    ) -> Result<()> {
        let mut bytes = [0; 24];
        bytes[0] = kind as u8;
        bytes[2..4].copy_from_slice(&flags.to_le_bytes());
        bytes[8..16].copy_from_slice(&rights.to_le_bytes());
        bytes[16..].copy_from_slice(&rights.to_le_bytes());
        self.write(at, &bytes)
    }
}

/// Four bytes of a structure.
pub(super) fn word(bytes: &[u8], at: usize) -> u32 {
    u32::from_le_bytes(bytes[at..at + 4].try_into().expect("four bytes"))
}

/// Eight bytes of a structure.
pub(super) fn long(bytes: &[u8], at: usize) -> u64 {
    u64::from_le_bytes(bytes[at..at + 8].try_into().expect("eight bytes"))
}

impl Call<'_> {
    /// The folder a path begins at.
    pub(super) fn folder(&self, fd: u32) -> Result<NodeId> {
        match self.descriptors.find(fd)? {
            Descriptor::Open(open) => Ok(open.node),
            Descriptor::Stdin | Descriptor::Output(_) => Err(BAD_DESCRIPTOR),
        }
    }
}
