//! `Server`: the sockets around a [`Responder`].
//!
//! hickory's server is not used for them: it sends UDP answers through a queue of 32 places and drops
//! what does not fit, and spawns a task for each query. A query here is answered by the task that
//! received it, before it receives the next batch.

use std::{
    io,
    net::{SocketAddr, TcpListener, UdpSocket},
    sync::Arc,
};

use headgate_types::clock::Clock;
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;
use tracing::{Instrument as _, error, info_span};

use crate::responder::{Responder, Transport};

pub mod sockets;

mod admission;
mod stream;
mod udp;

pub use sockets::{BindError, Sockets, bind};

use admission::Admission;
use stream::StreamListener;
use udp::UdpListener;

/// What serves, and on which sockets.
pub struct Server {
    pub responder: Arc<Responder>,
    pub clock: Arc<dyn Clock>,
    /// Bound here or handed over; every socket of a port, because one that is closed takes the
    /// queries that wait on it along.
    pub udp: Vec<UdpSocket>,
    pub tcp: Vec<TcpListener>,
    /// DNS over TLS (RFC 7858), with the configuration for all of them.
    pub tls: Option<(Vec<TcpListener>, Arc<rustls::ServerConfig>)>,
}

impl Server {
    /// Serves until `shutdown`; then what was received is answered and connections end, within seconds.
    ///
    /// # Errors
    ///
    /// If a socket cannot be registered with the runtime.
    pub async fn run(self, shutdown: CancellationToken) -> io::Result<()> {
        let mut tasks = JoinSet::new();
        for socket in self.udp {
            let address = socket.local_addr()?;
            let listener =
                UdpListener::new(socket, Arc::clone(&self.responder), Arc::clone(&self.clock))?;
            let run = listener.run(shutdown.clone());
            tasks.spawn(run.instrument(named(address, Transport::Udp)));
        }
        let admission = Admission::new();
        let (tls, config) = self.tls.unzip();
        let tcp = self.tcp.into_iter().map(|socket| (socket, None));
        let tls = tls.into_iter().flatten().map(|socket| (socket, config.clone()));
        for (socket, config) in tcp.chain(tls) {
            let address = socket.local_addr()?;
            let transport = if config.is_some() { Transport::Tls } else { Transport::Tcp };
            let listener = StreamListener {
                socket: sockets::register(socket)?,
                tls: config.map(Into::into),
                responder: Arc::clone(&self.responder),
                clock: Arc::clone(&self.clock),
                admission: Arc::clone(&admission),
            };
            let run = listener.run(shutdown.clone());
            tasks.spawn(run.instrument(named(address, transport)));
        }
        while let Some(ended) = tasks.join_next().await {
            if let Err(error) = ended {
                // A socket nobody reads looks like an outage of the network: better to end, and be
                // started again by whoever runs us.
                error!(%error, "a socket's task ended");
                return Err(io::Error::other(error));
            }
        }
        Ok(())
    }
}

fn named(address: SocketAddr, transport: Transport) -> tracing::Span {
    info_span!("dns", %address, transport = transport.label())
}

impl std::fmt::Debug for Server {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Server")
            .field("udp", &self.udp)
            .field("tcp", &self.tcp)
            .field("tls", &self.tls.as_ref().map(|(sockets, _)| sockets))
            .finish_non_exhaustive()
    }
}
