//! `headgate run` follows a branch of a real repository.

use headgate_tests::{GitRepo, Project, Protocol, TestNode, eventually};
use http::StatusCode;
use serde_json::{Value, json};

const HOST: &str = "small.example.com";

fn config(repo: &GitRepo, branch: &str) -> Value {
    json!({
        "projects": [{"name": "small", "config": repo.url(), "branch": branch, "poll": "100ms"}]
    })
}

#[tokio::test]
async fn a_commit_is_served() {
    let repo = GitRepo::small(HOST, "one");
    let node = TestNode::run(config(&repo, "main")).await;
    assert_eq!(node.event("deployed").await["commit"], repo.head());
    for protocol in Protocol::ALL {
        let mut client = node.client(protocol, HOST).await;
        assert_eq!(client.get("/").await.text(), "one");
        assert_eq!(client.get("/hello").await.text(), "Hello, world!");
    }
    repo.write_page("two");
    let second = repo.commit("second");
    assert_eq!(node.event("deployed").await["commit"], second);
    assert_eq!(node.get(HOST, "/").await.text(), "two");
}

#[tokio::test]
async fn a_node_grants_strangers_no_developers_aids() {
    let repo = GitRepo::small(HOST, "one");
    repo.write("functions/hello.yaml", "trigger: [oops\n");
    repo.commit("broken");
    let node = TestNode::run(config(&repo, "main")).await;
    node.event("refused").await;
    for host in [HOST, "localhost", "main.localhost", "127.0.0.1"] {
        let mut client = node.client(Protocol::Http1, host).await;
        let answer = client.get_with("/", &[("accept", "text/html")]).await;
        assert_eq!(answer.status, StatusCode::NOT_FOUND, "{host}");
        assert!(!answer.text().contains("hello.yaml"), "no diagnostics: {}", answer.text());
    }
}

#[tokio::test]
async fn a_bad_commit_is_refused_and_the_good_one_goes_on() {
    let repo = GitRepo::small(HOST, "one");
    let node = TestNode::run(config(&repo, "main")).await;
    let good = node.event("deployed").await;

    repo.write_page("two");
    repo.write("functions/hello.wasm", "not wasm at all");
    let bad = repo.commit("bad");
    let refused = node.event("refused").await;
    assert_eq!((&refused["commit"], &refused["serving"]), (&bad.into(), &good["commit"]));
    assert!(!refused["diagnostics"].as_array().unwrap().is_empty());
    assert_eq!(node.get(HOST, "/").await.text(), "one");
    assert_eq!(node.get(HOST, "/hello").await.text(), "Hello, world!");

    repo.write("functions/hello.wasm", headgate_tests::guest("hello"));
    let mended = repo.commit("mended");
    assert_eq!(node.event("deployed").await["commit"], mended);
    assert_eq!(node.get(HOST, "/").await.text(), "two");
}

#[tokio::test]
async fn a_forced_push_replaces_what_was_there() {
    let repo = GitRepo::small(HOST, "one");
    let node = TestNode::run(config(&repo, "main")).await;
    node.event("deployed").await;
    repo.write_page("rewritten");
    let rewritten = repo.rewrite("first, but better");
    assert_eq!(node.event("deployed").await["commit"], rewritten);
    assert_eq!(node.get(HOST, "/").await.text(), "rewritten");
}

#[tokio::test]
async fn another_branch_is_followed_after_a_hangup() {
    let repo = GitRepo::small(HOST, "main");
    repo.branch("next");
    repo.write_page("next");
    let next = repo.commit("next");
    let node = TestNode::run(config(&repo, "main")).await;
    node.event("deployed").await;
    assert_eq!(node.get(HOST, "/").await.text(), "main");

    node.reconfigure(config(&repo, "next"));
    let deployed = node.event("deployed").await;
    assert_eq!((&deployed["commit"], &deployed["branch"]), (&next.into(), &"next".into()));
    assert_eq!(node.get(HOST, "/").await.text(), "next");
}

