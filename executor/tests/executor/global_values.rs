//! Values that outlive a request: whose they are, that size and value agree, and where they end.

use bytes::Bytes;
use headgate_executor::{BodyError, GuestStream, RequestBody};
use headgate_types::ByteSize;
use http_body::Frame;
use http_body_util::StreamBody;

use crate::lab::{Lab, answer, core_wat, get, request};

const IMPORTS: &str = r#"
    (import "taubyte/sdk" "getGlobalValueSize" (func $size (param i32 i32 i32 i32 i32) (result i32)))
    (import "taubyte/sdk" "getGlobalValue" (func $value (param i32 i32 i32 i32 i32) (result i32)))
    (import "taubyte/sdk" "getOrCreateGlobalValueSize"
        (func $create (param i32 i32 i32 i32 i32) (result i32)))
    (import "taubyte/sdk" "putGlobalValue" (func $put (param i32 i32 i32 i32 i32 i32 i32) (result i32)))
    (import "taubyte/sdk" "eventHttpWrite" (func $write (param i32 i32 i32 i32) (result i32)))"#;

/// Name and flags of the calls below: `/n` of nobody in particular.
const N: &str = "(i32.const 64) (i32.const 2) (i32.const 0) (i32.const 0)";
/// Where sizes and values go.
const OUT: &str = "(i32.const 256)";

/// Writes the result of an expression as a byte that is a letter: A for 0.
fn letter(expression: &str) -> String {
    format!(
        "(i32.store8 (i32.const 128) (i32.add (i32.const 65) {expression}))
         (drop (call $write (local.get $event) (i32.const 128) (i32.const 1) (i32.const 192)))"
    )
}

fn put(name: &str, at: u32, size: u32) -> String {
    letter(&format!("(call $put {name} (i32.const {at}) (i32.const {size}) (i32.const 0))"))
}

/// A guest that does this; what it writes is what it answers.
fn guest(steps: &[String]) -> Vec<u8> {
    core_wat(
        IMPORTS,
        r#"(data (i32.const 64) "/n") (data (i32.const 1024) "abcdef")"#,
        &steps.concat(),
    )
}

#[tokio::test]
async fn a_value_outlives_its_request_and_is_told_with_its_size() {
    let lab = Lab::new();
    let size = letter(&format!("(call $size {N} {OUT})"));
    let told = letter("(i32.load (i32.const 256))");
    let read = letter(&format!("(call $value {N} (i32.const 320))"));
    let text =
        "(drop (call $write (local.get $event) (i32.const 320) (i32.const 3) (i32.const 192)))"
            .to_owned();
    let absent = guest(&[size.clone(), read.clone(), told.clone()]);
    let absent = lab.core(&absent, "main").await;
    // 29, 23, and nothing was written.
    assert_eq!(answer(&absent, get("/")).await, (200, "^XA".to_owned()));

    let putting = lab.core(&guest(&[put(N, 1024, 3)]), "main").await;
    assert_eq!(answer(&putting, get("/")).await.1, "A");
    let reading = lab.core(&guest(&[size, told, read, text]), "main").await;
    for _ in 0..2 {
        assert_eq!(answer(&reading, get("/")).await.1, "ADAabc");
    }
}

#[tokio::test]
async fn a_value_that_is_created_is_empty_and_its_size_left_alone() {
    let lab = Lab::new();
    let create = letter(&format!("(call $create {N} {OUT})"));
    let told = letter("(i32.load (i32.const 256))");
    let seven = "(i32.store (i32.const 256) (i32.const 7))".to_owned();
    let size = letter(&format!("(call $size {N} {OUT})"));
    let steps = [seven, create.clone(), told.clone(), size, told.clone()];
    let function = lab.core(&guest(&steps), "main").await;
    assert_eq!(answer(&function, get("/")).await.1, "AHAA");
    let steps = [put(N, 1024, 5), create, told];
    let function = lab.core(&guest(&steps), "main").await;
    assert_eq!(answer(&function, get("/")).await.1, "AAF");
}

