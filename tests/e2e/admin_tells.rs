//! A running node tells its operator what it does: over its socket, and through the command line.

use std::{os::unix::fs::PermissionsExt, process::Stdio};

use headgate_tests::{GitRepo, PATIENCE, Protocol, TestNode, eventually, fixture};
use http::StatusCode;
use serde_json::{Value, json};
use tokio::{
    io::{AsyncBufReadExt, BufReader},
    time::timeout,
};

const HOST: &str = "shop.example.com";

#[tokio::test]
async fn the_socket_is_its_owners_alone_and_answers_probes() {
    let node = TestNode::dev(fixture("shop")).await;
    let mode = std::fs::metadata(node.socket()).unwrap().permissions().mode();
    assert_eq!(mode & 0o777, 0o600);
    assert_eq!(node.admin("/livez").await.status, StatusCode::OK);
    assert_eq!(node.admin("/readyz").await.status, StatusCode::OK);
    let snapshot = node.admin("/snapshot").await.json();
    assert_eq!(snapshot["phase"], "ready");
    assert_eq!(snapshot["projects"][0]["project"], "shop");
    assert_eq!((&snapshot["functions"], &snapshot["websites"]), (&json!(7), &json!(1)));
    assert_eq!(node.admin("/elsewhere").await.status, StatusCode::NOT_FOUND);
}

