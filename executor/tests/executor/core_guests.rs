//! Core modules over Taubyte's ABI: what they are told and what becomes of their answers.

use bytes::Bytes;
use headgate_executor::{
    GuestBodyError, HttpInvocation, Invocation, InvokeError, RequestBody, TrapReason,
};
use headgate_types::RequestId;
use http_body_util::{BodyExt, StreamBody};

use crate::lab::{Lab, answer, call, core_wat, get, guest, http, post, request, text_of, wat};

#[tokio::test]
async fn hello_in_c_zig_and_rust() {
    let lab = Lab::new();
    for (name, export, text) in [
        ("hello", "hello", "Hello, world!"),
        ("hello-zig", "hello", "Hello, world!"),
        ("ping", "ping", "PONG"),
    ] {
        let function = lab.core(&guest(name), export).await;
        let response = call(&function, get("/")).await.unwrap();
        assert_eq!(response.status(), 200, "{name}");
        assert_eq!(response.headers()["content-length"], text.len().to_string(), "{name}");
        assert_eq!(text_of(response.into_body()).await.unwrap().trim_end(), text, "{name}");
    }
}

#[tokio::test]
async fn taubytes_own_sdk_reads_the_whole_request() {
    let lab = Lab::new();
    let function = lab.core(&guest("ping"), "echo").await;
    let mut request = post("/a%20path?id=from%20query&id=second", "the body");
    request.headers_mut().insert("x-test", "value".parse().unwrap());
    let (status, text) = answer(&function, request).await;
    assert_eq!((status, text.as_str()), (200, "POST\n/a path\nfrom query\nvalue\n\nthe body"));
}

#[tokio::test]
async fn path_parameters_win_over_the_query() {
    let lab = Lab::new();
    let function = lab.core(&guest("ping"), "echo").await;
    let invocation = Invocation::Http(HttpInvocation {
        request: get("/users/7?id=8"),
        secure: false,
        request_id: RequestId::from_bytes([7; 16]),
        params: vec![("id".into(), "7".to_owned())],
    });
    let body = function.invoke(invocation).await.unwrap().into_body();
    assert_eq!(text_of(body).await.unwrap(), "GET\n/users/7\n7\n\n\n");
}

