//! Entity tags and the conditions that name them (RFC 9110 §8.8.3, §13).

use headgate_types::Digest;
use http::{HeaderMap, HeaderName, HeaderValue};

/// The strong `ETag` of a representation: the first half of its digest. 128 bits keep two of them apart.
pub(crate) fn entity_tag(digest: &Digest) -> HeaderValue {
    let text = format!("\"{}\"", &digest.to_string()[..TAG_LENGTH]);
    HeaderValue::try_from(text).expect("quotes and hex digits are visible ASCII")
}

const TAG_LENGTH: usize = 32;

/// How tags are compared; ours are all strong, so only the client's can be weak (§8.8.3.2).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Comparison {
    Strong,
    Weak,
}

/// Whether a field with a list of tags names `tag`; `*` names every one. `None` if there is no such field.
pub(crate) fn names(
    headers: &HeaderMap,
    field: &HeaderName,
    tag: &HeaderValue,
    comparison: Comparison,
) -> Option<bool> {
    let mut values = headers.get_all(field).iter().peekable();
    values.peek()?;
    Some(values.any(|value| list_names(value.as_bytes(), tag.as_bytes(), comparison)))
}

/// `If-Range` (§13.1.5): one tag, compared strongly. A date is never right, as nothing here has one.
pub(crate) fn if_range(field: &HeaderValue, tag: &HeaderValue) -> bool {
    field.as_bytes().trim_ascii() == tag.as_bytes()
}

/// Reads a list as far as it is well-formed. A comma may stand within a tag, so it is not split at commas.
fn list_names(list: &[u8], tag: &[u8], comparison: Comparison) -> bool {
    let mut rest = list.trim_ascii();
    if rest == b"*" {
        return true;
    }
    loop {
        rest = trim_separators(rest);
        let weak = rest.strip_prefix(b"W/");
        let quoted = weak.unwrap_or(rest);
        let Some(inner) = quoted.strip_prefix(b"\"") else { return false };
        let Some(end) = inner.iter().position(|b| *b == b'"') else { return false };
        let (candidate, after) = quoted.split_at(end + 2);
        if candidate == tag && (weak.is_none() || comparison == Comparison::Weak) {
            return true;
        }
        rest = after;
    }
}

fn trim_separators(list: &[u8]) -> &[u8] {
    let start = list.iter().position(|b| !matches!(b, b' ' | b'\t' | b','));
    &list[start.unwrap_or(list.len())..]
}

#[cfg(test)]
mod tests {
    use http::header::IF_NONE_MATCH;

    use super::*;

    #[test]
    fn a_tag_is_half_a_digest_in_quotes() {
        let tag = entity_tag(&Digest::from_bytes([0xab; 32]));
        assert_eq!(tag, format!("\"{}\"", "ab".repeat(16)));
    }

    #[test]
    fn lists_are_read_tag_by_tag() {
        use Comparison::{Strong, Weak};
        for (list, comparison, expected) in [
            ("\"x\"", Strong, true),
            ("W/\"x\"", Weak, true),
            ("W/\"x\"", Strong, false),
            ("\"a\", \"x\"", Strong, true),
            ("\"a\",W/\"b\" ,, \"x\"", Strong, true),
            ("\"a,\"x\"", Weak, false),
            ("\"a, b\", \"x\"", Weak, true),
            (" * ", Strong, true),
            ("\"*\"", Weak, false),
            ("x", Weak, false),
            ("\"x", Weak, false),
            ("w/\"x\"", Weak, false),
            ("\"xx\"", Weak, false),
            ("", Weak, false),
        ] {
            let names = list_names(list.as_bytes(), b"\"x\"", comparison);
            assert_eq!(names, expected, "{list} {comparison:?}");
        }
    }

    #[test]
    fn an_absent_field_is_not_an_empty_one() {
        let tag = HeaderValue::from_static("\"x\"");
        let mut headers = HeaderMap::new();
        let named = |headers: &HeaderMap| names(headers, &IF_NONE_MATCH, &tag, Comparison::Weak);
        assert_eq!(named(&headers), None);
        headers.append(IF_NONE_MATCH, HeaderValue::from_static("\"a\""));
        assert_eq!(named(&headers), Some(false));
        headers.append(IF_NONE_MATCH, HeaderValue::from_static("\"x\""));
        assert_eq!(named(&headers), Some(true));
    }
}