#[tokio::test]
async fn a_project_taken_off_the_list_is_served_no_more() {
    let repo = GitRepo::small(HOST, "one");
    let node = TestNode::run(config(&repo, "main")).await;
    assert_eq!(node.get(HOST, "/").await.status, StatusCode::OK);
    node.reconfigure(json!({"projects": []}));
    eventually("the host is unknown", async || {
        (node.get(HOST, "/").await.status == StatusCode::NOT_FOUND).then_some(())
    })
    .await;
}

#[tokio::test]
async fn a_configuration_with_mistakes_changes_nothing() {
    let repo = GitRepo::small(HOST, "one");
    let node = TestNode::run(config(&repo, "main")).await;
    node.event("deployed").await;
    node.reconfigure(json!({"projects": [], "nonsense": true}));
    eventually("the log says so", async || {
        node.log().into_iter().find(|line| line.contains("configuration kept as it was"))
    })
    .await;
    assert_eq!(node.get(HOST, "/").await.text(), "one");
    repo.write_page("two");
    repo.commit("second");
    node.event("deployed").await;
    assert_eq!(node.get(HOST, "/").await.text(), "two", "and the branch is still followed");
}

#[tokio::test]
async fn a_node_whose_repository_is_gone_restarts_and_serves_the_same() {
    let repo = GitRepo::small(HOST, "one");
    let mut node = TestNode::run(config(&repo, "main")).await;
    node.event("deployed").await;
    let (page, hello) = (node.get(HOST, "/").await, node.get(HOST, "/hello").await);

    repo.lose_origin();
    node.event("failed").await;
    assert_eq!(node.get(HOST, "/").await.body, page.body, "losing it harms nothing");
    node.terminate();
    assert!(node.exited().await.success());
    node.restart().await;
    let again = node.get(HOST, "/").await;
    assert_eq!((&again.body, again.header("etag")), (&page.body, page.header("etag")));
    assert_eq!(node.get(HOST, "/hello").await.body, hello.body);
    let mut client = node.client(Protocol::Https2, HOST).await;
    assert_eq!(client.get("/").await.body, page.body, "with its certificates, too");
}

#[tokio::test]
async fn an_unchanged_branch_is_not_deployed_again_after_a_restart() {
    let repo = GitRepo::small(HOST, "one");
    let mut node = TestNode::run(config(&repo, "main")).await;
    node.terminate();
    node.exited().await;
    node.restart().await;
    assert_eq!(node.get(HOST, "/").await.text(), "one", "served from the first moment");
    repo.write_page("two");
    let second = repo.commit("second");
    eventually("the next commit is served", async || {
        node.events().into_iter().find(|e| e["event"] == "deployed" && e["commit"] == *second)
    })
    .await;
    assert_eq!(node.get(HOST, "/").await.text(), "two");
}

#[tokio::test]
async fn a_repository_that_comes_later_is_picked_up() {
    let repo = GitRepo::small(HOST, "one");
    let mut config = config(&repo, "main");
    let later = repo.origin().with_file_name("later.git");
    config["projects"][0]["config"] = format!("file://{}", later.display()).into();
    let node = TestNode::run(config).await;
    node.event("failed").await;
    assert_eq!(node.get(HOST, "/").await.status, StatusCode::NOT_FOUND);
    std::fs::rename(repo.origin(), later).unwrap();
    node.event("deployed").await;
    assert_eq!(node.get(HOST, "/").await.text(), "one");
}

#[tokio::test]
async fn a_folder_that_cannot_be_followed_says_what_it_is() {
    let folder = Project::small(HOST, "one");
    let project = |name: &str, config: Value| json!({"name": name, "config": config});
    let mut branch = project("branch", json!(folder.path()));
    branch["branch"] = "main".into();
    let projects = [project("gone", json!("/nowhere/at/all")), branch];
    let node = TestNode::run(json!({"projects": projects})).await;
    assert_eq!(node.ready().await["projects"], 2);
    let mut told = [node.event("failed").await, node.event("failed").await]
        .map(|event| event["error"].as_str().unwrap().to_owned());
    told.sort();
    assert_eq!(told[0], "the folder /nowhere/at/all does not exist");
    let path = folder.path().display();
    let plain = format!("`{path}` is a folder and not a repository, so it has no branches: ");
    assert!(told[1].contains(&plain) && told[1].contains("git init"), "{}", told[1]);
}
