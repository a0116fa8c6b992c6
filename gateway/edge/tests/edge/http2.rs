//! HTTP/2: ordinary traffic by the `h2` client, attacks by hand-made frames.

use std::time::{Duration, Instant};

use bytes::Bytes;
use h2::client::SendRequest;
use headgate_edge::{
    Budget,
    frames::{flag, kind},
    h2_guard::PREFACE,
};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite};

use crate::node::{Client, Node, PATIENCE, SHORT, Setup, node, node_with};

async fn http2<T>(client: Client<T>) -> SendRequest<Bytes>
where
    T: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    let (send, connection) = h2::client::handshake(client.io).await.unwrap();
    tokio::spawn(connection);
    send
}

async fn get(send: &SendRequest<Bytes>, path: &str) -> String {
    exchange(send, path, Bytes::new()).await
}

async fn exchange(send: &SendRequest<Bytes>, path: &str, body: Bytes) -> String {
    let mut send = send.clone().ready().await.unwrap();
    let request = http::Request::post(format!("http://edge.test{path}")).body(()).unwrap();
    let (response, mut stream) = send.send_request(request, false).unwrap();
    stream.send_data(body, true).unwrap();
    let mut body = response.await.unwrap().into_body();
    let mut text = Vec::new();
    while let Some(part) = body.data().await {
        let part = part.unwrap();
        body.flow_control().release_capacity(part.len()).unwrap();
        text.extend_from_slice(&part);
    }
    String::from_utf8(text).unwrap()
}

#[tokio::test]
async fn prior_knowledge_shares_the_port_with_http_1() {
    let node = node(Setup::default());
    let send = http2(node.connect().await).await;
    assert_eq!(get(&send, "/a").await, "hello /a");
    let one = node.connect().await.exchange("GET / HTTP/1.0\r\n\r\n").await;
    assert!(one.ends_with("hello /"));
    assert_eq!(get(&send, "/stream").await, "one two three");
    assert!(get(&send, "/info").await.contains("client: 127.0.0.1"));
}

#[tokio::test]
async fn alpn_chooses_http_2_over_tls() {
    let node = node(Setup::default());
    let send = http2(node.connect_tls("edge.test", b"h2").await.unwrap()).await;
    assert_eq!(exchange(&send, "/length", vec![0; 3_000_000].into()).await, "3000000 bytes");
    assert_eq!(get(&send, "/large").await.len(), 3_000_000);
    assert!(get(&send, "/info").await.contains("edge.test"));
}

#[tokio::test]
async fn ordinary_traffic_meets_no_limit() {
    let node = node(Setup::default());
    let send = http2(node.connect().await).await;
    for round in 0..20 {
        let answers = (0..100).map(|n| {
            let send = send.clone();
            tokio::spawn(async move { get(&send, &format!("/{n}")).await })
        });
        for (n, answer) in answers.collect::<Vec<_>>().into_iter().enumerate() {
            assert_eq!(answer.await.unwrap(), format!("hello /{n}"), "round {round}");
        }
    }
}

fn frame(kind: u8, flags: u8, stream: u32, payload: &[u8]) -> Vec<u8> {
    let length = u32::try_from(payload.len()).unwrap().to_be_bytes();
    let mut bytes = vec![length[1], length[2], length[3], kind, flags];
    bytes.extend_from_slice(&stream.to_be_bytes());
    bytes.extend_from_slice(payload);
    bytes
}

/// `POST /length` in HPACK: indexed and literal fields without a dynamic table.
fn post() -> Vec<u8> {
    let mut block = vec![0x83, 0x86, 0x04, 7];
    block.extend_from_slice(b"/length");
    block.extend_from_slice(&[0x01, 1, b'a']);
    block
}

/// A connection that has said its preface and SETTINGS.
async fn raw(node: &Node) -> Client<tokio::net::TcpStream> {
    let mut client = node.connect().await;
    client.send([PREFACE, &frame(kind::SETTINGS, 0, 0, &[])].concat()).await;
    client
}

