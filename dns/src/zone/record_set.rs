//! `RecordSet`: the records of one type at one name, as they are sent.

use crate::name::{LowerName, end_of_name};

/// Record types by number that the server itself knows something about. All others pass through it.
pub(crate) mod kinds {
    pub(crate) const A: u16 = 1;
    pub(crate) const NS: u16 = 2;
    pub(crate) const CNAME: u16 = 5;
    pub(crate) const SOA: u16 = 6;
    pub(crate) const PTR: u16 = 12;
    pub(crate) const MX: u16 = 15;
    pub(crate) const TXT: u16 = 16;
    pub(crate) const AAAA: u16 = 28;
    pub(crate) const SRV: u16 = 33;
    pub(crate) const DNAME: u16 = 39;
    pub(crate) const OPT: u16 = 41;
    pub(crate) const DS: u16 = 43;
    pub(crate) const RRSIG: u16 = 46;
    pub(crate) const NSEC: u16 = 47;
    pub(crate) const NSEC3: u16 = 50;
    pub(crate) const NSEC3PARAM: u16 = 51;
    pub(crate) const IXFR: u16 = 251;
    pub(crate) const AXFR: u16 = 252;
    pub(crate) const ANY: u16 = 255;
    pub(crate) const CAA: u16 = 257;
}

/// Bytes between a record's owner and its data: type, class, TTL and length.
pub(crate) const FIXED: usize = 10;

/// The records of one type at one name, which share a TTL (RFC 2181 §5.2).
#[derive(Debug, Clone, Copy)]
pub struct RecordSet<'z> {
    pub(crate) kind: u16,
    pub(crate) ttl: u32,
    /// Each record from its type on, names uncompressed.
    pub(crate) bytes: &'z [u8],
    /// Nodes of the zone with addresses that go along.
    pub(crate) additional: &'z [u32],
    /// The node it stands at; with a wildcard, the wildcard's.
    pub(crate) node: u32,
}

impl<'z> RecordSet<'z> {
    /// The type by its number.
    pub fn kind(&self) -> u16 {
        self.kind
    }

    pub fn ttl(&self) -> u32 {
        self.ttl
    }

    /// The data of each record in wire form.
    pub fn records(&self) -> impl Iterator<Item = &'z [u8]> + use<'z> {
        self.sent().map(|record| &record[FIXED..])
    }

    /// Each record from its type on.
    pub(crate) fn sent(&self) -> impl Iterator<Item = &'z [u8]> + use<'z> {
        let mut rest = self.bytes;
        std::iter::from_fn(move || {
            let length = rest.get(FIXED - 2..FIXED)?;
            let length = usize::from(u16::from_be_bytes([length[0], length[1]]));
            let (record, after) = rest.split_at(FIXED + length);
            rest = after;
            Some(record)
        })
    }

    /// Where the alias leads, if this is one.
    pub(crate) fn alias(&self) -> Option<(&'z [u8], LowerName)> {
        let target = self.records().next().filter(|_| self.kind == kinds::CNAME)?;
        Some((target, LowerName::read(target).expect("the builder encoded it")))
    }
}

/// Appends one record as [`RecordSet`] keeps it.
pub(crate) fn push_record(bytes: &mut Vec<u8>, kind: u16, ttl: u32, data: &[u8]) {
    const CLASS_IN: u16 = 1;
    let length = u16::try_from(data.len()).expect("record data is bounded before");
    bytes.extend_from_slice(&kind.to_be_bytes());
    bytes.extend_from_slice(&CLASS_IN.to_be_bytes());
    bytes.extend_from_slice(&ttl.to_be_bytes());
    bytes.extend_from_slice(&length.to_be_bytes());
    bytes.extend_from_slice(data);
}

/// Where names lie in the data of the types that RFC 1035 defined, which alone may be compressed
/// (RFC 3597 §4): the bytes before the first, and how many follow one another.
pub(crate) fn compressible(kind: u16) -> Option<(usize, usize)> {
    match kind {
        kinds::NS | kinds::CNAME | kinds::PTR => Some((0, 1)),
        kinds::MX => Some((2, 1)),
        kinds::SOA => Some((0, 2)),
        _ => None,
    }
}

/// The host that data of this type sends its reader to, whose addresses are worth adding.
pub(crate) fn host(kind: u16, data: &[u8]) -> Option<&[u8]> {
    let name = match kind {
        kinds::NS => data,
        kinds::MX => &data[2..],
        kinds::SRV => &data[6..],
        _ => return None,
    };
    Some(&name[..end_of_name(name)])
}
