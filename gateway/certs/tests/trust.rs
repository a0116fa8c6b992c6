//! `headgate dev trust` on made-up machines: a folder stands for the file system, scripts for its
//! commands.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::{
    fs,
    os::unix::fs::PermissionsExt,
    path::{Path, PathBuf},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use headgate_certs::{LocalAuthority, TrustError, TrustStores};
use headgate_types::SystemClock;

/// Tests go one by one: a script that is open for writing while another thread forks cannot be run
/// (ETXTBSY).
static ONE_BY_ONE: Mutex<()> = Mutex::new(());

struct Machine {
    _turn: MutexGuard<'static, ()>,
    dir: tempfile::TempDir,
    authority: LocalAuthority,
}

impl Machine {
    fn new() -> Self {
        let turn = ONE_BY_ONE.lock().unwrap_or_else(PoisonError::into_inner);
        let dir = tempfile::tempdir().unwrap();
        let state = dir.path().join("state");
        let authority = LocalAuthority::open(&state, Arc::new(SystemClock)).unwrap();
        Self { _turn: turn, dir, authority }
    }

    fn path(&self, path: &str) -> PathBuf {
        self.dir.path().join(path)
    }

    /// A command that writes down how it was called, and ends with `status`.
    fn command(&self, path: &str, status: u8) {
        let file = self.path(path);
        fs::create_dir_all(file.parent().unwrap()).unwrap();
        let log = self.path("calls").display().to_string();
        let script = format!(
            "#!/bin/sh\necho \"$(basename $0) $*\" >> {log}\necho reason >&2\nexit {status}\n"
        );
        fs::write(&file, script).unwrap();
        fs::set_permissions(&file, fs::Permissions::from_mode(0o755)).unwrap();
    }

    fn calls(&self) -> Vec<String> {
        let text = fs::read_to_string(self.path("calls")).unwrap_or_default();
        text.lines().map(str::to_owned).collect()
    }

    fn stores(&self) -> TrustStores {
        TrustStores { root: self.dir.path().to_owned(), home: Some(self.path("home")) }
    }
}

fn holds(file: &Path, text: &str) -> bool {
    fs::read_to_string(file).is_ok_and(|there| there == text)
}

#[test]
fn debian_takes_the_root_and_twice_is_the_same() {
    let machine = Machine::new();
    machine.command("usr/sbin/update-ca-certificates", 0);
    fs::create_dir_all(machine.path("usr/local/share")).unwrap();
    for _ in 0..2 {
        let trusted = machine.stores().trust(&machine.authority).unwrap();
        let file = trusted.system.unwrap();
        assert!(file.starts_with(machine.path("usr/local/share/ca-certificates")));
        assert_eq!(file.extension().unwrap(), "crt");
        assert!(holds(&file, machine.authority.root_pem()));
        assert!(trusted.left.is_empty());
        assert_eq!(fs::read_dir(file.parent().unwrap()).unwrap().count(), 1);
    }
    assert_eq!(machine.calls().len(), 2);
}

#[test]
fn arch_extracts_its_anchors() {
    let machine = Machine::new();
    machine.command("usr/bin/trust", 0);
    fs::create_dir_all(machine.path("etc/ca-certificates/trust-source/anchors")).unwrap();
    let trusted = machine.stores().trust(&machine.authority).unwrap();
    assert!(holds(&trusted.system.unwrap(), machine.authority.root_pem()));
    assert_eq!(machine.calls(), ["trust extract-compat"]);
}

#[test]
fn an_unknown_system_is_told_what_to_do() {
    let machine = Machine::new();
    let trusted = machine.stores().trust(&machine.authority).unwrap();
    assert_eq!(trusted.system, None);
    assert!(trusted.left[0].contains("root.pem"), "{:?}", trusted.left);
}

#[test]
fn browsers_are_told_if_certutil_is_there() {
    let machine = Machine::new();
    for database in [".pki/nssdb", ".mozilla/firefox/abc.default"] {
        let folder = machine.path("home").join(database);
        fs::create_dir_all(&folder).unwrap();
        fs::write(folder.join("cert9.db"), "").unwrap();
    }
    let without = machine.stores().trust(&machine.authority).unwrap();
    assert!(without.left.iter().any(|left| left.contains("libnss3-tools")));

    machine.command("usr/bin/certutil", 0);
    let with = machine.stores().trust(&machine.authority).unwrap();
    assert_eq!(with.browsers.len(), 2);
    let calls = machine.calls();
    assert!(calls[0].starts_with("certutil -A -d sql:"), "{calls:?}");
    assert!(calls[0].contains("-t C,, -n Headgate local authority"), "{calls:?}");
}

#[test]
fn a_failing_command_gives_its_reason() {
    let machine = Machine::new();
    machine.command("usr/sbin/update-ca-certificates", 3);
    fs::create_dir_all(machine.path("usr/local/share")).unwrap();
    let error = machine.stores().trust(&machine.authority).unwrap_err();
    assert!(matches!(&error, TrustError::Failed { message, .. } if message == "reason"), "{error}");
}
