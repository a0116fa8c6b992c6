//! Artefacts as bytes: what Taubyte's builders and ours wrap WebAssembly and websites in.
//!
//! Packed data comes from outside, so everything that unpacks takes limits and stops at them,
//! whatever the headers claim. Nothing is written to disk.

use std::{
    io::{Cursor, Read},
    ops::Range,
};

use bytes::Bytes;
use headgate_types::ByteSize;
use weezl::{BitOrder, LzwStatus, decode::Decoder};
use zip::{ZipArchive, read::ZipFile, result::ZipError};

use crate::defaults::{MAX_SITE_FILE, MAX_SITE_FILES, MAX_SITE_TOTAL};

/// The raw WebAssembly of a function: as it is, from a ZIP holding `main.wasm`, or from the
/// compressed stream of old Taubyte builds (`.zwasm`: Go's `compress/lzw`, LSB, eight-bit literals).
///
/// # Errors
/// If the bytes are none of these, are damaged, or unpack to more than `limit` bytes.
pub fn wasm(bytes: Bytes, limit: u64) -> Result<Bytes, UnpackError> {
    let unpacked = match &*bytes {
        [b'\0', b'a', b's', b'm', ..] => bytes,
        [b'P', b'K', 3, 4, ..] => main_wasm(bytes, limit)?,
        // The first code of such a stream is its nine-bit "clear".
        [0, second, ..] if second & 1 == 1 => lzw(&bytes, limit)?,
        _ => return Err(UnpackError::UnknownFormat),
    };
    if unpacked.len() as u64 > limit {
        return Err(UnpackError::too_large("it", limit));
    }
    match unpacked.starts_with(b"\0asm") {
        true => Ok(unpacked),
        false => Err(UnpackError::NotWebAssembly),
    }
}

/// One file of a website's archive.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SiteEntry {
    /// Relative, `/`-separated, without `.` or `..`.
    pub path: Box<str>,
    pub content: Bytes,
}

/// How much a website's archive may hold.
#[derive(Clone, Copy, Debug)]
pub struct SiteLimits {
    pub files: usize,
    /// Bytes of one file.
    pub file: u64,
    /// Bytes of all files.
    pub total: u64,
}

impl Default for SiteLimits {
    fn default() -> Self {
        Self { files: MAX_SITE_FILES, file: MAX_SITE_FILE, total: MAX_SITE_TOTAL }
    }
}

/// The files of a website's `build.zip`, one after the other in the archive's order, so that never more
/// than one of them is in memory.
///
/// # Errors
/// If it is no ZIP archive or holds too many files; what else can be wrong shows on the way.
pub fn site(archive: Bytes, limits: SiteLimits) -> Result<SiteEntries, UnpackError> {
    let archive = open(archive, limits.files)?;
    Ok(SiteEntries { files: 0..archive.len(), archive, limits, left: limits.total })
}

/// The files of an archive, read as they are asked for. Ends with the first error: the archive is damaged
/// or encrypted, is over a limit, or holds a name that would lead out of the site.
#[derive(Debug)]
pub struct SiteEntries {
    archive: ZipArchive<Cursor<Bytes>>,
    files: Range<usize>,
    limits: SiteLimits,
    /// Bytes that may still come.
    left: u64,
}

impl SiteEntries {
    /// `None` for a folder.
    fn entry(&mut self, index: usize) -> Result<Option<SiteEntry>, UnpackError> {
        let file = self.archive.by_index(index)?;
        if file.is_dir() {
            return Ok(None);
        }
        let path = safe_path(&file)?;
        let content = read(file, &path, self.limits.file.min(self.left))?;
        self.left -= content.len() as u64;
        Ok(Some(SiteEntry { path, content }))
    }
}

impl Iterator for SiteEntries {
    type Item = Result<SiteEntry, UnpackError>;

    fn next(&mut self) -> Option<Self::Item> {
        loop {
            let index = self.files.next()?;
            match self.entry(index) {
                Ok(None) => {}
                Ok(Some(entry)) => return Some(Ok(entry)),
                Err(error) => {
                    self.files = 0..0;
                    return Some(Err(error));
                }
            }
        }
    }
}

