//! Functions that only trap are left alone for a while.

use std::time::{Duration, Instant};

use headgate_executor::{InvokeError, defaults};

use crate::lab::{Lab, answer, call, core_wat, eventually, get, post};

/// Traps when it is posted to.
fn delicate() -> Vec<u8> {
    core_wat(
        r#"(import "taubyte/sdk" "getHttpEventMethodSize" (func $size (param i32 i32) (result i32)))"#,
        "",
        "(drop (call $size (local.get $event) (i32.const 0)))
         (if (i32.eq (i32.load (i32.const 0)) (i32.const 4)) (then (unreachable)))",
    )
}

#[tokio::test]
async fn a_function_that_only_traps_rests_and_is_tried_again() {
    let lab = Lab::new();
    let function = lab.core(&delicate(), "main").await;
    let begun = Instant::now();
    let retry_after = loop {
        match call(&function, post("/", "")).await.unwrap_err() {
            InvokeError::Trap(_) => tokio::task::yield_now().await,
            InvokeError::Resting { retry_after } => break retry_after,
            error => panic!("{error:?}"),
        }
        assert!(begun.elapsed() < 3 * defaults::BACKOFF_AFTER, "it does not rest");
    };
    assert!(begun.elapsed() >= defaults::BACKOFF_AFTER);
    assert!(retry_after <= defaults::BACKOFF_MIN);
    assert!(function.resting().is_some());
    let metrics = lab.metrics();
    assert!(metrics.contains("rests_total 1"), "{metrics}");
    assert!(metrics.contains(r#"invocations_total{result="resting"} 1"#), "{metrics}");

    // The first call after that is tried, and makes it rest longer.
    eventually(|| function.resting().is_none()).await;
    assert!(matches!(call(&function, post("/", "")).await, Err(InvokeError::Trap(_))));
    assert!(function.resting() > Some(defaults::BACKOFF_MIN));

    // Until one is answered.
    eventually(|| function.resting().is_none()).await;
    assert_eq!(answer(&function, get("/")).await.0, 200);
    assert!(matches!(call(&function, post("/", "")).await, Err(InvokeError::Trap(_))));
    assert_eq!(function.resting(), None);
}

#[tokio::test]
async fn traps_among_answers_never_shut_a_function_off() {
    let lab = Lab::new();
    let function = lab.core(&delicate(), "main").await;
    for _ in 0..5 {
        for _ in 1..defaults::BACKOFF_TRAPS {
            assert!(matches!(call(&function, post("/", "")).await, Err(InvokeError::Trap(_))));
        }
        assert_eq!(answer(&function, get("/")).await.0, 200);
    }
}

#[tokio::test]
async fn a_function_that_is_too_slow_does_not_rest() {
    let lab = Lab::new();
    let wasm = core_wat("", "", "(loop $spin (br $spin))");
    let short = Duration::from_millis(20);
    let function = lab.core_with(&wasm, "main", |spec| spec.limits.deadline = short).await;
    for _ in 0..=defaults::BACKOFF_TRAPS {
        let error = call(&function, get("/")).await.unwrap_err();
        assert!(matches!(error, InvokeError::Deadline { .. }), "{error:?}");
    }
}
