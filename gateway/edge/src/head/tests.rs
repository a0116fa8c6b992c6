use proptest::prelude::*;

use super::*;

fn scan(head: &str) -> Found {
    HeadScan::default().scan(head.as_bytes(), &Limits::default())
}

fn body(fields: &str) -> Result<Body, Refusal> {
    match scan(&format!("POST / HTTP/1.1\r\nHost: a\r\n{fields}\r\n")) {
        Found::Head(head) => Ok(head.body),
        Found::Reject(refusal) => Err(refusal),
        Found::More => panic!("the head has an end"),
    }
}

#[test]
fn a_head_ends_at_its_empty_line() {
    let head = "GET / HTTP/1.1\r\nHost: a\r\n\r\n";
    let found = Found::Head(Head { end: head.len(), body: Body::None, tunnel: false });
    assert_eq!(scan(head), found);
    assert_eq!(scan(&format!("{head}GET /next HTTP/1.1\r\n\r\n")), found);
    assert_eq!(
        scan("GET / HTTP/1.0\r\n\r\n"),
        Found::Head(Head { end: 18, body: Body::None, tunnel: false })
    );
    assert_eq!(
        scan("\r\n\r\nGET / HTTP/1.0\r\n\r\n"),
        Found::Head(Head { end: 22, body: Body::None, tunnel: false })
    );
    assert_eq!(scan("GET / HTTP/1.1\r\nHost: a\r\n"), Found::More);
    assert_eq!(scan(""), Found::More);
}

#[test]
fn bodies_are_told_apart() {
    assert_eq!(body(""), Ok(Body::None));
    assert_eq!(body("Content-Length: 0\r\n"), Ok(Body::None));
    assert_eq!(body("content-LENGTH:\t 12 \r\n"), Ok(Body::Length(12)));
    assert_eq!(body("Transfer-Encoding: Chunked\r\n"), Ok(Body::Chunked));
    // Names that only begin like one.
    assert_eq!(body("Content-Length-X: 9\r\nContent-Type: a\r\nTransfer: b\r\n"), Ok(Body::None));
}

#[test]
fn ambiguous_framing_is_refused() {
    for (fields, refusal) in [
        ("Content-Length: 1\r\nTransfer-Encoding: chunked\r\n", Refusal::Framing),
        ("Transfer-Encoding: chunked\r\nContent-Length: 0\r\n", Refusal::Framing),
        ("Content-Length: 1\r\nContent-Length: 2\r\n", Refusal::Framing),
        ("Content-Length: 1\r\nContent-Length: 1\r\n", Refusal::Framing),
        ("Content-Length: 1, 1\r\n", Refusal::Framing),
        ("Content-Length: +1\r\n", Refusal::Framing),
        ("Content-Length: 0x1\r\n", Refusal::Framing),
        ("Content-Length:\r\n", Refusal::Framing),
        ("Content-Length: 99999999999999999999\r\n", Refusal::Framing),
        ("Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n", Refusal::Framing),
        ("Transfer-Encoding: gzip, chunked\r\n", Refusal::TransferCoding),
        ("Transfer-Encoding: identity\r\n", Refusal::TransferCoding),
        ("Transfer-Encoding: chunked, identity\r\n", Refusal::TransferCoding),
        ("Transfer-Encoding: xchunked\r\n", Refusal::TransferCoding),
        ("Transfer-Encoding: \u{b}chunked\r\n", Refusal::TransferCoding),
        ("X: a\r\n Content-Length: 5\r\n", Refusal::Malformed),
        ("X: a\r\n\tb\r\n", Refusal::Malformed),
        ("X: a\nContent-Length: 5\r\n", Refusal::Malformed),
    ] {
        assert_eq!(body(fields), Err(refusal), "{fields:?}");
    }
    let old = "POST / HTTP/1.0\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n";
    assert_eq!(scan(old), Found::Reject(Refusal::Framing));
}

#[test]
fn only_one_host_is_clear() {
    assert_eq!(scan("GET / HTTP/1.1\r\n\r\n"), Found::Reject(Refusal::Host));
    assert_eq!(scan("GET / HTTP/1.1\r\nHost: a\r\nhOST: a\r\n\r\n"), Found::Reject(Refusal::Host));
    assert_eq!(scan("GET / HTTP/1.0\r\nHost: a\r\nHost: b\r\n\r\n"), Found::Reject(Refusal::Host));
}

