//! SIGTERM: what is under way is finished, what is new goes elsewhere, and the process ends well.

use headgate_tests::{Protocol, TestNode, eventually, fixture};
use serde_json::json;
use tokio::net::TcpStream;

const HOST: &str = "shop.example.com";

async fn node(drain: &str) -> TestNode {
    let projects = json!([{"name": "shop", "config": fixture("shop")}]);
    TestNode::run(json!({"projects": projects, "drain": drain})).await
}

#[tokio::test]
async fn a_request_under_way_is_finished() {
    for protocol in Protocol::ALL {
        let mut node = node("30s").await;
        let mut client = node.client(protocol, HOST).await;
        let (mut upload, mut echo) = client.converse("/api/echo").await;
        let address = node.http();

        node.terminate();
        node.event("draining").await;
        eventually("new connections are refused", async || TcpStream::connect(address).await.err())
            .await;
        upload.send_data("and more".into()).await.unwrap();
        assert_eq!(
            echo.chunk().await.unwrap().as_deref(),
            Some(&b"and more"[..]),
            "over {protocol:?}"
        );
        drop(upload);
        assert_eq!(echo.chunk().await.unwrap(), None, "whole, over {protocol:?}");
        assert_eq!(node.event("stopped").await["cut"], 0);
        assert_eq!(node.exited().await.code(), Some(0));
    }
}

#[tokio::test]
async fn idle_connections_are_closed_at_once() {
    let mut node = node("30s").await;
    let mut idle = Vec::new();
    for protocol in Protocol::ALL {
        let mut client = node.client(protocol, HOST).await;
        client.get("/hello").await;
        idle.push((protocol, client));
    }
    node.terminate();
    for (protocol, client) in &idle {
        let what = format!("the idle connection over {protocol:?} is closed");
        eventually(&what, async || client.is_closed().then_some(())).await;
    }
    assert_eq!(node.event("stopped").await["cut"], 0);
    assert!(node.exited().await.success());
}

#[tokio::test]
async fn a_request_that_does_not_end_is_cut_at_the_deadline() {
    let mut node = node("200ms").await;
    let mut client = node.client(Protocol::Http1, HOST).await;
    let (_upload, mut echo) = client.converse("/api/echo").await;
    node.terminate();
    assert_eq!(node.event("stopped").await["cut"], 1);
    assert!(echo.chunk().await.is_err(), "cut, not complete");
    assert!(node.exited().await.success());
}

#[tokio::test]
async fn a_second_signal_ends_at_once() {
    let mut node = node("1h").await;
    let mut client = node.client(Protocol::Http1, HOST).await;
    let _under_way = client.converse("/api/echo").await;
    node.terminate();
    node.event("draining").await;
    node.terminate();
    assert_eq!(node.exited().await.code(), Some(128 + 15));
}

#[tokio::test]
async fn a_node_that_drains_says_so_to_its_balancer() {
    let node = node("30s").await;
    let mut client = node.client(Protocol::Http1, HOST).await;
    let under_way = client.converse("/api/echo").await;
    node.terminate();
    node.event("draining").await;
    assert_eq!(node.admin("/readyz").await.status, 503);
    assert_eq!(node.admin("/livez").await.status, 200, "it lives, and is not to be killed");
    drop(under_way);
}

#[tokio::test]
async fn what_it_leaves_behind_is_removed() {
    let mut node = node("30s").await;
    assert!(node.socket().exists());
    node.terminate();
    assert!(node.exited().await.success());
    assert!(!node.socket().exists(), "a socket nobody answers on");
}
