//! Functions call servers outside: those the node's owner allows, streamed, bounded, and with an end; whoever is
//! refused reads why in the function's log.

use headgate_tests::{
    NameServer, Project, Protocol, TestNode, Upstream, eventually, guest, headgate,
};
use http::StatusCode;
use serde_json::{Value, json};

const HOST: &str = "calls.example.com";

/// Components at /get, /flood and /proxy, core functions at /fetch, /relay and /lookup.
fn project() -> Project {
    let project = Project::empty();
    project.write("config.yaml", "id: config-calls\nname: calls\n");
    project.write("domains/main.yaml", format!("id: domain-main\nfqdn: {HOST}\n"));
    for (name, method, wasm, entry) in [
        ("get", "GET", "caller", ""),
        ("flood", "GET", "caller", ""),
        ("proxy", "POST", "caller", ""),
        ("fetch", "GET", "fetch", "  call: fetch\n"),
        ("relay", "POST", "relay", "  call: relay\n"),
        ("lookup", "GET", "fetch", "  call: lookup\n"),
        ("bomb", "GET", "fetch", "  call: bomb\n"),
    ] {
        let yaml = format!(
            "id: function-{name}\ntrigger: {{type: https, method: {method}, paths: [/{name}]}}\n\
             domains: [main]\nsource: .\nexecution:\n  timeout: 20s\n  memory: 32MB\n{entry}"
        );
        project.write(&format!("functions/{name}.yaml"), yaml);
        project.write(&format!("functions/{name}.wasm"), guest(wasm));
    }
    project
}

async fn node(project: &Project, outbound: Value) -> TestNode {
    let node = TestNode::run(json!({
        "projects": [{"name": "calls", "config": project.path()}],
        "outbound": outbound,
    }))
    .await;
    node.event("deployed").await;
    node
}

async fn get(node: &TestNode, path: &str) -> (StatusCode, String) {
    let answer = node.get(HOST, path).await;
    (answer.status, answer.text())
}

/// Waits for a line of the functions' logs.
async fn logged(node: &TestNode, part: &str) -> String {
    let line = eventually("the line is in the log", || async {
        let logs = node.command(&["logs"]).await;
        String::from_utf8_lossy(&logs.stdout)
            .lines()
            .find(|line| line.contains(part))
            .map(str::to_owned)
    });
    line.await
}

#[tokio::test]
async fn functions_call_what_the_node_allows() {
    let (project, upstream) = (project(), Upstream::start().await);
    let node = node(&project, json!({"allow": [upstream.address().to_string()]})).await;
    for _ in 0..3 {
        for path in ["/get", "/fetch"] {
            let path = format!("{path}?url={}", upstream.url("/hello"));
            let expected = (StatusCode::OK, "hello from outside".to_owned());
            assert_eq!(get(&node, &path).await, expected, "{path}");
        }
    }
    assert_eq!(upstream.requests(), 6);
    assert!(upstream.connections() < 6, "connections are reused");
    let calls = r#"headgate_outbound_calls_total{result="ok"}"#;
    assert_eq!(node.metrics().await.value(calls), Some(6.0));

    // Beside it, everything is as closed as it was.
    let other = Upstream::start().await;
    let path = format!("/fetch?url={}", upstream.url(&format!("/to/{}", other.address())));
    assert_eq!(get(&node, &path).await, (StatusCode::BAD_GATEWAY, "doHttpRequest 13\n".to_owned()));
    assert_eq!(other.connections(), 0, "nobody follows a redirect to where nobody may go");
    logged(&node, &format!("a call to `http://{}` failed: denied", other.address())).await;
}

