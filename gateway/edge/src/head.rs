//! `HeadScan`: finds the end of an HTTP/1 request head and refuses what two parsers could read
//! differently.
//!
//! It works in one pass over the lines as they come, remembers where it stopped, and gives the same
//! verdict however the bytes were split. Pure: bytes and limits in, verdict out.
//!
//! pingora 0.9 parses the same bytes afterwards (httparse, then `validate_request`) and answers 400
//! to an invalid field name, whitespace before a colon, a bare CR, NUL or another control character
//! in a field, a differing authority and userinfo. What it lets pass is checked here:
//!
//! | what | pingora alone | here |
//! |---|---|---|
//! | `Content-Length` beside `Transfer-Encoding` | drops the length | 400 |
//! | `Content-Length` twice, or a list | one value if equal | 400 |
//! | `Transfer-Encoding: gzip, chunked`, or twice | passes | 501, 400 |
//! | no `Host` in HTTP/1.1 | passes | 400 |
//! | a line that ends in a bare LF | passes | 400 |
//! | spaces or control characters in the request target | escapes them and goes on | 400 |
//! | more than 256 fields, 1 MiB | 400 or nothing | 431 at our limits |
//!
//! obs-fold is refused here too, because it is one comparison and decides which lines are fields.

use memchr::memchr;

use crate::{limits::Limits, refusal::Refusal};

/// Around the target a request line holds a method and a version; no registered method has more
/// than 17 letters.
const AROUND_TARGET: usize = 64;

/// Bytes of empty lines before a request line that are forgiven (RFC 9112 §2.2 asks for one line).
const LEADING_EMPTY: usize = 16;

/// What the bytes so far amount to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Found {
    /// The head has not ended.
    More,
    Head(Head),
    Reject(Refusal),
}

/// A whole head.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Head {
    /// Where it ends: the index after its empty line.
    pub end: usize,
    pub body: Body,
    /// What follows the head may not be HTTP (`CONNECT`, `Upgrade`).
    pub tunnel: bool,
}

/// What the head says about a body. It decides what is shown to pingora when, never where a body
/// ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Body {
    None,
    /// Never zero.
    Length(u64),
    Chunked,
}

/// An incremental scan of one head.
#[derive(Debug, Clone, Default)]
pub struct HeadScan {
    /// Up to here there is no line end that was not looked at.
    at: usize,
    /// Where the line under way begins.
    line: usize,
    version: Option<Version>,
    fields: usize,
    hosts: usize,
    length: Option<u64>,
    chunked: bool,
    tunnel: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Version {
    Http10,
    Http11,
}

impl HeadScan {
    /// Goes on with `bytes`, which begin where they always began and may have grown. To be called
    /// until the first verdict other than [`Found::More`].
    pub fn scan(&mut self, bytes: &[u8], limits: &Limits) -> Found {
        match self.lines(bytes, limits) {
            Ok(Some(head)) => Found::Head(head),
            Ok(None) => Found::More,
            Err(refusal) => Found::Reject(refusal),
        }
    }

    fn lines(&mut self, bytes: &[u8], limits: &Limits) -> Result<Option<Head>, Refusal> {
        self.check_first_byte(bytes)?;
        while let Some(offset) = memchr(b'\n', &bytes[self.at..]) {
            let feed = self.at + offset;
            self.check_length(feed, feed + 1, limits)?;
            let line = bytes[self.line..feed].strip_suffix(b"\r").ok_or(Refusal::Malformed)?;
            (self.at, self.line) = (feed + 1, feed + 1);
            match (line, self.version) {
                ([], Some(version)) => return self.finish(version).map(Some),
                ([], None) if feed >= LEADING_EMPTY => return Err(Refusal::Malformed),
                ([], None) => self.check_first_byte(bytes)?,
                (line, None) => self.request_line(line, limits)?,
                (line, Some(_)) => self.field(line, limits)?,
            }
        }
        self.at = bytes.len();
        self.check_length(bytes.len(), bytes.len(), limits)?;
        Ok(None)
    }

    /// A method begins with a letter. TLS on a plain port (0x16) is told so at once instead of at
    /// the deadline.
    fn check_first_byte(&self, bytes: &[u8]) -> Result<(), Refusal> {
        match bytes.get(self.line) {
            Some(first) if self.version.is_none() => {
                if first.is_ascii_alphabetic() || matches!(first, b'\r' | b'\n') {
                    Ok(())
                } else {
                    Err(Refusal::Malformed)
                }
            }
            _ => Ok(()),
        }
    }

