//! `zone` and `dns` of a node's configuration, as values.

use std::{
    fmt,
    net::{IpAddr, SocketAddr},
    num::NonZeroU32,
    str::FromStr,
};

use headgate_types::DomainName;

use super::{Listen, NodeConfig};

/// The operator's own zone.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ZoneConfig {
    pub name: DomainName,
    /// Public addresses of the gateways: what every host and the name servers resolve to.
    pub addresses: Vec<IpAddr>,
    /// What parents delegate to, the first one named in the SOA. At least one.
    pub nameservers: Vec<DomainName>,
    /// Who is responsible for the zone, for people who read its SOA.
    pub contact: Mailbox,
}

impl ZoneConfig {
    /// With all that need not be said.
    pub(super) fn with_defaults(name: DomainName, addresses: Vec<IpAddr>) -> Self {
        let nameservers = ["ns1", "ns2"].map(|label| format!("{label}.{name}"));
        Self {
            nameservers: nameservers.iter().filter_map(|name| name.parse().ok()).collect(),
            contact: Mailbox { local: "hostmaster".to_owned(), domain: name.clone() },
            addresses,
            name,
        }
    }
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DnsConfig {
    /// UDP and TCP. None at all: zones are made, for `headgate dns export`, and others serve them.
    pub listen: Listen,
    /// The same over TLS; nowhere unless it is asked for.
    pub tls: Vec<SocketAddr>,
    /// An address that is taken is left out, where DNS is a help and not what the node is for.
    pub if_free: bool,
    /// One in so many queries is logged.
    pub query_log: Option<NonZeroU32>,
}

impl NodeConfig {
    /// The addresses that names resolve to: what the zone says, else those that are listened on.
    pub fn public_addresses(&self) -> Vec<IpAddr> {
        if let Some(zone) = &self.zone {
            return zone.addresses.clone();
        }
        let mut addresses = Vec::new();
        for address in self.https.addresses.iter().chain(&self.http.addresses) {
            let ip = address.ip();
            if !ip.is_unspecified() && !addresses.contains(&ip) {
                addresses.push(ip);
            }
        }
        addresses
    }
}

/// `local@domain`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Mailbox {
    pub local: String,
    pub domain: DomainName,
}

/// The text is not a mail address, or one that an SOA record cannot hold.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("not a mail address")]
pub struct NotAMailbox;

impl FromStr for Mailbox {
    type Err = NotAMailbox;

    fn from_str(text: &str) -> Result<Self, NotAMailbox> {
        let (local, domain) = text.rsplit_once('@').ok_or(NotAMailbox)?;
        let plain = |c: char| c.is_ascii_alphanumeric() || "-_.+".contains(c);
        // It becomes one label of a name.
        if !(1..=63).contains(&local.len()) || !local.chars().all(plain) {
            return Err(NotAMailbox);
        }
        Ok(Self { local: local.to_owned(), domain: domain.parse().map_err(|_| NotAMailbox)? })
    }
}

impl fmt::Display for Mailbox {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}@{}", self.local, self.domain)
    }
}
