//! Sockets: bound by ourselves, or taken as they were handed to us.

use std::{
    io,
    net::{SocketAddr, TcpListener, UdpSocket},
};

use socket2::{Domain, Protocol, Socket, Type};

use crate::defaults;

/// The sockets of one address: UDP and TCP with the same port (RFC 7766 §5).
#[derive(Debug)]
pub struct Sockets {
    pub udp: Vec<UdpSocket>,
    pub tcp: Vec<TcpListener>,
}

/// Why nothing listens on an address.
#[derive(Debug, thiserror::Error)]
#[error("cannot listen for DNS over {transport} on {address}")]
pub struct BindError {
    pub address: SocketAddr,
    pub transport: &'static str,
    #[source]
    pub error: io::Error,
}

/// Times that a free port is looked for: the one UDP picks may be taken for TCP.
const PORTS_TRIED: usize = 16;

impl Sockets {
    pub fn address(&self) -> SocketAddr {
        self.tcp[0].local_addr().expect("a bound socket has an address")
    }
}

/// Binds an address: `udp` sockets that share the load, and one for TCP. Port 0 picks a port that is
/// free for both.
///
/// IPv6 sockets take IPv6 only, so that both wildcard addresses can be bound side by side.
///
/// # Errors
///
/// If the address is in use, not ours, or not for this user.
pub fn bind(address: SocketAddr, udp: usize) -> Result<Sockets, BindError> {
    let mut tried = 0;
    loop {
        tried += 1;
        match bind_both(address, udp.max(1)) {
            Err(error) if address.port() == 0 && tried < PORTS_TRIED && is_in_use(&error) => {}
            done => return done,
        }
    }
}

fn is_in_use(error: &BindError) -> bool {
    error.error.kind() == io::ErrorKind::AddrInUse
}

fn bind_both(address: SocketAddr, count: usize) -> Result<Sockets, BindError> {
    let udp_error = |error| BindError { address, transport: "UDP", error };
    if address.port() != 0 {
        // A second group of the same user would join the first one silently and take a part of its
        // queries.
        drop(bind_udp(address, false).map_err(udp_error)?);
    }
    let first = bind_udp(address, count > 1).map_err(udp_error)?;
    let picked = first.local_addr().map_err(udp_error)?;
    let mut udp = vec![first];
    while udp.len() < count {
        udp.push(bind_udp(picked, true).map_err(udp_error)?);
    }
    let tcp = bind_tcp(picked);
    let tcp = tcp.map_err(|error| BindError { address: picked, transport: "TCP", error })?;
    Ok(Sockets { udp, tcp: vec![tcp] })
}

fn bind_udp(address: SocketAddr, shared: bool) -> io::Result<UdpSocket> {
    let socket = Socket::new(Domain::for_address(address), Type::DGRAM, Some(Protocol::UDP))?;
    if address.is_ipv6() {
        socket.set_only_v6(true)?;
    }
    if shared {
        socket.set_reuse_port(true)?;
    }
    // The kernel gives what it may; less is served just as well.
    socket.set_recv_buffer_size(defaults::UDP_RECEIVE_BUFFER)?;
    socket.set_nonblocking(true)?;
    socket.bind(&address.into())?;
    Ok(socket.into())
}

/// Binds a listener for DNS over TLS, or for TCP alone.
///
/// # Errors
///
/// As [`bind`].
pub fn bind_tcp(address: SocketAddr) -> io::Result<TcpListener> {
    let socket = Socket::new(Domain::for_address(address), Type::STREAM, Some(Protocol::TCP))?;
    if address.is_ipv6() {
        socket.set_only_v6(true)?;
    }
    // Connections of an earlier process that linger in TIME_WAIT must not keep us out.
    socket.set_reuse_address(true)?;
    socket.set_nonblocking(true)?;
    socket.bind(&address.into())?;
    socket.listen(defaults::TCP_BACKLOG)?;
    Ok(socket.into())
}

/// A listener as the runtime has it.
pub(super) fn register(socket: TcpListener) -> io::Result<tokio::net::TcpListener> {
    socket.set_nonblocking(true)?;
    tokio::net::TcpListener::from_std(socket)
}
