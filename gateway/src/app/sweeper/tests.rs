//! What a sweep may take, and when.

use std::{fs::File, path::Path, time::SystemTime};

use headgate_executor::{Global, Globals as _};
use headgate_types::Branch;

use super::*;
use crate::lab::{Lab, revision, site};

fn sweeper(lab: &Lab) -> Sweeper {
    Sweeper {
        store: lab.store.clone(),
        records: lab.records.clone(),
        executor: lab.executor.clone(),
        globals: lab.globals.clone(),
        clock: lab.clock.clone(),
        under_way: lab.under_way.clone(),
    }
}

/// Stores a blob that nobody names, as old as it is told to be.
fn orphan(lab: &Lab, text: &str, written: Timestamp) -> Digest {
    let digest = lab.store.put(text.as_bytes()).unwrap();
    set_modified(lab, digest, written.to_system_time());
    digest
}

fn set_modified(lab: &Lab, digest: Digest, time: SystemTime) {
    let path = find(&lab.folder.path().join("blobs"), &digest.to_string()).unwrap();
    File::options().append(true).open(path).unwrap().set_modified(time).unwrap();
}

fn find(folder: &Path, name: &str) -> Option<std::path::PathBuf> {
    std::fs::read_dir(folder).unwrap().flatten().find_map(|entry| {
        let path = entry.path();
        match path.is_dir() {
            true => find(&path, name),
            false => path.to_string_lossy().replace('/', "").ends_with(name).then_some(path),
        }
    })
}

#[tokio::test]
async fn a_deploy_under_way_keeps_the_sweep_out() {
    let lab = Lab::following(&["one"]);
    let old = orphan(&lab, "old", lab.clock.now().before(GRACE * 2));
    let deploying = lab.under_way.begin().await;
    let other = deploying.clone();
    drop(deploying);
    assert!(sweeper(&lab).sweep().unwrap().is_none());
    assert!(lab.store.contains(&old));
    drop(other);
    assert_eq!(sweeper(&lab).sweep().unwrap().unwrap().blobs, 1);
    assert!(!lab.store.contains(&old));
}

#[tokio::test]
async fn a_sweep_that_was_kept_out_is_tried_again_soon() {
    let lab = Lab::following(&["one"]);
    let old = orphan(&lab, "old", lab.clock.now().before(GRACE * 2));
    tokio::time::pause();
    let deploying = lab.under_way.begin().await;
    let stop = CancellationToken::new();
    let running = tokio::spawn(sweeper(&lab).run(stop.clone()));
    tokio::time::sleep(INTERVAL + RETRY * 3 + RETRY / 2).await;
    assert!(lab.store.contains(&old));
    drop(deploying);
    let since = tokio::time::Instant::now();
    while lab.store.contains(&old) {
        assert!(since.elapsed() < RETRY * 3, "not swept");
        tokio::time::sleep(RETRY / 5).await;
    }
    stop.cancel();
    running.await.unwrap();
}

#[tokio::test]
async fn an_unreadable_manifest_keeps_only_what_it_might_name() {
    let lab = Lab::following(&["one", "two"]);
    lab.deploy(revision("one", "1"), site(&["one.org"], &[])).await;
    let lost = lab.records.all().unwrap()[0].clone();
    lab.clock.advance(GRACE * 5);
    lab.deploy(revision("two", "1"), site(&["two.org"], &[])).await;
    let before = orphan(&lab, "before", lost.accepted_at.before(GRACE * 2));
    let after = orphan(&lab, "after", lost.accepted_at);
    let manifest = lab.folder.path().join("blobs");
    std::fs::remove_file(find(&manifest, &lost.manifest.to_string()).unwrap()).unwrap();

    assert_eq!(sweeper(&lab).sweep().unwrap().unwrap().blobs, 1);
    assert!(!lab.store.contains(&before), "it is older than anything the lost revision names");
    assert!(lab.store.contains(&after), "the lost revision might name it");

    lab.records.remove(&"one".parse().unwrap()).unwrap();
    sweeper(&lab).sweep().unwrap().unwrap();
    assert!(!lab.store.contains(&after));
}

#[tokio::test]
async fn values_go_with_their_project() {
    let lab = Lab::following(&["one", "two"]);
    let (main, projects) = (Branch::new("main"), ["one", "two"].map(|name| name.parse().unwrap()));
    let [one, two] = projects.each_ref().map(|project| Global {
        project,
        branch: &main,
        application: None,
        function: None,
        name: b"n",
    });
    for (name, global) in [("one", &one), ("two", &two)] {
        let host = format!("{name}.org");
        lab.deploy(revision(name, "1"), site(&[&host], &[])).await;
        lab.globals.put(global, "kept".into()).await.unwrap();
    }
    sweeper(&lab).sweep().unwrap().unwrap();
    assert_eq!(lab.globals.value(&one).await, Ok(Some("kept".into())));

    lab.records.remove(one.project).unwrap();
    sweeper(&lab).sweep().unwrap().unwrap();
    assert_eq!(lab.globals.value(&one).await, Ok(None));
    assert_eq!(lab.globals.value(&two).await, Ok(Some("kept".into())));
}