#[test]
fn request_lines_have_three_parts() {
    for (line, refusal) in [
        ("GET /", Refusal::Malformed),
        ("GET", Refusal::Malformed),
        ("GET  HTTP/1.1", Refusal::Malformed),
        ("GET /a b HTTP/1.1", Refusal::Malformed),
        ("GET /a\tb HTTP/1.1", Refusal::Malformed),
        ("GET /a\rb HTTP/1.1", Refusal::Malformed),
        ("GET /a\0b HTTP/1.1", Refusal::Malformed),
        ("GET / http/1.1", Refusal::Malformed),
        ("GET / HTTP/1.1 ", Refusal::Malformed),
        ("GET / HTTP/2.0", Refusal::Version),
        ("GET / HTTP/1.2", Refusal::Version),
        ("\u{16}\u{3}\u{1}", Refusal::Malformed),
    ] {
        assert_eq!(scan(&format!("{line}\r\nHost: a\r\n\r\n")), Found::Reject(refusal), "{line:?}");
    }
    assert_eq!(
        scan("\u{16}\u{3}\u{1}"),
        Found::Reject(Refusal::Malformed),
        "before any line ended"
    );
    assert_eq!(scan(&"\r\n".repeat(9)), Found::Reject(Refusal::Malformed));
}

#[test]
fn each_size_has_its_own_refusal() {
    let limits = Limits { head_bytes: 400, uri_bytes: 100, head_fields: 3, ..Limits::default() };
    let scan = |head: String| HeadScan::default().scan(head.as_bytes(), &limits);
    let uri = |length: usize| format!("GET {} HTTP/1.1\r\nHost: a\r\n\r\n", "/".repeat(length));
    assert!(matches!(scan(uri(100)), Found::Head(_)));
    assert_eq!(scan(uri(101)), Found::Reject(Refusal::UriTooLong));
    assert_eq!(scan("GET /".repeat(100)), Found::Reject(Refusal::UriTooLong));
    let field = |n: usize| format!("GET / HTTP/1.1\r\nHost: a\r\nX: {}\r\n\r\n", "x".repeat(n));
    let around = field(0).len();
    assert!(matches!(scan(field(400 - around)), Found::Head(_)));
    assert_eq!(scan(field(401 - around)), Found::Reject(Refusal::HeadTooLarge));
    let fields = |n: usize| format!("GET / HTTP/1.1\r\nHost: a\r\n{}\r\n", "X: y\r\n".repeat(n));
    assert!(matches!(scan(fields(2)), Found::Head(_)));
    assert_eq!(scan(fields(3)), Found::Reject(Refusal::TooManyFields));
}

#[test]
fn tunnels_are_marked() {
    let tunnel = |head: &str| matches!(scan(head), Found::Head(Head { tunnel: true, .. }));
    assert!(tunnel("GET / HTTP/1.1\r\nHost: a\r\nUpgrade: websocket\r\n\r\n"));
    assert!(tunnel("CONNECT a:443 HTTP/1.1\r\nHost: a\r\n\r\n"));
    assert!(!tunnel("GET / HTTP/1.1\r\nHost: a\r\nUpgrade: h2c\r\n\r\n"));
    assert!(!tunnel("GET / HTTP/1.1\r\nHost: a\r\nUpgrade-Insecure-Requests: 1\r\n\r\n"));
}

/// Pieces that make heads and near-heads.
fn pieces() -> impl Strategy<Value = Vec<u8>> {
    let piece = prop_oneof![
        Just(b"GET /path HTTP/1.1\r\n".to_vec()),
        Just(b"POST / HTTP/1.0\r\n".to_vec()),
        Just(b"Host: a\r\n".to_vec()),
        Just(b"Content-Length: 7\r\n".to_vec()),
        Just(b"Transfer-Encoding: chunked\r\n".to_vec()),
        Just(b"X: long long long long\r\n".to_vec()),
        Just(b"\r\n".to_vec()),
        Just(b"\n".to_vec()),
        proptest::collection::vec(any::<u8>(), 0..30),
        proptest::collection::vec(
            prop_oneof![Just(b'\r'), Just(b'\n'), Just(b' '), Just(b'a')],
            0..9
        ),
    ];
    proptest::collection::vec(piece, 0..12).prop_map(|pieces| pieces.concat())
}

proptest! {
    #[test]
    fn any_split_gives_the_same_verdict(
        bytes in pieces(),
        cut in 1usize..50,
        head_bytes in 0usize..250,
        uri_bytes in 0usize..60,
        head_fields in 0usize..5,
    ) {
        let limits = Limits { head_bytes, uri_bytes, head_fields, ..Limits::default() };
        let whole = HeadScan::default().scan(&bytes, &limits);
        let mut scan = HeadScan::default();
        let mut split = Found::More;
        let mut end = 0;
        while split == Found::More && end < bytes.len() {
            end = (end + cut).min(bytes.len());
            split = scan.scan(&bytes[..end], &limits);
        }
        prop_assert_eq!(whole, split);
    }
}
