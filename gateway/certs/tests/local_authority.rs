//! What the local authority keeps, and what it remembers.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::{
    fs,
    os::unix::fs::PermissionsExt,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering::Relaxed},
    },
};

use headgate_certs::{LocalAuthority, Subject, local_authority::OpenError};
use headgate_types::{Clock, SystemClock, Timestamp};

const DAY: u64 = 24 * 60 * 60 * 1000;

#[derive(Debug)]
struct SetClock(AtomicU64);

impl Clock for SetClock {
    fn now(&self) -> Timestamp {
        Timestamp::from_millis(self.0.load(Relaxed))
    }
}

fn open(dir: &std::path::Path) -> Result<LocalAuthority, OpenError> {
    LocalAuthority::open(dir, Arc::new(SystemClock))
}

fn app() -> [Subject; 1] {
    [Subject::Host("app.localhost".parse().unwrap())]
}

#[test]
fn reopening_keeps_the_same_root() {
    let dir = tempfile::tempdir().unwrap();
    let made = open(dir.path()).unwrap();
    let kept = open(dir.path()).unwrap();
    assert_eq!(made.root_pem(), kept.root_pem());
    assert_eq!(made.name(), kept.name());
    assert!(made.name().starts_with("Headgate local authority ("), "{}", made.name());
    assert_eq!(fs::read_to_string(made.root_path()).unwrap(), made.root_pem());
}

#[test]
fn a_lost_public_copy_comes_back() {
    let dir = tempfile::tempdir().unwrap();
    let made = open(dir.path()).unwrap();
    fs::remove_file(made.root_path()).unwrap();
    open(dir.path()).unwrap();
    assert_eq!(fs::read_to_string(made.root_path()).unwrap(), made.root_pem());
}

#[test]
fn the_key_is_for_its_owner_alone() {
    let dir = tempfile::tempdir().unwrap();
    let authority = open(dir.path()).unwrap();
    let mode =
        |name: &str| fs::metadata(dir.path().join(name)).unwrap().permissions().mode() & 0o777;
    assert_eq!(mode("authority.pem"), 0o600);
    assert!(!authority.root_pem().contains("PRIVATE"));
    assert!(!format!("{authority:?}").contains("BEGIN"));
    let leaf = authority.issue(&app()).unwrap();
    assert!(!format!("{leaf:?}").to_lowercase().contains("private"));
    let files: Vec<_> = fs::read_dir(dir.path()).unwrap().map(|f| f.unwrap().file_name()).collect();
    assert_eq!(files.len(), 2, "{files:?}");
}

#[test]
fn processes_that_race_end_with_one_root() {
    let dir = tempfile::tempdir().unwrap();
    let roots: Vec<_> = std::thread::scope(|scope| {
        let threads: Vec<_> = (0..8)
            .map(|_| scope.spawn(|| open(dir.path()).unwrap().root_pem().to_owned()))
            .collect();
        threads.into_iter().map(|thread| thread.join().unwrap()).collect()
    });
    assert!(roots.iter().all(|root| *root == roots[0]));
}

#[test]
fn a_broken_file_is_named_and_left_alone() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("authority.pem");
    let whole = {
        open(dir.path()).unwrap();
        fs::read_to_string(&path).unwrap()
    };
    fs::write(&path, &whole[..whole.len() / 2]).unwrap();
    let error = open(dir.path()).unwrap_err();
    assert!(error.to_string().contains("authority.pem"), "{error}");
    assert_eq!(fs::read_to_string(&path).unwrap().len(), whole.len() / 2);

    let other = tempfile::tempdir().unwrap();
    open(other.path()).unwrap();
    let theirs = fs::read_to_string(other.path().join("authority.pem")).unwrap();
    let key = &theirs[theirs.find("-----BEGIN PRIVATE").unwrap()..];
    let mixed = format!("{}{key}", &whole[..whole.find("-----BEGIN PRIVATE").unwrap()]);
    fs::write(&path, mixed).unwrap();
    assert!(matches!(open(dir.path()).unwrap_err(), OpenError::WrongKey { .. }));
}

#[test]
fn a_certificate_is_issued_once_until_it_grows_old() {
    let dir = tempfile::tempdir().unwrap();
    let clock = Arc::new(SetClock(AtomicU64::new(1_800_000_000_000)));
    let authority = LocalAuthority::open(dir.path(), clock.clone()).unwrap();
    let first = authority.issue(&app()).unwrap();
    clock.0.fetch_add(59 * DAY, Relaxed);
    assert!(Arc::ptr_eq(&first, &authority.issue(&app()).unwrap()));
    clock.0.fetch_add(2 * DAY, Relaxed);
    assert!(!Arc::ptr_eq(&first, &authority.issue(&app()).unwrap()));
}
