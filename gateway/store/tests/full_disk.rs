//! Does a full disk refuse the revision and harm nothing?
//!
//! The test runs itself again in a mount namespace of its own, on a file system of one mebibyte. Where
//! that is not allowed (it takes root or user namespaces), it says so and checks nothing.

use std::{
    env,
    path::Path,
    process::{Command, Stdio},
};

use bytes::Bytes;
use headgate_store::{
    BlobStore, Globals, GlobalsError, Records, RecordsError, StoreError,
    globals::{Cell, Change, Space},
};
use headgate_types::{Branch, Commit, Digest, Revision, Timestamp};

const FOLDER: &str = "HEADGATE_STORE_FULL_DISK_TEST";

/// Mounts over `$0` and becomes the command after it.
const ON_SMALL_DISK: &str =
    "mount -t tmpfs -o size=4m,mode=700 headgate-test \"$0\" && exec \"$@\"";

#[test]
fn a_full_disk_refuses_and_harms_nothing() {
    if let Some(folder) = env::var_os(FOLDER) {
        return fill(Path::new(&folder));
    }
    let dir = tempfile::tempdir().expect("a folder");
    let small = |command: &[&str]| {
        let mut unshare = Command::new("unshare");
        unshare.args(["--mount", "--map-root-user", "sh", "-c", ON_SMALL_DISK]);
        unshare.arg(dir.path()).args(command).env(FOLDER, dir.path());
        unshare
    };
    let allowed = small(&["true"]).stdout(Stdio::null()).stderr(Stdio::null()).status();
    if !allowed.is_ok_and(|status| status.success()) {
        println!("not checked: this machine does not let the test mount a small file system");
        return;
    }
    let this = env::current_exe().expect("this test");
    let this = this.to_str().expect("UTF-8");
    let child = small(&[this, "--exact", "a_full_disk_refuses_and_harms_nothing", "--nocapture"]);
    let status = { child }.status().expect("a child");
    assert!(status.success(), "see the child's output");
}

fn fill(folder: &Path) {
    let store = BlobStore::open(&folder.join("blobs")).expect("a store");
    let records = Records::open(folder).expect("records");
    let kept = store.put(b"kept").expect("room for four bytes");
    accept(&records, "first", kept).expect("room for a record");
    let globals = Globals::open(folder).expect("values");
    globals.write(&[put(0, 10)]).expect("room for a value");
    let before = store.usage();

    let large = vec![7; 8 << 20];
    let refused = store.put(&large).expect_err("more than the disk");
    assert!(matches!(refused, StoreError::Full { .. }), "{refused:?}");
    let refused = store.put_stream(&large[..], u64::MAX).expect_err("more than the disk");
    assert!(matches!(refused, StoreError::Full { .. }), "{refused:?}");
    let batch = store.batch();
    let refused = (0u32..).find_map(|n| batch.put(&n.to_le_bytes().repeat(5000)).err());
    assert!(matches!(refused, Some(StoreError::Full { .. })), "{refused:?}");
    drop(batch);
    assert_eq!(store.usage(), before);

    // What a refused put wrote is gone: the same room can be used again, to the last byte.
    let mut fillers = Vec::new();
    for size in [256 << 10, 16 << 10, 4 << 10] {
        while let Ok(digest) = store
            .put(&vec![u8::try_from(fillers.len() % 251).expect("small"); size + fillers.len()])
        {
            fillers.push(digest);
        }
    }
    assert!(fillers.len() > 3, "the refused ones left room");
    assert_eq!(store.read(&kept).expect("still there"), "kept");

    // Records: refused at some point, and the current revision stays.
    let refused = (0..10_000).find_map(|n| accept(&records, &"x".repeat(900 + n % 2), kept).err());
    assert!(matches!(refused, Some(RecordsError::Full { .. })), "{refused:?}");
    let current = records.current().expect("readable on a full disk");
    assert_eq!(current.len(), 1);

    // Values: refused at some point, nothing of it is kept, and what was there is.
    let refused = (1..1_000).find_map(|n| Some((n, globals.write(&[put(n, 9_000)]).err()?)));
    let (refused, error) = refused.expect("more than the disk");
    assert!(matches!(error, GlobalsError::Access { .. }), "{error:?}");
    assert_eq!(globals.all().expect("readable on a full disk").len(), refused);

    // Room again: all goes on without a restart.
    store
        .sweep(&std::collections::HashSet::from([kept]), Timestamp::from_millis(u64::MAX))
        .expect("sweep");
    accept(&records, "after", kept).expect("room for a record");
    assert_eq!(records.current().expect("records")[0].revision.commit.as_str(), "after");
    store.put(&vec![1; 64 << 10]).expect("room for a blob");
    globals.write(&[put(refused, 10)]).expect("room for a value");
}

fn put(n: usize, size: usize) -> Change {
    let space = Space { project: "shop".parse().expect("a name"), branch: Branch::new("main") };
    let name = n.to_string().into_bytes().into();
    let cell = Cell { application: "".into(), function: "".into(), name };
    Change::Put { space, cell, value: Bytes::from(vec![1; size]) }
}

fn accept(records: &Records, commit: &str, manifest: Digest) -> Result<(), RecordsError> {
    let revision = Revision {
        project: "shop".parse().expect("a name"),
        branch: Branch::new("main"),
        commit: Commit::new(commit),
    };
    records.accept(revision, manifest, Timestamp::from_millis(1)).map(drop)
}
