//! What a hostile remote sends costs no more than the limits say.

use gix::{ObjectId, objs::Kind};

use super::*;
use crate::git::hostile::{Packed, answer, id_of, pack, receive};

const LIMITS: fn() -> GitLimits =
    || GitLimits { object_bytes: 1 << 20, pack_bytes: 4 << 20, ..GitLimits::default() };

struct Made {
    dir: tempfile::TempDir,
}

impl Made {
    fn new() -> Self {
        Self { dir: tempfile::tempdir().unwrap() }
    }

    fn receive(&self, head: ObjectId, pack: &[u8]) -> Result<(Repository, Commit), GitError> {
        receive(self.dir.path(), &answer(head, pack), LIMITS())
    }
}

fn commit(tree: ObjectId) -> Vec<u8> {
    format!("tree {tree}\nauthor A <a> 0 +0000\ncommitter A <a> 0 +0000\n\nx").into_bytes()
}

fn tree_of(name: &str, mode: &str, id: ObjectId) -> Vec<u8> {
    [format!("{mode} {name}\0").as_bytes(), id.as_bytes()].concat()
}

/// Instructions that make a base of one size into a result of another, by copying or inserting.
fn delta(base: u64, result: u64, instructions: &[u8]) -> Vec<u8> {
    let mut bytes = Vec::new();
    for mut size in [base, result] {
        while size > 0x7f {
            bytes.push(0x80 | (size & 0x7f) as u8);
            size >>= 7;
        }
        bytes.push(size as u8);
    }
    [&bytes, instructions].concat()
}

#[test]
fn an_honest_answer_is_received() {
    let made = Made::new();
    let blob = id_of(Kind::Blob, b"hello world");
    let tree = tree_of("a", "100644", blob);
    let commit = commit(id_of(Kind::Tree, &tree));
    let head = id_of(Kind::Commit, &commit);
    // The first five bytes of the base, then six of the delta itself.
    let from_base = delta(5, 11, &[0x91, 0, 5, 6, b' ', b'w', b'o', b'r', b'l', b'd']);
    let pack = pack(
        &[
            Packed::Object(Kind::Commit, &commit),
            Packed::Object(Kind::Tree, &tree),
            Packed::Object(Kind::Blob, b"hello"),
            Packed::ReferenceDelta(id_of(Kind::Blob, b"hello"), &from_base),
        ],
        None,
    );
    let (repository, commit) = made.receive(head, &pack).unwrap();
    assert_eq!(read(&repository, &commit, "a"), "hello world");
}

#[test]
fn objects_that_unpack_to_more_than_the_limit_are_refused() {
    let bomb = vec![0; 8 << 20];
    let tree = tree_of("bomb", "100644", id_of(Kind::Blob, &bomb));
    let commit = commit(id_of(Kind::Tree, &tree));
    let head = id_of(Kind::Commit, &commit);
    let start = [Packed::Object(Kind::Commit, &commit), Packed::Object(Kind::Tree, &tree)];
    let base = id_of(Kind::Tree, &tree);
    let copies = [0xff, 0, 0, 0, 0, 0, 0, 0xff].repeat(1000);
    let large_result = delta(tree.len() as u64, 1 << 40, &copies);
    let large_base = delta(1 << 40, 5, &copies);
    for (what, last) in [
        ("a blob of zeros", Packed::Object(Kind::Blob, &bomb)),
        ("a delta with a large result", Packed::ReferenceDelta(base, &large_result)),
        ("a delta of a large base", Packed::ReferenceDelta(base, &large_base)),
    ] {
        let pack = pack(&[start[0], start[1], last], None);
        assert!(pack.len() < 1 << 20, "small on the wire");
        let error = Made::new().receive(head, &pack).unwrap_err();
        assert!(matches!(error, GitError::TooLarge { .. }), "{what}: {error:?}");
    }
}

