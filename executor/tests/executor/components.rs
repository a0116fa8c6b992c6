//! Components over wasi:http 0.2: streams both ways, and answers that are never passed off as complete.

use std::time::Duration;

use bytes::Bytes;
use headgate_executor::{
    Fault, FunctionSpec, GuestBodyError, GuestStream, HttpInvocation, Invocation, InvokeError,
    RequestBody, TrapReason,
};
use headgate_types::RequestId;
use http_body::Body;
use http_body_util::{BodyExt, StreamBody};

use crate::lab::{Lab, answer, call, component_wat, get, guest, post, request, text_of};

#[tokio::test]
async fn a_finished_guest_gives_its_answer_whole_and_frees_its_slot() {
    // On a busy machine a guest that has sent its head may be made to wait before it ends.
    let lab = Lab::with(|config| config.epoch_tick = Duration::from_secs(3600));
    let function = lab.component(&guest("hello-rust")).await;
    let response = call(&function, get("/")).await.unwrap();
    assert_eq!(function.in_flight(), 0, "before the body is read");
    let length: u64 = response.headers()["content-length"].to_str().unwrap().parse().unwrap();
    assert_eq!(response.body().size_hint().exact(), Some(length));
    let text = text_of(response.into_body()).await.unwrap();
    assert_eq!(text.trim_end(), "Hello, world!");
}

#[tokio::test]
async fn bodies_stream_both_ways() {
    let lab = Lab::new();
    let function = lab.component(&guest("api")).await;
    let (sender, mut receiver) = tokio::sync::mpsc::channel::<Bytes>(1);
    let stream = futures::stream::poll_fn(move |cx| {
        receiver.poll_recv(cx).map(|chunk| Some(Ok(http_body::Frame::data(chunk?))))
    });
    let request = request("POST", "/echo", RequestBody::new(StreamBody::new(stream)));
    let mut body = call(&function, request).await.unwrap().into_body();
    for chunk in ["first", "second"] {
        sender.send(Bytes::from(chunk)).await.unwrap();
        let echoed = body.frame().await.unwrap().unwrap().into_data().unwrap();
        assert_eq!(echoed, chunk);
    }
    drop(sender);
    assert!(body.frame().await.is_none());
    assert!(body.is_end_stream());
    assert_eq!(function.in_flight(), 0);
}

#[tokio::test]
async fn large_bodies_pass_with_backpressure() {
    let lab = Lab::new();
    let function = lab.component(&guest("api")).await;
    let (status, text) = answer(&function, get("/big?bytes=5000000")).await;
    assert_eq!((status, text.len()), (200, 5_000_000));
    let sent = "0123456789abcdef".repeat(1 << 16);
    let (_, echoed) = answer(&function, post("/echo", sent.clone())).await;
    assert!(echoed == sent);
}

