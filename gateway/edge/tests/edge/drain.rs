//! Stopping: nothing new, nothing lost, nothing for ever.

use std::time::{Duration, Instant};

use headgate_edge::Drained;
use tokio::{net::TcpStream, time::timeout};

use crate::node::{Client, Node, PATIENCE, SHORT, Setup, node};

const REQUEST: &str = "GET / HTTP/1.1\r\nHost: a\r\n\r\n";
const HELD: &str = "GET /held HTTP/1.1\r\nHost: a\r\n\r\n";

/// Waits until a request has reached its handler.
async fn reached(node: &Node) {
    timeout(PATIENCE, node.app.held.acquire()).await.unwrap().unwrap().forget();
}

#[tokio::test]
async fn idle_connections_close_at_once_and_nobody_gets_in() {
    let node = node(Setup::default());
    let mut idle = node.connect().await;
    idle.send(REQUEST).await;
    idle.until("hello /").await;
    let (begun, plain) = (Instant::now(), node.plain);
    node.stop();
    assert_eq!(idle.rest().await, "");
    assert_eq!(node.drained().await, Drained { cut: 0 });
    assert!(begun.elapsed() < PATIENCE / 2);
    assert!(TcpStream::connect(plain).await.is_err());
}

#[tokio::test]
async fn a_request_under_way_is_answered() {
    let node = node(Setup::default());
    let mut client = node.connect().await;
    client.send(HELD).await;
    reached(&node).await;
    node.stop();
    node.app.gate.add_permits(1);
    assert!(client.rest().await.ends_with("held"));
    assert_eq!(node.drained().await, Drained { cut: 0 });
}

#[tokio::test]
async fn a_client_that_has_just_connected_is_answered_and_told_to_close() {
    let node = node(Setup::default());
    let mut held = node.connect().await;
    held.send(HELD).await;
    reached(&node).await;
    let mut client = node.connect().await;
    // Accepted, not only in the kernel's queue.
    node.counted("edge_connections_open{kind=\"plain\"} 2").await;
    node.stop();
    client.send(REQUEST).await;
    let answer = client.rest().await.to_lowercase();
    assert!(answer.contains("connection: close") && answer.ends_with("hello /"), "{answer}");
    node.app.gate.add_permits(1);
    held.rest().await;
    assert_eq!(node.drained().await, Drained { cut: 0 });
}

#[tokio::test]
async fn a_client_in_the_kernels_queue_is_answered() {
    let node = node(Setup::default());
    // Blocking, so that no accept loop runs in between: the runtime has this thread alone.
    let waiting = std::net::TcpStream::connect(node.plain).unwrap();
    node.stop();
    waiting.set_nonblocking(true).unwrap();
    let mut client = Client { io: TcpStream::from_std(waiting).unwrap() };
    assert!(client.exchange(REQUEST).await.ends_with("hello /"));
    assert_eq!(node.drained().await, Drained { cut: 0 });
}

#[tokio::test]
async fn what_outlasts_the_deadline_is_cut_and_counted() {
    let node = node(Setup { drain: SHORT, ..Setup::default() });
    let mut client = node.connect().await;
    client.send(HELD).await;
    reached(&node).await;
    node.stop();
    assert_eq!(client.rest().await, "");
    assert_eq!(node.drained().await, Drained { cut: 1 });
}

#[tokio::test]
async fn an_answer_that_the_deadline_cuts_does_not_look_whole() {
    let node = node(Setup { drain: SHORT, ..Setup::default() });
    let mut client = node.connect().await;
    client.send("GET /endless HTTP/1.0\r\n\r\n").await;
    reached(&node).await;
    node.stop();
    assert!(client.until_reset().await.starts_with("HTTP/1.1 200"));
    assert_eq!(node.drained().await, Drained { cut: 1 });
}

#[tokio::test]
async fn http_2_is_told_goaway_and_finishes_its_streams() {
    let node = node(Setup::default());
    let Client { io } = node.connect().await;
    let (send, connection) = h2::client::handshake(io).await.unwrap();
    let connection = tokio::spawn(connection);
    let mut send = send.ready().await.unwrap();
    let request = |path| http::Request::get(format!("http://edge.test{path}")).body(()).unwrap();
    let (held, _) = send.send_request(request("/held"), true).unwrap();
    reached(&node).await;
    node.stop();
    // GOAWAY has come when the client opens no further stream.
    let refused = async {
        while let Ok(mut ready) = send.clone().ready().await {
            if ready.send_request(request("/"), true).is_err() {
                break;
            }
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    };
    timeout(PATIENCE, refused).await.expect("GOAWAY comes");
    node.app.gate.add_permits(1);
    assert_eq!(held.await.unwrap().status(), 200);
    timeout(PATIENCE, connection).await.expect("ends").unwrap().unwrap();
    assert_eq!(node.drained().await, Drained { cut: 0 });
}