/// Why an artefact could not be unpacked.
#[derive(Debug, thiserror::Error)]
pub enum UnpackError {
    #[error("neither WebAssembly nor a ZIP archive nor a `.zwasm` file")]
    UnknownFormat,
    #[error("what it unpacks to is not WebAssembly")]
    NotWebAssembly,
    #[error("the archive holds no `main.wasm`")]
    NoMain,
    #[error("{what} unpacks to more than {limit}")]
    TooLarge { what: String, limit: ByteSize },
    #[error("the archive holds more than {limit} files")]
    TooManyFiles { limit: usize },
    #[error("the name `{name}` in the archive would lead out of it")]
    UnsafeName { name: String },
    #[error("the compressed data is damaged or cut off")]
    Damaged,
    #[error("the archive cannot be read")]
    Archive(#[from] ZipError),
}

impl UnpackError {
    fn too_large(what: &str, limit: u64) -> Self {
        Self::TooLarge { what: what.to_owned(), limit: ByteSize::from_bytes(limit) }
    }
}

/// Reads the directory of an archive, which is in memory as a whole from then on: some hundred bytes for
/// each of its files, of which the archive spends 46. So they are counted before.
fn open(archive: Bytes, files: usize) -> Result<ZipArchive<Cursor<Bytes>>, UnpackError> {
    let too_many = || UnpackError::TooManyFiles { limit: files };
    let marks = archive.windows(DIRECTORY_ENTRY.len()).filter(|bytes| *bytes == DIRECTORY_ENTRY);
    if marks.count() > files.saturating_mul(MARKS_PER_FILE) {
        return Err(too_many());
    }
    let archive = ZipArchive::new(Cursor::new(archive))?;
    if archive.len() > files { Err(too_many()) } else { Ok(archive) }
}

/// How each entry of an archive's directory begins (APPNOTE 4.3.12).
const DIRECTORY_ENTRY: &[u8] = b"PK\x01\x02";

/// Files of an archive may be archives themselves, stored as they are, and count along.
const MARKS_PER_FILE: usize = 2;

fn main_wasm(archive: Bytes, limit: u64) -> Result<Bytes, UnpackError> {
    let mut archive = open(archive, MAX_SITE_FILES)?;
    match archive.by_name("main.wasm") {
        Ok(file) => read(file, "main.wasm", limit),
        Err(ZipError::FileNotFound) => Err(UnpackError::NoMain),
        Err(error) => Err(error.into()),
    }
}

/// Reads one byte more than is allowed, so that a header that lies about the size is of no use.
fn read<R: Read>(file: ZipFile<'_, R>, name: &str, limit: u64) -> Result<Bytes, UnpackError> {
    let mut content = Vec::new();
    let read = file.take(limit.saturating_add(1)).read_to_end(&mut content);
    let read = read.map_err(|error| UnpackError::Archive(ZipError::Io(error)))?;
    match read as u64 > limit {
        true => Err(UnpackError::too_large(&format!("`{name}`"), limit)),
        false => Ok(content.into()),
    }
}

fn safe_path<R: Read>(file: &ZipFile<'_, R>) -> Result<Box<str>, UnpackError> {
    let name = file.name()?;
    let plain = |step: &str| !matches!(step, "" | "." | "..");
    let safe = name.split('/').all(plain)
        && !name.contains(|c: char| c == '\\' || c.is_control())
        && !file.is_symlink();
    match safe {
        true => Ok(name.as_ref().into()),
        false => Err(UnpackError::UnsafeName { name: name.escape_debug().to_string() }),
    }
}

fn lzw(packed: &[u8], limit: u64) -> Result<Bytes, UnpackError> {
    let mut decoder = Decoder::new(BitOrder::Lsb, 8);
    let (mut rest, mut unpacked, mut chunk) = (packed, Vec::new(), vec![0; LZW_CHUNK]);
    loop {
        let step = decoder.decode_bytes(rest, &mut chunk);
        unpacked.extend_from_slice(&chunk[..step.consumed_out]);
        rest = &rest[step.consumed_in..];
        if unpacked.len() as u64 > limit {
            return Err(UnpackError::too_large("it", limit));
        }
        match step.status {
            Ok(LzwStatus::Done) => return Ok(unpacked.into()),
            Ok(LzwStatus::Ok) if step.consumed_in + step.consumed_out > 0 => {}
            Ok(LzwStatus::Ok | LzwStatus::NoProgress) | Err(_) => return Err(UnpackError::Damaged),
        }
    }
}

/// How far unpacking may run beyond the limit before it is noticed.
const LZW_CHUNK: usize = 64 * 1024;

#[cfg(test)]
mod tests;