#[test]
fn sizes_that_lie_deltas_of_nothing_and_loops_are_errors() {
    let blob = b"hello".as_slice();
    let nowhere = ObjectId::null(gix::hash::Kind::Sha1);
    let to_itself = delta(5, 5, &[0x90, 5]);
    for (what, entries, sizes) in [
        ("a size too large", vec![Packed::Object(Kind::Blob, blob)], Some(1 << 50)),
        ("a size too small", vec![Packed::Object(Kind::Blob, blob)], Some(1)),
        ("no base", vec![Packed::ReferenceDelta(nowhere, &to_itself)], None),
        ("a base before the pack", vec![Packed::OffsetDelta(1 << 40, &to_itself)], None),
        ("its own base", vec![Packed::OffsetDelta(0, &to_itself)], None),
    ] {
        let received = Made::new().receive(id_of(Kind::Blob, blob), &pack(&entries, sizes));
        assert!(received.is_err(), "{what}: {received:?}");
    }
}

#[test]
fn a_folder_of_a_million_names_is_fetched_at_most_and_never_listed() {
    let blob = id_of(Kind::Blob, b"");
    let mut tree = Vec::new();
    for n in 0..1_000_000u32 {
        tree.extend_from_slice(&tree_of(&format!("{n:07}"), "100644", blob));
    }
    let commit = commit(id_of(Kind::Tree, &tree));
    let head = id_of(Kind::Commit, &commit);
    let entries = [
        Packed::Object(Kind::Commit, &commit),
        Packed::Object(Kind::Tree, &tree),
        Packed::Object(Kind::Blob, b""),
    ];
    let roomy = GitLimits::default();
    let made = Made::new();
    let answer = answer(head, &pack(&entries, None));
    let (repository, commit) = receive(made.dir.path(), &answer, roomy).unwrap();
    let refused = repository.tree(&commit).unwrap_err();
    assert!(matches!(refused, GitError::Tree { .. }), "{refused:?}");
}

#[test]
fn a_tree_that_contains_itself_many_times_over_is_refused() {
    // Each level holds the one below sixteen times: 16^10 folders from ten small objects.
    let mut entries = Vec::new();
    let mut below = tree_of("x", "100644", id_of(Kind::Blob, b""));
    let mut levels = vec![below.clone()];
    for _ in 0..10 {
        let id = id_of(Kind::Tree, &below);
        below = (0..16).flat_map(|n| tree_of(&format!("d{n:02}"), "40000", id)).collect();
        levels.push(below.clone());
    }
    let commit = commit(id_of(Kind::Tree, &below));
    entries.push(Packed::Object(Kind::Blob, b""));
    entries.extend(levels.iter().map(|level| Packed::Object(Kind::Tree, level)));
    entries.push(Packed::Object(Kind::Commit, &commit));
    let made = Made::new();
    let (repository, commit) =
        made.receive(id_of(Kind::Commit, &commit), &pack(&entries, None)).unwrap();
    let refused = repository.tree(&commit).unwrap_err();
    assert!(matches!(refused, GitError::Tree { .. }), "{refused:?}");
}

#[test]
fn a_branch_that_is_no_commit_or_was_not_sent_is_an_error() {
    let blob = id_of(Kind::Blob, b"hello");
    let pack = pack(&[Packed::Object(Kind::Blob, b"hello")], None);
    for head in [blob, id_of(Kind::Blob, b"something else")] {
        let made = Made::new();
        let tree = made.receive(head, &pack).and_then(|(repository, commit)| {
            repository.tree(&commit).map(|tree| tree.entries().len())
        });
        assert!(tree.is_err(), "{tree:?}");
    }
}

#[test]
fn answers_cut_off_anywhere_are_errors() {
    let blob = id_of(Kind::Blob, b"hello");
    let tree = tree_of("a", "100644", blob);
    let commit = commit(id_of(Kind::Tree, &tree));
    let entries = [
        Packed::Object(Kind::Commit, &commit),
        Packed::Object(Kind::Tree, &tree),
        Packed::Object(Kind::Blob, b"hello"),
    ];
    let whole = answer(id_of(Kind::Commit, &commit), &pack(&entries, None));
    for end in (0..whole.len() - 30).step_by(7) {
        let made = Made::new();
        let received = receive(made.dir.path(), &whole[..end], LIMITS());
        assert!(received.is_err(), "{end} of {}", whole.len());
    }
}
