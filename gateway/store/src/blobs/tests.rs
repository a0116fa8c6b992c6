use std::{collections::HashSet, fs, os::unix::fs::PermissionsExt, path::PathBuf};

use headgate_types::Timestamp;
use rustix::fs::{AtFlags, CWD, Timespec, Timestamps, utimensat};

use super::*;

/// Later than any blob of these tests.
const NEVER: Timestamp = Timestamp::from_millis(1 << 45);

struct Fixture {
    dir: tempfile::TempDir,
    store: BlobStore,
}

impl Fixture {
    fn new() -> Self {
        let dir = tempfile::tempdir().unwrap();
        let store = BlobStore::open(dir.path()).unwrap();
        Self { dir, store }
    }

    fn reopened(self) -> Self {
        let Self { dir, store } = self;
        drop(store);
        let store = BlobStore::open(dir.path()).unwrap();
        Self { dir, store }
    }

    fn path(&self, digest: &Digest) -> PathBuf {
        let name = digest.to_string();
        self.dir.path().join(&name[..2]).join(&name[2..])
    }

    fn incoming(&self) -> usize {
        fs::read_dir(self.dir.path().join("incoming")).unwrap().count()
    }

    /// Makes a blob look written in 1970.
    fn age(&self, digest: &Digest) {
        let long_ago = Timespec { tv_sec: 1, tv_nsec: 0 };
        let times = Timestamps { last_access: long_ago, last_modification: long_ago };
        utimensat(CWD, self.path(digest), &times, AtFlags::empty()).unwrap();
    }
}

/// One set of checks over every way into the store.
fn check_stores(put: impl Fn(&BlobStore, &[u8]) -> Result<Digest, StoreError>) {
    let fixture = Fixture::new();
    let large = vec![7; 3 * STREAM_CHUNK + 1];
    for content in [b"".as_slice(), b"x", b"headgate", &large] {
        let digest = put(&fixture.store, content).unwrap();
        assert_eq!(digest, Digest::of(content));
        assert_eq!(put(&fixture.store, content).unwrap(), digest, "twice is fine");
        assert!(fixture.store.contains(&digest));
        assert_eq!(fixture.store.len(&digest).unwrap(), content.len() as u64);
        assert_eq!(fixture.store.read(&digest).unwrap(), content);
        let mode = fs::metadata(fixture.path(&digest)).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o600);
    }
    let usage = Usage { blobs: 4, bytes: large.len() as u64 + 9 };
    assert_eq!(fixture.store.usage(), usage);
    assert_eq!(fixture.incoming(), 0);
    let fixture = fixture.reopened();
    assert_eq!(fixture.store.usage(), usage);
    assert_eq!(fixture.store.read(&Digest::of(&large)).unwrap(), large);
}

#[test]
fn put_stores() {
    check_stores(BlobStore::put);
}

#[test]
fn put_as_stores() {
    check_stores(|store, bytes| store.put_as(Digest::of(bytes), bytes).map(|()| Digest::of(bytes)));
}

#[test]
fn put_stream_stores() {
    check_stores(|store, bytes| {
        let (digest, length) = store.put_stream(bytes, bytes.len() as u64)?;
        assert_eq!(length, bytes.len() as u64);
        Ok(digest)
    });
}

#[test]
fn a_batch_stores() {
    check_stores(|store, bytes| {
        let batch = store.batch();
        let digest = batch.put(bytes)?;
        batch.commit().map(|()| digest)
    });
}

#[test]
fn a_batch_is_visible_at_its_commit_and_not_before() {
    let fixture = Fixture::new();
    let old = fixture.store.put(b"old").unwrap();
    let batch = fixture.store.batch();
    let digests = std::thread::scope(|scope| {
        let put = |thread: u32| {
            let batch = &batch;
            move || -> Vec<_> {
                // Every content is put by two of the threads.
                (0..100).map(|n: u32| batch.put(&(n + thread / 2).to_le_bytes()).unwrap()).collect()
            }
        };
        let threads: Vec<_> = (0..4).map(|thread| scope.spawn(put(thread))).collect();
        threads.into_iter().flat_map(|thread| thread.join().unwrap()).collect::<HashSet<_>>()
    });
    assert_eq!(batch.put(b"old").unwrap(), old);
    assert_eq!(digests.len(), 101);
    assert!(digests.iter().all(|digest| !fixture.store.contains(digest)));
    batch.commit().unwrap();
    assert!(digests.iter().all(|digest| fixture.store.read(digest).is_ok()));
    assert_eq!(fixture.store.usage(), Usage { blobs: 102, bytes: 4 * 101 + 3 });
    assert_eq!(fixture.incoming(), 0);
}

