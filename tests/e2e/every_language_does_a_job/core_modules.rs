//! Core modules over Taubyte's ABI: Go, C++, C, Zig, AssemblyScript and Rust.

use bytes::Bytes;
use headgate_tests::body;
use http::{Method, StatusCode};
use http_body_util::{BodyExt, channel::Channel};
use serde_json::json;

use super::{JSON, Job, TEXT, check, read};

#[tokio::test]
async fn go_sums_up_numbers() {
    let job = Job::core("statistics", "statistics").await;
    let mut client = job.client().await;
    let told = [JSON, ("x-method", "POST"), ("x-path", "/job/a b")];
    let numbers = "[3, 1.5, -2, 10]";
    let answer = client.ask(Method::POST, "/job/a%20b", &[JSON], body(numbers)).await;
    let summary = r#"{"count":4,"mean":3.125,"median":2.25,"sorted":[-2,1.5,3,10],"sum":12.5}"#;
    check(&answer, 200, &told, summary);

    let path = "/job/a%20b?order=descending";
    let typed = ("content-type", "application/json; charset=utf-8");
    let answer = client.ask(Method::POST, path, &[typed], body("[1, 2, 3]")).await;
    check(&answer, 200, &told, r#"{"count":3,"mean":2,"median":2,"sorted":[3,2,1],"sum":6}"#);

    for (query, typed, sent, status, error) in [
        ("", JSON, "[1, 2", 400, "unexpected end of JSON input"),
        ("", JSON, r#"[1, "2"]"#, 400, "json: cannot unmarshal string into .1 of type float64"),
        ("", JSON, "[]", 400, "there are no numbers"),
        ("?order=any", JSON, "[1]", 400, r#"no order is called "any""#),
        ("", TEXT, "[1]", 415, "the body is not application/json"),
    ] {
        let path = format!("/job{query}");
        let answer = client.ask(Method::POST, &path, &[typed], body(sent)).await;
        let told = [JSON, ("x-method", "POST"), ("x-path", "/job")];
        check(&answer, status, &told, json!({"error": error}).to_string());
    }
    let answer = client.get("/job").await;
    let told = [JSON, ("x-method", "GET"), ("x-path", "/job")];
    check(&answer, 405, &told, r#"{"error":"only POST"}"#);
}

#[tokio::test]
async fn cpp_counts_words() {
    let job = Job::core("words", "words").await;
    let mut client = job.client().await;
    let text = "The cat, the dog and the cat's Zoë. And 2 dogs; 2 dogs!";
    let whole = concat!(
        "     3  the\n     2  2\n     2  and\n     2  dogs\n",
        "     1  cat\n     1  cat's\n     1  dog\n     1  zoë\n",
    );
    check(&client.post("/job", text).await, 200, &[TEXT], whole);
    check(&client.post("/job?top=2", text).await, 200, &[TEXT], "     3  the\n     2  2\n");
    // Far more than one piece of a body, with words across its borders.
    let long = "lorem ipsum dolor ".repeat(50_000);
    let counts = " 50000  dolor\n 50000  ipsum\n 50000  lorem\n";
    check(&client.post("/job", long).await, 200, &[TEXT], counts);

    check(&client.post("/job", "?! - …").await, 200, &[TEXT], "     1  …\n");
    check(&client.post("/job", "?! - ").await, 400, &[TEXT], "there are no words\n");
    for top in ["0", "-1", "2x", "99999999999999999999"] {
        let answer = client.post(&format!("/job?top={top}"), text).await;
        check(&answer, 400, &[TEXT], "top is a number above 0\n");
    }
}

#[tokio::test]
async fn c_shrinks_pictures() {
    const PIXMAP: (&str, &str) = ("content-type", "image/x-portable-pixmap");
    const GRAYMAP: (&str, &str) = ("content-type", "image/x-portable-graymap");

    let job = Job::core("shrink", "shrink").await;
    let mut client = job.client().await;
    // Five columns and four rows: the last column fills no block.
    let grey = b"P5\n# five by four\n5 4\n255\n\x00\x02\x0a\x0a\xff\x02\x04\x0a\x0b\xff\
                 \x64\x64\xff\xff\x00\x64\x64\xff\xff\x00";
    let answer = client.post("/job", &grey[..]).await;
    check(&answer, 200, &[GRAYMAP], b"P5\n2 2\n255\n\x02\x0a\x64\xff");
    let answer = client.post("/job?by=4", &grey[..]).await;
    check(&answer, 200, &[GRAYMAP], b"P5\n1 1\n255\n\x5c");

    let pixel = b"P6 2 1 255 \xff\x00\x00\x00\xff\x00";
    check(
        &client.post("/job?by=1", &pixel[..]).await,
        200,
        &[PIXMAP],
        b"P6\n2 1\n255\n\xff\0\0\0\xff\0",
    );
    let answer = client.post("/job?by=1&grey=1", &pixel[..]).await;
    check(&answer, 200, &[GRAYMAP], b"P5\n2 1\n255\n\x4c\x96");

    // Six megabytes, of which the function holds a row at a time.
    let head = b"P6\n2000 1000\n255\n".as_slice();
    let large = [head, &[200, 100, 50].repeat(2_000_000)].concat();
    let answer = client.post("/job?by=2", large).await;
    let expected = [b"P6\n1000 500\n255\n".as_slice(), &[200, 100, 50].repeat(500_000)].concat();
    check(&answer, 200, &[PIXMAP], expected);

    for (query, picture, reason) in [
        ("", "GIF89a", "the body is neither PGM nor PPM\n"),
        ("", "", "the body is neither PGM nor PPM\n"),
        ("", "P5 4 4 65535 ", "the maximum is not 255\n"),
        ("", "P5 1 1 255 x", "the picture is too small or too wide\n"),
        ("", "P5 9000 2 255 x", "the picture is too small or too wide\n"),
        ("", "P5 4 4 255 short", "the body ends within the picture\n"),
        ("?by=65", "P5 2 2 255 abcd", "by is a number from 1 to 64\n"),
        ("?grey=yes", "P5 2 2 255 abcd", "grey is 0 or 1\n"),
    ] {
        let answer = client.post(&format!("/job{query}"), picture).await;
        check(&answer, 400, &[TEXT], reason);
    }
    let answer = client.post("/job", "P5 4 4 255 two rows and").await;
    assert_eq!(answer.status, StatusCode::BAD_GATEWAY, "half a picture is none");
}

#[tokio::test]
async fn zig_hashes_what_it_is_sent() {
    let job = Job::core("digest", "digest").await;
    let mut client = job.client().await;
    for (query, sent, field, answered) in [
        ("", "abc", "sha-256=:ungWv48Bz+pBQUDeXa4iI7ADYaOWF3qctBD/YfIAFa0=:", SHA_256),
        ("?algorithm=sha-512", "", SHA_512_FIELD, SHA_512),
        (
            "?algorithm=blake3",
            "abc",
            "blake3=:ZDezrDhGUTP/tjt1JzqNtUjFWEZdedsD/TWcbNW9nYU=:",
            BLAKE3,
        ),
    ] {
        let answer = client.post(&format!("/job{query}"), sent).await;
        check(&answer, 200, &[JSON, ("x-digest", field)], answered);
    }
    let answer = client.post("/job", vec![b'a'; 1_000_000]).await.json();
    let million = "cdc76e5c9914fb9281a1c7e284d73e67f1809a48a497200e046d39ccc7112cd0";
    assert_eq!(answer, json!({"algorithm": "sha-256", "bytes": 1_000_000, "hex": million}));

    for algorithm in ["md5", "an-algorithm-with-a-long-name"] {
        let answer = client.post(&format!("/job?algorithm={algorithm}"), "abc").await;
        check(&answer, 400, &[JSON], r#"{"error":"no such algorithm"}"#);
    }
}

const SHA_256: &str = concat!(
    r#"{"algorithm":"sha-256","bytes":3,"hex":""#,
    "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad",
    r#""}"#,
);
const SHA_512_FIELD: &str = concat!(
    "sha-512=:z4PhNX7vuL3xVChQ1m2AB9Yg5AULVxXcg/SpIdNs6c5",
    "H0NE8XYXysP+DGNKHfuwvY7kxvUdBeoGlODJ6+SfaPg==:",
);
const SHA_512: &str = concat!(
    r#"{"algorithm":"sha-512","bytes":0,"hex":""#,
    "cf83e1357eefb8bdf1542850d66d8007d620e4050b5715dc83f4a921d36ce9ce",
    "47d0d13c5d85f2b0ff8318d2877eec2f63b931bd47417a81a538327af927da3e",
    r#""}"#,
);
const BLAKE3: &str = concat!(
    r#"{"algorithm":"blake3","bytes":3,"hex":""#,
    "6437b3ac38465133ffb63b75273a8db548c558465d79db03fd359c6cd5bd9d85",
    r#""}"#,
);

#[tokio::test]
async fn assemblyscript_makes_tables_of_csv_as_it_comes() {
    const HTML: (&str, &str) = ("content-type", "text/html; charset=utf-8");

    let job = Job::core("html-table", "table").await;
    let mut client = job.client().await;
    let csv = "name,note\r\nAda,\"\"\"Countess\"\", <1815>\"\nZoë & co,\"two\nlines\"";
    let head = "<table>\n<thead>\n<tr><th>name</th><th>note</th></tr>\n</thead>\n<tbody>\n";
    let rows = "<tr><td>Ada</td><td>\"Countess\", &lt;1815&gt;</td></tr>\n\
                <tr><td>Zoë &amp; co</td><td>two\nlines</td></tr>\n";
    let end = "</tbody>\n</table>\n";
    check(&client.post("/job", csv).await, 200, &[HTML], format!("{head}{rows}{end}"));

    let (mut upload, content) = Channel::<Bytes>::new(1);
    let request = client.request(Method::POST, "/job").body(content.boxed_unsync()).unwrap();
    upload.send_data("name,note\nAda,1".into()).await.unwrap();
    let mut table = client.open(request).await.unwrap();
    assert_eq!(read(&mut table, "1").await, format!("{head}<tr><td>Ada</td><td>1"), "so far");
    upload.send_data("815\n".into()).await.unwrap();
    assert_eq!(read(&mut table, "</tr>\n").await, "815</td></tr>\n");
    drop(upload);
    assert_eq!(table.whole().await.unwrap().text(), end);

    let endless = "x".repeat(10_000);
    for (csv, reason) in [
        ("", "line 1: there are no rows\n"),
        ("name,no\"te\n", "line 1: a quote within a field\n"),
        ("\"name\" ,note\n", "line 1: text behind a quoted field\n"),
        ("\"name\nnote", "line 2: a quote is not closed\n"),
        (&endless, "line 1: the head is too long\n"),
    ] {
        check(&client.post("/job", csv.to_owned()).await, 400, &[TEXT], reason);
    }
    let cut = client.try_ask(Method::POST, "/job", &[], body("a,b\n1,2\n3\n")).await;
    assert!(
        !matches!(&cut, Ok(answer) if answer.status == StatusCode::OK),
        "a table that is wrong further down never looks whole: {cut:?}"
    );
}

#[tokio::test]
async fn rust_turns_forms_into_json() {
    let job = Job::core("form", "form").await;
    let mut client = job.client().await;
    let form = ("content-type", "application/x-www-form-urlencoded; charset=UTF-8");
    let sent = "name=Ada+L.&tag=a%26b&empty=&tag=%F0%9F%A6%80";
    let answer = client.ask(Method::POST, "/job", &[form], body(sent)).await;
    check(&answer, 200, &[JSON], r#"{"empty":"","name":"Ada L.","tag":["a&b","🦀"]}"#);
    let answer = client.ask(Method::POST, "/job?pick=name", &[form], body(sent)).await;
    check(&answer, 200, &[JSON], r#""Ada L.""#);

    for (path, typed, sent, status, error) in [
        ("/job", TEXT, b"name=Ada".as_slice(), 415, "the body is no form"),
        ("/job", form, b"", 400, "the form is empty"),
        ("/job", form, b"name=\xff", 400, "the form is not UTF-8"),
        ("/job?pick=age", form, b"name=Ada", 404, "the form has no such name"),
    ] {
        let answer = client.ask(Method::POST, path, &[typed], body(sent)).await;
        check(&answer, status, &[JSON], json!({"error": error}).to_string());
    }
}