    /// Which limit is crossed first, when the line under way has come up to `unfinished` and the
    /// head up to `seen`.
    fn check_length(&self, unfinished: usize, seen: usize, limits: &Limits) -> Result<(), Refusal> {
        let line_end = self.line.saturating_add(limits.uri_bytes).saturating_add(AROUND_TARGET);
        let line_too_long = self.version.is_none() && unfinished > line_end;
        if line_too_long && line_end <= limits.head_bytes {
            Err(Refusal::UriTooLong)
        } else if seen > limits.head_bytes {
            Err(Refusal::HeadTooLarge)
        } else {
            Ok(())
        }
    }

    fn request_line(&mut self, line: &[u8], limits: &Limits) -> Result<(), Refusal> {
        let space = memchr(b' ', line).ok_or(Refusal::Malformed)?;
        let (method, rest) = (&line[..space], &line[space + 1..]);
        let (target, version) = match memchr(b' ', rest) {
            Some(space) => (&rest[..space], &rest[space + 1..]),
            None => return Err(Refusal::Malformed), // HTTP/0.9 had no version
        };
        if target.len() > limits.uri_bytes {
            return Err(Refusal::UriTooLong);
        }
        if target.is_empty() || target.iter().any(|byte| *byte <= b' ' || *byte == 0x7f) {
            return Err(Refusal::Malformed);
        }
        self.version = Some(match version {
            b"HTTP/1.1" => Version::Http11,
            b"HTTP/1.0" => Version::Http10,
            [b'H', b'T', b'T', b'P', b'/', major, b'.', minor]
                if major.is_ascii_digit() && minor.is_ascii_digit() =>
            {
                return Err(Refusal::Version);
            }
            _ => return Err(Refusal::Malformed),
        });
        self.tunnel = method == b"CONNECT";
        Ok(())
    }

    fn field(&mut self, line: &[u8], limits: &Limits) -> Result<(), Refusal> {
        self.fields += 1;
        if self.fields > limits.head_fields {
            return Err(Refusal::TooManyFields);
        }
        match line[0] {
            b' ' | b'\t' => return Err(Refusal::Malformed), // obs-fold (RFC 9112 §5.2)
            b'H' | b'h' => self.hosts += usize::from(value(line, b"host").is_some()),
            b'C' | b'c' => {
                if let Some(value) = value(line, b"content-length") {
                    self.content_length(value)?;
                }
            }
            b'T' | b't' => {
                if let Some(value) = value(line, b"transfer-encoding") {
                    self.transfer_encoding(value)?;
                }
            }
            b'U' | b'u' => {
                // h2c is an offer we do not take, so the connection stays HTTP/1.1.
                self.tunnel |=
                    value(line, b"upgrade").is_some_and(|v| !v.eq_ignore_ascii_case(b"h2c"));
            }
            _ => {}
        }
        Ok(())
    }

    fn content_length(&mut self, value: &[u8]) -> Result<(), Refusal> {
        if self.length.is_some() {
            return Err(Refusal::Framing);
        }
        self.length = Some(digits(value).ok_or(Refusal::Framing)?);
        Ok(())
    }

    fn transfer_encoding(&mut self, value: &[u8]) -> Result<(), Refusal> {
        if self.chunked {
            return Err(Refusal::Framing);
        }
        if !value.eq_ignore_ascii_case(b"chunked") {
            return Err(Refusal::TransferCoding);
        }
        self.chunked = true;
        Ok(())
    }

    fn finish(&self, version: Version) -> Result<Head, Refusal> {
        match (version, self.hosts) {
            (_, 1) | (Version::Http10, 0) => {}
            _ => return Err(Refusal::Host),
        }
        let body = match (self.length, self.chunked) {
            (Some(_), true) => return Err(Refusal::Framing),
            // A 1.0 sender does not know chunks, so someone in between put it there (RFC 9112
            // §6.1).
            (None, true) if version == Version::Http10 => return Err(Refusal::Framing),
            (None, true) => Body::Chunked,
            (None | Some(0), false) => Body::None,
            (Some(length), false) => Body::Length(length),
        };
        Ok(Head { end: self.at, body, tunnel: self.tunnel })
    }
}

/// The trimmed value of `line` if its name is `name`, in lower case.
fn value<'a>(line: &'a [u8], name: &[u8]) -> Option<&'a [u8]> {
    let (head, rest) = line.split_at_checked(name.len())?;
    let value = rest.strip_prefix(b":")?;
    head.eq_ignore_ascii_case(name).then(|| value.trim_ascii())
}

/// `1*DIGIT` and nothing else: no sign, no list (RFC 9110 §8.6).
fn digits(value: &[u8]) -> Option<u64> {
    if value.is_empty() {
        return None;
    }
    value.iter().try_fold(0u64, |number, byte| {
        let digit = byte.is_ascii_digit().then(|| u64::from(byte - b'0'))?;
        number.checked_mul(10)?.checked_add(digit)
    })
}

#[cfg(test)]
mod tests;
