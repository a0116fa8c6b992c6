//! Contract: calls others, as the last segment of the path and the query say.
//!
//! | request                 | answer                                                               |
//! |-------------------------|----------------------------------------------------------------------|
//! | `…/get?url=U`           | what U answers: status, content-type, location, each chunk as it comes |
//! | `…/proxy?url=U`         | the same for a POST of this request's body, both streamed at once     |
//! | `…/flood?url=U&count=N` | N calls begun at once: how often each of `ok` and the errors came      |
//! | `…/hold?url=U&count=N`  | N calls one after another, none of which is read: what the last gave   |
//! | anything else           | 404                                                                  |
//!
//! U is decoded. A call that fails is answered 502 with its error code. `connect_ms`, `first_ms` and `between_ms`
//! set the options of a call.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use wasip2::exports::http::incoming_handler::Guest;
use wasip2::http::outgoing_handler;
use wasip2::http::types::{
    ErrorCode, Fields, FutureIncomingResponse, IncomingRequest, IncomingResponse, Method,
    OutgoingBody, OutgoingRequest, OutgoingResponse, RequestOptions, ResponseOutparam, Scheme,
};
use wasip2::io::poll::poll;
use wasip2::io::streams::{InputStream, OutputStream, StreamError};

const CHUNK: u64 = 64 * 1024;

struct Caller;

wasip2::http::proxy::export!(Caller);

impl Guest for Caller {
    fn handle(request: IncomingRequest, responder: ResponseOutparam) {
        let target = request.path_with_query().unwrap_or_default();
        let (path, query) = target.split_once('?').unwrap_or((&target, ""));
        let query = Query(query);
        match path.rsplit('/').next().unwrap_or_default() {
            "get" => match call(&query, Method::Get).and_then(|call| answer(&call)) {
                Ok(response) => forward(response, responder),
                Err(code) => failed(&code, responder),
            },
            "proxy" => proxy(&request, &query, responder),
            "flood" => flood(&query, responder),
            "hold" => hold(&query, responder),
            _ => text(responder, 404, "not found\n"),
        }
    }
}

/// A call, and the body that is to be sent with it.
fn call(query: &Query, method: Method) -> Result<FutureIncomingResponse, ErrorCode> {
    let (request, body) = request(query, method)?;
    let pending = outgoing_handler::handle(request, Some(options(query)))?;
    OutgoingBody::finish(body, None)?;
    Ok(pending)
}

fn request(query: &Query, method: Method) -> Result<(OutgoingRequest, OutgoingBody), ErrorCode> {
    let bad = |()| ErrorCode::HttpRequestUriInvalid;
    let url = query.get("url").unwrap_or_default();
    let (scheme, rest) = url.split_once("://").ok_or(ErrorCode::HttpRequestUriInvalid)?;
    let (authority, path) = match rest.find('/') {
        Some(at) => rest.split_at(at),
        None => (rest, "/"),
    };
    let scheme = match scheme {
        "http" => Scheme::Http,
        "https" => Scheme::Https,
        other => Scheme::Other(other.to_owned()),
    };
    let request = OutgoingRequest::new(Fields::new());
    request.set_method(&method).map_err(bad)?;
    request.set_scheme(Some(&scheme)).map_err(bad)?;
    request.set_authority(Some(authority)).map_err(bad)?;
    request.set_path_with_query(Some(path)).map_err(bad)?;
    let body = request.body().map_err(bad)?;
    Ok((request, body))
}

fn options(query: &Query) -> RequestOptions {
    let nanos = |name| Some(query.get(name)?.parse::<u64>().ok()? * 1_000_000);
    let options = RequestOptions::new();
    let _ = options.set_connect_timeout(nanos("connect_ms"));
    let _ = options.set_first_byte_timeout(nanos("first_ms"));
    let _ = options.set_between_bytes_timeout(nanos("between_ms"));
    options
}

/// Waits for the head of the answer.
fn answer(pending: &FutureIncomingResponse) -> Result<IncomingResponse, ErrorCode> {
    pending.subscribe().block();
    match pending.get() {
        Some(Ok(result)) => result,
        _ => Err(ErrorCode::InternalError(Some("no answer was there".to_owned()))),
    }
}

/// Hands an answer on as it comes. Cut off in between, it stays unfinished.
fn forward(response: IncomingResponse, responder: ResponseOutparam) {
    let Some((body, sink)) = head(&response, responder) else { return };
    let Ok(incoming) = response.consume() else { return };
    let Ok(source) = incoming.stream() else { return };
    loop {
        match source.blocking_read(CHUNK) {
            Ok(chunk) => {
                if write(&sink, &chunk).is_err() {
                    return;
                }
            }
            Err(StreamError::Closed) => break,
            Err(StreamError::LastOperationFailed(error)) => {
                eprintln!("the answer broke off: {}", error.to_debug_string());
                return;
            }
        }
    }
    drop(sink);
    let _ = OutgoingBody::finish(body, None);
}

fn head(
    response: &IncomingResponse,
    responder: ResponseOutparam,
) -> Option<(OutgoingBody, OutputStream)> {
    let fields = Fields::new();
    for name in ["content-type", "location", "x-seen"] {
        for value in response.headers().get(name) {
            let _ = fields.append(name, &value);
        }
    }
    let outgoing = OutgoingResponse::new(fields);
    let _ = outgoing.set_status_code(response.status());
    let body = outgoing.body().ok()?;
    ResponseOutparam::set(responder, Ok(outgoing));
    let sink = body.write().ok()?;
    Some((body, sink))
}

