//! `ZoneBuilder`: records in, a `Zone` or every problem of them out.

use std::{collections::BTreeMap, fmt};

use hickory_proto::{
    rr::{Name, RData, RecordType},
    serialize::binary::{BinEncodable as _, BinEncoder, NameEncoding},
};

use super::{Zone, check, layout::Layout, record_set::kinds};
use crate::{defaults, name::LowerName};

/// Gathers the records of a zone and looks at them as a whole.
///
/// It takes what a server can answer for without doubt: an SOA and name servers with their
/// addresses at the origin, aliases that stand alone, nothing below a delegation but glue.
#[derive(Debug)]
pub struct ZoneBuilder {
    origin: LowerName,
    /// By the owner's name in wire form, relative to the origin.
    owners: Owners,
    problems: Vec<Problem>,
}

/// The record sets of each owner.
pub(super) type Owners = BTreeMap<Box<[u8]>, Vec<PendingSet>>;

/// A record set that is still gathered.
#[derive(Debug)]
pub(super) struct PendingSet {
    pub(super) kind: u16,
    pub(super) ttl: u32,
    pub(super) data: Vec<Box<[u8]>>,
}

/// A zone that nobody could answer for, and why.
#[derive(Debug, thiserror::Error)]
#[error("zone {origin} is not valid: {}", join(.problems))]
pub struct InvalidZone {
    pub origin: Box<LowerName>,
    pub problems: Vec<Problem>,
}

/// What is wrong at a name.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{owner}: {fault}")]
pub struct Problem {
    pub owner: LowerName,
    pub fault: Fault,
}

/// What can be wrong with records.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Fault {
    #[error("the name is not within the zone")]
    OutOfZone,
    #[error("records of type {0} cannot be served")]
    Type(RecordType),
    #[error("the data of a record of type {0} has no wire form")]
    Data(RecordType),
    #[error("the TTL {0} is beyond 2147483647 seconds")]
    Ttl(u32),
    #[error("records of type {0} differ in their TTL")]
    Ttls(RecordType),
    #[error("records of type {0} take more than one message holds")]
    TooLarge(RecordType),
    #[error("an origin needs exactly one SOA record")]
    Soa,
    #[error("an SOA record stands at the origin only")]
    SoaBelow,
    #[error("an origin needs NS records")]
    NoNameServer,
    #[error("an alias (CNAME) stands alone at its name, and there is one of it")]
    Alias,
    #[error("the name server {0} is an alias")]
    NameServerIsAlias(Box<LowerName>),
    #[error("the name server {0} lies in the zone and has no address there")]
    NoAddress(Box<LowerName>),
    #[error(
        "only addresses of name servers may stand at or below the delegation {cut}, not {kind}"
    )]
    Delegated { cut: Box<LowerName>, kind: RecordType },
    #[error("a wildcard cannot delegate")]
    WildcardDelegation,
    #[error("a DS record stands at a delegation only")]
    NoDelegation,
    #[error("the issuer of a CAA record is written without a dot at its end")]
    IssuerWithDot,
    #[error("the zone is larger than 4 GiB")]
    ZoneTooLarge,
}

impl ZoneBuilder {
    pub fn new(origin: &Name) -> Self {
        Self { origin: origin.into(), owners: Owners::new(), problems: Vec::new() }
    }

    /// Adds a record. One that is there already is not added twice (RFC 2181 §5). What is wrong
    /// with it is told by [`ZoneBuilder::build`], together with everything else.
    pub fn add(&mut self, owner: &Name, ttl: u32, data: &RData) -> &mut Self {
        let owner = LowerName::from(owner);
        if let Err(fault) = self.try_add(&owner, ttl, data) {
            self.problems.push(Problem { owner, fault });
        }
        self
    }

    fn try_add(&mut self, owner: &LowerName, ttl: u32, data: &RData) -> Result<(), Fault> {
        if !owner.is_within(&self.origin) {
            return Err(Fault::OutOfZone);
        }
        if i32::try_from(ttl).is_err() {
            return Err(Fault::Ttl(ttl));
        }
        let kind = u16::from(data.record_type());
        if !can_be_served(kind) {
            return Err(Fault::Type(data.record_type()));
        }
        let data = encode(data).ok_or_else(|| Fault::Data(data.record_type()))?;
        let sets = self.owners.entry(owner.relative(0, self.origin.as_wire().len()).into());
        let sets = sets.or_default();
        let Some(set) = sets.iter_mut().find(|set| set.kind == kind) else {
            sets.push(PendingSet { kind, ttl, data: vec![data] });
            return Ok(());
        };
        if set.ttl != ttl {
            return Err(Fault::Ttls(kind.into()));
        }
        if !set.data.contains(&data) {
            set.data.push(data);
        }
        Ok(())
    }

    /// The zone, if there is nothing wrong with it.
    ///
    /// # Errors
    ///
    /// Every problem of the records, in the order of their names.
    pub fn build(mut self) -> Result<Zone, InvalidZone> {
        let faults = check::faults(&self.origin, &self.owners);
        self.problems.extend(faults);
        if !self.problems.is_empty() {
            return Err(self.invalid());
        }
        let records = self.owners.values().flatten().map(|set| set.data.len()).sum();
        match Layout::of(&self.origin, &self.owners, records) {
            Some(layout) => Ok(layout.into_zone(self.origin)),
            None => {
                self.problems.push(Problem { owner: self.origin, fault: Fault::ZoneTooLarge });
                Err(self.invalid())
            }
        }
    }

    fn invalid(self) -> InvalidZone {
        InvalidZone { origin: Box::new(self.origin), problems: self.problems }
    }
}

fn join(problems: &[Problem]) -> impl fmt::Display + use<> {
    problems.iter().map(Problem::to_string).collect::<Vec<_>>().join("; ")
}

/// Types that are questions or belong to one message have no records; those that come with signing
/// would be lies without it. A DNAME is answered with aliases made up for each name below it (RFC 6672);
/// no zone here has one, because projects cannot write it.
fn can_be_served(kind: u16) -> bool {
    use kinds::{DNAME, NSEC, NSEC3, NSEC3PARAM, OPT, RRSIG};
    !matches!(kind, 0 | 128..=255 | OPT | DNAME | RRSIG | NSEC | NSEC3 | NSEC3PARAM)
}

fn encode(data: &RData) -> Option<Box<[u8]>> {
    let mut bytes = Vec::new();
    let mut encoder = BinEncoder::new(&mut bytes);
    encoder.set_name_encoding(NameEncoding::Uncompressed);
    data.emit(&mut encoder).ok()?;
    (bytes.len() <= defaults::RECORD_SET_BYTES).then(|| bytes.into())
}
