//! A zone as a master file (RFC 1035 §5), for people and for other servers.

use std::{
    fmt::{self, Display},
    net::IpAddr,
};

use crate::{
    name::{LowerName, Presentation, end_of_name},
    zone::{Zone, record_set::kinds},
};

/// Shows a zone as a master file: the SOA first, then names in the order of RFC 4034 §6.1, every
/// name to its root.
#[derive(Debug)]
pub struct ZoneFile<'z>(pub &'z Zone);

/// One record in the words of a master file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Row {
    /// To its root.
    pub owner: String,
    pub ttl: u32,
    pub kind: String,
    pub data: String,
}

impl<'z> ZoneFile<'z> {
    /// Every record, in the order of the file.
    pub fn rows(&self) -> impl Iterator<Item = Row> + use<'z> {
        let mut sets: Vec<_> = self.0.record_sets().collect();
        sets.sort_by_cached_key(|(owner, set)| {
            (labels_from_the_root(owner), set.kind() != kinds::SOA, set.kind())
        });
        sets.into_iter().flat_map(|(owner, set)| {
            set.records().map(move |data| Row {
                owner: owner.to_string(),
                ttl: set.ttl(),
                kind: Kind(set.kind()).to_string(),
                data: Data { kind: set.kind(), data }.to_string(),
            })
        })
    }
}

impl Display for ZoneFile<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.rows().try_for_each(|row| writeln!(f, "{row}"))
    }
}

impl Display for Row {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}\t{}\tIN\t{}\t{}", self.owner, self.ttl, self.kind, self.data)
    }
}

fn labels_from_the_root(owner: &LowerName) -> Vec<Vec<u8>> {
    let label = |skipped: usize| {
        let rest = owner.without(skipped);
        rest[1..=usize::from(rest[0])].to_vec()
    };
    (0..owner.labels()).rev().map(label).collect()
}

/// The type's mnemonic, where [`Data`] writes its data in words.
struct Kind(u16);

impl Display for Kind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self.0 {
            kinds::A => "A",
            kinds::NS => "NS",
            kinds::CNAME => "CNAME",
            kinds::SOA => "SOA",
            kinds::PTR => "PTR",
            kinds::MX => "MX",
            kinds::TXT => "TXT",
            kinds::AAAA => "AAAA",
            kinds::SRV => "SRV",
            kinds::CAA => "CAA",
            other => return write!(f, "TYPE{other}"),
        })
    }
}

/// Record data in the words of its type, else in those of any type (RFC 3597 §5).
struct Data<'d> {
    kind: u16,
    data: &'d [u8],
}

impl Display for Data<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let data = self.data;
        match self.kind {
            kinds::A => write_address::<4>(f, data),
            kinds::AAAA => write_address::<16>(f, data),
            kinds::NS | kinds::CNAME | kinds::PTR => Presentation(data).fmt(f),
            kinds::MX => write!(f, "{} {}", number(data, 0), Presentation(&data[2..])),
            kinds::SRV => {
                let [priority, weight, port] = [0, 2, 4].map(|at| number(data, at));
                write!(f, "{priority} {weight} {port} {}", Presentation(&data[6..]))
            }
            kinds::SOA => write_soa(f, data),
            kinds::TXT => write_strings(f, data),
            kinds::CAA => write_caa(f, data),
            _ => write_generic(f, data),
        }
    }
}

fn number(data: &[u8], at: usize) -> u16 {
    u16::from_be_bytes([data[at], data[at + 1]])
}

fn write_address<const N: usize>(f: &mut fmt::Formatter<'_>, data: &[u8]) -> fmt::Result
where
    [u8; N]: Into<IpAddr>,
{
    let octets: [u8; N] = data.try_into().map_err(|_| fmt::Error)?;
    octets.into().fmt(f)
}

fn write_soa(f: &mut fmt::Formatter<'_>, data: &[u8]) -> fmt::Result {
    let (mname, rest) = data.split_at(end_of_name(data));
    let (rname, numbers) = rest.split_at(end_of_name(rest));
    write!(f, "{} {}", Presentation(mname), Presentation(rname))?;
    for number in numbers.chunks_exact(4) {
        let number: [u8; 4] = number.try_into().map_err(|_| fmt::Error)?;
        write!(f, " {}", u32::from_be_bytes(number))?;
    }
    Ok(())
}

fn write_strings(f: &mut fmt::Formatter<'_>, data: &[u8]) -> fmt::Result {
    let mut rest = data;
    let mut separator = "";
    while let [length, after @ ..] = rest {
        let (string, next) = after.split_at(usize::from(*length));
        f.write_str(separator)?;
        write_quoted(f, string)?;
        (separator, rest) = (" ", next);
    }
    Ok(())
}

fn write_caa(f: &mut fmt::Formatter<'_>, data: &[u8]) -> fmt::Result {
    let [flags, length, rest @ ..] = data else { return write_generic(f, data) };
    let Some((tag, value)) = rest.split_at_checked(usize::from(*length)) else {
        return write_generic(f, data);
    };
    write!(f, "{flags} {} ", String::from_utf8_lossy(tag))?;
    write_quoted(f, value)
}

fn write_quoted(f: &mut fmt::Formatter<'_>, string: &[u8]) -> fmt::Result {
    f.write_str("\"")?;
    for byte in string {
        match byte {
            b'"' | b'\\' => write!(f, "\\{}", char::from(*byte))?,
            b' '..=b'~' => write!(f, "{}", char::from(*byte))?,
            other => write!(f, "\\{other:03}")?,
        }
    }
    f.write_str("\"")
}

fn write_generic(f: &mut fmt::Formatter<'_>, data: &[u8]) -> fmt::Result {
    write!(f, "\\# {} ", data.len())?;
    data.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
}
