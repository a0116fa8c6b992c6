//! HTTP/1 as clients speak it: old, odd, pipelined, large.

use tokio::{
    io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt},
    time::timeout,
};

use crate::node::{Client, SHORT, Setup, node};

const LAST: &str = "GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n";

#[tokio::test]
async fn http_1_0_in_eighteen_bytes_is_answered_at_once() {
    let node = node(Setup::default());
    let answer = node.connect().await.exchange("GET / HTTP/1.0\r\n\r\n").await;
    assert!(answer.starts_with("HTTP/1.1 200") && answer.ends_with("hello /"), "{answer}");
}

#[tokio::test]
async fn empty_lines_before_a_request_are_forgiven() {
    let node = node(Setup::default());
    let answer = node.connect().await.exchange(format!("\r\n\r\n{LAST}")).await;
    assert!(answer.starts_with("HTTP/1.1 200"), "{answer}");
}

#[tokio::test]
async fn a_head_in_single_bytes_is_understood() {
    let node = node(Setup::default());
    let mut client = node.connect().await;
    for byte in LAST.as_bytes() {
        client.send([*byte]).await;
    }
    assert!(client.rest().await.ends_with("hello /"));
}

#[tokio::test]
async fn a_connection_serves_many_requests() {
    let node = node(Setup::default());
    let mut client = node.connect().await;
    for n in 0..20 {
        client.send(format!("GET /{n} HTTP/1.1\r\nHost: a\r\n\r\n")).await;
        let answer = client.until(&format!("hello /{n}")).await;
        assert!(answer.starts_with("HTTP/1.1 200"), "{answer}");
    }
    drop(client);
    node.counted("edge_connections_total{kind=\"plain\",result=\"closed\"} 1").await;
    node.counted("edge_connections_open{kind=\"plain\"} 0").await;
}

#[tokio::test]
async fn pipelined_requests_are_all_answered_in_order() {
    let node = node(Setup::default());
    let mut client = node.connect().await;
    let answers = client
        .exchange(format!(
            "GET /1 HTTP/1.1\r\nHost: a\r\n\r\n\
             POST /length HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\n\r\n12345\
             POST /3 HTTP/1.1\r\nHost: a\r\nContent-Length: 0\r\n\r\n\
             GET /stream HTTP/1.1\r\nHost: a\r\n\r\n{LAST}"
        ))
        .await;
    assert_eq!(answers.matches("HTTP/1.1 200").count(), 5, "{answers}");
    let places: Vec<_> = ["hello /1", "5 bytes", "hello /3", "three", "hello /"]
        .iter()
        .scan(0, |from, text| {
            *from += answers[*from..].find(text)? + text.len();
            Some(*from)
        })
        .collect();
    assert_eq!(places.len(), 5, "{answers}");
}

#[tokio::test]
async fn a_pipelined_request_does_not_disturb_the_one_before() {
    for before in [
        "GET /idle HTTP/1.1\r\nHost: a\r\n\r\n",
        "POST /idle HTTP/1.1\r\nHost: a\r\nContent-Length: 0\r\n\r\n",
    ] {
        let node = node(Setup::default());
        let mut client = node.connect().await;
        client.send(format!("{before}{LAST}")).await;
        node.app.held.acquire().await.unwrap().forget();
        node.app.gate.add_permits(1);
        let answers = client.rest().await;
        assert!(answers.contains("undisturbed") && answers.ends_with("hello /"), "{answers}");
    }
}

const BEFORE: [&str; 3] = [
    "GET /idle HTTP/1.1\r\nHost: a\r\n\r\n",
    "POST /idle HTTP/1.1\r\nHost: a\r\nContent-Length: 0\r\n\r\n",
    "POST /idle?body HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\n\r\n12345",
];

/// Long enough for a packet to be seen.
async fn seen<T: AsyncRead + AsyncWrite + Unpin>(client: &mut Client<T>) {
    let more = timeout(SHORT, client.io.read_u8()).await;
    assert!(more.is_err(), "answered too soon: {more:?}");
}

