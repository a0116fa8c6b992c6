//! Module `env`: what Taubyte's runtime adds, and what AssemblyScript calls when it gives up.

use std::time::Duration;

use wasmtime::{Caller, Linker};

use super::{
    State,
    memory::{GuestMemory, enter},
};
use crate::log::GuestStream;

pub(super) fn add_to_linker(linker: &mut Linker<State>) -> wasmtime::Result<()> {
    // Guests of Taubyte's Go SDK report here from `_start`, which has returned when their entry is called.
    linker.func_wrap("env", "_ready", || {})?;
    linker.func_wrap_async("env", "_sleep", |_: Caller<'_, State>, (nanos,): (i64,)| {
        // Its deadline ends a guest that sleeps too long.
        let pause = Duration::from_nanos(u64::try_from(nanos).unwrap_or(0));
        Box::new(tokio::time::sleep(pause))
    })?;
    linker.func_wrap("env", "_log", |mut caller: Caller<'_, State>, at: u32, length: u32| {
        if let Ok((memory, state)) = enter(&mut caller)
            && let Ok(text) = memory.read(at, length)
        {
            state.output.write(GuestStream::Stdout, text);
            state.output.write(GuestStream::Stdout, b"\n");
        }
    })?;
    linker.func_wrap(
        "env",
        "abort",
        |mut caller: Caller<'_, State>, message: u32, file: u32, line: u32, column: u32| {
            let (message, file) = match enter(&mut caller) {
                Ok((memory, _)) => (managed_text(&memory, message), managed_text(&memory, file)),
                Err(_) => (None, None),
            };
            let message = message.unwrap_or_else(|| "no message".to_owned());
            let file = file.unwrap_or_else(|| "unknown file".to_owned());
            Err::<(), _>(wasmtime::format_err!("aborted: {message} ({file}:{line}:{column})"))
        },
    )?;
    Ok(())
}

/// The longest part of an AssemblyScript string that is shown.
const SHOWN: u32 = 1024;

/// An AssemblyScript string: UTF-16, its length in bytes in the four bytes before it.
fn managed_text(memory: &GuestMemory<'_>, at: u32) -> Option<String> {
    let length = memory.read(at.checked_sub(4)?, 4).ok()?;
    let length = u32::from_le_bytes(length.try_into().ok()?).min(SHOWN);
    let units = memory.read(at, length).ok()?.chunks_exact(2);
    let units = units.map(|pair| u16::from_le_bytes([pair[0], pair[1]]));
    Some(char::decode_utf16(units).map(|unit| unit.unwrap_or('\u{fffd}')).collect())
}
