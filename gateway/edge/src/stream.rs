//! `EdgeStream`: our own stream under pingora, plain TCP or TLS, one type.
//!
//! Reading: the connection loop reads each HTTP/1 head ahead ([`EdgeStream::read_ahead`]) and then
//! says how much of it pingora may see ([`EdgeStream::show`]); HTTP/2 passes the guard. Writing:
//! small writes gather until a flush, larger ones leave together with what was gathered, and a write
//! that waits is timed. At its end it resets, closes or leaves its socket to a lingering close.
//!
//! The end of a chunked body is known to pingora alone, and a tunnel has none: there whatever comes
//! is shown, and a request pipelined behind a chunked one costs the connection.

mod io;
mod read;
mod traits;
mod write;

use std::{
    fmt,
    os::fd::{AsRawFd, RawFd},
    pin::Pin,
    sync::{Arc, atomic::Ordering::Relaxed},
};

use bytes::BytesMut;
use pingora_core::protocols::{ALPN, SocketDigest, raw_connect::ProxyDigest, tls::SslDigest};
use pingora_http::ResponseHeader;
use tokio::time::{Instant, Sleep};
use tokio_rustls::server::TlsStream;

pub(crate) use self::{io::Io, read::CHUNK};

use crate::{
    h2_guard::H2Guard,
    head::{Body, Head},
    info::ConnectionInfo,
    linger::Remains,
    listener::Edge,
    pace::Pace,
    stall::Stall,
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
    /// How much of the request under way is still to be shown. What follows belongs to the next one
    /// and stays in `ahead`, because pingora's idle read would call it an error. `None` where the
    /// request's end is not known here.
    gate: Option<usize>,
    pace: Option<Pace>,
    gathered: BytesMut,
    stall: Stall,
    /// The client took nothing for too long.
    stalled: bool,
    alpn: Option<ALPN>,
    ssl: Option<Arc<SslDigest>>,
    socket: Arc<SocketDigest>,
    proxy: Arc<ProxyDigest>,
    guard: Option<Box<H2Guard>>,
    /// The deadline of an HTTP/2 header block, once there was an unfinished one.
    timer: Option<Pin<Box<Sleep>>>,
    remains: Remains,
    info: Arc<ConnectionInfo>,
    edge: Arc<Edge>,
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
            gate: Some(0),
            pace: None,
            gathered: BytesMut::new(),
            stall: Stall::default(),
            stalled: false,
            alpn,
            ssl,
            socket: Arc::new(socket),
            proxy: Arc::new(proxy),
            guard: None,
            timer: None,
            remains: Remains::default(),
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

    /// Where its socket is to be found when it was dropped too early for the client.
    pub(crate) fn remains(&self) -> &Remains {
        &self.remains
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
        self.gate = None;
        self.guard = Some(Box::new(H2Guard::new(&self.edge.limits.h2, Instant::now())));
    }

    /// The request before is over; nothing is shown and nothing paced until the next one.
    pub(crate) fn begin_request(&mut self) {
        (self.head_left, self.gate, self.pace) = (0, Some(0), None);
    }

    /// What was read ahead.
    pub(crate) fn ahead(&self) -> &[u8] {
        &self.ahead
    }

    /// Lets pingora see this request, and only what belongs to it if its length is known.
    pub(crate) fn show(&mut self, head: &Head) {
        self.head_left = head.end;
        let body = match head.body {
            Body::None => Some(0),
            Body::Length(length) => usize::try_from(length).ok(),
            Body::Chunked => None,
        };
        self.gate = body.filter(|_| !head.tunnel).and_then(|body| body.checked_add(head.end));
        self.pace = (head.body != Body::None).then(Pace::default);
    }

    /// Nothing is under way: gives a large buffer back, so that an idle connection costs little
    /// memory.
    pub(crate) fn rest(&mut self) {
        if self.ahead.capacity() > IDLE_BUFFER {
            self.ahead = BytesMut::new();
        }
    }

    /// Forgets what was read ahead, when no request will come of it; more of it may follow.
    pub(crate) fn discard(&mut self) {
        self.ahead.clear();
        self.begin_request();
        self.gate = None;
    }

    /// Whether the connection is to end without a goodbye, because its last answer is not whole.
    pub(crate) fn is_cut(&self) -> bool {
        self.stalled || (self.info.is_aborted() && !self.is_h2())
    }

    /// Whether the client may still be sending what belongs to this request or to another one.
    fn leaves_input(&self) -> bool {
        !self.is_h2() && (self.gate != Some(0) || !self.ahead.is_empty())
    }
}

impl Drop for EdgeStream {
    fn drop(&mut self) {
        self.edge.metrics.passed(&self.info);
        let Some(wire) = self.io.take() else { return };
        let cut = self.is_cut() || self.edge.cutting.load(Relaxed) || std::thread::panicking();
        if cut {
            wire.reset();
        } else if self.leaves_input() {
            self.remains.leave(wire);
        }
    }
}

impl fmt::Debug for EdgeStream {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("EdgeStream").field(&self.info).finish()
    }
}