/// Pours `attack` again and again until the connection ends, and gives the error code of the GOAWAY
/// that came.
async fn flood(node: &Node, attack: &[u8]) -> Option<u32> {
    let client = raw(node).await;
    let (mut read, mut write) = client.io.into_split();
    let attack = attack.to_vec();
    let pour = tokio::spawn(async move {
        let begun = Instant::now();
        while tokio::io::AsyncWriteExt::write_all(&mut write, &attack).await.is_ok() {
            assert!(begun.elapsed() < PATIENCE, "the flood goes on");
        }
    });
    let mut bytes = Vec::new();
    // The kernel may reset the connection under our unread flood; what came before is still read.
    let _ = tokio::time::timeout(PATIENCE, read.read_to_end(&mut bytes)).await.expect("ends");
    pour.await.unwrap();
    goaway(&bytes)
}

fn goaway(mut bytes: &[u8]) -> Option<u32> {
    while bytes.len() >= 9 {
        let length = u32::from_be_bytes([0, bytes[0], bytes[1], bytes[2]]) as usize;
        let payload = bytes.get(9..9 + length)?;
        if bytes[3] == kind::GOAWAY {
            return Some(u32::from_be_bytes(payload[4..8].try_into().unwrap()));
        }
        bytes = &bytes[9 + length..];
    }
    None
}

const ENHANCE_YOUR_CALM: Option<u32> = Some(0xb);

#[tokio::test]
async fn a_ping_flood_is_told_to_calm_down() {
    let node = node(Setup::default());
    assert_eq!(flood(&node, &frame(kind::PING, 0, 0, &[0; 8])).await, ENHANCE_YOUR_CALM);
    node.rejected("h2_settings_and_pings").await;
}

#[tokio::test]
async fn a_settings_flood_is_told_to_calm_down() {
    let node = node(Setup::default());
    assert_eq!(flood(&node, &frame(kind::SETTINGS, 0, 0, &[])).await, ENHANCE_YOUR_CALM);
    node.rejected("h2_settings_and_pings").await;
}

#[tokio::test]
async fn a_flood_of_empty_data_is_told_to_calm_down() {
    let node = node_with(|limits| {
        limits.h2.other_frames = Budget { burst: 50, refill: 1, per: Duration::from_secs(1) };
    });
    let mut client = raw(&node).await;
    client.send(frame(kind::HEADERS, flag::END_HEADERS, 1, &post())).await;
    client.pour(frame(kind::DATA, 0, 1, &[]).repeat(60)).await;
    let bytes = {
        let mut bytes = Vec::new();
        let _ = tokio::time::timeout(PATIENCE, client.io.read_to_end(&mut bytes)).await.unwrap();
        bytes
    };
    assert_eq!(goaway(&bytes), ENHANCE_YOUR_CALM);
    node.rejected("h2_other_frames").await;
}

#[tokio::test]
async fn a_priority_flood_is_told_to_calm_down() {
    let node = node(Setup::default());
    assert_eq!(flood(&node, &frame(2, 0, 1, &[0, 0, 0, 0, 9])).await, ENHANCE_YOUR_CALM);
    node.rejected("h2_other_frames").await;
}

#[tokio::test]
async fn resets_are_counted_however_slowly_they_come() {
    let resets = Budget { burst: 5, refill: 1, per: Duration::from_secs(3600) };
    let node = node_with(|limits| limits.h2.resets = resets);
    let mut client = raw(&node).await;
    let mut open = true;
    for n in 0..20 {
        let stream = n * 2 + 1;
        let request = frame(kind::HEADERS, flag::END_HEADERS, stream, &post());
        open = client.pour(request).await;
        // Each stream is opened and acknowledged on its own, so that h2's own limit on pending
        // resets is not met.
        open &= client.pour(frame(kind::RST_STREAM, 0, stream, &8u32.to_be_bytes())).await;
        if !open {
            break;
        }
        let _ = tokio::time::timeout(Duration::from_millis(10), client.io.readable()).await;
    }
    client.rest().await;
    node.rejected("h2_resets").await;
    assert!(open || !client.pour("x").await);
}

