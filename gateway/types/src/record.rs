//! DNS records as people enter them: a type, and data of that type, both read from and written as text
//! (RFC 1035 §5.1).

use std::{
    fmt,
    net::{IpAddr, Ipv4Addr, Ipv6Addr},
    str::FromStr,
};

use serde::{Deserialize, Serialize};

use crate::domain::{DomainName, ParseDomainError};

/// The types of records that can be entered. `ALIAS` is none of DNS's own: it is answered with the
/// addresses that its target has.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum RecordType {
    A,
    Aaaa,
    Alias,
    Caa,
    Cname,
    Mx,
    Ns,
    Srv,
    Txt,
}

impl RecordType {
    pub const ALL: [Self; 9] = [
        Self::A,
        Self::Aaaa,
        Self::Alias,
        Self::Caa,
        Self::Cname,
        Self::Mx,
        Self::Ns,
        Self::Srv,
        Self::Txt,
    ];

    /// The names of all, in the same order.
    pub const NAMES: [&'static str; 9] =
        ["A", "AAAA", "ALIAS", "CAA", "CNAME", "MX", "NS", "SRV", "TXT"];

    pub const fn as_str(self) -> &'static str {
        Self::NAMES[self as usize]
    }
}

/// What one record says. Names are whole: nothing is relative to anything.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum RecordData {
    A(Ipv4Addr),
    Aaaa(Ipv6Addr),
    Alias(DomainName),
    /// RFC 8659.
    Caa {
        /// An authority that does not know the tag must not issue.
        critical: bool,
        tag: Box<str>,
        value: Box<str>,
    },
    Cname(DomainName),
    Mx {
        preference: u16,
        /// `None` where no mail is taken (RFC 7505).
        exchange: Option<DomainName>,
    },
    Ns(DomainName),
    Srv {
        priority: u16,
        weight: u16,
        port: u16,
        /// `None` where the service is decidedly not offered (RFC 2782).
        target: Option<DomainName>,
    },
    /// The whole text; [`strings`] has it in the pieces that are sent.
    Txt(Box<str>),
}

impl RecordData {
    /// Reads the data of a record of this type. A final dot of a name may be left out.
    ///
    /// # Errors
    /// What the text is not.
    pub fn parse(kind: RecordType, text: &str) -> Result<Self, ParseRecordError> {
        let text = text.trim();
        match kind {
            RecordType::A => Ok(Self::A(text.parse().map_err(|_| ParseRecordError::Ipv4)?)),
            RecordType::Aaaa => Ok(Self::Aaaa(text.parse().map_err(|_| ParseRecordError::Ipv6)?)),
            RecordType::Alias => host(text).map(Self::Alias),
            RecordType::Cname => host(text).map(Self::Cname),
            RecordType::Ns => host(text).map(Self::Ns),
            RecordType::Caa => caa(text),
            RecordType::Mx => {
                let [preference, exchange] = parts(text)?;
                Ok(Self::Mx { preference: number(preference)?, exchange: host_or_none(exchange)? })
            }
            RecordType::Srv => {
                let [priority, weight, port, target] = parts(text)?;
                let (priority, weight) = (number(priority)?, number(weight)?);
                Ok(Self::Srv {
                    priority,
                    weight,
                    port: number(port)?,
                    target: host_or_none(target)?,
                })
            }
            RecordType::Txt => content(text).map(Self::Txt),
        }
    }

    pub const fn kind(&self) -> RecordType {
        match self {
            Self::A(_) => RecordType::A,
            Self::Aaaa(_) => RecordType::Aaaa,
            Self::Alias(_) => RecordType::Alias,
            Self::Caa { .. } => RecordType::Caa,
            Self::Cname(_) => RecordType::Cname,
            Self::Mx { .. } => RecordType::Mx,
            Self::Ns(_) => RecordType::Ns,
            Self::Srv { .. } => RecordType::Srv,
            Self::Txt(_) => RecordType::Txt,
        }
    }

