//! Guests that take all they can get: each thing has its end, and neighbours go on being served.

use headgate_executor::{GuestStream, InvokeError, TrapReason};
use headgate_types::ByteSize;
use http_body_util::BodyExt;

use crate::{
    core_guests::{HEADER, WRITE},
    lab::{Lab, answer, call, core_wat, get, guest, wat},
};

#[tokio::test]
async fn everything_a_core_guest_can_hoard_has_an_end() {
    let lab = Lab::new();
    let limit = ByteSize::from_mib(2);
    let hoarder = lab.core_with(&guest("hoarder"), "hoard", |s| s.limits.memory = limit).await;
    let (status, text) = answer(&hoarder, get("/")).await;
    let hoard: Vec<(&str, usize)> = text
        .lines()
        .map(|l| l.split_once(' ').unwrap())
        .map(|(w, n)| (w, n.parse().unwrap()))
        .collect();
    let of = |wanted: &str| hoard.iter().find(|(what, _)| *what == wanted).unwrap().1;
    assert_eq!(status, 200);
    assert_eq!((of("views"), of("queues")), (1_000, 1_000));
    // Three streams and the root are open from the beginning; the root is a file, too.
    assert_eq!((of("open"), of("files")), (252, 999));
    assert!((300..=496).contains(&of("blocks")), "{text}");
    assert!(of("queued") < 2 << 20, "{text}");
    assert_eq!(of("pages"), 0);
    assert_eq!(lab.lines.of(GuestStream::Host), ["… truncated: this request printed all it may"]);

    let neighbour = lab.core(&guest("hello"), "hello").await;
    for _ in 0..5 {
        let error = call(&hoarder, get("/?keep=1")).await.unwrap_err();
        let InvokeError::Trap(trapped) = error else { panic!("{error:?}") };
        assert_eq!(trapped.reason, TrapReason::MemoryLimit);
        assert_eq!(answer(&neighbour, get("/")).await.0, 200);
    }
    assert_eq!(hoarder.in_flight(), 0);
}

#[tokio::test]
async fn tables_end_where_they_should() {
    let lab = Lab::new();
    let wasm = wat(r#"(module
        (import "taubyte/sdk" "eventHttpRetCode" (func $code (param i32 i32) (result i32)))
        (memory (export "memory") 1) (table $t 0 funcref)
        (func (export "main") (param i32)
            (loop $more (br_if $more (i32.ne (i32.const -1)
                (table.grow $t (ref.null func) (i32.const 1000)))))
            (drop (call $code (local.get 0) (i32.add (i32.const 200)
                (i32.div_u (table.size $t) (i32.const 1000)))))))"#);
    let function = lab.core(&wasm, "main").await;
    assert_eq!(answer(&function, get("/")).await.0, 300);
}

#[tokio::test]
async fn a_guest_that_never_gets_to_its_entry_ends_at_its_deadline() {
    let lab = Lab::new();
    let spin = "(loop $spin (br $spin))";
    for module in [
        format!(
            r#"(module (func $start {spin}) (start $start) (func (export "main") (param i32)))"#
        ),
        format!(r#"(module (func (export "_start") {spin}) (func (export "main") (param i32)))"#),
        format!(
            r#"(module (func (export "_initialize") {spin}) (func (export "main") (param i32)))"#
        ),
    ] {
        let short = std::time::Duration::from_millis(50);
        let function = lab.core_with(&wat(&module), "main", |s| s.limits.deadline = short).await;
        let error = call(&function, get("/")).await.unwrap_err();
        assert!(matches!(error, InvokeError::Deadline { .. }), "{error:?}");
        assert_eq!(function.in_flight(), 0);
    }
}

#[tokio::test]
async fn a_core_guest_that_writes_without_end_waits_for_its_client_and_is_ended() {
    let lab = Lab::new();
    let wasm = core_wat(
        WRITE,
        "",
        "(loop $more (br_if $more (i32.eqz
            (call $write (local.get $event) (i32.const 0) (i32.const 65536) (i32.const 0)))))",
    );
    let short = std::time::Duration::from_millis(150);
    let function = lab.core_with(&wasm, "main", |s| s.limits.deadline = short).await;
    let mut body = call(&function, get("/")).await.unwrap().into_body();
    let first = body.frame().await.unwrap().unwrap();
    assert!(first.data_ref().unwrap().len() <= 1 << 20);
    let error = loop {
        match body.frame().await.expect("a clean end would be a lie") {
            Ok(_) => {}
            Err(error) => break error,
        }
    };
    assert!(matches!(error, headgate_executor::GuestBodyError::Computing { .. }), "{error:?}");
}

#[tokio::test]
async fn a_head_of_a_million_fields_is_refused_and_not_kept() {
    let lab = Lab::new();
    let wasm = core_wat(
        HEADER,
        r#"(data (i32.const 64) "x-name")"#,
        "(local $left i32) (local.set $left (i32.const 1000000))
         (loop $more
            (drop (call $header (local.get $event)
                (i32.const 64) (i32.const 6) (i32.const 64) (i32.const 6)))
            (br_if $more (local.tee $left (i32.sub (local.get $left) (i32.const 1)))))",
    );
    let function = lab.core(&wasm, "main").await;
    let error = call(&function, get("/")).await.unwrap_err();
    assert!(matches!(error, InvokeError::ResponseHead { .. }), "{error:?}");
}
