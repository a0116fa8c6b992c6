//! Ownership: under `ownership: verify` a host is served once its owner has said in DNS that it is the
//! project's, without a new commit, and stays so while DNS is down and after a restart.

use headgate_tests::{GitRepo, NameServer, Protocol, TestNode, eventually};
use serde_json::{Value, json};

fn config(names: &NameServer, projects: &[(&str, &GitRepo)]) -> Value {
    let projects: Vec<_> = projects
        .iter()
        .map(|(name, repo)| {
            json!({"name": name, "config": repo.url(), "branch": "main", "poll": "100ms"})
        })
        .collect();
    json!({
        "ownership": "verify",
        "resolver": names.address().to_string(),
        "projects": projects,
    })
}

async fn rows(node: &TestNode) -> Vec<Value> {
    let told = node.command(&["domains", "--output", "json"]).await;
    serde_json::from_slice(&told.stdout).unwrap_or_else(|error| panic!("{error}: {told:?}"))
}

/// Enters the record that a project is told to.
async fn enter(node: &TestNode, names: &NameServer, host: &str, project: &str) {
    let rows = rows(node).await;
    let row = rows.iter().find(|row| row["host"] == host && row["project"] == project).unwrap();
    let record = &row["enter"][0];
    names.enter(record["name"].as_str().unwrap(), record["value"]["text"].as_str());
}

async fn check(node: &TestNode, host: &str) -> (Option<i32>, String) {
    let told = node.command(&["domains", "check", host]).await;
    let text = String::from_utf8_lossy(&told.stdout).into_owned();
    (told.status.code(), text + &String::from_utf8_lossy(&told.stderr))
}

#[tokio::test]
async fn a_host_is_served_once_its_owner_said_so() {
    let (names, repo) = (NameServer::start().await, GitRepo::small("x.example.com", "one"));
    let mut node = TestNode::run(config(&names, &[("one", &repo)])).await;
    let pending = node.event("pending").await;
    assert_eq!((&pending["host"], &pending["project"]), (&json!("x.example.com"), &json!("one")));
    assert_eq!(pending["record"]["name"], "_headgate.x.example.com", "{pending}");
    assert_eq!(pending["why"], "there is no TXT record at _headgate.x.example.com");
    assert_eq!(node.get("x.example.com", "/").await.status, 404, "as a host nobody names");
    assert!(node.shake_hands("x.example.com").await.is_err(), "no certificate either");
    let (code, text) = check(&node, "x.example.com").await;
    assert_eq!(code, Some(1), "{text}");
    assert!(text.contains("pending, not served") && text.contains("there is no TXT"), "{text}");

    names.enter("_headgate.x.example.com", Some("headgate-v1=somebody-elses"));
    let (_, text) = check(&node, "x.example.com").await;
    assert!(text.contains("is not the one of this project"), "{text}");

    enter(&node, &names, "x.example.com", "one").await;
    let (code, text) = check(&node, "x.example.com").await;
    assert_eq!(code, Some(0), "{text}");
    assert!(text.contains("verified by a record"), "{text}");
    assert_eq!(node.event("verified").await["host"], "x.example.com");
    let mut client = node.client(Protocol::Https1, "x.example.com").await;
    assert_eq!(client.get("/").await.text(), "one", "without a new commit");
    drop(client);

    // Neither a restart nor a silent name server takes it away.
    names.be_silent(true);
    node.terminate();
    node.exited().await;
    node.restart().await;
    assert_eq!(node.get("x.example.com", "/").await.text(), "one");
    let (code, text) = check(&node, "x.example.com").await;
    assert_eq!(code, Some(0), "{text}");
    assert_eq!(node.get("x.example.com", "/").await.text(), "one");
    let (code, text) = check(&node, "elsewhere.example.com").await;
    assert_eq!(code, Some(1));
    assert!(text.contains("no project of this node names elsewhere.example.com"), "{text}");
}

/// Nobody asks for anything: the node looks by itself.
#[tokio::test]
async fn a_record_is_found_by_itself() {
    let (names, repo) = (NameServer::start().await, GitRepo::small("x.example.com", "one"));
    let node = TestNode::run(config(&names, &[("one", &repo)])).await;
    node.event("pending").await;
    enter(&node, &names, "x.example.com", "one").await;
    assert_eq!(node.event("verified").await["project"], "one");
    assert_eq!(node.get("x.example.com", "/").await.text(), "one");
    assert!(names.questions() < 10, "and does not ask without end: {}", names.questions());
}

#[tokio::test]
async fn a_squatter_does_not_block_the_owner() {
    let names = NameServer::start().await;
    let squatter = GitRepo::small("x.example.com", "squatter");
    let owner = GitRepo::small("x.example.com", "owner");
    let node = TestNode::run(config(&names, &[("squatter", &squatter)])).await;
    node.event("pending").await;
    let both = config(&names, &[("squatter", &squatter), ("owner", &owner)]);
    node.reconfigure(both.clone());
    assert_eq!(node.event("pending").await["project"], "owner", "accepted, and waits");
    assert_eq!(node.get("x.example.com", "/").await.status, 404);
    enter(&node, &names, "x.example.com", "owner").await;
    let (code, text) = check(&node, "x.example.com").await;
    assert_eq!(code, Some(0), "{text}");
    assert!(text.contains("it is served for the project owner"), "{text}");
    assert_eq!(node.get("x.example.com", "/").await.text(), "owner");

    // An operator may trust a project all the same.
    let mut trusting = both;
    trusting["projects"][1]["ownership"] = json!("trust");
    names.enter("_headgate.x.example.com", None);
    node.reconfigure(trusting);
    eventually("it is trusted", || async {
        let rows = rows(&node).await;
        rows.iter().any(|row| row["project"] == "owner" && row["enforced"] == false).then_some(())
    })
    .await;
    assert_eq!(node.get("x.example.com", "/").await.text(), "owner");
}
