//! Bodies are streamed, both ways, and never pass for whole when they are not.

use std::{
    convert::Infallible,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
};

use bytes::Bytes;
use futures::{StreamExt, stream};
use headgate_outbound::{Error, RequestBody, RequestBodyError, Timeouts};
use http::{Request, Response};
use http_body::Frame;
use http_body_util::{BodyExt, StreamBody};
use hyper::body::Incoming;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpListener,
    sync::mpsc,
};

use crate::lab::{SHOP, Upstream, client, eventually, hello, send};

const PIECE: usize = 64 << 10;

/// Counts what was made, and notes when nobody wants more.
#[derive(Default)]
struct Made {
    bytes: AtomicUsize,
    dropped: AtomicUsize,
}

struct Endless(Arc<Made>);

impl Drop for Endless {
    fn drop(&mut self) {
        self.0.dropped.fetch_add(1, Ordering::SeqCst);
    }
}

#[tokio::test]
async fn a_body_without_end_is_made_as_it_is_read() {
    let made = Arc::<Made>::default();
    let of_server = made.clone();
    let upstream = Upstream::start(move |_| {
        let endless = Endless(of_server.clone());
        async move {
            let pieces = stream::repeat_with(move || {
                endless.0.bytes.fetch_add(PIECE, Ordering::SeqCst);
                Ok::<_, Infallible>(Frame::data(Bytes::from_static(&[b'x'; PIECE])))
            });
            Response::new(StreamBody::new(pieces).boxed_unsync())
        }
    })
    .await;
    let mut body = send(&client(), &upstream.url("/")).await.unwrap().into_body();
    let mut read = 0;
    while read < 16 << 20 {
        read += body.frame().await.unwrap().unwrap().into_data().unwrap().len();
    }
    let ahead = made.bytes.load(Ordering::SeqCst) - read;
    assert!(ahead < 16 << 20, "{ahead} bytes are somewhere in between");
    drop(body);
    eventually(|| made.dropped.load(Ordering::SeqCst) == 1).await;
}

#[tokio::test]
async fn a_request_is_answered_while_it_is_being_sent() {
    let upstream = Upstream::start(|request: Request<Incoming>| async move {
        let body = request.into_body().into_data_stream();
        let pieces = body.map(|piece| Ok::<_, Infallible>(Frame::data(piece.unwrap())));
        Response::new(StreamBody::new(pieces).boxed_unsync())
    })
    .await;
    let (pieces, body) = channel();
    let request = Request::post(upstream.url("/")).body(body).unwrap();
    let client = client();
    let mut response = client.send(&SHOP, request, Timeouts::default()).await.unwrap();
    for piece in [&b"first"[..], b"second"] {
        pieces.send(Ok(Bytes::from_static(piece))).await.unwrap();
        let echoed = response.body_mut().frame().await.unwrap().unwrap().into_data().unwrap();
        assert_eq!(echoed, piece);
    }
    drop(pieces);
    assert!(response.body_mut().frame().await.is_none());
}

/// A body that is sent as it is told.
fn channel() -> (mpsc::Sender<Result<Bytes, RequestBodyError>>, RequestBody) {
    let (sender, receiver) = mpsc::channel(1);
    let pieces =
        stream::unfold(receiver, |mut receiver| async { Some((receiver.recv().await?, receiver)) });
    (sender, RequestBody::new(StreamBody::new(pieces.map(|piece| piece.map(Frame::data)))))
}

#[tokio::test]
async fn a_request_that_breaks_off_never_looks_complete() {
    let (seen, mut broken) = mpsc::channel(1);
    let upstream = Upstream::start(move |request: Request<Incoming>| {
        let seen = seen.clone();
        async move {
            let collected = request.into_body().collect().await;
            seen.send(collected.is_err()).await.unwrap();
            hello()
        }
    })
    .await;
    let (pieces, body) = channel();
    let request = Request::post(upstream.url("/")).body(body).unwrap();
    pieces.send(Ok(Bytes::from_static(b"half"))).await.unwrap();
    let client = client();
    let (sent, ()) = tokio::join!(client.send(&SHOP, request, Timeouts::default()), async {
        pieces.send(Err(RequestBodyError)).await.unwrap();
    });
    assert!(matches!(sent.unwrap_err(), Error::RequestBody(_)));
    assert!(broken.recv().await.unwrap());
}

