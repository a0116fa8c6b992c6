//! What two parsers could read in two ways is refused, and the connection with it (RFC 9112 §11.2).

use crate::node::{Setup, node};

/// Is only ever answered if what came before it was taken for a whole request.
const SMUGGLED: &str = "GET /smuggled HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n";

/// Bytes that must be refused with this status, nothing after them being answered.
const TABLE: &[(&str, &str)] = &[
    (
        "400",
        "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 4\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
    ),
    (
        "400",
        "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\nContent-Length: 4\r\n\r\n0\r\n\r\n",
    ),
    ("501", "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: identity\r\n\r\n"),
    ("501", "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: gzip, chunked\r\n\r\n0\r\n\r\n"),
    ("501", "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked, chunked\r\n\r\n0\r\n\r\n"),
    ("501", "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: \u{b}chunked\r\n\r\n0\r\n\r\n"),
    (
        "400",
        "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
    ),
    ("400", "POST / HTTP/1.0\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n"),
    ("400", "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\nx"),
    ("400", "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 1\r\nContent-Length: 1\r\n\r\nx"),
    ("400", "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 1, 1\r\n\r\nx"),
    ("400", "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: -1\r\n\r\n"),
    ("400", "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 1 2\r\n\r\n"),
    // Read by pingora's parser.
    ("400", "POST / HTTP/1.1\r\nHost: a\r\nContent-Length : 5\r\n\r\nx"),
    ("400", "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding : chunked\r\n\r\n0\r\n\r\n"),
    ("400", "GET / HTTP/1.1\r\nHost: a\r\nX: a\rb\r\n\r\n"),
    ("400", "GET / HTTP/1.1\r\nHost: a\r\nX: a\0b\r\n\r\n"),
    ("400", "GET / HTTP/1.1\r\nHost: a\r\nX\0Y: b\r\n\r\n"),
    ("400", "GET / HTTP/1.1\r\nHost: a\r\nX(Y): b\r\n\r\n"),
    ("400", "GET / HTTP/1.1\r\nHost: a\r\nno colon\r\n\r\n"),
    ("400", "GET / HTTP/1.1\r\nHost: a\r\n: no name\r\n\r\n"),
    ("400", "GET / HTTP/1.1\r\nHost: user@a\r\n\r\n"),
    ("400", "GET http://b/ HTTP/1.1\r\nHost: a\r\n\r\n"),
    // Folded and half-ended lines.
    ("400", "GET / HTTP/1.1\r\nHost: a\r\nX: a\r\n Content-Length: 5\r\n\r\n"),
    ("400", "GET / HTTP/1.1\r\n Host: a\r\n\r\n"),
    ("400", "GET / HTTP/1.1\nHost: a\n\n"),
    ("400", "GET / HTTP/1.1\r\nHost: a\r\nX: a\nContent-Length: 5\r\n\r\n"),
    // Request lines.
    ("400", "GET / HTTP/1.1\r\n\r\n"),
    ("400", "GET / HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n"),
    ("400", "GET / HTTP/1.1\r\nHost: a\r\nHost: a\r\n\r\n"),
    ("400", "GET /a b HTTP/1.1\r\nHost: a\r\n\r\n"),
    ("400", "GET /a\rb HTTP/1.1\r\nHost: a\r\n\r\n"),
    ("400", "GET  / HTTP/1.1\r\nHost: a\r\n\r\n"),
    ("400", "G(T / HTTP/1.1\r\nHost: a\r\n\r\n"),
    ("400", "GET /\r\n\r\n"),
    ("505", "GET / HTTP/3.0\r\nHost: a\r\n\r\n"),
];

#[tokio::test]
async fn ambiguous_requests_are_refused_with_their_connection() {
    let node = node(Setup::default());
    for (status, bytes) in TABLE {
        let answer = node.connect().await.exchange(format!("{bytes}{SMUGGLED}")).await;
        assert!(answer.starts_with(&format!("HTTP/1.1 {status}")), "{bytes:?}: {answer:?}");
        assert!(!answer.contains("200 OK"), "{bytes:?}: {answer:?}");
    }
}

#[tokio::test]
async fn the_clear_requests_next_to_them_are_answered() {
    let node = node(Setup::default());
    for bytes in [
        "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: Chunked\r\n\r\n0\r\n\r\n",
        "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 1\r\n\r\nx",
        "GET / HTTP/1.1\r\nhost:a\r\n\r\n",
        "GET http://a/ HTTP/1.1\r\nHost: a\r\n\r\n",
        "GET /%20 HTTP/1.1\r\nHost: a\r\nX:\r\nY: \t z \r\n\r\n",
        "GET / HTTP/1.1\r\nHost: a\r\nConnection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\nHTTP2-Settings: AAMAAABk\r\n\r\n",
    ] {
        let mut client = node.connect().await;
        client.send(bytes).await;
        let answer = client.until("\r\n\r\n").await;
        assert!(answer.starts_with("HTTP/1.1 200"), "{bytes:?}: {answer}");
    }
}