/// Sends the request's body on and hands the answer back, whichever of the two has something.
fn proxy(request: &IncomingRequest, query: &Query, responder: ResponseOutparam) {
    let begun = self::request(query, Method::Post).and_then(|(outgoing, body)| {
        Ok((outgoing_handler::handle(outgoing, Some(options(query)))?, body))
    });
    let (pending, upload) = match begun {
        Ok(begun) => begun,
        Err(code) => return failed(&code, responder),
    };
    let Ok(incoming) = request.consume() else { return };
    let Ok(source) = incoming.stream() else { return };
    let Ok(upstream) = upload.write() else { return };
    let mut sending = Some((upload, upstream));
    loop {
        let answered = pending.subscribe();
        match &sending {
            Some((_, upstream)) => {
                let readable = source.subscribe();
                let ready = poll(&[&answered, &readable]);
                if ready.contains(&0) {
                    break;
                }
                if !pass(&source, upstream) {
                    drop(readable);
                    finish(&mut sending);
                }
            }
            None => {
                answered.block();
                break;
            }
        }
    }
    let response = match answer(&pending) {
        Ok(response) => response,
        Err(code) => return failed(&code, responder),
    };
    let Some((body, sink)) = head(&response, responder) else { return };
    let Ok(incoming) = response.consume() else { return };
    let Ok(back) = incoming.stream() else { return };
    loop {
        let backward = back.subscribe();
        let ready = match &sending {
            Some(_) => poll(&[&backward, &source.subscribe()]),
            None => poll(&[&backward]),
        };
        drop(backward);
        if ready.contains(&1)
            && let Some((_, upstream)) = &sending
            && !pass(&source, upstream)
        {
            finish(&mut sending);
        }
        if ready.contains(&0) && !pass(&back, &sink) {
            break;
        }
    }
    drop(sink);
    let _ = OutgoingBody::finish(body, None);
}

/// Passes on what is there; false at the end.
fn pass(from: &InputStream, to: &OutputStream) -> bool {
    from.read(CHUNK).is_ok_and(|chunk| write(to, &chunk).is_ok())
}

fn finish(sending: &mut Option<(OutgoingBody, OutputStream)>) {
    if let Some((body, sink)) = sending.take() {
        drop(sink);
        let _ = OutgoingBody::finish(body, None);
    }
}

fn write(sink: &OutputStream, bytes: &[u8]) -> Result<(), StreamError> {
    let mut rest = bytes;
    while !rest.is_empty() {
        sink.subscribe().block();
        let room = rest.len().min(sink.check_write()? as usize);
        sink.write(&rest[..room])?;
        rest = &rest[room..];
    }
    sink.blocking_flush()
}

fn flood(query: &Query, responder: ResponseOutparam) {
    let count = query.get("count").and_then(|count| count.parse().ok()).unwrap_or(1);
    let calls: Vec<_> = (0..count).map(|_: u32| call(query, Method::Get)).collect();
    let mut results = BTreeMap::<String, u32>::new();
    for call in calls {
        let result = match call.and_then(|call| answer(&call)) {
            Ok(_) => "ok".to_owned(),
            Err(code) => format!("{code:?}"),
        };
        *results.entry(result).or_default() += 1;
    }
    let mut lines = String::new();
    for (result, count) in results {
        let _ = writeln!(lines, "{count} {result}");
    }
    text(responder, 200, &lines);
}

/// Answers that nobody reads take turns that others wait for.
fn hold(query: &Query, responder: ResponseOutparam) {
    let count = query.get("count").and_then(|count| count.parse().ok()).unwrap_or(1);
    let mut held = Vec::new();
    for made in 0..count {
        match call(query, Method::Get).and_then(|call| answer(&call)) {
            Ok(response) => held.push(response),
            Err(code) => return text(responder, 200, &format!("{made} {code:?}\n")),
        }
    }
    text(responder, 200, &format!("{count} ok\n"));
}

fn failed(code: &ErrorCode, responder: ResponseOutparam) {
    text(responder, 502, &format!("{code:?}\n"));
}

fn text(responder: ResponseOutparam, status: u16, message: &str) {
    let response = OutgoingResponse::new(Fields::new());
    let _ = response.set_status_code(status);
    let Ok(body) = response.body() else { return };
    ResponseOutparam::set(responder, Ok(response));
    let Ok(sink) = body.write() else { return };
    if write(&sink, message.as_bytes()).is_ok() {
        drop(sink);
        let _ = OutgoingBody::finish(body, None);
    }
}

struct Query<'a>(&'a str);

impl Query<'_> {
    fn get(&self, name: &str) -> Option<String> {
        let pairs = self.0.split('&').filter_map(|pair| pair.split_once('='));
        pairs.filter(|(known, _)| *known == name).map(|(_, value)| decode(value)).next()
    }
}

fn decode(text: &str) -> String {
    let mut bytes = Vec::new();
    let mut rest = text.as_bytes();
    while let [first, tail @ ..] = rest {
        let escaped = match tail {
            [high, low, ..] if *first == b'%' => std::str::from_utf8(&[*high, *low])
                .ok()
                .and_then(|digits| u8::from_str_radix(digits, 16).ok()),
            _ => None,
        };
        bytes.push(escaped.unwrap_or(*first));
        rest = if escaped.is_some() { &tail[2..] } else { tail };
    }
    String::from_utf8_lossy(&bytes).into_owned()
}
