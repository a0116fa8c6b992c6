//! A bad revision went live: its operator goes back, stays there, and goes on when it is mended.

use std::{process::Output, time::Instant};

use headgate_tests::{GitRepo, Project, TestNode, eventually};
use serde_json::{Value, json};

const HOST: &str = "small.example.com";

fn config(repo: &GitRepo) -> Value {
    json!({
        "projects": [{"name": "small", "config": repo.url(), "branch": "main", "poll": "100ms"}]
    })
}

/// A node that was given three revisions, whose pages say `one`, `two` and `three`.
async fn three_revisions() -> (GitRepo, TestNode, [String; 3]) {
    let repo = GitRepo::small(HOST, "one");
    let node = TestNode::run(config(&repo)).await;
    let first = repo.head();
    assert_eq!(node.event("deployed").await["commit"], first);
    let next = async |page: &str| {
        repo.write_page(page);
        let commit = repo.commit(&format!("says {page}"));
        assert_eq!(node.event("deployed").await["commit"], commit);
        commit
    };
    let commits = [first, next("two").await, next("three").await];
    (repo, node, commits)
}

async fn page(node: &TestNode) -> String {
    node.get(HOST, "/").await.text()
}

/// What a command says as JSON that did what it was told.
async fn told(node: &TestNode, arguments: &[&str]) -> Value {
    let output = node.command(&[arguments, &["--output", "json"]].concat()).await;
    assert!(output.status.success(), "{arguments:?}: {output:?}");
    serde_json::from_slice(&output.stdout).unwrap()
}

fn stderr(output: &Output) -> String {
    assert_eq!(output.status.code(), Some(1), "{output:?}");
    String::from_utf8(output.stderr.clone()).unwrap()
}

/// The commits kept of the one branch, newest first, and the state of each.
async fn kept(node: &TestNode) -> Vec<(String, String)> {
    let branches = told(node, &["revisions", "small"]).await;
    let text = |value: &Value| value.as_str().unwrap().to_owned();
    let revisions = branches[0]["revisions"].as_array().unwrap();
    revisions.iter().map(|kept| (text(&kept["commit"]), text(&kept["state"]))).collect()
}

#[tokio::test]
async fn revisions_are_told_with_author_and_changes() {
    let (repo, node, [first, second, third]) = three_revisions().await;
    repo.write("functions/hello.wasm", "not wasm at all");
    let bad = repo.commit("breaks it");
    node.event("refused").await;
    let branches = told(&node, &["revisions"]).await;
    let branch = &branches[0];
    assert_eq!((&branch["project"], &branch["branch"]), (&"small".into(), &"main".into()));
    assert_eq!(branch["pinned_at"], Value::Null);
    assert_eq!(
        (&branch["newest"]["state"], &branch["newest"]["commit"]),
        (&"refused".into(), &json!(bad))
    );
    let revisions = &branch["revisions"];
    let commits: Vec<_> = revisions.as_array().unwrap().iter().map(|r| &r["commit"]).collect();
    assert_eq!(commits, [&json!(third), &json!(second), &json!(first)]);
    let source = &revisions[0]["sources"][0];
    assert_eq!((&source["author"], &source["subject"]), (&"Ada".into(), &"says three".into()));
    assert_eq!((&source["commit"], &source["repository"]), (&json!(third), &json!(repo.url())));
    assert!(source["committed_at"].as_u64().unwrap() > 0);
    assert_eq!(
        revisions[0]["changes"]["websites"]["changed"],
        json!({"count": 1, "names": ["main"]})
    );
    assert_eq!(revisions[0]["changes"]["functions"]["changed"]["count"], 0);
    assert_eq!(revisions[2]["changes"], Value::Null);
    let refused = stderr(&node.command(&["rollback", "small", &bad[..8]]).await);
    let told = format!("error: `{}` was refused, so it was never served\n", &bad[..10]);
    assert!(refused.starts_with(&told), "{refused}");
    assert!(
        refused.contains("functions/hello.wasm cannot be used"),
        "with what was wrong: {refused}"
    );

    let output = node.command(&["revisions", "small"]).await;
    let text = String::from_utf8(output.stdout).unwrap();
    let line = |of: &str| text.lines().find(|line| line.contains(&of[..10])).unwrap().to_owned();
    for word in ["serving", "Ada", "says three", "websites ~main"] {
        assert!(line(&third).contains(word), "{word} is not in {text}");
    }
    assert!(line(branch["newest"]["commit"].as_str().unwrap()).contains("refused"), "{text}");
    let unknown = node.command(&["revisions", "smal"]).await;
    assert!(stderr(&unknown).contains("no project `smal` is followed here; there is small"));
}

