//! The accept loop of the admin sockets: few connections, small heads, little time.

use std::{
    convert::Infallible,
    io,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use http::{Method, Request};
use hyper::{body::Incoming, server::conn::http1, service::service_fn};
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::{
    io::{AsyncRead, AsyncWrite},
    net::{TcpListener, UnixListener},
    sync::Semaphore,
    task::JoinSet,
    time::{Instant, sleep, sleep_until},
};
use tokio_util::sync::CancellationToken;
use tracing::{debug, warn};

use super::{AdminState, answer};

/// Probes, a scraper and a few people. One more is closed at once.
const MOST_CONNECTIONS: usize = 32;
/// Of them, those that follow logs; the rest stays free for probes.
const MOST_FOLLOWERS: usize = 16;
/// Orders under way: people give them one at a time.
const MOST_ORDERS: usize = 4;
/// Local clients send a few hundred bytes.
const LARGEST_HEAD: usize = 16 << 10;
const MOST_HEADERS: usize = 64;
/// Local clients are quick; who is not holds a place of 32.
const HEAD_TIME: Duration = Duration::from_secs(5);
/// For a whole exchange. Only followers of logs may stay longer, and who waits for a revision to be compiled.
const EXCHANGE_TIME: Duration = Duration::from_secs(30);
/// At shutdown, for answers under way.
const LAST_TIME: Duration = Duration::from_secs(1);
/// After a failed accept (no descriptors left), so that the loop does not spin.
const ACCEPT_PAUSE: Duration = Duration::from_millis(100);

/// The way a request came in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Via {
    Unix,
    Tcp,
}

/// What the connections share.
#[derive(Debug)]
pub(super) struct Shared {
    pub(super) state: AdminState,
    pub(super) followers: Arc<Semaphore>,
    pub(super) orders: Arc<Semaphore>,
    pub(super) shutdown: CancellationToken,
}

pub(super) async fn serve(
    unix: UnixListener,
    tcp: Option<TcpListener>,
    state: AdminState,
    shutdown: CancellationToken,
) {
    let followers = Arc::new(Semaphore::new(MOST_FOLLOWERS));
    let orders = Arc::new(Semaphore::new(MOST_ORDERS));
    let shared = Arc::new(Shared { state, followers, orders, shutdown: shutdown.clone() });
    let mut connections = JoinSet::new();
    loop {
        tokio::select! {
            accepted = unix.accept() => match accepted {
                Ok((stream, _)) => admit(&mut connections, stream, Via::Unix, &shared),
                Err(error) => accept_failed(&error).await,
            },
            accepted = accept_tcp(tcp.as_ref()) => match accepted {
                Ok(stream) => admit(&mut connections, stream, Via::Tcp, &shared),
                Err(error) => accept_failed(&error).await,
            },
            Some(ended) = connections.join_next() => {
                if ended.is_err() {
                    warn!("admin connection panicked");
                }
            }
            () = shutdown.cancelled() => break,
        }
    }
    drop((unix, tcp));
    while connections.join_next().await.is_some() {}
}

async fn accept_tcp(listener: Option<&TcpListener>) -> io::Result<tokio::net::TcpStream> {
    match listener {
        Some(listener) => listener.accept().await.map(|(stream, _)| stream),
        None => std::future::pending().await,
    }
}

async fn accept_failed(error: &io::Error) {
    warn!(%error, "admin accept failed");
    sleep(ACCEPT_PAUSE).await;
}

fn admit<S>(connections: &mut JoinSet<()>, stream: S, via: Via, shared: &Arc<Shared>)
where
    S: AsyncRead + AsyncWrite + Send + Unpin + 'static,
{
    if connections.len() < MOST_CONNECTIONS {
        connections.spawn(exchange(stream, via, Arc::clone(shared)));
    }
}

/// One request and its answer; connections are not kept, so that none is held idle.
async fn exchange<S>(stream: S, via: Via, shared: Arc<Shared>)
where
    S: AsyncRead + AsyncWrite + Send + Unpin + 'static,
{
    let staying = Arc::new(AtomicBool::new(false));
    let shutdown = shared.shutdown.clone();
    let service = service_fn(|request: Request<Incoming>| {
        let (shared, staying) = (Arc::clone(&shared), Arc::clone(&staying));
        async move {
            staying.store(request.method() == Method::POST, Ordering::Relaxed);
            let answered = answer::answer(request, via, &shared).await;
            staying.store(answered.endless, Ordering::Relaxed);
            Ok::<_, Infallible>(answered.response)
        }
    });
    let connection = http1::Builder::new()
        .keep_alive(false)
        .timer(TokioTimer::new())
        .header_read_timeout(HEAD_TIME)
        .max_buf_size(LARGEST_HEAD)
        .max_headers(MOST_HEADERS)
        .serve_connection(TokioIo::new(stream), service);
    tokio::pin!(connection);
    let mut deadline = Instant::now() + EXCHANGE_TIME;
    let mut stopping = false;
    loop {
        tokio::select! {
            ended = &mut connection => {
                if let Err(error) = ended {
                    debug!(%error, "admin connection failed");
                }
                return;
            }
            () = sleep_until(deadline) => {
                if stopping || !staying.load(Ordering::Relaxed) {
                    return;
                }
                deadline += EXCHANGE_TIME;
            }
            () = shutdown.cancelled(), if !stopping => {
                stopping = true;
                deadline = Instant::now() + LAST_TIME;
                connection.as_mut().graceful_shutdown();
            }
        }
    }
}
