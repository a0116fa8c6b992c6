//! Request ids and W3C `traceparent`: every request can be found in every log it touched.

use std::sync::atomic::{AtomicU64, Ordering};

use headgate_types::RequestId;
use http::HeaderName;
use pingora_core::protocols::http::ServerSession;
use rand::Rng;

use super::RequestContext;

/// Carried back to the client, so that a person can quote it.
pub(super) const REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");
pub(super) const TRACEPARENT: HeaderName = HeaderName::from_static("traceparent");

/// Makes request ids that no other node and no other run makes: a random half, and a counter that is
/// scrambled so that neighbours look nothing alike. One atomic addition a request.
#[derive(Debug)]
pub struct RequestIds {
    prefix: [u8; 8],
    counter: AtomicU64,
}

impl RequestIds {
    pub fn new(rng: &mut impl Rng) -> Self {
        let mut prefix: [u8; 8] = rng.random();
        prefix[0] |= 1; // an all-zero trace id would be invalid
        Self { prefix, counter: AtomicU64::new(rng.random()) }
    }

    /// An id for a request and one for its span, which is never all zero.
    pub(super) fn next(&self) -> (RequestId, [u8; 8]) {
        let scrambled = splitmix(self.counter.fetch_add(1, Ordering::Relaxed));
        let mut id = [0; 16];
        id[..8].copy_from_slice(&self.prefix);
        id[8..].copy_from_slice(&scrambled.to_be_bytes());
        (RequestId::from_bytes(id), (splitmix(scrambled) | 1).to_be_bytes())
    }
}

/// The finaliser of SplitMix64, a bijection: distinct counters stay distinct.
fn splitmix(value: u64) -> u64 {
    let mut z = value.wrapping_add(0x9e37_79b9_7f4a_7c15);
    z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    z ^ (z >> 31)
}

/// Continues the caller's trace if it sent a valid `traceparent` (W3C Trace Context §3.2), so that the
/// request id is the caller's trace id; else begins one.
pub(super) fn begin(session: &ServerSession, ctx: &mut RequestContext<'_>) {
    let field = session.req_header().headers.get(TRACEPARENT);
    if let Some(id) = field.and_then(|value| parse_trace_id(value.as_bytes())) {
        ctx.id = RequestId::from_bytes(id);
    }
}

/// `00-<32 hex>-<16 hex>-<2 hex>`; later versions may append, version `ff` is invalid.
fn parse_trace_id(field: &[u8]) -> Option<[u8; 16]> {
    if field.len() < 55 {
        return None;
    }
    let shape = field[2] == b'-' && field[35] == b'-' && field[52] == b'-';
    let version: [u8; 1] = hex(field.get(..2)?)?;
    let fits = match version[0] {
        0 => field.len() == 55,
        0xff => false,
        _ => field.len() == 55 || field[55] == b'-',
    };
    if !(shape && fits) {
        return None;
    }
    let id: [u8; 16] = hex(&field[3..35])?;
    let parent: [u8; 8] = hex(&field[36..52])?;
    let _flags: [u8; 1] = hex(&field[53..55])?;
    (id != [0; 16] && parent != [0; 8]).then_some(id)
}

/// Lower-case only, as the specification demands.
fn hex<const N: usize>(digits: &[u8]) -> Option<[u8; N]> {
    let value = |digit: u8| match digit {
        b'0'..=b'9' => Some(digit - b'0'),
        b'a'..=b'f' => Some(digit - b'a' + 10),
        _ => None,
    };
    let mut bytes = [0; N];
    if digits.len() != 2 * N {
        return None;
    }
    for (byte, pair) in bytes.iter_mut().zip(digits.chunks_exact(2)) {
        *byte = value(pair[0])? << 4 | value(pair[1])?;
    }
    Some(bytes)
}

/// What the guest, or an upstream, is handed as its parent.
pub(super) fn traceparent(id: RequestId, span: [u8; 8]) -> [u8; 55] {
    let mut field = *b"00-00000000000000000000000000000000-0000000000000000-01";
    field[3..35].copy_from_slice(&id.to_hex());
    // Half of an id's digits are those of a span.
    let mut half = [0; 16];
    half[..8].copy_from_slice(&span);
    field[36..52].copy_from_slice(&RequestId::from_bytes(half).to_hex()[..16]);
    field
}

#[cfg(test)]
mod tests {
    use rand::{SeedableRng, rngs::StdRng};

    use super::*;

    #[test]
    fn ids_of_one_run_differ() {
        let ids = RequestIds::new(&mut StdRng::seed_from_u64(1));
        let made: std::collections::HashSet<_> = (0..10_000).map(|_| ids.next().0).collect();
        assert_eq!(made.len(), 10_000);
    }

    #[test]
    fn what_is_handed_on_is_a_valid_traceparent() {
        let field = traceparent(RequestId::from_bytes([0xab; 16]), [0x0c; 8]);
        assert_eq!(parse_trace_id(&field), Some([0xab; 16]));
        assert!(field.ends_with(b"-0c0c0c0c0c0c0c0c-01"));
    }

    #[test]
    fn only_a_valid_traceparent_is_continued() {
        let valid = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";
        assert!(parse_trace_id(valid.as_bytes()).is_some());
        assert!(parse_trace_id(format!("01{}-more", &valid[2..]).as_bytes()).is_some());
        for bad in [
            "",
            "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7",
            "00-4BF92F3577B34DA6A3CE929D0E0E4736-00f067aa0ba902b7-01",
            "00-00000000000000000000000000000000-00f067aa0ba902b7-01",
            "00-4bf92f3577b34da6a3ce929d0e0e4736-0000000000000000-01",
            "ff-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01",
            "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01-x",
            "01",
            "01-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-0",
        ] {
            assert_eq!(parse_trace_id(bad.as_bytes()), None, "{bad}");
        }
    }
}
