//! Projects to serve: copies of the fixtures, and one that is as small as can be.

use std::{
    fs::{self, File},
    path::{Path, PathBuf},
};

use tempfile::TempDir;

use crate::tests;

/// A folder of `tests/fixtures`, not to be changed.
pub fn fixture(name: &str) -> PathBuf {
    let folder = tests().join("fixtures").join(name);
    assert!(folder.is_dir(), "there is no fixture {name}");
    folder
}

/// The module of a guest of `tests/guests`, unpacked if it is kept packed.
pub fn guest(name: &str) -> Vec<u8> {
    let plain = tests().join("guests").join(name).join(format!("{name}.wasm"));
    let packed = plain.with_extension("wasm.zst");
    let found = match File::open(&packed) {
        Ok(file) => zstd::decode_all(file),
        Err(_) => fs::read(&plain),
    };
    found.unwrap_or_else(|error| panic!("{}: {error}", plain.display()))
}

/// A project in a folder of its own, to be changed at will.
#[derive(Debug)]
pub struct Project {
    folder: TempDir,
}

impl Project {
    pub fn empty() -> Self {
        Self { folder: tempfile::tempdir().expect("there is a place for temporary files") }
    }

    pub fn copy_of(name: &str) -> Self {
        let project = Self::empty();
        copy(&fixture(name), project.path());
        project
    }

    /// One host, `host`, with a function at `/hello` and a site whose only page says `page`.
    pub fn small(host: &str, page: &str) -> Self {
        let project = Self::empty();
        write_small(project.path(), host, page);
        project
    }

    pub fn path(&self) -> &Path {
        self.folder.path()
    }

    /// The folder, which is no longer removed with the test.
    pub fn into_path(self) -> PathBuf {
        self.folder.keep()
    }

    pub fn write(&self, path: &str, content: impl AsRef<[u8]>) {
        write(&self.path().join(path), content.as_ref());
    }

    pub fn remove(&self, path: &str) {
        fs::remove_file(self.path().join(path)).expect("the file is there");
    }
}

/// The page of a small project, whole.
pub(crate) const PAGE: &str = "websites/main/index.html";

pub(crate) fn write_small(folder: &Path, host: &str, page: &str) {
    let files = [
        ("config.yaml", "id: config-small\nname: small\n".to_owned()),
        (
            "domains/main.yaml",
            format!("id: domain-main\nfqdn: {host}\ncertificate:\n  type: auto\n"),
        ),
        ("functions/hello.yaml", HELLO.to_owned()),
        ("websites/main.yaml", "id: website-main\ndomains: [main]\npaths: [/]\n".to_owned()),
        (PAGE, page.to_owned()),
    ];
    for (path, content) in files {
        write(&folder.join(path), content.as_bytes());
    }
    write(&folder.join("functions/hello.wasm"), &guest("hello"));
}

const HELLO: &str = "\
id: function-hello
trigger:
  type: https
  method: GET
  paths: [/hello]
domains: [main]
source: .
execution:
  timeout: 1s
  memory: 1MB
  call: hello
";

pub(crate) fn write(path: &Path, content: &[u8]) {
    let folder = path.parent().expect("a file is in a folder");
    fs::create_dir_all(folder).expect("temporary folders are writable");
    fs::write(path, content).expect("temporary folders are writable");
}

pub(crate) fn copy(from: &Path, to: &Path) {
    fs::create_dir_all(to).expect("temporary folders are writable");
    for entry in fs::read_dir(from).expect("fixtures are readable").flatten() {
        let (source, target) = (entry.path(), to.join(entry.file_name()));
        if source.is_dir() {
            copy(&source, &target);
        } else {
            fs::copy(&source, &target).expect("fixtures are readable");
        }
    }
}
