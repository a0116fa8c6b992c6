//! `Writer`: a response as it grows, its names compressed, within the size its client takes.

use super::{HEADER, OPT_FIXED, Rcode, flags, query::Head};
use crate::{
    defaults,
    zone::record_set::{FIXED, RecordSet, compressible},
};

/// Writes one response into a buffer.
#[derive(Debug)]
pub(crate) struct Writer<'b, 'm> {
    out: &'b mut Vec<u8>,
    /// Bytes the message may have, beside those kept for OPT.
    limit: usize,
    flags: u16,
    rcode: Rcode,
    counts: [u16; 4],
    /// Names that were written, from each of their labels on, and where.
    names: [(u16, &'m [u8]); defaults::COMPRESSION_NAMES],
    known: usize,
    /// The least TTL of what was written, additional records aside.
    least_ttl: Option<u32>,
}

/// The section a record set is written to, by its place among the counts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Section {
    Answer = 1,
    Authority = 2,
    Additional = 3,
}

/// The owner of the records to write.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Owner<'m> {
    /// The name of the question.
    Question,
    Name(&'m [u8]),
    /// A name within the zone: relative to the origin, and the origin.
    Within(&'m [u8], &'m [u8]),
}

/// A record set did not fit, and nothing of it was written.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Full;

/// What the OPT record of a response says.
#[derive(Debug, Clone, Copy)]
pub(crate) struct ResponseOpt {
    pub(crate) dnssec_ok: bool,
    /// Client and server cookie.
    pub(crate) cookie: Option<[u8; 24]>,
}

impl ResponseOpt {
    const COOKIE_HEADER: [u8; 4] = [0, 10, 0, 24];

    fn size(self) -> usize {
        OPT_FIXED + self.cookie.map_or(0, |cookie| Self::COOKIE_HEADER.len() + cookie.len())
    }
}

const POINTER: u16 = 0xC000;
/// Messages longer than this have ends that no pointer reaches.
const POINTER_REACH: usize = 0x4000;

impl<'b, 'm> Writer<'b, 'm> {
    /// Begins a response that repeats `question`, which is in wire form with type and class.
    pub(crate) fn begin(
        out: &'b mut Vec<u8>,
        head: Head,
        question: Option<&'m [u8]>,
        limit: usize,
        opt: Option<ResponseOpt>,
    ) -> Self {
        let repeated = flags::OPCODE | flags::RECURSION_DESIRED | flags::CHECKING_DISABLED;
        out.clear();
        out.extend_from_slice(&head.id.to_be_bytes());
        out.resize(HEADER, 0);
        let mut writer = Self {
            out,
            limit: limit - opt.map_or(0, ResponseOpt::size),
            flags: flags::RESPONSE | head.flags & repeated,
            rcode: Rcode::NoError,
            counts: [0; 4],
            names: [(0, &[]); defaults::COMPRESSION_NAMES],
            known: 0,
            least_ttl: None,
        };
        if let Some(question) = question {
            let name = &question[..question.len() - 4];
            writer.learn(name, HEADER);
            writer.out.extend_from_slice(question);
            writer.counts[0] = 1;
        }
        writer
    }

    pub(crate) fn set(&mut self, flag: u16) {
        self.flags |= flag;
    }

    pub(crate) fn clear(&mut self, flag: u16) {
        self.flags &= !flag;
    }

    pub(crate) fn set_rcode(&mut self, rcode: Rcode) {
        self.rcode = rcode;
    }

    pub(crate) fn rcode(&self) -> Rcode {
        self.rcode
    }

    pub(crate) fn least_ttl(&self) -> Option<u32> {
        self.least_ttl
    }

    /// Writes a record set as a whole, with another TTL than its own if that is given.
    pub(crate) fn put(
        &mut self,
        section: Section,
        owner: Owner<'m>,
        set: &RecordSet<'m>,
        ttl: Option<u32>,
    ) -> Result<(), Full> {
        let (start, known) = (self.out.len(), self.known);
        let mut pointer = match owner {
            Owner::Question => Some(POINTER | 12),
            Owner::Name(_) | Owner::Within(..) => None,
        };
        let mut written = 0;
        for record in set.sent() {
            match pointer {
                Some(pointer) => self.out.extend_from_slice(&pointer.to_be_bytes()),
                None => pointer = self.put_owner(owner),
            }
            self.put_record(set.kind, record, ttl);
            written += 1;
            if self.out.len() > self.limit {
                self.out.truncate(start);
                self.known = known;
                return Err(Full);
            }
        }
        self.counts[section as usize] += written;
        if section != Section::Additional {
            let ttl = ttl.unwrap_or(set.ttl);
            self.least_ttl = Some(self.least_ttl.map_or(ttl, |least| least.min(ttl)));
        }
        Ok(())
    }

