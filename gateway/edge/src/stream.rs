//! `EdgeStream`: our own stream under pingora, plain TCP or TLS, one type.
//!
//! Reading: the connection loop reads each HTTP/1 head ahead ([`EdgeStream::read_ahead`]) and then
//! says how much of it pingora may see ([`EdgeStream::show`]); HTTP/2 passes the guard. Writing:
//! small writes gather until a flush, larger ones leave together with what was gathered.

mod read;
mod traits;
mod write;

use std::{
    fmt,
    os::fd::{AsRawFd, RawFd},
    pin::Pin,
    sync::Arc,
};

use bytes::BytesMut;
use pingora_core::protocols::{ALPN, SocketDigest, raw_connect::ProxyDigest, tls::SslDigest};
use pingora_http::ResponseHeader;
use tokio::time::{Instant, Sleep};
use tokio_rustls::server::TlsStream;

use crate::{
    h2_guard::H2Guard,
    head::{Body, Head},
    info::ConnectionInfo,
    listener::Edge,
    pace::Pace,
    wire::Wire,
};

/// The read buffer an idle connection may keep: a browser's usual head, so that the next one
/// allocates nothing.
const IDLE_BUFFER: usize = 2048;

/// The stream that pingora's sessions run on.
pub struct EdgeStream {
    io: Io,
    fd: RawFd,
    /// Read ahead by the connection loop and not yet shown.
    ahead: BytesMut,
    /// How much of `ahead` is the head. It is handed out alone, so that pingora never takes a
    /// pipelined request for a body.
    head_left: usize,
    /// While a request is under way and the next one is in `ahead` already: how much still belongs
    /// to this one. What follows is shown to nobody, because pingora's idle read would call it an
    /// error.
    gate: Option<usize>,
    pace: Option<Pace>,
    gathered: BytesMut,
    alpn: Option<ALPN>,
    ssl: Option<Arc<SslDigest>>,
    socket: Arc<SocketDigest>,
    proxy: Arc<ProxyDigest>,
    guard: Option<Box<H2Guard>>,
    /// The deadline of an HTTP/2 header block, once there was an unfinished one.
    timer: Option<Pin<Box<Sleep>>>,
    info: Arc<ConnectionInfo>,
    edge: Arc<Edge>,
}

#[derive(Debug)]
pub(crate) enum Io {
    Plain(Wire),
    Tls(Box<TlsStream<Wire>>),
}

/// What a handshake settled.
#[derive(Debug)]
pub(crate) struct Secured {
    pub(crate) alpn: Option<ALPN>,
    pub(crate) ssl: Arc<SslDigest>,
}

impl EdgeStream {
    pub(crate) fn plain(wire: Wire, edge: Arc<Edge>) -> Box<Self> {
        let (fd, info) = (wire.as_raw_fd(), Arc::clone(&wire.info));
        Self::new(Io::Plain(wire), fd, info, None, edge)
    }

    pub(crate) fn tls(tls: TlsStream<Wire>, secured: Secured, edge: Arc<Edge>) -> Box<Self> {
        let wire = tls.get_ref().0;
        let (fd, info) = (wire.as_raw_fd(), Arc::clone(&wire.info));
        Self::new(Io::Tls(Box::new(tls)), fd, info, Some(secured), edge)
    }

    fn new(
        io: Io,
        fd: RawFd,
        info: Arc<ConnectionInfo>,
        secured: Option<Secured>,
        edge: Arc<Edge>,
    ) -> Box<Self> {
        let socket = SocketDigest::from_raw_fd(fd);
        // Set now, because pingora would ask the kernel, which no longer knows once the client has
        // gone.
        let _ = socket.peer_addr.set(Some(info.client.into()));
        let blank = ResponseHeader::build(200, Some(0)).expect("200 is a valid status");
        let proxy = ProxyDigest::new(Box::new(blank), Some(Box::new(Arc::clone(&info))));
        let (alpn, ssl) = match secured {
            Some(Secured { alpn, ssl }) => (alpn, Some(ssl)),
            None => (None, None),
        };
        Box::new(Self {
            io,
            fd,
            ahead: BytesMut::new(),
            head_left: 0,
            gate: None,
            pace: None,
            gathered: BytesMut::new(),
            alpn,
            ssl,
            socket: Arc::new(socket),
            proxy: Arc::new(proxy),
            guard: None,
            timer: None,
            info,
            edge,
        })
    }

    pub(crate) fn edge(&self) -> &Arc<Edge> {
        &self.edge
    }

    pub fn info(&self) -> &Arc<ConnectionInfo> {
        &self.info
    }

    pub(crate) fn is_tls(&self) -> bool {
        self.ssl.is_some()
    }

    pub(crate) fn is_h2(&self) -> bool {
        matches!(self.alpn, Some(ALPN::H2))
    }

    /// From here on the connection is HTTP/2. pingora asks the stream for its ALPN alone, so this
    /// is what turns a plain connection to h2.
    pub(crate) fn become_h2(&mut self) {
        self.alpn = Some(ALPN::H2);
        self.guard = Some(Box::new(H2Guard::new(&self.edge.limits.h2, Instant::now())));
    }

    /// The request before is over; nothing is hidden and nothing paced.
    pub(crate) fn begin_request(&mut self) {
        (self.head_left, self.gate, self.pace) = (0, None, None);
    }

    /// What was read ahead.
    pub(crate) fn ahead(&self) -> &[u8] {
        &self.ahead
    }

    /// Lets pingora see this request, and of what is there already only what belongs to it.
    pub(crate) fn show(&mut self, head: &Head) {
        self.head_left = head.end;
        let body = match head.body {
            Body::None => Some(0),
            Body::Length(length) => usize::try_from(length).ok(),
            Body::Chunked => None,
        };
        let request = body.filter(|_| !head.tunnel).and_then(|body| body.checked_add(head.end));
        self.gate = match request {
            Some(request) if self.ahead.len() > request => Some(request),
            _ => None,
        };
        self.pace = (head.body != Body::None).then(Pace::default);
    }

    /// Nothing is under way: gives a large buffer back, so that an idle connection costs little
    /// memory.
    pub(crate) fn rest(&mut self) {
        if self.ahead.capacity() > IDLE_BUFFER {
            self.ahead = BytesMut::new();
        }
    }

    /// Forgets what was read ahead, when no request will come of it.
    pub(crate) fn discard(&mut self) {
        self.ahead.clear();
        self.begin_request();
    }
}

impl Drop for EdgeStream {
    fn drop(&mut self) {
        self.edge.metrics.passed(&self.info);
    }
}

impl fmt::Debug for EdgeStream {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("EdgeStream").field(&self.info).finish()
    }
}
