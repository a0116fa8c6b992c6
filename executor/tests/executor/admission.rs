//! Who runs, who waits, who is sent away.

use std::time::Duration;

use headgate_executor::{Fault, Function, InvokeError};

use crate::lab::{Lab, answer, call, core_wat, eventually, get, guest};

/// A core guest that sleeps for this long.
fn sleeper(nanos: u64) -> Vec<u8> {
    let sleep = format!("(call $sleep (i64.const {nanos}))");
    core_wat(r#"(import "env" "_sleep" (func $sleep (param i64)))"#, "", &sleep)
}

const HOUR: u64 = 3_600_000_000_000;

#[tokio::test]
async fn beyond_concurrency_and_queue_the_function_is_busy() {
    let lab = Lab::new();
    let function = lab
        .core_with(&sleeper(HOUR), "main", |spec| {
            (spec.limits.concurrency, spec.limits.queue) = (2, 1);
        })
        .await;
    let calls: Vec<_> = (0..3)
        .map(|_| {
            let function = function.clone();
            tokio::spawn(async move { call(&function, get("/")).await.map(drop) })
        })
        .collect();
    eventually(|| lab.metrics().contains("queued 1")).await;
    assert_eq!(function.in_flight(), 2);
    let error = call(&function, get("/")).await.unwrap_err();
    let InvokeError::Busy { retry_after } = error else { panic!("{error:?}") };
    assert_eq!(retry_after, Duration::from_secs(1));
    assert_eq!(error.fault(), Fault::Downstream);

    // The clients leave: everything is free again, at once.
    calls.iter().for_each(tokio::task::JoinHandle::abort);
    for call in calls {
        assert!(call.await.unwrap_err().is_cancelled());
    }
    assert_eq!(function.in_flight(), 0);
    let metrics = lab.metrics();
    for line in [
        "queued 0",
        "in_flight 0",
        r#"result="busy"} 1"#,
        r#"invocations_total{result="cancelled"} 3"#,
    ] {
        assert!(metrics.contains(line), "{line} in {metrics}");
    }
}

#[tokio::test]
async fn a_waiter_gets_the_slot_that_becomes_free() {
    let lab = Lab::new();
    let function =
        lab.core_with(&sleeper(20_000_000), "main", |spec| spec.limits.concurrency = 1).await;
    let (first, second) = tokio::join!(call(&function, get("/")), call(&function, get("/")));
    assert_eq!(
        (first.unwrap().status(), second.unwrap().status()),
        (http::StatusCode::OK, http::StatusCode::OK)
    );
}

#[tokio::test]
async fn waiting_counts_against_the_deadline() {
    let lab = Lab::new();
    let function = lab
        .core_with(&sleeper(HOUR), "main", |spec| {
            (spec.limits.concurrency, spec.limits.deadline) = (1, Duration::from_millis(100));
        })
        .await;
    let (first, second) = tokio::join!(call(&function, get("/")), call(&function, get("/")));
    for error in [first.unwrap_err(), second.unwrap_err()] {
        assert!(matches!(error, InvokeError::Deadline { .. }), "{error:?}");
    }
    assert_eq!(function.in_flight(), 0);
}

#[tokio::test]
async fn the_pool_is_shared_and_waited_for() {
    let lab = Lab::with(|config| config.instances = 1);
    let slow = lab.core(&sleeper(30_000_000), "main").await;
    let fast = lab.core(&guest("hello"), "hello").await;
    let (slow, fast) = tokio::join!(call(&slow, get("/")), answer(&fast, get("/")));
    assert_eq!((slow.unwrap().status().as_u16(), fast.0), (200, 200));

    let lab = Lab::with(|config| (config.instances, config.pool_queue) = (1, 0));
    let slow = lab.core(&sleeper(HOUR), "main").await;
    let fast = lab.core(&guest("hello"), "hello").await;
    let holding = tokio::spawn(async move { call(&slow, get("/")).await.map(drop) });
    eventually(|| lab.metrics().contains("in_flight 1")).await;
    let error = call(&fast, get("/")).await.unwrap_err();
    assert!(matches!(error, InvokeError::Busy { .. }), "{error:?}");
    assert_eq!(fast.in_flight(), 0);
    holding.abort();
    _ = holding.await;
    assert_eq!(answer(&fast, get("/")).await.0, 200);
}

#[tokio::test]
async fn a_pool_of_one_serves_component_after_component() {
    let lab = Lab::with(|config| config.instances = 1);
    let function = lab.component(&guest("api")).await;
    for _ in 0..10 {
        assert_eq!(answer(&function, get("/hello")).await.0, 200);
        drop(call(&function, get("/stream")).await.unwrap());
    }
}

#[tokio::test]
async fn a_dropped_body_frees_the_slot() {
    let lab = Lab::new();
    let function = lab.component(&guest("hostile")).await;
    let response = call(&function, get("/slow-body")).await.unwrap();
    assert_eq!(function.in_flight(), 1);
    drop(response);
    assert_eq!(function.in_flight(), 0);
    assert!(lab.metrics().contains(r#"invocations_total{result="cancelled"} 1"#));
}

#[tokio::test]
async fn functions_of_one_project_share_its_gate_and_others_pass_by() {
    let lab = Lab::with(|config| config.instances = 4);
    let gate = lab.executor.project_gate(1);
    let slow = lab.core(&sleeper(HOUR), "main").await;
    let fast = lab.core(&guest("hello"), "hello").await;
    let of_project = |function: &Function| lab.executor.function_of(function.spec().clone(), &gate);
    let (slow, neighbour) = (of_project(&slow), of_project(&fast));
    let holding = tokio::spawn(async move { call(&slow, get("/")).await.map(drop) });
    eventually(|| lab.metrics().contains("in_flight 1")).await;
    let waiting = tokio::spawn(async move { answer(&neighbour, get("/")).await.0 });
    eventually(|| lab.metrics().contains("queued 1")).await;
    assert_eq!(answer(&fast, get("/")).await.0, 200, "a function of another project");
    holding.abort();
    _ = holding.await;
    assert_eq!(waiting.await.unwrap(), 200);
}
