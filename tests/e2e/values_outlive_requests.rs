//! Functions count their visitors: over requests, functions, deploys, restarts and kills, each project for itself.

use headgate_tests::{GitRepo, TestNode, eventually, guest};
use http::StatusCode;
use serde_json::{Value, json};

/// Two functions at the root and one in an application, each with a path of its own, and one that fills values up.
fn visited(name: &str) -> GitRepo {
    let repo = GitRepo::new();
    repo.write("config.yaml", format!("id: config-{name}\nname: {name}\n"));
    repo.write("domains/main.yaml", format!("id: domain-{name}\nfqdn: {name}.example.com\n"));
    for (path, call, file) in [
        ("/visit", "visit", "functions/visit"),
        ("/look", "look", "functions/look"),
        ("/fill", "fill", "functions/fill"),
        ("/inner/visit", "visit", "applications/inner/functions/visit"),
        ("/inner/look", "look", "applications/inner/functions/look"),
    ] {
        let id = file.replace('/', "-");
        repo.write(
            &format!("{file}.yaml"),
            format!(
                "id: {id}\ntrigger: {{type: https, method: GET, paths: [{path}]}}\n\
                 domains: [main]\nsource: .\n\
                 execution: {{timeout: 5s, memory: 4MB, call: {call}}}\n"
            ),
        );
        repo.write(&format!("{file}.wasm"), guest("visitors"));
    }
    repo.write("applications/inner/config.yaml", "id: application-inner\nname: inner\n");
    repo.commit("visitors");
    repo
}

fn followed(projects: &[(&str, &GitRepo)]) -> Value {
    let projects = projects.iter().map(|(name, repo)| {
        json!({"name": name, "config": repo.url(), "branch": "main", "poll": "100ms"})
    });
    json!({"projects": projects.collect::<Vec<_>>()})
}

async fn text(node: &TestNode, project: &str, path: &str) -> String {
    let answer = node.get(&format!("{project}.example.com"), path).await;
    assert_eq!(answer.status, StatusCode::OK, "{path}: {}", answer.text());
    answer.text().trim_end().to_owned()
}

async fn status(node: &TestNode, project: &str, path: &str) -> StatusCode {
    node.get(&format!("{project}.example.com"), path).await.status
}

#[tokio::test]
async fn a_count_goes_on_through_functions_deploys_restarts_and_kills() {
    let (shop, other) = (visited("shop"), visited("other"));
    let mut node = TestNode::run(followed(&[("shop", &shop), ("other", &other)])).await;
    for _ in 0..2 {
        let deployed = node.event("deployed").await.to_string();
        assert!(!deployed.contains("not-served-yet"), "{deployed}");
    }

    assert_eq!(status(&node, "shop", "/look").await, StatusCode::NOT_FOUND);
    for n in 1..=3 {
        assert_eq!(text(&node, "shop", "/visit").await, n.to_string());
    }
    // The project's value is everybody's in it, and nobody's elsewhere.
    assert_eq!(text(&node, "shop", "/look").await, "3");
    assert_eq!(text(&node, "shop", "/inner/look").await, "3");
    assert_eq!(text(&node, "shop", "/inner/visit").await, "4");
    assert_eq!(status(&node, "other", "/look").await, StatusCode::NOT_FOUND);
    assert_eq!(text(&node, "other", "/visit").await, "1");

    // An application's and a function's are their own.
    assert_eq!(text(&node, "shop", "/inner/visit?scope=application").await, "1");
    assert_eq!(text(&node, "shop", "/inner/look?scope=application").await, "1");
    assert_eq!(text(&node, "shop", "/look?scope=application").await, "4", "it is in none");
    assert_eq!(text(&node, "shop", "/visit?scope=function").await, "1");
    assert_eq!(text(&node, "shop", "/visit?scope=function").await, "2");
    assert_eq!(text(&node, "shop", "/inner/visit?scope=function").await, "1");
    let looking = status(&node, "shop", "/look?scope=function").await;
    assert_eq!(looking, StatusCode::NOT_FOUND);

    shop.write("functions/more.wasm", guest("hello"));
    shop.commit("a file more");
    node.event("deployed").await;
    assert_eq!(text(&node, "shop", "/visit").await, "5");

    node.terminate();
    assert!(node.exited().await.success());
    node.restart().await;
    assert_eq!(text(&node, "shop", "/visit").await, "6");
    node.kill();
    assert!(!node.exited().await.success());
    node.restart().await;
    assert_eq!(text(&node, "shop", "/look").await, "6", "what was answered is kept");
    assert_eq!(text(&node, "other", "/look").await, "1");
    assert_eq!(text(&node, "shop", "/visit?scope=function").await, "3");
}

#[tokio::test]
async fn a_project_that_is_full_is_told_so_and_its_neighbours_are_not() {
    let (shop, other) = (visited("shop"), visited("other"));
    let node = TestNode::run(followed(&[("shop", &shop), ("other", &other)])).await;
    for _ in 0..2 {
        node.event("deployed").await;
    }
    assert_eq!(text(&node, "shop", "/fill?bytes=999000").await, "kept");
    assert_eq!(text(&node, "shop", "/visit").await, "1");
    for _ in 0..2 {
        let full = node.get("shop.example.com", "/fill?bytes=1000000").await;
        assert_eq!(full.status, StatusCode::INSUFFICIENT_STORAGE);
        assert_eq!(full.text(), "putGlobalValue 29\n");
    }
    let said = eventually("its log says why", || async {
        let logs = node.command(&["logs"]).await;
        let text = String::from_utf8_lossy(&logs.stdout).into_owned();
        text.lines().find(|line| line.contains("/string/filling")).map(str::to_owned)
    });
    let said = said.await;
    assert!(
        said.contains("of 1000000 bytes in all") && said.contains("put shorter ones"),
        "{said}"
    );

    assert_eq!(text(&node, "shop", "/visit").await, "2", "what is there can still change");
    assert_eq!(text(&node, "other", "/fill?bytes=999000").await, "kept");
    assert_eq!(text(&node, "shop", "/fill?bytes=0").await, "kept");
    assert_eq!(text(&node, "shop", "/fill?bytes=5").await, "kept");
}