#[tokio::test]
async fn the_value_is_the_one_whose_size_was_told_unless_the_guest_put_another() {
    let lab = Lab::new();
    let size = letter(&format!("(call $size {N} {OUT})"));
    let read = letter(&format!("(call $value {N} (i32.const 320))"));
    let text =
        "(drop (call $write (local.get $event) (i32.const 320) (i32.const 3) (i32.const 192)))"
            .to_owned();
    // Between the two calls it reads its body, before which somebody else puts a longer value.
    let imports = format!(
        r#"{IMPORTS} (import "taubyte/sdk" "readHttpEventBody" (func $body (param i32 i32 i32 i32) (result i32)))"#
    );
    let wait =
        "(drop (call $body (local.get $event) (i32.const 512) (i32.const 8) (i32.const 192)))"
            .to_owned();
    let steps = [size.clone(), wait, read.clone(), text.clone()];
    let data = r#"(data (i32.const 64) "/n")"#;
    let reader = lab.core(&core_wat(&imports, data, &steps.concat()), "main").await;
    let name = "shop@main * * /n";
    lab.values.all().insert(name.to_owned(), Bytes::from_static(b"old"));
    let values = lab.values.clone();
    let body = StreamBody::new(futures::stream::once(async move {
        values.all().insert(name.to_owned(), Bytes::from_static(b"longer than the buffer"));
        Ok::<_, BodyError>(Frame::data(Bytes::from_static(b"go")))
    }));
    let posted = request("POST", "/", RequestBody::new(body));
    assert_eq!(answer(&reader, posted).await, (200, "AAold".to_owned()));
    // It was fetched, so the next request finds the new one.
    let size_now = letter(&format!("(i32.and (call $size {N} {OUT}) (i32.const 0))"));
    let told = letter("(i32.load (i32.const 256))");
    let now = lab.core(&guest(&[size_now, told]), "main").await;
    assert_eq!(answer(&now, get("/")).await.1, "AW");

    let steps = [size, put(N, 1024, 3), read, text];
    let writer = lab.core(&guest(&steps), "main").await;
    assert_eq!(answer(&writer, get("/")).await.1, "AAAabc");
}

#[tokio::test]
async fn a_value_is_the_projects_the_applications_or_the_functions() {
    let lab = Lab::new();
    let mut steps = Vec::new();
    for flags in ["0 0", "1 0", "0 1", "1 1", "2 0"] {
        let (application, function) = flags.split_once(' ').unwrap();
        let name = format!(
            "(i32.const 64) (i32.const 2) (i32.const {application}) (i32.const {function})"
        );
        steps.push(put(&name, 1024, 1));
    }
    let function = lab.core(&guest(&steps), "main").await;
    assert_eq!(answer(&function, get("/")).await.1, "AAAAA");
    let mut names: Vec<_> = lab.values.all().keys().cloned().collect();
    names.sort();
    let expected = [
        "shop@main * * /n",
        "shop@main * QmFunction /n",
        "shop@main front * /n",
        "shop@main front QmFunction /n",
    ];
    assert_eq!(names, expected, "what is neither 0 nor 1 is no flag");
}

#[tokio::test]
async fn what_a_guest_may_do_with_values_ends_and_its_log_says_so_once() {
    let lab = Lab::new();
    let long = "(i32.const 8192) (i32.const 1025) (i32.const 0) (i32.const 0)";
    let mut steps: Vec<String> = (0..2).map(|_| put(long, 1024, 1)).collect();
    steps.push(put(N, 0, 100_001)); // the project is full
    steps.push(put(N, 0, 1_000_001));
    let puts = format!(
        "(local $i i32) (local $errno i32) (drop (memory.grow (i32.const 30))) {}
        (loop $more
            (local.set $errno (call $put {N} (i32.const 0) (i32.const 1) (i32.const 0)))
            (local.set $i (i32.add (local.get $i) (i32.const 1)))
            (br_if $more (i32.and
                (i32.eqz (local.get $errno)) (i32.lt_u (local.get $i) (i32.const 2000)))))
        {}",
        steps.concat(),
        letter("(local.get $errno)"),
    );
    let wasm = core_wat(IMPORTS, r#"(data (i32.const 64) "/n")"#, &puts);
    let function = lab.core(&wasm, "main").await;
    assert_eq!(answer(&function, get("/")).await.1, "^^^^^");
    let lines = lab.lines.of(GuestStream::Host);
    let expected = [
        "its name has 1025 bytes, of 1024 at most",
        "a project may keep",
        "it has 1000001 bytes, of 1000000 at most",
        "this request has put 1000 values, and may put no more",
    ];
    assert_eq!(lines.len(), expected.len(), "{lines:#?}");
    for (line, expected) in lines.iter().zip(expected) {
        assert!(line.starts_with("putting the global value `"), "{line}");
        assert!(line.contains(expected), "{line}");
    }
}

#[tokio::test]
async fn values_whose_size_was_told_count_as_the_guests_memory() {
    let lab = Lab::new();
    let large = Bytes::from(vec![7; 90_000]);
    for n in 0..10 {
        lab.values.all().insert(format!("shop@main * * {n}"), large.clone());
    }
    let steps: Vec<String> = (0..10)
        .map(|n| {
            format!("(i32.store8 (i32.const 64) (i32.const {}))", 48 + n)
                + &letter(&format!(
                    "(call $size (i32.const 64) (i32.const 1) (i32.const 0) (i32.const 0) {OUT})"
                ))
        })
        .collect();
    let wasm = guest(&steps);
    let limit = ByteSize::from_bytes(64 * 1024 + 3 * 90_010);
    let function = lab.core_with(&wasm, "main", |spec| spec.limits.memory = limit).await;
    // The fourth and those after it find no memory.
    assert_eq!(answer(&function, get("/")).await.1, "AAAXXXXXXX");
}
