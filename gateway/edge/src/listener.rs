//! The accept loops: one task for each socket, each the owner of the connections it took.

use std::{
    io,
    net::{SocketAddr, TcpListener as StdListener},
    os::fd::AsFd,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering::Relaxed},
    },
    time::Duration,
};

use pingora_core::{apps::HttpServerApp, server::ShutdownWatch};
#[cfg(target_os = "linux")]
use socket2::SockRef;
use tokio::{
    net::{TcpListener, TcpStream},
    task::{JoinError, JoinSet},
    time::{Instant, sleep, timeout_at},
};
use tracing::{Instrument, debug, error, info_span, warn};

use crate::{
    admission::{Admission, AdmissionLimits, Admitted},
    connection::serve_connection,
    defaults,
    info::ConnectionInfo,
    limits::Limits,
    metrics::{Ending, Kind, Metrics},
    refusal::Refusal,
    stream::EdgeStream,
    tls::{PickConfig, shake_hands},
    wire::Wire,
};

/// What all connections of a node share.
#[derive(Debug)]
pub struct Edge {
    pub limits: Limits,
    pub admission: Arc<Admission>,
    pub metrics: Arc<Metrics>,
    /// From the signal to stop until the connections that are left are cut.
    pub drain: Duration,
    /// That time is over: what ends from here on was cut.
    pub(crate) cutting: AtomicBool,
}

/// A socket and what is spoken on it.
pub struct Listener {
    /// Bound and listening.
    pub socket: StdListener,
    pub transport: Transport,
}

/// What is spoken on a socket.
#[derive(Clone)]
pub enum Transport {
    /// HTTP/1.1, and HTTP/2 by prior knowledge.
    Plain,
    /// TLS with whatever configuration the ClientHello is given.
    Tls(Arc<dyn PickConfig>),
}

/// What a drain left.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Drained {
    /// Connections that were cut because the deadline passed.
    pub cut: usize,
}

/// Serves until `shutdown` says so, and then until every connection has ended or the drain's
/// deadline has passed.
///
/// Draining stops accepting and closes idle connections at once; an HTTP/1 answer says `connection:
/// close`, an HTTP/2 connection is told GOAWAY by pingora and ends with its last stream. Requests
/// under way go on.
///
/// # Errors
///
/// If a socket cannot be registered with the runtime.
pub async fn serve<A>(
    listeners: Vec<Listener>,
    app: Arc<A>,
    edge: Arc<Edge>,
    shutdown: ShutdownWatch,
) -> io::Result<Drained>
where
    A: HttpServerApp + Send + Sync + 'static,
{
    let mut loops = JoinSet::new();
    for listener in listeners {
        let address = listener.socket.local_addr()?;
        listener.socket.set_nonblocking(true)?;
        let accept = Accept {
            socket: TcpListener::from_std(listener.socket)?,
            transport: listener.transport,
            app: Arc::clone(&app),
            edge: Arc::clone(&edge),
            shutdown: shutdown.clone(),
            connections: JoinSet::new(),
        };
        // Tasks, because a connection spawned from `block_on` would be handed to a worker each
        // time.
        loops.spawn(accept.run().instrument(info_span!("listener", %address)));
    }
    let mut cut = 0;
    while let Some(left) = loops.join_next().await {
        cut += left.unwrap_or_else(|error| {
            error!(%error, "accept loop ended");
            0
        });
    }
    Ok(Drained { cut })
}

struct Accept<A> {
    socket: TcpListener,
    transport: Transport,
    app: Arc<A>,
    edge: Arc<Edge>,
    /// Never looked at by itself: each connection gets a clone that has not seen the signal yet.
    shutdown: ShutdownWatch,
    connections: JoinSet<Ending>,
}

