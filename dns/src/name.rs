//! `LowerName`: a domain name as lookups want it.

use std::fmt;

use hickory_proto::rr::Name;

/// Bytes of a name in wire form, its root included (RFC 1035 §3.1).
const MOST_BYTES: usize = 255;
/// Labels of such a name beside the root: each takes two bytes at least.
const MOST_LABELS: usize = 127;

/// A name in wire form, lower-cased, that knows where its labels begin.
///
/// Names compare without case (RFC 4343), and a parent's wire form is the end of its child's. So a
/// table of lower-cased names finds a name and its ancestors with slices of one buffer.
#[derive(Clone, Copy)]
pub struct LowerName {
    bytes: [u8; MOST_BYTES],
    starts: [u8; MOST_LABELS],
    len: u8,
    labels: u8,
}

/// The bytes are not a name in wire form without compression.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("not a domain name in wire form")]
pub struct NotAName;

impl LowerName {
    /// Reads the name at the beginning of `wire`; what follows it does not matter.
    ///
    /// # Errors
    ///
    /// A compression pointer, an unknown kind of label, more than 255 bytes, or an end too early.
    pub fn read(wire: &[u8]) -> Result<Self, NotAName> {
        let mut name = Self { bytes: [0; MOST_BYTES], starts: [0; MOST_LABELS], len: 0, labels: 0 };
        let mut at = 0_usize;
        loop {
            let length = usize::from(*wire.get(at).ok_or(NotAName)?);
            if length > 63 {
                return Err(NotAName);
            }
            let end = at + 1 + length;
            // The root that ends every name must still fit.
            let whole = if length == 0 { end } else { end + 1 };
            if whole > MOST_BYTES {
                return Err(NotAName);
            }
            let label = wire.get(at..end).ok_or(NotAName)?;
            for (to, from) in name.bytes[at..end].iter_mut().zip(label) {
                // Lengths are below the letters, so they pass unchanged.
                *to = from.to_ascii_lowercase();
            }
            if length == 0 {
                name.len = u8::try_from(end).expect("a name has at most 255 bytes");
                return Ok(name);
            }
            name.starts[usize::from(name.labels)] =
                u8::try_from(at).expect("a name has at most 255 bytes");
            name.labels += 1;
            at = end;
        }
    }

    /// The whole name in wire form, with its root.
    pub fn as_wire(&self) -> &[u8] {
        &self.bytes[..usize::from(self.len)]
    }

    /// Labels beside the root.
    pub fn labels(&self) -> usize {
        usize::from(self.labels)
    }

    /// What is left in wire form without the first `skipped` labels.
    pub(crate) fn without(&self, skipped: usize) -> &[u8] {
        let start = match self.starts[..self.labels()].get(skipped) {
            Some(start) => usize::from(*start),
            None => usize::from(self.len) - 1,
        };
        &self.bytes[start..usize::from(self.len)]
    }

    /// As [`LowerName::without`], but without the `origin` bytes at its end, and so relative to it.
    pub(crate) fn relative(&self, skipped: usize, origin: usize) -> &[u8] {
        let suffix = self.without(skipped);
        &suffix[..suffix.len() - origin]
    }

    /// Whether this name is `ancestor` or below it.
    pub fn is_within(&self, ancestor: &Self) -> bool {
        self.labels >= ancestor.labels
            && self.without(self.labels() - ancestor.labels()) == ancestor.as_wire()
    }
}

impl From<&Name> for LowerName {
    /// A name that is not written to its root is taken as if it were.
    fn from(name: &Name) -> Self {
        Self::read(&wire_form(name)).expect("a parsed name is within the limits of the wire")
    }
}

impl fmt::Debug for LowerName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl fmt::Display for LowerName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(&Presentation(self.as_wire()), f)
    }
}

impl PartialEq for LowerName {
    fn eq(&self, other: &Self) -> bool {
        self.as_wire() == other.as_wire()
    }
}

impl Eq for LowerName {}

/// A name in wire form as master files write it (RFC 1035 §5.1): to its root, with what would be
/// read otherwise escaped.
pub(crate) struct Presentation<'n>(pub(crate) &'n [u8]);

impl fmt::Display for Presentation<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut rest = self.0;
        if rest == [0] {
            return f.write_str(".");
        }
        while let [length, after @ ..] = rest
            && *length != 0
        {
            let (label, next) = after.split_at(usize::from(*length));
            for byte in label {
                match byte {
                    b'-' | b'_' | b'*' | b'/' | b'0'..=b'9' | b'a'..=b'z' | b'A'..=b'Z' => {
                        write!(f, "{}", char::from(*byte))?;
                    }
                    b'!'..=b'~' => write!(f, "\\{}", char::from(*byte))?,
                    other => write!(f, "\\{other:03}")?,
                }
            }
            f.write_str(".")?;
            rest = next;
        }
        Ok(())
    }
}

/// A name as it is sent, its case kept.
pub(crate) fn wire_form(name: &Name) -> Vec<u8> {
    let mut wire = Vec::with_capacity(name.len() + 1);
    for label in name.iter() {
        wire.push(u8::try_from(label.len()).expect("a label has at most 63 bytes"));
        wire.extend_from_slice(label);
    }
    wire.push(0);
    wire
}

/// Where the name ends that begins `wire`, for bytes that were checked before.
pub(crate) fn end_of_name(wire: &[u8]) -> usize {
    let mut at = 0;
    while wire[at] != 0 {
        at += 1 + usize::from(wire[at]);
    }
    at + 1
}

#[cfg(test)]
mod tests {
    use std::str::FromStr;

    use super::*;

    fn lower(text: &str) -> LowerName {
        LowerName::from(&Name::from_str(text).unwrap())
    }

    #[test]
    fn names_compare_without_case() {
        assert_eq!(lower("WWW.Example.TEST."), lower("www.example.test."));
        assert_eq!(lower("www.example.test.").as_wire(), b"\x03www\x07example\x04test\0");
    }

    #[test]
    fn a_parent_is_the_end_of_its_child() {
        let name = lower("a.b.example.test.");
        assert_eq!(name.labels(), 4);
        assert_eq!(name.without(2), lower("example.test.").as_wire());
        assert_eq!(name.without(4), b"\0");
        assert!(name.is_within(&lower("example.test.")) && name.is_within(&name));
        assert!(name.is_within(&lower(".")));
        assert!(!lower("notexample.test.").is_within(&lower("example.test.")));
    }

    #[test]
    fn what_is_no_name_is_refused() {
        let long = [&[63; 64][..], &[63; 64], &[63; 64], &[63; 64]].concat();
        for wire in [&b""[..], b"\x03ww", b"\xc0\x0c", b"\x40a\0", b"\x01a", &long] {
            assert_eq!(LowerName::read(wire), Err(NotAName), "{wire:?}");
        }
        let mut longest = [&[63; 64][..], &[63; 64], &[63; 64]].concat();
        longest.extend([61; 62]);
        longest.push(0);
        assert_eq!(longest.len(), 255);
        assert!(LowerName::read(&longest).is_ok());
    }

    #[test]
    fn presentation_escapes_what_a_master_file_would_read_otherwise() {
        let name = LowerName::read(b"\x05a.\"\x00\x80\x04test\0").unwrap();
        assert_eq!(name.to_string(), r#"a\.\"\000\128.test."#);
        assert_eq!(lower(".").to_string(), ".");
    }
}
