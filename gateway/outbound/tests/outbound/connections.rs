//! Connections are reused, within a project; TLS is checked; HTTP/2 is spoken where both can.

use std::net::TcpListener;

use futures::future::join_all;
use headgate_outbound::{Config, Error, OpenError, Resolver};
use http::{HeaderValue, Request, Response, Version, header};
use http_body_util::BodyExt;
use hyper::body::Incoming;

use crate::lab::{
    Authority, Body, SHOP, Upstream, client, eventually, get, hello, open, policy, send, send_of,
    text,
};

#[tokio::test]
async fn a_project_reuses_its_connections_and_nobody_elses() {
    let upstream = Upstream::start(|_| async { hello() }).await;
    let client = client();
    for _ in 0..10 {
        assert_eq!(text(send(&client, &upstream.url("/")).await.unwrap()).await, "hello");
    }
    // A call may come before the connection of the one before it is seen to be free.
    let own = upstream.connections.made();
    assert!(own < 5, "{own} connections for ten calls");
    text(send_of(&client, "other", &upstream.url("/")).await.unwrap()).await;
    assert_eq!(upstream.connections.made(), own + 1);
    drop(client);
    eventually(|| upstream.connections.open() == 0).await;
}

fn trusting(authority: &Authority) -> Config {
    Config { policy: policy(&["127.0.0.0/8"]), roots: authority.roots() }
}

#[tokio::test]
async fn calls_share_one_http2_connection() {
    let authority = Authority::new();
    let upstream = Upstream::tls(&authority, |request: Request<Incoming>| async move {
        assert_eq!(request.version(), Version::HTTP_2);
        assert_eq!(request.uri().scheme_str(), Some("https"));
        assert!(!request.headers().contains_key(header::HOST));
        hello()
    })
    .await;
    let client = open(trusting(&authority), Resolver::system());
    for host in ["127.0.0.1", "localhost"] {
        let url = format!("https://{host}:{}/", upstream.address.port());
        let first = send(&client, &url).await.unwrap();
        assert_eq!(first.version(), Version::HTTP_2);
        assert_eq!(text(first).await, "hello");
        let calls = join_all((0..20).map(|_| send(&client, &url))).await;
        for response in calls {
            assert_eq!(text(response.unwrap()).await, "hello");
        }
    }
    assert_eq!(upstream.connections.made(), 2, "one for each name");
}

#[tokio::test]
async fn a_certificate_nobody_vouches_for_is_refused() {
    let authority = Authority::new();
    let upstream = Upstream::tls(&authority, |_| async { hello() }).await;
    let url = format!("https://127.0.0.1:{}/", upstream.address.port());
    let error = send(&client(), &url).await.unwrap_err();
    assert!(
        matches!(&error, Error::Certificate(why) if why.contains("UnknownIssuer")),
        "{error:?}"
    );

    // The right authority, but another name.
    let client = open(trusting(&authority), Resolver::system());
    let url = format!("https://127.0.0.2:{}/", upstream.address.port());
    let error = send(&client, &url).await.unwrap_err();
    assert!(matches!(error, Error::Certificate(_)), "{error:?}");

    // Somebody who does not speak TLS.
    let plain = Upstream::start(|_| async { hello() }).await;
    let url = format!("https://127.0.0.1:{}/", plain.address.port());
    let error = send(&client, &url).await.unwrap_err();
    assert!(matches!(error, Error::Tls(_)), "{error:?}");
}

#[test]
fn a_file_of_roots_that_holds_none_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("roots.pem");
    let opened = |path: &std::path::Path| {
        let config = Config { roots: Some(path.to_owned()), ..Config::default() };
        let metrics = headgate_outbound::Metrics::new(&mut Default::default());
        headgate_outbound::Client::open(&config, Resolver::system().into(), metrics.into())
            .unwrap_err()
    };
    assert!(matches!(opened(&path), OpenError::Roots { .. }));
    std::fs::write(&path, "nothing").unwrap();
    assert!(matches!(opened(&path), OpenError::NoRoots { .. }));
}

#[tokio::test]
async fn whoever_refuses_a_connection_is_told_apart() {
    let closed = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let error = send(&client(), &format!("http://{closed}/")).await.unwrap_err();
    assert!(matches!(error, Error::Refused), "{error:?}");
}

#[tokio::test]
async fn fields_of_one_connection_are_not_passed_on() {
    let upstream = Upstream::start(|request: Request<Incoming>| async move {
        let mut response: Response<Body> = hello();
        let names: Vec<&str> = request.headers().keys().map(|name| name.as_str()).collect();
        let seen = HeaderValue::from_str(&names.join(" ")).unwrap();
        response.headers_mut().insert("x-seen", seen);
        response.headers_mut().insert("keep-alive", HeaderValue::from_static("timeout=5"));
        response
    })
    .await;
    let mut request = get(&upstream.url("/"));
    for (name, value) in [
        ("connection", "x-secret"),
        ("x-secret", "1"),
        ("proxy-authorization", "Basic x"),
        ("upgrade", "websocket"),
        ("host", "elsewhere.test"),
        ("accept", "*/*"),
    ] {
        request.headers_mut().insert(name, value.parse().unwrap());
    }
    let client = client();
    let sent = client.send(&SHOP, request, Default::default()).await;
    let (parts, body) = sent.unwrap().into_parts();
    assert_eq!(parts.headers["x-seen"], "accept host");
    assert!(!parts.headers.contains_key("keep-alive"));
    body.collect().await.unwrap();
}
