//! Guests over `wasi:http` 0.3: streams both ways, trailers, and work that goes on after the response.

use std::time::Duration;

use bytes::Bytes;
use headgate_executor::{GuestBodyError, InvokeError, RequestBody};
use http::HeaderMap;
use http_body::Frame;
use http_body_util::{BodyExt, StreamBody};

use crate::lab::{Lab, answer, call, eventually, get, guest, post, request};

/// The data in the pieces it came in, and the trailers.
async fn collect(body: headgate_executor::ResponseBody) -> (Vec<Bytes>, Option<HeaderMap>) {
    let (mut body, mut chunks, mut trailers) = (body, Vec::new(), None);
    while let Some(frame) = body.frame().await {
        match frame.unwrap().into_data() {
            Ok(data) => chunks.push(data),
            Err(frame) => trailers = frame.into_trailers().ok(),
        }
    }
    (chunks, trailers)
}

#[tokio::test]
async fn what_is_written_after_the_response_is_sent_as_it_comes_and_ends_with_trailers() {
    let lab = Lab::new();
    let function = lab.component(&guest("streams")).await;
    let response = call(&function, get("/ticks?count=3")).await.unwrap();
    assert_eq!(
        (response.status().as_u16(), &response.headers()["content-type"]),
        (200, &"text/plain".parse().unwrap())
    );
    let (chunks, trailers) = collect(response.into_body()).await;
    assert_eq!(chunks, ["tick 0\n", "tick 1\n", "tick 2\n"]);
    assert_eq!(trailers.unwrap()["x-ticks"], "3");
    assert_eq!(function.in_flight(), 0);
    assert_eq!(
        answer(&function, get("/ticks?count=x")).await,
        (400, "count is a number up to 1000\n".to_owned())
    );
    assert_eq!(answer(&function, get("/other")).await, (404, "not found\n".to_owned()));
}

#[tokio::test]
async fn a_request_is_answered_while_it_is_still_sent() {
    let lab = Lab::new();
    let function = lab.component(&guest("streams")).await;
    for path in ["/echo", "/checked"] {
        let (sender, receiver) = tokio::sync::mpsc::channel::<Bytes>(1);
        let frames = futures::stream::unfold(receiver, |mut receiver| async {
            let chunk = receiver.recv().await?;
            Some((Ok(Frame::data(chunk)), receiver))
        });
        let upload = request("POST", path, RequestBody::new(StreamBody::new(frames)));
        let first = async {
            sender.send(Bytes::from_static(b"first ")).await.unwrap();
            sender
        };
        let (response, sender) = tokio::join!(call(&function, upload), first);
        let mut body = response.unwrap().into_body();
        let frame = body.frame().await.unwrap().unwrap().into_data().unwrap();
        assert_eq!(frame, "first ", "{path}");
        sender.send(Bytes::from_static(b"second")).await.unwrap();
        drop(sender);
        let (rest, trailers) = collect(body).await;
        assert_eq!(rest.concat(), b"second", "{path}");
        if path == "/checked" {
            assert_eq!(trailers.unwrap()["x-bytes"], "12");
        }
    }
}

#[tokio::test]
async fn a_large_body_passes_whole() {
    let lab = Lab::new();
    let function = lab.component(&guest("streams")).await;
    let body: Vec<u8> = (0..3_000_000_u32).map(|at| (at % 251) as u8).collect();
    for path in ["/echo", "/checked"] {
        let response = call(&function, post(path, body.clone())).await.unwrap();
        let (chunks, _) = collect(response.into_body()).await;
        assert!(chunks.concat() == body, "{path}");
    }
}

#[tokio::test]
async fn time_and_memory_bound_a_guest_of_0_3_too() {
    let lab = Lab::new();
    let wasm = guest("streams");
    let limit = Duration::from_millis(300);
    let function = lab.component_with(&wasm, |s| s.limits.deadline = limit).await;
    // It lasts longer than the limit, and is never silent for so long.
    let (status, text) = answer(&function, get("/ticks?count=60")).await;
    assert_eq!((status, text.lines().count()), (200, 60));
    // A client that never sends what the guest hands on.
    let silence = StreamBody::new(futures::stream::pending());
    let upload = request("POST", "/echo", RequestBody::new(silence));
    let mut body = call(&function, upload).await.unwrap().into_body();
    let error = body.frame().await.expect("a clean end would be a lie").unwrap_err();
    assert!(matches!(error, GuestBodyError::Deadline { .. }), "{error:?}");
    let function = lab
        .component_with(&wasm, |s| s.limits.memory = headgate_types::ByteSize::from_kib(64))
        .await;
    let error = call(&function, get("/ticks")).await.unwrap_err();
    assert!(matches!(error, InvokeError::Trap(_)), "{error:?}");
}

#[tokio::test]
async fn a_client_that_leaves_ends_the_guest() {
    let lab = Lab::new();
    let function = lab.component(&guest("streams")).await;
    let mut body = call(&function, get("/ticks?count=1000")).await.unwrap().into_body();
    body.frame().await.unwrap().unwrap();
    assert_eq!(function.in_flight(), 1);
    drop(body);
    eventually(|| function.in_flight() == 0).await;
}
