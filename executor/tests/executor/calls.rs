//! Guests call out: bounded, told apart, and gone with their request.

use std::{
    sync::{Arc, atomic::Ordering},
    time::Duration,
};

use bytes::Bytes;
use headgate_executor::{CallTimeouts, Config, GuestStream, InvokeError, LookupKind, RequestBody};
use http_body::Frame;
use http_body_util::{BodyExt, StreamBody};
use tokio::sync::mpsc;

use crate::{
    lab::{COMPONENT, Lab, answer, call, eventually, get, guest, post, request, wat},
    upstream::Upstream,
};

fn calling(change: impl FnOnce(&mut Config)) -> (Lab, Arc<Upstream>) {
    let upstream = Arc::<Upstream>::default();
    (Lab::calling(upstream.clone(), change), upstream)
}

#[tokio::test]
async fn a_component_gets_an_answer() {
    let (lab, upstream) = calling(|_| {});
    let function = lab.component(&guest("caller")).await;
    let path = "/get?url=http://hello/&connect_ms=1000&first_ms=2000&between_ms=3000";
    assert_eq!(answer(&function, get(path)).await, (200, "hello".to_owned()));
    let timeouts = CallTimeouts {
        connect: Some(Duration::from_secs(1)),
        first_byte: Some(Duration::from_secs(2)),
        between_bytes: Some(Duration::from_secs(3)),
    };
    assert_eq!(*upstream.timeouts.lock().unwrap(), [timeouts]);
    // A redirect is an answer.
    let response = call(&function, get("/get?url=http://hop3/")).await.unwrap();
    assert_eq!(response.status(), 302);
    assert_eq!(response.headers()["location"], "//hop2/");
    assert_eq!(lab.lines.of(GuestStream::Host), Vec::<String>::new());
}

#[tokio::test]
async fn a_component_learns_why_it_got_none() {
    let (lab, _) = calling(|_| {});
    let function = lab.component(&guest("caller")).await;
    for (host, code) in [
        ("denied", "DestinationIpProhibited"),
        ("port", "HttpRequestDenied"),
        ("refused", "ConnectionRefused"),
        ("nowhere", "DnsError"),
        ("slow-name", "DnsTimeout"),
        ("late", "ConnectionTimeout"),
        ("silent", "ConnectionReadTimeout"),
        ("forged", "TlsCertificateError"),
        ("alert", "TlsAlertReceived"),
        ("tls", "TlsProtocolError"),
        ("unreachable", "DestinationUnavailable"),
        ("large", "HttpResponseHeaderSectionSize"),
        ("closed", "ConnectionTerminated"),
        ("garbage", "HttpProtocolError"),
    ] {
        let path = format!("/get?url=https://{host}:8443/secret?token=1");
        let (status, text) = answer(&function, get(&path)).await;
        assert_eq!(status, 502);
        assert!(text.contains(code), "{host}: {text}");
    }
    let lines = lab.lines.of(GuestStream::Host);
    assert_eq!(lines[0], "a call to `https://denied:8443` failed: denied: 10.0.0.1 is far");
    assert!(lines.iter().all(|line| !line.contains("secret")), "{lines:?}");
}

#[tokio::test]
async fn bodies_are_streamed_both_ways() {
    let (lab, _) = calling(|_| {});
    let function = lab.component(&guest("caller")).await;
    let (pieces, mut receiver) = mpsc::channel::<Bytes>(1);
    let stream = futures::stream::poll_fn(move |cx| receiver.poll_recv(cx));
    let body = StreamBody::new(futures::StreamExt::map(stream, |bytes| Ok(Frame::data(bytes))));
    let request = request("POST", "/proxy?url=http://echo/", RequestBody::new(body));
    pieces.send(Bytes::from_static(b"first")).await.unwrap();
    let mut response = call(&function, request).await.unwrap();
    for piece in [&b"first"[..], b"second", b"third"] {
        if piece != b"first" {
            pieces.send(Bytes::from_static(piece)).await.unwrap();
        }
        let echoed = response.body_mut().frame().await.unwrap().unwrap().into_data().unwrap();
        assert_eq!(echoed, piece);
    }
    drop(pieces);
    assert!(response.body_mut().frame().await.is_none());
}

