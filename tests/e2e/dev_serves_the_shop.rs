//! `headgate dev` on the example project answers everything in it, whatever the client speaks.

use std::time::Duration;

use bytes::Bytes;
use headgate_tests::{Body, Client, Project, Protocol, TestNode, body, empty, fixture};
use http::{Method, StatusCode, header};
use http_body_util::{BodyExt, channel::Channel};
use serde_json::json;
use tokio::time::Instant;

const HOST: &str = "shop.example.com";

#[tokio::test]
async fn every_function_answers_in_every_protocol() {
    let node = TestNode::dev(fixture("shop")).await;
    for protocol in Protocol::ALL {
        let mut client = node.client(protocol, HOST).await;
        let hello = client.get("/hello").await;
        assert_eq!(hello.version, protocol.version());
        assert_eq!(
            (hello.text(), hello.header("content-type")),
            ("Hello, world!".into(), "text/plain")
        );
        assert_eq!(client.get("/ping").await.text(), "PONG");
        let greeting = json!({"greeting": "Hello, Ada", "language": "javascript"});
        assert_eq!(client.get("/greet?name=Ada").await.json(), greeting);
        assert_eq!(client.post("/greet", r#"{"name":"Ada"}"#).await.json(), greeting);
        let counted = client.post("/count", "A loaf of bread, a pot of honey.").await;
        assert_eq!(counted.json(), json!({"words": 8, "bytes": 32}));
        assert_eq!(client.get("/greeting").await.text(), "Welcome to the shop");
        assert_eq!(client.get("/api/hello").await.text(), "Hello from a component\n");
        assert_eq!(client.get("/admin/health").await.status, StatusCode::OK);
        for status in [204, 201, 404, 503] {
            let answer = client.get(&format!("/api/status/{status}")).await;
            assert_eq!(answer.status, status, "over {protocol:?}");
        }
    }
}

#[tokio::test]
async fn the_website_is_served_beside_the_functions() {
    let node = TestNode::dev(fixture("shop")).await;
    for protocol in Protocol::ALL {
        let mut client = node.client(protocol, HOST).await;
        let page = client.get("/").await;
        assert_eq!(
            (page.status, page.header("content-type")),
            (StatusCode::OK, "text/html; charset=utf-8")
        );
        assert!(page.text().contains("The Corner Shop"));
        assert_eq!(client.get("/docs/").await.status, StatusCode::OK);
        let missing = client.get("/no-such-page").await;
        assert_eq!(missing.status, StatusCode::NOT_FOUND);
        assert!(missing.text().contains("Not on any shelf"), "the site's own page");
    }
}

#[tokio::test]
async fn a_method_that_no_route_takes_is_answered_405_with_those_that_are() {
    let node = TestNode::dev(fixture("shop")).await;
    for protocol in Protocol::ALL {
        let mut client = node.client(protocol, HOST).await;
        for (path, allow) in
            [("/hello", "GET, HEAD"), ("/count", "POST"), ("/greet", "GET, HEAD, POST")]
        {
            let answer = client.ask(Method::DELETE, path, &[], empty()).await;
            assert_eq!(answer.status, StatusCode::METHOD_NOT_ALLOWED, "{path}");
            assert_eq!(answer.header("allow"), allow, "{path}");
        }
        // A site at `/` has every path, so its methods say nothing about this one.
        let answer = client.post("/docs/", "x").await;
        assert_eq!(answer.status, StatusCode::NOT_FOUND);
    }
    // Where only POST is a function's, GET is the site's.
    assert_eq!(node.get(HOST, "/count").await.status, StatusCode::NOT_FOUND);
    assert_eq!(node.get("api.example.com", "/count").await.status, StatusCode::METHOD_NOT_ALLOWED);
}

#[tokio::test]
async fn a_streamed_answer_arrives_piece_by_piece() {
    let node = TestNode::dev(fixture("shop")).await;
    for protocol in Protocol::ALL {
        let mut client = node.client(protocol, HOST).await;
        let request = client.request(Method::GET, "/api/stream").body(empty()).unwrap();
        let mut stream = client.open(request).await.unwrap();
        let first = stream.chunk().await.unwrap().expect("a first piece");
        let begun = Instant::now();
        let (mut text, mut pieces) = (first.to_vec(), 1);
        while let Some(piece) = stream.chunk().await.unwrap() {
            text.extend_from_slice(&piece);
            pieces += 1;
        }
        assert_eq!(String::from_utf8(text).unwrap(), "tick 0\ntick 1\ntick 2\ntick 3\ntick 4\n");
        // Four pauses of 100 ms lie between the first tick and the last.
        assert!(begun.elapsed() > Duration::from_millis(200), "held back over {protocol:?}");
        assert!(pieces > 2, "{pieces} pieces over {protocol:?}");
    }
}

#[tokio::test]
async fn an_upload_is_answered_while_it_is_still_sent() {
    let node = TestNode::dev(fixture("shop")).await;
    for protocol in Protocol::ALL {
        let mut client = node.client(protocol, HOST).await;
        let (mut upload, content) = Channel::<Bytes>::new(1);
        let request =
            client.request(Method::POST, "/api/echo").body(content.boxed_unsync()).unwrap();
        upload.send_data("first ".into()).await.unwrap();
        let mut echo = client.open(request).await.unwrap();
        assert_eq!(
            echo.chunk().await.unwrap().as_deref(),
            Some(&b"first "[..]),
            "over {protocol:?}"
        );
        upload.send_data("second".into()).await.unwrap();
        assert_eq!(echo.chunk().await.unwrap().as_deref(), Some(&b"second"[..]));
        drop(upload);
        assert_eq!(echo.chunk().await.unwrap(), None);
    }
}

#[tokio::test]
async fn a_large_body_goes_through_unchanged() {
    let node = TestNode::dev(fixture("shop")).await;
    let content: Bytes = (0..3_000_000_u32).map(|n| (n % 251) as u8).collect::<Vec<_>>().into();
    for protocol in Protocol::ALL {
        let echo = node.client(protocol, HOST).await.post("/api/echo", content.clone()).await;
        assert!(echo.body == content, "changed over {protocol:?}");
        let big = node.client(protocol, HOST).await.get("/api/big?bytes=2000000").await;
        assert_eq!((big.header("content-length"), big.body.len()), ("2000000", 2_000_000));
    }
}

#[tokio::test]
async fn a_project_is_reached_by_every_name_it_has() {
    let node = TestNode::dev(fixture("shop")).await;
    for (host, path, status) in [
        ("shop.example.com", "/hello", 200),
        ("SHOP.example.com:8080", "/hello", 200),
        ("shop.localhost", "/hello", 200),
        ("localhost", "/hello", 200),
        ("localhost", "/", 200),
        ("127.0.0.1", "/hello", 200),
        ("api.example.com", "/hello", 200),
        ("api.localhost", "/hello", 200),
        ("admin.localhost", "/admin/health", 200),
        // A name of its own goes before the wildcard, which takes one label and never none.
        ("ann.shop.example.com", "/hello", 200),
        ("ann.shop.example.com", "/ping", 404),
        ("admin.shop.example.com", "/admin/health", 200),
        ("admin.shop.example.com", "/hello", 404),
        ("a.b.shop.example.com", "/hello", 404),
        // Only the shop has the site.
        ("api.example.com", "/", 404),
        ("elsewhere.example.com", "/hello", 404),
    ] {
        assert_eq!(node.get(host, path).await.status, status, "{host}{path}");
    }
}

#[tokio::test]
async fn path_parameters_reach_the_function_and_cannot_be_forged() {
    let node = TestNode::dev(fixture("shop")).await;
    let mut client = node.client(Protocol::Http1, HOST).await;
    let forged = [("x-headgate-param-id", "1"), ("x-headgate-param-path", "forged")];
    let user = client.get_with("/api/users/4%202?x=1", &forged).await;
    let expected = json!({"id": "4 2", "method": "GET", "path_with_query": "/api/users/4%202?x=1"});
    assert_eq!(user.json(), expected);
    let file = client.get_with("/files/a/b.txt", &forged).await;
    assert_eq!(file.json()["path"], "a/b.txt");
    let headers = client.get_with("/api/headers", &forged).await.json();
    assert_eq!(headers.get("x-headgate-param-id"), None, "a route without parameters has none");
}

#[tokio::test]
async fn variables_are_a_functions_environment_and_env_files_change_them() {
    let shop = Project::copy_of("shop");
    let node = TestNode::dev(shop.path()).await;
    let given = json!({"CURRENCY": "EUR", "SHOP_NAME": "The Corner Shop"});
    assert_eq!(node.get(HOST, "/api/env").await.json(), given);
    node.event("deployed").await;

    shop.write(".env", "# not committed\nCURRENCY=CHF\n");
    node.event("deployed").await;
    assert_eq!(node.get(HOST, "/api/env").await.json()["CURRENCY"], "CHF");
}

#[tokio::test]
async fn head_is_get_without_a_body() {
    let node = TestNode::dev(fixture("shop")).await;
    for protocol in Protocol::ALL {
        let mut client = node.client(protocol, HOST).await;
        for path in ["/hello", "/", "/api/hello", "/api/big", "/no-such-page"] {
            let (get, head) = (client.get(path).await, client.head(path).await);
            assert_eq!(head.status, get.status, "{path} over {protocol:?}");
            assert!(head.body.is_empty());
            assert_eq!(head.header("content-type"), get.header("content-type"), "{path}");
        }
        assert_eq!(
            client.head("/").await.header("content-length"),
            client.get("/").await.header("content-length")
        );
        // The connection is still in step.
        assert_eq!(client.get("/ping").await.text(), "PONG");
    }
}

#[tokio::test]
async fn a_request_has_one_id_everywhere() {
    let node = TestNode::dev(fixture("shop")).await;
    let mut client = node.client(Protocol::Http1, HOST).await;
    let answer = client.get("/api/headers").await;
    let (id, seen) = (answer.header("x-request-id"), answer.json());
    assert_eq!(id.len(), 32);
    assert_eq!(seen["x-request-id"][0], id, "the guest sees it");
    assert_eq!(seen["traceparent"][0].as_str().unwrap().split('-').nth(1), Some(id));
    assert_ne!(client.get("/hello").await.header("x-request-id"), id, "and the next has another");

    let trace = "4bf92f3577b34da6a3ce929d0e0e4736";
    let parent = format!("00-{trace}-00f067aa0ba902b7-01");
    let answer = client.get_with("/api/headers", &[("traceparent", &parent)]).await;
    assert_eq!(answer.header("x-request-id"), trace, "the caller's trace goes on");
    let handed_on = answer.json()["traceparent"][0].as_str().unwrap().to_owned();
    assert!(handed_on.contains(trace) && handed_on != parent, "as a new span: {handed_on}");
    let found = headgate_tests::eventually("the access log has the request", async || {
        node.log().into_iter().find(|line| line.contains(trace))
    })
    .await;
    assert!(found.contains("/api/headers") && found.contains("200"), "{found}");
}

#[tokio::test]
async fn fields_of_one_connection_stay_on_it() {
    let node = TestNode::dev(fixture("shop")).await;
    let mut client = node.client(Protocol::Http1, HOST).await;
    let fields = [
        ("connection", "x-mine"),
        ("x-mine", "1"),
        ("keep-alive", "timeout=5"),
        ("proxy-connection", "keep-alive"),
        ("te", "trailers"),
        ("x-other", "2"),
    ];
    let seen = client.get_with("/api/headers", &fields).await.json();
    assert_eq!(seen["x-other"][0], "2");
    for name in ["connection", "x-mine", "keep-alive", "proxy-connection", "te"] {
        assert_eq!(seen.get(name), None, "{name} reached the guest: {seen}");
    }
}

#[tokio::test]
async fn one_h2_connection_carries_many_requests_at_once() {
    let node = TestNode::dev(fixture("shop")).await;
    for protocol in [Protocol::H2c, Protocol::Https2] {
        let mut client = node.client(protocol, HOST).await;
        let mut slow = Vec::new();
        for _ in 0..10 {
            slow.push(open(&mut client, "/api/stream", empty()).await);
        }
        assert_eq!(client.get("/hello").await.text(), "Hello, world!", "beside ten streams");
        for stream in slow {
            assert!(stream.whole().await.unwrap().text().ends_with("tick 4\n"));
        }
    }
}

#[tokio::test]
async fn a_client_that_asks_first_is_told_to_continue() {
    let node = TestNode::dev(fixture("shop")).await;
    let mut raw = node.raw().await;
    raw.send(format!(
        "POST /count HTTP/1.1\r\nHost: {HOST}\r\nContent-Length: 5\r\nExpect: 100-continue\r\n\r\n"
    ))
    .await;
    assert!(raw.until("\r\n\r\n").await.starts_with("HTTP/1.1 100 "));
    raw.send("a b c").await;
    assert!(raw.until("}").await.contains(r#"{"words":3,"bytes":5}"#));
}

#[tokio::test]
async fn an_http_1_0_client_gets_an_answer_that_ends_with_the_connection() {
    let node = TestNode::dev(fixture("shop")).await;
    let request = format!("GET /api/stream HTTP/1.0\r\n{}: {HOST}\r\n\r\n", header::HOST);
    let answer = node.raw().await.exchange(request).await;
    let (head, content) = answer.split_once("\r\n\r\n").expect("a head");
    assert!(head.contains(" 200 ") && !head.to_ascii_lowercase().contains("chunked"), "{head}");
    assert_eq!(content, "tick 0\ntick 1\ntick 2\ntick 3\ntick 4\n");
}

async fn open(client: &mut Client, path: &str, content: Body) -> headgate_tests::Stream {
    let request = client.request(Method::GET, path).body(content).unwrap();
    client.open(request).await.unwrap()
}

#[tokio::test]
async fn a_function_sees_how_it_was_reached() {
    let node = TestNode::dev(fixture("shop")).await;
    for protocol in Protocol::ALL {
        let scheme =
            if matches!(protocol, Protocol::Https1 | Protocol::Https2) { "https" } else { "http" };
        let mut client = node.client(protocol, HOST).await;
        let forged = [("x-forwarded-for", "10.0.0.1"), ("x-forwarded-proto", "gopher")];
        let answer = client.ask(Method::POST, "/api/headers", &forged, body("x")).await;
        let seen = answer.json();
        assert_eq!(seen["x-forwarded-proto"], json!([scheme]), "{seen}");
        assert_eq!(seen["x-forwarded-for"], json!(["127.0.0.1"]), "{seen}");
    }
}