    /// Ends the response with its OPT record and fills in the header.
    pub(crate) fn finish(mut self, opt: Option<ResponseOpt>) {
        if let Some(opt) = opt {
            self.put_opt(opt);
        }
        let flags = self.flags | self.rcode.code() & 0xF;
        self.out[2..4].copy_from_slice(&flags.to_be_bytes());
        for (count, bytes) in self.counts.iter().zip(self.out[4..HEADER].chunks_exact_mut(2)) {
            bytes.copy_from_slice(&count.to_be_bytes());
        }
    }

    fn put_opt(&mut self, opt: ResponseOpt) {
        let announced = u16::try_from(defaults::UDP_ANSWER).expect("a datagram's size");
        let length = u16::try_from(opt.size() - OPT_FIXED).expect("one option");
        let [extended, _] = (self.rcode.code() << 4).to_be_bytes();
        let dnssec_ok = if opt.dnssec_ok { 0x80 } else { 0 };
        self.out.extend_from_slice(&[0, 0, 41]);
        self.out.extend_from_slice(&announced.to_be_bytes());
        self.out.extend_from_slice(&[extended, 0, dnssec_ok, 0]);
        self.out.extend_from_slice(&length.to_be_bytes());
        if let Some(cookie) = opt.cookie {
            self.out.extend_from_slice(&ResponseOpt::COOKIE_HEADER);
            self.out.extend_from_slice(&cookie);
        }
        self.counts[Section::Additional as usize] += 1;
    }

    /// Writes the owner of a set's first record; what the other records have instead.
    fn put_owner(&mut self, owner: Owner<'m>) -> Option<u16> {
        let start = self.out.len();
        match owner {
            Owner::Question => self.out.extend_from_slice(&(POINTER | 12).to_be_bytes()),
            Owner::Name(name) => self.put_name(&[], name),
            Owner::Within(relative, origin) => self.put_name(relative, origin),
        }
        match self.out[start..] {
            [high, low] => Some(u16::from_be_bytes([high, low])),
            _ if start < POINTER_REACH => Some(POINTER | u16::try_from(start).ok()?),
            _ => None,
        }
    }

    fn put_record(&mut self, kind: u16, record: &'m [u8], ttl: Option<u32>) {
        let start = self.out.len();
        match compressible(kind) {
            None => self.out.extend_from_slice(record),
            Some((before, names)) => {
                self.out.extend_from_slice(&record[..FIXED + before]);
                let mut rest = &record[FIXED + before..];
                for _ in 0..names {
                    let (name, after) = rest.split_at(crate::name::end_of_name(rest));
                    self.put_name(&[], name);
                    rest = after;
                }
                self.out.extend_from_slice(rest);
                let length = self.out.len() - start - FIXED;
                let length = u16::try_from(length).expect("compressing makes nothing longer");
                self.out[start + FIXED - 2..start + FIXED].copy_from_slice(&length.to_be_bytes());
            }
        }
        if let Some(ttl) = ttl {
            self.out[start + 4..start + 8].copy_from_slice(&ttl.to_be_bytes());
        }
    }

    /// Writes the name that `head` and `tail` are together, pointing to what of its end is in the
    /// message already.
    fn put_name(&mut self, head: &'m [u8], tail: &'m [u8]) {
        let mut at = 0;
        while at < head.len() {
            if let Some(pointer) = self.pointer_to(&head[at..], tail) {
                self.out.extend_from_slice(&head[..at]);
                self.out.extend_from_slice(&pointer.to_be_bytes());
                return;
            }
            at += 1 + usize::from(head[at]);
        }
        self.out.extend_from_slice(head);

        let start = self.out.len();
        let mut at = 0;
        while tail[at] != 0 {
            if let Some(pointer) = self.pointer_to(&[], &tail[at..]) {
                self.out.extend_from_slice(&tail[..at]);
                self.out.extend_from_slice(&pointer.to_be_bytes());
                self.learn_labels(tail, start, at);
                return;
            }
            at += 1 + usize::from(tail[at]);
        }
        self.out.extend_from_slice(tail);
        self.learn_labels(tail, start, at);
    }

    fn pointer_to(&self, head: &[u8], tail: &[u8]) -> Option<u16> {
        let found = self.names[..self.known].iter().find(|(_, known)| {
            known.len() == head.len() + tail.len()
                && known[head.len()..].eq_ignore_ascii_case(tail)
                && known[..head.len()].eq_ignore_ascii_case(head)
        });
        found.map(|(place, _)| POINTER | place)
    }

    fn learn(&mut self, name: &'m [u8], at: usize) {
        self.learn_labels(name, at, name.len() - 1);
    }

    /// Remembers a name from each label on that begins before `until`, which were written out.
    fn learn_labels(&mut self, name: &'m [u8], start: usize, until: usize) {
        let mut at = 0;
        while at < until && self.known < self.names.len() && start + at < POINTER_REACH {
            let place = u16::try_from(start + at).expect("within the reach of pointers");
            self.names[self.known] = (place, &name[at..]);
            self.known += 1;
            at += 1 + usize::from(name[at]);
        }
    }
}
