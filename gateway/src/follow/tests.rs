//! What a follower tells and does when things change around it.

use std::{path::Path, time::Duration};

use headgate_types::Branch;

use super::*;
use crate::{
    admin::Operations,
    lab::{Events, Lab, eventually, revision, site, write},
    log_hub::LogFilter,
    node_config::{GitCredentials, OtherRepositories, Source},
    revisions::{Named, Revisions, Wanted},
};

fn project(name: &str, folder: &Path) -> FollowedProject {
    FollowedProject {
        name: name.parse().unwrap(),
        source: Source::Folder(folder.to_owned()),
        branch: Branch::new("main"),
        poll: Duration::from_millis(100),
        credentials: GitCredentials::default(),
        others: OtherRepositories::default(),
        ownership: crate::node_config::OwnershipRule::Trust,
    }
}

fn source(project: &FollowedProject) -> WatchedSource {
    WatchedSource::new(project, Path::new("/nowhere"), &Looks::default(), false)
}

fn put_on_the_board(shared: &Shared, project: &FollowedProject) {
    shared.board.follow(&project.name, &project.branch, "folder".to_owned(), None);
}

fn latest(board: &StatusBoard) -> Latest {
    board.all()[0].latest.clone()
}

#[tokio::test]
async fn a_revision_refused_for_its_host_is_tried_again_when_the_host_is_free() {
    let lab = Lab::following(&["one", "two"]);
    lab.deploy(revision("one", "1"), site(&["*.x.org"], &[])).await;
    let folder = tempfile::tempdir().unwrap();
    write(folder.path(), &site(&["a.x.org"], &[])).unwrap();
    let two = project("two", folder.path());
    let shared = lab.shared(Arc::new(Events::default()));
    put_on_the_board(&shared, &two);
    let stop = CancellationToken::new();
    let following = follow(shared.clone(), two.clone(), None, source(&two), stop.clone());
    let following = tokio::spawn(following);
    eventually(|| matches!(latest(&shared.board), Latest::Refused { .. }).then_some(())).await;

    lab.deploy(revision("one", "2"), site(&["*.y.org"], &[])).await;
    // The board and the log are written together, a moment after the revision is served.
    eventually(|| matches!(latest(&shared.board), Latest::Served { .. }).then_some(())).await;
    assert!(lab.publisher().serving(&two.name, &two.branch).is_some());
    stop.cancel();
    following.await.unwrap();
    let lines = shared.logs.recent(&LogFilter::default());
    let said: Vec<_> = lines.iter().map(|line| (line.stream, &*line.text)).collect();
    assert!(said.iter().all(|(stream, _)| *stream == LogStream::Deploy), "{said:?}");
    assert!(said[0].1.contains("refused: 1 error"), "{said:?}");
    assert!(said.last().unwrap().1.contains("accepted; functions: 0, websites: 1"), "{said:?}");
}

#[tokio::test]
async fn a_pinned_branch_shows_what_is_new_and_deploys_it_when_it_is_free_again() {
    let lab = Lab::following(&["one"]);
    let folder = tempfile::tempdir().unwrap();
    write(folder.path(), &site(&["x.org"], &[])).unwrap();
    let one = project("one", folder.path());
    let events = Arc::new(Events::default());
    let shared = lab.shared(events.clone());
    put_on_the_board(&shared, &one);
    let revisions = Revisions::new(shared.clone());
    let stop = CancellationToken::new();
    let following = follow(shared.clone(), one.clone(), None, source(&one), stop.clone());
    let following = tokio::spawn(following);
    let served =
        || lab.publisher().serving(&one.name, &one.branch).map(|a| a.record.revision.commit);
    let first = eventually(served).await;

    let named = Named { project: one.name.clone(), branch: None };
    revisions.pin(&named, &Wanted::Current).await.unwrap();
    write(folder.path(), &site(&["x.org"], &[("websites/main/new.html", b"new")])).unwrap();
    let held = eventually(|| match latest(&shared.board) {
        Latest::Held { commit } => Some(commit),
        _ => None,
    })
    .await;
    assert!(held != first && served() == Some(first));
    let told = |events: &Events| {
        let events = events.0.lock().unwrap();
        events.iter().filter(|event| matches!(event, Event::Held { .. })).count()
    };
    assert!(told(&events) > 0);

    revisions.follow(&named).await.unwrap();
    eventually(|| (served().as_ref() == Some(&held)).then_some(())).await;
    eventually(|| matches!(latest(&shared.board), Latest::Served { .. }).then_some(())).await;
    stop.cancel();
    following.await.unwrap();
}

#[tokio::test]
async fn pins_of_other_projects_do_not_delay_a_look() {
    let lab = Lab::following(&["one", "two"]);
    lab.deploy(revision("two", "1"), site(&["two.org"], &[])).await;
    let folder = tempfile::tempdir().unwrap();
    let one = project("one", folder.path());
    let shared = lab.shared(Arc::new(Events::default()));
    put_on_the_board(&shared, &one);
    put_on_the_board(&shared, &project("two", folder.path()));
    let revisions = Revisions::new(shared.clone());
    let (mut follower, mut source) = (Follower::new(shared, one.clone(), None), source(&one));
    tokio::time::pause();
    let pause = source.failed().unwrap();
    let pinning = async {
        let two = Named { project: "two".parse().unwrap(), branch: None };
        loop {
            tokio::time::sleep(pause / 4).await;
            revisions.pin(&two, &Wanted::Current).await.unwrap();
            tokio::time::sleep(pause / 4).await;
            revisions.follow(&two).await.unwrap();
        }
    };
    let woken = tokio::select! {
        woken = follower.wait(&mut source) => woken,
        () = pinning => unreachable!("it never ends"),
        () = tokio::time::sleep(pause * 3) => panic!("the pause begins anew with each pin"),
    };
    assert!(matches!(woken, Woken::Looked(Ok(Some(_)))));
}

#[tokio::test]
async fn a_failure_that_is_over_leaves_the_board_as_it_was() {
    let lab = Lab::following(&["one"]);
    let folder = tempfile::tempdir().unwrap();
    let one = project("one", folder.path());
    let shared = lab.shared(Arc::new(Events::default()));
    put_on_the_board(&shared, &one);
    let (mut follower, mut source) =
        (Follower::new(shared.clone(), one.clone(), None), source(&one));
    let broken = Seen {
        commit: Commit::new("1"),
        sources: Vec::new(),
        tree: Arc::new(site(&["not a name"], &[])),
        since: Instant::now(),
    };
    follower.step(Ok(Some(broken)), &mut source).await;
    assert!(matches!(latest(&shared.board), Latest::Refused { .. }));
    let panicked = tokio::spawn(async { panic!("as it was told to") }).await.unwrap_err();
    follower.step(Err(SourceError::Panicked(panicked)), &mut source).await;
    assert!(matches!(latest(&shared.board), Latest::Failed { .. }));
    follower.step(Ok(None), &mut source).await;
    let Latest::Refused { commit, .. } = latest(&shared.board) else { panic!("not restored") };
    assert_eq!(commit, Commit::new("1"));
}
