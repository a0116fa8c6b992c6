//! The guest's memory, through which every argument goes: no pointer is trusted, none can panic.

use std::ops::Range;

use wasmtime::{AsContextMut, Caller, Extern, Memory, StoreContextMut};

use super::{
    State,
    errno::{ADDRESS_OUT_OF_MEMORY, Errno, MEMORY_WRITE_FAILED},
};
use crate::defaults;

/// Linear memory as a host function sees it during one call.
pub(super) struct GuestMemory<'a>(&'a mut [u8]);

/// Splits a caller into its memory and its state.
pub(super) fn enter<'a>(
    caller: &'a mut Caller<'_, State>,
) -> Result<(GuestMemory<'a>, &'a mut State), Errno> {
    let memory = of(caller).ok_or(ADDRESS_OUT_OF_MEMORY)?;
    let (bytes, state) = memory.data_and_store_mut(caller.as_context_mut());
    Ok((GuestMemory(bytes), state))
}

/// The memory of whoever calls. A module's `start` section runs before its memory was looked up.
pub(super) fn of(caller: &mut Caller<'_, State>) -> Option<Memory> {
    match caller.data().memory {
        Some(memory) => Some(memory),
        None => caller.get_export("memory").and_then(Extern::into_memory),
    }
}

/// `count` bytes from `from` on, of the `size` at `at` in some module's memory. All of those must be there.
pub(super) struct Part {
    pub(super) memory: Memory,
    pub(super) at: u32,
    pub(super) size: u32,
    pub(super) from: u32,
    pub(super) count: u32,
}

/// Copies from memory to memory, which may be the same, in steps that a host buffer can hold. Either all is copied
/// or nothing.
pub(super) fn copy(
    store: &mut StoreContextMut<'_, State>,
    part: &Part,
    to: Memory,
    at: u32,
) -> Result<(), Errno> {
    let whole = GuestMemory(part.memory.data_mut(&mut *store)).range(part.at, part.size);
    let start = whole.ok_or(ADDRESS_OUT_OF_MEMORY)?.start + part.from as usize;
    let target = GuestMemory(to.data_mut(&mut *store)).range(at, part.count);
    let target = target.ok_or(MEMORY_WRITE_FAILED)?;
    if part.memory.data_ptr(&*store) == to.data_ptr(&*store) {
        to.data_mut(store).copy_within(start..start + target.len(), target.start);
        return Ok(());
    }
    let mut step = vec![0; target.len().min(defaults::COPY_STEP)];
    for done in (0..target.len()).step_by(defaults::COPY_STEP) {
        let step = &mut step[..(target.len() - done).min(defaults::COPY_STEP)];
        let (from, to_at) = (start + done, target.start + done);
        step.copy_from_slice(&part.memory.data(&*store)[from..from + step.len()]);
        to.data_mut(&mut *store)[to_at..to_at + step.len()].copy_from_slice(step);
    }
    Ok(())
}

impl GuestMemory<'_> {
    /// Where `length` bytes at `at` are, if they are all there. Zero bytes can be anywhere.
    fn range(&self, at: u32, length: u32) -> Option<Range<usize>> {
        if length == 0 {
            return Some(0..0);
        }
        let end = (at as usize).checked_add(length as usize)?;
        (end <= self.0.len()).then_some(at as usize..end)
    }

    /// `length` bytes at `at`. Zero bytes can be read from anywhere.
    pub(super) fn read(&self, at: u32, length: u32) -> Result<&[u8], Errno> {
        if length == 0 {
            return Ok(&[]);
        }
        let (start, length) = (at as usize, length as usize);
        let end = start.checked_add(length).ok_or(ADDRESS_OUT_OF_MEMORY)?;
        self.0.get(start..end).ok_or(ADDRESS_OUT_OF_MEMORY)
    }

    /// A copy of text; what is not UTF-8 is replaced.
    pub(super) fn text(&self, at: u32, length: u32) -> Result<String, Errno> {
        Ok(String::from_utf8_lossy(self.read(at, length)?).into_owned())
    }

    pub(super) fn write(&mut self, at: u32, bytes: &[u8]) -> Result<(), Errno> {
        if bytes.is_empty() {
            return Ok(());
        }
        self.slice(at, bytes.len())?.copy_from_slice(bytes);
        Ok(())
    }

    pub(super) fn write_u32(&mut self, at: u32, value: u32) -> Result<(), Errno> {
        self.write(at, &value.to_le_bytes())
    }

    pub(super) fn write_u64(&mut self, at: u32, value: u64) -> Result<(), Errno> {
        self.write(at, &value.to_le_bytes())
    }

    /// The length of `bytes`, for the `…Size` half of a pair.
    pub(super) fn write_size(&mut self, at: u32, bytes: &[u8]) -> Result<(), Errno> {
        self.write_u32(at, u32::try_from(bytes.len()).unwrap_or(u32::MAX))
    }

    /// `length` bytes at `at`, to be filled.
    pub(super) fn slice(&mut self, at: u32, length: usize) -> Result<&mut [u8], Errno> {
        let start = at as usize;
        let end = start.checked_add(length).ok_or(MEMORY_WRITE_FAILED)?;
        self.0.get_mut(start..end).ok_or(MEMORY_WRITE_FAILED)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_pointer_leaves_the_memory() {
        let mut bytes = [0; 16];
        let mut memory = GuestMemory(&mut bytes);
        for (at, length) in [(16, 1), (15, 2), (0, 17), (u32::MAX, 1), (1, u32::MAX)] {
            assert_eq!(memory.read(at, length), Err(ADDRESS_OUT_OF_MEMORY), "{at} {length}");
            assert!(memory.slice(at, length as usize).is_err(), "{at} {length}");
        }
        assert_eq!(memory.write_u32(13, 1), Err(MEMORY_WRITE_FAILED));
        assert_eq!(memory.read(u32::MAX, 0), Ok(&[][..]));
        assert_eq!(memory.write_u32(12, 7), Ok(()));
        assert_eq!(memory.read(12, 4), Ok(&[7, 0, 0, 0][..]));
    }
}
