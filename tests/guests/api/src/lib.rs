//! Contract: a small HTTP API, routed by the last one or two segments of the path, so that it may
//! stand under any prefix.
//!
//! | request                   | answer                                                              |
//! |---------------------------|---------------------------------------------------------------------|
//! | `…/hello`                 | 200 `text/plain` "Hello from a component\n"                         |
//! | `…/echo`                  | the request's body, each chunk as it arrives, under its content-type |
//! | `…/stream`                | "tick 0\n" to "tick 4\n", each flushed, 100 ms apart                |
//! | `…/users/<anything>`      | JSON: `id` (header x-headgate-param-id), `method`, `path_with_query` |
//! | `…/env`                   | JSON object of the environment variables                            |
//! | `…/headers`               | JSON object of the request's headers: name → array of values        |
//! | `…/log`                   | 204; writes one line to stdout and one to stderr                    |
//! | `…/status/<code>`         | this status, and its number as the body where the status allows one |
//! | `…/big?bytes=N`           | N bytes of `x` (1 MiB if absent) under a content-length             |
//! | `…/files/<anything, deep>` | JSON: `path` (header x-headgate-param-path), `method`, `path_with_query` |
//! | anything else             | 404                                                                 |
//!
//! A request that makes no sense is answered 400 with the reason. When the client goes away while a
//! body is under way, the guest ends quietly and leaves the response unfinished.

mod json;

use std::fmt::Display;
use std::io::{self, Write};

use wasip2::cli::{environment, stderr, stdout};
use wasip2::clocks::monotonic_clock;
use wasip2::exports::http::incoming_handler::Guest;
use wasip2::http::types::{
    Fields, IncomingRequest, Method, OutgoingBody, OutgoingResponse, ResponseOutparam,
};
use wasip2::io::streams::StreamError;

use json::Object;

const TICK: u64 = 100_000_000; // nanoseconds
const TICKS: u32 = 5;
const BIG_BYTES: u64 = 1 << 20;
const CHUNK: usize = 64 * 1024;

struct Api;

wasip2::http::proxy::export!(Api);

impl Guest for Api {
    fn handle(request: IncomingRequest, responder: ResponseOutparam) {
        let target = request.path_with_query().unwrap_or_default();
        let (path, query) = target.split_once('?').unwrap_or((&target, ""));
        let mut segments = path.rsplit('/');
        let last = segments.next().unwrap_or_default();
        let parent = segments.next().unwrap_or_default();

        match (parent, last) {
            _ if parent == "files" || segments.any(|segment| segment == "files") => {
                described(&request, responder, "path")
            }
            ("users", _) => described(&request, responder, "id"),
            ("status", code) => status(code, responder),
            (_, "hello") => text(responder, 200, "Hello from a component\n"),
            (_, "echo") => echo(&request, responder),
            (_, "stream") => stream(responder),
            (_, "env") => env(responder),
            (_, "headers") => headers(&request, responder),
            (_, "log") => log(responder),
            (_, "big") => big(query, responder),
            _ => text(responder, 404, "not found\n"),
        }
    }
}

/// What the gateway told about a route with a parameter, and what the client asked for.
fn described(request: &IncomingRequest, responder: ResponseOutparam, parameter: &str) {
    let mut values = request.headers().get(&format!("x-headgate-param-{parameter}"));
    let value = values.pop().map(|bytes| String::from_utf8_lossy(&bytes).into_owned());
    let object = Object::new()
        .entry(parameter, value.as_deref())
        .entry("method", &*method(request))
        .entry("path_with_query", request.path_with_query().as_deref());
    json(responder, object);
}

fn method(request: &IncomingRequest) -> String {
    match request.method() {
        Method::Other(name) => name,
        known => format!("{known:?}").trim_start_matches("Method::").to_uppercase(),
    }
}

fn status(code: &str, responder: ResponseOutparam) {
    match code.parse() {
        Ok(code @ (204 | 205 | 304)) => empty(responder, code),
        Ok(code @ 200..=599) => text(responder, code, format_args!("{code}\n")),
        _ => text(responder, 400, "a status is a number from 200 to 599\n"),
    }
}

