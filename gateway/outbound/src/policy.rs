//! `Policy`: which addresses may be connected to.
//!
//! It judges the address a connection is about to be made to, never the text of a URL. So it makes no difference
//! how an address was spelled, what a name resolves to today, or whether a redirect led there.

pub mod address;
mod rule;

use std::{
    fmt,
    net::{IpAddr, SocketAddr},
    ops::RangeInclusive,
    str::FromStr,
};

use self::address::Special;
pub use self::rule::{Rule, RuleError};
use crate::defaults;

/// What guests may reach. A rule that denies wins over one that allows, and that over what everybody may:
/// public addresses, at `ports`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Policy {
    /// Reachable although they are not public, or at a port of their own.
    pub allow: Vec<Rule>,
    /// Never reachable.
    pub deny: Vec<Rule>,
    /// The ports of everything else.
    pub ports: Vec<Ports>,
}

impl Policy {
    /// Whether a connection to `address` may be made, by a request for `host`.
    ///
    /// # Errors
    /// Why not.
    pub fn check(&self, host: &str, address: SocketAddr) -> Result<(), Denied> {
        self.judge(host, address, |port| self.allows_port(port))
    }

    /// Whether a name server at `address` may be asked.
    ///
    /// # Errors
    /// Why not.
    pub fn check_name_server(&self, address: SocketAddr) -> Result<(), Denied> {
        let host = address.ip().to_string();
        self.judge(&host, address, |port| port == DNS_PORT || self.allows_port(port))
    }

    fn judge(
        &self,
        host: &str,
        address: SocketAddr,
        port_is_open: impl Fn(u16) -> bool,
    ) -> Result<(), Denied> {
        let (ip, port) = (address::canonical(address.ip()), address.port());
        if let Some(rule) = self.deny.iter().find(|rule| rule.denies(host, ip, port)) {
            return Err(Denied::Rule { ip, rule: rule.to_string() });
        }
        let special = address::special(ip);
        let mut open = special.is_none();
        for rule in self.allow.iter().filter(|rule| rule.allows(host, ip, special)) {
            if rule.port == Some(port) {
                return Ok(());
            }
            open |= rule.port.is_none();
        }
        match special {
            Some(special) if !open => Err(Denied::Address { ip, special }),
            _ if port_is_open(port) => Ok(()),
            _ => Err(Denied::Port { port }),
        }
    }

    fn allows_port(&self, port: u16) -> bool {
        self.ports.iter().any(|ports| ports.0.contains(&port))
    }
}

impl Default for Policy {
    fn default() -> Self {
        let ports = defaults::PORTS.into_iter().map(Ports).collect();
        Self { allow: Vec::new(), deny: Vec::new(), ports }
    }
}

const DNS_PORT: u16 = 53;

/// Why an address may not be connected to.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Denied {
    #[error("{ip} is {special}")]
    Address { ip: IpAddr, special: Special },
    #[error("port {port} is none that guests may use")]
    Port { port: u16 },
    #[error("{ip} is denied by `{rule}`")]
    Rule { ip: IpAddr, rule: String },
}

/// A range of ports: `443`, or `1024-65535`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Ports(pub RangeInclusive<u16>);

/// A text that is no port and no range of them.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("not a port, nor a range of ports")]
pub struct NoPorts;

impl FromStr for Ports {
    type Err = NoPorts;

    fn from_str(text: &str) -> Result<Self, NoPorts> {
        let (first, last) = text.split_once('-').unwrap_or((text, text));
        let port = |text: &str| text.trim().parse::<u16>().map_err(|_| NoPorts);
        let (first, last) = (port(first)?, port(last)?);
        if first == 0 || last < first { Err(NoPorts) } else { Ok(Self(first..=last)) }
    }
}

impl fmt::Display for Ports {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match (self.0.start(), self.0.end()) {
            (first, last) if first == last => write!(f, "{first}"),
            (first, last) => write!(f, "{first}-{last}"),
        }
    }
}

#[cfg(test)]
mod tests;
