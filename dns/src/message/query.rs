//! `Query`: what a client asks, read without copying anything but the name.

use super::{HEADER, flags};
use crate::{name::LowerName, zone::record_set::kinds};

/// A query that can be answered, if only with an error.
#[derive(Debug)]
pub(crate) struct Query<'p> {
    pub(crate) head: Head,
    /// None in a query that only wants a cookie (RFC 7873 §5.4).
    pub(crate) question: Option<Question<'p>>,
    pub(crate) edns: Option<Edns>,
}

/// What a response repeats of the header.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Head {
    pub(crate) id: u16,
    pub(crate) flags: u16,
}

#[derive(Debug)]
pub(crate) struct Question<'p> {
    /// As it came, in the client's case (0x20), type and class included.
    pub(crate) wire: &'p [u8],
    pub(crate) name: LowerName,
    pub(crate) kind: u16,
    pub(crate) class: u16,
}

/// What the OPT record says.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Edns {
    pub(crate) udp_size: u16,
    pub(crate) version: u8,
    pub(crate) dnssec_ok: bool,
    pub(crate) cookie: CookieOption,
}

/// The COOKIE option (RFC 7873 §4).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum CookieOption {
    Absent,
    /// Of a length that the RFC does not know.
    Malformed,
    Client([u8; 8]),
    /// With a server cookie of any length but ours: it was never good here.
    Foreign([u8; 8]),
    Both([u8; 8], [u8; 16]),
}

/// Why a packet is no query that could be answered in full.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Unreadable {
    /// Too short for a header, or a response: whoever sent it must not get an answer, because that
    /// would be one more packet in a loop.
    NotAQuery,
    /// Its header is whole and the rest is not.
    Malformed(Head),
    /// An operation other than QUERY, whose further format is not ours to judge.
    Opcode(Head),
}

const OPTION_COOKIE: u16 = 10;

impl<'p> Query<'p> {
    pub(crate) fn read(packet: &'p [u8]) -> Result<Self, Unreadable> {
        let mut reader = Reader { packet, at: 0 };
        let head = Head {
            id: reader.number().ok_or(Unreadable::NotAQuery)?,
            flags: reader.number().ok_or(Unreadable::NotAQuery)?,
        };
        if packet.len() < HEADER || head.flags & flags::RESPONSE != 0 {
            return Err(Unreadable::NotAQuery);
        }
        if head.flags & flags::OPCODE != 0 {
            return Err(Unreadable::Opcode(head));
        }
        reader.body(head).ok_or(Unreadable::Malformed(head))
    }
}

struct Reader<'p> {
    packet: &'p [u8],
    at: usize,
}

impl<'p> Reader<'p> {
    /// The rest of a query; `None` if it breaks the format.
    fn body(&mut self, head: Head) -> Option<Query<'p>> {
        let [questions, answers, authorities, additionals] =
            [self.number()?, self.number()?, self.number()?, self.number()?];
        let question = match questions {
            0 => None,
            1 => Some(self.question()?),
            // One query asks one question (RFC 9619).
            _ => return None,
        };
        for _ in 0..u32::from(answers) + u32::from(authorities) {
            self.record()?;
        }
        let mut edns = None;
        for _ in 0..additionals {
            let record = self.record()?;
            if record.kind == kinds::OPT {
                // A second OPT is an error, and so is one with an owner (RFC 6891 §6.1.1).
                if edns.is_some() || !record.owner_is_root {
                    return None;
                }
                edns = Some(record.edns()?);
            }
        }
        if self.at != self.packet.len() {
            return None;
        }
        let wants_cookie = edns.is_some_and(|edns: Edns| edns.cookie != CookieOption::Absent);
        (question.is_some() || wants_cookie).then_some(Query { head, question, edns })
    }

    fn question(&mut self) -> Option<Question<'p>> {
        let start = self.at;
        // There is nothing a question's name could point back to, so LowerName takes no pointer.
        let name = LowerName::read(&self.packet[start..]).ok()?;
        self.at += name.as_wire().len();
        let (kind, class) = (self.number()?, self.number()?);
        Some(Question { wire: &self.packet[start..self.at], name, kind, class })
    }

    fn record(&mut self) -> Option<RawRecord<'p>> {
        let owner_is_root = self.packet.get(self.at) == Some(&0);
        self.skip_name()?;
        let (kind, class) = (self.number()?, self.number()?);
        let ttl = [self.number()?, self.number()?];
        let length = usize::from(self.number()?);
        let data = self.bytes(length)?;
        Some(RawRecord { owner_is_root, kind, class, ttl, data })
    }

    /// A name that may end in a pointer, which is not followed.
    fn skip_name(&mut self) -> Option<()> {
        loop {
            match self.bytes(1)?[0] {
                0 => return Some(()),
                length @ 1..=63 => self.bytes(length.into())?,
                0xC0.. => return self.bytes(1).map(drop),
                _ => return None,
            };
        }
    }

    fn number(&mut self) -> Option<u16> {
        self.bytes(2).map(|bytes| u16::from_be_bytes([bytes[0], bytes[1]]))
    }

    fn bytes(&mut self, length: usize) -> Option<&'p [u8]> {
        let bytes = self.packet.get(self.at..self.at + length)?;
        self.at += length;
        Some(bytes)
    }
}

struct RawRecord<'p> {
    owner_is_root: bool,
    kind: u16,
    class: u16,
    ttl: [u16; 2],
    data: &'p [u8],
}

impl RawRecord<'_> {
    /// Read as OPT: the class is a size, the TTL an extended code, a version and flags.
    fn edns(&self) -> Option<Edns> {
        let [extended, flags] = self.ttl;
        let mut cookie = CookieOption::Absent;
        let mut options = Reader { packet: self.data, at: 0 };
        while options.at < self.data.len() {
            let (code, length) = (options.number()?, options.number()?);
            let value = options.bytes(length.into())?;
            // Of several cookies the first counts (RFC 7873 §5.2); unknown options are ignored.
            if code == OPTION_COOKIE && cookie == CookieOption::Absent {
                cookie = CookieOption::read(value);
            }
        }
        Some(Edns {
            udp_size: self.class,
            version: extended.to_be_bytes()[1],
            dnssec_ok: flags & 0x8000 != 0,
            cookie,
        })
    }
}

impl CookieOption {
    fn read(value: &[u8]) -> Self {
        let Some((client, server)) = value.split_first_chunk::<8>() else { return Self::Malformed };
        match server.len() {
            0 => Self::Client(*client),
            16 => Self::Both(*client, server.try_into().expect("sixteen bytes")),
            8..=32 => Self::Foreign(*client),
            _ => Self::Malformed,
        }
    }

    pub(crate) fn client(self) -> Option<[u8; 8]> {
        match self {
            Self::Absent | Self::Malformed => None,
            Self::Client(client) | Self::Foreign(client) | Self::Both(client, _) => Some(client),
        }
    }
}

impl Question<'_> {
    /// The name as it came.
    pub(crate) fn name_wire(&self) -> &[u8] {
        &self.wire[..self.name.as_wire().len()]
    }
}
