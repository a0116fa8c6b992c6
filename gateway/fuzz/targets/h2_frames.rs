//! The HTTP/2 guard follows any bytes without a panic, and a verdict stays.
#![no_main]

use headgate_edge::{Limits, h2_guard::H2Guard};
use libfuzzer_sys::fuzz_target;
use tokio::time::Instant;

fuzz_target!(|pieces: Vec<&[u8]>| {
    let limits = Limits::default().h2;
    let now = Instant::now();
    let mut guard = H2Guard::new(&limits, now);
    let mut verdict = None;
    for piece in pieces {
        guard.sent(piece, &limits);
        let next = guard.received(piece, &limits, || now);
        assert!(verdict.is_none() || verdict == next);
        verdict = next;
    }
});
