use std::{fs, os::unix::ffi::OsStrExt, os::unix::fs::symlink};

use super::*;
use crate::tree::UnlistedReason;

/// Long after any file of these tests was written, so that no fingerprint is fresh.
const LATER: Timestamp = Timestamp::from_millis(1 << 45);

fn folder(files: &[(&str, &str)]) -> tempfile::TempDir {
    let dir = tempfile::tempdir().unwrap();
    for (path, content) in files {
        write(dir.path(), path, content);
    }
    dir
}

fn write(dir: &Path, path: &str, content: &str) {
    let path = dir.join(path);
    fs::create_dir_all(path.parent().unwrap()).unwrap();
    fs::write(path, content).unwrap();
}

fn open_tree(dir: &Path) -> FolderTree {
    FolderTree::open(dir, &TreeLimits::default(), LATER).unwrap()
}

fn paths(tree: &FolderTree) -> Vec<&str> {
    tree.entries().iter().map(|entry| &*entry.path).collect()
}

#[test]
fn files_are_listed_in_order_and_read() {
    let dir = folder(&[("b/c.html", "see"), ("b.yaml", "be"), ("a", "")]);
    let tree = open_tree(dir.path());
    assert_eq!(paths(&tree), ["a", "b.yaml", "b/c.html"]);
    assert_eq!(tree.read("b/c.html", 3).unwrap(), "see");
    assert_eq!(tree.read("a", 0).unwrap(), "");
    assert!(matches!(tree.read("b/c.html", 2), Err(ReadError::TooLarge { .. })));
    for outside in ["b", "../a", "/etc/passwd", "b/../a", ""] {
        assert!(matches!(tree.read(outside, 9), Err(ReadError::NotFound { .. })), "{outside}");
    }
}

#[test]
fn state_of_tools_is_not_part_of_the_project() {
    let dir = folder(&[
        (".git/config", ""),
        (".idea/x", ""),
        ("functions/ping/target/CACHEDIR.TAG", "Signature: 8a477f597d28d172789f06886806bc55"),
        ("functions/ping/target/debug/x", ""),
        ("websites/main/node_modules/x/index.js", ""),
        ("websites/main/.well-known/security.txt", ""),
        ("websites/main/target/index.html", ""),
        (".gitignore", ""),
    ]);
    let kept =
        [".gitignore", "websites/main/.well-known/security.txt", "websites/main/target/index.html"];
    assert_eq!(paths(&open_tree(dir.path())), kept);
}

#[test]
fn links_and_sockets_are_listed_but_never_read() {
    let dir = folder(&[("real/secret", "s")]);
    symlink("/etc/passwd", dir.path().join("passwd")).unwrap();
    symlink("real", dir.path().join("folder")).unwrap();
    let _socket = std::os::unix::net::UnixListener::bind(dir.path().join("socket")).unwrap();
    let tree = open_tree(dir.path());
    assert_eq!(paths(&tree), ["folder", "passwd", "real/secret", "socket"]);
    assert_eq!(tree.find("socket").unwrap().kind, EntryKind::Other);
    let refused = tree.read("passwd", 1 << 20).unwrap_err();
    assert!(matches!(refused, ReadError::NotAFile { kind: EntryKind::Symlink, .. }), "{refused}");
}

#[test]
fn a_file_or_folder_swapped_for_a_link_is_not_followed() {
    let dir = folder(&[("a/x", "one"), ("b/x", "two")]);
    let secret = folder(&[("x", "key")]);
    let tree = open_tree(dir.path());
    fs::remove_dir_all(dir.path().join("a")).unwrap();
    symlink(secret.path(), dir.path().join("a")).unwrap();
    fs::remove_file(dir.path().join("b/x")).unwrap();
    symlink(secret.path().join("x"), dir.path().join("b/x")).unwrap();
    for path in ["a/x", "b/x"] {
        assert!(matches!(tree.read(path, 9), Err(ReadError::Changed { .. })), "{path}");
    }
}

