//! Everything has an end: waiting, connections, heads.

use std::{
    sync::{Arc, atomic::Ordering},
    time::Duration,
};

use bytes::Bytes;
use futures::{StreamExt, future::join_all, stream};
use headgate_outbound::{Error, RequestBody, Timeouts, defaults};
use http::{HeaderValue, Request, Response};
use http_body::Frame;
use http_body_util::{BodyExt, StreamBody};
use hyper::body::Incoming;
use tokio::{net::TcpListener, sync::Semaphore};

use crate::lab::{SHOP, Upstream, client, eventually, get, hello, send, send_of, text};

const SHORT: Option<Duration> = Some(Duration::from_millis(50));

#[tokio::test]
async fn an_answer_that_does_not_begin_is_given_up() {
    let upstream = Upstream::start(|_| std::future::pending()).await;
    let timeouts = Timeouts { first_byte: SHORT, ..Timeouts::default() };
    let client = client();
    let sent = client.send(&SHOP, get(&upstream.url("/")), timeouts);
    assert!(matches!(sent.await.unwrap_err(), Error::HeadTimeout));
    eventually(|| upstream.connections.open() == 0).await;
}

#[tokio::test]
async fn an_answer_that_stalls_is_given_up() {
    let upstream = Upstream::start(|_| async {
        let first = stream::iter([Ok(Frame::data(Bytes::from_static(b"first")))]);
        Response::new(StreamBody::new(first.chain(stream::pending())).boxed_unsync())
    })
    .await;
    let timeouts = Timeouts { between_bytes: SHORT, ..Timeouts::default() };
    let client = client();
    let sent = client.send(&SHOP, get(&upstream.url("/")), timeouts);
    let mut body = sent.await.unwrap().into_body();
    assert_eq!(body.frame().await.unwrap().unwrap().into_data().unwrap(), "first");
    assert!(matches!(body.frame().await.unwrap().unwrap_err(), Error::BodyTimeout));
    drop(body);
    eventually(|| upstream.connections.open() == 0).await;
}

#[tokio::test]
async fn a_connection_that_is_not_made_in_time_is_given_up() {
    // It accepts, and never says a word of TLS.
    let silent = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let timeouts = Timeouts { connect: SHORT, ..Timeouts::default() };
    let url = format!("https://{}/", silent.local_addr().unwrap());
    let client = client();
    let sent = client.send(&SHOP, get(&url), timeouts);
    assert!(matches!(sent.await.unwrap_err(), Error::ConnectTimeout));
}

#[tokio::test]
async fn nobody_is_late_who_is_still_being_told() {
    let upstream = Upstream::start(|request: Request<Incoming>| async move {
        request.into_body().collect().await.unwrap();
        hello()
    })
    .await;
    // Longer altogether than an answer may take, but never silent for so long.
    let pause = tokio::time::interval(Duration::from_millis(40));
    let pieces = stream::unfold((pause, 0), |(mut pause, sent)| async move {
        pause.tick().await;
        (sent < 10).then(|| (Ok(Frame::data(Bytes::from_static(b"piece"))), (pause, sent + 1)))
    });
    let body = RequestBody::new(StreamBody::new(Box::pin(pieces)));
    let request = Request::post(upstream.url("/")).body(body).unwrap();
    let timeouts = Timeouts { first_byte: Some(Duration::from_millis(200)), ..Timeouts::default() };
    let client = client();
    let sent = client.send(&SHOP, request, timeouts).await;
    assert_eq!(text(sent.unwrap()).await, "hello");
}

#[tokio::test]
async fn a_head_has_a_size() {
    let upstream = Upstream::start(|_| async {
        let mut response = hello();
        let large = HeaderValue::from_bytes(&[b'x'; defaults::RESPONSE_HEAD]).unwrap();
        response.headers_mut().insert("x-large", large);
        response
    })
    .await;
    let error = send(&client(), &upstream.url("/")).await.unwrap_err();
    assert!(matches!(error, Error::HeadTooLarge), "{error:?}");
}

#[tokio::test]
async fn a_flood_of_calls_has_the_connections_of_its_project_and_no_more() {
    let gate = Arc::new(Semaphore::new(0));
    let of_server = gate.clone();
    let upstream = Upstream::start(move |request| {
        let gate = of_server.clone();
        async move {
            if request.uri().path() == "/gate" {
                gate.acquire().await.unwrap().forget();
            }
            hello()
        }
    })
    .await;
    let client = client();
    let url = upstream.url("/gate");
    let calls = (0..defaults::PROJECT_CONNECTIONS + 50).map(|_| send(&client, &url));
    let flood = async {
        for response in join_all(calls).await {
            assert_eq!(text(response.unwrap()).await, "hello");
        }
    };
    let released = async {
        eventually(|| upstream.connections.open() == defaults::PROJECT_CONNECTIONS).await;
        // Somebody else is not kept waiting.
        let neighbour = send_of(&client, "other", &upstream.url("/")).await.unwrap();
        assert_eq!(text(neighbour).await, "hello");
        gate.add_permits(1000);
    };
    tokio::join!(flood, released);
    let most = upstream.connections.most.load(Ordering::SeqCst);
    assert!(most <= defaults::PROJECT_CONNECTIONS + 1, "{most}");
    // What is left idle is no more than a project may keep for one host.
    eventually(|| upstream.connections.open() <= defaults::IDLE_PER_HOST + 1).await;
}
