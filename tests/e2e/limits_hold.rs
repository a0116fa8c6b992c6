//! Whatever a stranger controls has a limit, and over it he is told so.
//!
//! Limits of time below HTTP (slow heads, idle connections, slow bodies) are tested with short ones in
//! `gateway/edge`; so are those for each client address, which do not bind loopback.

use std::time::Duration;

use bytes::Bytes;
use headgate_tests::{Protocol, TestNode, body, empty, eventually, fixture};
use http::{Method, StatusCode};
use http_body_util::{BodyExt, channel::Channel};
use serde_json::{Value, json};
use tokio::time::Instant;

const HOST: &str = "shop.example.com";

fn shop(settings: Value) -> Value {
    let mut config = json!({"projects": [{"name": "shop", "config": fixture("shop")}]});
    for (key, value) in settings.as_object().into_iter().flatten() {
        config[key] = value.clone();
    }
    config
}

#[tokio::test]
async fn a_function_takes_so_many_requests_at_once_and_so_many_wait() {
    let node = TestNode::run(shop(json!({"executor": {"concurrency": 2, "queue": 1}}))).await;
    let mut first = node.client(Protocol::Http1, HOST).await;
    let (first_end, _first) = first.converse("/api/echo").await;
    let mut second = node.client(Protocol::Https2, HOST).await;
    let _second = second.converse("/api/echo").await;
    let mut third = node.client(Protocol::Http1, HOST).await;
    let waiting = tokio::spawn(async move { third.get("/api/hello").await });
    metric(&node, "headgate_executor_queued", 1.0).await;

    for protocol in Protocol::ALL {
        let mut client = node.client(protocol, HOST).await;
        let refused = client.get("/api/hello").await;
        assert_eq!(refused.status, StatusCode::SERVICE_UNAVAILABLE, "over {protocol:?}");
        assert!(refused.header("retry-after").parse::<u32>().is_ok(), "{:?}", refused.headers);
        assert_eq!(client.get("/hello").await.status, StatusCode::OK, "another function has room");
    }
    drop(first_end);
    assert_eq!(
        waiting.await.unwrap().text(),
        "Hello from a component\n",
        "who waited has his turn"
    );
}

#[tokio::test]
async fn a_body_that_is_too_long_is_refused() {
    let node = TestNode::run(shop(json!({"limits": {"request_body": "1KiB"}}))).await;
    for protocol in Protocol::ALL {
        for path in ["/count", "/api/echo"] {
            let fits = node.client(protocol, HOST).await.post(path, vec![b'x'; 1024]).await;
            assert_eq!(fits.status, StatusCode::OK, "{path} over {protocol:?}");
            let announced = node.client(protocol, HOST).await.post(path, vec![b'x'; 1025]).await;
            assert_eq!(announced.status, StatusCode::PAYLOAD_TOO_LARGE, "{path} over {protocol:?}");
        }
        // Without a length it shows only on the way: nothing is answered yet, so 413 still can be.
        let mut client = node.client(protocol, HOST).await;
        let (mut upload, content) = Channel::<Bytes>::new(2);
        for _ in 0..2 {
            upload.send_data(vec![b'x'; 700].into()).await.unwrap();
        }
        let request = client.request(Method::POST, "/count").body(content.boxed_unsync()).unwrap();
        let answer =
            client.open(request).await.unwrap_or_else(|e| panic!("over {protocol:?}: {e:?}"));
        assert_eq!(answer.status, StatusCode::PAYLOAD_TOO_LARGE, "over {protocol:?}");
    }
    metric(&node, "headgate_executor_in_flight", 0.0).await;
}

/// Nobody reads the upload, which is more than a stream's window holds; its client is answered all the same,
/// and may use the connection for more.
#[tokio::test]
async fn an_answer_that_comes_before_the_end_of_an_upload_arrives_whole() {
    let node = TestNode::run(shop(json!({}))).await;
    for protocol in [Protocol::H2c, Protocol::Https2] {
        let mut client = node.client(protocol, HOST).await;
        for path in ["/no-such-page", "/no/such/page"] {
            let early = client.post(path, vec![b'x'; 3 << 20]).await;
            assert_eq!(early.status, StatusCode::NOT_FOUND, "{path} over {protocol:?}");
            assert!(!early.text().is_empty(), "its text is there: {early:?}");
        }
        assert_eq!(client.get("/hello").await.status, StatusCode::OK, "over {protocol:?}");
    }
}

