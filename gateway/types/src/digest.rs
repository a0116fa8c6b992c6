//! `Digest`: the BLAKE3 hash of some bytes, which is also their name everywhere.

use std::{fmt, io, str::FromStr};

use serde::{Deserialize, Serialize};

/// The name of a blob: BLAKE3 of its bytes, written as 64 lower-case hex digits.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Digest([u8; 32]);

impl Digest {
    pub fn of(bytes: &[u8]) -> Self {
        Self(*blake3::hash(bytes).as_bytes())
    }

    pub const fn from_bytes(bytes: [u8; 32]) -> Self {
        Self(bytes)
    }

    pub const fn as_bytes(&self) -> &[u8; 32] {
        &self.0
    }

    /// The first ten hex digits: enough for a log line, never for a lookup.
    pub fn fmt_short(&self) -> impl fmt::Display + use<> {
        let head: [u8; 5] = self.0[..5].try_into().expect("a digest has 32 bytes");
        ShortHex(head)
    }
}

/// Hashes what is written to it on the way to `inner`, so that a stream is named while it is stored.
#[derive(Debug)]
pub struct DigestWriter<W> {
    inner: W,
    hasher: blake3::Hasher,
    written: u64,
}

impl<W> DigestWriter<W> {
    pub fn new(inner: W) -> Self {
        Self { inner, hasher: blake3::Hasher::new(), written: 0 }
    }

    /// Bytes that passed so far.
    pub fn written(&self) -> u64 {
        self.written
    }

    pub fn finish(self) -> (W, Digest) {
        (self.inner, Digest(*self.hasher.finalize().as_bytes()))
    }
}

impl<W: io::Write> io::Write for DigestWriter<W> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let n = self.inner.write(bytes)?;
        self.hasher.update(&bytes[..n]);
        self.written += n as u64;
        Ok(n)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.inner.flush()
    }
}

impl fmt::Display for Digest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write_hex(&self.0, f)
    }
}

/// By table, because a manifest names tens of thousands.
fn write_hex(bytes: &[u8], f: &mut fmt::Formatter<'_>) -> fmt::Result {
    const DIGITS: &[u8; 16] = b"0123456789abcdef";
    let mut text = [0; 64];
    let text = &mut text[..2 * bytes.len()];
    for (pair, byte) in text.chunks_exact_mut(2).zip(bytes) {
        pair[0] = DIGITS[usize::from(byte >> 4)];
        pair[1] = DIGITS[usize::from(byte & 15)];
    }
    f.write_str(str::from_utf8(text).expect("hex digits are ASCII"))
}

impl fmt::Debug for Digest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Digest({})", self.fmt_short())
    }
}

impl FromStr for Digest {
    type Err = ParseDigestError;

    fn from_str(text: &str) -> Result<Self, ParseDigestError> {
        let digits = text.as_bytes();
        if digits.len() != 64 {
            return Err(ParseDigestError);
        }
        let mut bytes = [0; 32];
        for (byte, pair) in bytes.iter_mut().zip(digits.chunks_exact(2)) {
            *byte = hex_value(pair[0])? << 4 | hex_value(pair[1])?;
        }
        Ok(Self(bytes))
    }
}

impl Serialize for Digest {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Digest {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer)?.parse().map_err(serde::de::Error::custom)
    }
}

#[derive(Debug, thiserror::Error, PartialEq, Eq)]
#[error("a digest is 64 lower-case hex digits")]
pub struct ParseDigestError;

fn hex_value(digit: u8) -> Result<u8, ParseDigestError> {
    match digit {
        b'0'..=b'9' => Ok(digit - b'0'),
        b'a'..=b'f' => Ok(digit - b'a' + 10),
        _ => Err(ParseDigestError),
    }
}

struct ShortHex([u8; 5]);

impl fmt::Display for ShortHex {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write_hex(&self.0, f)
    }
}

#[cfg(test)]
mod tests {
    use std::io::Write;

    use super::*;

    #[test]
    fn display_and_parse_are_inverse() {
        let digest = Digest::of(b"headgate");
        assert_eq!(digest.to_string().parse(), Ok(digest));
        assert_eq!(digest.fmt_short().to_string(), digest.to_string()[..10]);
    }

    #[test]
    fn only_64_lower_case_hex_digits_parse() {
        for text in ["", "00", &"A".repeat(64), &"g".repeat(64), &"0".repeat(65), &"é".repeat(32)]
        {
            assert_eq!(text.parse::<Digest>(), Err(ParseDigestError), "{text:?}");
        }
    }

    #[test]
    fn a_stream_has_the_digest_of_its_bytes() {
        let mut writer = DigestWriter::new(Vec::new());
        writer.write_all(b"head").unwrap();
        writer.write_all(b"gate").unwrap();
        assert_eq!(writer.written(), 8);
        assert_eq!(writer.finish(), (b"headgate".to_vec(), Digest::of(b"headgate")));
    }
}
