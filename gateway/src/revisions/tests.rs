//! Going back, staying there and going on, over a node's real writing half.

use std::{
    fs,
    path::{Path, PathBuf},
    time::Duration,
};

use headgate_project::diagnostic::codes;
use headgate_types::{Digest, Timestamp};

use super::*;
use crate::{
    deploy::{DeployError, IngestCache},
    lab::{Events, Lab, followed, revision, site},
    publisher::SwitchError,
};

/// `(module (func (export "main") (param i32)))`
const CORE: &[u8] = b"\0asm\x01\0\0\0\x01\x05\x01\x60\x01\x7f\0\x03\x02\x01\0\
    \x07\x08\x01\x04main\0\0\x0a\x04\x01\x02\0\x0b";
const FUNCTION: &[u8] = b"id: f\ntrigger:\n  type: https\n  method: GET\n  paths: [/f]\n\
    domains: [d0]\nsource: .\nexecution:\n  timeout: 1s\n  memory: 1MB\n  call: main\n";

struct Operator {
    lab: Lab,
    events: Arc<Events>,
    revisions: Revisions,
}

impl Operator {
    /// Of a node that follows these.
    fn of(projects: &[&str]) -> Self {
        let lab = Lab::following(projects);
        let events = Arc::new(Events::default());
        let shared = lab.shared(events.clone());
        for (project, branch) in followed(projects) {
            shared.board.follow(&project, &branch, "folder".to_owned(), None);
        }
        Self { lab, events, revisions: Revisions::new(shared) }
    }

    /// Of the project `shop`, with these commits of it accepted, each with a page of its own.
    async fn of_shop(commits: &[&str]) -> Self {
        let operator = Self::of(&["shop", "blog"]);
        for commit in commits {
            operator.accept(commit).await;
        }
        operator
    }

    async fn accept(&self, commit: &str) {
        self.lab.clock.advance(Duration::from_secs(1));
        let tree = site(&["shop.org"], &[("websites/main/page.txt", commit.as_bytes())]);
        self.lab.deploy(revision("shop", commit), tree).await;
    }

    async fn back(&self) -> Result<String, RevisionsError> {
        let done = self.revisions.pin(&shop(), &Wanted::Previous).await?;
        Ok(done.switched.revision.commit.as_str().to_owned())
    }

    fn serving(&self) -> String {
        let serving = self.lab.publisher().serving(&shop().project, &Branch::new("main")).unwrap();
        let snapshot = self.lab.publisher().cell().load();
        let served = snapshot.revisions.iter().find(|served| served.project == shop().project);
        assert_eq!(served.unwrap(), &serving.record.revision, "what is published is what is told");
        serving.record.revision.commit.as_str().to_owned()
    }

    fn is_pinned(&self) -> bool {
        self.lab.publisher().pinned_at(&shop().project, &Branch::new("main")).is_some()
    }

    /// Newest first, each with its state.
    async fn list(&self) -> Vec<(String, KeptState)> {
        let histories = self.revisions.list(Some(shop().project)).await.unwrap();
        let kept = histories.into_iter().flat_map(|history| history.revisions);
        kept.map(|kept| (kept.commit.as_str().to_owned(), kept.state)).collect()
    }
}

fn shop() -> Named {
    Named { project: "shop".parse().unwrap(), branch: None }
}

fn find(folder: &Path, digest: Digest) -> PathBuf {
    let name = digest.to_string();
    let mut folders = vec![folder.to_owned()];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(folder).unwrap().flatten() {
            let path = entry.path();
            if path.is_dir() {
                folders.push(path);
            } else if path.to_string_lossy().replace('/', "").ends_with(&name) {
                return path;
            }
        }
    }
    panic!("there is no {name}");
}

#[tokio::test]
async fn each_rollback_leads_further_back_and_following_to_the_newest() {
    let operator = Operator::of_shop(&["a1", "b2", "c3"]).await;
    assert_eq!(operator.back().await.unwrap(), "b2");
    assert_eq!(operator.back().await.unwrap(), "a1");
    assert_eq!(operator.serving(), "a1");
    let error = operator.back().await.unwrap_err();
    assert_eq!(error.to_string(), "no revision older than a1 is kept");
    use KeptState::{Kept, Pinned, Serving};
    let of = |commit: &str, state| (commit.to_owned(), state);
    assert_eq!(operator.list().await, [of("c3", Kept), of("b2", Kept), of("a1", Pinned)]);

    let done = operator.revisions.follow(&shop()).await.unwrap();
    assert!(done.obstacle.is_none());
    assert_eq!((done.switched.before.as_str(), operator.serving().as_str()), ("a1", "c3"));
    assert_eq!(operator.list().await, [of("c3", Serving), of("b2", Kept), of("a1", Kept)]);
    let events = operator.events.0.lock().unwrap();
    let (first, last) = (events.first().unwrap(), events.last().unwrap());
    assert!(matches!(first, Event::RolledBack(back) if back.before.as_str() == "c3"), "{first:?}");
    assert!(matches!(last, Event::Unpinned(_)), "{last:?}");
}

