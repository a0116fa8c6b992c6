//! Contract: one export over Taubyte's ABI, written with Taubyte's own crate.
//!
//! - `relay` posts this request's body to the query value `url`, with the header `x-from: relay`, and answers 200 with
//!   the answer: its header `content-length`, a newline, its body.
//!
//! A host call that fails is answered 502 with its error.

use std::error::Error;
use std::io::Read;

use taubyte_sdk::{event::Event, http::Client};

#[unsafe(no_mangle)]
pub extern "C" fn relay(event: u32) -> u32 {
    let Ok(event) = (Event { event }).http() else { return 1 };
    let mut body = Vec::new();
    let relayed = event
        .body()
        .read_to_end(&mut body)
        .map_err(Into::into)
        .and_then(|_| post(&event.queries().get("url").unwrap_or_default(), &body));
    let (code, text) = match relayed {
        Ok(text) => (200, text),
        Err(error) => (502, error.to_string()),
    };
    let _ = event.write(text.as_bytes());
    let _ = event.return_code(code);
    0
}

fn post(url: &str, body: &[u8]) -> Result<String, Box<dyn Error>> {
    let request =
        http::Request::builder().method("POST").uri(url).header("x-from", "relay").body(body)?;
    let mut response = Client::new()?.send(request)?;
    let length = response.headers().get("content-length")?.join(",");
    let mut text = String::new();
    response.read_to_string(&mut text)?;
    Ok(format!("{length}\n{text}"))
}
