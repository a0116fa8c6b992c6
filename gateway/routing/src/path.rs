//! `RequestPath`: the path a request asks for, safe to match against.

use std::{borrow::Cow, fmt};

use percent_encoding::percent_decode_str;

/// The path of a request target, without the query: absolute, dot segments resolved, escapes checked.
///
/// It is matched by its percent-decoded segments, yet `%2F` never becomes a separator: `/a%2Fb` has one
/// segment. Empty segments are kept, so `/a//b` is not `/a/b`. A path without `%` and `/.` is borrowed
/// and costs no allocation.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RequestPath<'a> {
    text: Cow<'a, str>,
    /// The decoded path, if it differs from `text`; [`ENCODED_SLASH`] stands for each `%2F`.
    decoded: Option<String>,
}

impl<'a> RequestPath<'a> {
    /// Dot segments are resolved as in RFC 3986 §5.2.4, also when they are written `%2e`.
    ///
    /// # Errors
    /// A path that leaves the root, that is not absolute (`*` and authorities are not paths), or whose
    /// escapes are broken or do not decode to UTF-8; the answer to all of these is 400.
    pub fn parse(text: &'a str) -> Result<Self, BadPath> {
        if !text.starts_with('/') {
            return Err(BadPath::NotAbsolute);
        }
        if text.bytes().any(|b| b == 0) {
            return Err(BadPath::Nul);
        }
        let escaped = text.contains('%');
        if !escaped && !text.contains("/.") {
            return Ok(Self { text: Cow::Borrowed(text), decoded: None });
        }
        let text = resolve_dots(text)?;
        let decoded = if escaped { Some(decode(&text)?) } else { None };
        Ok(Self { text, decoded })
    }

    /// The resolved path, percent-encoded as it was received.
    pub fn as_str(&self) -> &str {
        &self.text
    }

    /// Whether [`Self::decoded`] is another text.
    pub(crate) fn is_escaped(&self) -> bool {
        self.decoded.is_some()
    }

    /// What is matched: decoded, with the same number of segments as [`Self::as_str`].
    pub(crate) fn decoded(&self) -> &str {
        self.decoded.as_deref().unwrap_or(&self.text)
    }
}

/// Stands in a decoded path for a slash that separates nothing. No other NUL gets in, on either side.
const ENCODED_SLASH: char = '\0';

fn resolve_dots(text: &str) -> Result<Cow<'_, str>, BadPath> {
    if !text.split('/').any(|segment| dots(segment) > 0) {
        return Ok(Cow::Borrowed(text));
    }
    let mut resolved = String::with_capacity(text.len());
    let mut open = false;
    for segment in text[1..].split('/') {
        let dots = dots(segment);
        if dots == 2 {
            let parent = resolved.rfind('/').ok_or(BadPath::AboveRoot)?;
            resolved.truncate(parent);
        } else if dots == 0 {
            resolved.push('/');
            resolved.push_str(segment);
        }
        open = dots > 0;
    }
    // `/a/.` and `/a/b/..` are the folder `/a/`.
    if open {
        resolved.push('/');
    }
    Ok(Cow::Owned(resolved))
}

/// 1 for `.`, 2 for `..`, each dot escaped or not; 0 for any other segment.
fn dots(segment: &str) -> usize {
    let mut rest = segment.as_bytes();
    let mut dots = 0;
    while !rest.is_empty() && dots < 3 {
        rest = match rest {
            [b'.', rest @ ..] | [b'%', b'2', b'e' | b'E', rest @ ..] => rest,
            _ => return 0,
        };
        dots += 1;
    }
    if rest.is_empty() && dots < 3 { dots } else { 0 }
}

