//! Every function of Taubyte's ABI with every argument at every edge: it answers, with an error of those it may answer
//! with, and writes nowhere else.

use std::fmt::Write as _;

use headgate_executor::{GuestStream, InvokeError, TrapReason};
use headgate_types::{ByteSize, Digest};
use http_body_util::BodyExt;
use rand::{RngCore, SeedableRng, rngs::StdRng};

use crate::{
    every_call::{self, HostFunction},
    lab::{Lab, answer, call, get, guest, post, wat},
};

/// Bytes nobody may write: no argument but one at the memory's last byte points behind them.
const UNTOUCHED: std::ops::Range<u32> = 4_096..65_535;
/// Where the error numbers are noted.
const NOTES: u32 = 2_048;

/// The ends of a memory of one page and of the address space, and what looks like a size or an id.
const EDGES: [u64; 9] = [0, 1, 7, 65_535, 65_536, 0x7fff_ffff, 0xffff_fff0, 0xffff_fffc, u64::MAX];

#[tokio::test]
async fn every_function_answers_every_argument_with_an_error_it_may_answer_with() {
    let lab = Lab::new();
    let functions = every_call::functions();
    for function in functions.iter().filter(|function| function.module == "taubyte/sdk") {
        let calls = calls(function);
        let wasm = wat(&probe(function, &calls));
        let compiled = lab.compile(&wasm).await.unwrap();
        let probing = lab.core(&wasm, "main").await;
        let before = lab.lines.of(GuestStream::Stdout).len();
        let mut request = post("/path?query=value", "body");
        request.headers_mut().insert("user-agent", "x/1".parse().unwrap());
        match call(&probing, request).await {
            Ok(response) => _ = response.into_body().collect().await,
            Err(InvokeError::ResponseHead { .. } | InvokeError::Partial(_)) => {}
            Err(error) => panic!("{}: {error:?}", function.name),
        }
        let lines = lab.lines.of(GuestStream::Stdout);
        let notes = lines[before..].concat();
        let notes: Vec<u32> = notes
            .as_bytes()
            .chunks(2)
            .map(|pair| u32::from(pair[0] - b'A') << 4 | u32::from(pair[1] - b'A'))
            .collect();
        assert_eq!(notes.len(), calls.len() + 1, "{}: {notes:?}", function.name);
        assert_eq!(notes.last(), Some(&0), "{} wrote where it may not", function.name);
        let is_served = compiled.unserved.is_empty();
        for (arguments, errno) in calls.iter().zip(&notes) {
            let allowed = [0, 3, 12].contains(errno) || function.errors.contains(errno);
            // `fifoNew` answers with an id; what is not served has its area's word for that.
            assert!(
                allowed || !is_served || function.name == "fifoNew",
                "{} {arguments:x?}: {errno}",
                function.name
            );
        }
    }
}

/// What may be right, each argument at each edge beside that, and all at the same edge.
fn calls(function: &HostFunction) -> Vec<Vec<u64>> {
    let right: Vec<u64> = (function.names.iter())
        .map(|name| match *name {
            name if name.ends_with("Ptr") || name == "wroteN" => 64,
            name if ["Len", "Size", "Cap"].iter().any(|end| name.ends_with(end)) => 4,
            _ => 0,
        })
        .collect();
    let mut calls = vec![right.clone()];
    for edge in EDGES {
        calls.push(vec![edge; right.len()]);
        for at in 0..right.len() {
            let mut call = right.clone();
            call[at] = edge;
            calls.push(call);
        }
    }
    calls
}

/// A guest that makes these calls, and logs each error number as two letters, then whether it found its memory changed.
fn probe(function: &HostFunction, calls: &[Vec<u64>]) -> String {
    let mut body = String::new();
    for arguments in calls {
        let arguments: String = (function.params.iter().zip(arguments))
            .map(|(ty, value)| match *ty {
                "i64" => format!("(i64.const {value}) "),
                _ => format!("(i32.const {}) ", value & 0xffff_ffff),
            })
            .collect();
        match function.returns {
            true => writeln!(body, "(call $note (call $probed {arguments}))").unwrap(),
            false => {
                writeln!(body, "(call $probed {arguments}) (call $note (i32.const 0))").unwrap()
            }
        }
    }
    let (from, to, size) = (UNTOUCHED.start, UNTOUCHED.end, UNTOUCHED.len());
    format!(
        r#"(module {}
        (import "env" "_log" (func $log (param i32 i32)))
        (memory (export "memory") 1)
        (global $at (mut i32) (i32.const {NOTES}))
        (func $note (param $errno i32)
            (if (i32.gt_u (local.get $errno) (i32.const 255)) (then (local.set $errno (i32.const 255))))
            (i32.store8 (global.get $at)
                (i32.add (i32.const 65) (i32.shr_u (local.get $errno) (i32.const 4))))
            (i32.store8 offset=1 (global.get $at)
                (i32.add (i32.const 65) (i32.and (local.get $errno) (i32.const 15))))
            (global.set $at (i32.add (global.get $at) (i32.const 2))))
        (func (export "main") (param i32) (local $i i32) (local $changed i32)
            (memory.fill (i32.const {from}) (i32.const 0xaa) (i32.const {size}))
            {body}
            (local.set $i (i32.const {from}))
            (loop $more
                (if (i32.ne (i32.load8_u (local.get $i)) (i32.const 0xaa))
                    (then (local.set $changed (i32.const 1))))
                (br_if $more (i32.lt_u
                    (local.tee $i (i32.add (local.get $i) (i32.const 1))) (i32.const {to}))))
            (call $note (local.get $changed))
            (call $log (i32.const {NOTES}) (i32.sub (global.get $at) (i32.const {NOTES})))))"#,
        function.import("probed")
    )
}

#[tokio::test]
async fn all_of_wasi_preview_1_links() {
    let lab = Lab::new();
    let functions = every_call::functions();
    let wasi = functions.iter().filter(|function| function.module.starts_with("wasi"));
    let imports: Vec<_> = wasi.map(|function| function.import(function.name)).collect();
    assert_eq!(imports.len(), 46);
    let module = format!(r#"(module {} (func (export "main") (param i32)))"#, imports.concat());
    assert_eq!(lab.compile(&wat(&module)).await.unwrap().unserved, [""; 0]);
}

#[tokio::test]
async fn any_sequence_of_host_calls_ends_well_and_hurts_nobody() {
    let lab = Lab::new();
    let wasm = wat(&every_call::guest());
    let any = lab
        .core_with(&wasm, "main", |spec| {
            spec.limits.memory = ByteSize::from_mib(1);
            spec.limits.deadline = std::time::Duration::from_millis(100);
        })
        .await;
    let neighbour = lab.core(&guest("hello"), "hello").await;
    let mut random = StdRng::seed_from_u64(20_261_125);
    for nth in 0..400 {
        let mut bytes = vec![0; 600];
        random.fill_bytes(&mut bytes);
        let program = every_call::program(&bytes);
        let digest = Digest::of(&program);
        match call(&any, post("/path?query=value", program)).await {
            Ok(response) => _ = response.into_body().collect().await,
            Err(InvokeError::Trap(trapped)) if trapped.reason == TrapReason::Exit => {}
            Err(
                InvokeError::Deadline { .. }
                | InvokeError::ResponseHead { .. }
                | InvokeError::Partial(_)
                | InvokeError::Resting { .. },
            ) => {}
            Err(error) => panic!("program {nth} ({digest}): {error:?}"),
        }
    }
    assert_eq!(any.in_flight(), 0);
    assert_eq!(answer(&neighbour, get("/")).await.0, 200);
}
