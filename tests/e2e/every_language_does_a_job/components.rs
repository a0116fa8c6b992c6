//! Components over `wasi:http`: Rust, JavaScript and Python.

use bytes::Bytes;
use headgate_tests::{Protocol, empty};
use http::Method;
use http_body_util::{BodyExt, channel::Channel};
use serde_json::json;

use super::{HOST, JSON, Job, TEXT, check, read};

#[tokio::test]
async fn a_rust_component_keeps_accounts_line_by_line() {
    const LINES: (&str, &str) = ("content-type", "application/x-ndjson");

    let job = Job::component("ledger").await;
    let mut client = job.client().await;
    let (mut upload, content) = Channel::<Bytes>::new(1);
    let request = client.request(Method::POST, "/job/entries").body(content.boxed_unsync());
    upload.send_data("{\"account\":\"till\",\"cents\":500}\n".into()).await.unwrap();
    let mut answer = client.open(request.unwrap()).await.unwrap();
    let first = r#"{"account":"till","cents":500,"balance":500}"#;
    assert_eq!(read(&mut answer, "\n").await.trim_end(), first);
    upload.send_data("\n{\"account\":\"till\",\"cents\":-120}\n{\"acc".into()).await.unwrap();
    let second = r#"{"account":"till","cents":-120,"balance":380}"#;
    assert_eq!(read(&mut answer, "\n").await.trim_end(), second);
    upload.send_data("ount\":\"bank\",\"cents\":1}".into()).await.unwrap();
    drop(upload);
    let rest = "{\"account\":\"bank\",\"cents\":1,\"balance\":1}\n\
                {\"balances\":{\"bank\":1,\"till\":380},\"entries\":3}\n";
    assert_eq!(answer.whole().await.unwrap().text(), rest);

    let good = "{\"account\":\"till\",\"cents\":9223372036854775807}\n";
    let posted =
        "{\"account\":\"till\",\"cents\":9223372036854775807,\"balance\":9223372036854775807}\n";
    let refused = "{\"error\":\"the balance does not fit into 64 bits\",\"line\":3}\n";
    let sent = format!("{good}\n{{\"account\":\"till\",\"cents\":1}}\n{good}");
    check(&client.post("/job/entries", sent).await, 200, &[LINES], format!("{posted}{refused}"));

    for (sent, refused) in [
        ("", r#"{"error":"there are no entries"}"#),
        (
            "\n{\"account\"",
            r#"{"error":"EOF while parsing an object at line 1 column 10","line":2}"#,
        ),
        (
            "{\"account\":\"till\"}",
            r#"{"error":"missing field `cents` at line 1 column 18","line":1}"#,
        ),
    ] {
        check(&client.post("/job/entries", sent).await, 400, &[JSON], refused);
    }
    let allow = ("allow", "POST");
    check(&client.get("/job/entries").await, 405, &[allow, JSON], r#"{"error":"only POST"}"#);
    check(&client.post("/job/else", good).await, 404, &[JSON], r#"{"error":"not found"}"#);
}

#[tokio::test]
async fn an_asynchronous_component_streams_both_ways_and_ends_with_trailers() {
    let job = Job::component("streams").await;
    for protocol in Protocol::ALL {
        let mut client = job.node.client(protocol, HOST).await;
        let request = client.request(Method::GET, "/job/ticks?count=3").body(empty()).unwrap();
        let mut answer = client.open(request).await.unwrap();
        assert_eq!(answer.status, 200, "{protocol:?}");
        assert_eq!(read(&mut answer, "tick 2\n").await, "tick 0\ntick 1\ntick 2\n");
        assert_eq!(answer.chunk().await.unwrap(), None);
        // HTTP/1.1 has a place for them, which the server's side does not use.
        let trailers = answer.trailers.map(|fields| fields["x-ticks"].clone());
        let sent = matches!(protocol, Protocol::H2c | Protocol::Https2);
        assert_eq!(trailers, sent.then(|| "3".parse().unwrap()), "{protocol:?}");

        // Answered while it is still sent, then to its end.
        let (mut upload, mut echo) = client.converse("/job/checked").await;
        upload.send_data(", and more".into()).await.unwrap();
        drop(upload);
        assert_eq!(read(&mut echo, "more").await, ", and more");
        assert_eq!(echo.chunk().await.unwrap(), None);
        check(
            &client.get("/job/ticks?count=no").await,
            400,
            &[TEXT],
            "count is a number up to 1000\n",
        );
    }
}

#[tokio::test]
async fn javascript_adds_up_a_cart() {
    let job = Job::component("cart").await;
    let mut client = job.client().await;
    let cart = concat!(
        r#"{"currency":"EUR","items":[{"name":"tea","cents":450,"quantity":2},"#,
        r#"{"name":"jam","cents":395,"quantity":1}]}"#,
    );
    let total = concat!(
        r#"{"currency":"EUR","cents":1295,"lines":[{"name":"tea","cents":900},"#,
        r#"{"name":"jam","cents":395}]}"#,
    );
    let sorted = concat!(
        r#"{"currency":"EUR","items":[{"name":"jam","cents":395,"quantity":1},"#,
        r#"{"name":"tea","cents":450,"quantity":2}]}"#,
    );
    check(&client.post("/job/total", cart).await, 200, &[JSON], total);
    check(&client.post("/job/sorted", cart).await, 200, &[JSON], sorted);
    check(&client.post("/job/sorted?by=name", cart).await, 200, &[JSON], sorted);

    for (path, sent, status, error) in [
        ("/job/total", r#"{"currency":"EUR","#, 400, UNFINISHED_IN_JAVASCRIPT),
        ("/job/total", "[]", 422, "currency is no text"),
        ("/job/total", r#"{"currency":"EUR"}"#, 422, "items is no list"),
        (
            "/job/total",
            r#"{"currency":"EUR","items":[null]}"#,
            422,
            "the name of item 0 is no text",
        ),
        ("/job/sorted?by=age", cart, 400, "by is price or name"),
        ("/job/toString", cart, 404, "not found"),
    ] {
        let answer = client.post(path, sent).await;
        check(&answer, status, &[JSON], json!({"error": error}).to_string());
    }
    let allow = ("allow", "POST");
    check(&client.get("/job/total").await, 405, &[allow, JSON], r#"{"error":"only POST"}"#);
}

const UNFINISHED_IN_JAVASCRIPT: &str =
    "JSON.parse: end of data when property name was expected at line 1 column 19 of the JSON data";

#[tokio::test]
async fn python_evaluates_a_survey() {
    let job = Job::component("survey").await;
    let mut client = job.client().await;
    let survey = concat!(
        r#"{"answers":[{"team":"red","score":3},{"team":"blue","score":5},"#,
        r#"{"team":"red","score":4.5},{"team":"red","score":3}]}"#,
    );
    let all = concat!(
        r#"{"answers": 4, "groups": {"all": {"answers": 4, "#,
        r#""mean": 3.875, "median": 3.75, "spread": 0.893}}}"#,
    );
    check(&client.post("/job/summary", survey).await, 200, &[JSON], all);
    let teams = json!({"answers": 4, "groups": {
        "blue": {"answers": 1, "mean": 5.0, "median": 5, "spread": 0.0},
        "red": {"answers": 3, "mean": 3.5, "median": 3, "spread": 0.707},
    }});
    assert_eq!(client.post("/job/summary?by=team", survey).await.json(), teams);
    // Longer than one write of the function, in both directions.
    let many: Vec<_> =
        (0..500).map(|n| json!({"team": format!("team-{n:03}"), "score": n})).collect();
    let answer =
        client.post("/job/summary?by=team", json!({"answers": many}).to_string()).await.json();
    assert_eq!(answer["groups"].as_object().unwrap().len(), 500);
    assert_eq!(answer["groups"]["team-499"]["mean"], 499.0);

    for (path, sent, status, error) in [
        ("/job/summary", r#"{"answers":"#, 400, "Expecting value: line 1 column 12 (char 11)"),
        ("/job/summary", "[]", 422, "there are no answers"),
        ("/job/summary", r#"{"answers":[1]}"#, 422, "an answer is no object"),
        (
            "/job/summary",
            r#"{"answers":[{"score":"3"}]}"#,
            422,
            "the score of answer 0 is no number",
        ),
        ("/job/summary?by=team", r#"{"answers":[{"score":3}]}"#, 400, "answer 0 has no team"),
        ("/job/else", survey, 404, "not found"),
    ] {
        let answer = client.post(path, sent).await;
        check(&answer, status, &[JSON], format!("{{\"error\": \"{error}\"}}"));
    }
    let allow = ("allow", "POST");
    check(&client.get("/job/summary").await, 405, &[allow, JSON], r#"{"error": "only POST"}"#);
}
