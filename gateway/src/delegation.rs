//! Whether a zone is delegated as it should be: what its parent says, what its servers say, and what
//! of it is wrong.
//!
//! ```text
//!   parent's servers ──┐
//!                      ├─► look ──► Seen ──► judge ──► findings, records to enter
//!   zone's servers ────┘   asks     values   pure
//! ```

pub mod judge;
pub mod look;

use std::{
    collections::{BTreeMap, BTreeSet},
    net::{IpAddr, SocketAddr},
};

use headgate_dns::Name;
use headgate_outbound::Authorization;

pub use self::{
    judge::{Finding, Severity, Verdict, judge},
    look::{LookError, Options, look},
};

/// Everything that was seen of one zone.
#[derive(Debug, Clone)]
pub struct Seen {
    pub zone: Name,
    pub parent: Vec<ParentSeen>,
    /// Each server of the zone at each of its addresses.
    pub servers: Vec<ServerSeen>,
    /// What the zone says about its name servers, if one of them spoke for it.
    pub own: Option<Own>,
    /// The server that was named and did not speak for the zone.
    pub silent: Option<SocketAddr>,
    /// Servers that no address was found for, and why.
    pub unresolved: BTreeMap<Name, String>,
    /// The CAA records that hold for the zone, with the name they are at.
    pub caa: Option<(Name, Vec<Authorization>)>,
}

#[derive(Debug, Clone)]
pub struct ParentSeen {
    pub address: SocketAddr,
    /// Or why it said nothing of use.
    pub referral: Result<Referral, String>,
}

/// What a server of the parent says about the zone; empty if it says that there is none.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Referral {
    pub name_servers: BTreeSet<Name>,
    pub glue: Addresses,
}

pub type Addresses = BTreeMap<Name, BTreeSet<IpAddr>>;

/// The zone's own word.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Own {
    pub name_servers: BTreeSet<Name>,
    /// Of those within the zone.
    pub addresses: Addresses,
}

#[derive(Debug, Clone)]
pub struct ServerSeen {
    pub host: Name,
    pub address: SocketAddr,
    pub udp: Result<Answer, Silence>,
    pub tcp: Result<Answer, Silence>,
}

/// What a server answers when it is asked for the zone's SOA and NS records.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Answer {
    pub rcode: String,
    pub authoritative: bool,
    pub serial: Option<u32>,
    /// Empty over TCP, where only the SOA is asked for.
    pub name_servers: BTreeSet<Name>,
}

/// Why there was no answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Silence {
    /// This machine has no way to such an address, which says nothing about the server.
    NoRoute,
    Failed(String),
}

impl Answer {
    /// It has the zone and says so.
    fn speaks_for_it(&self) -> bool {
        self.authoritative && self.rcode == "NOERROR" && self.serial.is_some()
    }
}

/// `shop.example.` without its dot, for people.
pub fn shown(name: &Name) -> String {
    let text = name.to_ascii();
    match text.strip_suffix('.') {
        Some(short) if !short.is_empty() => short.to_owned(),
        _ => text,
    }
}
