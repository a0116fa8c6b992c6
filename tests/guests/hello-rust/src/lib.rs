//! Contract: whatever the request, 200 `text/plain` with the 13 bytes "Hello, world!".
//!
//! Benches measure the executor with this guest, so it makes as few host calls as an answer needs
//! and never looks at the request.

use wasip2::exports::http::incoming_handler::Guest;
use wasip2::http::types::{
    Fields, IncomingRequest, OutgoingBody, OutgoingResponse, ResponseOutparam,
};

const GREETING: &[u8] = b"Hello, world!";

struct Hello;

wasip2::http::proxy::export!(Hello);

impl Guest for Hello {
    fn handle(request: IncomingRequest, responder: ResponseOutparam) {
        // The instance ends with this call, and its resources with it: dropping would be a host call more.
        core::mem::forget(request);

        let headers = Fields::new();
        let _ = headers.append("content-type", b"text/plain");
        let response = OutgoingResponse::new(headers);
        let Ok(body) = response.body() else { return };
        ResponseOutparam::set(responder, Ok(response));

        let Ok(stream) = body.write() else { return };
        // A fresh stream always takes this much; asking it first is what its contract demands.
        if matches!(stream.check_write(), Ok(room) if room >= GREETING.len() as u64) {
            let _ = stream.write(GREETING);
        }
        drop(stream);
        let _ = OutgoingBody::finish(body, None);
    }
}
