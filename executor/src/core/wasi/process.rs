//! What a program knows of itself and its machine: arguments, variables, clocks, chance, its end. Sockets are not
//! there.

use std::time::Instant;

use rand::{TryRngCore, rngs::OsRng};
use wasmtime::{Caller, Linker};
use wasmtime_wasi::I32Exit;

use super::{
    WASI,
    codes::{self, INVALID, IO, NOT_A_SOCKET, NOT_SUPPORTED, Result},
    descriptors::now,
    guest::{Call, with},
};
use crate::{core::State, defaults};

pub(super) fn add_to_linker(linker: &mut Linker<State>) -> wasmtime::Result<()> {
    texts(linker)?;
    clocks(linker)?;
    ends(linker)?;
    sockets(linker)
}

type Guest<'a> = Caller<'a, State>;

fn texts(linker: &mut Linker<State>) -> wasmtime::Result<()> {
    list(linker, "args_sizes_get", "args_get", arguments)?;
    list(linker, "environ_sizes_get", "environ_get", variables)
}

/// Programs expect their own name; Taubyte gives the module's.
fn arguments(state: &State) -> Vec<String> {
    vec![state.function.scope.function.to_string()]
}

fn variables(state: &State) -> Vec<String> {
    state.function.variables.iter().map(|(name, value)| format!("{name}={value}")).collect()
}

/// A pair of functions: how many texts there are and how many bytes, then where each stands, and the bytes.
fn list(
    linker: &mut Linker<State>,
    sizes: &str,
    name: &str,
    texts: fn(&State) -> Vec<String>,
) -> wasmtime::Result<()> {
    linker.func_wrap(WASI, sizes, move |mut guest: Guest<'_>, count: u32, size: u32| {
        let texts = texts(guest.data());
        codes::of(with(&mut guest, |call| {
            call.memory.write_u32(count, length(texts.len()))?;
            call.memory.write_u32(size, length(texts.iter().map(|text| text.len() + 1).sum()))
        }))
    })?;
    linker.func_wrap(WASI, name, move |mut guest: Guest<'_>, pointers: u32, bytes: u32| {
        let texts = texts(guest.data());
        codes::of(with(&mut guest, |call| call.write_texts(&texts, pointers, bytes)))
    })?;
    Ok(())
}

fn length(size: usize) -> u32 {
    u32::try_from(size).unwrap_or(u32::MAX)
}

const REALTIME: u32 = 0;
const MONOTONIC: u32 = 1;

fn clocks(linker: &mut Linker<State>) -> wasmtime::Result<()> {
    linker.func_wrap(WASI, "clock_res_get", |mut guest: Guest<'_>, clock: u32, out: u32| {
        codes::of(with(&mut guest, |call| match clock {
            REALTIME | MONOTONIC => call.memory.write_u64(out, 1),
            _ => Err(INVALID),
        }))
    })?;
    linker.func_wrap(
        WASI,
        "clock_time_get",
        |mut guest: Guest<'_>, clock: u32, _precision: u64, out: u32| {
            let begun = guest.data().wasi.begun;
            codes::of(with(&mut guest, |call| match clock {
                REALTIME => call.memory.write_u64(out, now()),
                MONOTONIC => call.memory.write_u64(out, monotonic(begun)),
                _ => Err(INVALID),
            }))
        },
    )?;
    Ok(())
}

/// The clock that never goes back, in nanoseconds since it begun.
pub(super) fn monotonic(begun: Instant) -> u64 {
    u64::try_from(begun.elapsed().as_nanos()).unwrap_or(u64::MAX)
}

fn ends(linker: &mut Linker<State>) -> wasmtime::Result<()> {
    linker.func_wrap(WASI, "proc_exit", |code: u32| -> wasmtime::Result<()> {
        Err(I32Exit(code.cast_signed()).into())
    })?;
    linker.func_wrap(WASI, "proc_raise", |_signal: u32| codes::of(Err(NOT_SUPPORTED)))?;
    linker.func_wrap_async(WASI, "sched_yield", |_: Guest<'_>, (): ()| {
        Box::new(async {
            tokio::task::yield_now().await;
            codes::of(Ok(()))
        })
    })?;
    linker.func_wrap_async(
        WASI,
        "random_get",
        |mut guest: Guest<'_>, (at, length): (u32, u32)| {
            Box::new(async move { codes::of(random(&mut guest, at, length).await) })
        },
    )?;
    Ok(())
}

/// A guest that asks for many shares its worker in between.
async fn random(guest: &mut Guest<'_>, at: u32, length: u32) -> Result<()> {
    for done in (0..length).step_by(defaults::RANDOM_STEP as usize) {
        if done > 0 {
            tokio::task::yield_now().await;
        }
        let step = (length - done).min(defaults::RANDOM_STEP);
        with(guest, |call| {
            let rest = call.memory.slice(at, length)?;
            OsRng.try_fill_bytes(&mut rest[done as usize..][..step as usize]).map_err(|_| IO)
        })?;
    }
    Ok(())
}

fn sockets(linker: &mut Linker<State>) -> wasmtime::Result<()> {
    fn refuse(guest: &mut Guest<'_>, fd: u32) -> u32 {
        codes::of(with(guest, |call| call.descriptors.find(fd).and(Err(NOT_A_SOCKET))))
    }
    linker.func_wrap(
        WASI,
        "sock_accept",
        |mut guest: Guest<'_>, fd: u32, _flags: u32, _out: u32| refuse(&mut guest, fd),
    )?;
    linker.func_wrap(
        WASI,
        "sock_recv",
        |mut guest: Guest<'_>, fd: u32, _at: u32, _count: u32, _how: u32, _size: u32, _out: u32| {
            refuse(&mut guest, fd)
        },
    )?;
    linker.func_wrap(
        WASI,
        "sock_send",
        |mut guest: Guest<'_>, fd: u32, _at: u32, _count: u32, _how: u32, _out: u32| {
            refuse(&mut guest, fd)
        },
    )?;
    linker.func_wrap(WASI, "sock_shutdown", |mut guest: Guest<'_>, fd: u32, _how: u32| {
        refuse(&mut guest, fd)
    })?;
    Ok(())
}

impl Call<'_> {
    fn write_texts(&mut self, texts: &[String], pointers: u32, bytes: u32) -> Result<()> {
        let mut at = bytes;
        for (nth, text) in (0..).zip(texts) {
            let pointer = pointers.checked_add(4 * nth).ok_or(codes::FAULT)?;
            self.memory.write_u32(pointer, at)?;
            self.memory.write(at, text.as_bytes())?;
            let end = at.checked_add(length(text.len())).ok_or(codes::FAULT)?;
            self.memory.write(end, &[0])?;
            at = end.checked_add(1).ok_or(codes::FAULT)?;
        }
        Ok(())
    }
}
