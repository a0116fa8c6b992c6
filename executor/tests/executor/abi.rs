//! Taubyte's ABI, function by function: nothing a guest passes can do harm, and what is not served says so.

use std::fmt::Write as _;

use headgate_executor::GuestKind;

use crate::{
    every_call,
    lab::{Lab, answer, call, get, guest, post, wat},
};

/// A module that imports one function, calls it with these arguments and answers its errno as text.
fn calling(name: &str, arguments: &[&str]) -> Vec<u8> {
    let params: String = arguments.iter().map(|argument| format!(" {}", kind(argument))).collect();
    let passed: String = arguments.iter().map(|argument| format!(" ({argument})")).collect();
    wat(&format!(
        r#"(module
        (import "taubyte/sdk" "{name}" (func $probed (param{params}) (result i32)))
        (import "taubyte/sdk" "eventHttpRetCode" (func $code (param i32 i32) (result i32)))
        (memory (export "memory") 1)
        (func (export "main") (param $event i32)
            (drop (call $code (i32.const 0) (i32.add (i32.const 200) (call $probed{passed}))))))"#
    ))
}

fn kind(argument: &str) -> &str {
    &argument[..3]
}

async fn errno(lab: &Lab, name: &str, arguments: &[&str]) -> u16 {
    let function = lab.core(&calling(name, arguments), "main").await;
    let mut request = post("/path?query=value", "body");
    for name in ["accept", "user-agent"] {
        request.headers_mut().insert(name, "x/1".parse().unwrap());
    }
    let response = call(&function, request).await;
    response.unwrap_or_else(|error| panic!("{name}: {error:?}")).status().as_u16() - 200
}

const EVENT: &str = "i32.const 0";
const OTHER_EVENT: &str = "i32.const 7";
/// Four bytes before the end of the address space, far behind the memory's 64 KiB.
const NOWHERE: &str = "i32.const 0xfffffffc";
/// One byte before the end of the memory.
const EDGE: &str = "i32.const 65535";
const SOMEWHERE: &str = "i32.const 64";
const HUGE: &str = "i32.const 0xffffffff";
const FOUR: &str = "i32.const 4";

