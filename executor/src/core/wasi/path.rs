//! `path_…`: what can be done with a name.

use wasmtime::{Caller, Linker};

use super::{
    WASI,
    codes::{self, INVALID, Kind, NOT_SUPPORTED, Result},
    descriptors::{Open, now},
    fd::times,
    files::{NodeId, OpenOptions},
    guest::{Call, with},
};
use crate::core::State;

pub(super) fn add_to_linker(linker: &mut Linker<State>) -> wasmtime::Result<()> {
    opening(linker)?;
    naming(linker)?;
    describing(linker)?;
    links(linker)
}

type Guest<'a> = Caller<'a, State>;

fn opening(linker: &mut Linker<State>) -> wasmtime::Result<()> {
    linker.func_wrap(
        WASI,
        "path_open",
        |mut guest: Guest<'_>,
         folder: u32,
         _lookup: u32,
         path: u32,
         length: u32,
         how: u32,
         rights: u64,
         _inheriting: u64,
         flags: u32,
         out: u32| {
            let wanted = Wanted { how, rights, flags };
            codes::of(with(&mut guest, |call| call.open(folder, (path, length), wanted, out)))
        },
    )?;
    Ok(())
}

fn naming(linker: &mut Linker<State>) -> wasmtime::Result<()> {
    linker.func_wrap(
        WASI,
        "path_create_directory",
        |mut guest: Guest<'_>, folder: u32, path: u32, length: u32| {
            codes::of(with(&mut guest, |call| {
                let base = call.folder(folder)?;
                let path = call.memory.path(path, length)?;
                call.descriptors.files.create_folder(base, path, now())
            }))
        },
    )?;
    linker.func_wrap(
        WASI,
        "path_remove_directory",
        |mut guest: Guest<'_>, folder: u32, path: u32, length: u32| {
            codes::of(with(&mut guest, |call| {
                let base = call.folder(folder)?;
                let path = call.memory.path(path, length)?;
                call.descriptors.files.remove_folder(base, path, call.limits, now())
            }))
        },
    )?;
    linker.func_wrap(
        WASI,
        "path_unlink_file",
        |mut guest: Guest<'_>, folder: u32, path: u32, length: u32| {
            codes::of(with(&mut guest, |call| {
                let base = call.folder(folder)?;
                let path = call.memory.path(path, length)?;
                call.descriptors.files.remove_file(base, path, call.limits, now())
            }))
        },
    )?;
    linker.func_wrap(
        WASI,
        "path_rename",
        |mut guest: Guest<'_>,
         folder: u32,
         path: u32,
         length: u32,
         new_folder: u32,
         new_path: u32,
         new_length: u32| {
            codes::of(with(&mut guest, |call| {
                let from = (call.folder(folder)?, call.memory.path(path, length)?);
                let to = (call.folder(new_folder)?, call.memory.path(new_path, new_length)?);
                call.descriptors.files.rename(from, to, call.limits, now())
            }))
        },
    )?;
    Ok(())
}

fn describing(linker: &mut Linker<State>) -> wasmtime::Result<()> {
    linker.func_wrap(
        WASI,
        "path_filestat_get",
        |mut guest: Guest<'_>, folder: u32, _lookup: u32, path: u32, length: u32, out: u32| {
            codes::of(with(&mut guest, |call| {
                let node = call.find(folder, path, length)?;
                let stat = call.descriptors.files.stat(node);
                call.memory.write_stat(out, &stat)
            }))
        },
    )?;
    linker.func_wrap(
        WASI,
        "path_filestat_set_times",
        |mut guest: Guest<'_>,
         folder: u32,
         _lookup: u32,
         path: u32,
         length: u32,
         accessed: u64,
         modified: u64,
         flags: u32| {
            codes::of(with(&mut guest, |call| {
                let node = call.find(folder, path, length)?;
                let times = times(call.descriptors.files.stat(node), accessed, modified, flags)?;
                call.descriptors.files.set_times(node, times);
                Ok(())
            }))
        },
    )?;
    Ok(())
}

/// There are none: nothing a guest finds here was linked, and none has needed to.
fn links(linker: &mut Linker<State>) -> wasmtime::Result<()> {
    linker.func_wrap(
        WASI,
        "path_link",
        |_folder: u32, _lookup: u32, _path: u32, _length: u32, _to: u32, _at: u32, _size: u32| {
            codes::of(Err(NOT_SUPPORTED))
        },
    )?;
    linker.func_wrap(
        WASI,
        "path_symlink",
        |_target: u32, _length: u32, _folder: u32, _path: u32, _path_length: u32| {
            codes::of(Err(NOT_SUPPORTED))
        },
    )?;
    linker.func_wrap(
        WASI,
        "path_readlink",
        |mut guest: Guest<'_>,
         folder: u32,
         path: u32,
         length: u32,
         _at: u32,
         _size: u32,
         _out: u32| {
            codes::of(with(&mut guest, |call| {
                call.find(folder, path, length).and(Err(INVALID)) // it is no link
            }))
        },
    )?;
    Ok(())
}

/// How a path is to be opened, as WASI numbers it.
#[derive(Clone, Copy)]
struct Wanted {
    how: u32,
    rights: u64,
    flags: u32,
}

impl Wanted {
    const READ: u64 = 1 << 1;
    const WRITE: u64 = 1 << 6;

    fn options(self) -> OpenOptions {
        OpenOptions {
            create: self.how & 1 != 0,
            folder: self.how & 2 != 0,
            exclusive: self.how & 4 != 0,
            truncate: self.how & 8 != 0,
            write: self.rights & Self::WRITE != 0,
        }
    }
}

impl Call<'_> {
    fn open(&mut self, folder: u32, path: (u32, u32), wanted: Wanted, out: u32) -> Result<()> {
        let base = self.folder(folder)?;
        let path = self.memory.path(path.0, path.1)?;
        self.descriptors.free()?; // before anything is made that could not be opened
        let files = &mut self.descriptors.files;
        let node = files.open(base, path, wanted.options(), self.limits, now())?;
        let writable = wanted.options().write && files.kind(node) == Kind::File;
        let readable = wanted.rights & Wanted::READ != 0;
        let flags = u16::try_from(wanted.flags).map_err(|_| INVALID)?;
        let open = Open { node, position: 0, readable, writable, flags, given: false };
        let fd = self.descriptors.insert(open)?;
        self.memory.write_u32(out, fd).inspect_err(|_| {
            // Nobody knows its number, so nobody could close it.
            self.descriptors.close(fd, self.limits).unwrap_or(());
        })
    }

    fn find(&self, folder: u32, path: u32, length: u32) -> Result<NodeId> {
        let base = self.folder(folder)?;
        self.descriptors.files.find(base, self.memory.path(path, length)?)
    }
}