#[tokio::test]
async fn the_guest_sees_parameters_and_not_the_clients_forgeries() {
    let lab = Lab::new();
    let function = lab.component(&guest("api")).await;
    let mut request = get("/users/7?q=1");
    request.headers_mut().insert("x-headgate-param-id", "forged".parse().unwrap());
    request.headers_mut().insert("x-headgate-param-other", "forged".parse().unwrap());
    let invocation = |request| {
        Invocation::Http(HttpInvocation {
            request,
            secure: true,
            request_id: RequestId::from_bytes([7; 16]),
            params: vec![("id".into(), "7".to_owned())],
        })
    };
    let response = function.invoke(invocation(request)).await.unwrap();
    let text = text_of(response.into_body()).await.unwrap();
    assert!(text.contains(r#""id":"7""#) && text.contains("/users/7?q=1"), "{text}");

    let mut request = get("/headers");
    request.headers_mut().insert("x-headgate-param-other", "forged".parse().unwrap());
    let response = function.invoke(invocation(request)).await.unwrap();
    let text = text_of(response.into_body()).await.unwrap();
    assert!(text.contains("x-headgate-param-id") && !text.contains("forged"), "{text}");
}

#[tokio::test]
async fn variables_are_the_environment_and_nothing_else_is() {
    let lab = Lab::new();
    let function = lab.component(&guest("api")).await;
    let (_, text) = answer(&function, get("/env")).await;
    assert_eq!(text.trim_end(), r#"{"GREETING":"good morning"}"#);
}

#[tokio::test]
async fn output_reaches_the_log() {
    let lab = Lab::new();
    let function = lab.component(&guest("api")).await;
    let response = call(&function, get("/log")).await.unwrap();
    assert_eq!(response.status(), 204);
    assert!(response.headers().get("content-length").is_none());
    drop(response);
    assert_eq!(lab.lines.of(GuestStream::Stdout).len(), 1);
    assert_eq!(lab.lines.of(GuestStream::Stderr).len(), 1);
}

#[tokio::test]
async fn javascript_answers() {
    // Twelve megabytes compile for seconds, so the native artefact outlives the test.
    let natives = concat!(env!("CARGO_TARGET_TMPDIR"), "/natives");
    let lab = Lab::with(|config| config.native_dir = natives.into());
    let function = lab.component(&guest("greet")).await;
    let (status, text) = answer(&function, post("/", r#"{"name":"Ada"}"#)).await;
    assert_eq!(status, 200);
    assert_eq!(text, r#"{"greeting":"Hello, Ada","language":"javascript"}"#);
}

#[tokio::test]
async fn sockets_and_files_are_linked_and_denied() {
    let lab = Lab::new();
    let function = lab.component(&guest("hostile-sockets")).await;
    assert_eq!(answer(&function, get("/")).await, (200, "access-denied".to_owned()));
    let function = lab.component(&guest("hostile")).await;
    assert_eq!(answer(&function, get("/files")).await, (200, "0 preopened directories".to_owned()));
}

#[tokio::test]
async fn a_guest_that_fails_before_anything_was_sent_gives_an_error() {
    let lab = Lab::new();
    let function = lab.component(&guest("hostile")).await;
    for path in ["/trap", "/partial", "/memory", "/stack"] {
        let error = call(&function, get(path)).await.unwrap_err();
        assert!(matches!(error, InvokeError::Trap(_)), "{path}: {error:?}");
        assert_eq!(error.fault(), Fault::Guest);
    }
    let error = call(&function, get("/no-response")).await.unwrap_err();
    assert!(matches!(error, InvokeError::NoResponse | InvokeError::GuestError { .. }), "{error:?}");
    assert_eq!(answer(&function, get("/ok")).await, (200, "ok".to_owned()));
}

#[tokio::test]
async fn traps_name_their_reason_and_their_functions() {
    let lab = Lab::new();
    let function = lab.component(&guest("hostile")).await;
    let Err(InvokeError::Trap(trapped)) = call(&function, get("/stack")).await else { panic!() };
    assert_eq!(trapped.reason, TrapReason::StackOverflow);
    assert!(!trapped.backtrace.is_empty());
    let Err(InvokeError::Trap(trapped)) = call(&function, get("/memory")).await else { panic!() };
    assert_eq!(trapped.reason, TrapReason::MemoryLimit);
    let metrics = lab.metrics();
    assert!(metrics.contains(r#"traps_total{reason="stack_overflow"} 1"#), "{metrics}");
    assert!(metrics.contains("memory_refusals_total 1"), "{metrics}");
    let host = lab.lines.of(GuestStream::Host);
    assert!(host.iter().any(|line| line == "trap: call stack exhausted"), "{host:?}");
}

#[tokio::test]
async fn a_partial_body_ends_in_an_error() {
    let lab = Lab::new();
    let function = lab.component(&guest("hostile")).await;
    let mut body = call(&function, get("/partial-chunked")).await.unwrap().into_body();
    let mut sent = Vec::new();
    let error = loop {
        match body.frame().await.expect("a clean end would be a lie") {
            Ok(frame) => sent.extend(frame.into_data().unwrap()),
            Err(error) => break error,
        }
    };
    assert!(matches!(error, GuestBodyError::Trap(_)), "{error:?}");
    assert!("one\ntwo\nthree\n".as_bytes().starts_with(&sent));
    assert!(body.frame().await.is_none());
    assert_eq!(function.in_flight(), 0);
}

const HEAD: &str = "
    (local.set $f (call $fields))
    LENGTH
    (local.set $r (call $response (local.get $f)))
    (call $body (local.get $r) (i32.const 16))
    (local.set $b (i32.load (i32.const 20)))
    (call $set (local.get $out) (i32.const 0) (local.get $r)
        (i32.const 0) (i64.const 0) (i32.const 0) (i32.const 0) (i32.const 0) (i32.const 0))
    (call $write (local.get $b) (i32.const 16))
    (local.set $s (i32.load (i32.const 20)))
    (call $print (local.get $s) (i32.const 1024) (i32.const 12) (i32.const 32))";
const FINISH: &str = "
    (call $drop-stream (local.get $s))
    (call $finish (local.get $b) (i32.const 0) (i32.const 0) (i32.const 64))";
const LENGTH: &str = "
    (call $append (local.get $f) (i32.const 1040) (i32.const 14)
        (i32.const VALUE) (i32.const DIGITS) (i32.const 64))";

#[tokio::test]
async fn a_body_the_guest_did_not_finish_is_not_complete() {
    let lab = Lab::new();
    let whole = component_wat(&format!("{}{FINISH}", HEAD.replace("LENGTH", "")));
    let function = lab.component(&whole).await;
    assert_eq!(answer(&function, get("/")).await, (200, "hello world\n".to_owned()));

    // Returns and leaves stream and body behind.
    let unfinished = component_wat(&HEAD.replace("LENGTH", ""));
    let function = lab.component(&unfinished).await;
    let error = call(&function, get("/")).await.unwrap_err();
    let InvokeError::Partial(GuestBodyError::Unfinished) = error else { panic!("{error:?}") };
    assert!(lab.metrics().contains(r#"invocations_total{result="partial"} 1"#));
}

#[tokio::test]
async fn a_declared_length_is_neither_missed_nor_exceeded() {
    let lab = Lab::new();
    let with_length = |value: &str, digits: &str, finish: &str| {
        let length = LENGTH.replace("VALUE", value).replace("DIGITS", digits);
        component_wat(&format!("{}{finish}", HEAD.replace("LENGTH", &length)))
    };
    let function = lab.component(&with_length("1056", "2", FINISH)).await; // 12
    assert_eq!(answer(&function, get("/")).await, (200, "hello world\n".to_owned()));
    let function = lab.component(&with_length("1060", "1", FINISH)).await; // 5
    let error = call(&function, get("/")).await.unwrap_err();
    assert!(matches!(error, InvokeError::Partial(_) | InvokeError::Trap(_)), "{error:?}");
}

#[tokio::test]
async fn a_guest_that_throws_its_answer_away_and_runs_on_harms_nobody() {
    let lab = Lab::new();
    let limit = |spec: &mut FunctionSpec| spec.limits.deadline = Duration::from_millis(200);
    let wasm = component_wat("(call $drop-out (local.get $out)) (loop $l (br $l))");
    let function = lab.component_with(&wasm, limit).await;
    let error = call(&function, get("/")).await.unwrap_err();
    assert!(matches!(error, InvokeError::Deadline { .. }), "{error:?}");
    let wasm = component_wat("(call $drop-out (local.get $out))");
    let error = call(&lab.component(&wasm).await, get("/")).await.unwrap_err();
    assert!(matches!(error, InvokeError::NoResponse), "{error:?}");
}

#[tokio::test]
async fn a_request_without_a_host_is_the_clients_fault() {
    let lab = Lab::new();
    let function = lab.component(&guest("hello-rust")).await;
    let mut request = get("/");
    request.headers_mut().clear();
    let error = call(&function, request).await.unwrap_err();
    assert_eq!(error.fault(), Fault::Downstream);
}

#[tokio::test]
async fn ten_thousand_fields_never_reach_the_client() {
    let lab = Lab::new();
    let function = lab.component(&guest("hostile")).await;
    match call(&function, get("/headers")).await {
        Ok(response) => assert!(response.headers().len() <= 100),
        // wasmtime ends a guest that makes more than it can ever send.
        Err(error) => assert_eq!(error.fault(), Fault::Guest, "{error:?}"),
    }
}

#[tokio::test]
async fn the_client_hears_each_part_when_it_is_written() {
    let lab = Lab::new();
    let function = lab.component(&guest("api")).await;
    let start = std::time::Instant::now();
    let mut body = call(&function, get("/stream")).await.unwrap().into_body();
    let first = body.frame().await.unwrap().unwrap().into_data().unwrap();
    assert!(first.starts_with(b"tick"));
    assert!(start.elapsed() < Duration::from_millis(400), "the guest takes 400 ms in all");
    assert!(text_of(body).await.unwrap().ends_with("tick 1\ntick 2\ntick 3\ntick 4\n"));
}