#[tokio::test]
async fn a_request_pipelined_later_does_not_disturb_the_one_before() {
    for before in BEFORE {
        let node = node(Setup::default());
        let mut client = node.connect().await;
        client.send(before).await;
        node.app.held.acquire().await.unwrap().forget();
        for part in LAST.as_bytes().chunks(20) {
            client.send(part).await;
            seen(&mut client).await;
        }
        node.app.gate.add_permits(1);
        let answers = client.rest().await;
        assert!(answers.contains("undisturbed") && answers.ends_with("hello /"), "{answers}");
    }
}

#[tokio::test]
async fn a_client_that_leaves_is_noticed_even_behind_a_pipelined_request() {
    for after in ["", LAST] {
        for before in BEFORE {
            let node = node(Setup::default());
            let mut client = node.connect().await;
            client.send(before).await;
            node.app.held.acquire().await.unwrap().forget();
            client.send(after).await;
            client.io.shutdown().await.unwrap();
            let answer = client.rest().await;
            assert!(answer.contains("disturbed by Err"), "{answer}");
        }
    }
}

#[tokio::test]
async fn what_is_pipelined_is_not_read_without_end() {
    let node = node(Setup::default());
    let mut client = node.connect().await;
    client.send(BEFORE[0]).await;
    node.app.held.acquire().await.unwrap().forget();
    let requests = "GET /a HTTP/1.1\r\nHost: a\r\n\r\n".repeat(1000);
    let mut sent = 0;
    while let Ok(written) = timeout(SHORT, client.io.write(requests.as_bytes())).await {
        sent += written.unwrap();
        // Far above what the kernel holds for both sides.
        assert!(sent < 64_000_000, "nothing holds the client back");
    }
    node.app.gate.add_permits(1);
    let answer = client.until("hello /a").await;
    assert!(answer.contains("undisturbed"), "{answer}");
}

#[tokio::test]
async fn an_upgraded_connection_carries_bytes_both_ways() {
    let node = node(Setup::default());
    let mut client = node.connect().await;
    let upgrade =
        "GET /upgrade HTTP/1.1\r\nHost: a\r\nConnection: upgrade\r\nUpgrade: websocket\r\n\r\n";
    // The first bytes come with the head, as from a client that does not wait.
    client.send(format!("{upgrade}early")).await;
    let answer = client.until("early").await;
    assert!(answer.starts_with("HTTP/1.1 101"), "{answer}");
    client.send("late").await;
    client.until("late").await;
}

#[tokio::test]
async fn large_bodies_pass_both_ways() {
    let node = node(Setup::default());
    let mut client = node.connect().await;
    client.send("POST /length HTTP/1.1\r\nHost: a\r\nContent-Length: 3000000\r\n\r\n").await;
    client.send(vec![b'x'; 3_000_000]).await;
    assert!(client.until("bytes").await.ends_with("3000000 bytes"));
    client.send("POST /length HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n").await;
    let part = format!("{:x}\r\n{}\r\n", 100_000, "y".repeat(100_000));
    client.send(part.repeat(20) + "0\r\n\r\n").await;
    assert!(client.until("bytes").await.ends_with("2000000 bytes"));
    let answer =
        client.exchange("GET /large HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n").await;
    let (_, body) = answer.split_once("\r\n\r\n").unwrap();
    assert_eq!(body.len(), 3_000_000);
}

#[tokio::test]
async fn a_body_nobody_reads_is_never_taken_for_a_request() {
    let node = node(Setup::default());
    let mut client = node.connect().await;
    let length = LAST.len();
    client.send(format!("POST /x HTTP/1.1\r\nHost: a\r\nContent-Length: {length}\r\n\r\n")).await;
    let answer = client.until("hello /x").await;
    assert!(answer.contains("Connection: keep-alive"), "{answer}");
    client.send(LAST).await;
    let answers = client.exchange("GET /y HTTP/1.0\r\n\r\n").await;
    assert_eq!(answers.matches("HTTP/1.1").count(), 1, "{answers}");
    assert!(answers.ends_with("hello /y"), "{answers}");
}

