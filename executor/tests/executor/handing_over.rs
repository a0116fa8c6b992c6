//! What modules of one function hand each other: views of memory, and queues of bytes.

use headgate_types::ByteSize;

use crate::{
    lab::{Lab, answer, core_wat, get, guest},
    linked::linked,
};

#[tokio::test]
async fn a_library_hands_a_letter_over() {
    let lab = Lab::new();
    let others = [("libraries/letter", guest("letter"))];
    let function = linked(&lab, &guest("desk"), "read_letter", &others).await;
    let letter = "Dear neighbour, this was never in your memory. Posted.";
    for _ in 0..2 {
        assert_eq!(answer(&function, get("/")).await, (200, letter.to_owned()));
    }
}

/// Calls these functions with these arguments in turn; answers what each answered, and then the memory from 64 on.
async fn answers(calls: &[(&str, &[u32])]) -> (Vec<u32>, Vec<u8>) {
    let lab = Lab::new();
    let (mut imports, mut body) = (String::new(), String::new());
    for (nth, (name, arguments)) in calls.iter().enumerate() {
        let params = " i32".repeat(arguments.len());
        let returns = !name.ends_with("Close");
        let result = if returns { "(result i32)" } else { "" };
        let passed: String =
            arguments.iter().map(|value| format!(" (i32.const {value})")).collect();
        imports +=
            &format!(r#"(import "taubyte/sdk" "{name}" (func $f{nth} (param{params}) {result}))"#);
        let call = format!("(call $f{nth}{passed})");
        body += &match returns {
            true => format!("(i32.store (i32.const {}) {call})", 4096 + 4 * nth),
            false => call,
        };
    }
    imports += crate::core_guests::WRITE;
    let size = 4 * calls.len();
    body += &format!(
        "(drop (call $write (i32.const 0) (i32.const 4096) (i32.const {size}) (i32.const 0)))
         (drop (call $write (i32.const 0) (i32.const 64) (i32.const 64) (i32.const 0)))"
    );
    let data = r#"(data (i32.const 1024) "0123456789")"#;
    let function = lab.core(&core_wat(&imports, data, &body), "main").await;
    let response = crate::lab::call(&function, get("/")).await.unwrap();
    let bytes = http_body_util::BodyExt::collect(response.into_body()).await.unwrap().to_bytes();
    let (answers, memory) = bytes.split_at(size);
    let answers = answers.chunks(4).map(|word| u32::from_le_bytes(word.try_into().unwrap()));
    (answers.collect(), memory.to_vec())
}

#[tokio::test]
async fn a_view_is_read_where_it_is_and_no_further() {
    let (answers, memory) = answers(&[
        ("memoryViewNew", &[1024, 10, 2, 64]),
        ("memoryViewNew", &[1024, 10, 1, 65_534]),
        ("memoryViewNew", &[1024, 10, 1, 64]),
        ("memoryViewNew", &[65_530, 10, 0, 68]),
        ("memoryViewOpen", &[1, 72, 76]),
        ("memoryViewRead", &[1, 2, 3, 80, 84]),
        ("memoryViewRead", &[1, 8, 100, 88, 92]),
        ("memoryViewRead", &[1, 8, 0xffff_ffff, 88, 92]),
        ("memoryViewRead", &[1, 10, 1, 96, 100]),
        ("memoryViewRead", &[1, 0, 10, 65_530, 100]),
        ("memoryViewRead", &[2, 0, 1, 96, 100]),
        ("memoryViewRead", &[3, 0, 1, 96, 100]),
        ("memoryViewRead", &[1, 0, 4, 1026, 104]),
        ("memoryViewRead", &[1, 0, 8, 108, 104]),
        ("memoryViewClose", &[1]),
        ("memoryViewClose", &[77]),
        ("memoryViewOpen", &[1, 72, 76]),
    ])
    .await;
    // A view that reaches out of the memory exists, and cannot be read; one that overlaps its copy is copied right.
    assert_eq!(answers, [114, 12, 0, 0, 0, 0, 0, 0, 3, 12, 3, 111, 0, 0, 0, 0, 111]);
    let words: Vec<_> =
        memory[..16].chunks(4).map(|w| u32::from_le_bytes(w.try_into().unwrap())).collect();
    assert_eq!(words, [1, 2, 1, 10]);
    assert_eq!(&memory[16..24], b"234\0\x03\0\0\0");
    assert_eq!(&memory[24..32], b"89\0\0\x02\0\0\0");
    assert_eq!(&memory[44..52], b"01012367");
}

#[tokio::test]
async fn a_queue_gives_bytes_in_their_order_and_loses_none() {
    let (answers, memory) = answers(&[
        ("fifoNew", &[1]),
        ("fifoNew", &[5]),
        ("fifoPush", &[1, 0x141]),
        ("fifoPush", &[1, 0x42]),
        ("fifoPop", &[1, 0xffff_ffff]),
        ("fifoPop", &[1, 64]),
        ("fifoPop", &[1, 65]),
        ("fifoPop", &[1, 66]),
        ("fifoIsCloser", &[1, 68]),
        ("fifoIsCloser", &[2, 72]),
        ("fifoIsCloser", &[2, 65_533]),
        ("fifoClose", &[1]),
        ("fifoPush", &[1, 1]),
        ("fifoPop", &[3, 64]),
        ("fifoNew", &[0]),
    ])
    .await;
    assert_eq!(answers, [1, 2, 0, 0, 12, 0, 0, 8, 0, 0, 12, 0, 115, 115, 3]);
    assert_eq!(&memory[..12], b"AB\0\0\x01\0\0\0\0\0\0\0");
}

#[tokio::test]
async fn what_is_queued_counts_as_the_functions_memory() {
    let lab = Lab::new();
    let wasm = core_wat(
        r#"(import "taubyte/sdk" "fifoNew" (func $new (param i32) (result i32)))
           (import "taubyte/sdk" "fifoPush" (func $push (param i32 i32) (result i32)))
           (import "taubyte/sdk" "fifoClose" (func $close (param i32)))
           (import "taubyte/sdk" "eventHttpRetCode" (func $code (param i32 i32) (result i32)))"#,
        "",
        "(local $queue i32)
         (local.set $queue (call $new (i32.const 0)))
         (loop $more (br_if $more (i32.eqz (call $push (local.get $queue) (i32.const 1)))))
         ;; Nothing is left to grow by, until the queue is closed.
         (if (i32.ne (memory.grow (i32.const 1)) (i32.const -1)) (then (unreachable)))
         (call $close (local.get $queue))
         (if (i32.eq (memory.grow (i32.const 1)) (i32.const -1)) (then (unreachable)))
         (drop (call $code (local.get $event) (i32.const 201)))",
    );
    let function =
        lab.core_with(&wasm, "main", |spec| spec.limits.memory = ByteSize::from_kib(192)).await;
    assert_eq!(answer(&function, get("/")).await.0, 201);
}
