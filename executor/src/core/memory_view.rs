//! Area `i2mv/memoryView`: one module shows another a part of its memory.
//!
//! A view is a place, not a copy: who reads it sees what is there by then. It takes nothing of the host but a few
//! words, and it lives until it is closed or the request ends, in whichever module that is.

use std::collections::BTreeMap;

use wasmtime::{AsContextMut, Caller, Linker, Memory};

use super::{
    SDK, State,
    errno::{self, ADDRESS_OUT_OF_MEMORY, Errno, INVALID_BOOL, MEMORY_VIEW_NOT_FOUND},
    memory::{self, enter},
};
use crate::defaults;

/// The views of one request, by id. Ids count from one and are never used again.
#[derive(Default)]
pub(super) struct Views {
    open: BTreeMap<u32, View>,
    last: u32,
}

#[derive(Clone, Copy)]
struct View {
    /// That of the module that made it.
    memory: Memory,
    at: u32,
    size: u32,
    closable: bool,
}

pub(super) fn add_to_linker(linker: &mut Linker<State>) -> wasmtime::Result<()> {
    linker.func_wrap(
        SDK,
        "memoryViewNew",
        |mut caller: Caller<'_, State>, at: u32, size: u32, closable: u32, id: u32| -> u32 {
            errno::of(new(&mut caller, at, size, closable, id))
        },
    )?;
    linker.func_wrap(
        SDK,
        "memoryViewOpen",
        |mut caller: Caller<'_, State>, id: u32, closable: u32, size: u32| -> u32 {
            errno::of(open(&mut caller, id, closable, size))
        },
    )?;
    linker.func_wrap(
        SDK,
        "memoryViewRead",
        |mut caller: Caller<'_, State>,
         id: u32,
         from: u32,
         count: u32,
         at: u32,
         read: u32|
         -> u32 { errno::of(copy(&mut caller, id, from, count, at, read)) },
    )?;
    linker.func_wrap(SDK, "memoryViewClose", |mut caller: Caller<'_, State>, id: u32| {
        // Whether there is such a view, and whether it calls itself closable, is no matter, as in Taubyte.
        caller.data_mut().views.open.remove(&id);
    })?;
    Ok(())
}

/// Where it leads is looked at when it is read, as in Taubyte.
fn new(
    caller: &mut Caller<'_, State>,
    at: u32,
    size: u32,
    closable: u32,
    out: u32,
) -> Result<(), Errno> {
    let closable = match closable {
        0 => false,
        1 => true,
        _ => return Err(INVALID_BOOL),
    };
    let memory = memory::of(caller).ok_or(ADDRESS_OUT_OF_MEMORY)?;
    let (mut guest, state) = enter(caller)?;
    if state.views.open.len() >= defaults::MEMORY_VIEWS {
        return Err(ADDRESS_OUT_OF_MEMORY);
    }
    let id = state.views.last.checked_add(1).ok_or(ADDRESS_OUT_OF_MEMORY)?;
    guest.write_u32(out, id)?;
    state.views.last = id;
    state.views.open.insert(id, View { memory, at, size, closable });
    Ok(())
}

fn open(caller: &mut Caller<'_, State>, id: u32, closable: u32, size: u32) -> Result<(), Errno> {
    let view = find(caller, id)?;
    let (mut guest, _) = enter(caller)?;
    guest.write_u32(size, view.size)?;
    guest.write_u32(closable, u32::from(view.closable))
}

/// At most `count` bytes, fewer where the view ends.
fn copy(
    caller: &mut Caller<'_, State>,
    id: u32,
    from: u32,
    count: u32,
    at: u32,
    read: u32,
) -> Result<(), Errno> {
    let view = find(caller, id)?;
    let count = match view.size.checked_sub(from) {
        None | Some(0) => return Err(ADDRESS_OUT_OF_MEMORY),
        Some(left) => count.min(left),
    };
    let own = memory::of(caller).ok_or(ADDRESS_OUT_OF_MEMORY)?;
    memory::copy(&mut caller.as_context_mut(), &view.part(from, count), own, at)?;
    enter(caller)?.0.write_u32(read, count)
}

fn find(caller: &Caller<'_, State>, id: u32) -> Result<View, Errno> {
    caller.data().views.open.get(&id).copied().ok_or(MEMORY_VIEW_NOT_FOUND)
}

impl View {
    /// `count` bytes of it, which must be there as a whole.
    fn part(&self, from: u32, count: u32) -> memory::Part {
        memory::Part { memory: self.memory, at: self.at, size: self.size, from, count }
    }
}
