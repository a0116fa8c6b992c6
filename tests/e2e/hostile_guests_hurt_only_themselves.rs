//! Functions that loop, swallow memory, trap or flood: each is ended at its own limit, its client is never told
//! a lie, and nobody else notices.

use std::time::Duration;

use headgate_tests::{Answer, Project, Protocol, TestNode, empty, eventually, fixture, guest};
use http::{Method, StatusCode};
use serde_json::Value;
use tokio::{
    net::TcpListener,
    task::JoinSet,
    time::{Instant, timeout},
};

const HOST: &str = "hostile.example.com";

/// The `timeout` of every function of the fixture.
const DEADLINE: Duration = Duration::from_secs(1);
/// What a busy machine and a debug build may add to it.
const SLACK: Duration = Duration::from_secs(1);

#[tokio::test]
async fn a_guest_that_never_answers_is_ended_at_its_deadline() {
    let node = TestNode::dev(fixture("hostile")).await;
    for path in ["/h/loop", "/h/never", "/core/spin"] {
        for protocol in [Protocol::Http1, Protocol::Https2] {
            let mut client = node.client(protocol, HOST).await;
            let begun = Instant::now();
            let answer = client.get(path).await;
            let took = begun.elapsed();
            assert_eq!(answer.status, StatusCode::GATEWAY_TIMEOUT, "{path}");
            assert!((DEADLINE..DEADLINE + SLACK).contains(&took), "{path} after {took:?}");
            assert_eq!(
                client.get("/core/flush").await.text(),
                "ab",
                "the connection is still good"
            );
        }
    }
    recovered(&node).await;
}

#[tokio::test]
async fn a_function_that_only_traps_rests() {
    let node = TestNode::dev(fixture("hostile")).await;
    let mut client = node.client(Protocol::Http1, HOST).await;
    let begun = Instant::now();
    let rests = eventually("the function rests", || async {
        let answer = node.get(HOST, "/core/trap").await;
        (answer.status != StatusCode::BAD_GATEWAY).then_some(answer)
    });
    let rests = rests.await;
    assert_eq!(rests.status, StatusCode::SERVICE_UNAVAILABLE);
    assert!(begun.elapsed() >= Duration::from_secs(5), "a burst is no reason");
    assert_eq!(rests.headers["retry-after"], "1");
    assert_eq!(client.get("/core/flush").await.text(), "ab");
    let metrics = node.metrics().await;
    assert_eq!(metrics.value("headgate_executor_rests_total"), Some(1.0));
    eventually("a line says so", || async {
        let lines = node.log().into_iter().filter(|line| line.contains("function rests"));
        (lines.count() == 1).then_some(())
    })
    .await;
    eventually("the command line says so, too", || async {
        node.get(HOST, "/core/trap").await;
        let functions = node.command(&["functions", "trap"]).await;
        let told = String::from_utf8_lossy(&functions.stdout).into_owned();
        told.contains("s more, because it only traps").then_some(())
    })
    .await;
    // One call a second later is tried.
    let status = eventually("it is tried again", || async {
        let status = node.get(HOST, "/core/trap").await.status;
        (status != StatusCode::SERVICE_UNAVAILABLE).then_some(status)
    });
    assert_eq!(status.await, StatusCode::BAD_GATEWAY);
}

#[tokio::test]
async fn neighbours_are_answered_while_guests_loop() {
    let node = TestNode::dev(fixture("hostile")).await;
    let mut loops = JoinSet::new();
    for path in ["/h/loop", "/core/spin", "/h/loop", "/core/spin"] {
        let mut client = node.client(Protocol::Http1, HOST).await;
        loops.spawn(async move { client.get(path).await.status });
    }
    running(&node, 4.0).await;
    let mut client = node.client(Protocol::Http1, HOST).await;
    let mut answers = 0;
    while loops.len() == 4 {
        let begun = Instant::now();
        assert_eq!(client.get("/core/flush").await.text(), "ab");
        // Twice as many loops as workers: each waits for its turn, an epoch tick each.
        assert!(begun.elapsed() < DEADLINE / 2, "a neighbour waited {:?}", begun.elapsed());
        answers += 1;
        if let Some(ended) = loops.try_join_next() {
            assert_eq!(ended.unwrap(), StatusCode::GATEWAY_TIMEOUT);
        }
    }
    assert!(answers > 3, "{answers} answers in a second");
    for status in loops.join_all().await {
        assert_eq!(status, StatusCode::GATEWAY_TIMEOUT);
    }
    recovered(&node).await;
}

