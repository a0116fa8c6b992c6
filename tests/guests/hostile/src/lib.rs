//! Contract: one behaviour for each way in which a component may misbehave, by the path's last segment.
//!
//! | segment           | what it does                                              | expected                   |
//! |-------------------|-----------------------------------------------------------|----------------------------|
//! | `loop`            | loops for ever                                            | 504 at the deadline        |
//! | `memory`          | allocates and touches until refused, then traps           | 502                        |
//! | `stack`           | calls itself until the stack ends                         | 502                        |
//! | `never`           | sleeps an hour before it would answer                     | 504 at the deadline        |
//! | `trap`            | `unreachable`                                             | 502                        |
//! | `no-response`     | returns without having answered                           | 502                        |
//! | `partial`         | 200, content-length 1000, ten bytes, then traps           | a broken connection        |
//! | `partial-chunked` | 200, three chunks without a content-length, then traps    | a broken connection        |
//! | `flood`           | 200 and a body without end                                | cut at the deadline        |
//! | `slow-body`       | 200 and one byte a second, for ever                       | cut at the deadline        |
//! | `log`             | writes 100 MB to stdout, then 200                         | the log is capped          |
//! | `headers`         | a response with 10,000 headers of 100 bytes; 500 and the  | a status, no such response |
//! |                   | count if the host refuses to take one                     |                            |
//! | `files`           | 200, "N preopened directories"                            | N is 0                     |
//! | `ok`              | 200 "ok"                                                  | 200, before and after all this |
//! | anything else     | 404                                                       | 404                        |

use std::hint::black_box;
use std::io::{self, Write};

use wasip2::cli::stdout;
use wasip2::clocks::monotonic_clock;
use wasip2::exports::http::incoming_handler::Guest;
use wasip2::filesystem::preopens;
use wasip2::http::types::{
    Fields, IncomingRequest, OutgoingBody, OutgoingResponse, ResponseOutparam,
};

const SECOND: u64 = 1_000_000_000; // nanoseconds
const MEBIBYTE: usize = 1 << 20;

struct Hostile;

wasip2::http::proxy::export!(Hostile);

impl Guest for Hostile {
    fn handle(request: IncomingRequest, responder: ResponseOutparam) {
        let target = request.path_with_query().unwrap_or_default();
        let path = target.split('?').next().unwrap_or_default();
        match path.rsplit('/').next().unwrap_or_default() {
            "loop" => endless(),
            "memory" => all_memory(),
            "stack" => {
                deeper(0);
            }
            "never" => {
                sleep(3600);
                text(responder, 200, "late");
            }
            "trap" => trap(),
            "no-response" => drop(responder),
            "partial" => partial(responder),
            "partial-chunked" => partial_chunked(responder),
            "flood" => flood(responder),
            "slow-body" => slow_body(responder),
            "log" => log(responder),
            "headers" => headers(responder),
            "files" => files(responder),
            "ok" => text(responder, 200, "ok"),
            _ => text(responder, 404, "not found"),
        }
    }
}

fn endless() {
    loop {
        black_box(());
    }
}

fn all_memory() {
    let mut held = Vec::new();
    loop {
        let mut chunk = Vec::new();
        if chunk.try_reserve_exact(MEBIBYTE).is_err() {
            trap();
        }
        chunk.resize(MEBIBYTE, 1_u8);
        held.push(black_box(chunk));
    }
}

#[expect(unconditional_recursion, reason = "this is what it is for")]
#[inline(never)]
fn deeper(depth: u64) -> u64 {
    black_box(deeper(black_box(depth + 1))) ^ depth
}

fn partial(responder: ResponseOutparam) {
    let fields = Fields::new();
    let _ = fields.append("content-length", b"1000");
    respond(responder, 200, fields, |sink| {
        sink.write_all(b"ten bytes.")?;
        sink.flush()?;
        trap()
    });
}

fn partial_chunked(responder: ResponseOutparam) {
    respond(responder, 200, Fields::new(), |sink| {
        for chunk in ["one\n", "two\n", "three\n"] {
            sink.write_all(chunk.as_bytes())?;
            sink.flush()?;
        }
        trap()
    });
}

fn flood(responder: ResponseOutparam) {
    let chunk = vec![b'x'; 64 * 1024];
    respond(responder, 200, Fields::new(), |sink| {
        loop {
            sink.write_all(&chunk)?;
        }
    });
}

fn slow_body(responder: ResponseOutparam) {
    respond(responder, 200, Fields::new(), |sink| {
        loop {
            sink.write_all(b"x")?;
            sink.flush()?;
            sleep(1);
        }
    });
}

fn log(responder: ResponseOutparam) {
    let line = [[b'x'; 99].as_slice(), b"\n"].concat();
    let mut stdout = stdout::get_stdout();
    for _ in 0..1_000_000 {
        if Write::write_all(&mut stdout, &line).is_err() {
            return text(responder, 500, "the log is closed");
        }
    }
    text(responder, 200, "written");
}

fn headers(responder: ResponseOutparam) {
    let fields = Fields::new();
    for count in 0..10_000 {
        let name = format!("x-hostile-{count:05}");
        if fields.append(&name, &[b'x'; 85]).is_err() {
            return text(responder, 500, &format!("refused after {count} headers"));
        }
    }
    respond(responder, 200, fields, |_| Ok(()));
}

fn files(responder: ResponseOutparam) {
    let count = preopens::get_directories().len();
    text(responder, 200, &format!("{count} preopened directories"));
}

fn sleep(seconds: u64) {
    monotonic_clock::subscribe_duration(seconds * SECOND).block();
}

fn trap() -> ! {
    core::arch::wasm32::unreachable()
}

fn text(responder: ResponseOutparam, status: u16, text: &str) {
    let fields = Fields::new();
    let _ = fields.append("content-type", b"text/plain");
    respond(responder, status, fields, |sink| sink.write_all(text.as_bytes()));
}

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