impl<A: HttpServerApp + Send + Sync + 'static> Accept<A> {
    /// Accepts until the drain begins; the number of connections it had to cut.
    async fn run(mut self) -> usize {
        let mut shutdown = self.shutdown.clone();
        let mut back_off = None;
        loop {
            tokio::select! {
                biased;
                () = begun(&mut shutdown) => break,
                Some(ended) = self.connections.join_next() => self.reap(ended),
                accepted = self.socket.accept() => match accepted {
                    Ok((tcp, client)) => {
                        back_off = None;
                        self.admit(tcp, client);
                    }
                    Err(error) => self.cope(&error, &mut back_off).await,
                },
            }
        }
        self.empty_queue();
        self.drain().await
    }

    fn admit(&mut self, tcp: TcpStream, client: SocketAddr) {
        let admitted = match self.edge.admission.admit(client.ip(), Instant::now()) {
            Ok(admitted) => admitted,
            Err(refusal) => return self.turn_away(tcp, client, refusal),
        };
        let kind = self.transport.kind();
        self.edge.metrics.opened(kind);
        let connection = Connection {
            tcp,
            client,
            admitted,
            transport: self.transport.clone(),
            app: Arc::clone(&self.app),
            edge: Arc::clone(&self.edge),
            shutdown: self.shutdown.clone(),
        };
        self.connections.spawn(connection.run());
    }

    /// One attempt at a 503 where that costs one system call; TLS would cost a handshake.
    fn turn_away(&self, tcp: TcpStream, client: SocketAddr, refusal: Refusal) {
        self.edge.metrics.rejected(refusal);
        debug!(client.addr = %client, reason = refusal.label(), "turned a connection away");
        if matches!(self.transport, Transport::Plain) {
            // A fresh socket's send buffer is empty and takes it whole, or the client has gone.
            let _ = tcp.try_write(&refusal.answer());
        }
    }

    /// Out of descriptors or memory, accept fails at once and again: pausing lets connections end.
    async fn cope(&self, error: &io::Error, back_off: &mut Option<Duration>) {
        self.edge.metrics.accept_error();
        if is_about_one_connection(error) {
            return;
        }
        let (least, most) = defaults::ACCEPT_BACK_OFF;
        let pause = back_off.map_or(least, |last| (last * 2).min(most));
        *back_off = Some(pause);
        warn!(%error, ?pause, "accepting pauses");
        sleep(pause).await;
    }

    /// Takes what the kernel had accepted for us before the signal, so that closing the socket
    /// resets nobody.
    fn empty_queue(&mut self) {
        // Asked directly: the runtime would only say what its poller has seen so far.
        let Ok(socket) = self.socket.as_fd().try_clone_to_owned() else { return };
        let socket = StdListener::from(socket);
        for _ in 0..defaults::DRAIN_ACCEPTS {
            match socket.accept() {
                Ok((tcp, client)) => {
                    let tcp = tcp.set_nonblocking(true).and_then(|()| TcpStream::from_std(tcp));
                    if let Ok(tcp) = tcp {
                        self.admit(tcp, client);
                    }
                }
                Err(error) if is_about_one_connection(&error) => {}
                Err(_) => break,
            }
        }
    }

    async fn drain(self) -> usize {
        let Self { socket, mut connections, edge, transport, .. } = self;
        drop(socket);
        let kind = transport.kind();
        let deadline = Instant::now() + edge.drain;
        while let Ok(Some(ended)) = timeout_at(deadline, connections.join_next()).await {
            count(&edge.metrics, kind, ended);
        }
        let mut cut = 0;
        if !connections.is_empty() {
            edge.cutting.store(true, Relaxed);
        }
        connections.abort_all();
        while let Some(ended) = connections.join_next().await {
            cut += usize::from(matches!(&ended, Err(error) if error.is_cancelled()));
            count(&edge.metrics, kind, ended);
        }
        cut
    }

    fn reap(&self, ended: Result<Ending, JoinError>) {
        count(&self.edge.metrics, self.transport.kind(), ended);
    }
}

/// Waits for the signal. A sender that is gone counts as one: nobody is left who could give it.
async fn begun(shutdown: &mut ShutdownWatch) {
    let _ = shutdown.wait_for(|stopping| *stopping).await;
}

fn count(metrics: &Metrics, kind: Kind, ended: Result<Ending, JoinError>) {
    let ending = ended.unwrap_or_else(|error| {
        if error.is_cancelled() {
            return Ending::Cut;
        }
        error!(%error, "connection panicked");
        Ending::Panicked
    });
    metrics.ended(kind, ending);
}

/// accept(2): such errors belong to the connection that was to be accepted, not to the socket.
fn is_about_one_connection(error: &io::Error) -> bool {
    matches!(
        error.kind(),
        io::ErrorKind::ConnectionAborted
            | io::ErrorKind::ConnectionReset
            | io::ErrorKind::ConnectionRefused
            | io::ErrorKind::Interrupted
            | io::ErrorKind::TimedOut
            | io::ErrorKind::HostUnreachable
            | io::ErrorKind::NetworkUnreachable
            | io::ErrorKind::NetworkDown
    )
}

/// One accepted connection.
struct Connection<A> {
    tcp: TcpStream,
    client: SocketAddr,
    admitted: Admitted,
    transport: Transport,
    app: Arc<A>,
    edge: Arc<Edge>,
    shutdown: ShutdownWatch,
}

impl<A: HttpServerApp + Send + Sync + 'static> Connection<A> {
    async fn run(self) -> Ending {
        let Self { tcp, client, admitted, transport, app, edge, shutdown } = self;
        // Answers leave in as few writes as they can, so waiting for more (Nagle) only adds
        // latency.
        let _ = tcp.set_nodelay(true);
        // What the kernel holds back is bounded, so that a write which waits says something about the
        // client.
        #[cfg(target_os = "linux")]
        let _ = SockRef::from(&tcp).set_tcp_notsent_lowat(defaults::UNSENT);
        let wire = Wire::new(tcp, Arc::new(ConnectionInfo::new(client)));
        let stream = match transport {
            Transport::Plain => EdgeStream::plain(wire, edge),
            Transport::Tls(pick) => {
                match shake_hands(wire, &*pick, &edge.limits, &edge.metrics).await {
                    Ok((tls, secured)) => EdgeStream::tls(tls, secured, edge),
                    Err(ending) => return ending,
                }
            }
        };
        let ending = serve_connection(app, stream, shutdown).await;
        drop(admitted);
        ending
    }
}

impl Transport {
    fn kind(&self) -> Kind {
        match self {
            Self::Plain => Kind::Plain,
            Self::Tls(_) => Kind::Tls,
        }
    }
}

impl Edge {
    /// The defaults of this crate, with metrics that were registered elsewhere.
    pub fn new(metrics: Arc<Metrics>) -> Self {
        Self {
            limits: Limits::default(),
            admission: Admission::new(AdmissionLimits::default()),
            metrics,
            drain: defaults::DRAIN,
            cutting: AtomicBool::new(false),
        }
    }
}

impl std::fmt::Debug for Transport {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::Plain => "Plain",
            Self::Tls(_) => "Tls",
        })
    }
}

impl std::fmt::Debug for Listener {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Listener")
            .field("socket", &self.socket)
            .field("transport", &self.transport)
            .finish()
    }
}
