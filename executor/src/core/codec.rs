//! Lists of strings as Taubyte passes them, and the query of a URL as Go reads it.

use std::borrow::Cow;

use percent_encoding::percent_decode_str;

/// `[]string`: each string followed by a zero byte. A zero inside would split a string, so it is left out.
pub(super) fn strings<S: AsRef<[u8]>>(strings: impl IntoIterator<Item = S>) -> Vec<u8> {
    let mut bytes = Vec::new();
    for string in strings {
        bytes.extend(string.as_ref().iter().filter(|byte| **byte != 0));
        bytes.push(0);
    }
    bytes
}

/// What [`strings`] wrote. A last string without its zero byte counts, too.
pub(super) fn split(bytes: &[u8]) -> impl Iterator<Item = &[u8]> {
    let bytes = bytes.strip_suffix(b"\0").map_or(bytes, |rest| rest);
    let count = if bytes.is_empty() { 0 } else { usize::MAX };
    bytes.split(|byte| *byte == 0).take(count)
}

/// The pairs of a query, decoded. Like Go's `url.Query`, it drops pairs that hold `;` or a broken escape.
pub(super) fn query(query: &str) -> impl Iterator<Item = (Cow<'_, [u8]>, Cow<'_, [u8]>)> {
    query.split('&').filter(|pair| !pair.is_empty() && !pair.contains(';')).filter_map(|pair| {
        let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
        Some((unescape(name)?, unescape(value)?))
    })
}

fn unescape(text: &str) -> Option<Cow<'_, [u8]>> {
    if !text.contains(['%', '+']) {
        return Some(Cow::Borrowed(text.as_bytes()));
    }
    for (at, _) in text.match_indices('%') {
        let digits = text.as_bytes().get(at + 1..at + 3)?;
        if !digits.iter().all(u8::is_ascii_hexdigit) {
            return None;
        }
    }
    let spaced = text.replace('+', " ");
    Some(Cow::Owned(percent_decode_str(&spaced).collect()))
}

/// A field's name as Go writes it: `Content-Type`. Guests compare keys with that.
pub(super) fn canonical(name: &str) -> Vec<u8> {
    let mut upper = true;
    name.bytes()
        .map(|byte| {
            let shown = if upper { byte.to_ascii_uppercase() } else { byte };
            upper = byte == b'-';
            shown
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_query_is_read_like_go_reads_it() {
        let pairs: Vec<_> = query("a=1&b=x+y&c=%2f&bad=%zz&semi;colon=1&&d&e=a=b&cut=%2")
            .map(|(name, value)| {
                (
                    String::from_utf8_lossy(&name).into_owned(),
                    String::from_utf8_lossy(&value).into_owned(),
                )
            })
            .collect();
        let expected = [("a", "1"), ("b", "x y"), ("c", "/"), ("d", ""), ("e", "a=b")];
        assert_eq!(pairs, expected.map(|(name, value)| (name.to_owned(), value.to_owned())));
    }

    #[test]
    fn names_are_canonical() {
        assert_eq!(canonical("content-type"), b"Content-Type");
        assert_eq!(canonical("x--y"), b"X--Y");
    }

    #[test]
    fn strings_end_with_zero() {
        assert_eq!(strings(["a", "bc"]), b"a\0bc\0");
        assert_eq!(strings::<&str>([]), b"");
    }
}
