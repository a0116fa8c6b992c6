//! `headgate run-function`: one function, run once, and what is said of it.

use std::{fs, path::Path};

use crate::harness::{Home, fixture};

#[test]
fn a_function_answers_with_its_body_alone_on_stdout() {
    let home = Home::new();
    let ran = home.run(&["run-function", "hello", &fixture("shop")]);
    assert_eq!((ran.code, ran.stdout.as_str()), (Some(0), "Hello, world!"), "{ran:?}");
    assert!(ran.stderr.starts_with("HTTP 200 OK\n"), "{ran:?}");
    assert!(ran.stderr.contains("start none"), "{ran:?}");
    assert_eq!(fs::read_dir(home.path()).unwrap().count(), 0, "nothing is left behind");
}

#[test]
fn the_request_is_what_the_command_line_says() {
    let (home, shop) = (Home::new(), fixture("shop"));
    let count = ["--method", "POST", "--body", "one two three"];
    let count = [&["run-function", "count", &shop][..], &count].concat();
    let counted = home.run(&count);
    assert_eq!(counted.code, Some(0), "{counted:?}");
    assert!(counted.stdout.contains(r#""words":3"#), "{counted:?}");
    let file = home.path().join("body");
    fs::write(&file, "one two").unwrap();
    let from_file = ["--body-file", file.to_str().unwrap()];
    let counted = home.run(&[&["run-function", "count", &shop][..], &from_file].concat());
    assert!(counted.stdout.contains(r#""words":2"#), "{counted:?}");

    let fields = ["--path", "/api/headers", "--header", "X-Mine: 7", "--output", "json"];
    let seen = home.run(&[&["run-function", "api", &shop][..], &fields].concat()).json();
    let body: serde_json::Value = serde_json::from_str(seen["body"].as_str().unwrap()).unwrap();
    assert_eq!(body["x-mine"][0], "7");
    assert_eq!(body["x-request-id"][0].as_str().map(str::len), Some(32), "{body}");
    assert_eq!((&seen["status"], &seen["path"]), (&200.into(), &"/api/headers".into()));

    let user = ["--path", "/api/users/4%207?full=1"];
    let user = home.run(&[&["run-function", "api", &shop][..], &user].concat());
    assert!(user.stdout.contains("4 7"), "the pattern's parameter: {user:?}");
}

#[test]
fn what_it_prints_is_told_with_its_stream() {
    let (home, shop) = (Home::new(), fixture("shop"));
    let arguments = ["run-function", "api", &shop, "--path", "/api/log"];
    let ran = home.run(&arguments);
    assert!(ran.stderr.contains("stdout | ") && ran.stderr.contains("stderr | "), "{ran:?}");
    let json = home.run(&[&arguments[..], &["--output", "json"]].concat()).json();
    let streams: Vec<_> =
        json["log"].as_array().unwrap().iter().map(|line| &line["stream"]).collect();
    assert!(streams.contains(&&"stdout".into()) && streams.contains(&&"stderr".into()), "{json}");
}

#[test]
fn a_trap_is_shown_with_where_it_was_and_exits_with_1() {
    let (home, hostile) = (Home::new(), fixture("hostile"));
    let trapped = home.run(&["run-function", "trap", &hostile]);
    assert_eq!((trapped.code, trapped.stdout.as_str()), (Some(1), ""), "{trapped:?}");
    assert!(trapped.stderr.contains("error: the guest trapped: "), "{trapped:?}");
    assert!(trapped.stderr.contains("host |   in "), "its backtrace: {trapped:?}");
    let json = home.run(&["run-function", "trap", &hostile, "--output", "json"]).json();
    assert!(json["status"].is_null());
    assert!(!json["error"]["backtrace"].as_array().unwrap().is_empty(), "{json}");
}

#[test]
fn an_answer_of_500_or_more_exits_with_1() {
    let (home, shop) = (Home::new(), fixture("shop"));
    let code = |status: &str| {
        let path = format!("/api/status/{status}");
        home.run(&["run-function", "api", &shop, "--path", &path]).code
    };
    assert_eq!((code("404"), code("503")), (Some(0), Some(1)));
}

#[test]
fn a_name_that_is_none_is_answered_with_those_that_are() {
    let (home, shop) = (Home::new(), fixture("shop"));
    let unknown = home.run(&["run-function", "helo", &shop]);
    assert_eq!((unknown.code, unknown.stdout.as_str()), (Some(1), ""));
    assert!(unknown.stderr.contains("did you mean `hello`?"), "{unknown:?}");
    assert!(unknown.stderr.contains("`admin/health`"), "{unknown:?}");
    for name in ["health", "admin/health"] {
        assert_eq!(home.run(&["run-function", name, &shop]).code, Some(0), "{name}");
    }
    let elsewhere = home.run(&["run-function", "hello", &shop, "--path", "/elsewhere"]);
    assert_eq!(elsewhere.code, Some(1));
    assert!(elsewhere.stderr.contains("it answers `/hello`"), "{elsewhere:?}");
    let method = home.run(&["run-function", "hello", &shop, "--method", "DELETE"]);
    assert!(method.stderr.contains("does not answer DELETE at `/hello`"), "{method:?}");
}

#[test]
fn mistakes_elsewhere_do_not_matter_and_its_own_are_shown() {
    let (home, broken) = (Home::new(), fixture("broken"));
    let ran = home.run(&["run-function", "hello", &broken]);
    assert_eq!((ran.code, ran.stdout.as_str()), (Some(0), "Hello, world!"), "{ran:?}");
    assert!(ran.stderr.contains("the rest of the project has "), "{ran:?}");
    let shared = "error[duplicate-route]";
    assert!(ran.stderr.starts_with(shared), "told, though it only matters when served: {ran:?}");
    for (name, code) in [
        ("bad_duration", "invalid-duration"),
        ("missing_export", "unknown-export"),
        ("undefined_domain", "unknown-domain"),
    ] {
        let refused = home.run(&["run-function", name, &broken]);
        assert_eq!((refused.code, refused.stdout.as_str()), (Some(1), ""), "{name}: {refused:?}");
        assert!(refused.stderr.contains(&format!("functions/{name}.yaml")), "{refused:?}");
        assert!(refused.stderr.contains(code), "{name}: {refused:?}");
        assert!(!refused.stderr.contains("bad_syntax"), "of others: {refused:?}");
    }
}

#[test]
fn a_function_runs_with_the_libraries_it_is_linked_with() {
    let home = Home::new();
    let invoice = home.run(&["run-function", "invoice", &fixture("invoices"), "--output", "json"]);
    let json = invoice.json();
    assert_eq!(json["status"], 200, "{json}");

    // Without one of them it is refused, as a deploy would be.
    let copy = home.path().join("copy");
    copy_all(Path::new(&fixture("invoices")), &copy);
    fs::remove_file(copy.join("libraries/price.wasm")).unwrap();
    let refused = home.run(&["run-function", "invoice", copy.to_str().unwrap()]);
    assert_eq!(refused.code, Some(1), "{refused:?}");
    assert!(refused.stderr.contains("libraries/price"), "{refused:?}");
}

#[test]
fn repeated_it_tells_what_the_first_run_takes_and_the_others() {
    let (home, shop) = (Home::new(), fixture("shop"));
    let ran = home.run(&["run-function", "hello", &shop, "--repeat", "20"]);
    assert_eq!((ran.code, ran.stdout.as_str()), (Some(0), "Hello, world!"), "{ran:?}");
    assert!(ran.stderr.contains("first run: "), "{ran:?}");
    assert!(ran.stderr.contains("in all, start none  19 "), "{ran:?}");
    let json = home.run(&["run-function", "hello", &shop, "--repeat", "20", "--output", "json"]);
    let timing = &json.json()["timing"];
    assert_eq!((&timing["then"][0]["runs"], &timing["failed"]), (&19.into(), &0.into()));
    let whole = &timing["then"][0]["whole_us"];
    assert!(whole["min"].as_u64() <= whole["p99"].as_u64(), "{timing}");
    assert!(timing["first"]["opening_us"].as_u64() > Some(0), "{timing}");
}

fn copy_all(from: &Path, to: &Path) {
    fs::create_dir_all(to).unwrap();
    for entry in fs::read_dir(from).unwrap() {
        let entry = entry.unwrap();
        let (from, to) = (entry.path(), to.join(entry.file_name()));
        if from.is_dir() { copy_all(&from, &to) } else { _ = fs::copy(from, to).unwrap() }
    }
}