#[tokio::test]
async fn a_get_whose_body_turns_out_to_be_empty_has_none() {
    let upstream = Upstream::start(|request: Request<Incoming>| async move {
        let encoded = request.headers().contains_key("transfer-encoding");
        let body = request.into_body().collect().await.unwrap().to_bytes();
        let mut response = hello();
        response.headers_mut().insert("x-encoded", encoded.to_string().parse().unwrap());
        response.headers_mut().insert("x-length", body.len().into());
        response
    })
    .await;
    let client = client();
    for (pieces, encoded, length) in
        [(&[][..], "false", "0"), (&["a"], "true", "1"), (&["a", "bc"], "true", "3")]
    {
        let (sender, body) = channel();
        let request = Request::get(upstream.url("/")).body(body).unwrap();
        let (sent, ()) = tokio::join!(client.send(&SHOP, request, Timeouts::default()), async {
            for piece in pieces {
                sender.send(Ok(Bytes::from_static(piece.as_bytes()))).await.unwrap();
            }
            drop(sender);
        });
        let headers = sent.unwrap().headers().clone();
        assert_eq!(headers["x-encoded"], encoded, "{pieces:?}");
        assert_eq!(headers["x-length"], length, "{pieces:?}");
    }
    // One that is left open is sent as it is.
    let (_sender, body) = channel();
    let request = Request::get(format!("http://{}/", early().await)).body(body).unwrap();
    let sent = client.send(&SHOP, request, Timeouts::default()).await.unwrap();
    assert_eq!(sent.status(), 204);
}

/// The address of a server that answers as soon as it has read anything.
async fn early() -> std::net::SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(async move {
        let (mut tcp, _) = listener.accept().await.unwrap();
        let mut buffer = [0; 1024];
        _ = tcp.read(&mut buffer).await.unwrap();
        tcp.write_all(b"HTTP/1.1 204 No Content\r\n\r\n").await.unwrap();
        _ = tcp.read(&mut buffer).await;
    });
    address
}

/// A server that answers one request with these bytes and closes.
async fn raw(answer: &'static [u8]) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(async move {
        let (mut tcp, _) = listener.accept().await.unwrap();
        let mut buffer = [0; 1024];
        _ = tcp.read(&mut buffer).await.unwrap();
        tcp.write_all(answer).await.unwrap();
    });
    format!("http://{address}/")
}

#[tokio::test]
async fn an_answer_that_breaks_off_ends_with_an_error() {
    let url = raw(b"HTTP/1.1 200 OK\r\ncontent-length: 10\r\n\r\nhalf").await;
    let collected = send(&client(), &url).await.unwrap().into_body().collect().await;
    assert!(matches!(collected.unwrap_err(), Error::Closed));
    let url = raw(b"HTTP/1.1 200 OK\r\nx-half: ").await;
    assert!(matches!(send(&client(), &url).await.unwrap_err(), Error::Closed));
    let url = raw(b"").await;
    assert!(matches!(send(&client(), &url).await.unwrap_err(), Error::Closed));
    let url = raw(b"SSH-2.0-OpenSSH_9.2\r\n").await;
    assert!(matches!(send(&client(), &url).await.unwrap_err(), Error::Protocol(_)));
    let url = raw(b"HTTP/1.1 101 Switching Protocols\r\nupgrade: x\r\n\r\n").await;
    assert!(matches!(send(&client(), &url).await.unwrap_err(), Error::Protocol(_)));
}
