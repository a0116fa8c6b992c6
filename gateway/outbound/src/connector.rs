//! From a host to a connection: looked up, judged, connected, and agreed on TLS.

mod race;
mod stream;

use std::{
    io,
    net::{IpAddr, SocketAddr},
    pin::Pin,
    sync::Arc,
    task::{Context, Poll},
};

use http::{Uri, uri::Scheme};
use hyper_util::rt::TokioIo;
use rustls_pki_types::ServerName;
use tokio::{
    net::TcpStream,
    sync::{OwnedSemaphorePermit, Semaphore},
    time::timeout,
};
use tokio_rustls::{TlsConnector, client::TlsStream};
use tower_service::Service;

use self::stream::{Io, Stream};
use crate::{
    defaults,
    error::Error,
    metrics::Metrics,
    policy::{Denied, Policy},
    resolver::Resolver,
};

/// Makes connections for one project. Cheap to clone; the clones share its slots.
#[derive(Clone)]
pub(crate) struct Connector(Arc<Parts>);

pub(crate) struct Parts {
    pub(crate) policy: Arc<Policy>,
    pub(crate) resolver: Arc<Resolver>,
    pub(crate) tls: Arc<rustls::ClientConfig>,
    /// How many connections there may be: of the project, of the node.
    pub(crate) slots: [Arc<Semaphore>; 2],
    pub(crate) metrics: Arc<Metrics>,
}

impl Connector {
    pub(crate) fn new(parts: Parts) -> Self {
        Self(Arc::new(parts))
    }

    async fn connect(self, uri: Uri) -> Result<TokioIo<Stream>, Error> {
        let host = uri.host().ok_or(Error::Url)?;
        let host = host.strip_prefix('[').and_then(|host| host.strip_suffix(']')).unwrap_or(host);
        let secure = uri.scheme() == Some(&Scheme::HTTPS);
        let port = uri.port_u16().unwrap_or(if secure { 443 } else { 80 });

        let addresses = self.permitted(host, port).await?;
        let (slots, scarce) = self.slots().await?;
        let connecting = race::connect(addresses);
        let tcp =
            timeout(defaults::CONNECT, connecting).await.map_err(|_| Error::ConnectTimeout)?;
        let tcp = tcp.map_err(refused)?;
        // Without it the end of a request would wait for the peer to acknowledge its beginning. It fails on a
        // connection that is gone already, which the next use of it tells.
        _ = tcp.set_nodelay(true);
        let io =
            if secure { Io::Tls(Box::new(self.secure(host, tcp).await?)) } else { Io::Plain(tcp) };
        Ok(TokioIo::new(Stream::new(io, scarce, slots, self.0.metrics.clone())))
    }

    /// The addresses of a host that may be connected to.
    async fn permitted(&self, host: &str, port: u16) -> Result<Vec<SocketAddr>, Error> {
        let found = match host.parse::<IpAddr>() {
            Ok(ip) => vec![ip],
            Err(_) => self.0.resolver.addresses(host).await.map_err(Error::Lookup)?,
        };
        let mut denied: Option<Denied> = None;
        let mut permitted = Vec::new();
        for ip in found {
            let address = SocketAddr::new(ip, port);
            match self.0.policy.check(host, address) {
                Ok(()) => permitted.push(address),
                Err(why) => denied = denied.or(Some(why)),
            }
        }
        permitted.truncate(defaults::ADDRESSES);
        match denied {
            Some(denied) if permitted.is_empty() => Err(denied.into()),
            _ => Ok(permitted),
        }
    }

    /// A slot of the project, then one of the node; and whether they are getting scarce.
    async fn slots(&self) -> Result<([OwnedSemaphorePermit; 2], bool), Error> {
        let [project, node] = &self.0.slots;
        let waiting = async {
            let closed = "slots are never closed";
            let own = project.clone().acquire_owned().await.expect(closed);
            [own, node.clone().acquire_owned().await.expect(closed)]
        };
        let slots = timeout(defaults::CONNECTION_WAIT, waiting).await.map_err(|_| Error::Busy)?;
        let scarce = project.available_permits() < defaults::PROJECT_CONNECTIONS / 2
            || node.available_permits() < defaults::CONNECTIONS / 2;
        Ok((slots, scarce))
    }

    async fn secure(&self, host: &str, tcp: TcpStream) -> Result<TlsStream<TcpStream>, Error> {
        let name = host.strip_suffix('.').unwrap_or(host).to_owned();
        let name = ServerName::try_from(name).map_err(|_| Error::Url)?;
        let handshake = TlsConnector::from(self.0.tls.clone()).connect(name, tcp);
        let handshake = timeout(defaults::HANDSHAKE, handshake).await;
        handshake.map_err(|_| Error::ConnectTimeout)?.map_err(unsecured)
    }
}

impl Service<Uri> for Connector {
    type Response = TokioIo<Stream>;
    type Error = Error;
    type Future = Pin<Box<dyn Future<Output = Result<Self::Response, Error>> + Send>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Error>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, uri: Uri) -> Self::Future {
        Box::pin(self.clone().connect(uri))
    }
}

fn refused(error: io::Error) -> Error {
    match error.kind() {
        io::ErrorKind::ConnectionRefused => Error::Refused,
        io::ErrorKind::TimedOut => Error::ConnectTimeout,
        _ => Error::Connect(Arc::new(error)),
    }
}

fn unsecured(error: io::Error) -> Error {
    let inner = error.get_ref().and_then(|inner| inner.downcast_ref::<rustls::Error>());
    match inner {
        Some(rustls::Error::InvalidCertificate(why)) => Error::Certificate(why.to_string()),
        Some(rustls::Error::AlertReceived(alert)) => Error::TlsAlert { number: u8::from(*alert) },
        _ => Error::Tls(Arc::new(error)),
    }
}
