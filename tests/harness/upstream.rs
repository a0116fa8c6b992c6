//! `Upstream`: a server outside of the node, for functions to call.

use std::{
    convert::Infallible,
    net::SocketAddr,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
};

use bytes::Bytes;
use http::{Request, Response, StatusCode, header};
use http_body_util::{BodyExt, Full};
use hyper::{
    body::{Body, Frame, Incoming, SizeHint},
    server::conn::http1,
    service::service_fn,
};
use hyper_util::rt::TokioIo;
use tokio::net::TcpListener;

/// Answers by the path, and counts who comes.
///
/// | path           | answer                                    |
/// |----------------|-------------------------------------------|
/// | `/hello`       | "hello from outside"                      |
/// | `/echo`        | the request's body, piece by piece        |
/// | `/endless`     | a body without end                        |
/// | `/hang`        | none                                      |
/// | `/to/<address>` | 302 to `/hello` at that address           |
#[derive(Debug)]
pub struct Upstream {
    address: SocketAddr,
    counts: Arc<Counts>,
}

#[derive(Debug, Default)]
struct Counts {
    connections: AtomicUsize,
    requests: AtomicUsize,
    endless: AtomicUsize,
}

impl Upstream {
    /// Listens on loopback until the test ends.
    pub async fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("loopback has free ports");
        let address = listener.local_addr().expect("a bound socket has an address");
        let counts = Arc::<Counts>::default();
        let counted = counts.clone();
        tokio::spawn(async move {
            while let Ok((tcp, _)) = listener.accept().await {
                counted.connections.fetch_add(1, Ordering::SeqCst);
                let counts = counted.clone();
                let service = service_fn(move |request| answer(request, counts.clone()));
                // How a connection ends is its client's affair.
                tokio::spawn(http1::Builder::new().serve_connection(TokioIo::new(tcp), service));
            }
        });
        Self { address, counts }
    }

    pub fn address(&self) -> SocketAddr {
        self.address
    }

    pub fn url(&self, path: &str) -> String {
        format!("http://{}{path}", self.address)
    }

    /// Connections that were made.
    pub fn connections(&self) -> usize {
        self.counts.connections.load(Ordering::SeqCst)
    }

    /// Requests that came.
    pub fn requests(&self) -> usize {
        self.counts.requests.load(Ordering::SeqCst)
    }

    /// Bodies without end that somebody still reads.
    pub fn endless(&self) -> usize {
        self.counts.endless.load(Ordering::SeqCst)
    }
}

type Answered = http_body_util::combinators::UnsyncBoxBody<Bytes, hyper::Error>;

async fn answer(
    request: Request<Incoming>,
    counts: Arc<Counts>,
) -> Result<Response<Answered>, Infallible> {
    counts.requests.fetch_add(1, Ordering::SeqCst);
    let path = request.uri().path().to_owned();
    Ok(match &*path {
        "/hello" => Response::new(text("hello from outside")),
        "/echo" => Response::new(request.into_body().boxed_unsync()),
        "/endless" => Response::new(Endless::begin(counts).boxed_unsync()),
        "/hang" => std::future::pending().await,
        path => match path.strip_prefix("/to/") {
            Some(address) => {
                let mut response = Response::new(text("elsewhere"));
                *response.status_mut() = StatusCode::FOUND;
                let location = format!("http://{address}/hello");
                let location = location.parse().expect("tests write valid addresses");
                response.headers_mut().insert(header::LOCATION, location);
                response
            }
            None => {
                let mut response = Response::new(text("not found"));
                *response.status_mut() = StatusCode::NOT_FOUND;
                response
            }
        },
    })
}

fn text(text: &'static str) -> Answered {
    Full::new(Bytes::from_static(text.as_bytes())).map_err(|never| match never {}).boxed_unsync()
}

struct Endless(Arc<Counts>);

impl Endless {
    fn begin(counts: Arc<Counts>) -> Self {
        counts.endless.fetch_add(1, Ordering::SeqCst);
        Self(counts)
    }
}

impl Drop for Endless {
    fn drop(&mut self) {
        self.0.endless.fetch_sub(1, Ordering::SeqCst);
    }
}

impl Body for Endless {
    type Data = Bytes;
    type Error = hyper::Error;

    fn poll_frame(
        self: std::pin::Pin<&mut Self>,
        _: &mut std::task::Context<'_>,
    ) -> std::task::Poll<Option<Result<Frame<Bytes>, hyper::Error>>> {
        static PIECE: [u8; 64 << 10] = [b'x'; 64 << 10];
        std::task::Poll::Ready(Some(Ok(Frame::data(Bytes::from_static(&PIECE)))))
    }

    fn size_hint(&self) -> SizeHint {
        SizeHint::default()
    }
}
