//! Why nothing listens for DNS at an address, and what helps.

use std::{io, net::SocketAddr, path::Path};

use headgate_dns::BindError;

#[derive(Debug, thiserror::Error)]
pub(crate) enum ListenError {
    #[error(
        "{0} is in use for DNS by another program: stop it (`ss -lnup sport = :{port}` names it) or choose \
         another address with `dns: {{listen: …}}`",
        port = .0.port()
    )]
    InUse(SocketAddr),
    /// Most distributions have it on, and who meets it here meets it for the first time.
    #[error(
        "{0} is in use by systemd-resolved, which answers this machine's own lookups at 127.0.0.53:53: name the \
         machine's public addresses in `dns: {{listen: ['192.0.2.1:53']}}`, or write `DNSStubListener=no` into \
         /etc/systemd/resolved.conf and restart it"
    )]
    Resolved(SocketAddr),
    #[error(
        "this user may not listen on {0}: ports below 1024 need CAP_NET_BIND_SERVICE (or root), or choose a higher \
         one and forward port 53 to it"
    )]
    Denied(SocketAddr),
    #[error("no network interface of this machine has the address {0}: `ip address` lists them")]
    NoSuchAddress(SocketAddr),
    #[error("DNS cannot be answered")]
    Other(#[from] BindError),
}

impl ListenError {
    pub(super) fn of(error: BindError) -> Self {
        // The stub listener is on wherever this file is.
        let stub = Path::new("/run/systemd/resolve/stub-resolv.conf").exists();
        Self::explain(error, stub)
    }

    fn explain(error: BindError, stub: bool) -> Self {
        let address = error.address;
        let in_its_way = address.ip().is_unspecified() || address.ip().is_loopback();
        match error.error.kind() {
            io::ErrorKind::AddrInUse if stub && in_its_way && address.port() == 53 => {
                Self::Resolved(address)
            }
            io::ErrorKind::AddrInUse => Self::InUse(address),
            io::ErrorKind::PermissionDenied => Self::Denied(address),
            io::ErrorKind::AddrNotAvailable => Self::NoSuchAddress(address),
            _ => Self::Other(error),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn told(address: &str, kind: io::ErrorKind, stub: bool) -> String {
        let address = address.parse().unwrap();
        let error = BindError { address, transport: "UDP", error: kind.into() };
        ListenError::explain(error, stub).to_string()
    }

    #[test]
    fn the_resolver_of_systemd_is_named_where_it_is_in_the_way() {
        let in_use = io::ErrorKind::AddrInUse;
        assert!(told("0.0.0.0:53", in_use, true).contains("DNSStubListener=no"));
        for (address, stub) in [("0.0.0.0:53", false), ("192.0.2.1:53", true), ("0.0.0.0:54", true)]
        {
            assert!(told(address, in_use, stub).contains("ss -lnup"), "{address}");
        }
    }

    #[test]
    fn what_helps_is_told() {
        let denied = told("0.0.0.0:53", io::ErrorKind::PermissionDenied, true);
        assert!(denied.contains("CAP_NET_BIND_SERVICE"), "{denied}");
        let elsewhere = told("192.0.2.1:53", io::ErrorKind::AddrNotAvailable, false);
        assert!(elsewhere.contains("ip address"), "{elsewhere}");
    }

    #[test]
    fn a_socket_that_another_has_is_in_use() {
        let first = headgate_dns::bind("127.0.0.1:0".parse().unwrap(), 2).unwrap();
        let error = headgate_dns::bind(first.address(), 2).unwrap_err();
        assert!(matches!(ListenError::of(error), ListenError::InUse(a) if a == first.address()));
    }
}
