use std::sync::Arc;

use prometheus_client::registry::Registry;

use super::*;
use crate::{
    core::wasi::codes::{FILE_TOO_LARGE, NAME_TOO_LONG},
    metrics::Metrics,
};

fn limits(memory: u64) -> Limits {
    Limits::of(memory, Arc::new(Metrics::new(&mut Registry::default())))
}

struct Disk {
    files: Files,
    limits: Limits,
}

impl Disk {
    fn new() -> Self {
        Self { files: Files::new(0), limits: limits(1 << 20) }
    }

    fn open(&mut self, path: &str, options: OpenOptions) -> Result<NodeId> {
        self.files.open(ROOT, path, options, &mut self.limits, 1)
    }

    fn put(&mut self, path: &str, text: &str) -> Result<NodeId> {
        let options =
            OpenOptions { create: true, truncate: true, write: true, ..OpenOptions::default() };
        let node = self.open(path, options)?;
        self.files.write(node, 0, text.as_bytes(), &mut self.limits, 2)?;
        Ok(node)
    }

    fn get(&self, path: &str) -> Result<String> {
        let mut bytes = [0; 64];
        let count = self.files.read(self.files.find(ROOT, path)?, 0, &mut bytes)?;
        Ok(String::from_utf8_lossy(&bytes[..count]).into_owned())
    }

    fn folder(&mut self, path: &str) -> Result<()> {
        self.files.create_folder(ROOT, path, 3)
    }

    fn rename(&mut self, from: &str, to: &str) -> Result<()> {
        self.files.rename((ROOT, from), (ROOT, to), &mut self.limits, 4)
    }

    fn names(&self, path: &str) -> Vec<String> {
        let node = self.files.find(ROOT, path).unwrap();
        let list = self.files.list(node, 2).unwrap();
        list.iter().map(|entry| entry.name.to_owned()).collect()
    }
}

#[test]
fn what_was_written_is_read() {
    let mut disk = Disk::new();
    disk.folder("tmp").unwrap();
    disk.put("/tmp/a", "first").unwrap();
    disk.put("tmp/../tmp/./b", "second").unwrap();
    assert_eq!(disk.get("tmp/a").as_deref(), Ok("first"));
    assert_eq!(disk.get("/../tmp//b").as_deref(), Ok("second"));
    assert_eq!(disk.names("/tmp/"), ["a", "b"]);
    disk.put("tmp/a", "1").unwrap();
    assert_eq!(disk.get("tmp/a").as_deref(), Ok("1"));
    let stat = disk.files.stat(disk.files.find(ROOT, "tmp/a").unwrap());
    assert_eq!((stat.kind, stat.size, stat.links, stat.times.modified), (Kind::File, 1, 1, 2));
}

#[test]
fn a_gap_is_zeros() {
    let mut disk = Disk::new();
    let node = disk.put("a", "x").unwrap();
    disk.files.write(node, 3, b"y", &mut disk.limits, 0).unwrap();
    assert_eq!(disk.get("a").as_deref(), Ok("x\0\0y"));
    disk.files.write(node, u64::MAX, b"", &mut disk.limits, 0).unwrap();
    disk.files.resize(node, 2, &mut disk.limits, 0).unwrap();
    disk.files.resize(node, 4, &mut disk.limits, 0).unwrap();
    assert_eq!(disk.get("a").as_deref(), Ok("x\0\0\0"));
}

#[test]
fn what_is_wrong_with_a_path_is_told() {
    let mut disk = Disk::new();
    disk.folder("folder").unwrap();
    disk.put("file", "").unwrap();
    let write = OpenOptions { write: true, ..OpenOptions::default() };
    let create = OpenOptions { create: true, ..OpenOptions::default() };
    let long = "n".repeat(256);
    for (path, options, expected) in [
        ("", create, NOT_THERE),
        ("nothing", write, NOT_THERE),
        ("no/where", create, NOT_THERE),
        ("file/x", create, NOT_A_FOLDER),
        ("file/", OpenOptions::default(), NOT_A_FOLDER),
        ("folder", write, IS_FOLDER),
        ("new/", create, IS_FOLDER),
        ("file", OpenOptions { exclusive: true, ..create }, EXISTS),
        ("file", OpenOptions { folder: true, ..write }, NOT_A_FOLDER),
        (&long, create, NAME_TOO_LONG),
        (&"a/".repeat(3_000), create, NAME_TOO_LONG),
    ] {
        assert_eq!(disk.open(path, options), Err(expected), "{path}");
    }
    assert_eq!(disk.folder("file"), Err(EXISTS));
    assert_eq!(disk.folder("/"), Err(EXISTS));
    assert_eq!(disk.files.remove_folder(ROOT, "/", &mut disk.limits, 0), Err(NOT_EMPTY));
    assert_eq!(disk.files.remove_folder(ROOT, "file", &mut disk.limits, 0), Err(NOT_A_FOLDER));
    assert_eq!(disk.files.remove_file(ROOT, "folder", &mut disk.limits, 0), Err(IS_FOLDER));
    assert_eq!(disk.files.write(ROOT, 0, b"x", &mut disk.limits, 0), Err(IS_FOLDER));
}