fn echo(request: &IncomingRequest, responder: ResponseOutparam) {
    let fields = Fields::new();
    for value in request.headers().get("content-type") {
        let _ = fields.append("content-type", &value);
    }
    let Ok(incoming) = request.consume() else { return };
    let Ok(source) = incoming.stream() else { return };
    respond(responder, 200, fields, |sink| {
        loop {
            match source.blocking_read(CHUNK as u64) {
                Ok(chunk) => sink.write_all(&chunk)?,
                Err(StreamError::Closed) => return Ok(()),
                Err(StreamError::LastOperationFailed(error)) => {
                    return Err(io::Error::other(error));
                }
            }
            sink.flush()?;
        }
    });
}

fn stream(responder: ResponseOutparam) {
    respond(responder, 200, content_type("text/plain"), |sink| {
        for tick in 0..TICKS {
            if tick > 0 {
                monotonic_clock::subscribe_duration(TICK).block();
            }
            writeln!(sink, "tick {tick}")?;
            sink.flush()?;
        }
        Ok(())
    });
}

fn env(responder: ResponseOutparam) {
    let variables = environment::get_environment();
    let object =
        variables.iter().fold(Object::new(), |object, (name, value)| object.entry(name, &**value));
    json(responder, object);
}

fn headers(request: &IncomingRequest, responder: ResponseOutparam) {
    let mut all: Vec<(String, Vec<String>)> = Vec::new();
    for (name, value) in request.headers().entries() {
        let name = name.to_lowercase();
        let value = String::from_utf8_lossy(&value).into_owned();
        match all.iter_mut().find(|(known, _)| *known == name) {
            Some((_, values)) => values.push(value),
            None => all.push((name, vec![value])),
        }
    }
    let object =
        all.iter().fold(Object::new(), |object, (name, values)| object.entry(name, &**values));
    json(responder, object);
}

fn log(responder: ResponseOutparam) {
    let _ = stdout::get_stdout().blocking_write_and_flush(b"a line on stdout\n");
    let _ = stderr::get_stderr().blocking_write_and_flush(b"a line on stderr\n");
    empty(responder, 204);
}

fn big(query: &str, responder: ResponseOutparam) {
    let bytes = query.split('&').find_map(|pair| pair.strip_prefix("bytes="));
    let Ok(mut left) = bytes.map_or(Ok(BIG_BYTES), str::parse) else {
        return text(responder, 400, "bytes is not a number\n");
    };
    let fields = content_type("application/octet-stream");
    let _ = fields.append("content-length", left.to_string().as_bytes());
    respond(responder, 200, fields, |sink| {
        let chunk = [b'x'; CHUNK];
        while left > 0 {
            let length = left.min(CHUNK as u64);
            sink.write_all(&chunk[..length as usize])?;
            left -= length;
        }
        Ok(())
    });
}

fn json(responder: ResponseOutparam, object: Object) {
    respond(responder, 200, content_type("application/json"), |sink| {
        sink.write_all(object.finish().as_bytes())
    });
}

fn text(responder: ResponseOutparam, status: u16, message: impl Display) {
    respond(responder, status, content_type("text/plain"), |sink| write!(sink, "{message}"));
}

fn empty(responder: ResponseOutparam, status: u16) {
    respond(responder, status, Fields::new(), |_| Ok(()));
}

fn content_type(value: &str) -> Fields {
    let fields = Fields::new();
    let _ = fields.append("content-type", value.as_bytes());
    fields
}

/// Sends the head, then lets `write` send the body. An error there means that one of the two sides
/// has gone away: the body is dropped unfinished, so that nobody takes it for whole.
fn respond(
    responder: ResponseOutparam,
    status: u16,
    fields: Fields,
    write: impl FnOnce(&mut dyn Write) -> io::Result<()>,
) {
    let response = OutgoingResponse::new(fields);
    let _ = response.set_status_code(status);
    let Ok(body) = response.body() else { return };
    ResponseOutparam::set(responder, Ok(response));

    let Ok(mut sink) = body.write() else { return };
    if write(&mut sink).is_ok() {
        drop(sink);
        let _ = OutgoingBody::finish(body, None);
    }
}
