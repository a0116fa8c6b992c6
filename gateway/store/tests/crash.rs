//! What does a store look like after `kill -9` at any moment? Whole blobs, and complete records.
//!
//! The test runs itself again as a child that writes without end, kills it, and looks. A kill loses
//! nothing the kernel was given, so this shows the order of writing; what survives a power failure
//! rests on the syncs, which no test here can cut.

use std::{
    collections::HashSet,
    env, fs,
    io::{BufRead, BufReader, Write},
    path::Path,
    process::{Child, Command, Stdio},
    thread,
    time::{Duration, Instant},
};

use bytes::Bytes;
use headgate_store::{
    BlobStore, Globals, Records, RevisionRecord,
    globals::{Cell, Change, Space},
};
use headgate_types::{Branch, Commit, Digest, Revision, Timestamp};
use rand::{Rng, SeedableRng, rngs::StdRng};

const KILLS: usize = 20;

/// Times sixteen bytes.
const LARGE: usize = 128 << 10;

/// Tells the child where to write; the test itself has no such variable.
const FOLDER: &str = "HEADGATE_STORE_CRASH_TEST";

#[test]
fn a_store_survives_being_killed_at_any_moment() {
    if let Some(folder) = env::var_os(FOLDER) {
        deploy_without_end(Path::new(&folder));
    }
    let seed = rand::rng().random();
    let mut rng = StdRng::seed_from_u64(seed);
    println!("seed {seed}");
    let dir = tempfile::tempdir().expect("a folder");
    let mut known = 0;
    for kill in 0..KILLS {
        let mut child = start_child(dir.path());
        let acknowledged = kill_after(&mut child, rng.random_range(1..6), &mut rng);
        let found = check(dir.path());
        assert!(
            found >= acknowledged.unwrap_or(known),
            "kill {kill}: acknowledged {acknowledged:?}, found {found}"
        );
        known = found;
    }
    assert!(known > KILLS as u64, "the children got something done");
}

/// The child: revisions of a few blobs each, announced after they were accepted.
fn deploy_without_end(folder: &Path) -> ! {
    let records = Records::open(folder).expect("the records");
    let store = BlobStore::open(&folder.join("blobs")).expect("the store");
    let globals = Globals::open(folder).expect("the values");
    let mut out = std::io::stdout();
    for n in records.current().expect("records").first().map_or(0, |last| last.sequence).. {
        let batch = store.batch();
        // Some batches are small enough to be synced file by file, some are not; one file is so large
        // that a kill has a fair chance to fall into its writing.
        let files: Vec<_> = (0..5 + n % 30)
            .map(|file| (file, if file == 0 { LARGE } else { 200 }))
            .map(|(file, times)| batch.put(format!("{n:8} {file:7}").repeat(times).as_bytes()))
            .collect::<Result<_, _>>()
            .expect("put");
        batch.commit().expect("commit");
        let manifest = serde_json::to_vec(&files).expect("digests are JSON");
        let manifest = store.put(&manifest).expect("put");
        globals.write(&["a", "b"].map(|name| put(name, n))).expect("values");
        let revision = Revision {
            project: "shop".parse().expect("a name"),
            branch: Branch::new("main"),
            commit: Commit::new(&n.to_string()),
        };
        let accepted = records.accept(revision, manifest, Timestamp::from_millis(n));
        writeln!(out, "\naccepted {}", accepted.expect("accept").sequence).expect("stdout");
        if n % 7 == 0 {
            let keep = reachable(&store, &records);
            store.sweep(&keep, Timestamp::from_millis(u64::MAX)).expect("sweep");
        }
    }
    unreachable!("nobody counts that far")
}

fn put(name: &str, n: u64) -> Change {
    let space = Space { project: "shop".parse().expect("a name"), branch: Branch::new("main") };
    let name = name.as_bytes().into();
    let cell = Cell { application: "".into(), function: "".into(), name };
    Change::Put { space, cell, value: Bytes::copy_from_slice(&n.to_le_bytes()) }
}

fn start_child(folder: &Path) -> Child {
    Command::new(env::current_exe().expect("this test"))
        .args(["--exact", "a_store_survives_being_killed_at_any_moment", "--nocapture"])
        .env(FOLDER, folder)
        .stdout(Stdio::piped())
        .stderr(Stdio::inherit())
        .spawn()
        .expect("a child")
}

/// Kills the child somewhere after its `revisions`-th revision; returns the last it announced.
fn kill_after(child: &mut Child, revisions: usize, rng: &mut StdRng) -> Option<u64> {
    let out = BufReader::new(child.stdout.take().expect("piped"));
    let mut announced = out.lines().map_while(Result::ok).filter_map(|line| {
        line.strip_prefix("accepted ").map(|number| number.parse().expect("a number"))
    });
    let mut last = announced.next();
    let mut started = Instant::now();
    let mut usual = Duration::ZERO;
    for _ in 0..revisions {
        last = announced.next();
        usual = started.elapsed();
        started = Instant::now();
    }
    // Anywhere within the next revision, judging by the last one.
    let moment = usual.mul_f64(rng.random_range(0.0..1.2));
    while started.elapsed() < moment {
        thread::yield_now();
    }
    child.kill().expect("a living child");
    child.wait().expect("a dead child");
    announced.last().or(last)
}

/// Opens what the child left and reads all of it; returns the sequence of the current record.
fn check(folder: &Path) -> u64 {
    let records = Records::open(folder).expect("the lock went with the child");
    let store = BlobStore::open(&folder.join("blobs")).expect("the store");
    for shard in fs::read_dir(folder.join("blobs")).expect("shards").map(Result::unwrap) {
        let name = shard.file_name().into_string().expect("UTF-8");
        if name.len() != 2 {
            continue;
        }
        for blob in fs::read_dir(shard.path()).expect("blobs").map(Result::unwrap) {
            let rest = blob.file_name().into_string().expect("UTF-8");
            let digest = format!("{name}{rest}").parse().expect("only digests");
            store.read(&digest).expect("every blob is whole");
        }
    }
    let leftovers = fs::read_dir(folder.join("blobs/incoming")).expect("incoming").count();
    assert_eq!(leftovers, 0);
    for digest in reachable(&store, &records) {
        assert!(store.contains(&digest), "a record's blob is missing");
    }
    let current: Vec<RevisionRecord> = records.current().expect("records");
    let sequence = current.first().map_or(0, |record| record.sequence);
    // Values were written before the record: all of a batch, or nothing.
    let globals = Globals::open(folder).expect("the lock went with the child");
    let values: Vec<_> = globals.all().expect("values").into_iter().map(|it| it.value).collect();
    if let [a, b] = &values[..] {
        assert_eq!(a, b, "half of a batch");
        let n = u64::from_le_bytes((**a).try_into().expect("eight bytes"));
        assert!(n + 1 >= sequence, "value {n} is older than record {sequence}");
    } else {
        assert_eq!((values.len(), sequence), (0, 0));
    }
    sequence
}

fn reachable(store: &BlobStore, records: &Records) -> HashSet<Digest> {
    let mut digests = HashSet::new();
    for RevisionRecord { manifest, .. } in records.all().expect("records") {
        digests.insert(manifest);
        let files = store.read(&manifest).expect("a manifest accepted is there");
        digests.extend(serde_json::from_slice::<Vec<Digest>>(&files).expect("as it was written"));
    }
    digests
}