#[tokio::test]
async fn an_answer_before_the_end_of_an_upload_keeps_the_connection() {
    let node = node(Setup::default());
    let mut client = node.connect().await;
    for _ in 0..2 {
        client.send("POST /x HTTP/1.1\r\nHost: a\r\nContent-Length: 3000000\r\n\r\n").await;
        client.until("hello /x").await;
        client.send(vec![b'x'; 3_000_000]).await;
    }
    assert!(client.exchange(LAST).await.ends_with("hello /"));
}

/// A client that writes its whole upload before it reads.
async fn upload<T: AsyncRead + AsyncWrite + Unpin>(mut client: Client<T>, path: &str) {
    client
        .send(format!("POST {path} HTTP/1.1\r\nHost: a\r\nContent-Length: 5000000\r\n\r\n"))
        .await;
    client.send(vec![b'x'; 5_000_000]).await;
    let answer = client.rest().await;
    let (head, body) = answer.split_once("\r\n\r\n").unwrap();
    assert!(head.starts_with("HTTP/1.1 413"), "{head}");
    assert_eq!(body.len(), 100_000);
}

#[tokio::test]
async fn a_client_whose_upload_is_refused_reads_why() {
    let node = node(Setup::default());
    for path in ["/full", "/failed"] {
        upload(node.connect().await, path).await;
        upload(node.connect_tls("edge.test", b"http/1.1").await.unwrap(), path).await;
    }
}

#[tokio::test]
async fn an_answer_that_was_cut_does_not_look_whole() {
    let node = node(Setup::default());
    let mut client = node.connect().await;
    client.send("GET /cut HTTP/1.0\r\n\r\n").await;
    assert!(client.until_reset().await.ends_with("the first half"));
    let mut client = node.connect_tls("edge.test", b"http/1.1").await.unwrap();
    client.send("GET /cut HTTP/1.0\r\n\r\n").await;
    assert!(client.until_reset().await.ends_with("the first half"));
}

#[tokio::test]
async fn handlers_know_the_connection() {
    let node = node(Setup::default());
    let mut client = node.connect().await;
    let local = client.io.local_addr().unwrap();
    let answer =
        client.exchange("GET /info HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n").await;
    assert!(answer.contains(&format!("client: {local}")), "{answer}");
    assert!(answer.contains("received: 50") && answer.contains("server_name: None"), "{answer}");
    drop(client);
    node.counted("edge_received_bytes_total{kind=\"plain\"} 50").await;
}

#[tokio::test]
async fn a_panic_ends_its_connection_alone() {
    let node = node(Setup::default());
    let mut other = node.connect().await;
    let mut client = node.connect().await;
    client.send("GET /panic HTTP/1.0\r\n\r\n").await;
    assert_eq!(client.until_reset().await, "", "what was written is not the whole");
    node.counted("edge_connections_total{kind=\"plain\",result=\"panicked\"} 1").await;
    assert!(other.exchange(LAST).await.ends_with("hello /"));
}

#[tokio::test]
async fn ipv6_is_served() {
    let sockets = headgate_edge::bind("[::1]:0".parse().unwrap(), &Default::default()).unwrap();
    let address = sockets[0].local_addr().unwrap();
    let mut registry = prometheus_client::registry::Registry::default();
    let edge = headgate_edge::Edge::new(headgate_edge::Metrics::register(&mut registry));
    let listeners = sockets
        .into_iter()
        .map(|socket| headgate_edge::Listener {
            socket,
            transport: headgate_edge::Transport::Plain,
        })
        .collect();
    let app = std::sync::Arc::new(crate::app::App::new(edge.limits.clone()));
    let (_stop, watch) = tokio::sync::watch::channel(false);
    tokio::spawn(headgate_edge::serve(listeners, app, std::sync::Arc::new(edge), watch));
    let mut client = Client { io: tokio::net::TcpStream::connect(address).await.unwrap() };
    assert!(client.exchange(LAST).await.ends_with("hello /"));
}
