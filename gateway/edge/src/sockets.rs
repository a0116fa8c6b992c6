//! Listening sockets: bound by ourselves, or taken as they were handed to us.
//!
//! [`serve`](crate::serve) takes sockets and never binds, so those of a parent process (`listenfd`,
//! systemd, a hot upgrade) serve as well as those of [`bind`].

use std::{
    io,
    net::{SocketAddr, TcpListener},
};

use socket2::{Domain, Protocol, Socket, Type};

use crate::defaults;

/// How sockets are bound.
#[derive(Debug, Clone)]
pub struct BindOptions {
    /// Sockets that share the port; the kernel spreads connections over them. One for each worker.
    pub sockets: usize,
    /// Connections that may wait for accept, per socket.
    pub backlog: i32,
}

impl Default for BindOptions {
    fn default() -> Self {
        Self { sockets: 1, backlog: defaults::BACKLOG }
    }
}

/// Why nothing listens on an address, and what helps.
#[derive(Debug, thiserror::Error)]
pub enum BindError {
    #[error(
        "{0} is in use by another program: stop it (`ss -ltnp sport = :{port}` names it) or choose another port",
        port = .0.port()
    )]
    InUse(SocketAddr),
    #[error(
        "this user may not listen on {0}: ports below 1024 need CAP_NET_BIND_SERVICE (or root), or choose a higher one"
    )]
    Denied(SocketAddr),
    #[error("no network interface of this machine has the address {0}: `ip address` lists them")]
    NoSuchAddress(SocketAddr),
    #[error("cannot listen on {address}")]
    Other { address: SocketAddr, source: io::Error },
}

/// Binds a group of sockets to one address. Port 0 picks a free port, the same for all of them.
///
/// IPv6 sockets take IPv6 only, so that `0.0.0.0:80` and `[::]:80` can be bound side by side and an
/// IPv4 client never shows up under a mapped address.
pub fn bind(address: SocketAddr, options: &BindOptions) -> Result<Vec<TcpListener>, BindError> {
    let count = options.sockets.max(1);
    let shared = count > 1;
    let explain = |error| BindError::of(address, error);
    if shared && address.port() != 0 {
        // A second group of the same user would join the first one silently and take half of its
        // connections.
        drop(socket(address, options, false).map_err(explain)?);
    }
    let first = socket(address, options, shared).map_err(explain)?;
    let picked = first.local_addr().map_err(explain)?;
    let mut sockets = vec![first];
    while sockets.len() < count {
        sockets.push(socket(picked, options, shared).map_err(explain)?);
    }
    Ok(sockets)
}

fn socket(address: SocketAddr, options: &BindOptions, shared: bool) -> io::Result<TcpListener> {
    let socket = Socket::new(Domain::for_address(address), Type::STREAM, Some(Protocol::TCP))?;
    if address.is_ipv6() {
        socket.set_only_v6(true)?;
    }
    // Connections of an earlier process that linger in TIME_WAIT must not keep us out.
    socket.set_reuse_address(true)?;
    if shared {
        socket.set_reuse_port(true)?;
    }
    socket.set_nonblocking(true)?;
    socket.bind(&address.into())?;
    socket.listen(options.backlog)?;
    Ok(socket.into())
}

impl BindError {
    fn of(address: SocketAddr, source: io::Error) -> Self {
        match source.kind() {
            io::ErrorKind::AddrInUse => Self::InUse(address),
            io::ErrorKind::PermissionDenied => Self::Denied(address),
            io::ErrorKind::AddrNotAvailable => Self::NoSuchAddress(address),
            _ => Self::Other { address, source },
        }
    }
}

#[cfg(test)]
mod tests {
    use std::net::TcpStream;

    use super::*;

    fn options(sockets: usize) -> BindOptions {
        BindOptions { sockets, ..BindOptions::default() }
    }

    #[test]
    fn port_zero_picks_one_port_for_the_whole_group() {
        for address in ["127.0.0.1:0", "[::1]:0"] {
            let group = bind(address.parse().unwrap(), &options(4)).unwrap();
            let ports: Vec<_> = group.iter().map(|s| s.local_addr().unwrap().port()).collect();
            assert_eq!(ports.len(), 4);
            assert!(ports[0] != 0 && ports.iter().all(|port| *port == ports[0]));
            TcpStream::connect(group[0].local_addr().unwrap()).unwrap();
        }
    }

    #[test]
    fn a_port_in_use_is_named_with_what_to_do() {
        for sockets in [1, 2] {
            let held = bind("127.0.0.1:0".parse().unwrap(), &options(sockets)).unwrap();
            let address = held[0].local_addr().unwrap();
            let error = bind(address, &options(sockets)).unwrap_err();
            assert!(matches!(error, BindError::InUse(a) if a == address), "{error}");
            let text = error.to_string();
            assert!(text.contains(&address.to_string()) && text.contains("ss -ltnp"), "{text}");
        }
    }

    #[test]
    fn ipv6_does_not_take_ipv4_along() {
        let six = bind("[::]:0".parse().unwrap(), &options(1)).unwrap();
        let port = six[0].local_addr().unwrap().port();
        let four = bind(SocketAddr::from(([127, 0, 0, 1], port)), &options(1));
        // Another program may hold the IPv4 port by chance; what must not happen is that we hold
        // it.
        if four.is_ok() {
            TcpStream::connect((std::net::Ipv6Addr::LOCALHOST, port)).unwrap();
        } else {
            assert!(TcpStream::connect((std::net::Ipv4Addr::LOCALHOST, port)).is_ok());
        }
    }

    #[test]
    fn an_address_of_another_machine_is_explained() {
        let error = bind("192.0.2.1:0".parse().unwrap(), &options(1)).unwrap_err();
        assert!(matches!(error, BindError::NoSuchAddress(_)), "{error}");
    }
}