    /// The host it leads to.
    pub const fn host(&self) -> Option<&DomainName> {
        match self {
            Self::Alias(host) | Self::Cname(host) | Self::Ns(host) => Some(host),
            Self::Mx { exchange: host, .. } | Self::Srv { target: host, .. } => host.as_ref(),
            Self::A(_) | Self::Aaaa(_) | Self::Caa { .. } | Self::Txt(_) => None,
        }
    }

    /// Bytes it takes in a message, to within a few.
    pub fn size(&self) -> usize {
        const NUMBERS: usize = 6;
        let host = self.host().map_or(0, |host| host.as_str().len() + 2);
        let text = match self {
            Self::A(_) => 4,
            Self::Aaaa(_) => 16,
            Self::Caa { tag, value, .. } => tag.len() + value.len(),
            Self::Txt(text) => text.len() + strings(text).count(),
            _ => 0,
        };
        NUMBERS + host + text
    }
}

/// A text in pieces of at most 255 bytes, which is what one string of a TXT record holds (RFC 1035
/// §3.3.14). Readers put them together again without anything in between.
pub fn strings(text: &str) -> impl Iterator<Item = &str> {
    let mut rest = Some(text);
    std::iter::from_fn(move || {
        let text = rest.take()?;
        let (string, after) = text.split_at(text.floor_char_boundary(MAX_STRING));
        rest = (!after.is_empty()).then_some(after);
        Some(string)
    })
}

/// Its length is one byte.
const MAX_STRING: usize = 255;

/// Tags in use have a dozen letters; RFC 8659 §4.1 asks for at most 15.
const MAX_TAG: usize = 15;

fn parts<const N: usize>(text: &str) -> Result<[&str; N], ParseRecordError> {
    let parts: Vec<_> = text.split_ascii_whitespace().collect();
    parts.try_into().map_err(|parts: Vec<_>| ParseRecordError::Parts { has: parts.len(), needs: N })
}

fn number(text: &str) -> Result<u16, ParseRecordError> {
    let digits = text.bytes().all(|byte| byte.is_ascii_digit());
    let number = text.parse().ok().filter(|_| digits);
    number.ok_or_else(|| ParseRecordError::Number(text.to_owned()))
}

fn host(text: &str) -> Result<DomainName, ParseRecordError> {
    if text.parse::<IpAddr>().is_ok() {
        return Err(ParseRecordError::AddressForName);
    }
    text.parse().map_err(ParseRecordError::Name)
}

fn host_or_none(text: &str) -> Result<Option<DomainName>, ParseRecordError> {
    if text == "." { Ok(None) } else { host(text).map(Some) }
}

fn caa(text: &str) -> Result<RecordData, ParseRecordError> {
    let mut words = text.splitn(3, |c: char| c.is_ascii_whitespace());
    let (Some(flags), Some(tag), Some(value)) = (words.next(), words.next(), words.next()) else {
        let has = text.split_ascii_whitespace().count();
        return Err(ParseRecordError::Parts { has, needs: 3 });
    };
    let critical = match flags {
        "0" => false,
        "128" => true,
        _ => return Err(ParseRecordError::Flags(flags.to_owned())),
    };
    let is_tag = |tag: &str| tag.bytes().all(|byte| byte.is_ascii_alphanumeric());
    if tag.is_empty() || tag.len() > MAX_TAG || !is_tag(tag) {
        return Err(ParseRecordError::Tag(tag.to_owned()));
    }
    let (tag, value) = (tag.to_ascii_lowercase(), content(value.trim())?);
    let issuer = value.split(';').next().unwrap_or_default().trim_end();
    // Authorities compare it with their own name as text, so that the dot forbids them to issue.
    if tag.starts_with("issue") && issuer.ends_with('.') {
        return Err(ParseRecordError::IssuerWithDot);
    }
    Ok(RecordData::Caa { critical, tag: tag.into(), value })
}

/// A text as it is, or strings in quotes, which are put together.
fn content(text: &str) -> Result<Box<str>, ParseRecordError> {
    let content = if text.starts_with('"') { unquoted(text)? } else { text.to_owned() };
    match content.chars().find(|c| c.is_control()) {
        Some(control) => Err(ParseRecordError::Control(control)),
        None => Ok(content.into()),
    }
}