#[tokio::test]
async fn a_head_that_is_too_large_is_refused() {
    let node = TestNode::run(shop(json!({}))).await;
    let long = "x".repeat(9 * 1024);
    let fields: String = (0..101).map(|n| format!("x-{n}: 1\r\n")).collect();
    for (request, status) in [
        (format!("GET /{long} HTTP/1.1\r\nHost: {HOST}\r\n\r\n"), 414),
        (
            format!(
                "GET / HTTP/1.1\r\nHost: {HOST}\r\n{}\r\n",
                format!("x-big: {long}\r\n").repeat(4)
            ),
            431,
        ),
        (format!("GET / HTTP/1.1\r\nHost: {HOST}\r\n{fields}\r\n"), 431),
    ] {
        let answer = node.raw().await.exchange(&request).await;
        assert!(answer.starts_with(&format!("HTTP/1.1 {status} ")), "{status}: {answer}");
    }
    assert_eq!(node.get(HOST, "/hello").await.status, StatusCode::OK);
}

#[tokio::test]
async fn a_head_that_is_too_large_is_refused_in_http_2_as_well() {
    let node = TestNode::run(shop(json!({}))).await;
    for protocol in [Protocol::H2c, Protocol::Https2] {
        let mut client = node.client(protocol, HOST).await;
        let path = format!("/{}", "x".repeat(9 * 1024));
        let answer = client.try_ask(Method::GET, &path, &[], empty()).await;
        let refused =
            answer.as_ref().map_or(true, |answer| answer.status == StatusCode::URI_TOO_LONG);
        assert!(refused, "a target of 9 KiB over {protocol:?}: {answer:?}");

        let mut client = node.client(protocol, HOST).await;
        let long = "x".repeat(9 * 1024);
        let fields = [("x-a", &*long), ("x-b", &long), ("x-c", &long), ("x-d", &long)];
        let answer = client.try_ask(Method::GET, "/hello", &fields, empty()).await;
        let too_large = StatusCode::REQUEST_HEADER_FIELDS_TOO_LARGE;
        let refused = answer.as_ref().map_or(true, |answer| answer.status == too_large);
        assert!(refused, "36 KiB of fields over {protocol:?}: {answer:?}");
    }
}

#[tokio::test]
async fn a_request_that_can_be_read_in_two_ways_is_refused() {
    let node = TestNode::run(shop(json!({}))).await;
    for (fields, status) in [
        ("Content-Length: 5\r\nTransfer-Encoding: chunked\r\n", 400),
        ("Content-Length: 5\r\nContent-Length: 6\r\n", 400),
        ("Transfer-Encoding: gzip, chunked\r\n", 501),
        ("Content-Length : 5\r\n", 400),
        ("X-Folded: a\r\n b\r\n", 400),
        ("Host: other.example.com\r\n", 400),
    ] {
        let request = format!(
            "POST /count HTTP/1.1\r\nHost: {HOST}\r\n{fields}\r\n0\r\n\r\nGET /smuggled HTTP/1.1\r\n\r\n"
        );
        let answer = node.raw().await.exchange(request).await;
        assert!(answer.starts_with(&format!("HTTP/1.1 {status} ")), "{fields:?}: {answer}");
        assert_eq!(
            answer.lines().filter(|line| line.starts_with("HTTP/1.1 ")).count(),
            1,
            "the connection ends there: {answer}"
        );
    }
    let rest = node
        .raw()
        .await
        .exchange(format!("GET / HTTP/1.1\r\nHost: {HOST}\r\nX: a\0b\r\n\r\n"))
        .await;
    assert!(rest.starts_with("HTTP/1.1 400 "), "{rest}");
}

/// Its client may send the body or not, so the next bytes could be read in two ways.
#[tokio::test]
async fn an_answer_to_a_client_that_waits_to_send_its_body_ends_the_connection() {
    let node = TestNode::run(shop(json!({}))).await;
    let request = format!(
        "POST / HTTP/1.1\r\nHost: {HOST}\r\nExpect: 100-continue\r\nContent-Length: 5\r\n\r\n"
    );
    let answer = node.raw().await.exchange(request).await;
    assert!(answer.starts_with("HTTP/1.1 404 ") || answer.starts_with("HTTP/1.1 405 "), "{answer}");
    assert!(answer.to_ascii_lowercase().contains("connection: close"), "{answer}");
}