#[tokio::test]
async fn a_rollback_is_live_at_once_and_stays_until_the_branch_is_followed_again() {
    let (repo, node, [first, second, third]) = three_revisions().await;
    let done = told(&node, &["rollback", "small"]).await;
    assert_eq!(page(&node).await, "two");
    assert!(done["elapsed_ms"].as_f64().unwrap() < 1000.0, "{done}");
    assert_eq!((&done["commit"], &done["before"]), (&json!(second), &json!(third)));
    let event = node.event("rollback").await;
    assert_eq!((&event["commit"], &event["before"]), (&json!(second), &json!(third)));

    told(&node, &["rollback", "small"]).await;
    assert_eq!(page(&node).await, "one", "a second one leads further back");
    assert!(stderr(&node.command(&["rollback", "small"]).await).contains("no revision older than"));

    // What is new is shown and not deployed.
    repo.write_page("four");
    let fourth = repo.commit("says four");
    let held = node.event("held").await;
    assert_eq!((&held["commit"], &held["serving"]), (&json!(fourth), &json!(first)));
    assert_eq!((&held["author"], &held["subject"]), (&"Ada".into(), &"says four".into()));
    let status = told(&node, &["status"]).await;
    let project = &status["projects"][0];
    assert_eq!((&project["state"], &project["latest"]), (&"held".into(), &json!(fourth)));
    assert!(project["pinned_at"].is_u64());
    let text = String::from_utf8(node.command(&["status"]).await.stdout).unwrap();
    assert!(text.contains("pinned") && text.contains("headgate follow small"), "{text}");
    assert_eq!(page(&node).await, "one");

    told(&node, &["follow", "small"]).await;
    eventually("what was held is served", async || (page(&node).await == "four").then_some(()))
        .await;
    let states: Vec<_> = kept(&node).await;
    assert_eq!(states[0], (fourth, "serving".to_owned()));
    assert!(states[1..].iter().all(|(_, state)| state == "kept"), "{states:?}");
    let metrics = node.metrics().await;
    assert_eq!(metrics.value(r#"headgate_project_switches_total{result="served"}"#), Some(3.0));
    assert_eq!(metrics.value(r#"headgate_project_switches_total{result="refused"}"#), Some(1.0));
    assert_eq!(metrics.value("headgate_project_pinned"), Some(0.0));
}

#[tokio::test]
async fn a_commit_is_named_by_its_beginning_and_asked_back_about() {
    let (_repo, node, [first, _, third]) = three_revisions().await;
    told(&node, &["rollback", "small", &first[..7]]).await;
    assert_eq!(page(&node).await, "one");
    let said = stderr(&node.command(&["rollback", "small", "zzz"]).await);
    assert!(said.contains("no kept revision begins with `zzz`"), "{said}");
    assert!(said.contains(&third[..10]), "lists what there is: {said}");
    let output = node.command(&["rollback", "small", "zzz", "--output", "json"]).await;
    let refusal: Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(refusal["candidates"].as_array().unwrap().len(), 3);
    let other = node.command(&["rollback", "small", "--branch", "next"]).await;
    assert!(stderr(&other).contains("there is main"), "{other:?}");
    // Forth by name, too.
    told(&node, &["pin", "small", &third[..7]]).await;
    assert_eq!(page(&node).await, "three");
}

#[tokio::test]
async fn a_pin_survives_a_kill_and_needs_no_repository() {
    let (repo, mut node, [first, second, third]) = three_revisions().await;
    told(&node, &["rollback", "small"]).await;
    repo.lose_origin();
    node.kill();
    node.exited().await;
    node.restart().await;
    assert_eq!(page(&node).await, "two", "from the first moment");
    let states = kept(&node).await;
    let of = |commit: &String, state: &str| (commit.clone(), state.to_owned());
    assert_eq!(states, [of(&third, "kept"), of(&second, "pinned"), of(&first, "kept")]);
    assert!(told(&node, &["status"]).await["projects"][0]["pinned_at"].is_u64());

    told(&node, &["rollback", "small"]).await;
    assert_eq!(page(&node).await, "one");
    told(&node, &["follow", "small"]).await;
    assert_eq!(page(&node).await, "three", "the newest that is kept, without its repository");
}

#[tokio::test]
async fn what_is_pinned_goes_on_while_its_branch_moves() {
    let (repo, mut node, [_, _, third]) = three_revisions().await;
    let done = told(&node, &["pin", "small"]).await;
    assert_eq!((&done["commit"], &done["before"]), (&json!(third), &json!(third)));
    assert_eq!(node.event("pinned").await["commit"], third);
    repo.write_page("four");
    let fourth = repo.commit("says four");
    assert_eq!(node.event("held").await["commit"], fourth);
    node.terminate();
    node.exited().await;
    node.restart().await;
    assert_eq!(node.event("held").await["commit"], fourth, "and it is told again after a restart");
    assert_eq!(page(&node).await, "three");
    told(&node, &["unpin", "small"]).await;
    eventually("what was held is served", async || (page(&node).await == "four").then_some(()))
        .await;
}

#[tokio::test]
async fn a_folder_can_be_rolled_back_too() {
    let project = Project::small(HOST, "one");
    let node = TestNode::dev(project.path()).await;
    node.event("deployed").await;
    project.write("websites/main/index.html", "two");
    eventually("the change is live", async || (page(&node).await == "two").then_some(())).await;
    let name =
        told(&node, &["status"]).await["projects"][0]["project"].as_str().unwrap().to_owned();
    // What was written a moment ago may be deployed once more under another name.
    eventually("the first state is served again", async || {
        told(&node, &["rollback", &name]).await;
        (page(&node).await == "one").then_some(())
    })
    .await;
    project.write("websites/main/index.html", "three");
    node.event("held").await;
    assert_eq!(page(&node).await, "one");
    told(&node, &["follow", &name]).await;
    eventually("the folder is live again", async || (page(&node).await == "three").then_some(()))
        .await;
}

/// Rollbacks that are killed, each a little later in its course than the one before.
const KILLS: u32 = 16;

#[tokio::test]
async fn a_node_killed_while_it_goes_back_serves_one_of_both_and_knows_which() {
    let (repo, mut node, [_, second, third]) = three_revisions().await;
    repo.lose_origin();
    let started = Instant::now();
    told(&node, &["rollback", "small"]).await;
    let course = started.elapsed();
    told(&node, &["follow", "small"]).await;
    let mut outcomes = [0, 0];
    for kill in 0..KILLS {
        let mut command = node.commanded(&["rollback", "small"]);
        command.stdout(std::process::Stdio::null()).stderr(std::process::Stdio::null());
        let mut ordered = command.spawn().expect("the binary can be run");
        if kill + 1 < KILLS {
            // The instant is the point here, so this waits for no condition.
            tokio::time::sleep(course.mul_f64(f64::from(kill) / f64::from(KILLS))).await;
        } else {
            ordered.wait().await.unwrap();
        }
        node.kill();
        node.exited().await;
        ordered.wait().await.unwrap();
        node.restart().await;
        let (page, states) = (page(&node).await, kept(&node).await);
        let went_back = states[1] == (second.clone(), "pinned".to_owned());
        if went_back {
            assert_eq!((page.as_str(), states[0].1.as_str()), ("two", "kept"), "{states:?}");
        } else {
            assert_eq!(page, "three");
            assert_eq!(states[0], (third.clone(), "serving".to_owned()), "{states:?}");
        }
        outcomes[usize::from(went_back)] += 1;
        told(&node, &["follow", "small"]).await;
    }
    assert!(outcomes.iter().all(|&times| times > 0), "some before and some after: {outcomes:?}");
}
