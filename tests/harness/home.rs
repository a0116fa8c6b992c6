//! The folders of one node, and the binary it is.

use std::{
    fs,
    path::{Path, PathBuf},
};

use serde_json::{Value, json};
use tempfile::TempDir;

/// Longest path of a unix socket on Linux, its end included.
const LONGEST_SOCKET: usize = 108;

/// Everything that a node leaves on disk. Gone with the test.
#[derive(Debug)]
pub(crate) struct Home {
    folder: TempDir,
}

impl Home {
    /// In the target folder, because natives are linked, and links do not cross file systems.
    pub(crate) fn new(target: &Path) -> Self {
        let folder = tempfile::Builder::new().prefix("n").tempdir_in(target);
        let home = Self { folder: folder.expect("the target folder is writable") };
        let socket = home.state().join("admin.sock");
        let length = socket.as_os_str().len();
        assert!(
            length < LONGEST_SOCKET,
            "{} is too long for a socket: set CARGO_TARGET_DIR",
            socket.display()
        );
        home
    }

    pub(crate) fn path(&self) -> &Path {
        self.folder.path()
    }

    pub(crate) fn state(&self) -> PathBuf {
        self.path().join("state")
    }

    /// Writes `node.yaml` with what `config` says, and this home's own folder and ports that the kernel picks.
    pub(crate) fn write_config(&self, mut config: Value) {
        let defaults = [
            ("state", self.state().to_string_lossy().into_owned().into()),
            ("http", json!(["127.0.0.1:0"])),
            ("https", json!(["127.0.0.1:0"])),
        ];
        let settings = config.as_object_mut().expect("a configuration is an object");
        for (key, value) in defaults {
            settings.entry(key).or_insert(value);
        }
        // JSON is YAML.
        let text = serde_json::to_string_pretty(&config).expect("JSON can be written");
        fs::write(self.config(), text).expect("temporary folders are writable");
    }

    pub(crate) fn config(&self) -> PathBuf {
        self.path().join("node.yaml")
    }

    /// `$XDG_DATA_HOME`.
    pub(crate) fn data(&self) -> PathBuf {
        self.path().join("data")
    }
}

/// Where the build left its binaries, as seen from this test: `target/debug/deps/e2e-…` → `target/debug`.
fn profile_folder() -> PathBuf {
    let test = std::env::current_exe().expect("a process knows its executable");
    let deps = test.parent().expect("an executable is in a folder");
    deps.parent().expect("tests are built into `deps`").to_owned()
}

/// The binary under test: what the same build made, or what `HEADGATE_BIN` names (an installed one, say).
pub(crate) fn binary() -> PathBuf {
    let named = std::env::var_os("HEADGATE_BIN").map(PathBuf::from);
    let binary = named.unwrap_or_else(|| profile_folder().join("headgate"));
    assert!(
        binary.is_file(),
        "there is no {}; build it with `cargo build --workspace --bin headgate`, or run `tests/run`",
        binary.display()
    );
    binary
}

/// Where tests may leave things for each other.
pub(crate) fn target() -> PathBuf {
    let folder = profile_folder().join("e2e");
    fs::create_dir_all(&folder).expect("the target folder is writable");
    folder
}
