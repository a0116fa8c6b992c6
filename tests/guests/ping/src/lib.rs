//! Contract: two exports over Taubyte's ABI, written with Taubyte's own crate.
//!
//! - `ping` answers 200 "PONG".
//! - `echo` answers 200 `text/plain` with one line each for the method, the path, the query value
//!   `id` and the request header `x-test` (both empty when absent), then an empty line and the body.
//!
//! A host call that fails is answered 500 with its error.

use std::io::Read;

use taubyte_sdk::{event::Event, http};

type Outcome = Result<(), Box<dyn std::error::Error>>;

#[unsafe(no_mangle)]
pub extern "C" fn ping(event: u32) -> u32 {
    answer(event, |http| {
        http.write(b"PONG")?;
        http.return_code(200)
    })
}

#[unsafe(no_mangle)]
pub extern "C" fn echo(event: u32) -> u32 {
    answer(event, |http| {
        let method = http.method()?;
        let path = http.path()?;
        let id = http.queries().get("id").unwrap_or_default();
        let test = http.headers().get("x-test").unwrap_or_default();
        let mut body = Vec::new();
        http.body().read_to_end(&mut body)?;

        http.headers().set("content-type", "text/plain")?;
        http.write(format!("{method}\n{path}\n{id}\n{test}\n\n").as_bytes())?;
        http.write(&body)?;
        http.return_code(200)
    })
}

/// Runs a handler; its error becomes the response. The result is 0 if all was well.
fn answer(event: u32, handler: fn(http::Event) -> Outcome) -> u32 {
    let Ok(http) = (Event { event }).http() else { return 1 };
    let Err(error) = handler(http) else { return 0 };
    let _ = http.write(error.to_string().as_bytes());
    let _ = http.return_code(500);
    1
}