fn unquoted(text: &str) -> Result<String, ParseRecordError> {
    let (mut content, mut chars) = (String::new(), text.chars());
    let mut within = false;
    while let Some(c) = chars.next() {
        match (within, c) {
            (_, '"') => within = !within,
            (true, '\\') => content.push(escaped(&mut chars).ok_or(ParseRecordError::Escape)?),
            (true, c) => content.push(c),
            (false, c) if c.is_ascii_whitespace() => {}
            (false, _) => return Err(ParseRecordError::Quotes),
        }
    }
    if within { Err(ParseRecordError::Quotes) } else { Ok(content) }
}

/// What stands behind a backslash: a character, or three digits that are the number of one in ASCII.
fn escaped(chars: &mut std::str::Chars<'_>) -> Option<char> {
    let first = chars.next()?;
    if !first.is_ascii_digit() {
        return Some(first);
    }
    let digits: String = [first, chars.next()?, chars.next()?].into_iter().collect();
    digits.parse().ok().filter(u8::is_ascii).map(char::from)
}

#[derive(Debug, Clone, thiserror::Error, PartialEq, Eq)]
pub enum ParseRecordError {
    #[error("it is not an IPv4 address")]
    Ipv4,
    #[error("it is not an IPv6 address")]
    Ipv6,
    #[error("it is an address, and a name belongs here")]
    AddressForName,
    #[error("{0}")]
    Name(ParseDomainError),
    #[error("it has {has} of {needs} parts")]
    Parts { has: usize, needs: usize },
    #[error("`{0}` is not a number from 0 to 65535")]
    Number(String),
    #[error("its flags are `{0}`, which can only be 0 or 128")]
    Flags(String),
    #[error("`{0}` is not a tag")]
    Tag(String),
    #[error("the issuer ends with a dot, which forbids every authority to issue")]
    IssuerWithDot,
    #[error("its quotes do not go together")]
    Quotes,
    #[error("a backslash in it is followed by neither a character nor three digits of one")]
    Escape,
    #[error("it holds the control character {0:?}")]
    Control(char),
    #[error("there is no type `{0}`")]
    Type(String),
}

/// As [`RecordData::parse`] reads it, and as a zone file has it.
impl fmt::Display for RecordData {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let dotted = |host: &Option<DomainName>| {
            host.as_ref().map_or_else(|| ".".to_owned(), |host| format!("{host}."))
        };
        match self {
            Self::A(address) => address.fmt(f),
            Self::Aaaa(address) => address.fmt(f),
            Self::Alias(host) | Self::Cname(host) | Self::Ns(host) => write!(f, "{host}."),
            Self::Caa { critical, tag, value } => {
                write!(f, "{} {tag} {}", if *critical { 128 } else { 0 }, Quoted(value))
            }
            Self::Mx { preference, exchange } => write!(f, "{preference} {}", dotted(exchange)),
            Self::Srv { priority, weight, port, target } => {
                write!(f, "{priority} {weight} {port} {}", dotted(target))
            }
            Self::Txt(text) => {
                for (n, string) in strings(text).enumerate() {
                    write!(f, "{}{}", if n == 0 { "" } else { " " }, Quoted(string))?;
                }
                Ok(())
            }
        }
    }
}

struct Quoted<'a>(&'a str);

impl fmt::Display for Quoted<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("\"")?;
        for c in self.0.chars() {
            if matches!(c, '"' | '\\') {
                f.write_str("\\")?;
            }
            write!(f, "{c}")?;
        }
        f.write_str("\"")
    }
}

impl fmt::Display for RecordType {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl FromStr for RecordType {
    type Err = ParseRecordError;

    fn from_str(text: &str) -> Result<Self, ParseRecordError> {
        let known = Self::ALL.into_iter().find(|kind| kind.as_str() == text);
        known.ok_or_else(|| ParseRecordError::Type(text.to_owned()))
    }
}

impl Serialize for RecordType {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.as_str())
    }
}

