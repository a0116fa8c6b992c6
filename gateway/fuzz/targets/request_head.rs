//! A request head gives the same verdict however its bytes arrive, and never a panic.
#![no_main]

use headgate_edge::{Found, HeadScan, Limits};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|input: (u8, &[u8])| {
    let (step, bytes) = input;
    let limits = Limits::default();
    let whole = HeadScan::default().scan(bytes, &limits);
    let mut scan = HeadScan::default();
    let step = usize::from(step).max(1);
    let mut pieces = Found::More;
    for end in (step..bytes.len()).step_by(step).chain([bytes.len()]) {
        pieces = scan.scan(&bytes[..end], &limits);
        if pieces != Found::More {
            break;
        }
    }
    match (whole, pieces) {
        // Which of several mistakes is seen first may depend on what has arrived.
        (Found::Reject(_), Found::Reject(_)) => {}
        (whole, pieces) => assert_eq!(whole, pieces),
    }
    if let Found::Head(head) = whole {
        assert!(head.end <= bytes.len());
    }
});