#[test]
fn a_file_that_is_no_longer_what_was_listed_is_reported_as_changed() {
    let dir = folder(&[("a", "one"), ("b", "two"), ("c", "three")]);
    let tree = open_tree(dir.path());
    write(dir.path(), "a", "longer than before");
    fs::write(dir.path().join("new"), "two").unwrap();
    fs::rename(dir.path().join("new"), dir.path().join("b")).unwrap();
    fs::remove_file(dir.path().join("c")).unwrap();
    for path in ["a", "b", "c"] {
        assert!(matches!(tree.read(path, 99), Err(ReadError::Changed { .. })), "{path}");
    }
}

#[test]
fn equal_states_have_equal_ids_and_any_change_makes_another() {
    let dir = folder(&[("a", "one")]);
    let before = open_tree(dir.path());
    assert_eq!(before.commit(), open_tree(dir.path()).commit());
    assert!(before.commit().as_str().starts_with("worktree-"));

    fs::write(dir.path().join("new"), "two").unwrap(); // same size, as editors write: beside, then rename
    fs::rename(dir.path().join("new"), dir.path().join("a")).unwrap();
    assert_ne!(before.commit(), open_tree(dir.path()).commit());
}

#[test]
fn a_file_written_just_now_has_a_fingerprint_good_only_once() {
    let dir = folder(&[("a", "one")]);
    let open_at = |millis| {
        let now = Timestamp::from_millis(millis);
        FolderTree::open(dir.path(), &TreeLimits::default(), now).unwrap()
    };
    let written = {
        use std::os::unix::fs::MetadataExt;
        let metadata = fs::metadata(dir.path().join("a")).unwrap();
        u64::try_from(metadata.ctime() * 1000 + metadata.ctime_nsec() / 1_000_000).unwrap()
    };
    assert_ne!(open_at(written + 1).commit(), open_at(written + 2).commit());
    assert_eq!(open_at(written + 100).commit(), open_at(written + 200).commit());
    let fresh = open_at(written + 1);
    assert_eq!(fresh.read("a", 3).unwrap(), "one");
}

#[test]
fn names_that_are_not_utf_8_are_reported() {
    let dir = folder(&[("a", "")]);
    fs::write(dir.path().join(std::ffi::OsStr::from_bytes(b"caf\xe9")), "").unwrap();
    let tree = open_tree(dir.path());
    assert_eq!(paths(&tree), ["a"]);
    let [unlisted] = tree.unlisted() else { panic!("{:?}", tree.unlisted()) };
    assert_eq!((unlisted.path.as_str(), unlisted.reason), ("caf\u{fffd}", UnlistedReason::NotUtf8));
}

#[test]
fn trees_over_a_limit_are_refused_by_naming_the_path() {
    let dir = folder(&[("a/b/c", ""), ("a/b/d", "")]);
    let refused = |entries, depth| {
        FolderTree::open(dir.path(), &TreeLimits { entries, depth }, LATER).unwrap_err().to_string()
    };
    assert!(FolderTree::open(dir.path(), &TreeLimits { entries: 2, depth: 2 }, LATER).is_ok());
    assert!(refused(1, 2).contains("more than 1 file"), "{}", refused(1, 2));
    assert_eq!(refused(2, 1), "`a/b` lies more than 1 folders deep");
    let missing = FolderTree::open(Path::new("/nonexistent"), &TreeLimits::default(), LATER);
    assert!(matches!(missing, Err(OpenFolderError::Root { .. })));
}

#[test]
fn ten_thousand_files_are_listed() {
    let dir = tempfile::tempdir().unwrap();
    for folder in 0..100 {
        fs::create_dir(dir.path().join(format!("{folder}"))).unwrap();
        for file in 0..100 {
            fs::write(dir.path().join(format!("{folder}/{file}")), "").unwrap();
        }
    }
    assert_eq!(open_tree(dir.path()).entries().len(), 10_000);
}
