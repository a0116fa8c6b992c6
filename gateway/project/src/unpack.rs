//! Artefacts as bytes: what Taubyte's builders and ours wrap WebAssembly and websites in.
//!
//! Packed data comes from outside, so everything that unpacks takes limits and stops at them,
//! whatever the headers claim. Nothing is written to disk.

use std::io::{Cursor, Read};

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

/// The files of a website's `build.zip`, sorted by path.
///
/// # Errors
/// If it is no ZIP archive, is damaged or encrypted, is over a limit, or holds a name that would lead
/// out of the site.
pub fn site(archive: Bytes, limits: SiteLimits) -> Result<Vec<SiteEntry>, UnpackError> {
    let mut archive = ZipArchive::new(Cursor::new(archive))?;
    if archive.len() > limits.files {
        return Err(UnpackError::TooManyFiles { limit: limits.files });
    }
    let (mut entries, mut left) = (Vec::new(), limits.total);
    for index in 0..archive.len() {
        let file = archive.by_index(index)?;
        if file.is_dir() {
            continue;
        }
        let path = safe_path(&file)?;
        let content = read(file, &path, limits.file.min(left))?;
        left -= content.len() as u64;
        entries.push(SiteEntry { path, content });
    }
    entries.sort_by(|a, b| a.path.cmp(&b.path));
    Ok(entries)
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

fn main_wasm(archive: Bytes, limit: u64) -> Result<Bytes, UnpackError> {
    let mut archive = ZipArchive::new(Cursor::new(archive))?;
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
