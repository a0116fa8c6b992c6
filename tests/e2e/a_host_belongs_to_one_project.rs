//! Two projects on one node: a host stays with whom it was first accepted for.

use headgate_tests::{GitRepo, TestNode, eventually};
use http::StatusCode;
use serde_json::{Value, json};

fn project(name: &str, repo: &GitRepo) -> Value {
    json!({"name": name, "config": repo.url(), "branch": "main", "poll": "100ms"})
}

#[tokio::test]
async fn each_project_answers_under_its_own_host() {
    let (one, two) =
        (GitRepo::small("one.example.com", "one"), GitRepo::small("two.example.com", "two"));
    let node =
        TestNode::run(json!({"projects": [project("one", &one), project("two", &two)]})).await;
    assert_eq!(node.get("one.example.com", "/").await.text(), "one");
    assert_eq!(node.get("two.example.com", "/").await.text(), "two");
}

#[tokio::test]
async fn a_host_is_refused_to_the_second_project_that_names_it() {
    let (one, two) =
        (GitRepo::small("a.example.com", "one"), GitRepo::small("b.example.com", "two"));
    let node =
        TestNode::run(json!({"projects": [project("one", &one), project("two", &two)]})).await;

    two.write(
        "domains/greedy.yaml",
        "id: d-greedy\nfqdn: a.example.com\ncertificate:\n  type: auto\n",
    );
    two.write("websites/main.yaml", "id: website-main\ndomains: [main, greedy]\npaths: [/]\n");
    two.commit("wants a.example.com, too");
    let refused = node.event("refused").await;
    assert_eq!(refused["project"], "two");
    let problem = &refused["diagnostics"][0];
    assert_eq!(problem["file"], "domains/greedy.yaml", "{problem}");
    assert!(problem["message"].as_str().unwrap().contains("one"), "names the owner: {problem}");
    assert_eq!(node.get("a.example.com", "/").await.text(), "one");
    assert_eq!(node.get("b.example.com", "/").await.text(), "two", "what it had, it keeps");
}

/// Whenever the hosts of the node change, it may be free; until it is, there is nothing new to tell.
#[tokio::test]
async fn that_a_host_is_taken_is_told_once() {
    let (one, two) =
        (GitRepo::small("a.example.com", "one"), GitRepo::small("a.example.com", "two"));
    let node = TestNode::run(json!({"projects": [project("one", &one)]})).await;
    node.reconfigure(json!({"projects": [project("one", &one), project("two", &two)]}));
    assert_eq!(node.event("refused").await["again"], false);
    one.write("domains/more.yaml", "id: d-more\nfqdn: c.example.com\ncertificate:\n  type: auto\n");
    one.write("websites/main.yaml", "id: website-main\ndomains: [main, more]\npaths: [/]\n");
    one.commit("has one host more");
    assert_eq!(node.event("refused").await["again"], true);
    let told = node.command(&["logs", "--project", "two"]).await;
    let told = String::from_utf8(told.stdout).unwrap();
    assert_eq!(told.matches("refused").count(), 1, "{told}");
}

#[tokio::test]
async fn a_host_is_free_again_when_its_project_lets_go() {
    let (one, two) =
        (GitRepo::small("a.example.com", "one"), GitRepo::small("b.example.com", "two"));
    let node =
        TestNode::run(json!({"projects": [project("one", &one), project("two", &two)]})).await;
    one.write(
        "domains/main.yaml",
        "id: domain-main\nfqdn: c.example.com\ncertificate:\n  type: auto\n",
    );
    let moved = one.commit("moves away");
    eventually("the first project has moved", async || {
        node.events().into_iter().find(|e| e["event"] == "deployed" && e["commit"] == *moved)
    })
    .await;
    two.write(
        "domains/main.yaml",
        "id: domain-main\nfqdn: a.example.com\ncertificate:\n  type: auto\n",
    );
    let taken = two.commit("moves in");
    eventually("the second has moved in", async || {
        node.events().into_iter().find(|e| e["event"] == "deployed" && e["commit"] == *taken)
    })
    .await;
    assert_eq!(node.get("a.example.com", "/").await.text(), "two");
    assert_eq!(node.get("c.example.com", "/").await.text(), "one");
    assert_eq!(node.get("b.example.com", "/").await.status, StatusCode::NOT_FOUND);
}

#[tokio::test]
async fn projects_that_share_their_files_are_deployed_side_by_side() {
    let hosts: Vec<String> = (0..12).map(|n| format!("p{n}.example.com")).collect();
    let repos: Vec<GitRepo> = hosts.iter().map(|host| GitRepo::small(host, "the same")).collect();
    let projects: Vec<Value> =
        repos.iter().enumerate().map(|(n, repo)| project(&format!("p{n}"), repo)).collect();
    let node = TestNode::run(json!({"projects": projects})).await;
    for host in &hosts {
        assert_eq!(node.get(host, "/").await.text(), "the same", "{host}");
        assert_eq!(node.get(host, "/hello").await.text(), "Hello, world!", "{host}");
    }
    let failed: Vec<Value> =
        node.events().into_iter().filter(|event| event["event"] == "failed").collect();
    assert!(failed.is_empty(), "{failed:#?}");
    assert_eq!(node.admin("/snapshot").await.json()["websites"], 12);
}

#[tokio::test]
async fn a_broken_project_does_not_keep_its_neighbour_from_being_served() {
    let (one, two) =
        (GitRepo::small("a.example.com", "one"), GitRepo::small("b.example.com", "two"));
    one.write("config.yaml", "name: [\n");
    one.commit("broken");
    let mut gone = project("gone", &two);
    gone["config"] = "file:///nowhere/at/all.git".into();
    let projects = json!({"projects": [project("one", &one), gone, project("two", &two)]});
    let node = TestNode::run(projects).await;
    assert_eq!(node.get("a.example.com", "/").await.status, StatusCode::NOT_FOUND);
    assert_eq!(node.get("b.example.com", "/").await.text(), "two");
}