#[tokio::test]
async fn a_flood_of_calls_is_bounded() {
    let (lab, upstream) = calling(|config| config.calls = 20);
    let function = lab.component(&guest("caller")).await;
    let (_, text) = answer(&function, get("/flood?url=http://hello/&count=30")).await;
    assert!(text.contains("20 ok") && text.contains("10 ErrorCode::ConnectionLimit"), "{text}");
    assert_eq!(upstream.calls.load(Ordering::SeqCst), 20);
    // Said once, however often it was refused.
    let lines = lab.lines.of(GuestStream::Host);
    let failed = "a call to `http://hello` failed: it is call number 21 of this request";
    assert_eq!(lines, [format!("{failed}, which may make 20")]);
}

#[tokio::test]
async fn answers_that_nobody_reads_take_turns() {
    let (lab, upstream) = calling(|config| config.calls_at_once = 3);
    let function = lab.component(&guest("caller")).await;
    let (_, text) = answer(&function, get("/hold?url=http://stall/&count=5&connect_ms=10")).await;
    assert!(text.starts_with("3 ErrorCode::ConnectionLimit"), "{text}");
    eventually(|| upstream.open.load(Ordering::SeqCst) == 0).await;

    let (lab, upstream) = calling(|config| config.function_calls_at_once = 2);
    let function = lab.component(&guest("caller")).await;
    let (_, text) = answer(&function, get("/hold?url=http://stall/&count=5&connect_ms=10")).await;
    assert!(text.starts_with("2 ErrorCode::ConnectionLimit"), "{text}");
    eventually(|| upstream.open.load(Ordering::SeqCst) == 0).await;
}

#[tokio::test]
async fn a_call_ends_with_its_request() {
    let (lab, upstream) = calling(|_| {});
    for (wasm, path) in [("caller", "/get?url=http://hang/"), ("fetch", "/?url=http://hang/")] {
        let short = |spec: &mut headgate_executor::FunctionSpec| {
            spec.limits.deadline = Duration::from_millis(200);
        };
        let function = match wasm {
            "caller" => lab.component_with(&guest(wasm), short).await,
            _ => lab.core_with(&guest(wasm), "fetch", short).await,
        };
        let error = call(&function, get(path)).await.unwrap_err();
        assert!(matches!(error, InvokeError::Deadline { .. }), "{error:?}");
        eventually(|| upstream.open.load(Ordering::SeqCst) == 0).await;
    }
    // So does one whose client left.
    let function = lab.component(&guest("caller")).await;
    let before = upstream.calls.load(Ordering::SeqCst);
    let waiting = call(&function, get("/get?url=http://hang/"));
    tokio::select! {
        _ = waiting => unreachable!("it hangs"),
        () = eventually(|| upstream.calls.load(Ordering::SeqCst) > before) => {}
    }
    eventually(|| upstream.open.load(Ordering::SeqCst) == 0).await;
}

#[tokio::test]
async fn a_core_guest_gets_an_answer() {
    let (lab, upstream) = calling(|_| {});
    let fetch = lab.core(&guest("fetch"), "fetch").await;
    let path = "/?url=http://hello/&auth=Bearer+x";
    assert_eq!(answer(&fetch, get(path)).await, (200, "Bearer x\nhello".to_owned()));
    // As Go does with a user in a URL.
    let path = "/?url=http://ann:p%2540ss@hello/";
    assert_eq!(answer(&fetch, get(path)).await, (200, "Basic YW5uOnBAc3M=\nhello".to_owned()));
    for (url, expected) in [
        ("http://denied/", "doHttpRequest 13\n"),
        ("http://%5b/", "setHttpRequestURL 11\n"),
        ("/relative", "doHttpRequest 13\n"),
    ] {
        let (status, text) = answer(&fetch, get(&format!("/?url={url}"))).await;
        assert_eq!((status, &*text), (502, expected), "{url}");
    }
    let lines = lab.lines.of(GuestStream::Host);
    assert_eq!(lines, ["a call to `http://denied` failed: denied: 10.0.0.1 is far"]);
    assert_eq!(upstream.open.load(Ordering::SeqCst), 0);
}

