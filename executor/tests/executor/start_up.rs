//! Guests whose start-up costs something: instances are started before their request comes.

use std::time::Duration;

use headgate_executor::{Phases, Start, StartUp};
use headgate_types::Digest;

use crate::lab::{Lab, answer, call, eventually, get, guest, http, wat};

/// Its start-up counts to a million and asks for randomness, as Go's runtime does; it answers the four bytes it got
/// and how often it was called.
fn slow_starter() -> Vec<u8> {
    wat(r#"(module
        (import "wasi_snapshot_preview1" "random_get" (func $random (param i32 i32) (result i32)))
        (import "taubyte/sdk" "eventHttpWrite" (func $write (param i32 i32 i32 i32) (result i32)))
        (memory (export "memory") 1)
        (func (export "_initialize")
            (local $left i32)
            (local.set $left (i32.const 1000000))
            (loop $more
                (br_if $more (local.tee $left (i32.sub (local.get $left) (i32.const 1)))))
            (drop (call $random (i32.const 0) (i32.const 8)))
            (call $hex))
        (func $hex
            (local $at i32)
            (loop $more
                (i32.store8 (i32.add (i32.const 16) (local.get $at))
                    (i32.add (i32.const 97)
                        (i32.and (i32.load8_u (local.get $at)) (i32.const 15))))
                (br_if $more (i32.lt_u
                    (local.tee $at (i32.add (local.get $at) (i32.const 1)))
                    (i32.const 8)))))
        (func (export "main") (param $event i32)
            (drop (call $write (local.get $event) (i32.const 16) (i32.const 8) (i32.const 32)))))"#)
}

