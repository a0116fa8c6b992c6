//! DNS over TCP (RFC 7766) and TLS (RFC 7858): one listener and the connections it took.

use std::{io, net::IpAddr, sync::Arc};

use headgate_types::clock::Clock;
use tokio::{
    io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _},
    net::{TcpListener, TcpStream},
    task::JoinSet,
    time::{sleep, timeout},
};
use tokio_rustls::TlsAcceptor;
use tokio_util::sync::CancellationToken;
use tracing::{debug, error, warn};

use super::admission::{Admission, Admitted};
use crate::{
    defaults,
    responder::{Client, Responder, Transport},
};

pub(super) struct StreamListener {
    pub(super) socket: TcpListener,
    pub(super) tls: Option<TlsAcceptor>,
    pub(super) responder: Arc<Responder>,
    pub(super) clock: Arc<dyn Clock>,
    pub(super) admission: Arc<Admission>,
}

/// One connection, while it is open.
struct Connection {
    client: Client,
    responder: Arc<Responder>,
    clock: Arc<dyn Clock>,
    shutdown: CancellationToken,
    _admitted: Admitted,
}

/// Bytes of a message's length before it.
const PREFIX: usize = 2;

impl StreamListener {
    pub(super) async fn run(self, shutdown: CancellationToken) {
        let mut connections = JoinSet::new();
        loop {
            tokio::select! {
                biased;
                () = shutdown.cancelled() => break,
                Some(ended) = connections.join_next() => self.reap(ended),
                accepted = self.socket.accept() => match accepted {
                    Ok((tcp, client)) => self.admit(&mut connections, tcp, client.ip(), &shutdown),
                    Err(error) => {
                        warn!(%error, "accepting pauses");
                        sleep(defaults::PAUSE).await;
                    }
                },
            }
        }
        drop(self.socket);
        let drained = async { while connections.join_next().await.is_some() {} };
        if timeout(defaults::DRAIN, drained).await.is_err() {
            connections.shutdown().await;
        }
    }

    fn admit(
        &self,
        connections: &mut JoinSet<()>,
        tcp: TcpStream,
        client: IpAddr,
        shutdown: &CancellationToken,
    ) {
        let address = client.to_canonical();
        let Some(admitted) = self.admission.admit(address) else {
            self.responder.metrics.rejected();
            return;
        };
        let transport = if self.tls.is_some() { Transport::Tls } else { Transport::Tcp };
        self.responder.metrics.opened();
        let connection = Connection {
            client: Client { address, transport },
            responder: Arc::clone(&self.responder),
            clock: Arc::clone(&self.clock),
            shutdown: shutdown.clone(),
            _admitted: admitted,
        };
        connections.spawn(connection.run(tcp, self.tls.clone()));
    }

    fn reap(&self, ended: Result<(), tokio::task::JoinError>) {
        if let Err(error) = ended {
            error!(%error, "a connection's task ended");
        }
    }
}

impl Connection {
    async fn run(self, tcp: TcpStream, tls: Option<TlsAcceptor>) {
        // Answers are gathered here, so the kernel need not wait for more of them.
        let _ = tcp.set_nodelay(true);
        let served = match tls {
            None => self.serve(tcp).await,
            Some(tls) => match timeout(defaults::TCP_IDLE, tls.accept(tcp)).await {
                Ok(Ok(stream)) => self.serve(stream).await,
                Ok(Err(error)) => Err(error),
                Err(elapsed) => Err(elapsed.into()),
            },
        };
        if let Err(error) = served {
            debug!(%error, "a connection ended early");
        }
    }

    /// Answers in the order of the queries: none of them waits for anything.
    async fn serve(self, mut stream: impl AsyncRead + AsyncWrite + Unpin) -> io::Result<()> {
        let mut input = Input::default();
        let (mut answer, mut output) = (Vec::new(), Vec::new());
        let mut answered = 0;
        while answered < defaults::TCP_QUERIES_PER_CONNECTION {
            while let Some(query) = input.next() {
                answered += 1;
                let now = self.clock.now();
                if self.responder.respond(query, self.client, now, &mut answer).is_none() {
                    // Not a query: what follows is not to be trusted either.
                    return goodbye(stream, &output).await;
                }
                self.responder.metrics.queries(self.client.transport, 1);
                let length = u16::try_from(answer.len()).expect("answers are bounded");
                output.extend_from_slice(&length.to_be_bytes());
                output.extend_from_slice(&answer);
                if output.len() >= defaults::TCP_WRITE_BUFFER {
                    write(&mut stream, &mut output).await?;
                }
            }
            write(&mut stream, &mut output).await?;
            let more = tokio::select! {
                biased;
                more = timeout(defaults::TCP_IDLE, input.fill(&mut stream)) => more,
                () = self.shutdown.cancelled() => break,
            };
            match more {
                Ok(Ok(true)) => {}
                Ok(Ok(false)) | Err(_) => break,
                Ok(Err(error)) => return Err(error),
            }
        }
        goodbye(stream, &output).await
    }
}

/// However it ended.
impl Drop for Connection {
    fn drop(&mut self) {
        self.responder.metrics.closed();
    }
}

async fn write(stream: &mut (impl AsyncWrite + Unpin), output: &mut Vec<u8>) -> io::Result<()> {
    if !output.is_empty() {
        let written = async {
            stream.write_all(output).await?;
            stream.flush().await
        };
        timeout(defaults::TCP_IDLE, written).await??;
        output.clear();
    }
    Ok(())
}

async fn goodbye(mut stream: impl AsyncWrite + Unpin, output: &[u8]) -> io::Result<()> {
    let said = async {
        stream.write_all(output).await?;
        stream.shutdown().await
    };
    timeout(defaults::TCP_IDLE, said).await?
}

/// What has arrived and was not taken yet.
#[derive(Default)]
struct Input {
    bytes: Vec<u8>,
    taken: usize,
}

impl Input {
    /// The next whole message.
    fn next(&mut self) -> Option<&[u8]> {
        let rest = &self.bytes[self.taken..];
        let (length, rest) = rest.split_first_chunk::<PREFIX>()?;
        let message = rest.get(..usize::from(u16::from_be_bytes(*length)))?;
        self.taken += PREFIX + message.len();
        Some(message)
    }

    /// Waits until another message is whole; `false` at the end of the stream.
    async fn fill(&mut self, stream: &mut (impl AsyncRead + Unpin)) -> io::Result<bool> {
        self.bytes.drain(..self.taken);
        self.taken = 0;
        loop {
            if stream.read_buf(&mut self.bytes).await? == 0 {
                return Ok(false);
            }
            let length = self.bytes.first_chunk::<PREFIX>();
            let length = length.map(|length| usize::from(u16::from_be_bytes(*length)));
            if length.is_some_and(|length| self.bytes.len() >= PREFIX + length) {
                return Ok(true);
            }
        }
    }
}