#[tokio::test]
async fn a_core_guests_calls_follow_ten_redirects() {
    let (lab, upstream) = calling(|_| {});
    let fetch = lab.core(&guest("fetch"), "fetch").await;
    assert_eq!(answer(&fetch, get("/?url=http://hop10/")).await, (200, "arrived".to_owned()));
    assert_eq!(upstream.calls.load(Ordering::SeqCst), 11);
    let (status, text) = answer(&fetch, get("/?url=http://hop11/")).await;
    assert_eq!((status, &*text), (502, "doHttpRequest 13\n"));
}

#[tokio::test]
async fn a_core_guests_body_is_what_it_was_when_it_was_set() {
    let (lab, _) = calling(|_| {});
    let submit = lab.core(&guest("fetch"), "submit").await;
    let large = "x".repeat(60_000);
    for text in ["", "a body", &large] {
        let sent = post("/?url=http://echo/", text.to_owned());
        assert_eq!(answer(&submit, sent).await, (200, text.to_owned()));
    }
    // It is sent again to where a redirect with 307 leads.
    let sent = post("/?url=http://to-self/", "again");
    assert_eq!(answer(&submit, sent).await, (200, "again".to_owned()));
}

#[tokio::test]
async fn a_core_guests_fields_are_gos() {
    let lab = Lab::new();
    let fields = lab.core(&guest("fetch"), "fields").await;
    let expected = "1\na\nb\nc\nX-One\nX-Two\ne\ndelete 16\n";
    assert_eq!(answer(&fields, get("/")).await, (502, expected.to_owned()));
}

#[tokio::test]
async fn what_the_host_keeps_counts_as_the_guests_memory() {
    let lab = Lab::new();
    let hoard = lab
        .core_with(&guest("fetch"), "hoard", |spec| {
            spec.limits.memory = headgate_types::ByteSize::from_mib(1);
        })
        .await;
    assert_eq!(answer(&hoard, get("/")).await, (200, "refused\n".to_owned()));
}

#[tokio::test]
async fn a_core_guest_looks_names_up() {
    let (lab, upstream) = calling(|_| {});
    let lookup = lab.core(&guest("fetch"), "lookup").await;
    for (kind, expected) in [
        ("t", "one\ntwo\n"),
        ("a", "a.test.\nb.test.\n"),
        ("c", "c.test."),
        ("m", "mail.x.test./5/\nother.x.test./10/\n"),
    ] {
        let path = format!("/?kind={kind}&name=x.test");
        assert_eq!(answer(&lookup, get(&path)).await, (200, expected.to_owned()), "{kind}");
    }
    for (kind, errno) in [("t", 102), ("a", 103), ("c", 104), ("m", 105)] {
        let path = format!("/?kind={kind}&name=none.test&server=192.0.2.1:53");
        let (_, text) = answer(&lookup, get(&path)).await;
        assert_eq!(text, format!("size {errno}\n"));
    }
    let lookups = upstream.lookups.lock().unwrap();
    assert_eq!(lookups[0].kind, LookupKind::Texts);
    assert_eq!(lookups[0].server, None);
    let server = lookups.last().unwrap().server.clone().unwrap();
    assert_eq!((&*server.address, server.tcp), ("192.0.2.1:53", false));
    let lines = lab.lines.of(GuestStream::Host);
    assert_eq!(lines[0], "looking up `none.test` failed: it does not exist");
}