#[test]
fn a_dropped_batch_leaves_nothing() {
    let fixture = Fixture::new();
    let batch = fixture.store.batch();
    let digest = batch.put(b"x").unwrap();
    assert_eq!(fixture.incoming(), 1);
    drop(batch);
    assert_eq!(fixture.incoming(), 0);
    assert!(!fixture.store.contains(&digest));
}

#[test]
fn a_blob_that_another_thread_has_just_stored_is_not_taken_for_damaged() {
    let fixture = Fixture::new();
    for round in 0..200u32 {
        let bytes = round.to_le_bytes();
        let start = std::sync::Barrier::new(4);
        std::thread::scope(|scope| {
            for _ in 0..4 {
                scope.spawn(|| {
                    start.wait();
                    let digest = fixture.store.put(&bytes).unwrap();
                    assert!(fixture.store.read(&digest).is_ok(), "round {round}");
                });
            }
        });
    }
}

#[test]
fn threads_storing_the_same_bytes_store_them_once() {
    let fixture = Fixture::new();
    std::thread::scope(|scope| {
        for _ in 0..8 {
            scope.spawn(|| (0..20u8).for_each(|n| assert!(fixture.store.put(&[n]).is_ok())));
        }
    });
    assert_eq!(fixture.store.usage(), Usage { blobs: 20, bytes: 20 });
}

#[test]
fn bytes_under_a_wrong_name_do_not_enter() {
    let fixture = Fixture::new();
    let name = Digest::of(b"name");
    let refused = fixture.store.put_as(name, b"other").unwrap_err();
    assert!(matches!(refused, StoreError::Mismatch { expected, .. } if expected == name));
    assert!(!fixture.store.contains(&name) && !fixture.store.contains(&Digest::of(b"other")));
}

#[test]
fn streams_that_are_too_long_or_break_leave_nothing() {
    struct Breaks;
    impl Read for Breaks {
        fn read(&mut self, _: &mut [u8]) -> io::Result<usize> {
            Err(io::Error::other("unplugged"))
        }
    }
    let fixture = Fixture::new();
    let endless = fixture.store.put_stream(io::repeat(1), 1 << 20).unwrap_err();
    assert!(matches!(endless, StoreError::TooLarge { limit: 1_048_576 }), "{endless}");
    let broken = fixture.store.put_stream(b"abc".chain(Breaks), 9).unwrap_err();
    assert!(matches!(broken, StoreError::Stream { .. }), "{broken}");
    assert_eq!((fixture.incoming(), fixture.store.usage().blobs), (0, 0));
}

#[test]
fn ranges_are_read_and_end_with_the_blob() {
    let fixture = Fixture::new();
    let blob = fixture.store.blob(&fixture.store.put(b"0123456789").unwrap()).unwrap();
    assert_eq!(blob.len(), 10);
    assert_eq!(blob.read_at(2, 3).unwrap(), "234");
    assert_eq!(blob.read_at(8, 100).unwrap(), "89");
    assert_eq!(blob.read_at(11, 1).unwrap(), "");
    let missing = fixture.store.blob(&Digest::of(b"?")).unwrap_err();
    assert!(matches!(missing, StoreError::Missing { .. }));
}

#[test]
fn a_damaged_blob_is_reported_set_aside_and_can_be_stored_again() {
    let fixture = Fixture::new();
    let digest = fixture.store.put(b"headgate").unwrap();
    fs::write(fixture.path(&digest), b"headgatE").unwrap();
    assert!(matches!(fixture.store.read(&digest), Err(StoreError::Corrupt { .. })));
    assert!(matches!(fixture.store.read(&digest), Err(StoreError::Missing { .. })));
    let aside = fixture.dir.path().join("quarantine").join(digest.to_string());
    assert_eq!(fs::read(aside).unwrap(), b"headgatE");
    assert_eq!(fixture.store.usage(), Usage { blobs: 0, bytes: 0 });
    fixture.store.put(b"headgate").unwrap();
    assert_eq!(fixture.store.read(&digest).unwrap(), "headgate");
}

