//! What a hostile remote may send, fed to the code that receives from real ones; for tests and fuzzing.

use std::{
    io::{Write, sink},
    path::Path,
};

use flate2::{Compression, write::ZlibEncoder};
pub use gix::{ObjectId, objs::Kind};
use gix::{
    hash::Kind as HashKind,
    protocol::transport::{
        Protocol,
        client::git::{ConnectMode, blocking_io::Connection},
    },
};
use headgate_types::{Branch, Commit};

use super::{GitError, GitLimits, RemoteConfig, Repository};

/// Fetches `main` from a remote that sends these bytes, whatever it is asked.
///
/// # Errors
/// As [`Repository::fetch`].
pub fn receive(
    dir: &Path,
    answer: &[u8],
    limits: GitLimits,
) -> Result<(Repository, Commit), GitError> {
    let remote = RemoteConfig::new("https://hostile.invalid/x.git", Branch::new("main"))?;
    let repository = Repository::open(dir, remote, limits)?;
    let transport = || {
        let mode = ConnectMode::Process;
        Connection::new(answer, sink(), Protocol::V2, "/x.git", None::<(&str, _)>, mode, false)
    };
    let commit = repository.fetch_over(transport)?;
    Ok((repository, commit))
}

/// One entry of a pack. Deltas are raw: sizes and instructions.
#[derive(Debug, Clone, Copy)]
pub enum Packed<'a> {
    Object(Kind, &'a [u8]),
    /// Based on the entry this many bytes before.
    OffsetDelta(u64, &'a [u8]),
    ReferenceDelta(ObjectId, &'a [u8]),
}

pub fn id_of(kind: Kind, content: &[u8]) -> ObjectId {
    gix::objs::compute_hash(HashKind::Sha1, kind, content)
        .expect("our own content does not collide")
}

/// A pack whose checksum is right, whatever is in it. `sizes` replaces the sizes that entries claim.
pub fn pack(entries: &[Packed<'_>], sizes: Option<u64>) -> Vec<u8> {
    let count = u32::try_from(entries.len()).expect("packs under test are small");
    let mut pack = [b"PACK".as_slice(), &2u32.to_be_bytes(), &count.to_be_bytes()].concat();
    for entry in entries {
        let (kind, data) = match entry {
            Packed::Object(Kind::Commit, data) => (1, data),
            Packed::Object(Kind::Tree, data) => (2, data),
            Packed::Object(Kind::Blob, data) => (3, data),
            Packed::Object(Kind::Tag, data) => (4, data),
            Packed::OffsetDelta(_, data) => (6, data),
            Packed::ReferenceDelta(_, data) => (7, data),
        };
        let mut size = sizes.unwrap_or(data.len() as u64);
        let mut byte = (kind << 4) | (size & 0xf) as u8;
        size >>= 4;
        while size > 0 {
            pack.push(byte | 0x80);
            byte = (size & 0x7f) as u8;
            size >>= 7;
        }
        pack.push(byte);
        match entry {
            Packed::Object(..) => {}
            Packed::OffsetDelta(distance, _) => pack.extend(offset(*distance)),
            Packed::ReferenceDelta(base, _) => pack.extend_from_slice(base.as_bytes()),
        }
        let mut zlib = ZlibEncoder::new(&mut pack, Compression::fast());
        zlib.write_all(data).and_then(|()| zlib.finish()).expect("memory can be written to");
    }
    let mut hasher = gix::hash::hasher(HashKind::Sha1);
    hasher.update(&pack);
    let checksum = hasher.try_finalize().expect("our own content does not collide");
    pack.extend_from_slice(checksum.as_bytes());
    pack
}

/// All that a server says while a clone is made, one commit deep.
pub fn answer(head: ObjectId, pack: &[u8]) -> Vec<u8> {
    let mut answer = Vec::new();
    for line in ["version 2\n", "agent=x\n", "ls-refs\n", "fetch=shallow\n", "object-format=sha1\n"]
    {
        packet(&mut answer, line.as_bytes());
    }
    answer.extend_from_slice(FLUSH);
    packet(&mut answer, format!("{head} refs/heads/main\n").as_bytes());
    answer.extend_from_slice(FLUSH);
    packet(&mut answer, b"shallow-info\n");
    packet(&mut answer, format!("shallow {head}\n").as_bytes());
    answer.extend_from_slice(DELIMITER);
    packet(&mut answer, b"packfile\n");
    for chunk in pack.chunks(60_000) {
        packet(&mut answer, &[&[1], chunk].concat());
    }
    answer.extend_from_slice(FLUSH);
    answer
}

const FLUSH: &[u8] = b"0000";
const DELIMITER: &[u8] = b"0001";

fn packet(into: &mut Vec<u8>, line: &[u8]) {
    into.extend_from_slice(format!("{:04x}", line.len() + 4).as_bytes());
    into.extend_from_slice(line);
}

/// The distance to a delta's base, as packs write it (gitformat-pack).
fn offset(mut distance: u64) -> Vec<u8> {
    let mut bytes = vec![(distance & 0x7f) as u8];
    distance >>= 7;
    while distance > 0 {
        distance -= 1;
        bytes.push(0x80 | (distance & 0x7f) as u8);
        distance >>= 7;
    }
    bytes.reverse();
    bytes
}