#[tokio::test]
async fn ids_that_nobody_was_given_are_told() {
    let lab = Lab::new();
    for (name, arguments, expected) in [
        ("newHttpRequest", &[9, 64][..], 10),
        ("setHttpRequestBody", &[9, 0, 64, 4], 10),
        ("doHttpRequest", &[9, 0], 10),
        ("readHttpResponseBody", &[9, 0, 64, 4, 64], 10),
        ("closeHttpResponseBody", &[9, 0], 10),
        ("getHttpResponseHeaderKeysSize", &[9, 0, 64], 10),
        ("dnsLookupTxTSize", &[9, 64, 4, 64], 101),
        ("dnsLookupMX", &[9, 64, 4, 64], 101),
        ("dnsRerouteResolver", &[9, 64, 4, 64, 4], 101),
        ("dnsResetResolver", &[9], 101),
        ("newHttpClient", &[0xffff_fffc], 12),
        ("dnsNewResolver", &[0xffff_fffc], 12),
    ] {
        assert_eq!(errno(&lab, name, arguments).await, expected, "{name}");
    }
}

/// What a function answers that is called first thing.
async fn errno(lab: &Lab, name: &str, arguments: &[u32]) -> u16 {
    let params = " i32".repeat(arguments.len());
    let passed: String = arguments.iter().map(|value| format!(" (i32.const {value})")).collect();
    let wasm = wat(&format!(
        r#"(module
        (import "taubyte/sdk" "{name}" (func $probed (param{params}) (result i32)))
        (import "taubyte/sdk" "eventHttpRetCode" (func $code (param i32 i32) (result i32)))
        (memory (export "memory") 1)
        (func (export "main") (param $event i32)
            (drop (call $code (i32.const 0) (i32.add (i32.const 200) (call $probed{passed}))))))"#
    ));
    let function = lab.core(&wasm, "main").await;
    call(&function, get("/")).await.unwrap().status().as_u16() - 200
}

#[tokio::test]
async fn a_component_reads_its_variables_as_settings() {
    let lab = Lab::new();
    let text = COMPONENT.replace("HANDLE))", &format!("{ANSWER_WITH_SETTING}))"));
    let text = text
        .replacen("(import", &format!("{SETTINGS} (import"), 1)
        .replace("  (core func $fields (canon", &format!("{LOWERED}  (core func $fields (canon"))
        .replace(
            r#"(import "host" "fields""#,
            r#"(import "host" "setting" (func $setting (param i32 i32 i32))) (import "host" "fields""#,
        )
        .replace(
            r#"(export "fields" (func $fields))"#,
            r#"(export "setting" (func $setting)) (export "fields" (func $fields))"#,
        )
        .replace(r#""abc"))"#, r#""abc") (data (i32.const 1072) "GREETING"))"#);
    let function = lab.component(&wat(&text)).await;
    assert_eq!(answer(&function, get("/")).await, (200, "good morning".to_owned()));
}

const SETTINGS: &str = r#"(import "wasi:config/store@0.2.0-rc.1" (instance $store
    (type $error' (variant (case "upstream" string) (case "io" string)))
    (export "error" (type $store-error (eq $error')))
    (export "get" (func (param "key" string)
        (result (result (option string) (error $store-error)))))))"#;

const LOWERED: &str = r#"(core func $setting
    (canon lower (func $store "get") (memory $mem) (realloc $realloc)))"#;

/// The setting's text is at what 2056 points to, its length at 2060.
const ANSWER_WITH_SETTING: &str = "
    (call $setting (i32.const 1072) (i32.const 8) (i32.const 2048))
    (local.set $r (call $response (call $fields)))
    (call $body (local.get $r) (i32.const 0))
    (local.set $b (i32.load (i32.const 4)))
    (call $write (local.get $b) (i32.const 0))
    (local.set $s (i32.load (i32.const 4)))
    (call $set (local.get $out) (i32.const 0) (local.get $r) (i32.const 0) (i64.const 0)
        (i32.const 0) (i32.const 0) (i32.const 0) (i32.const 0))
    (call $print (local.get $s) (i32.load (i32.const 2056)) (i32.load (i32.const 2060)) (i32.const 0))
    (call $drop-stream (local.get $s))
    (call $finish (local.get $b) (i32.const 0) (i32.const 0) (i32.const 0))";
