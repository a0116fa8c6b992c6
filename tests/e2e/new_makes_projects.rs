//! What `headgate new` makes has no problem, and answers at once under `headgate dev`.

use std::process::Output;

use headgate_tests::{Project, Protocol, TestNode, headgate};
use http::StatusCode;
use serde_json::{Value, json};

#[tokio::test]
async fn a_static_project_is_served() {
    let node = made("static").await;
    let missing = node.get("localhost", "/missing").await;
    assert_eq!(missing.status, StatusCode::NOT_FOUND);
    assert!(missing.text().contains("There is no such page here"), "{}", missing.text());
}

#[tokio::test]
async fn a_rust_project_is_served() {
    answers(&made("rust").await).await;
}

#[tokio::test]
async fn a_javascript_project_is_served() {
    answers(&made("javascript").await).await;
}

#[tokio::test]
async fn a_go_project_is_served() {
    answers(&made("go").await).await;
}

#[tokio::test]
async fn a_python_project_is_served() {
    answers(&made("python").await).await;
}

#[tokio::test]
async fn an_assemblyscript_project_is_served() {
    answers(&made("assemblyscript").await).await;
}

#[tokio::test]
async fn a_zig_project_is_served() {
    answers(&made("zig").await).await;
}

#[tokio::test]
async fn these_are_all_templates() {
    let place = Project::empty();
    let listed = json_of(headgate(place.path(), &["new", "--list", "--output", "json"]).await);
    let names: Vec<_> = listed.as_array().unwrap().iter().map(|one| &one["template"]).collect();
    assert_eq!(
        names,
        ["static", "rust", "javascript", "go", "python", "assemblyscript", "zig"],
        "another one needs a test here"
    );
}

/// Makes a project, checks it and serves it.
async fn made(template: &str) -> TestNode {
    let place = Project::empty();
    let arguments = ["new", "Hello_1", "--template", template, "--output", "json"];
    let made = json_of(headgate(place.path(), &arguments).await);
    assert_eq!((&made["project"], &made["template"]), (&"Hello_1".into(), &template.into()));
    assert_eq!(made["next"], json!(["cd Hello_1", "headgate dev"]));
    let project = place.path().join("Hello_1");
    for file in made["files"].as_array().unwrap() {
        assert!(project.join(file.as_str().unwrap()).is_file(), "{file}");
    }

    let check = headgate(place.path(), &["check", "Hello_1", "--output", "json"]).await;
    let found = json_of(check);
    assert_eq!((&found["errors"], &found["warnings"]), (&0.into(), &0.into()), "{found}");

    let node = TestNode::dev(&project).await;
    let deployed = node.event("deployed").await;
    assert_eq!(deployed["websites"], 1, "{deployed}");
    for host in ["localhost", "hello-1.example.com"] {
        let page = node.get(host, "/").await;
        assert_eq!((page.status, page.header("content-type")), (StatusCode::OK, HTML), "{host}");
        assert!(page.text().contains("<h1>Hello_1</h1>"), "{}", page.text());
    }
    let mut client = node.client(Protocol::Http1, "localhost").await;
    for file in ["/style.css", "/favicon.svg"] {
        assert_eq!(client.get(file).await.status, StatusCode::OK, "{file}");
    }
    node
}

const HTML: &str = "text/html; charset=utf-8";

/// Every function does the same, in its language.
async fn answers(node: &TestNode) {
    let mut client = node.client(Protocol::Http1, "localhost").await;
    assert_eq!(client.get("/hello.js").await.status, StatusCode::OK);
    for (path, name) in [
        ("/api/hello", "world"),
        ("/api/hello?name=Ada", "Ada"),
        ("/api/hello?other=x&name=Ada+%22the%20first%22%5C%0A", "Ada \"the first\"\\\n"),
        ("/api/hello?name=Zo%C3%AB%20%F0%9F%A6%80", "Zoë 🦀"),
        ("/api/hello/Ada", "Ada"),
        ("/api/hello/Zo%C3%AB", "Zoë"),
    ] {
        let answer = client.get(path).await;
        assert_eq!(answer.status, StatusCode::OK, "{path}: {}", answer.text());
        assert_eq!(answer.header("content-type"), "application/json", "{path}");
        assert_eq!(answer.json(), json!({"message": format!("Hello, {name}")}), "{path}");
    }
    assert_eq!(client.post("/api/hello", "").await.status, StatusCode::METHOD_NOT_ALLOWED);
}

fn json_of(output: Output) -> Value {
    assert!(output.status.success(), "{output:?}");
    serde_json::from_slice(&output.stdout).unwrap_or_else(|error| panic!("{error}: {output:?}"))
}
