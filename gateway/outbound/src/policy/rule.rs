//! A line of a policy: `10.1.0.0/16`, `10.1.2.3:8080`, `[fd00::1]:8080`, `api.internal`, `*.internal:8443`.

use std::{
    fmt,
    net::{IpAddr, Ipv6Addr},
    str::FromStr,
};

use ipnet::IpNet;

use super::address::{self, Special};

/// Addresses or hosts, at one port or at those that are open anyway.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Rule {
    target: Target,
    pub(super) port: Option<u16>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum Target {
    Network(IpNet),
    /// Lower case.
    Host(String),
    /// All names below this one; it begins with a dot.
    HostsBelow(String),
}

/// A text that is no rule.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum RuleError {
    #[error("not an address, a network or a host")]
    Shape,
    #[error("not a port")]
    Port,
    #[error("the network has bits set behind its length")]
    HostBits,
}

impl Rule {
    /// All addresses of a network.
    pub fn network(network: IpNet) -> Self {
        Self { target: Target::Network(network), port: None }
    }

    /// A metadata service holds the machine's own credentials, so it takes a rule that names just its address.
    pub(super) fn allows(&self, host: &str, ip: IpAddr, special: Option<Special>) -> bool {
        match &self.target {
            Target::Network(network) => {
                let exact = network.prefix_len() == network.max_prefix_len();
                network.contains(&ip) && (exact || special != Some(Special::Metadata))
            }
            _ if special == Some(Special::Metadata) => false,
            _ => self.names(host),
        }
    }

    pub(super) fn denies(&self, host: &str, ip: IpAddr, port: u16) -> bool {
        let meant = match &self.target {
            Target::Network(network) => network.contains(&ip),
            _ => self.names(host),
        };
        meant && self.port.is_none_or(|own| own == port)
    }

    fn names(&self, host: &str) -> bool {
        let host = host.strip_suffix('.').unwrap_or(host);
        match &self.target {
            Target::Network(_) => false,
            Target::Host(name) => host.eq_ignore_ascii_case(name),
            Target::HostsBelow(suffix) => {
                let at = host.len().checked_sub(suffix.len()).filter(|at| *at > 0);
                at.and_then(|at| host.get(at..)).is_some_and(|end| end.eq_ignore_ascii_case(suffix))
            }
        }
    }
}

impl FromStr for Rule {
    type Err = RuleError;

    fn from_str(text: &str) -> Result<Self, RuleError> {
        if let Some(target) = network(text)? {
            return Ok(Self { target, port: None });
        }
        if let Some((v6, port)) = text.strip_prefix('[').and_then(|text| text.split_once(']')) {
            let v6: Ipv6Addr = v6.parse().map_err(|_| RuleError::Shape)?;
            let target = Target::Network(address::canonical(v6.into()).into());
            return match port.strip_prefix(':') {
                Some(port) => Ok(Self { target, port: Some(number(port)?) }),
                None if port.is_empty() => Ok(Self { target, port: None }),
                None => Err(RuleError::Shape),
            };
        }
        let (text, port) = match text.rsplit_once(':') {
            Some((text, port)) => (text, Some(number(port)?)),
            None => (text, None),
        };
        let target = match network(text)? {
            Some(target) => target,
            None => host(text)?,
        };
        Ok(Self { target, port })
    }
}

fn number(port: &str) -> Result<u16, RuleError> {
    port.parse().ok().filter(|port| *port > 0).ok_or(RuleError::Port)
}

/// An address or a network; nothing if it looks like neither.
fn network(text: &str) -> Result<Option<Target>, RuleError> {
    if let Ok(ip) = text.parse::<IpAddr>() {
        return Ok(Some(Target::Network(address::canonical(ip).into())));
    }
    match text.parse::<IpNet>() {
        Ok(network) if network == network.trunc() => Ok(Some(Target::Network(network))),
        Ok(_) => Err(RuleError::HostBits),
        Err(_) => Ok(None),
    }
}

fn host(text: &str) -> Result<Target, RuleError> {
    let (name, below) = match text.strip_prefix("*.") {
        Some(name) => (name, true),
        None => (text, false),
    };
    let is_label = |label: &str| {
        (1..=63).contains(&label.len())
            && label.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-_".contains(&byte))
    };
    let last = name.rsplit('.').next().unwrap_or_default();
    // A mistyped address would be taken for the name of a host that nobody has.
    let is_number = !last.is_empty() && last.bytes().all(|byte| byte.is_ascii_digit());
    if name.len() > 253 || is_number || !name.split('.').all(is_label) {
        return Err(RuleError::Shape);
    }
    let name = name.to_ascii_lowercase();
    Ok(if below { Target::HostsBelow(format!(".{name}")) } else { Target::Host(name) })
}

impl fmt::Display for Rule {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let exact = |network: &IpNet| network.prefix_len() == network.max_prefix_len();
        match (&self.target, self.port) {
            (Target::Network(network), Some(_)) if exact(network) && network.addr().is_ipv6() => {
                write!(f, "[{}]", network.addr())?;
            }
            (Target::Network(network), _) if exact(network) => write!(f, "{}", network.addr())?,
            (Target::Network(network), _) => write!(f, "{network}")?,
            (Target::Host(name), _) => f.write_str(name)?,
            (Target::HostsBelow(suffix), _) => write!(f, "*{suffix}")?,
        }
        self.port.map_or(Ok(()), |port| write!(f, ":{port}"))
    }
}