#[tokio::test]
async fn a_costly_start_up_is_run_before_the_request_comes() {
    let lab = Lab::new();
    let function = lab.core(&slow_starter(), "main").await;
    let mut answers = vec![answer(&function, get("/")).await];
    for _ in 0..3 {
        eventually(|| function.prepared() > 0).await;
        answers.push(answer(&function, get("/")).await);
    }
    let metrics = lab.metrics();
    assert!(metrics.contains(r#"starts_total{start="cold"} 1"#), "{metrics}");
    assert!(metrics.contains(r#"starts_total{start="warm"} 3"#), "{metrics}");
    // Each was really started: no two got the same randomness.
    answers.sort();
    answers.dedup();
    assert_eq!(answers.len(), 4, "{answers:?}");
}

/// Its start-up computes a table and moves a global; it answers both. `$extra` is run in it, too.
fn quick_starter(imports: &str, extra: &str) -> Vec<u8> {
    wat(&format!(
        r#"(module {imports}
        (import "taubyte/sdk" "eventHttpWrite" (func $write (param i32 i32 i32 i32) (result i32)))
        (memory (export "memory") 1)
        (global $starts (mut i32) (i32.const 64))
        (func (export "_initialize")
            (i32.store (i32.const 16) (i32.const 0x6c6c6568)) ;; "hell"
            (i32.store8 (i32.const 20) (i32.const 111))
            (drop (memory.grow (i32.const 2)))
            (i32.store8 (i32.const 190000) (i32.const 33))
            (global.set $starts (i32.add (global.get $starts) (i32.const 1))) {extra})
        (func (export "main") (param $event i32)
            (i32.store8 (i32.const 21) (global.get $starts))
            (i32.store8 (i32.const 22) (i32.load8_u (i32.const 190000)))
            (drop (call $write (local.get $event) (i32.const 16) (i32.const 7) (i32.const 32)))))"#
    ))
}

#[tokio::test]
async fn a_start_up_that_asks_for_nothing_is_run_once_at_deploy() {
    let lab = Lab::new();
    let wasm = quick_starter("", "");
    let function = lab.core(&wasm, "main").await;
    assert_eq!(function.start_up(), Some(StartUp::Snapshot));
    for _ in 0..3 {
        assert_eq!(answer(&function, get("/")).await, (200, "helloA!".to_owned()));
    }
    assert!(lab.metrics().contains(r#"starts_total{start="snapshot"} 3"#));

    // Found again, and made again when it was lost: the same answers.
    assert!(!lab.compile(&wasm).await.unwrap().fresh);
    lab.executor.forget(Digest::of(&wasm)).unwrap();
    assert_eq!(answer(&function, get("/")).await, (200, "helloA!".to_owned()));
    assert_eq!(function.start_up(), Some(StartUp::Snapshot));
}

#[tokio::test]
async fn a_start_up_is_not_kept_if_it_would_freeze_what_must_differ() {
    let lab = Lab::new();
    let random =
        r#"(import "wasi_snapshot_preview1" "random_get" (func $r (param i32 i32) (result i32)))"#;
    let sdk = r#"(import "taubyte/sdk" "getEventType" (func $s (param i32 i32)))"#;
    let cases = [
        (
            random,
            "(drop (call $r (i32.const 0) (i32.const 8)))",
            "it calls `wasi_snapshot_preview1.random_get`",
        ),
        (sdk, "(call $s (i32.const 0) (i32.const 0))", "it calls `taubyte/sdk.getEventType`"),
        ("", "unreachable", "it fails: wasm trap: wasm `unreachable` instruction executed"),
    ];
    for (imports, extra, reason) in cases {
        let function = lab.core(&quick_starter(imports, extra), "main").await;
        let because = reason.to_owned();
        assert_eq!(function.start_up(), Some(StartUp::Each { because }));
    }
    let unused = lab.core(&quick_starter(random, ""), "main").await;
    assert_eq!(
        unused.start_up(),
        Some(StartUp::Snapshot),
        "an import that is not called does no harm"
    );
    let endless = lab.core(&quick_starter("", "(loop $l (br $l))"), "main").await;
    let because = "it takes longer than 5s".to_owned();
    assert_eq!(endless.start_up(), Some(StartUp::Each { because }));
}

#[tokio::test]
async fn guests_without_a_start_up_have_none() {
    let lab = Lab::new();
    let core = lab.core(&guest("hello"), "hello").await;
    let component = lab.component(&guest("api")).await;
    assert_eq!(core.start_up(), Some(StartUp::None));
    assert_eq!(component.start_up(), Some(StartUp::None));
}

#[tokio::test]
async fn what_nobody_takes_is_dropped() {
    let lab = Lab::with(|config| config.prepared_idle = Duration::from_millis(20));
    let function = lab.core(&slow_starter(), "main").await;
    answer(&function, get("/")).await;
    eventually(|| lab.metrics().contains("prepared 1")).await;
    eventually(|| lab.metrics().contains("prepared 0")).await;
    assert_eq!(function.prepared(), 0);
    answer(&function, get("/")).await;
}

#[tokio::test]
async fn what_is_started_ahead_leaves_the_pool_to_requests() {
    let lab = Lab::with(|config| config.instances = 8);
    let functions = [(); 4].map(|()| slow_starter());
    let mut started = Vec::new();
    for (number, mut wasm) in functions.into_iter().enumerate() {
        wasm.extend([0, 3, 1, b'n', number as u8]); // a custom section, so that each is another artefact
        let function = lab.core(&wasm, "main").await;
        answer(&function, get("/")).await;
        started.push(function);
    }
    // A quarter of eight.
    eventually(|| lab.metrics().contains("prepared 2")).await;
    for function in &started {
        assert_eq!(call(function, get("/")).await.unwrap().status(), 200);
    }
}

#[tokio::test]
async fn a_start_up_that_fails_is_told_to_each_request() {
    let lab = Lab::new();
    let wasm = wat(r#"(module
        (memory (export "memory") 1)
        (func (export "_initialize") unreachable)
        (func (export "main") (param i32)))"#);
    let function = lab.core(&wasm, "main").await;
    for _ in 0..3 {
        let error = call(&function, get("/")).await.unwrap_err();
        assert!(error.to_string().contains("trapped"), "{error}");
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    assert_eq!(function.prepared(), 0);
}

#[tokio::test]
async fn a_response_knows_what_its_time_went_into() {
    let lab = Lab::new();
    let function = lab.core(&slow_starter(), "main").await;
    let mut phases = Phases::default();
    let first = function.invoke_noting(http(get("/")), &mut phases).await.unwrap();
    assert_eq!(phases.start, Some(Start::Cold));
    assert!(!phases.opening.is_zero() && !phases.starting.is_zero(), "{phases:?}");
    assert!(phases.computed >= phases.starting, "its start is part of it: {phases:?}");
    assert_eq!(first.into_body().phases(), phases, "the guest has ended");

    eventually(|| function.prepared() > 0).await;
    function.invoke_noting(http(get("/")), &mut phases).await.unwrap();
    assert_eq!(phases.start, Some(Start::Warm));
    assert!(phases.opening.is_zero() && phases.starting.is_zero(), "{phases:?}");
    let metrics = lab.metrics();
    for start in ["cold", "warm"] {
        let counted = format!(r#"start_duration_seconds_count{{start="{start}"}} "#);
        let line = metrics.lines().find(|line| line.contains(&counted)).expect(start);
        assert!(!line.ends_with(" 0"), "{line}");
    }
}