#[tokio::test]
async fn bad_pointers_are_errors_and_not_traps() {
    let lab = Lab::new();
    for size in [
        "getHttpEventHostSize",
        "getHttpEventPathSize",
        "getHttpEventMethodSize",
        "getHttpEventRequestHeaderKeysSize",
        "getHttpEventHeaderVarNameByIdSize",
        "getHttpEventRequestQueryKeysSize",
        "getHttpEventUserAgentSize",
        "getHttpEventHeaderVarNameById",
        "getHttpEventRequestQueryKeys",
    ] {
        for bad in [NOWHERE, EDGE] {
            assert_eq!(errno(&lab, size, &[EVENT, bad]).await, 12, "{size} {bad}");
        }
        assert_eq!(errno(&lab, size, &[OTHER_EVENT, SOMEWHERE]).await, 1, "{size}");
        assert_eq!(errno(&lab, size, &[EVENT, SOMEWHERE]).await, 0, "{size}");
    }
    for (name, arguments, expected) in [
        ("getHttpEventHost", &[EVENT, NOWHERE, FOUR][..], 12),
        ("getHttpEventPath", &[EVENT, EDGE, FOUR], 12),
        ("getHttpEventMethod", &[EVENT, EDGE, FOUR], 12),
        ("getHttpEventMethod", &[EVENT, SOMEWHERE, "i32.const 5"], 2),
        ("getHttpEventMethod", &[EVENT, SOMEWHERE, FOUR], 0),
        ("getHttpEventRequestHeaderKeys", &[EVENT, EDGE, FOUR], 12),
        ("getHttpEventHeadersSize", &[EVENT, SOMEWHERE, NOWHERE, FOUR], 3),
        ("getHttpEventHeadersSize", &[EVENT, NOWHERE, SOMEWHERE, FOUR], 12),
        ("getHttpEventHeaders", &[EVENT, EDGE, FOUR, SOMEWHERE, FOUR], 3),
        ("getHttpEventQueryValueByNameSize", &[EVENT, SOMEWHERE, SOMEWHERE, HUGE], 3),
        ("getHttpEventQueryValueByName", &[EVENT, NOWHERE, HUGE, SOMEWHERE, FOUR], 3),
        ("readHttpEventBody", &[EVENT, NOWHERE, FOUR, SOMEWHERE], 12),
        ("readHttpEventBody", &[EVENT, SOMEWHERE, HUGE, SOMEWHERE], 12),
        ("readHttpEventBody", &[EVENT, SOMEWHERE, FOUR, NOWHERE], 12),
        ("readHttpEventBody", &[OTHER_EVENT, SOMEWHERE, FOUR, SOMEWHERE], 1),
        ("readHttpEventBody", &[EVENT, SOMEWHERE, FOUR, SOMEWHERE], 0),
        ("closeHttpEventBody", &[EVENT], 0),
        ("closeHttpEventBody", &[OTHER_EVENT], 1),
        ("eventHttpWrite", &[EVENT, NOWHERE, FOUR, SOMEWHERE], 3),
        ("eventHttpWrite", &[EVENT, SOMEWHERE, HUGE, SOMEWHERE], 3),
        ("eventHttpWrite", &[EVENT, SOMEWHERE, FOUR, EDGE], 12),
        ("eventHttpWrite", &[OTHER_EVENT, SOMEWHERE, FOUR, SOMEWHERE], 1),
        ("eventHttpFlush", &[OTHER_EVENT], 1),
        ("eventHttpHeaderAdd", &[EVENT, NOWHERE, FOUR, SOMEWHERE, FOUR], 3),
        ("eventHttpHeaderAdd", &[EVENT, SOMEWHERE, FOUR, EDGE, FOUR], 3),
        ("eventHttpRedirect", &[EVENT, NOWHERE, FOUR, "i32.const 302"], 3),
        ("eventHttpRedirect", &[EVENT, SOMEWHERE, "i32.const 0", "i32.const 99"], 5),
        ("eventHttpRetCode", &[EVENT, "i32.const 1000"], 5),
        ("eventHttpRetCode", &[EVENT, "i32.const 99"], 5),
        ("selfIdSize", &[NOWHERE], 12),
        ("selfId", &[EDGE], 12),
        ("selfBranch", &[NOWHERE], 12),
        ("cryptoRead", &[NOWHERE, FOUR, SOMEWHERE], 12),
        ("cryptoRead", &[SOMEWHERE, HUGE, SOMEWHERE], 12),
        ("cryptoRead", &[SOMEWHERE, FOUR, EDGE], 12),
        ("cryptoRead", &[SOMEWHERE, FOUR, SOMEWHERE], 0),
    ] {
        // `eventHttpRetCode` is imported twice under two names then, which modules may do.
        assert_eq!(errno(&lab, name, arguments).await, expected, "{name} {arguments:?}");
    }
}

#[tokio::test]
async fn a_guest_without_a_memory_gets_errors_too() {
    let lab = Lab::new();
    let wasm = wat(r#"(module
        (import "taubyte/sdk" "getHttpEventHostSize" (func $size (param i32 i32) (result i32)))
        (import "taubyte/sdk" "eventHttpRetCode" (func $code (param i32 i32) (result i32)))
        (func (export "main") (param i32)
            (drop (call $code (i32.const 0)
                (i32.add (i32.const 200) (call $size (i32.const 0) (i32.const 0)))))))"#);
    let function = lab.core(&wasm, "main").await;
    assert_eq!(call(&function, get("/")).await.unwrap().status(), 203);
}

#[tokio::test]
async fn hostile_pointers_from_c_are_refused() {
    let lab = Lab::new();
    let function = lab.core(&guest("hostile-core"), "bad_pointers").await;
    let (status, text) = answer(&function, post("/", "body")).await;
    assert_eq!(status, 200);
    let lines: Vec<_> = text.lines().collect();
    assert_eq!(lines.len(), 12, "{text}");
    for line in lines {
        let (call, errno) = line.split_once(' ').unwrap();
        // Writing nothing from anywhere is no error, except for where the count goes.
        let expected: &[&str] =
            if call == "eventHttpRetCode:event" { &["1"] } else { &["3", "12"] };
        assert!(expected.contains(&errno), "{line}");
    }
}

