//! Walks a folder once, bounded, and says what each name is.

use std::{ffi::CStr, io};

use headgate_types::Timestamp;
use rustix::{
    fd::{AsFd, BorrowedFd},
    fs::{AtFlags, Dir, FileType, Mode, OFlags, Stat, openat, statat},
    io::Errno,
};

use super::{
    super::{
        Entry, EntryKind, Fingerprint, TreeLimits, Unlisted, UnlistedReason,
        ignored::{CACHE_TAG, is_ignored, is_left_by_editor},
    },
    OpenFolderError,
};

/// Opens a folder itself, never what a link of that name points to.
pub(super) const FOLDER: OFlags =
    OFlags::RDONLY.union(OFlags::DIRECTORY).union(OFlags::NOFOLLOW).union(OFlags::CLOEXEC);

/// File systems stamp files with the kernel's coarse clock, which ticks every 1 to 10 ms. Until the
/// tick after a write has surely passed, another write could leave the same stamp.
const STAMP_TICK_MILLIS: u64 = 20;

#[derive(Debug)]
pub(super) struct Listing<'a> {
    limits: &'a TreeLimits,
    now: Timestamp,
    folders: usize,
    pub(super) entries: Vec<Entry>,
    pub(super) unlisted: Vec<Unlisted>,
}

impl<'a> Listing<'a> {
    pub(super) fn new(limits: &'a TreeLimits, now: Timestamp) -> Self {
        Self { limits, now, folders: 0, entries: Vec::new(), unlisted: Vec::new() }
    }

    /// Lists `folder`, whose path from the root is `prefix` with a `/` at its end (empty for the root).
    /// The recursion ends at the depth limit.
    pub(super) fn list(
        &mut self,
        folder: BorrowedFd<'_>,
        prefix: &str,
        depth: usize,
    ) -> Result<(), OpenFolderError> {
        let failed = |error: Errno| list_error(prefix, error.into());
        if depth > 0 && statat(folder, CACHE_TAG, AtFlags::SYMLINK_NOFOLLOW).is_ok() {
            return Ok(());
        }
        for found in Dir::read_from(folder).map_err(failed)? {
            let found = found.map_err(failed)?;
            if !matches!(found.file_name().to_bytes(), b"." | b"..") {
                self.add(folder, prefix, found.file_name(), depth)?;
            }
        }
        Ok(())
    }

    fn add(
        &mut self,
        folder: BorrowedFd<'_>,
        prefix: &str,
        name: &CStr,
        depth: usize,
    ) -> Result<(), OpenFolderError> {
        let Ok(text) = name.to_str() else {
            let path = format!("{prefix}{}", name.to_string_lossy());
            return self.leave_out(path, UnlistedReason::NotUtf8);
        };
        let path = format!("{prefix}{text}");
        let stat = match statat(folder, name, AtFlags::SYMLINK_NOFOLLOW) {
            Ok(stat) => stat,
            Err(Errno::NOENT) => return Ok(()), // deleted since it was listed
            Err(error) => return Err(list_error(&path, error.into())),
        };
        if FileType::from_raw_mode(stat.st_mode) == FileType::Directory {
            return if is_ignored(text) { Ok(()) } else { self.descend(folder, name, path, depth) };
        }
        if is_left_by_editor(text) {
            return Ok(());
        }
        self.check_count(self.entries.len(), &path)?;
        self.entries.push(Identity::of(&stat).entry(path, self.now));
        Ok(())
    }

    fn descend(
        &mut self,
        parent: BorrowedFd<'_>,
        name: &CStr,
        mut path: String,
        depth: usize,
    ) -> Result<(), OpenFolderError> {
        self.check_count(self.folders, &path)?;
        self.folders += 1;
        if depth == self.limits.depth {
            return Err(OpenFolderError::TooDeep { path, limit: self.limits.depth });
        }
        let folder = match openat(parent, name, FOLDER, Mode::empty()) {
            Ok(folder) => folder,
            Err(Errno::ACCESS) => return self.leave_out(path, UnlistedReason::Forbidden),
            // Replaced by something else since; whoever did that also woke the watcher.
            Err(Errno::NOENT | Errno::LOOP | Errno::NOTDIR) => return Ok(()),
            Err(error) => return Err(list_error(&path, error.into())),
        };
        path.push('/');
        self.list(folder.as_fd(), &path, depth + 1)
    }

    fn leave_out(&mut self, path: String, reason: UnlistedReason) -> Result<(), OpenFolderError> {
        self.check_count(self.unlisted.len(), &path)?;
        self.unlisted.push(Unlisted { path, reason });
        Ok(())
    }

    fn check_count(&self, count: usize, path: &str) -> Result<(), OpenFolderError> {
        let limit = self.limits.entries;
        if count < limit {
            return Ok(());
        }
        Err(OpenFolderError::TooMany { path: path.to_owned(), limit })
    }
}

/// What tells one content of one file from another without reading it.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Identity {
    pub(super) kind: EntryKind,
    size: u64,
    device: u64,
    inode: u64,
    /// Nanoseconds since the epoch.
    modified: i128,
    changed: i128,
}

impl Identity {
    pub(super) fn of(stat: &Stat) -> Self {
        let kind = match FileType::from_raw_mode(stat.st_mode) {
            FileType::RegularFile => EntryKind::File,
            FileType::Symlink => EntryKind::Symlink,
            _ => EntryKind::Other,
        };
        let nanos = |seconds: i128, nanos: i128| seconds * 1_000_000_000 + nanos;
        Self {
            kind,
            size: u64::try_from(stat.st_size).unwrap_or_default(),
            device: stat.st_dev,
            inode: stat.st_ino,
            modified: nanos(stat.st_mtime.into(), stat.st_mtime_nsec.into()),
            changed: nanos(stat.st_ctime.into(), stat.st_ctime_nsec.into()),
        }
    }

    /// The fingerprint as of a listing made at `now`.
    pub(super) fn fingerprint(&self, now: Timestamp) -> Fingerprint {
        let settled = i128::from(now.as_millis().saturating_sub(STAMP_TICK_MILLIS)) * 1_000_000;
        // A fresh file may change without a trace: its fingerprint also names the listing.
        let listing = if self.changed.max(self.modified) < settled { 0 } else { now.as_millis() };
        let numbers = [self.device, self.inode, self.size, listing];
        let stamps = [self.modified, self.changed];
        let mut identity = Vec::with_capacity(64);
        identity.extend(numbers.iter().flat_map(|number| number.to_le_bytes()));
        identity.extend(stamps.iter().flat_map(|stamp| stamp.to_le_bytes()));
        Fingerprint::of("folder", &identity)
    }

    fn entry(&self, path: String, now: Timestamp) -> Entry {
        let size = if self.kind == EntryKind::File { self.size } else { 0 };
        Entry { path: path.into(), size, kind: self.kind, fingerprint: self.fingerprint(now) }
    }
}

fn list_error(path: &str, source: io::Error) -> OpenFolderError {
    let path = if path.is_empty() { "." } else { path.trim_end_matches('/') };
    OpenFolderError::List { path: path.to_owned(), source }
}