#[tokio::test]
async fn a_guest_that_breaks_is_answered_502() {
    let node = TestNode::dev(fixture("hostile")).await;
    let paths = [
        "/h/memory",
        "/h/stack",
        "/h/trap",
        "/h/no-response",
        "/core/bomb",
        "/core/recurse",
        "/core/trap",
    ];
    for path in paths {
        for protocol in Protocol::ALL {
            let mut client = node.client(protocol, HOST).await;
            let answer = client.get(path).await;
            assert_eq!(answer.status, StatusCode::BAD_GATEWAY, "{path} over {protocol:?}");
            let told = answer.text();
            assert!(!told.contains("unreachable") && !told.contains("wasm"), "{path} tells {told}");
            assert_eq!(
                client.get("/core/flush").await.text(),
                "ab",
                "the connection is still good"
            );
        }
    }
    recovered(&node).await;
}

#[tokio::test]
async fn an_answer_that_breaks_off_never_looks_whole() {
    let node = TestNode::dev(fixture("hostile")).await;
    for path in ["/h/partial", "/h/partial-chunked"] {
        for protocol in Protocol::ALL {
            let mut client = node.client(protocol, HOST).await;
            let answer = client.try_ask(Method::GET, path, &[], empty()).await;
            let honest =
                answer.as_ref().map_or(true, |answer| answer.status == StatusCode::BAD_GATEWAY);
            assert!(honest, "{path} over {protocol:?} is {answer:?}");
        }
    }
    // What a client sees that knows nothing but the connection's end.
    let request = format!("GET /h/partial-chunked HTTP/1.1\r\nHost: {HOST}\r\n\r\n");
    let answer = node.raw().await.exchange(request).await;
    assert!(answer.contains(" 502 ") || !answer.ends_with("0\r\n\r\n"), "{answer}");
    recovered(&node).await;
}

#[tokio::test]
async fn a_body_without_end_is_cut_at_the_deadline() {
    let node = TestNode::dev(fixture("hostile")).await;
    for path in ["/h/flood", "/h/slow-body"] {
        for protocol in Protocol::ALL {
            let mut client = node.client(protocol, HOST).await;
            let request = client.request(Method::GET, path).body(empty()).unwrap();
            let begun = Instant::now();
            let stream = client.open(request).await.unwrap();
            assert_eq!(stream.status, StatusCode::OK);
            let (bytes, ended) = stream.pour().await;
            assert!(ended.is_err(), "{path} over {protocol:?} looks whole after {bytes} bytes");
            let took = begun.elapsed();
            assert!(bytes > 0 && took < DEADLINE + SLACK, "{path}: {bytes} bytes in {took:?}");
        }
    }
    recovered(&node).await;
}

#[tokio::test]
async fn a_client_that_reads_nothing_does_not_keep_a_flooding_guest() {
    let node = TestNode::dev(fixture("hostile")).await;
    let mut raw = node.raw().await;
    raw.send(format!("GET /h/flood HTTP/1.1\r\nHost: {HOST}\r\n\r\n")).await;
    running(&node, 1.0).await;
    let begun = Instant::now();
    running(&node, 0.0).await;
    assert!(begun.elapsed() < DEADLINE + 2 * SLACK, "held for {:?}", begun.elapsed());
    drop(raw);
    recovered(&node).await;
}

#[tokio::test]
async fn a_guest_whose_client_leaves_is_ended_at_once() {
    let node = TestNode::dev(fixture("hostile")).await;
    for protocol in Protocol::ALL {
        let before = node.metrics().await.value(CANCELLED).unwrap_or_default();
        let mut client = node.client(protocol, HOST).await;
        let request = client.request(Method::GET, "/h/flood").body(empty()).unwrap();
        let mut stream = client.open(request).await.unwrap();
        stream.chunk().await.unwrap().expect("the flood begins");
        drop((stream, client));
        eventually("the guest is ended as cancelled", async || {
            let metrics = node.metrics().await;
            (metrics.value(CANCELLED).unwrap_or_default() > before).then_some(())
        })
        .await;
    }
    recovered(&node).await;
}

const CANCELLED: &str = r#"headgate_executor_invocations_total{result="cancelled"}"#;

