//! How long a ticket is good, and for whom.

use std::{
    fs,
    os::unix::fs::PermissionsExt,
    sync::atomic::{AtomicU64, Ordering::Relaxed},
};

use super::*;

const HOUR: Duration = Duration::from_secs(3600);

#[derive(Debug, Default)]
struct TestClock(AtomicU64);

impl TestClock {
    fn advance(&self, by: Duration) {
        self.0.fetch_add(by.as_millis().try_into().unwrap(), Relaxed);
    }
}

impl Clock for TestClock {
    fn now(&self) -> Timestamp {
        Timestamp::from_millis(1_767_268_800_000 + self.0.load(Relaxed))
    }
}

struct Node {
    folder: tempfile::TempDir,
    clock: Arc<TestClock>,
    tickets: Arc<Tickets>,
}

impl Node {
    fn new() -> Self {
        let (folder, clock) = (tempfile::tempdir().unwrap(), Arc::new(TestClock::default()));
        let tickets = Tickets::open(&folder.path().join("tickets"), clock.clone()).unwrap();
        Self { folder, clock, tickets }
    }

    fn path(&self) -> PathBuf {
        self.folder.path().join("tickets")
    }

    fn restart(&mut self) {
        self.tickets = Tickets::open(&self.path(), self.clock.clone()).unwrap();
    }

    fn seal(&self) -> Vec<u8> {
        self.tickets.seal(b"", b"a session").unwrap()
    }

    fn opens(&self, ticket: &[u8]) -> bool {
        self.tickets.open_ticket(b"", ticket).as_deref() == Some(b"a session")
    }
}

#[test]
fn a_ticket_outlives_a_restart_and_one_rotation_but_no_day() {
    let mut node = Node::new();
    let early = node.seal();
    node.clock.advance(11 * HOUR);
    let late = node.seal();
    node.restart();
    assert!(node.opens(&early) && node.opens(&late));

    node.clock.advance(HOUR);
    node.tickets.rotate().unwrap();
    let next = node.seal();
    assert_ne!(next[..NAME_LEN], late[..NAME_LEN], "the next key seals");
    node.restart();
    assert!(node.opens(&late) && node.opens(&next), "and both open");

    node.clock.advance(12 * HOUR);
    assert!(!node.opens(&late), "whether or not anybody rotated");
    node.tickets.rotate().unwrap();
    assert!(node.opens(&next), "which is twelve hours old");
    assert_eq!(node.tickets.keys.load().len(), 2);
}

#[test]
fn a_stolen_file_is_useless_after_a_day() {
    let mut node = Node::new();
    let (ticket, stolen) = (node.seal(), fs::read(node.path()).unwrap());
    node.clock.advance(25 * HOUR);
    node.restart();
    let current = fs::read(node.path()).unwrap();
    assert!(!current.windows(SECRET_LEN).any(|part| stolen.ends_with(part)), "it is forgotten");
    fs::write(node.path(), stolen).unwrap();
    node.restart();
    assert!(!node.opens(&ticket), "and not taken back");
}

#[test]
fn what_is_forged_or_of_another_policy_opens_nothing() {
    let node = Node::new();
    let ticket = node.seal();
    for at in 0..ticket.len() {
        let mut forged = ticket.clone();
        forged[at] ^= 1;
        assert!(!node.opens(&forged), "byte {at}");
        assert!(!node.opens(&ticket[..at]), "cut at {at}");
    }
    assert!(node.opens(&ticket));
    assert!(!node.opens(&vec![0; 1 << 20]));
    let (one, other) = (node.tickets.scoped(*b"one"), node.tickets.scoped(*b"other"));
    let ticket = one.encrypt(b"a session").unwrap();
    assert!(one.decrypt(&ticket).is_some() && other.decrypt(&ticket).is_none());
    assert!(!node.opens(&ticket));
}

#[test]
fn the_file_is_its_owners_alone_and_no_reason_not_to_start() {
    let mut node = Node::new();
    let mode = |node: &Node| fs::metadata(node.path()).unwrap().permissions().mode() & 0o777;
    assert_eq!(mode(&node), 0o600);
    let ticket = node.seal();
    fs::set_permissions(node.path(), fs::Permissions::from_mode(0o644)).unwrap();
    node.restart();
    assert!(!node.opens(&ticket), "others may have read the key");
    assert_eq!(mode(&node), 0o600);
    for damage in [&b""[..], b"headgate ticket keys 1\nshort", b"headgate ticket keys 2\n"] {
        fs::write(node.path(), damage).unwrap();
        node.restart();
        assert!(node.opens(&node.seal()));
    }
}

#[test]
fn a_key_of_a_clock_that_ran_ahead_is_not_kept_for_years() {
    let mut node = Node::new();
    node.clock.advance(1000 * HOUR);
    node.restart();
    let ticket = node.seal();
    node.clock.0.store(0, Relaxed);
    assert!(!node.opens(&ticket));
    assert!(node.tickets.seal(b"", b"a session").is_none());
    node.tickets.rotate().unwrap();
    assert!(node.opens(&node.seal()));
}

#[test]
fn no_secret_is_printed() {
    let node = Node::new();
    let printed = format!("{:?} {:?}", node.tickets, node.tickets.scoped(*b"one"));
    let keys = node.tickets.keys.load();
    let secret = format!("{:?}", &keys[0].secret[..4]);
    assert!(printed.contains("made_at"), "{printed}");
    assert!(!printed.contains(secret.trim_matches(['[', ']'])), "{printed}");
}
