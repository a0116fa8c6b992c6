//! What the functions of descriptors do.

use crate::core::wasi::{
    codes::{BAD_DESCRIPTOR, INVALID, IS_FOLDER, Kind, NOT_A_FOLDER, NOT_SEEKABLE, Result},
    descriptors::{APPEND, Descriptor, Open, now},
    files::{ROOT, Stat, Times},
    guest::Call,
};

/// Where a position is counted from.
const START: u32 = 0;
pub(super) const CURRENT: u32 = 1;
const END: u32 = 2;

impl Call<'_> {
    /// Reads until a buffer is not filled. Without `at` it goes on where the descriptor is.
    pub(super) fn read(
        &mut self,
        fd: u32,
        at: u32,
        count: u32,
        from: Option<u64>,
        out: u32,
    ) -> Result<()> {
        let buffers = self.memory.buffers(at, count)?;
        let mut open = match self.descriptors.find(fd)? {
            Descriptor::Stdin if from.is_none() => return self.memory.write_u32(out, 0),
            Descriptor::Stdin => return Err(NOT_SEEKABLE),
            Descriptor::Open(open) if open.readable => open,
            Descriptor::Output(_) | Descriptor::Open(_) => return Err(BAD_DESCRIPTOR),
        };
        let start = from.unwrap_or(open.position);
        let mut total = 0;
        for (at, length) in buffers {
            let buffer = self.memory.slice(at, length)?;
            let read = self.descriptors.files.read(open.node, start + total, buffer)?;
            total += read as u64;
            if read < length as usize {
                break;
            }
        }
        self.memory.write_u32(out, u32::try_from(total).map_err(|_| INVALID)?)?;
        if from.is_none() {
            open.position = start + total;
            *self.descriptors.file_mut(fd)? = open;
        }
        Ok(())
    }

    /// Without `at` it goes on where the descriptor is, or at the end of the file if it appends.
    pub(super) fn write(
        &mut self,
        fd: u32,
        at: u32,
        count: u32,
        to: Option<u64>,
        out: u32,
    ) -> Result<()> {
        let buffers = self.memory.buffers(at, count)?;
        let mut total: u64 = 0;
        let mut open = match self.descriptors.find(fd)? {
            Descriptor::Output(_) if to.is_some() => return Err(NOT_SEEKABLE),
            Descriptor::Output(stream) => {
                for (at, length) in buffers {
                    self.output.write(stream, self.memory.read(at, length)?);
                    total += u64::from(length);
                }
                return self.memory.write_u32(out, u32::try_from(total).map_err(|_| INVALID)?);
            }
            Descriptor::Open(open) if open.writable => open,
            Descriptor::Stdin | Descriptor::Open(_) => return Err(BAD_DESCRIPTOR),
        };
        let files = &mut self.descriptors.files;
        let start = match to {
            Some(at) => at,
            None if open.flags & APPEND != 0 => files.stat(open.node).size,
            None => open.position,
        };
        for (at, length) in buffers {
            let bytes = self.memory.read(at, length)?;
            let at = start.checked_add(total).ok_or(INVALID)?;
            files.write(open.node, at, bytes, self.limits, now())?;
            total += u64::from(length);
        }
        if to.is_none() {
            open.position = start + total;
            *self.descriptors.file_mut(fd)? = open;
        }
        self.memory.write_u32(out, u32::try_from(total).map_err(|_| INVALID)?)
    }

    pub(super) fn seek(&mut self, fd: u32, offset: i64, whence: u32, out: u32) -> Result<()> {
        let Descriptor::Open(open) = self.descriptors.find(fd)? else { return Err(NOT_SEEKABLE) };
        let stat = self.descriptors.files.stat(open.node);
        if stat.kind == Kind::Folder {
            return Err(BAD_DESCRIPTOR);
        }
        let base = match whence {
            START => 0,
            CURRENT => open.position,
            END => stat.size,
            _ => return Err(INVALID),
        };
        let position = base.checked_add_signed(offset).filter(|at| i64::try_from(*at).is_ok());
        let position = position.ok_or(INVALID)?;
        self.memory.write_u64(out, position)?;
        self.descriptors.file_mut(fd)?.position = position;
        Ok(())
    }

    /// As many entries as fit; one that does not is cut, which tells the guest to ask for more.
    pub(super) fn list(
        &mut self,
        fd: u32,
        at: u32,
        length: u32,
        cookie: u64,
        out: u32,
    ) -> Result<()> {
        let node = self.folder(fd)?;
        let buffer = self.memory.slice(at, length)?;
        let mut filled = 0;
        for entry in self.descriptors.files.list(node, cookie)? {
            let mut head = [0; 24];
            head[..8].copy_from_slice(&entry.cookie.to_le_bytes());
            head[8..16].copy_from_slice(&entry.number.to_le_bytes());
            let name_length = u32::try_from(entry.name.len()).unwrap_or(u32::MAX);
            head[16..20].copy_from_slice(&name_length.to_le_bytes());
            head[20] = entry.kind as u8;
            for part in [&head[..], entry.name.as_bytes()] {
                let room = &mut buffer[filled..];
                let count = room.len().min(part.len());
                room[..count].copy_from_slice(&part[..count]);
                filled += count;
            }
            if filled == buffer.len() {
                break;
            }
        }
        self.memory.write_u32(out, u32::try_from(filled).unwrap_or(length))
    }

    pub(super) fn describe(&mut self, fd: u32, out: u32) -> Result<()> {
        let (kind, flags, rights) = match self.descriptors.find(fd)? {
            Descriptor::Stdin => (Kind::Device, 0, rights::READ),
            Descriptor::Output(_) => (Kind::Device, APPEND, rights::WRITE),
            Descriptor::Open(open) => {
                let kind = self.descriptors.files.kind(open.node);
                (kind, open.flags, rights::of(kind, &open))
            }
        };
        self.memory.write_descriptor(out, kind, flags, rights)
    }

    pub(super) fn stat(&mut self, fd: u32, out: u32) -> Result<()> {
        let stat = match self.descriptors.find(fd)? {
            Descriptor::Open(open) => self.descriptors.files.stat(open.node),
            Descriptor::Stdin | Descriptor::Output(_) => {
                let times = Times { accessed: 0, modified: 0, changed: 0 };
                Stat { number: 0, kind: Kind::Device, links: 1, size: 0, times }
            }
        };
        self.memory.write_stat(out, &stat)
    }

    pub(super) fn given(&mut self, fd: u32) -> Result<()> {
        match self.descriptors.find(fd)? {
            Descriptor::Open(Open { given: true, node: ROOT, .. }) => Ok(()),
            Descriptor::Open(_) => Err(NOT_A_FOLDER),
            _ => Err(BAD_DESCRIPTOR),
        }
    }

    pub(super) fn resize(&mut self, fd: u32, size: impl FnOnce(Stat) -> u64) -> Result<()> {
        let open = *self.descriptors.file_mut(fd)?;
        if !open.writable {
            return Err(BAD_DESCRIPTOR);
        }
        let files = &mut self.descriptors.files;
        if files.kind(open.node) == Kind::Folder {
            return Err(IS_FOLDER);
        }
        let size = size(files.stat(open.node));
        files.resize(open.node, size, self.limits, now())
    }
}

/// What WASI lets a descriptor be used for. Libraries look at a few of these, and give what they open as many.
mod rights {
    use super::{Kind, Open};

    pub(super) const READ: u64 = 1 << 1;
    pub(super) const WRITE: u64 = 1 << 6;
    const ALL: u64 = (1 << 30) - 1;
    /// `fd_seek` and `fd_filestat_set_size`, `path_filestat_set_size`.
    const FILES_ONLY: u64 = 1 << 2 | 1 << 22 | 1 << 19;

    pub(super) fn of(kind: Kind, open: &Open) -> u64 {
        match kind {
            // What is opened from a folder may be anything.
            Kind::Folder if open.given => ALL,
            Kind::Folder => ALL & !FILES_ONLY,
            _ => {
                let read = if open.readable { ALL } else { ALL & !READ };
                if open.writable { read } else { read & !WRITE }
            }
        }
    }
}