/// Each call makes two: without an end to it, until nothing is left of what the project may have.
#[tokio::test]
async fn a_function_that_calls_itself_comes_to_an_end() {
    let project = project();
    let node = TestNode::dev(project.path()).await;
    let bomb = format!("/bomb?url=http://127.0.0.1:{}/bomb", node.http().port());
    let mut client = node.client(Protocol::Http1, HOST).await;
    let answer = tokio::spawn(async move { client.get(&bomb).await.status });
    let status = |status| {
        format!(r#"headgate_http_requests_total{{kind="function",method="GET",status="{status}"}}"#)
    };
    eventually("a call came through all it may", || async {
        node.metrics().await.value(&status("508"))
    })
    .await;
    assert_eq!(get(&node, "/lookup?kind=a&name=10.0.0.1").await.1, "size 103\n");
    assert_eq!(answer.await.unwrap(), StatusCode::OK);
    // 1 + 2 + 4 + …, of which the last are refused.
    let metrics = node.metrics().await;
    assert_eq!(metrics.value(&status("200")), Some(1023.0));
    assert_eq!(metrics.value(&status("508")), Some(1024.0));
}

#[tokio::test]
async fn taubytes_own_crate_calls_as_on_taubyte() {
    let (project, upstream) = (project(), Upstream::start().await);
    let node = node(&project, json!({"allow": ["127.0.0.0/8"]})).await;
    let mut client = node.client(Protocol::Http1, HOST).await;
    for content in ["", "posted", &"x".repeat(100_000)] {
        let path = format!("/relay?url={}", upstream.url("/echo"));
        let answer = client.post(&path, content.to_owned()).await;
        assert_eq!((answer.status, answer.text()), (StatusCode::OK, relayed(content)));
    }
    let answer = client.post("/relay?url=http://10.0.0.1/", "posted").await;
    assert_eq!(answer.status, StatusCode::BAD_GATEWAY);
    assert!(answer.text().starts_with("Sending request failed"), "{}", answer.text());
}

fn relayed(content: &str) -> String {
    format!("{}\n{content}", content.len())
}

#[tokio::test]
async fn names_are_looked_up_by_whom_a_function_names() {
    let (project, names) = (project(), NameServer::saying("it is so").await);
    let node = node(&project, json!({"allow": [names.address().to_string()]})).await;
    let path = format!("/lookup?kind=t&name=x.test&server={}", names.address());
    assert_eq!(get(&node, &path).await, (StatusCode::OK, "it is so\n".to_owned()));
}

#[tokio::test]
async fn what_is_not_allowed_is_refused_and_told_in_the_log() {
    let (project, upstream) = (project(), Upstream::start().await);
    let node = node(&project, json!({})).await;
    let port = upstream.address().port();
    for host in ["127.0.0.1", "localhost", "[::ffff:127.0.0.1]"] {
        let (status, text) = get(&node, &format!("/get?url=http://{host}:{port}/hello")).await;
        assert_eq!(status, StatusCode::BAD_GATEWAY);
        assert!(text.contains("DestinationIpProhibited"), "{text}");
        let (status, text) = get(&node, &format!("/fetch?url=http://{host}:{port}/hello")).await;
        assert_eq!((status, &*text), (StatusCode::BAD_GATEWAY, "doHttpRequest 13\n"));
    }
    assert_eq!(upstream.connections(), 0);
    let line = logged(&node, &format!("http://localhost:{port}")).await;
    assert!(
        line.contains("is this machine's own address") && line.contains("`outbound`"),
        "{line}"
    );
    let (_, text) = get(&node, "/lookup?kind=a&name=127.0.0.1").await;
    assert_eq!(text, "size 103\n");
    let (_, text) =
        get(&node, &format!("/lookup?kind=t&name=x.test&server=127.0.0.1:{port}")).await;
    assert_eq!(text, "size 102\n");
    logged(&node, "looking up `x.test` failed: denied").await;
}

#[tokio::test]
async fn a_developers_functions_call_what_runs_beside_them() {
    let (project, upstream) = (project(), Upstream::start().await);
    let node = TestNode::dev(project.path()).await;
    let path = format!("/get?url={}", upstream.url("/hello"));
    assert_eq!(get(&node, &path).await, (StatusCode::OK, "hello from outside".to_owned()));
    let checked = headgate(project.path(), &["check"]).await;
    let told = String::from_utf8_lossy(&checked.stdout).into_owned();
    assert!(checked.status.success() && told.contains("no problems"), "{told}");
}

#[tokio::test]
async fn bodies_pass_through_a_function_as_they_come() {
    let (project, upstream) = (project(), Upstream::start().await);
    let node = node(&project, json!({"allow": ["127.0.0.0/8"]})).await;
    for protocol in [Protocol::Http1, Protocol::Https2] {
        let mut client = node.client(protocol, HOST).await;
        let path = format!("/proxy?url={}", upstream.url("/echo"));
        let (mut upload, mut answer) = client.converse(&path).await;
        for piece in ["second", "third"] {
            upload.send_data(piece.into()).await.unwrap();
            assert_eq!(answer.chunk().await.unwrap().unwrap(), piece);
        }
        drop(upload);
        assert_eq!(answer.chunk().await.unwrap(), None);
    }

    let before = node.resident_bytes();
    let mut client = node.client(Protocol::Http1, HOST).await;
    let path = format!("/get?url={}", upstream.url("/endless"));
    let request = client.request(http::Method::GET, &path).body(headgate_tests::empty()).unwrap();
    let mut endless = client.open(request).await.unwrap();
    let mut read = 0;
    while read < 64 << 20 {
        read += endless.chunk().await.unwrap().expect("it has no end").len();
    }
    let grown = node.resident_bytes().saturating_sub(before);
    assert!(grown < 32 << 20, "{grown} bytes are kept of what was passed on");
    assert_eq!(upstream.endless(), 1);
    drop((endless, client));
    eventually("the call ends with its request", async || (upstream.endless() == 0).then_some(()))
        .await;
}

#[tokio::test]
async fn a_server_that_does_not_answer_is_given_up() {
    let (project, upstream) = (project(), Upstream::start().await);
    let node = node(&project, json!({"allow": ["127.0.0.0/8"]})).await;
    let path = format!("/get?url={}&first_ms=100", upstream.url("/hang"));
    let (status, text) = get(&node, &path).await;
    assert_eq!((status, &*text), (StatusCode::BAD_GATEWAY, "ErrorCode::ConnectionReadTimeout\n"));
    logged(&node, "it did not answer in time").await;
}

#[tokio::test]
async fn a_flood_of_calls_has_an_end() {
    let (project, upstream) = (project(), Upstream::start().await);
    let node = node(&project, json!({"allow": ["127.0.0.0/8"]})).await;
    let path = format!("/flood?url={}&count=600", upstream.url("/hello"));
    let (status, text) = get(&node, &path).await;
    assert_eq!(status, StatusCode::OK);
    assert!(text.contains("500 ok") && text.contains("100 ErrorCode::ConnectionLimit"), "{text}");
    assert_eq!(upstream.requests(), 500);
    assert!(upstream.connections() <= 500);
    logged(&node, "which may make 500").await;
}
