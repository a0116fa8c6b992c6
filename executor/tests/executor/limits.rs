//! Memory, time and stack: a guest at its limits hurts only itself.

use std::time::{Duration, Instant};

use headgate_executor::{Entry, GuestBodyError, GuestStream, InvokeError, TrapReason};
use headgate_types::{ByteSize, Digest};
use http_body_util::BodyExt;

use crate::core_guests::CODE;
use crate::lab::{Lab, answer, call, core_wat, eventually, get, guest, spec};

const SHORT: Duration = Duration::from_millis(150);

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn an_endless_loop_ends_at_its_deadline_and_neighbours_keep_answering() {
    // One worker: were the loop not to yield, nobody else would run.
    let lab = Lab::new();
    let limit = Duration::from_millis(500);
    let core = lab.core_with(&guest("hostile-core"), "spin", |s| s.limits.deadline = limit).await;
    let component = lab.component_with(&guest("hostile"), |s| s.limits.deadline = limit).await;
    let neighbour = lab.core(&guest("hello"), "hello").await;
    for (function, path) in [(core, "/"), (component, "/loop")] {
        let start = Instant::now();
        let hog = tokio::spawn(async move { call(&function, get(path)).await.map(drop) });
        let neighbour = neighbour.clone();
        let asking = tokio::spawn(async move {
            let mut answers = 0;
            while !hog.is_finished() {
                assert_eq!(answer(&neighbour, get("/")).await.0, 200);
                answers += 1;
                // A timer is an event from outside, as a packet would be.
                tokio::time::sleep(Duration::from_millis(1)).await;
            }
            (answers, hog.await.unwrap().unwrap_err())
        });
        let (answers, error) = asking.await.unwrap();
        assert!(matches!(error, InvokeError::Deadline { .. }), "{error:?}");
        assert!(start.elapsed() >= limit);
        assert!(answers >= 4, "only {answers} answers beside the loop");
    }
    let host = lab.lines.of(GuestStream::Host);
    assert_eq!(host, ["ended: nothing was heard of it for 500ms"; 2]);
}