fn decode(text: &str) -> Result<String, BadPath> {
    let mut decoded = Vec::with_capacity(text.len());
    let mut bytes = text.bytes();
    while let Some(byte) = bytes.next() {
        decoded.push(match byte {
            b'%' => {
                let digit = |b: Option<u8>| b.and_then(|b| char::from(b).to_digit(16));
                let (high, low) = (digit(bytes.next()), digit(bytes.next()));
                match high.zip(low).map(|(high, low)| (high << 4 | low) as u8) {
                    Some(b'/') => ENCODED_SLASH as u8,
                    Some(0) => return Err(BadPath::Nul),
                    Some(byte) => byte,
                    None => return Err(BadPath::Escape),
                }
            }
            byte => byte,
        });
    }
    String::from_utf8(decoded).map_err(|_| BadPath::Utf8)
}

/// A part of [`RequestPath::as_str`], decoded; `%2F` becomes a slash here, as it is a value now.
pub(crate) fn decode_value(part: &str) -> Cow<'_, str> {
    percent_decode_str(part).decode_utf8_lossy()
}

#[derive(Debug, Clone, Copy, thiserror::Error, PartialEq, Eq)]
pub enum BadPath {
    #[error("the path does not begin with `/`")]
    NotAbsolute,
    #[error("the path leaves the root")]
    AboveRoot,
    #[error("the path has a `%` without two hex digits")]
    Escape,
    #[error("the path does not decode to UTF-8")]
    Utf8,
    #[error("the path has a NUL")]
    Nul,
}

impl fmt::Display for RequestPath<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn dot_segments_are_resolved_and_empty_ones_kept() {
        for (text, path) in [
            ("/", "/"),
            ("/a/b", "/a/b"),
            ("/a//b/", "/a//b/"),
            ("/a/./b", "/a/b"),
            ("/a/../b", "/b"),
            ("/a/b/..", "/a/"),
            ("/a/.", "/a/"),
            ("/.", "/"),
            ("/a/..", "/"),
            ("/a/%2e%2E/b", "/b"),
            ("/a/.%2e/b", "/b"),
            ("/a/%2e/b", "/a/b"),
            ("/a//../b", "/a/b"),
            ("/.well-known/x", "/.well-known/x"),
            ("/a/...", "/a/..."),
            ("/a/..b", "/a/..b"),
            ("/a%2F..", "/a%2F.."),
            ("/%41", "/%41"),
        ] {
            assert_eq!(RequestPath::parse(text).unwrap().as_str(), path, "{text}");
        }
    }

    #[test]
    fn matching_sees_decoded_segments_and_no_new_slash() {
        for (text, decoded) in [
            ("/caf%C3%A9", "/café"),
            ("/a%2fb/c", "/a\0b/c"),
            ("/a%252Fb", "/a%2Fb"),
            ("/%2e%2e%2e", "/..."),
        ] {
            assert_eq!(RequestPath::parse(text).unwrap().decoded(), decoded, "{text}");
        }
    }

    #[test]
    fn a_plain_path_is_borrowed() {
        let path = RequestPath::parse("/a/b.html").unwrap();
        assert!(matches!(path, RequestPath { text: Cow::Borrowed(_), decoded: None }));
    }

    #[test]
    fn what_is_no_path_says_why() {
        for (text, error) in [
            ("", BadPath::NotAbsolute),
            ("*", BadPath::NotAbsolute),
            ("example.com:443", BadPath::NotAbsolute),
            ("/..", BadPath::AboveRoot),
            ("/a/../../b", BadPath::AboveRoot),
            ("/%2e%2e/etc", BadPath::AboveRoot),
            ("/a%", BadPath::Escape),
            ("/a%4", BadPath::Escape),
            ("/a%zz", BadPath::Escape),
            ("/a%4é", BadPath::Escape),
            ("/a%00", BadPath::Nul),
            ("/a\0", BadPath::Nul),
            ("/%ff", BadPath::Utf8),
            ("/%C3/%A9", BadPath::Utf8),
        ] {
            assert_eq!(RequestPath::parse(text), Err(error), "{text:?}");
        }
    }
}
