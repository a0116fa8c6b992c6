//! Header fields handed out as lists: those of a request and those of its response, by functions of the same shape.

use wasmtime::{Caller, Linker};

use super::{
    super::{
        SDK, State,
        errno::{self, Errno},
        memory::GuestMemory,
    },
    Request,
    fields::Fields,
    with,
};

/// Whose fields.
pub(super) type Of = fn(&mut Request) -> Result<&Fields, Errno>;

/// How a value is handed out: its size, or itself.
type Write = fn(&mut GuestMemory<'_>, u32, &[u8]) -> Result<(), Errno>;

/// `(client, request, keyPtr, keyLen, sizePtr)` and `(client, request, keyPtr, keyLen, bufPtr)`
pub(super) fn values(
    linker: &mut Linker<State>,
    size: &str,
    name: &str,
    of: Of,
) -> wasmtime::Result<()> {
    let parts: [(&str, Write); 2] = [
        (size, |memory, at, value| memory.write_size(at, value)),
        (name, |memory, at, value| memory.write(at, value)),
    ];
    for (function, write) in parts {
        linker.func_wrap(
            SDK,
            function,
            move |mut caller: Caller<'_, State>,
                  client: u32,
                  id: u32,
                  key: u32,
                  length: u32,
                  out: u32|
                  -> u32 {
                errno::of(with(&mut caller, client, id, |mut memory, request, _| {
                    let values = of(request)?.values(memory.read(key, length)?);
                    write(&mut memory, out, &values)
                }))
            },
        )?;
    }
    Ok(())
}

/// `(client, request, sizePtr)` and `(client, request, bufPtr, ignored)`
pub(super) fn keys(
    linker: &mut Linker<State>,
    size: &str,
    name: &str,
    of: Of,
) -> wasmtime::Result<()> {
    linker.func_wrap(
        SDK,
        size,
        move |mut caller: Caller<'_, State>, client: u32, id: u32, out: u32| -> u32 {
            errno::of(with(&mut caller, client, id, |mut memory, request, _| {
                memory.write_size(out, &of(request)?.names())
            }))
        },
    )?;
    linker.func_wrap(
        SDK,
        name,
        move |mut caller: Caller<'_, State>, client: u32, id: u32, out: u32, _size: u32| -> u32 {
            errno::of(with(&mut caller, client, id, |mut memory, request, _| {
                memory.write(out, &of(request)?.names())
            }))
        },
    )?;
    Ok(())
}