#[tokio::test]
async fn metrics_count_what_happened() {
    let node = TestNode::dev(fixture("shop")).await;
    let mut client = node.client(Protocol::Http1, HOST).await;
    client.get("/hello").await;
    client.get("/").await;
    client.get("/no-such-page").await;
    let answer = node.admin("/metrics").await;
    assert!(answer.header("content-type").starts_with("application/openmetrics-text"));
    for (series, value) in [
        (r#"headgate_http_requests_total{kind="function",method="GET",status="200"}"#, 1.0),
        (r#"headgate_http_requests_total{kind="website",method="GET",status="200"}"#, 1.0),
        (r#"headgate_http_requests_total{kind="website",method="GET",status="404"}"#, 1.0),
        (r#"headgate_project_deploys_total{result="accepted"}"#, 1.0),
        (r#"headgate_executor_invocations_total{result="ok"}"#, 1.0),
        (r#"headgate_edge_connections_open{kind="plain"}"#, 1.0),
        ("headgate_executor_in_flight", 0.0),
    ] {
        // A request is counted when its answer is written, which its client may see a little earlier.
        eventually(&format!("{series} is {value}"), async || {
            (node.metrics().await.value(series)? == value).then_some(())
        })
        .await;
    }
    let metrics = node.metrics().await;
    assert!(metrics.text().ends_with("# EOF\n"));
    for line in metrics.text().lines().filter(|line| !line.starts_with('#')) {
        assert!(line.starts_with("headgate_"), "without a prefix: {line}");
        assert!(!line.contains("no-such-page"), "a label from the wire: {line}");
    }
}

#[tokio::test]
async fn status_says_how_each_project_stands() {
    let node = TestNode::dev(fixture("shop")).await;
    let json: Value =
        serde_json::from_str(&said(&node, &["status", "--output", "json"]).await).unwrap();
    assert_eq!(
        (&json["phase"], &json["projects"][0]["state"]),
        (&"ready".into(), &"served".into())
    );
    let text = said(&node, &["status"]).await;
    assert!(text.starts_with("headgate "), "{text}");
    for word in ["ready", "PROJECT", "shop", "served", "main"] {
        assert!(text.contains(word), "{word} is not in {text}");
    }
}

#[tokio::test]
async fn status_says_what_is_wrong_with_a_refused_one() {
    let node = TestNode::dev(fixture("broken")).await;
    let text = said(&node, &["status"]).await;
    assert!(text.contains("refused") && text.contains("functions/bad_duration.yaml:"), "{text}");
}

#[tokio::test]
async fn routes_are_listed_in_the_order_they_are_tried() {
    let node = TestNode::dev(fixture("shop")).await;
    let json: Value =
        serde_json::from_str(&said(&node, &["routes", "--output", "json"]).await).unwrap();
    let routes: Vec<&Value> =
        json.as_array().unwrap().iter().filter(|r| r["host"] == HOST).collect();
    let at = |path: &str| routes.iter().position(|route| route["path"] == path).expect(path);
    assert!(at("/api/hello") < at("/api/users/{id}"), "{routes:#?}");
    assert!(at("/api/users/{id}") < at("/"), "{routes:#?}");
    assert_eq!(routes[at("/count")]["methods"], json!(["POST"]));
    assert_eq!(
        (&routes[at("/")]["kind"], &routes[at("/")]["name"]),
        (&"website".into(), &"main".into())
    );
    assert_eq!(routes[at("/admin/health")]["application"], "admin");
    let text = said(&node, &["routes"]).await;
    assert!(
        text.lines().any(|line| line.contains(HOST) && line.contains("/api/users/{id}")),
        "{text}"
    );
}

#[tokio::test]
async fn logs_show_what_functions_print_with_the_request_it_was() {
    let node = TestNode::dev(fixture("shop")).await;
    let mut following = node
        .commanded(&["logs", "-f", "--output", "json"])
        .stdout(Stdio::piped())
        .spawn()
        .expect("the binary can be run");
    let mut lines = BufReader::new(following.stdout.take().unwrap()).lines();
    let mut client = node.client(Protocol::Http1, HOST).await;
    let id = client.get("/api/log").await.header("x-request-id").to_owned();
    let mut streams = Vec::new();
    while streams.len() < 2 {
        let line = timeout(PATIENCE, lines.next_line()).await.expect("a line comes in time");
        let line: Value = serde_json::from_str(&line.unwrap().expect("more lines")).unwrap();
        if line["request_id"] == *id {
            assert_eq!((&line["project"], &line["function"]), (&"shop".into(), &"api".into()));
            let stream = line["stream"].as_str().unwrap().to_owned();
            assert_eq!(line["text"], format!("a line on {stream}"));
            streams.push(stream);
        }
    }
    streams.sort();
    assert_eq!(streams, ["stderr", "stdout"]);

    let text = said(&node, &["logs"]).await;
    assert!(text.contains("shop/api a line on stdout"), "{text}");
    let other = node.command(&["logs", "--project", "another"]).await;
    assert_eq!((other.status.code(), other.stdout.as_slice()), (Some(1), &b""[..]), "{other:?}");
}

#[tokio::test]
async fn domains_say_what_their_owners_enter_and_that_nobody_asked_yet() {
    let repo = GitRepo::small("small.example.com", "one");
    let projects = json!([{"name": "small", "config": repo.url(), "branch": "main"}]);
    let mut node = TestNode::run(json!({ "projects": projects })).await;
    let told = async |node: &TestNode| -> Value {
        serde_json::from_str(&said(node, &["domains", "--output", "json"]).await).unwrap()
    };
    let domains = told(&node).await;
    let domain = &domains[0];
    assert_eq!(
        (&domain["host"], &domain["project"]),
        (&json!("small.example.com"), &json!("small"))
    );
    assert_eq!((&domain["state"], &domain["checked"]), (&json!("pending"), &json!(false)));
    let record = &domain["enter"][0];
    assert_eq!(
        (&record["type"], &record["name"]),
        (&json!("TXT"), &json!("_headgate.small.example.com"))
    );
    let text = said(&node, &["domains"]).await;
    assert!(text.contains(record["value"]["text"].as_str().unwrap()), "{text}");
    assert!(text.contains("Not checked and served all the same"), "{text}");
    node.terminate();
    node.exited().await;
    node.restart().await;
    assert_eq!(told(&node).await, domains, "what was entered stays good");

    let dev = TestNode::dev(fixture("shop")).await;
    assert_eq!(told(&dev).await[0]["state"], "trusted");
}

#[tokio::test]
async fn a_node_that_is_not_there_is_said_to_be_so() {
    let mut node = TestNode::dev(fixture("site")).await;
    node.terminate();
    assert!(node.exited().await.success());
    let output = node.command(&["status"]).await;
    assert_eq!(output.status.code(), Some(1));
    assert!(
        String::from_utf8_lossy(&output.stderr).contains("no headgate is running"),
        "{output:?}"
    );
}

#[tokio::test]
async fn the_loopback_listener_answers_probes_and_keeps_the_rest_to_the_socket() {
    let repo = GitRepo::small("small.example.com", "one");
    let node = TestNode::run(json!({
        "admin": {"listen": "127.0.0.1:0"},
        "projects": [{"name": "small", "config": repo.url(), "branch": "main"}],
    }))
    .await;
    let address: std::net::SocketAddr =
        node.ready().await["admin_listen"].as_str().expect("an address").parse().unwrap();
    assert_ne!(address.port(), 0, "the port that the kernel picked");
    let ask = async |path: &str, host: &str| {
        let mut raw = headgate_tests::Raw::connect(address).await;
        let answer = raw.exchange(format!("GET {path} HTTP/1.1\r\nHost: {host}\r\n\r\n")).await;
        answer.split(' ').nth(1).unwrap_or_default().to_owned()
    };
    assert_eq!(ask("/livez", "localhost").await, "200");
    assert_eq!(ask("/metrics", "127.0.0.1").await, "200");
    assert_eq!(ask("/logs", "localhost").await, "403", "guests may print secrets");
    assert_eq!(ask("/metrics", "evil.example.com").await, "421", "a page that was rebound");
}

#[tokio::test]
async fn two_nodes_do_not_share_a_state_folder() {
    let node = TestNode::dev(fixture("site")).await;
    let state = node.state().display().to_string();
    let site = fixture("site").display().to_string();
    let arguments =
        ["dev", &site, "--state", &state, "--http", "127.0.0.1:0", "--https", "127.0.0.1:0"];
    let output = node.command(&arguments).await;
    assert_eq!(output.status.code(), Some(1), "{output:?}");
    assert_eq!(node.get("localhost", "/").await.status, StatusCode::OK, "the first one goes on");
}

async fn said(node: &TestNode, arguments: &[&str]) -> String {
    let output = node.command(arguments).await;
    assert!(output.status.success(), "{arguments:?}: {output:?}");
    String::from_utf8(output.stdout).unwrap()
}
