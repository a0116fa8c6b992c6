//! Contract: an asynchronous handler over `wasi:http` 0.3, routed by the last segment of the path.
//!
//! | request             | answer                                                                     |
//! |---------------------|----------------------------------------------------------------------------|
//! | GET `…/ticks?count=N` | `text/plain`, "tick 0\n" to "tick N-1\n", 10 ms apart; trailer `x-ticks: N` |
//! | POST `…/echo`       | the request's body and trailers, handed on as they are                     |
//! | POST `…/checked`    | the body, each chunk as it arrives; trailers `x-bytes` and `x-fnv-1a`       |
//! | anything else       | 404                                                                        |
//!
//! `count` is 5 if absent and at most 1000, anything else is answered 400. `x-fnv-1a` is the 64-bit hash
//! of that name in sixteen hexadecimal digits. A request whose body breaks off leaves a response that
//! breaks off, so that nobody takes it for whole.

use wasip3::{
    clocks::monotonic_clock,
    exports::http::handler::Guest,
    http::types::{ErrorCode, Fields, Method, Request, Response, Trailers},
    wit_bindgen::{FutureReader, StreamReader, StreamResult, StreamWriter},
    wit_future, wit_stream,
};

const TICK: u64 = 10_000_000; // nanoseconds
const TICKS: u32 = 5;
const MOST_TICKS: u32 = 1000;
const CHUNK: usize = 64 * 1024;

type End = Result<Option<Trailers>, ErrorCode>;

struct Streams;

wasip3::http::service::export!(Streams);

impl Guest for Streams {
    async fn handle(request: Request) -> Result<Response, ErrorCode> {
        let target = request.get_path_with_query().unwrap_or_default();
        let (path, query) = target.split_once('?').unwrap_or((&target, ""));
        match (request.get_method(), path.rsplit('/').next()) {
            (Method::Get, Some("ticks")) => match count(query) {
                Some(count) => respond(200, text(), move |sink| ticks(count, sink)),
                None => message(400, "count is a number up to 1000\n"),
            },
            (Method::Post, Some("echo")) => echo(request),
            (Method::Post, Some("checked")) => checked(request),
            _ => message(404, "not found\n"),
        }
    }
}

fn count(query: &str) -> Option<u32> {
    let count = query.split('&').find_map(|pair| pair.strip_prefix("count="));
    count.map_or(Some(TICKS), |count| count.parse().ok()).filter(|count| *count <= MOST_TICKS)
}

async fn ticks(count: u32, mut sink: StreamWriter<u8>) -> End {
    for tick in 0..count {
        if tick > 0 {
            monotonic_clock::wait_for(TICK).await;
        }
        send(&mut sink, format!("tick {tick}\n").into_bytes()).await?;
    }
    trailers(&[("x-ticks", count.to_string())])
}

/// The handles alone change hands: no byte passes through this guest's memory.
fn echo(request: Request) -> Result<Response, ErrorCode> {
    let fields = content_type_of(&request);
    let (body, end) = consume(request);
    Ok(Response::new(fields, Some(body), end).0)
}

fn checked(request: Request) -> Result<Response, ErrorCode> {
    let fields = content_type_of(&request);
    let (mut source, end) = consume(request);
    respond(200, fields, async move |mut sink| {
        let (mut bytes, mut hash) = (0, Fnv1a::default());
        loop {
            let (result, chunk) = source.read(Vec::with_capacity(CHUNK)).await;
            bytes += chunk.len();
            hash.add(&chunk);
            // Writing nothing would wait for a reader that may never come.
            if !chunk.is_empty() {
                send(&mut sink, chunk).await?;
            }
            if result == StreamResult::Dropped {
                break;
            }
        }
        end.await?;
        trailers(&[("x-bytes", bytes.to_string()), ("x-fnv-1a", format!("{:016x}", hash.0))])
    })
}

fn message(status: u16, reason: &'static str) -> Result<Response, ErrorCode> {
    respond(status, text(), async move |mut sink| {
        send(&mut sink, reason.into()).await?;
        Ok(None)
    })
}

/// The head now; `write` goes on after the handler has returned and says how the body ends.
fn respond<W>(
    status: u16,
    fields: Fields,
    write: impl FnOnce(StreamWriter<u8>) -> W + 'static,
) -> Result<Response, ErrorCode>
where
    W: Future<Output = End> + 'static,
{
    let (sink, body) = wit_stream::new();
    let (ended, end) = wit_future::new(|| Err(broken("the guest ended early")));
    let (response, _sent) = Response::new(fields, Some(body), end);
    response.set_status_code(status).map_err(|()| broken("an impossible status"))?;
    wasip3::spawn_local(async move {
        let end = write(sink).await;
        // Nobody waits for it when the client has gone away.
        let _ = ended.write(end).await;
    });
    Ok(response)
}

async fn send(sink: &mut StreamWriter<u8>, bytes: Vec<u8>) -> Result<(), ErrorCode> {
    let unsent = sink.write_all(bytes).await;
    if unsent.is_empty() { Ok(()) } else { Err(broken("the client has gone away")) }
}

fn consume(request: Request) -> (StreamReader<u8>, FutureReader<End>) {
    let (_, consumed) = wit_future::new(|| Ok(()));
    Request::consume_body(request, consumed)
}

fn trailers(entries: &[(&str, String)]) -> End {
    let trailers = Fields::new();
    for (name, value) in entries {
        let appended = trailers.append(name, value.as_bytes());
        appended.map_err(|_| broken("a field that cannot be sent"))?;
    }
    Ok(Some(trailers))
}

fn text() -> Fields {
    content_type(b"text/plain")
}

fn content_type_of(request: &Request) -> Fields {
    match request.get_headers().get("content-type").first() {
        Some(value) => content_type(value),
        None => Fields::new(),
    }
}

fn content_type(value: &[u8]) -> Fields {
    let fields = Fields::new();
    let _ = fields.append("content-type", value);
    fields
}

fn broken(reason: &str) -> ErrorCode {
    ErrorCode::InternalError(Some(reason.to_owned()))
}

struct Fnv1a(u64);

impl Default for Fnv1a {
    fn default() -> Self {
        Self(0xcbf2_9ce4_8422_2325)
    }
}

impl Fnv1a {
    fn add(&mut self, bytes: &[u8]) {
        for &byte in bytes {
            self.0 = (self.0 ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3);
        }
    }
}
