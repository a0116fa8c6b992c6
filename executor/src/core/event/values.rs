//! What a request is: pairs of functions that tell a value's size, then the value.

use std::borrow::Cow;

use wasmtime::{Caller, Linker};

use super::{
    super::{
        SDK, State,
        errno::{self, BUFFER_TOO_SMALL},
    },
    Event, with,
};

pub(super) fn add_to_linker(linker: &mut Linker<State>) -> wasmtime::Result<()> {
    values(linker)?;
    keyed_values(linker)
}

type Value = fn(&Event) -> Cow<'_, [u8]>;

fn values(linker: &mut Linker<State>) -> wasmtime::Result<()> {
    sized(linker, "getHttpEventHostSize", Event::host)?;
    written(linker, "getHttpEventHost", Event::host)?;
    sized(linker, "getHttpEventUserAgentSize", Event::user_agent)?;
    written(linker, "getHttpEventUserAgent", Event::user_agent)?;
    sized(linker, "getHttpEventPathSize", Event::path)?;
    written(linker, "getHttpEventPath", Event::path)?;
    sized(linker, "getHttpEventMethodSize", Event::method)?;
    // The one function that insists on the exact size.
    linker.func_wrap(
        SDK,
        "getHttpEventMethod",
        |mut caller: Caller<'_, State>, id: u32, out: u32, size: u32| -> u32 {
            errno::of(with(&mut caller, id, |mut memory, event| {
                let method = event.method();
                if method.len() != size as usize {
                    return Err(BUFFER_TOO_SMALL);
                }
                memory.write(out, &method)
            }))
        },
    )?;
    sized(linker, "getHttpEventRequestHeaderKeysSize", Event::header_keys)?;
    written(linker, "getHttpEventRequestHeaderKeys", Event::header_keys)?;
    // What the Go SDK imports for the same.
    sized(linker, "getHttpEventHeaderVarNameByIdSize", Event::header_keys)?;
    listed(linker, "getHttpEventHeaderVarNameById", Event::header_keys)?;
    sized(linker, "getHttpEventRequestQueryKeysSize", Event::query_keys)?;
    listed(linker, "getHttpEventRequestQueryKeys", Event::query_keys)
}

/// `(event, sizePtr)`
fn sized(linker: &mut Linker<State>, name: &str, value: Value) -> wasmtime::Result<()> {
    linker.func_wrap(
        SDK,
        name,
        move |mut caller: Caller<'_, State>, id: u32, out: u32| -> u32 {
            errno::of(with(&mut caller, id, |mut memory, event| {
                memory.write_size(out, &value(event))
            }))
        },
    )?;
    Ok(())
}

/// `(event, bufPtr, ignored)`
fn written(linker: &mut Linker<State>, name: &str, value: Value) -> wasmtime::Result<()> {
    linker.func_wrap(
        SDK,
        name,
        move |mut caller: Caller<'_, State>, id: u32, out: u32, _size: u32| -> u32 {
            errno::of(with(&mut caller, id, |mut memory, event| memory.write(out, &value(event))))
        },
    )?;
    Ok(())
}

/// `(event, bufPtr)`
fn listed(linker: &mut Linker<State>, name: &str, value: Value) -> wasmtime::Result<()> {
    linker.func_wrap(
        SDK,
        name,
        move |mut caller: Caller<'_, State>, id: u32, out: u32| -> u32 {
            errno::of(with(&mut caller, id, |mut memory, event| memory.write(out, &value(event))))
        },
    )?;
    Ok(())
}

type KeyedValue = for<'a> fn(&'a Event, &str) -> Cow<'a, [u8]>;

fn keyed_values(linker: &mut Linker<State>) -> wasmtime::Result<()> {
    keyed(linker, "getHttpEventHeadersSize", "getHttpEventHeaders", Event::header)?;
    let (size, name) = ("getHttpEventQueryValueByNameSize", "getHttpEventQueryValueByName");
    keyed(linker, size, name, Event::query)
}

/// `(event, sizePtr, keyPtr, keyLen)`, where the size comes first, and `(event, keyPtr, keyLen, bufPtr, ignored)`
fn keyed(
    linker: &mut Linker<State>,
    size: &str,
    name: &str,
    value: KeyedValue,
) -> wasmtime::Result<()> {
    linker.func_wrap(
        SDK,
        size,
        move |mut caller: Caller<'_, State>, id: u32, out: u32, key: u32, length: u32| -> u32 {
            errno::of(with(&mut caller, id, |mut memory, event| {
                let key = memory.text(key, length)?;
                memory.write_size(out, &value(event, &key))
            }))
        },
    )?;
    linker.func_wrap(
        SDK,
        name,
        move |mut caller: Caller<'_, State>,
              id: u32,
              key: u32,
              length: u32,
              out: u32,
              _size: u32|
              -> u32 {
            errno::of(with(&mut caller, id, |mut memory, event| {
                let key = memory.text(key, length)?;
                memory.write(out, &value(event, &key))
            }))
        },
    )?;
    Ok(())
}