#[tokio::test]
async fn an_upgrade_to_http_2_in_the_clear_is_not_taken() {
    let node = TestNode::run(shop(json!({}))).await;
    let answer = node
        .raw()
        .await
        .exchange(format!(
            "GET /hello HTTP/1.1\r\nHost: {HOST}\r\nConnection: Upgrade, HTTP2-Settings, close\r\n\
             Upgrade: h2c\r\nHTTP2-Settings: AAMAAABkAAQAoAAAAAIAAAAA\r\n\r\n"
        ))
        .await;
    assert!(!answer.contains(" 101 "), "{answer}");
}

#[tokio::test]
async fn connections_that_never_finish_a_request_do_not_stop_the_others() {
    let node = TestNode::run(shop(json!({}))).await;
    let mut slow = Vec::new();
    for n in 0..200 {
        let mut raw = node.raw().await;
        raw.send(format!("GET /{n} HTTP/1.1\r\nHost: {HOST}\r\nX-Slow: ")).await;
        slow.push(raw);
    }
    for protocol in Protocol::ALL {
        let begun = Instant::now();
        assert_eq!(node.client(protocol, HOST).await.get("/hello").await.status, StatusCode::OK);
        assert!(
            begun.elapsed() < Duration::from_secs(2),
            "over {protocol:?}: {:?}",
            begun.elapsed()
        );
    }
    for raw in &mut slow {
        assert!(raw.send("x").await, "and none of them was cut before its time");
    }
}

#[tokio::test]
async fn a_node_takes_so_many_connections_and_sends_the_next_away() {
    let node = TestNode::run(shop(json!({"limits": {"max_connections": 5}}))).await;
    let mut held = Vec::new();
    for _ in 0..5 {
        let mut client = node.client(Protocol::Http1, HOST).await;
        client.get("/hello").await;
        held.push(client);
    }
    let answer =
        node.raw().await.exchange(format!("GET /hello HTTP/1.1\r\nHost: {HOST}\r\n\r\n")).await;
    assert!(answer.is_empty() || answer.starts_with("HTTP/1.1 503 "), "{answer}");
    if !answer.is_empty() {
        assert!(answer.to_ascii_lowercase().contains("retry-after: "), "{answer}");
    }
    drop(held.pop());
    eventually("there is room for one more", async || {
        let request = format!("GET /hello HTTP/1.1\r\nHost: {HOST}\r\nConnection: close\r\n\r\n");
        node.raw().await.exchange(request).await.starts_with("HTTP/1.1 200 ").then_some(())
    })
    .await;
}

#[tokio::test]
async fn a_client_that_leaves_frees_its_instance() {
    let node = TestNode::run(shop(json!({}))).await;
    for protocol in Protocol::ALL {
        let mut client = node.client(protocol, HOST).await;
        let held = client.converse("/api/echo").await;
        metric(&node, "headgate_executor_in_flight", 1.0).await;
        let begun = Instant::now();
        drop((held, client));
        metric(&node, "headgate_executor_in_flight", 0.0).await;
        // The function itself would have gone on for ten seconds.
        assert!(
            begun.elapsed() < Duration::from_secs(5),
            "over {protocol:?}: {:?}",
            begun.elapsed()
        );
    }
}

#[tokio::test]
async fn a_guest_can_ask_for_no_more_than_the_node_grants() {
    let node = TestNode::run(json!({
        "executor": {"memory_limit": "2MiB"},
        "projects": [{"name": "hostile", "config": fixture("hostile")}],
    }))
    .await;
    let mut client = node.client(Protocol::Http1, "hostile.example.com").await;
    assert_eq!(client.get("/h/ok").await.status, StatusCode::OK);
    assert_eq!(client.get("/core/bomb").await.status, StatusCode::BAD_GATEWAY);
    let refusals = node.metrics().await.sum("headgate_executor_memory_refusals_total");
    assert!(refusals > 0.0, "the node, not the guest, said no");
}

#[tokio::test]
async fn a_get_may_have_a_body() {
    let node = TestNode::run(shop(json!({}))).await;
    for path in ["/hello", "/", "/no-such-page"] {
        let mut client = node.client(Protocol::Http1, HOST).await;
        let answer = client.ask(Method::GET, path, &[], body(vec![b'x'; 100_000])).await;
        // After a body that nobody read, the connection is closed with notice, or still in step.
        if answer.header("connection") != "close" {
            assert_eq!(client.get("/ping").await.text(), "PONG", "{path}");
        }
    }
}

async fn metric(node: &TestNode, name: &str, value: f64) {
    eventually(&format!("{name} is {value}"), async || {
        (node.metrics().await.value(name)? == value).then_some(())
    })
    .await;
}
