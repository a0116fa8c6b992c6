//! Each limit of a connection, with a test that fails without it.

use std::time::{Duration, Instant};

use socket2::SockRef;
use tokio::{
    io::{AsyncRead, AsyncReadExt, AsyncWrite},
    net::TcpSocket,
    time::interval,
};

use crate::node::{Client, Node, PATIENCE, SHORT, Setup, node, node_with};

const REQUEST: &str = "GET / HTTP/1.1\r\nHost: a\r\n\r\n";

#[tokio::test]
async fn a_silent_connection_is_closed() {
    let node = node_with(|limits| limits.head = SHORT);
    let begun = Instant::now();
    assert_eq!(node.connect().await.rest().await, "");
    assert!(begun.elapsed() >= SHORT);
}

#[tokio::test]
async fn a_dripping_head_is_408() {
    let node = node_with(|limits| limits.head = SHORT);
    let mut client = node.connect().await;
    client.send("GET / HTTP/1.1\r\nHost: a\r\n").await;
    // Each drip would restart a timeout per read; the limit is on the whole.
    while client.pour("X: y\r\n").await {
        let read = tokio::time::timeout(SHORT / 5, client.io.readable()).await;
        if read.is_ok() {
            break;
        }
    }
    assert!(client.rest().await.starts_with("HTTP/1.1 408"));
    node.rejected("head_timeout").await;
}

#[tokio::test]
async fn a_dripping_second_head_is_408_as_well() {
    let node = node_with(|limits| limits.head = SHORT);
    let mut client = node.connect().await;
    client.send(REQUEST).await;
    client.until("hello /").await;
    client.send("GET /").await;
    assert!(client.rest().await.starts_with("HTTP/1.1 408"));
}

#[tokio::test]
async fn part_of_a_preface_is_not_waited_for() {
    let node = node_with(|limits| limits.head = SHORT);
    assert!(node.connect().await.exchange("PRI * HT").await.starts_with("HTTP/1.1 408"));
}

#[tokio::test]
async fn an_idle_connection_is_closed() {
    let node = node_with(|limits| limits.idle = SHORT);
    let mut client = node.connect().await;
    client.send(REQUEST).await;
    client.until("hello /").await;
    let begun = Instant::now();
    assert_eq!(client.rest().await, "");
    assert!(begun.elapsed() < PATIENCE / 2);
}

#[tokio::test]
async fn a_large_head_is_431() {
    let node = node(Setup::default());
    let head = format!("GET / HTTP/1.1\r\nHost: a\r\nX: {}\r\n\r\n", "x".repeat(200_000));
    assert!(node.connect().await.exchange(head).await.starts_with("HTTP/1.1 431"));
    node.rejected("head_too_large").await;
}

#[tokio::test]
async fn too_many_fields_are_431() {
    let node = node(Setup::default());
    let head = |n: usize| format!("GET / HTTP/1.0\r\n{}\r\n", "X: y\r\n".repeat(n));
    assert!(node.connect().await.exchange(head(100)).await.starts_with("HTTP/1.1 200"));
    assert!(node.connect().await.exchange(head(101)).await.starts_with("HTTP/1.1 431"));
    node.rejected("too_many_fields").await;
}

#[tokio::test]
async fn a_long_target_is_414_even_without_an_end() {
    let node = node(Setup::default());
    let target = |n: usize| format!("GET /{} HTTP/1.0\r\n\r\n", "x".repeat(n));
    assert!(node.connect().await.exchange(target(8191)).await.starts_with("HTTP/1.1 200"));
    assert!(node.connect().await.exchange(target(9000)).await.starts_with("HTTP/1.1 414"));
    let endless = node.connect().await.exchange("GET /".to_owned() + &"x".repeat(20_000)).await;
    assert!(endless.starts_with("HTTP/1.1 414"), "{endless}");
}

#[tokio::test]
async fn tls_on_the_plain_port_is_told_so_at_once() {
    let node = node(Setup::default());
    let answer = node.connect().await.exchange([0x16, 3, 1, 0, 200, 1]).await;
    assert!(answer.starts_with("HTTP/1.1 400"), "{answer}");
    node.rejected("malformed").await;
}

