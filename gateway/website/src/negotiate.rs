//! What a client accepts: content codings and pages (RFC 9110 §12.5).

use http::{
    HeaderMap, HeaderName,
    header::{ACCEPT, ACCEPT_ENCODING},
};

use crate::table::Encoding;

/// How much a client wants each content coding; higher is better, 0 is never.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct AcceptedEncodings {
    br: Option<u16>,
    zstd: Option<u16>,
    gzip: Option<u16>,
    identity: Option<u16>,
    any: Option<u16>,
}

impl AcceptedEncodings {
    /// Without the field any coding would do (§12.5.3), but who does not speak of them cannot decode them.
    pub(crate) fn of(headers: &HeaderMap) -> Self {
        let mut accepted = Self::default();
        for (coding, quality) in members(headers, &ACCEPT_ENCODING) {
            let place = match coding {
                _ if coding.eq_ignore_ascii_case("br") => &mut accepted.br,
                _ if coding.eq_ignore_ascii_case("zstd") => &mut accepted.zstd,
                _ if coding.eq_ignore_ascii_case("gzip") => &mut accepted.gzip,
                // §8.4.1.3
                _ if coding.eq_ignore_ascii_case("x-gzip") => &mut accepted.gzip,
                _ if coding.eq_ignore_ascii_case("identity") => &mut accepted.identity,
                "*" => &mut accepted.any,
                _ => continue,
            };
            *place = Some(quality);
        }
        accepted
    }

    pub(crate) fn quality(&self, encoding: Encoding) -> u16 {
        let named = match encoding {
            Encoding::Br => self.br,
            Encoding::Zstd => self.zstd,
            Encoding::Gzip => self.gzip,
        };
        named.or(self.any).unwrap_or(0)
    }

    /// Unless it is named, the plain file is what is left when nothing better is accepted. It is so too when
    /// the client refuses it: a page that can be read helps more than a 406, and §12.5.3 allows it.
    pub(crate) fn identity(&self) -> u16 {
        self.identity.unwrap_or(0)
    }
}

/// Whether the client asks for a page by name. `*/*` is what scripts and tools send for anything.
pub(crate) fn accepts_html(headers: &HeaderMap) -> bool {
    members(headers, &ACCEPT)
        .any(|(range, quality)| quality > 0 && range.eq_ignore_ascii_case("text/html"))
}

/// The members of a list with their weights in thousandths; a member whose weight is no number is left out.
fn members<'h>(
    headers: &'h HeaderMap,
    field: &HeaderName,
) -> impl Iterator<Item = (&'h str, u16)> + use<'h> {
    let values = headers.get_all(field).into_iter().filter_map(|value| value.to_str().ok());
    values.flat_map(|value| value.split(',')).filter_map(|member| {
        let mut parts = member.split(';').map(str::trim);
        let name = parts.next()?;
        let weight = parts.find_map(|part| {
            let (key, value) = part.split_once('=')?;
            key.eq_ignore_ascii_case("q").then_some(value)
        });
        Some((name, weight.map_or(Some(MAX_QUALITY), quality)?))
    })
}

const MAX_QUALITY: u16 = 1000;

/// `qvalue` of §12.4.2: 0 to 1 with up to three decimals.
fn quality(text: &str) -> Option<u16> {
    let (whole, decimals) = text.split_once('.').unwrap_or((text, ""));
    if decimals.len() > 3 || !decimals.bytes().all(|b| b.is_ascii_digit()) {
        return None;
    }
    let thousandths = thousandths_of(decimals);
    match whole {
        "0" => Some(thousandths),
        "1" if thousandths == 0 => Some(MAX_QUALITY),
        _ => None,
    }
}

/// `5` is 500.
fn thousandths_of(decimals: &str) -> u16 {
    let digits = decimals.bytes().map(|b| u16::from(b - b'0')).chain(std::iter::repeat(0));
    digits.take(3).fold(0, |sum, digit| sum * 10 + digit)
}

#[cfg(test)]
mod tests {
    use http::HeaderValue;

    use super::*;

    fn headers(field: HeaderName, value: &str) -> HeaderMap {
        HeaderMap::from_iter([(field, HeaderValue::from_str(value).unwrap())])
    }

    #[test]
    fn weights_have_three_decimals() {
        for (text, expected) in [
            ("0", Some(0)),
            ("0.", Some(0)),
            ("0.5", Some(500)),
            ("0.001", Some(1)),
            ("1", Some(1000)),
            ("1.000", Some(1000)),
            ("1.001", None),
            ("2", None),
            ("0.0001", None),
            ("-1", None),
            ("", None),
            (".5", None),
        ] {
            assert_eq!(quality(text), expected, "{text}");
        }
    }

    #[test]
    fn codings_have_their_own_weight_or_that_of_the_star() {
        let of = |value| AcceptedEncodings::of(&headers(ACCEPT_ENCODING, value));
        let accepted = of("gzip;q=0.5, *;q=0.1, BR ; Q=0");
        assert_eq!(accepted.quality(Encoding::Gzip), 500);
        assert_eq!(accepted.quality(Encoding::Zstd), 100);
        assert_eq!(accepted.quality(Encoding::Br), 0);
        assert_eq!(accepted.identity(), 0);
        assert_eq!(of("x-gzip").quality(Encoding::Gzip), 1000);
        assert_eq!(of("gzip;q=x").quality(Encoding::Gzip), 0);
        assert_eq!(of(""), AcceptedEncodings::default());
    }

    #[test]
    fn only_text_html_by_name_asks_for_a_page() {
        let chrome = "text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8";
        for (value, expected) in [
            (chrome, true),
            ("Text/HTML;level=1;q=0.1", true),
            ("*/*", false),
            ("text/html;q=0", false),
            ("application/json", false),
            ("text/css,*/*;q=0.1", false),
        ] {
            assert_eq!(accepts_html(&headers(ACCEPT, value)), expected, "{value}");
        }
        assert!(!accepts_html(&HeaderMap::new()));
    }
}