#[tokio::test]
async fn an_order_that_a_deploy_outran_does_nothing() {
    let operator = Operator::of_shop(&["a1", "b2"]).await;
    let publisher = operator.lab.publisher();
    let seen = publisher.kept(Some(&shop().project)).unwrap().remove(0);
    operator.accept("c3").await;
    let (newest, older) = (&seen.records[0], &seen.records[1]);
    let outrun = publisher.unpin(newest, &seen).unwrap_err();
    assert!(matches!(outrun, SwitchError::Switched), "{outrun:?}");
    let outrun = publisher.pin(older, &seen).unwrap_err();
    assert!(matches!(outrun, SwitchError::Switched), "{outrun:?}");
    assert_eq!((operator.serving().as_str(), operator.is_pinned()), ("c3", false));

    // Who asks anew is told of what is there now, and a branch that follows is left alone.
    let done = operator.revisions.follow(&shop()).await.unwrap();
    assert_eq!(done.switched.revision.commit.as_str(), "c3");
}

#[tokio::test]
async fn a_pinned_branch_takes_no_deploy_and_goes_on_after_the_pin() {
    let operator = Operator::of_shop(&["a1", "b2"]).await;
    let done = operator.revisions.pin(&shop(), &Wanted::Current).await.unwrap();
    assert_eq!(done.switched.before, done.switched.revision.commit);
    let tree = site(&["shop.org"], &[]);
    let mut cache = IngestCache::default();
    let held = operator.lab.deploy_cached(revision("shop", "c3"), tree, &mut cache).await;
    let error = held.unwrap_err();
    assert!(error.is_pinned(), "{error:?}");
    assert!(matches!(error, DeployError::Publish(_)));
    assert_eq!(operator.serving(), "b2");

    operator.revisions.follow(&shop()).await.unwrap();
    operator.accept("c3").await;
    assert_eq!(operator.serving(), "c3");
    assert_eq!(operator.back().await.unwrap(), "b2");
}

#[tokio::test]
async fn what_was_pinned_is_pinned_after_a_restart() {
    let operator = Operator::of_shop(&["a1", "b2"]).await;
    operator.back().await.unwrap();
    operator.lab.publisher().reconcile(None).unwrap();
    assert!(operator.is_pinned());
    assert_eq!(operator.serving(), "a1");
    let generation = operator.lab.publisher().cell().load().generation;
    let again = operator.revisions.pin(&shop(), &Wanted::Current).await.unwrap();
    assert_eq!(again.switched.generation, generation, "twice is the same as once");
}

#[tokio::test]
async fn a_revision_is_named_by_the_beginning_of_its_commit() {
    let operator = Operator::of_shop(&["abc1", "abd2", "c3"]).await;
    let by = async |prefix: &str| {
        operator.revisions.pin(&shop(), &Wanted::Commit(prefix.to_owned())).await
    };
    let RevisionsError::Choose { candidates, .. } = by("ab").await.unwrap_err() else {
        panic!("`ab` is not clear");
    };
    let names: Vec<_> = candidates.iter().map(|found| found.revision.commit.as_str()).collect();
    assert_eq!(names, ["abd2", "abc1"]);
    let unknown = by("ff").await.unwrap_err();
    let RevisionsError::Choose { candidates, .. } = &unknown else { panic!("{unknown:?}") };
    assert_eq!(candidates.len(), 3, "everything that is kept");
    assert_eq!(operator.serving(), "c3", "and nothing has changed");
    assert!(!operator.is_pinned());
    by("abc").await.unwrap();
    assert_eq!(operator.serving(), "abc1");
}

#[tokio::test]
async fn a_host_that_another_project_has_meanwhile_is_not_taken_back() {
    let operator = Operator::of(&["shop", "blog"]);
    let lab = &operator.lab;
    lab.deploy(revision("shop", "a1"), site(&["shop.org", "blog.org"], &[])).await;
    lab.deploy(revision("shop", "b2"), site(&["shop.org"], &[])).await;
    lab.deploy(revision("blog", "z1"), site(&["blog.org"], &[])).await;
    let error = operator.back().await.unwrap_err();
    assert!(error.is_askers_fault());
    let RevisionsError::Switch { error: SwitchError::Taken(taken), .. } = error else {
        panic!("{error:?}");
    };
    assert_eq!((taken.len(), taken[0].code), (1, codes::HOST_TAKEN));
    assert!(taken[0].message.contains("`blog`"), "{}", taken[0].message);
    assert_eq!(operator.serving(), "b2");
    assert!(!operator.is_pinned());
}

