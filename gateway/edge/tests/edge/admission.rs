//! Who gets in.

use std::time::Duration;

use headgate_edge::{AdmissionLimits, Budget};

use crate::node::{Node, Setup, node};

const REQUEST: &str = "GET / HTTP/1.1\r\nHost: a\r\n\r\n";

fn limited(change: impl FnOnce(&mut AdmissionLimits)) -> Node {
    let mut setup = Setup::default();
    setup.admission.limit_loopback = true;
    change(&mut setup.admission);
    node(setup)
}

async fn is_turned_away(node: &Node) {
    let answer = node.connect().await.rest().await;
    assert!(answer.starts_with("HTTP/1.1 503"), "{answer}");
    assert!(answer.contains("retry-after: "), "{answer}");
}

#[tokio::test]
async fn a_full_node_answers_503_until_a_place_is_free() {
    let node = limited(|limits| limits.connections = 2);
    let mut held = [node.connect().await, node.connect().await];
    for client in &mut held {
        client.send(REQUEST).await;
        client.until("hello /").await;
    }
    is_turned_away(&node).await;
    node.rejected("connections").await;
    assert_eq!(node.admission.open(), 2);
    drop(held);
    node.counted("edge_connections_open{kind=\"plain\"} 0").await;
    let mut next = node.connect().await;
    next.send(REQUEST).await;
    next.until("hello /").await;
}

#[tokio::test]
async fn one_client_cannot_hold_all_places() {
    let node = limited(|limits| limits.per_client = 1);
    let mut held = node.connect().await;
    held.send(REQUEST).await;
    held.until("hello /").await;
    is_turned_away(&node).await;
    node.rejected("client_connections").await;
}

#[tokio::test]
async fn one_client_cannot_come_too_fast() {
    let slow = Budget { burst: 3, refill: 1, per: Duration::from_secs(3600) };
    let node = limited(|limits| limits.new_per_client = slow);
    for _ in 0..3 {
        let answer = node.connect().await.exchange("GET / HTTP/1.0\r\n\r\n").await;
        assert!(answer.starts_with("HTTP/1.1 200"), "{answer}");
    }
    is_turned_away(&node).await;
    node.rejected("client_rate").await;
}

#[tokio::test]
async fn tls_is_turned_away_without_a_handshake() {
    let node = limited(|limits| limits.connections = 0);
    assert!(node.connect_tls("edge.test", b"h2").await.is_err());
    node.rejected("connections").await;
}