impl<'de> Deserialize<'de> for RecordType {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer)?.parse().map_err(serde::de::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn data(kind: RecordType, text: &str) -> RecordData {
        RecordData::parse(kind, text).unwrap_or_else(|error| panic!("{kind} {text}: {error}"))
    }

    #[test]
    fn every_type_reads_as_it_is_written() {
        for (kind, text, written) in [
            (RecordType::A, "192.0.2.1", "192.0.2.1"),
            (RecordType::Aaaa, "2001:DB8:0::1", "2001:db8::1"),
            (RecordType::Alias, "Pages.Example.net", "pages.example.net."),
            (RecordType::Caa, "128 ISSUE letsencrypt.org", "128 issue \"letsencrypt.org\""),
            (RecordType::Caa, "0 issue \";\"", "0 issue \";\""),
            (RecordType::Cname, "a.example.net.", "a.example.net."),
            (RecordType::Mx, "10  mail.example.net", "10 mail.example.net."),
            (RecordType::Mx, "0 .", "0 ."),
            (RecordType::Ns, "ns.example.net", "ns.example.net."),
            (RecordType::Srv, "1 2 443 a.example.net", "1 2 443 a.example.net."),
            (RecordType::Srv, "0 0 0 .", "0 0 0 ."),
            (RecordType::Txt, "v=spf1 -all; \\x", "\"v=spf1 -all; \\\\x\""),
            (RecordType::Txt, "\"a\\\"b\\065\" \"c\"", "\"a\\\"bAc\""),
            (RecordType::Txt, "ü", "\"ü\""),
        ] {
            let read = data(kind, text);
            assert_eq!(read.to_string(), written);
            assert_eq!((read.kind(), data(kind, written)), (kind, read.clone()));
            assert_eq!(kind.as_str().parse(), Ok(kind));
        }
        assert!(RecordType::ALL.into_iter().map(RecordType::as_str).eq(RecordType::NAMES));
    }

    #[test]
    fn what_is_no_data_says_why() {
        use ParseRecordError as E;
        for (kind, text, error) in [
            (RecordType::A, "2001:db8::1", E::Ipv4),
            (RecordType::Aaaa, "192.0.2.1", E::Ipv6),
            (RecordType::Cname, "192.0.2.1", E::AddressForName),
            (RecordType::Ns, "a..b", E::Name(ParseDomainError::EmptyLabel)),
            (RecordType::Mx, "mail.example.net", E::Parts { has: 1, needs: 2 }),
            (RecordType::Mx, "+1 a.example", E::Number("+1".to_owned())),
            (RecordType::Srv, "0 0 65536 a.example", E::Number("65536".to_owned())),
            (RecordType::Caa, "0 issue", E::Parts { has: 2, needs: 3 }),
            (RecordType::Caa, "1 issue x", E::Flags("1".to_owned())),
            (RecordType::Caa, "0 is-sue x", E::Tag("is-sue".to_owned())),
            (RecordType::Caa, "0 issue \"ca.example.; a=b\"", E::IssuerWithDot),
            (RecordType::Txt, "\"a", E::Quotes),
            (RecordType::Txt, "\"a\" b", E::Quotes),
            (RecordType::Txt, "\"\\300\"", E::Escape),
            (RecordType::Txt, "a\nb", E::Control('\n')),
        ] {
            assert_eq!(RecordData::parse(kind, text), Err(error), "{kind} {text}");
        }
        assert_eq!("SOA".parse::<RecordType>(), Err(E::Type("SOA".to_owned())));
    }

    #[test]
    fn long_texts_are_cut_between_characters_and_put_together_again() {
        let text = format!("{}{}", "x".repeat(254), "ü".repeat(200));
        let pieces: Vec<_> = strings(&text).collect();
        assert_eq!(pieces.iter().map(|piece| piece.len()).collect::<Vec<_>>(), [254, 254, 146]);
        assert_eq!(pieces.concat(), text);
        assert_eq!(strings("").collect::<Vec<_>>(), [""], "a TXT record has a string at least");
        let read = data(RecordType::Txt, &data(RecordType::Txt, &text).to_string());
        assert_eq!(read, RecordData::Txt(text.into()));
    }
}
