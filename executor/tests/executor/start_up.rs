//! Guests whose start-up costs something: instances are started before their request comes.

use std::time::Duration;

use crate::lab::{Lab, answer, call, eventually, get, wat};

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
