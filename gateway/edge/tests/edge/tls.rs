//! TLS: the configuration by ClientHello, all protocols over it, and its limits.

use std::time::Instant;

use tokio::io::AsyncReadExt;

use crate::node::{PATIENCE, SHORT, Setup, node, node_with};

#[tokio::test]
async fn http_1_over_tls_knows_its_name() {
    let node = node(Setup::default());
    let mut client = node.connect_tls("edge.test", b"http/1.1").await.unwrap();
    client.send("GET / HTTP/1.1\r\nHost: a\r\n\r\nGET /2 HTTP/1.1\r\nHost: a\r\n\r\n").await;
    client.until("hello /2").await;
    let answer =
        client.exchange("GET /info HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n").await;
    assert!(answer.contains("server_name: Some(\"edge.test\")"), "{answer}");
    assert!(answer.contains("TLSv1_3") && answer.contains("TLS13_AES"), "{answer}");
    node.counted("edge_handshakes_total{result=\"completed\"} 1").await;
}

#[tokio::test]
async fn large_bodies_pass_over_tls() {
    let node = node(Setup::default());
    let mut client = node.connect_tls("edge.test", b"http/1.1").await.unwrap();
    client.send("POST /length HTTP/1.1\r\nHost: a\r\nContent-Length: 3000000\r\n\r\n").await;
    client.send(vec![b'x'; 3_000_000]).await;
    client.until("3000000 bytes").await;
    let answer =
        client.exchange("GET /large HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n").await;
    assert_eq!(answer.split_once("\r\n\r\n").unwrap().1.len(), 3_000_000);
}

#[tokio::test]
async fn an_unknown_name_is_refused_with_an_alert() {
    let node = node(Setup::default());
    let error = node.connect_tls("other.test", b"h2").await.err().unwrap();
    assert!(error.to_string().contains("UnrecognisedName"), "{error}");
    node.counted("edge_handshakes_total{result=\"unknown_name\"} 1").await;
    node.counted("edge_connections_total{kind=\"tls\",result=\"handshake_failed\"} 1").await;
}

#[tokio::test]
async fn the_acme_challenge_is_a_handshake_and_no_more() {
    let node = node(Setup::default());
    let mut client = node.connect_tls("edge.test", b"acme-tls/1").await.unwrap();
    assert_eq!(client.io.get_ref().1.alpn_protocol(), Some(&b"acme-tls/1"[..]));
    assert_eq!(client.io.read(&mut [0; 9]).await.unwrap(), 0, "closed with close_notify");
    node.counted("edge_handshakes_total{result=\"challenge\"} 1").await;
}

#[tokio::test]
async fn a_silent_handshake_is_closed() {
    let node = node_with(|limits| limits.handshake = SHORT);
    let begun = Instant::now();
    let io = tokio::net::TcpStream::connect(node.tls).await.unwrap();
    assert_eq!(crate::node::Client { io }.rest().await, "");
    assert!(begun.elapsed() < PATIENCE / 2);
    node.counted("edge_handshakes_total{result=\"timeout\"} 1").await;
}

#[tokio::test]
async fn silence_after_the_handshake_is_closed() {
    let node = node_with(|limits| limits.head = SHORT);
    for alpn in [&b"h2"[..], b"http/1.1"] {
        let mut client = node.connect_tls("edge.test", alpn).await.unwrap();
        assert_eq!(client.rest().await, "");
    }
}

#[tokio::test]
async fn plain_http_on_the_tls_port_fails_its_handshake() {
    let node = node(Setup::default());
    let mut client =
        crate::node::Client { io: tokio::net::TcpStream::connect(node.tls).await.unwrap() };
    client.exchange("GET / HTTP/1.1\r\nHost: a\r\n\r\n").await;
    node.counted("edge_handshakes_total{result=\"failed\"} 1").await;
}