#[tokio::test]
async fn a_branch_is_followed_again_even_if_its_newest_revision_cannot_be_served() {
    let operator = Operator::of(&["shop", "blog"]);
    let lab = &operator.lab;
    lab.deploy(revision("shop", "a1"), site(&["shop.org"], &[])).await;
    lab.deploy(revision("shop", "b2"), site(&["shop.org", "blog.org"], &[])).await;
    operator.back().await.unwrap();
    lab.deploy(revision("blog", "z1"), site(&["blog.org"], &[])).await;
    let done = operator.revisions.follow(&shop()).await.unwrap();
    let obstacle = done.obstacle.unwrap();
    let taken = matches!(&*obstacle, RevisionsError::Switch { error: SwitchError::Taken(_), .. });
    assert!(taken, "{obstacle:?}");
    assert_eq!(operator.serving(), "a1", "until its source brings something that can");
    assert!(!operator.is_pinned());
    operator.accept("c3").await;
    assert_eq!(operator.serving(), "c3");
}

#[tokio::test]
async fn a_revision_that_lost_a_file_is_not_served() {
    let operator = Operator::of_shop(&["a1", "b2"]).await;
    let blobs = operator.lab.folder.path().join("blobs");
    fs::remove_file(find(&blobs, Digest::of(b"a1"))).unwrap();
    let error = operator.back().await.unwrap_err();
    let incomplete =
        matches!(&error, RevisionsError::Switch { error: SwitchError::Incomplete(_), .. });
    assert!(incomplete, "{error:?}");
    assert_eq!(operator.serving(), "b2");

    let oldest = operator.lab.records.all().unwrap().into_iter().find(|r| r.sequence == 1);
    fs::remove_file(find(&blobs, oldest.unwrap().manifest)).unwrap();
    assert_eq!(operator.list().await[1].1, KeptState::Lost);
    assert!(operator.back().await.is_err());
    assert!(!operator.is_pinned());
}

#[tokio::test]
async fn what_lost_its_native_code_is_compiled_before_it_is_served() {
    let operator = Operator::of(&["shop"]);
    let files: &[(&str, &[u8])] = &[("functions/f.yaml", FUNCTION), ("functions/f.wasm", CORE)];
    operator.lab.deploy(revision("shop", "a1"), site(&["shop.org"], files)).await;
    operator.lab.deploy(revision("shop", "b2"), site(&["shop.org"], &[])).await;
    let artefact = Digest::of(CORE);
    operator.lab.executor.forget(artefact).unwrap();
    let done = operator.revisions.pin(&shop(), &Wanted::Previous).await.unwrap();
    assert!(operator.lab.executor.has_native(artefact));
    assert_eq!(done.switched.functions, 1);
    assert_eq!(done.changes.functions.added.names, ["f"]);

    // What cannot be compiled any more is not served, and nothing changes.
    operator.revisions.follow(&shop()).await.unwrap();
    operator.lab.executor.forget(artefact).unwrap();
    fs::remove_file(find(&operator.lab.folder.path().join("blobs"), artefact)).unwrap();
    let error = operator.back().await.unwrap_err();
    assert!(matches!(error, RevisionsError::Artefact { .. }), "{error:?}");
    assert_eq!(operator.serving(), "b2");
}

#[tokio::test]
async fn a_project_or_branch_that_is_not_followed_is_named_with_those_that_are() {
    let operator = Operator::of_shop(&["a1"]).await;
    let named = |project: &str, branch: Option<&str>| Named {
        project: project.parse().unwrap(),
        branch: branch.map(Branch::new),
    };
    let wanted = Wanted::Current;
    let unknown = operator.revisions.pin(&named("shoop", None), &wanted).await.unwrap_err();
    let text = unknown.to_string();
    assert_eq!(text, "no project `shoop` is followed here; there is blog, shop");
    let unknown = operator.revisions.pin(&named("shop", Some("next")), &wanted).await.unwrap_err();
    assert!(unknown.to_string().ends_with("not followed here; there is main"), "{unknown}");
    let nothing = operator.revisions.follow(&named("blog", None)).await.unwrap_err();
    assert_eq!(nothing.to_string(), "nothing was accepted yet");
}

#[tokio::test]
async fn the_history_tells_what_changed_and_who_did_it() {
    let operator = Operator::of_shop(&["a1", "b2"]).await;
    let history = operator.revisions.list(None).await.unwrap().remove(0);
    assert_eq!((history.project.as_str(), history.pinned_at), ("shop", None));
    let [newest, oldest] = &history.revisions[..] else { panic!("{history:?}") };
    assert_eq!(newest.changes.as_ref().unwrap().websites.changed.names, ["main"]);
    assert!(oldest.changes.is_none() && oldest.accepted_at > Timestamp::default());
    assert_eq!(newest.sources[0].repository, "/lab");
}