#[tokio::test]
async fn a_silent_body_is_cut() {
    let node = node_with(|limits| limits.body_idle = SHORT);
    let begun = Instant::now();
    let upload = "POST /length HTTP/1.1\r\nHost: a\r\nContent-Length: 100\r\n\r\n123";
    let answer = node.connect().await.exchange(upload).await;
    assert!(answer.starts_with("HTTP/1.1 408"), "{answer}");
    assert!(begun.elapsed() < PATIENCE / 2);
}

#[tokio::test]
async fn a_dripping_body_is_cut() {
    let node = node_with(|limits| {
        limits.body_grace = SHORT;
        limits.body_rate = 10_000;
    });
    let mut client = node.connect().await;
    client.send("POST /length HTTP/1.1\r\nHost: a\r\nContent-Length: 1000000\r\n\r\n").await;
    let begun = Instant::now();
    while client.pour("x").await {
        assert!(begun.elapsed() < PATIENCE, "the drip goes on");
        if tokio::time::timeout(SHORT / 5, client.io.readable()).await.is_ok() {
            break;
        }
    }
    assert!(client.rest().await.starts_with("HTTP/1.1 408"));
    node.rejected("slow_body").await;
}

#[tokio::test]
async fn a_body_nobody_reads_is_not_waited_for() {
    let node = node_with(|limits| limits.body_discard = SHORT);
    let mut client = node.connect().await;
    client.send("POST /x HTTP/1.1\r\nHost: a\r\nContent-Length: 100\r\n\r\n").await;
    let begun = Instant::now();
    assert!(client.rest().await.ends_with("hello /x"));
    assert!(begun.elapsed() < PATIENCE / 2);
}

#[tokio::test]
async fn a_client_that_reads_nothing_is_cut() {
    let node = node_with(|limits| limits.write = SHORT);
    let mut client = node.connect().await;
    // More answers than the socket buffers of both sides hold.
    client.send("GET /large HTTP/1.1\r\nHost: a\r\n\r\n".repeat(10)).await;
    node.counted("edge_connections_open{kind=\"plain\"} 0").await;
    node.rejected("write_stall").await;
    drop(client);
}

/// Answers so small that each leaves with its flush.
async fn ask_and_never_read<T>(node: &Node, mut client: Client<T>, kind: &str)
where
    T: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    let open = |n: usize| format!("edge_connections_open{{kind=\"{kind}\"}} {n}");
    node.counted(&open(1)).await;
    let asking = tokio::spawn(async move {
        while client.pour(REQUEST.repeat(1000)).await {}
        client
    });
    node.counted(&open(0)).await;
    node.rejected("write_stall").await;
    drop(asking.await.unwrap());
}

#[tokio::test]
async fn a_client_that_asks_and_never_reads_is_cut() {
    let node = node_with(|limits| limits.write = SHORT);
    ask_and_never_read(&node, node.connect().await, "plain").await;
}

#[tokio::test]
async fn a_client_that_asks_over_tls_and_never_reads_is_cut() {
    let node = node_with(|limits| limits.write = SHORT);
    let client = node.connect_tls("edge.test", b"http/1.1").await.unwrap();
    ask_and_never_read(&node, client, "tls").await;
}

#[tokio::test]
async fn a_client_that_reads_slowly_is_not_cut() {
    const LIMIT: Duration = Duration::from_secs(1);
    let node = node_with(|limits| limits.write = LIMIT);
    let socket = TcpSocket::new_v4().unwrap();
    // What is not read stays at the node, in segments as on a network.
    socket.set_recv_buffer_size(64 * 1024).unwrap();
    SockRef::from(&socket).set_tcp_mss(1400).unwrap();
    let mut client = Client { io: socket.connect(node.plain).await.unwrap() };
    client.send("GET /huge HTTP/1.0\r\n\r\n").await;
    let (begun, mut read) = (Instant::now(), 0);
    let mut pace = interval(SHORT / 5);
    while begun.elapsed() < LIMIT * 3 {
        pace.tick().await;
        let part = client.io.read(&mut [0; 16 * 1024]).await.unwrap();
        assert_ne!(part, 0, "cut after {read} bytes");
        read += part;
    }
    let rest = client.until_closed().await;
    assert!(read + rest.len() > 12_000_000, "{read} + {}", rest.len());
}

#[tokio::test]
async fn http_2_can_be_switched_off_on_plain_connections() {
    let node = node_with(|limits| limits.h2c = false);
    let preface = "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";
    let answer = node.connect().await.exchange(preface).await;
    assert!(answer.starts_with("HTTP/1.1 505"), "{answer}");
}
