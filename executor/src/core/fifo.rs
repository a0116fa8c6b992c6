//! Area `i2mv/fifo`: bytes on their way from one module to another, one at a time.
//!
//! They wait in the host, so they count against the memory of the function, and there are only so many queues.

use std::collections::{BTreeMap, VecDeque};

use wasmtime::{Caller, Linker};

use super::{
    SDK, State,
    errno::{self, EOF, Errno, FIFO_NOT_FOUND, MEMORY_WRITE_FAILED},
    memory::enter,
};
use crate::{defaults, limits::Limits};

/// The queues of one request, by id. Ids count from one and are never used again.
#[derive(Default)]
pub(super) struct Fifos {
    open: BTreeMap<u32, Fifo>,
    last: u32,
}

struct Fifo {
    bytes: VecDeque<u8>,
    /// What it was granted of the function's memory.
    capacity: usize,
    /// Whoever reads it should close it: for guests to know, nothing follows from it here.
    read_closer: bool,
}

pub(super) fn add_to_linker(linker: &mut Linker<State>) -> wasmtime::Result<()> {
    linker.func_wrap(SDK, "fifoNew", |mut caller: Caller<'_, State>, read_closer: u32| -> u32 {
        // It gives the id instead of an error; nothing is ever called zero.
        caller.data_mut().fifos.open(read_closer == 1).unwrap_or(0)
    })?;
    linker.func_wrap(
        SDK,
        "fifoPush",
        |mut caller: Caller<'_, State>, id: u32, byte: u32| -> u32 {
            let State { fifos, limits, .. } = caller.data_mut();
            errno::of(fifos.find(id).and_then(|fifo| fifo.push(byte, limits)))
        },
    )?;
    linker.func_wrap(
        SDK,
        "fifoPop",
        |mut caller: Caller<'_, State>, id: u32, out: u32| -> u32 {
            errno::of(pop(&mut caller, id, out))
        },
    )?;
    linker.func_wrap(
        SDK,
        "fifoIsCloser",
        |mut caller: Caller<'_, State>, id: u32, out: u32| -> u32 {
            errno::of(is_closer(&mut caller, id, out))
        },
    )?;
    linker.func_wrap(SDK, "fifoClose", |mut caller: Caller<'_, State>, id: u32| {
        let State { fifos, limits, .. } = caller.data_mut();
        if let Some(fifo) = fifos.open.remove(&id) {
            limits.release(fifo.capacity);
        }
    })?;
    Ok(())
}

/// The pointer is checked before the byte is taken, so that a bad one loses nothing.
fn pop(caller: &mut Caller<'_, State>, id: u32, out: u32) -> Result<(), Errno> {
    caller.data_mut().fifos.find(id)?;
    let (mut memory, state) = enter(caller)?;
    let fifo = state.fifos.find(id)?;
    let byte = *fifo.bytes.front().ok_or(EOF)?;
    memory.write(out, &[byte])?;
    fifo.bytes.pop_front();
    Ok(())
}

fn is_closer(caller: &mut Caller<'_, State>, id: u32, out: u32) -> Result<(), Errno> {
    let read_closer = caller.data_mut().fifos.find(id)?.read_closer;
    enter(caller)?.0.write_u32(out, u32::from(read_closer))
}

impl Fifos {
    fn open(&mut self, read_closer: bool) -> Option<u32> {
        if self.open.len() >= defaults::FIFOS {
            return None;
        }
        let id = self.last.checked_add(1)?;
        self.last = id;
        self.open.insert(id, Fifo { bytes: VecDeque::new(), capacity: 0, read_closer });
        Some(id)
    }

    fn find(&mut self, id: u32) -> Result<&mut Fifo, Errno> {
        self.open.get_mut(&id).ok_or(FIFO_NOT_FOUND)
    }
}

impl Fifo {
    /// Of the value only the last byte counts.
    fn push(&mut self, byte: u32, limits: &mut Limits) -> Result<(), Errno> {
        let length = self.bytes.len();
        if length == self.capacity {
            self.capacity = limits.grow(length, length + 1).ok_or(MEMORY_WRITE_FAILED)?;
            self.bytes.reserve_exact(self.capacity - length);
        }
        self.bytes.push_back(byte.to_le_bytes()[0]);
        Ok(())
    }
}
