//! Whatever a Git remote sends, fetching it ends within the limits; what was fetched is listed and read, or not.
#![no_main]

use std::time::Duration;

use headgate_project::{
    git::{
        GitLimits,
        hostile::{Kind, Packed, answer, id_of, pack, receive},
    },
    tree::{Tree, TreeLimits},
};
use libfuzzer_sys::fuzz_target;

type Object = (u8, u16, Vec<u8>);

fuzz_target!(|input: (u8, Option<u64>, Vec<Object>, Vec<u8>)| {
    let (mode, sizes, objects, bytes) = input;
    let sent = match mode % 4 {
        0 => bytes,
        // Behind a handshake and refs as they should be.
        1 => [opening(), bytes].concat(),
        // A pack with a right checksum, its entries anything.
        _ => packed(&objects, sizes.filter(|_| mode % 4 == 3)),
    };
    let limits = GitLimits {
        tree: TreeLimits { entries: 1000, depth: 16 },
        time: Duration::from_secs(5),
        poll_time: Duration::from_secs(5),
        pack_bytes: 4 << 20,
        object_bytes: 1 << 20,
    };
    let dir = tempfile::tempdir().expect("there is a place for temporary files");
    let Ok((repository, commit)) = receive(dir.path(), &sent, limits) else { return };
    let _ = repository.commit_info(&commit);
    let Ok(tree) = repository.tree(&commit) else { return };
    for entry in tree.entries() {
        if let Ok(content) = tree.read(&entry.path, 1 << 20) {
            assert_eq!(content.len() as u64, entry.size);
        }
    }
});

fn opening() -> Vec<u8> {
    let mut whole = answer(id_of(Kind::Blob, b""), b"");
    let end = whole.windows(13).position(|window| window == b"shallow-info\n");
    whole.truncate(end.expect("an answer has one") - 4);
    whole
}

/// The branch is a commit of the first object.
fn packed(objects: &[Object], sizes: Option<u64>) -> Vec<u8> {
    let kind = |number: u8| match number % 4 {
        0 => Kind::Tree,
        1 => Kind::Blob,
        2 => Kind::Commit,
        _ => Kind::Tag,
    };
    let ids: Vec<_> = objects.iter().map(|(number, _, data)| id_of(kind(*number), data)).collect();
    let root = ids.first().copied().unwrap_or_else(|| id_of(Kind::Tree, b""));
    let commit =
        format!("tree {root}\nauthor A <a> 0 +0000\ncommitter A <a> 0 +0000\n\nx").into_bytes();
    let mut entries = vec![Packed::Object(Kind::Commit, &commit)];
    entries.extend(objects.iter().map(|(number, base, data)| match number >> 6 {
        2 => Packed::OffsetDelta((*base).into(), data),
        3 => Packed::ReferenceDelta(ids[usize::from(*base) % ids.len()], data),
        _ => Packed::Object(kind(*number), data),
    }));
    answer(id_of(Kind::Commit, &commit), &pack(&entries, sizes))
}