#[tokio::test]
async fn a_guest_that_prints_without_end_fills_no_log() {
    let node = TestNode::dev(fixture("hostile")).await;
    let answer = node.get(HOST, "/h/log").await;
    // A debug build may not take a hundred megabytes within a second.
    assert!(matches!(answer.status.as_u16(), 200 | 504), "{}", answer.status);
    let id = answer.header("x-request-id");
    let lines: Vec<Value> = node
        .admin("/logs")
        .await
        .text()
        .lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .filter(|line: &Value| line["request_id"] == *id)
        .collect();
    let printed: usize = lines.iter().map(|line| line["text"].as_str().unwrap().len()).sum();
    assert!(printed > 10_000 && printed < 128 << 10, "{printed} bytes are kept");
    assert!(lines.iter().any(|line| line["text"].as_str().unwrap().contains("truncated")));
    recovered(&node).await;
}

#[tokio::test]
async fn a_head_without_measure_is_not_passed_on() {
    let node = TestNode::dev(fixture("hostile")).await;
    for protocol in Protocol::ALL {
        let answer = node.client(protocol, HOST).await.get("/h/headers").await;
        // Either the guest is refused the fields, and says so, or its answer is refused.
        assert!(matches!(answer.status.as_u16(), 500 | 502), "{}", answer.status);
        assert!(answer.headers.len() < 100, "{} fields", answer.headers.len());
    }
    recovered(&node).await;
}

#[tokio::test]
async fn a_guest_finds_no_files() {
    let node = TestNode::dev(fixture("hostile")).await;
    assert_eq!(node.get(HOST, "/h/files").await.text(), "0 preopened directories");
}

#[tokio::test]
async fn a_guest_reaches_no_network() {
    let project = Project::small("small.example.com", "one");
    project.write("functions/hello.wasm", guest("hostile-sockets"));
    let yaml = std::fs::read_to_string(project.path().join("functions/hello.yaml")).unwrap();
    project.write("functions/hello.yaml", yaml.replace("memory: 1MB", "memory: 8MB"));
    let node = TestNode::dev(project.path()).await;
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    let answer = node.get("small.example.com", &format!("/hello?{port}")).await;
    assert_eq!(answer.text(), "access-denied");
}

#[tokio::test]
async fn pointers_beyond_a_guests_memory_are_errors_of_its_own() {
    let node = TestNode::dev(fixture("hostile")).await;
    let answer = node.get(HOST, "/core/bad_pointers").await;
    assert_eq!(answer.status, StatusCode::OK);
    for line in
        answer.text().lines().filter(|line| !line.contains(":count") && !line.contains(":size"))
    {
        assert!(!line.ends_with(" 0"), "taken as good: {line}");
    }
    let content: Vec<u8> = (0..100_000_u32).map(|n| (n % 253) as u8).collect();
    let mut client = node.client(Protocol::Http1, HOST).await;
    assert!(client.post("/core/body_echo", content.clone()).await.body == content);
    assert_eq!(
        client.get("/core/quiet").await.status,
        StatusCode::OK,
        "silence is an empty answer"
    );
}

#[tokio::test]
async fn a_crowd_of_memory_bombs_leaves_no_memory_behind() {
    let node = TestNode::dev(fixture("hostile")).await;
    node.get(HOST, "/h/ok").await;
    let before = node.resident_bytes();
    let mut bombs = JoinSet::new();
    for n in 0..40 {
        let mut client = node.client(Protocol::Http1, HOST).await;
        let path = if n % 2 == 0 { "/h/memory" } else { "/core/bomb" };
        bombs.spawn(async move { client.get(path).await });
    }
    for answer in bombs.join_all().await {
        // Those that waited too long for the others are out of time.
        assert!(matches!(answer.status.as_u16(), 502 | 504), "{}", answer.status);
    }
    recovered(&node).await;
    // Forty guests touched 32 MiB each; what stays is a little for each slot, and the allocator's.
    let kept = node.resident_bytes().saturating_sub(before);
    assert!(kept < 200 << 20, "{kept} bytes more than before");
}

/// Nothing runs any more, and two hundred requests are answered as if nothing had been.
async fn recovered(node: &TestNode) {
    running(node, 0.0).await;
    let mut client = node.client(Protocol::H2c, HOST).await;
    let all = async {
        for _ in 0..100 {
            let ok: Answer = client.get("/h/ok").await;
            assert_eq!((ok.status, ok.text()), (StatusCode::OK, "ok".into()));
            assert_eq!(client.get("/core/flush").await.text(), "ab");
        }
    };
    timeout(headgate_tests::PATIENCE, all).await.expect("two hundred requests are answered");
}

async fn running(node: &TestNode, guests: f64) {
    eventually(&format!("{guests} guests run"), async || {
        let running = node.metrics().await.value("headgate_executor_in_flight")?;
        (running == guests).then_some(())
    })
    .await;
}
