//! Messages as bytes: queries in, responses out.
//!
//! The formats are RFC 1035's and RFC 6891's. hickory's messages are values that own their names and
//! records; an answer here is copied from the zone into the buffer it is sent from, so they serve
//! as the second opinion in tests instead.

pub(crate) mod query;
pub(crate) mod writer;

/// Bytes before the question: id, flags, four counts.
pub(crate) const HEADER: usize = 12;

/// Type, class, TTL and length of an OPT record, and its root owner.
pub(crate) const OPT_FIXED: usize = 11;

/// Flags of the header's third and fourth byte, as one number.
pub(crate) mod flags {
    pub(crate) const RESPONSE: u16 = 0x8000;
    pub(crate) const AUTHORITATIVE: u16 = 0x0400;
    pub(crate) const TRUNCATED: u16 = 0x0200;
    pub(crate) const RECURSION_DESIRED: u16 = 0x0100;
    pub(crate) const CHECKING_DISABLED: u16 = 0x0010;
    pub(crate) const OPCODE: u16 = 0x7800;
}

/// A response code, with EDNS's upper bits (RFC 6895 §2.3).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Rcode {
    NoError,
    FormErr,
    NxDomain,
    NotImp,
    Refused,
    BadVers,
    BadCookie,
}

impl Rcode {
    pub const ALL: [Self; 7] = [
        Self::NoError,
        Self::FormErr,
        Self::NxDomain,
        Self::NotImp,
        Self::Refused,
        Self::BadVers,
        Self::BadCookie,
    ];

    pub(crate) fn code(self) -> u16 {
        match self {
            Self::NoError => 0,
            Self::FormErr => 1,
            Self::NxDomain => 3,
            Self::NotImp => 4,
            Self::Refused => 5,
            Self::BadVers => 16,
            Self::BadCookie => 23,
        }
    }

    pub fn label(self) -> &'static str {
        match self {
            Self::NoError => "NOERROR",
            Self::FormErr => "FORMERR",
            Self::NxDomain => "NXDOMAIN",
            Self::NotImp => "NOTIMP",
            Self::Refused => "REFUSED",
            Self::BadVers => "BADVERS",
            Self::BadCookie => "BADCOOKIE",
        }
    }
}
