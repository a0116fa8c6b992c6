//! `fd_…`: what can be done with a descriptor.

mod call;

use wasmtime::{Caller, Linker};

use self::call::CURRENT;
use super::{
    WASI,
    codes::{self, INVALID, NAME_TOO_LONG, NOT_SUPPORTED, Result},
    descriptors::now,
    files::{Stat, Times},
    guest::with,
};
use crate::core::State;

pub(super) fn add_to_linker(linker: &mut Linker<State>) -> wasmtime::Result<()> {
    moving_bytes(linker)?;
    positions(linker)?;
    describing(linker)?;
    changing(linker)
}

type Guest<'a> = Caller<'a, State>;

fn moving_bytes(linker: &mut Linker<State>) -> wasmtime::Result<()> {
    linker.func_wrap(
        WASI,
        "fd_read",
        |mut guest: Guest<'_>, fd: u32, buffers: u32, count: u32, out: u32| {
            codes::of(with(&mut guest, |call| call.read(fd, buffers, count, None, out)))
        },
    )?;
    linker.func_wrap(
        WASI,
        "fd_pread",
        |mut guest: Guest<'_>, fd: u32, buffers: u32, count: u32, at: u64, out: u32| {
            codes::of(with(&mut guest, |call| call.read(fd, buffers, count, Some(at), out)))
        },
    )?;
    linker.func_wrap(
        WASI,
        "fd_write",
        |mut guest: Guest<'_>, fd: u32, buffers: u32, count: u32, out: u32| {
            codes::of(with(&mut guest, |call| call.write(fd, buffers, count, None, out)))
        },
    )?;
    linker.func_wrap(
        WASI,
        "fd_pwrite",
        |mut guest: Guest<'_>, fd: u32, buffers: u32, count: u32, at: u64, out: u32| {
            codes::of(with(&mut guest, |call| call.write(fd, buffers, count, Some(at), out)))
        },
    )?;
    linker.func_wrap(
        WASI,
        "fd_readdir",
        |mut guest: Guest<'_>, fd: u32, at: u32, length: u32, cookie: u64, out: u32| {
            codes::of(with(&mut guest, |call| call.list(fd, at, length, cookie, out)))
        },
    )?;
    Ok(())
}

fn positions(linker: &mut Linker<State>) -> wasmtime::Result<()> {
    linker.func_wrap(
        WASI,
        "fd_seek",
        |mut guest: Guest<'_>, fd: u32, offset: i64, whence: u32, out: u32| {
            codes::of(with(&mut guest, |call| call.seek(fd, offset, whence, out)))
        },
    )?;
    linker.func_wrap(WASI, "fd_tell", |mut guest: Guest<'_>, fd: u32, out: u32| {
        codes::of(with(&mut guest, |call| call.seek(fd, 0, CURRENT, out)))
    })?;
    Ok(())
}

fn describing(linker: &mut Linker<State>) -> wasmtime::Result<()> {
    linker.func_wrap(WASI, "fd_fdstat_get", |mut guest: Guest<'_>, fd: u32, out: u32| {
        codes::of(with(&mut guest, |call| call.describe(fd, out)))
    })?;
    linker.func_wrap(WASI, "fd_filestat_get", |mut guest: Guest<'_>, fd: u32, out: u32| {
        codes::of(with(&mut guest, |call| call.stat(fd, out)))
    })?;
    linker.func_wrap(WASI, "fd_prestat_get", |mut guest: Guest<'_>, fd: u32, out: u32| {
        codes::of(with(&mut guest, |call| {
            call.given(fd)?;
            call.memory.write(out, &[0, 0, 0, 0, 1, 0, 0, 0]) // a folder whose name has one byte
        }))
    })?;
    linker.func_wrap(
        WASI,
        "fd_prestat_dir_name",
        |mut guest: Guest<'_>, fd: u32, at: u32, length: u32| {
            codes::of(with(&mut guest, |call| {
                call.given(fd)?;
                if length == 0 { Err(NAME_TOO_LONG) } else { call.memory.write(at, b"/") }
            }))
        },
    )?;
    Ok(())
}