#[test]
fn renaming_replaces_what_may_be_replaced() {
    let mut disk = Disk::new();
    for folder in ["a", "a/in", "b", "full"] {
        disk.folder(folder).unwrap();
    }
    disk.put("full/x", "x").unwrap();
    disk.put("file", "text").unwrap();
    assert_eq!(disk.rename("a", "a/in/self"), Err(INVALID));
    assert_eq!(disk.rename("a", "full"), Err(NOT_EMPTY));
    assert_eq!(disk.rename("file", "b"), Err(IS_FOLDER));
    assert_eq!(disk.rename("b", "file"), Err(NOT_A_FOLDER));
    assert_eq!(disk.rename("file", "file"), Ok(()));
    assert_eq!(disk.rename("file", "full/x"), Ok(()));
    assert_eq!(disk.get("full/x").as_deref(), Ok("text"));
    assert_eq!(disk.rename("full", "b"), Ok(()));
    assert_eq!(disk.rename("b", "a/in/deep"), Ok(()));
    assert_eq!(disk.get("a/in/deep/../deep/x").as_deref(), Ok("text"));
    assert_eq!(disk.names("/"), ["a"]);
}

#[test]
fn what_is_open_outlives_its_name_and_then_gives_its_memory_back() {
    let mut disk = Disk::new();
    disk.folder("folder").unwrap();
    let node = disk.put("folder/a", &"x".repeat(100)).unwrap();
    let folder = disk.files.find(ROOT, "folder").unwrap();
    disk.files.hold(node);
    disk.files.hold(folder);
    disk.files.remove_file(ROOT, "folder/a", &mut disk.limits, 0).unwrap();
    disk.files.remove_folder(ROOT, "folder", &mut disk.limits, 0).unwrap();
    let mut bytes = [0; 4];
    assert_eq!(disk.files.read(node, 98, &mut bytes), Ok(2));
    assert_eq!(disk.files.stat(node).links, 0);
    // In a folder that is gone nothing can be made, and it leads nowhere but to the root.
    let options = OpenOptions { create: true, ..OpenOptions::default() };
    let limits = &mut disk.limits;
    assert_eq!(disk.files.open(folder, "new", options, limits, 0), Err(NOT_THERE));
    assert_eq!(disk.files.find(folder, ".."), Ok(ROOT));
    disk.files.let_go(node, limits);
    disk.files.let_go(folder, limits);
    assert_eq!(limits.left(), 1 << 20);
    assert_eq!(disk.files.free.len(), 2);
}

#[test]
fn files_end_where_the_memory_does() {
    let mut disk = Disk { files: Files::new(0), limits: limits(1_000) };
    let node = disk.put("a", &"x".repeat(600)).unwrap();
    assert_eq!(disk.files.write(node, 600, &[0; 401], &mut disk.limits, 0), Err(NO_SPACE));
    assert_eq!(disk.files.write(node, u64::MAX, b"x", &mut disk.limits, 0), Err(FILE_TOO_LARGE));
    assert_eq!(disk.files.resize(node, u64::MAX / 2, &mut disk.limits, 0), Err(NO_SPACE));
    assert_eq!(disk.files.write(node, 600, &[0; 400], &mut disk.limits, 0), Ok(()));
    disk.files.resize(node, 0, &mut disk.limits, 0).unwrap();
    assert_eq!(disk.limits.left(), 1_000);
}

#[test]
fn there_are_only_so_many_files() {
    let mut disk = Disk::new();
    let made = (0..).take_while(|n| disk.put(&format!("f{n}"), "").is_ok()).count();
    assert_eq!(made, defaults::FILES - 1, "the root is one of them");
    assert_eq!(disk.folder("one-more"), Err(NO_SPACE));
    disk.files.remove_file(ROOT, "f7", &mut disk.limits, 0).unwrap();
    disk.folder("one-more").unwrap();
}

#[test]
fn a_list_read_in_parts_misses_nothing_that_stays() {
    let mut disk = Disk::new();
    for name in ["c", "a", "d", "b"] {
        disk.put(name, "").unwrap();
    }
    let mut seen = Vec::new();
    let mut cookie = 0;
    while let Some(entry) = disk.files.list(ROOT, cookie).unwrap().first() {
        let name = entry.name.to_owned();
        cookie = entry.cookie;
        if name.len() == 1 && name != "." {
            disk.files.remove_file(ROOT, &name, &mut disk.limits, 0).unwrap();
        }
        seen.push(name);
    }
    assert_eq!(seen, [".", "..", "c", "a", "d", "b"]);
    assert!(disk.names("/").is_empty());
}