#[tokio::test]
async fn a_guest_that_waits_for_ever_ends_at_its_deadline() {
    let lab = Lab::new();
    let function = lab.component_with(&guest("hostile"), |s| s.limits.deadline = SHORT).await;
    let error = call(&function, get("/never")).await.unwrap_err();
    assert!(matches!(error, InvokeError::Deadline { limit } if limit == SHORT), "{error:?}");
    assert_eq!(function.in_flight(), 0);
    assert!(lab.metrics().contains(r#"invocations_total{result="deadline"} 1"#));
}

#[tokio::test]
async fn a_body_is_cut_where_it_falls_silent_or_computes_without_end() {
    let lab = Lab::new();
    let function = lab.component_with(&guest("hostile"), |s| s.limits.deadline = SHORT).await;
    for (path, computes) in [("/slow-body", false), ("/flood", true)] {
        let mut body = call(&function, get(path)).await.unwrap().into_body();
        let error = loop {
            if let Err(error) = body.frame().await.expect("a clean end would be a lie") {
                break error;
            }
        };
        match error {
            GuestBodyError::Deadline { limit } if !computes => assert_eq!(limit, SHORT),
            GuestBodyError::Computing { limit } if computes => assert_eq!(limit, SHORT),
            error => panic!("{path}: {error:?}"),
        }
        assert_eq!(function.in_flight(), 0);
    }
}

#[tokio::test]
async fn an_answer_that_goes_on_may_last_longer_than_its_guest_may_be_silent() {
    let lab = Lab::new();
    // Writes and flushes ten times with 50 ms of sleep between.
    let wasm = core_wat(
        r#"(import "taubyte/sdk" "eventHttpWrite" (func $write (param i32 i32 i32 i32) (result i32)))
           (import "taubyte/sdk" "eventHttpFlush" (func $flush (param i32) (result i32)))
           (import "env" "_sleep" (func $sleep (param i64)))"#,
        r#"(data (i32.const 0) "drip ")"#,
        "(local $left i32) (local.set $left (i32.const 10))
         (loop $more
           (drop (call $write (local.get $event) (i32.const 0) (i32.const 5) (i32.const 16)))
           (drop (call $flush (local.get $event)))
           (call $sleep (i64.const 50000000))
           (br_if $more (local.tee $left (i32.sub (local.get $left) (i32.const 1)))))",
    );
    let limit = Duration::from_millis(400);
    let function = lab.core_with(&wasm, "main", |s| s.limits.deadline = limit).await;
    let start = Instant::now();
    assert_eq!(answer(&function, get("/")).await, (200, "drip ".repeat(10)));
    assert!(start.elapsed() > limit);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn a_neighbour_waits_for_one_of_the_loops_of_a_project_and_not_for_all() {
    let lab = Lab::with(|config| (config.instances, config.workers) = (64, 1));
    let wasm = guest("hostile-core");
    lab.compile(&wasm).await.unwrap();
    let spin = Entry::Core { export: "spin".into() };
    let mut spec = spec(Digest::of(&wasm), spin);
    (spec.limits.concurrency, spec.limits.deadline) = (40, Duration::from_secs(60));
    let hog = lab.executor.function_of(spec, &lab.executor.project_gate(40));
    let hogs: Vec<_> = (0..40)
        .map(|_| {
            let hog = hog.clone();
            tokio::spawn(async move { call(&hog, get("/")).await.map(drop) })
        })
        .collect();
    eventually(|| hog.in_flight() == 40).await;
    let neighbour = lab.core(&guest("hello"), "hello").await;
    let slow = tokio::spawn(async move {
        let mut waits = Vec::new();
        for _ in 0..100 {
            let start = Instant::now();
            assert_eq!(answer(&neighbour, get("/")).await.0, 200);
            tokio::task::yield_now().await;
            waits.push(start.elapsed());
        }
        waits.sort();
        waits[waits.len() / 2]
    });
    let median = slow.await.unwrap();
    // Each loop computes for a tick, so one round of all forty is forty ticks.
    assert!(median < Duration::from_millis(10), "it waited for {median:?}");
    hogs.iter().for_each(tokio::task::JoinHandle::abort);
}

#[tokio::test]
async fn memory_ends_where_the_function_says() {
    let lab = Lab::new();
    // Grows by one page until refused, and answers the pages it has.
    let wasm = core_wat(
        CODE,
        "",
        "(loop $more (br_if $more (i32.ne (memory.grow (i32.const 1)) (i32.const -1))))
         (drop (call $code (local.get $event) (i32.add (i32.const 200) (memory.size))))",
    );
    let function = lab.core_with(&wasm, "main", |s| s.limits.memory = ByteSize::from_mib(2)).await;
    assert_eq!(call(&function, get("/")).await.unwrap().status(), 232);
    assert!(lab.metrics().contains("memory_refusals_total 1"));

    let function = lab.core(&guest("hostile-core"), "bomb").await;
    let Err(InvokeError::Trap(trapped)) = call(&function, get("/")).await else { panic!() };
    assert_eq!(trapped.reason, TrapReason::MemoryLimit);

    // Not even its first memory fits.
    let function =
        lab.component_with(&guest("api"), |s| s.limits.memory = ByteSize::from_kib(64)).await;
    let Err(InvokeError::Trap(trapped)) = call(&function, get("/hello")).await else { panic!() };
    assert_eq!(trapped.reason, TrapReason::MemoryLimit);
}

#[tokio::test]
async fn the_stack_ends_in_a_trap() {
    let lab = Lab::new();
    let function = lab.core(&guest("hostile-core"), "recurse").await;
    let Err(InvokeError::Trap(trapped)) = call(&function, get("/")).await else { panic!() };
    assert_eq!(trapped.reason, TrapReason::StackOverflow);
    let neighbour = lab.core(&guest("hello"), "hello").await;
    assert_eq!(answer(&neighbour, get("/")).await.0, 200);
}

#[tokio::test]
async fn a_core_guest_that_traps_or_says_nothing() {
    let lab = Lab::new();
    let function = lab.core(&guest("hostile-core"), "trap").await;
    let Err(InvokeError::Trap(trapped)) = call(&function, get("/")).await else { panic!() };
    assert_eq!(trapped.reason, TrapReason::Unreachable);
    let function = lab.core(&guest("hostile-core"), "quiet").await;
    assert_eq!(answer(&function, get("/")).await, (200, String::new()));
}

#[tokio::test]
async fn assemblyscript_gives_up_with_a_message() {
    let lab = Lab::new();
    let wasm = core_wat(
        r#"(import "env" "abort" (func $abort (param i32 i32 i32 i32)))"#,
        r#"(data (i32.const 60) "\08\00\00\00o\00o\00p\00s\00")"#,
        "(call $abort (i32.const 64) (i32.const 0) (i32.const 3) (i32.const 9))",
    );
    let function = lab.core(&wasm, "main").await;
    let Err(InvokeError::Trap(trapped)) = call(&function, get("/")).await else { panic!() };
    assert_eq!(trapped.message, "aborted: oops (unknown file:3:9)");
}
