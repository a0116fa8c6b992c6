//! Followers that end, change and begin with what is served already.

use std::{
    path::Path,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering::Relaxed},
    },
};

use headgate_types::Branch;

use super::*;
use crate::{
    event::{Event, Reporter},
    lab::{Events, Lab, eventually, revision, site, write},
    node_config::{GitCredentials, OtherRepositories, Source},
};

fn project(name: &str, source: Source) -> FollowedProject {
    FollowedProject {
        name: name.parse().unwrap(),
        source,
        branch: Branch::new("main"),
        poll: Duration::from_secs(5),
        credentials: GitCredentials::default(),
        others: OtherRepositories::default(),
        ownership: crate::node_config::OwnershipRule::Trust,
    }
}

/// Panics at the first deploy, wherever it is told of it.
#[derive(Default)]
struct PanicsOnce(AtomicBool);

impl Reporter for PanicsOnce {
    fn report(&self, event: Event) {
        if let Event::Deploying { .. } = event {
            assert!(self.0.swap(true, Relaxed), "as it was told to");
        }
    }
}

#[tokio::test]
async fn a_follower_that_panicked_is_started_again() {
    let lab = Lab::following(&["one"]);
    let folder = tempfile::tempdir().unwrap();
    write(folder.path(), &site(&["x.org"], &[])).unwrap();
    let shared = lab.shared(Arc::new(PanicsOnce::default()));
    let board = shared.board.clone();
    let mut followers = Followers::new(shared, lab.folder.path().join("repositories"));
    followers.restart_pause = Duration::ZERO;
    followers.follow(&[project("one", Source::Folder(folder.path().to_owned()))]);
    let served = tokio::select! {
        () = followers.supervise() => unreachable!("it never returns"),
        served = eventually(|| board.all()[0].serving.clone()) => served,
    };
    assert_eq!(served.websites, 1);
    followers.stop().await;
}

#[tokio::test]
async fn what_is_served_already_does_not_wait_for_its_source() {
    let lab = Lab::following(&["one"]);
    lab.deploy(revision("one", "1"), site(&["x.org"], &[])).await;
    let events = Arc::new(Events::default());
    let shared = lab.shared(events.clone());
    let board = shared.board.clone();
    let mut followers = Followers::new(shared, lab.folder.path().join("repositories"));
    let lost = Source::Git("file:///nowhere/at/all.git".to_owned());
    followers.follow(&[project("one", lost)]);
    board.settled().await;
    let status = &board.all()[0];
    assert_eq!(status.serving.as_ref().unwrap().commit.as_str(), "1");
    assert!(matches!(status.latest, Latest::Served { .. }));
    assert!(events.0.lock().unwrap().is_empty());
    followers.stop().await;
}

#[tokio::test]
async fn a_changed_source_is_the_one_that_is_shown() {
    let lab = Lab::following(&["one"]);
    let shared = lab.shared(Arc::new(Events::default()));
    let board = shared.board.clone();
    let mut followers = Followers::new(shared, lab.folder.path().join("repositories"));
    for dir in ["/nowhere/a", "/nowhere/b"] {
        followers.follow(&[project("one", Source::Folder(Path::new(dir).to_owned()))]);
        assert_eq!(board.all()[0].source, dir);
    }
    followers.stop().await;
}
