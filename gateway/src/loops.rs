//! Requests that came through nodes like this one, and how often: `CDN-Loop` (RFC 8586).
//!
//! A function may call a function, of this node or another. One that calls itself would go on until all
//! that its project may run waits for itself. So each call says through how many it came, the executor sees
//! to it that guests take nothing off, and who comes too often is refused.

use http::{HeaderMap, HeaderName, HeaderValue};

const CDN_LOOP: HeaderName = HeaderName::from_static("cdn-loop");

/// Every node says so: a loop through two operators' nodes is a loop.
const NAME: &str = "headgate";

/// Functions that call each other in a row. Designs have three or four; beyond that something turns in a circle.
pub(crate) const MOST_PASSES: usize = 10;

/// Through how many functions a request came. A client may say anything; it harms its own request only.
pub(crate) fn passes(request: &HeaderMap) -> usize {
    let mut passes = 0;
    for value in request.get_all(CDN_LOOP) {
        let entries = value.as_bytes().split(|byte| *byte == b',');
        // `pseudonym; parameter=value`
        passes += entries
            .filter_map(|entry| entry.split(|byte| *byte == b';').next())
            .filter(|name| name.trim_ascii().eq_ignore_ascii_case(NAME.as_bytes()))
            .count();
    }
    passes
}

/// Adds one to what a call came through before.
pub(crate) fn pass(call: &mut HeaderMap) {
    let value = match call.get(CDN_LOOP) {
        Some(before) => [before.as_bytes(), b", ", NAME.as_bytes()].concat(),
        None => NAME.as_bytes().to_vec(),
    };
    let value = HeaderValue::from_bytes(&value).expect("a field's value and letters are a value");
    call.insert(CDN_LOOP, value);
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(values: &[&'static str]) -> HeaderMap {
        values.iter().map(|value| (CDN_LOOP, HeaderValue::from_static(value))).collect()
    }

    #[test]
    fn each_pass_counts_once() {
        let mut call = HeaderMap::new();
        for already in 0..3 {
            assert_eq!(passes(&call), already);
            pass(&mut call);
        }
        assert_eq!(call[CDN_LOOP], "headgate, headgate, headgate");
    }

    #[test]
    fn others_are_kept_and_not_counted() {
        let mut call = of(&["cdn.example; x=\"1\", Headgate;y"]);
        pass(&mut call);
        assert_eq!(call[CDN_LOOP], "cdn.example; x=\"1\", Headgate;y, headgate");
        assert_eq!(passes(&call), 2);
        assert_eq!(passes(&of(&["headgate", "headgates,,headgate"])), 2);
    }
}