#[tokio::test]
async fn a_body_that_arrives_slowly_is_awaited() {
    let lab = Lab::new();
    let function = lab.core(&guest("count"), "count").await;
    let (sender, mut receiver) = tokio::sync::mpsc::channel::<Bytes>(1);
    let stream = futures::stream::poll_fn(move |cx| {
        receiver.poll_recv(cx).map(|chunk| Some(Ok(http_body::Frame::data(chunk?))))
    });
    let counting = call(&function, request("POST", "/", RequestBody::new(StreamBody::new(stream))));
    let sending = async {
        for chunk in ["one tw", "o thr", "ee "] {
            sender.send(Bytes::from(chunk)).await.unwrap();
            tokio::task::yield_now().await;
        }
        drop(sender);
    };
    let (response, ()) = tokio::join!(counting, sending);
    let text = text_of(response.unwrap().into_body()).await.unwrap();
    assert_eq!(text, r#"{"words":3,"bytes":14}"#);
}

#[tokio::test]
async fn a_body_of_a_megabyte_is_echoed() {
    let lab = Lab::new();
    let function = lab.core(&guest("hostile-core"), "body_echo").await;
    let body = "0123456789abcdef".repeat(1 << 17); // 2 MiB: more than is held back
    let (status, text) = answer(&function, post("/", body.clone())).await;
    assert_eq!(status, 200);
    assert!(text == body);
}

#[tokio::test]
async fn each_request_gets_a_fresh_instance() {
    let lab = Lab::new();
    let wasm = wat(r#"(module
        (import "taubyte/sdk" "eventHttpRetCode" (func $code (param i32 i32) (result i32)))
        (memory (export "memory") 1)
        (global $runs (mut i32) (i32.const 0))
        (func (export "main") (param i32)
            (global.set $runs (i32.add (global.get $runs) (i32.const 1)))
            (i32.store (i32.const 8) (i32.add (i32.load (i32.const 8)) (i32.const 1)))
            (drop (call $code (local.get 0)
                (i32.add (i32.const 198) (i32.add (global.get $runs) (i32.load (i32.const 8))))))))"#);
    let function = lab.core(&wasm, "main").await;
    for _ in 0..20 {
        assert_eq!(call(&function, get("/")).await.unwrap().status(), 200);
    }
}

#[tokio::test]
async fn initialize_runs_before_the_entry_and_start_may_fail() {
    let lab = Lab::new();
    let main = r#"(func (export "main") (param i32) (drop (call $code (local.get 0) (global.get $started))))"#;
    let imports = r#"(import "taubyte/sdk" "eventHttpRetCode" (func $code (param i32 i32) (result i32)))
        (import "wasi_snapshot_preview1" "proc_exit" (func $exit (param i32)))
        (global $started (mut i32) (i32.const 200))"#;
    let set = "(global.set $started (i32.const 201))";
    for (start, status) in [
        (
            format!(r#"(func (export "_initialize") {set}) (func (export "_start") unreachable)"#),
            201,
        ),
        (format!(r#"(func (export "_start") {set} (call $exit (i32.const 0)))"#), 201),
        (format!(r#"(func (export "_start") {set} (call $exit (i32.const 3)))"#), 201),
        (format!(r#"(func (export "_start") {set} unreachable)"#), 201),
        (String::new(), 200),
    ] {
        let module = format!(r#"(module {imports} (memory (export "memory") 1) {start} {main})"#);
        let function = lab.core(&wat(&module), "main").await;
        assert_eq!(call(&function, get("/")).await.unwrap().status(), status, "{start}");
    }
    let module = format!(
        r#"(module {imports} (memory (export "memory") 1)
            (func (export "_initialize") unreachable) {main})"#
    );
    let function = lab.core(&wat(&module), "main").await;
    let Err(InvokeError::Trap(trapped)) = call(&function, get("/")).await else { panic!() };
    assert_eq!(trapped.reason, TrapReason::Unreachable);
}

#[tokio::test]
async fn flushed_parts_leave_before_the_guest_returns() {
    let lab = Lab::new();
    let function = lab.core(&guest("hostile-core"), "flush").await;
    assert_eq!(answer(&function, get("/")).await, (200, "ab".to_owned()));

    // Writes, flushes and sleeps an hour: the first part is there all the same.
    let wasm = core_wat(
        &format!(r#"{WRITE} {FLUSH} (import "env" "_sleep" (func $sleep (param i64)))"#),
        r#"(data (i32.const 64) "early")"#,
        "(drop (call $write (local.get $event) (i32.const 64) (i32.const 5) (i32.const 0)))
         (drop (call $flush (local.get $event)))
         (call $sleep (i64.const 3600000000000))",
    );
    let function = lab.core(&wasm, "main").await;
    let response = call(&function, get("/")).await.unwrap();
    assert!(response.headers().get("content-length").is_none());
    let mut body = response.into_body();
    assert_eq!(body.frame().await.unwrap().unwrap().into_data().unwrap(), "early");
    assert_eq!(function.in_flight(), 1);
    drop(body);
    assert_eq!(function.in_flight(), 0);
}

#[tokio::test]
async fn the_first_status_wins_even_after_a_write() {
    let lab = Lab::new();
    let wasm = core_wat(
        &format!("{WRITE} {CODE}"),
        r#"(data (i32.const 64) "text")"#,
        "(drop (call $write (local.get $event) (i32.const 64) (i32.const 4) (i32.const 0)))
         (drop (call $code (local.get $event) (i32.const 404)))
         (drop (call $code (local.get $event) (i32.const 500)))",
    );
    let function = lab.core(&wasm, "main").await;
    assert_eq!(answer(&function, get("/")).await, (404, "text".to_owned()));
}

#[tokio::test]
async fn a_declared_length_is_kept() {
    let lab = Lab::new();
    let with_length = |length: &str| {
        core_wat(
            &format!("{WRITE} {HEADER}"),
            &format!(r#"(data (i32.const 64) "content-length{length}text")"#),
            "(drop (call $header (local.get $event)
                (i32.const 64) (i32.const 14) (i32.const 78) (i32.const 1)))
             (drop (call $write (local.get $event) (i32.const 79) (i32.const 4) (i32.const 0)))",
        )
    };
    let function = lab.core(&with_length("4"), "main").await;
    assert_eq!(answer(&function, get("/")).await, (200, "text".to_owned()));
    for length in ["3", "5"] {
        let function = lab.core(&with_length(length), "main").await;
        let error = call(&function, get("/")).await.unwrap_err();
        assert!(matches!(error, InvokeError::Partial(_)), "{error:?}");
        // An answer to HEAD only tells the length.
        let head = call(&function, request("HEAD", "/", RequestBody::empty())).await.unwrap();
        assert_eq!(head.headers()["content-length"], length);
        assert_eq!(text_of(head.into_body()).await.unwrap(), "");
    }
}

#[tokio::test]
async fn a_declared_length_is_kept_by_streams_too() {
    let lab = Lab::new();
    for (length, too_many) in [("3", true), ("5", false)] {
        let wasm = core_wat(
            &format!(
                r#"{WRITE} {HEADER} {FLUSH} (import "env" "_sleep" (func $sleep (param i64)))"#
            ),
            &format!(r#"(data (i32.const 64) "content-length{length}text")"#),
            "(drop (call $header (local.get $event)
                (i32.const 64) (i32.const 14) (i32.const 78) (i32.const 1)))
             (drop (call $flush (local.get $event)))
             (call $sleep (i64.const 1000000))
             (drop (call $write (local.get $event) (i32.const 79) (i32.const 4) (i32.const 0)))
             (call $sleep (i64.const 1000000))",
        );
        let function = lab.core(&wasm, "main").await;
        let response = call(&function, get("/")).await.unwrap();
        assert_eq!(response.headers()["content-length"], length);
        let error = text_of(response.into_body()).await.unwrap_err();
        let GuestBodyError::Length { too_many: found, .. } = error else { panic!("{error:?}") };
        assert_eq!(found, too_many);
        assert!(!lab.metrics().contains(r#"result="ok"} 1"#));
        assert_eq!(function.in_flight(), 0);
    }
}

#[tokio::test]
async fn redirects_follow_go() {
    let lab = Lab::new();
    let redirect = r#"(import "taubyte/sdk" "eventHttpRedirect"
        (func $redirect (param i32 i32 i32 i32) (result i32)))"#;
    let wasm = core_wat(
        redirect,
        r#"(data (i32.const 64) "../next?a=<b>")"#,
        "(drop (call $redirect (local.get $event) (i32.const 64) (i32.const 13) (i32.const 302)))",
    );
    let function = lab.core(&wasm, "main").await;
    let response = call(&function, get("/docs/deep/page")).await.unwrap();
    assert_eq!(response.status(), 302);
    assert_eq!(response.headers()["location"], "/docs/next?a=<b>");
    assert_eq!(response.headers()["content-type"], "text/html; charset=utf-8");
    let text = text_of(response.into_body()).await.unwrap();
    assert_eq!(text, "<a href=\"/docs/next?a=&lt;b&gt;\">Found</a>.\n\n");
    let response = call(&function, post("/docs/deep/page", "")).await.unwrap();
    assert!(response.headers().get("content-type").is_none());
}

#[tokio::test]
async fn a_head_that_outgrows_its_limits_is_refused() {
    let lab = Lab::new();
    let wasm = core_wat(
        HEADER,
        r#"(data (i32.const 64) "x-name")"#,
        "(local $left i32)
         (local.set $left (i32.const 101))
         (loop $more
            (drop (call $header (local.get $event)
                (i32.const 64) (i32.const 6) (i32.const 64) (i32.const 1)))
            (br_if $more (local.tee $left (i32.sub (local.get $left) (i32.const 1)))))",
    );
    let function = lab.core(&wasm, "main").await;
    let error = call(&function, get("/")).await.unwrap_err();
    assert!(matches!(error, InvokeError::ResponseHead { .. }), "{error:?}");
}

#[tokio::test]
async fn fields_of_the_connection_are_not_the_guests() {
    let lab = Lab::new();
    let wasm = core_wat(
        HEADER,
        r#"(data (i32.const 64) "transfer-encodingx-ok")"#,
        "(drop (call $header (local.get $event)
            (i32.const 64) (i32.const 17) (i32.const 64) (i32.const 4)))
         (drop (call $header (local.get $event)
            (i32.const 81) (i32.const 4) (i32.const 64) (i32.const 4)))",
    );
    let function = lab.core(&wasm, "main").await;
    let response = call(&function, get("/")).await.unwrap();
    assert!(response.headers().get("transfer-encoding").is_none());
    assert_eq!(response.headers()["x-ok"], "tran");
}

#[tokio::test]
async fn wasi_gives_variables_and_a_log() {
    let lab = Lab::new();
    let function = lab.core(&guest("wasi-c"), "greeting").await;
    assert_eq!(answer(&function, get("/")).await, (200, "good morning".to_owned()));
    let lines = lab.lines.of(headgate_executor::GuestStream::Stdout);
    assert_eq!(lines, ["greeting with \"good morning\""]);
}

#[tokio::test]
async fn an_entry_that_is_not_there_is_an_artefact_error() {
    let lab = Lab::new();
    let function = lab.core(&guest("hello"), "nowhere").await;
    let error = function.invoke(http(get("/"))).await.unwrap_err();
    assert!(matches!(error, InvokeError::Artefact { .. }), "{error:?}");
    assert_eq!(function.in_flight(), 0);
}

pub(crate) const WRITE: &str = r#"(import "taubyte/sdk" "eventHttpWrite"
    (func $write (param i32 i32 i32 i32) (result i32)))"#;
pub(crate) const FLUSH: &str =
    r#"(import "taubyte/sdk" "eventHttpFlush" (func $flush (param i32) (result i32)))"#;
pub(crate) const CODE: &str =
    r#"(import "taubyte/sdk" "eventHttpRetCode" (func $code (param i32 i32) (result i32)))"#;
pub(crate) const HEADER: &str = r#"(import "taubyte/sdk" "eventHttpHeaderAdd"
    (func $header (param i32 i32 i32 i32 i32) (result i32)))"#;