#[tokio::test]
async fn what_is_not_served_answers_with_its_areas_errno() {
    let lab = Lab::new();
    for (name, arguments, expected) in [
        ("newDatabase", &[SOMEWHERE, FOUR, SOMEWHERE][..], 22),
        ("databaseGet", &[EVENT, SOMEWHERE, FOUR, SOMEWHERE], 25),
        ("storageNew", &[SOMEWHERE, FOUR, SOMEWHERE], 22),
        ("storageGet", &[SOMEWHERE, FOUR, SOMEWHERE], 92),
        ("contentSeekFile", &[EVENT, "i64.const 0", EVENT, SOMEWHERE], 96),
        ("publishToChannel", &[SOMEWHERE, FOUR, SOMEWHERE, FOUR], 21),
        ("setSubscriptionChannel", &[SOMEWHERE, FOUR], 20),
        ("newCommand", &[SOMEWHERE, FOUR, SOMEWHERE, FOUR, SOMEWHERE], 45),
        ("ethNew", &[SOMEWHERE, SOMEWHERE, FOUR, SOMEWHERE, FOUR], 51),
        ("getMessageDataSize", &[EVENT, SOMEWHERE], 4),
        ("getMessageDataSize", &[OTHER_EVENT, SOMEWHERE], 1),
        ("getP2PEventFrom", &[EVENT, SOMEWHERE], 4),
        ("fifoPush", &[FOUR, FOUR], 115),
        ("ipfsSeekFile", &[EVENT, EVENT, "i64.const 0", EVENT, SOMEWHERE], 96),
    ] {
        assert_eq!(errno(&lab, name, arguments).await, expected, "{name}");
    }
}

#[tokio::test]
async fn all_of_taubytes_functions_link() {
    let lab = Lab::new();
    let mut module = String::from("(module\n");
    let functions = every_call::functions();
    for function in functions.iter().filter(|function| function.module == "taubyte/sdk") {
        writeln!(module, "{}", function.import(function.name)).unwrap();
    }
    let imports = module.lines().count() - 1;
    assert_eq!(imports, 182, "138 of today and 44 that older SDKs import");
    module.push_str(
        r#"(import "env" "_ready" (func)) (import "env" "_sleep" (func (param i64)))
        (import "env" "_log" (func (param i32 i32))) (func (export "main") (param i32)))"#,
    );
    let compiled = lab.compile(&wat(&module)).await.unwrap();
    assert_eq!(compiled.kind, GuestKind::Core);
    assert_eq!(compiled.entries, ["main"]);
    assert!(compiled.unserved.contains(&"taubyte/sdk.databaseGet".to_owned()));
    assert!(!compiled.unserved.contains(&"taubyte/sdk.getEventType".to_owned()));
}

#[tokio::test]
async fn the_guest_learns_who_it_is() {
    let lab = Lab::new();
    for (size, name, expected) in [
        ("selfApplicationSize", "selfApplication", "front"),
        ("selfProjectSize", "selfProject", "QmProject"),
        ("selfIdSize", "selfId", "QmFunction"),
        ("selfBranchSize", "selfBranch", "main\0"),
        ("selfCommitSize", "selfCommit", "0123456789abcdef"),
        ("keys", "", "Accept\0X-Test\0"),
    ] {
        let (size, name, event) = match size {
            "keys" => (
                "getHttpEventHeaderVarNameByIdSize",
                "getHttpEventHeaderVarNameById",
                "(i32.const 0)",
            ),
            size => (size, name, ""),
        };
        let params = if event.is_empty() { "i32" } else { "i32 i32" };
        let wasm = wat(&format!(
            r#"(module
            (import "taubyte/sdk" "{size}" (func $size (param {params}) (result i32)))
            (import "taubyte/sdk" "{name}" (func $value (param {params}) (result i32)))
            (import "taubyte/sdk" "eventHttpWrite" (func $write (param i32 i32 i32 i32) (result i32)))
            (memory (export "memory") 1)
            (func (export "main") (param $event i32)
                (drop (call $size {event} (i32.const 64)))
                (drop (call $value {event} (i32.const 128)))
                (drop (call $write (local.get $event)
                    (i32.const 128) (i32.load (i32.const 64)) (i32.const 32)))))"#
        ));
        let function = lab.core(&wasm, "main").await;
        let mut request = get("/");
        request.headers_mut().insert("accept", "*/*".parse().unwrap());
        request.headers_mut().insert("x-test", "1".parse().unwrap());
        assert_eq!(answer(&function, request).await, (200, expected.to_owned()), "{name}");
    }
}
