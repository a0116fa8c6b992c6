//! Contract: keeps accounts for as long as a request lasts, in JSON of one value a line.
//!
//! | request          | answer                                                                              |
//! |------------------|-------------------------------------------------------------------------------------|
//! | POST `…/entries` | 200 `application/x-ndjson`: each line {"account":…,"cents":N} of the body, as soon as |
//! |                  | it is there, with the account's new "balance"; then {"balances":{…},"entries":N}      |
//! | another method   | 405 with `allow: POST`                                                              |
//! | another path     | 404                                                                                 |
//!
//! Empty lines are passed over. A line that is no entry, or takes an account beyond 64 bits, is the end: the
//! last line says {"error":…,"line":N}. If it is the first, the answer is that alone, as `application/json`
//! with the status 400; so it is for a body without entries. A body that breaks off leaves an answer that does.

use std::{
    collections::BTreeMap,
    io::{self, BufRead, BufReader, Lines, Write},
};

use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use wasip2::{
    exports::http::incoming_handler::Guest,
    http::types::{
        Fields, IncomingRequest, Method, OutgoingBody, OutgoingResponse, ResponseOutparam,
    },
    io::streams::InputStream,
};

struct Ledger;

wasip2::http::proxy::export!(Ledger);

impl Guest for Ledger {
    fn handle(request: IncomingRequest, responder: ResponseOutparam) {
        let target = request.path_with_query().unwrap_or_default();
        let path = target.split('?').next().unwrap_or_default();
        match (request.method(), path.rsplit('/').next()) {
            (Method::Post, Some("entries")) => entries(&request, responder),
            (_, Some("entries")) => {
                refuse(responder, 405, &[("allow", "POST")], json!({"error": "only POST"}))
            }
            _ => refuse(responder, 404, &[], json!({"error": "not found"})),
        }
    }
}

fn entries(request: &IncomingRequest, responder: ResponseOutparam) {
    let Ok(incoming) = request.consume() else { return };
    let Ok(source) = incoming.stream() else { return };
    let mut postings = Postings::of(source);
    let first = match postings.next() {
        Some(Ok(first)) => first,
        Some(Err(Broken::Entry(value))) => return refuse(responder, 400, &[], value),
        Some(Err(Broken::Body(_))) => return, // nobody is there to be told
        None => return refuse(responder, 400, &[], json!({"error": "there are no entries"})),
    };
    respond(responder, 200, &[("content-type", "application/x-ndjson")], |sink| {
        let mut count = 0;
        for posting in [Ok(first)].into_iter().chain(&mut postings) {
            match posting {
                Ok(posting) => line(sink, &posting)?,
                Err(Broken::Entry(value)) => return line(sink, &value),
                Err(Broken::Body(error)) => return Err(error),
            }
            count += 1;
        }
        line(sink, &json!({"balances": postings.balances, "entries": count}))
    });
}

#[derive(Deserialize)]
struct Entry {
    account: String,
    cents: i64,
}

#[derive(Serialize)]
struct Posting {
    account: String,
    cents: i64,
    balance: i64,
}

/// Why there are no more postings.
enum Broken {
    /// To be told whoever wrote it.
    Entry(Value),
    Body(io::Error),
}

/// What a body's lines come to, one after the other.
struct Postings {
    lines: Lines<BufReader<InputStream>>,
    number: usize,
    balances: BTreeMap<String, i64>,
}

impl Postings {
    fn of(source: InputStream) -> Self {
        let lines = BufReader::new(source).lines();
        Self { lines, number: 0, balances: BTreeMap::new() }
    }

    fn post(&mut self, line: &str) -> Result<Posting, String> {
        let Entry { account, cents } =
            serde_json::from_str(line).map_err(|error| error.to_string())?;
        let balance = self.balances.entry(account.clone()).or_default();
        *balance = balance.checked_add(cents).ok_or("the balance does not fit into 64 bits")?;
        Ok(Posting { account, cents, balance: *balance })
    }
}

impl Iterator for Postings {
    type Item = Result<Posting, Broken>;

    fn next(&mut self) -> Option<Self::Item> {
        loop {
            let line = match self.lines.next()? {
                Ok(line) => line,
                Err(error) => return Some(Err(Broken::Body(error))),
            };
            self.number += 1;
            if !line.trim().is_empty() {
                let number = self.number;
                let refused = |error| Broken::Entry(json!({"error": error, "line": number}));
                return Some(self.post(&line).map_err(refused));
            }
        }
    }
}

/// Each line leaves at once: the other side may wait for it before it sends another.
fn line(sink: &mut dyn Write, value: &impl Serialize) -> io::Result<()> {
    let mut line = serde_json::to_vec(value)?;
    line.push(b'\n');
    sink.write_all(&line)?;
    sink.flush()
}

fn refuse(responder: ResponseOutparam, status: u16, fields: &[(&str, &str)], value: Value) {
    let fields = [&[("content-type", "application/json")], fields].concat();
    respond(responder, status, &fields, |sink| sink.write_all(value.to_string().as_bytes()));
}

/// Sends the head, then lets `write` send the body. An error there means that one of the two sides has gone
/// away: the body is dropped unfinished, so that nobody takes it for whole.
fn respond(
    responder: ResponseOutparam,
    status: u16,
    fields: &[(&str, &str)],
    write: impl FnOnce(&mut dyn Write) -> io::Result<()>,
) {
    let head = Fields::new();
    for (name, value) in fields {
        let _ = head.append(name, value.as_bytes());
    }
    let response = OutgoingResponse::new(head);
    let _ = response.set_status_code(status);
    let Ok(body) = response.body() else { return };
    ResponseOutparam::set(responder, Ok(response));

    let Ok(mut sink) = body.write() else { return };
    if write(&mut sink).is_ok() {
        drop(sink);
        let _ = OutgoingBody::finish(body, None);
    }
}