#[tokio::test]
async fn rapid_reset_is_stopped() {
    let node = node(Setup::default());
    let mut attack = Vec::new();
    for n in 0..500 {
        attack.extend(frame(kind::HEADERS, flag::END_HEADERS, n * 2 + 1, &post()));
        attack.extend(frame(kind::RST_STREAM, 0, n * 2 + 1, &8u32.to_be_bytes()));
    }
    let mut client = raw(&node).await;
    client.pour(attack).await;
    client.rest().await;
    node.counted("edge_connections_open{kind=\"plain\"} 0").await;
}

#[tokio::test]
async fn a_continuation_flood_is_told_to_calm_down() {
    let node = node_with(|limits| limits.h2.continuation_frames = 3);
    let begin = frame(kind::HEADERS, 0, 1, &post());
    let go_on = frame(kind::CONTINUATION, 0, 1, &[0x40, 1, b'x', 1, b'y']);
    let mut client = raw(&node).await;
    client.pour([begin, go_on.repeat(4)].concat()).await;
    let mut bytes = Vec::new();
    let _ = tokio::time::timeout(PATIENCE, client.io.read_to_end(&mut bytes)).await.unwrap();
    assert_eq!(goaway(&bytes), ENHANCE_YOUR_CALM);
    node.rejected("h2_header_block").await;
}

#[tokio::test]
async fn a_header_block_without_an_end_is_not_waited_for() {
    let node = node_with(|limits| limits.head = SHORT);
    let mut client = raw(&node).await;
    client.send(frame(kind::HEADERS, 0, 1, &post())).await;
    let begun = Instant::now();
    let mut bytes = Vec::new();
    let _ = tokio::time::timeout(PATIENCE, client.io.read_to_end(&mut bytes)).await.unwrap();
    assert!(begun.elapsed() < PATIENCE / 2);
    assert_eq!(goaway(&bytes), ENHANCE_YOUR_CALM);
    node.rejected("h2_head_timeout").await;
}

#[tokio::test]
async fn a_connection_without_streams_is_closed() {
    let node = node_with(|limits| limits.idle = SHORT);
    let mut client = raw(&node).await;
    client.rest().await;
    node.counted("edge_connections_open{kind=\"plain\"} 0").await;
}

#[tokio::test]
async fn streams_and_header_lists_are_bounded() {
    let node = node_with(|limits| {
        limits.h2.streams = 2;
        limits.h2.header_list = 2000;
    });
    let send = http2(node.connect().await).await;
    assert_eq!(get(&send, "/").await, "hello /");
    let mut send = send.ready().await.unwrap();
    let request = http::Request::get("http://edge.test/").header("x", "y".repeat(4000));
    let (response, _) = send.send_request(request.body(()).unwrap(), true).unwrap();
    let refused = match response.await {
        Ok(response) => response.status() == 431,
        Err(_) => true,
    };
    assert!(refused);
    assert_eq!(send.current_max_send_streams(), 2);
}

#[tokio::test]
async fn a_client_that_asks_and_never_reads_is_cut() {
    let node = node_with(|limits| limits.write = SHORT);
    let mut client = node.connect().await;
    // Windows so large that only the socket holds the answers back.
    let window = (u32::MAX / 2).to_be_bytes();
    let settings = [&[0, 4], &window[..]].concat();
    let more = (u32::MAX / 2 - 65_535).to_be_bytes();
    client.send([PREFACE, &frame(kind::SETTINGS, 0, 0, &settings)].concat()).await;
    client.send(frame(kind::WINDOW_UPDATE, 0, 0, &more)).await;
    let get_large = [&[0x82, 0x86, 0x04, 6], &b"/large"[..], &[0x01, 1, b'a']].concat();
    for stream in 0..10 {
        let flags = flag::END_HEADERS | flag::END_STREAM;
        client.send(frame(kind::HEADERS, flags, 1 + 2 * stream, &get_large)).await;
    }
    node.counted("edge_connections_open{kind=\"plain\"} 0").await;
    node.rejected("write_stall").await;
    drop(client);
}
