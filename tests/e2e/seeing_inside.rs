//! An operator sees what each function is, how it starts, and what a request's time went into.

use headgate_tests::{Protocol, TestNode, eventually, fixture};
use serde_json::Value;

const HOST: &str = "shop.example.com";

#[tokio::test]
async fn functions_are_told_with_what_they_run_and_how_they_start() {
    let node = TestNode::dev(fixture("shop")).await;
    let rows = node.admin("/functions").await.json();
    let rows = rows.as_array().unwrap();
    let names: Vec<_> = rows.iter().map(|row| row["name"].as_str().unwrap()).collect();
    assert_eq!(rows.len(), 7, "each once, however many hosts and paths it has: {names:?}");
    let of = |name: &str| rows.iter().find(|row| row["name"] == name).expect(name);
    let hello = of("hello");
    assert_eq!((&hello["kind"], &hello["call"]), (&"core".into(), &"hello".into()));
    assert_eq!(hello["start_up"]["kind"], "none");
    assert_eq!(
        (&hello["limits"]["memory"], &hello["limits"]["timeout_ms"]),
        (&"1MiB".into(), &1000.into())
    );
    let wasm = std::fs::metadata(fixture("shop").join("functions/hello.wasm")).unwrap();
    assert_eq!(hello["size"], wasm.len());
    assert_eq!(of("greet")["kind"], "component");
    assert_eq!(of("health")["application"], "admin");

    let table = said(&node, &["functions"]).await;
    assert!(table.lines().any(|line| line.starts_with("admin/health  shop")), "{table}");
    let one = said(&node, &["functions", "greet"]).await;
    assert!(one.contains("a component; artefact "), "{one}");
}

#[tokio::test]
async fn a_functions_line_in_the_access_log_says_what_its_time_went_into() {
    let node = TestNode::dev(fixture("shop")).await;
    let mut client = node.client(Protocol::Http1, HOST).await;
    let id = client.get("/hello").await.header("x-request-id").to_owned();
    let page = client.get("/").await.header("x-request-id").to_owned();
    let line = async |id: &str| {
        eventually("the access log has the request", async || {
            node.log().into_iter().find(|line| line.contains(id) && line.contains("elapsed_us"))
        })
        .await
    };
    let of_function = line(&id).await;
    for field in ["function", "start", "queue_us", "opening_us", "starting_us", "computed_us"] {
        assert!(of_function.contains(field), "{field}: {of_function}");
    }
    assert!(!line(&page).await.contains("computed_us"), "no guest ran for a page");
    let metrics = node.metrics().await;
    let started = r#"headgate_executor_start_duration_seconds_count{start="none"}"#;
    assert_eq!(metrics.value(started), Some(1.0));
}

#[tokio::test]
async fn a_function_answers_the_command_line_as_it_answers_a_client() {
    let node = TestNode::dev(fixture("shop")).await;
    let shop = fixture("shop").display().to_string();
    let path = "/greet?name=Ada";
    let served = node.get(HOST, path).await.text();
    let ran = said(&node, &["run-function", "greet", &shop, "--path", path]).await;
    assert_eq!(ran, served);
    let arguments = ["run-function", "greet", &shop, "--path", path, "--output", "json"];
    let json: Value = serde_json::from_str(&said(&node, &arguments).await).unwrap();
    assert_eq!((&json["status"], &json["body"]), (&200.into(), &served.into()));
}

async fn said(node: &TestNode, arguments: &[&str]) -> String {
    let output = node.command(arguments).await;
    assert!(output.status.success(), "{arguments:?}: {output:?}");
    String::from_utf8(output.stdout).unwrap()
}