fn changing(linker: &mut Linker<State>) -> wasmtime::Result<()> {
    linker.func_wrap(WASI, "fd_close", |mut guest: Guest<'_>, fd: u32| {
        codes::of(with(&mut guest, |call| call.descriptors.close(fd, call.limits)))
    })?;
    linker.func_wrap(WASI, "fd_renumber", |mut guest: Guest<'_>, from: u32, to: u32| {
        codes::of(with(&mut guest, |call| call.descriptors.renumber(from, to, call.limits)))
    })?;
    linker.func_wrap(
        WASI,
        "fd_fdstat_set_flags",
        |mut guest: Guest<'_>, fd: u32, flags: u32| {
            codes::of(with(&mut guest, |call| {
                call.descriptors.file_mut(fd)?.flags = u16::try_from(flags).map_err(|_| INVALID)?;
                Ok(())
            }))
        },
    )?;
    linker.func_wrap(
        WASI,
        "fd_fdstat_set_rights",
        |mut guest: Guest<'_>, fd: u32, _base: u64, _inheriting: u64| {
            // Rights are what a descriptor was opened for; nobody asks for fewer later.
            codes::of(with(&mut guest, |call| call.descriptors.find(fd).and(Err(NOT_SUPPORTED))))
        },
    )?;
    linker.func_wrap(
        WASI,
        "fd_filestat_set_size",
        |mut guest: Guest<'_>, fd: u32, size: u64| {
            codes::of(with(&mut guest, |call| call.resize(fd, |_| size)))
        },
    )?;
    linker.func_wrap(
        WASI,
        "fd_allocate",
        |mut guest: Guest<'_>, fd: u32, offset: u64, length: u64| {
            codes::of(with(&mut guest, |call| {
                call.resize(fd, |stat| stat.size.max(offset.saturating_add(length)))
            }))
        },
    )?;
    linker.func_wrap(
        WASI,
        "fd_filestat_set_times",
        |mut guest: Guest<'_>, fd: u32, accessed: u64, modified: u64, flags: u32| {
            codes::of(with(&mut guest, |call| {
                let node = call.descriptors.file_mut(fd)?.node;
                let times = times(call.descriptors.files.stat(node), accessed, modified, flags)?;
                call.descriptors.files.set_times(node, times);
                Ok(())
            }))
        },
    )?;
    for name in ["fd_sync", "fd_datasync"] {
        linker.func_wrap(WASI, name, |mut guest: Guest<'_>, fd: u32| {
            codes::of(with(&mut guest, |call| call.descriptors.find(fd).map(drop)))
        })?;
    }
    linker.func_wrap(
        WASI,
        "fd_advise",
        |mut guest: Guest<'_>, fd: u32, _offset: u64, _length: u64, _advice: u32| {
            codes::of(with(&mut guest, |call| call.descriptors.find(fd).map(drop)))
        },
    )?;
    Ok(())
}

/// The times of a file after they were set: to these values, or, where the flags say so, to now.
pub(super) fn times(stat: Stat, accessed: u64, modified: u64, flags: u32) -> Result<Times> {
    const ACCESSED: u32 = 1;
    const ACCESSED_NOW: u32 = 2;
    const MODIFIED: u32 = 4;
    const MODIFIED_NOW: u32 = 8;
    let now = now();
    let pick = |value, to_value: u32, to_now: u32, old| match (flags & to_value, flags & to_now) {
        (0, 0) => Ok(old),
        (_, 0) => Ok(value),
        (0, _) => Ok(now),
        _ => Err(INVALID),
    };
    Ok(Times {
        accessed: pick(accessed, ACCESSED, ACCESSED_NOW, stat.times.accessed)?,
        modified: pick(modified, MODIFIED, MODIFIED_NOW, stat.times.modified)?,
        changed: now,
    })
}