#[test]
fn a_blob_that_lost_its_end_is_replaced_by_the_next_put() {
    let fixture = Fixture::new();
    let digest = fixture.store.put(b"headgate").unwrap();
    fs::write(fixture.path(&digest), b"head").unwrap();
    let fixture = fixture.reopened();
    fixture.store.put(b"headgate").unwrap();
    assert_eq!(fixture.store.read(&digest).unwrap(), "headgate");
    assert_eq!(fixture.store.usage(), Usage { blobs: 1, bytes: 8 });
}

#[test]
fn leftovers_of_a_killed_process_are_removed_once_no_other_runs() {
    let fixture = Fixture::new();
    fs::write(fixture.dir.path().join("incoming/.tmpA"), "half").unwrap();
    let second = BlobStore::open(fixture.dir.path()).unwrap();
    assert_eq!(fixture.incoming(), 1, "the first store may still be writing it");
    drop(second);
    assert_eq!(fixture.reopened().incoming(), 0);
}

#[test]
fn a_sweep_removes_what_is_old_and_not_kept() {
    let fixture = Fixture::new();
    let [kept, old, touched, again, fresh] = [b"kept", b"old.", b"used", b"put.", b"new."]
        .map(|content| fixture.store.put(content).unwrap());
    [kept, old, touched, again].iter().for_each(|digest| fixture.age(digest));
    assert!(fixture.store.touch(&touched));
    assert!(!fixture.store.touch(&Digest::of(b"never stored")));
    fixture.store.put(b"put.").unwrap();

    let grace_over = Timestamp::from_millis(10_000);
    let swept = fixture.store.sweep(&HashSet::from([kept]), grace_over).unwrap();
    assert_eq!(swept, Swept { blobs: 1, bytes: 4 });
    assert!(!fixture.store.contains(&old));
    for digest in [kept, touched, again, fresh] {
        assert!(fixture.store.contains(&digest));
    }
    assert_eq!(fixture.store.usage(), Usage { blobs: 4, bytes: 16 });
    assert_eq!(fixture.store.sweep(&HashSet::new(), grace_over).unwrap().blobs, 1, "kept no more");
}

#[test]
fn a_sweep_takes_nothing_that_is_put_while_it_runs() {
    let fixture = Fixture::new();
    let (done, store) = (std::sync::atomic::AtomicBool::new(false), &fixture.store);
    std::thread::scope(|scope| {
        scope.spawn(|| {
            while !done.load(Relaxed) {
                store.sweep(&HashSet::new(), Timestamp::from_millis(10_000)).unwrap();
            }
        });
        for round in 0..200u32 {
            let digest = store.put(&(round % 5).to_le_bytes()).unwrap();
            assert_eq!(store.len(&digest).unwrap(), 4, "a put blob is there, round {round}");
            fixture.age(&digest); // now the sweep may take it, or the next put find it
        }
        done.store(true, Relaxed);
    });
    // A caller whose clock runs ahead does not make the sweep take what is being written.
    let digest = store.put(b"in flight").unwrap();
    File::open(fixture.path(&digest)).unwrap().set_modified(NEVER.to_system_time()).unwrap();
    store.sweep(&HashSet::new(), Timestamp::from_millis(u64::MAX)).unwrap();
    assert!(store.contains(&digest));
}

#[test]
fn names_that_are_no_digests_are_left_alone() {
    let fixture = Fixture::new();
    let foreign = fixture.dir.path().join("00/README");
    fs::write(&foreign, "mine").unwrap();
    let fixture = fixture.reopened();
    assert_eq!(fixture.store.usage().blobs, 0);
    fixture.store.sweep(&HashSet::new(), NEVER).unwrap();
    assert!(foreign.exists());
}

#[test]
fn errors_of_a_full_disk_are_told_from_others() {
    let error = |errno: rustix::io::Errno| failed("write a blob")(errno.into());
    assert!(matches!(error(rustix::io::Errno::NOSPC), StoreError::Full { .. }));
    assert!(matches!(error(rustix::io::Errno::DQUOT), StoreError::Full { .. }));
    assert!(matches!(error(rustix::io::Errno::IO), StoreError::Io { .. }));
}
