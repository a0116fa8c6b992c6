//! `ByteRange`: the `Range` field (RFC 9110 §14).

use std::ops::Range;

use http::HeaderMap;

/// What a client asked for, before anyone knows the size.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum ByteRange {
    /// `a-b`, both included, or `a-`, which is up to the largest number.
    From(u64, u64),
    /// `-n`: the last bytes.
    Last(u64),
}

impl ByteRange {
    /// One range of bytes. `None` for a field that is to be ignored: absent, malformed, of another unit, or with
    /// several ranges, for which a server may send the whole (§14.2) and which are used for attacks mostly.
    pub(crate) fn of(headers: &HeaderMap) -> Option<Self> {
        let mut fields = headers.get_all(http::header::RANGE).iter();
        let (field, None) = (fields.next()?, fields.next()) else { return None };
        let (unit, set) = field.to_str().ok()?.split_once('=')?;
        if !unit.trim().eq_ignore_ascii_case("bytes") {
            return None;
        }
        let mut specs = set.split(',').map(str::trim).filter(|spec| !spec.is_empty());
        let (spec, None) = (specs.next()?, specs.next()) else { return None };
        match spec.split_once('-')? {
            ("", last) => Some(Self::Last(number(last)?)),
            (first, "") => Some(Self::From(number(first)?, u64::MAX)),
            (first, last) => {
                let (first, last) = (number(first)?, number(last)?);
                (first <= last).then_some(Self::From(first, last))
            }
        }
    }

    /// The bytes of a representation of `size` bytes, never none; `None` if it has none of them (416).
    pub(crate) fn within(self, size: u64) -> Option<Range<u64>> {
        let range = match self {
            Self::From(first, last) => first..last.saturating_add(1).min(size),
            Self::Last(count) => size.saturating_sub(count)..size,
        };
        (range.start < range.end).then_some(range)
    }
}

/// A number too large for us is larger than any file.
fn number(digits: &str) -> Option<u64> {
    match !digits.is_empty() && digits.bytes().all(|b| b.is_ascii_digit()) {
        true => Some(digits.parse().unwrap_or(u64::MAX)),
        false => None,
    }
}

#[cfg(test)]
mod tests {
    use http::{HeaderValue, header::RANGE};
    use proptest::prelude::*;

    use super::*;

    fn range(field: &str) -> Option<ByteRange> {
        let field = HeaderValue::from_str(field).unwrap();
        ByteRange::of(&HeaderMap::from_iter([(RANGE, field)]))
    }

    #[test]
    fn one_range_is_understood() {
        for (field, expected) in [
            ("bytes=0-9", ByteRange::From(0, 9)),
            ("bytes=5-", ByteRange::From(5, u64::MAX)),
            ("bytes=-5", ByteRange::Last(5)),
            ("Bytes= 3-4 ,", ByteRange::From(3, 4)),
            ("bytes=7-7", ByteRange::From(7, 7)),
            ("bytes=0-99999999999999999999999", ByteRange::From(0, u64::MAX)),
        ] {
            assert_eq!(range(field), Some(expected), "{field}");
        }
    }

    #[test]
    fn what_is_no_single_range_is_ignored() {
        for field in [
            "",
            "bytes",
            "bytes=",
            "bytes=-",
            "bytes=a-b",
            "bytes=1",
            "bytes=2-1",
            "items=0-1",
            "bytes=0-1,3-4",
            "bytes=+1-2",
            "bytes=1-+2",
            "bytes=1--2",
            "bytes=0x0-1",
            "bytes==0-1",
        ] {
            assert_eq!(range(field), None, "{field}");
        }
        let mut headers = HeaderMap::new();
        headers.append(RANGE, HeaderValue::from_static("bytes=0-1"));
        headers.append(RANGE, HeaderValue::from_static("bytes=2-3"));
        assert_eq!(ByteRange::of(&headers), None, "two fields are two ranges");
    }

    #[test]
    fn a_range_is_cut_to_the_size() {
        for (range, size, expected) in [
            (ByteRange::From(0, 9), 100, Some(0..10)),
            (ByteRange::From(0, 99), 100, Some(0..100)),
            (ByteRange::From(90, 200), 100, Some(90..100)),
            (ByteRange::From(99, u64::MAX), 100, Some(99..100)),
            (ByteRange::From(100, u64::MAX), 100, None),
            (ByteRange::Last(10), 100, Some(90..100)),
            (ByteRange::Last(200), 100, Some(0..100)),
            (ByteRange::Last(0), 100, None),
            (ByteRange::From(0, 0), 0, None),
            (ByteRange::Last(1), 0, None),
        ] {
            assert_eq!(range.within(size), expected, "{range:?} of {size}");
        }
    }

    proptest! {
        #![proptest_config(ProptestConfig { failure_persistence: None, ..Default::default() })]

        #[test]
        fn any_field_gives_a_range_within_the_size(
            field in "(bytes)?=?[-0-9, ]{0,24}|[ -~]{0,40}",
            size in prop_oneof![0..100_u64, any::<u64>()],
        ) {
            if let Some(range) = range(&field).and_then(|range| range.within(size)) {
                prop_assert!(range.start < range.end && range.end <= size);
            }
        }
    }
}
