//! `Proxy`: stands before the authority, keeps a log, and breaks what a test wants broken.

use std::{
    net::Ipv4Addr,
    path::Path,
    sync::{Arc, Mutex},
    time::Duration,
};

use bytes::Bytes;
use http_body_util::{BodyExt, Full};
use hyper::{Request, Response, body::Incoming, service::service_fn};
use hyper_util::{
    client::legacy::Client,
    rt::{TokioExecutor, TokioIo},
};
use rustls::{
    ClientConfig, RootCertStore, ServerConfig,
    pki_types::{CertificateDer, PrivateKeyDer, pem::PemObject},
};
use tokio::net::TcpListener;
use tokio_rustls::TlsAcceptor;

pub(crate) struct Proxy {
    pub(crate) port: u16,
    state: Arc<State>,
    task: tokio::task::JoinHandle<()>,
}

#[derive(Default)]
struct State {
    log: Mutex<Vec<Seen>>,
    rule: Mutex<Option<Rule>>,
}

/// One request and how the authority answered it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Seen {
    pub(crate) path: String,
    pub(crate) status: u16,
}

/// Says what becomes of a request, by its path and its number from 0.
pub(crate) type Rule = Box<dyn FnMut(&str, usize) -> Verdict + Send>;

pub(crate) enum Verdict {
    Pass,
    /// The authority does not see it.
    Answer(u16, &'static [(&'static str, &'static str)], String),
    /// The authority answers, the client does not hear it.
    LoseAnswer,
    /// Neither the authority nor the client hears of it.
    LoseRequest,
    Delay(Duration),
    /// Like the two above, but the client is told nothing at all, and the test that something is
    /// to be killed now.
    Kill {
        answered: bool,
        told: tokio::sync::mpsc::Sender<()>,
    },
}

impl Proxy {
    pub(crate) async fn start(folder: &Path, upstream: u16) -> Self {
        let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
        let mut roots = RootCertStore::empty();
        roots.add(CertificateDer::from_pem_file(folder.join("root.pem")).unwrap()).unwrap();
        let tls = ClientConfig::builder_with_provider(Arc::clone(&provider))
            .with_safe_default_protocol_versions()
            .unwrap()
            .with_root_certificates(roots)
            .with_no_client_auth();
        let connector = hyper_rustls::HttpsConnectorBuilder::new()
            .with_tls_config(tls)
            .https_only()
            .enable_http1()
            .build();
        // No kept connections: the authority is restarted under it.
        let client: Client<_, Full<Bytes>> =
            Client::builder(TokioExecutor::new()).pool_max_idle_per_host(0).build(connector);
        let chain = vec![CertificateDer::from_pem_file(folder.join("server.pem")).unwrap()];
        let key = PrivateKeyDer::from_pem_file(folder.join("server.key")).unwrap();
        let server = ServerConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .unwrap()
            .with_no_client_auth()
            .with_single_cert(chain, key)
            .unwrap();
        let acceptor = TlsAcceptor::from(Arc::new(server));
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
        let port = listener.local_addr().unwrap().port();
        let state = Arc::new(State::default());
        let shared = Arc::clone(&state);
        let task = tokio::spawn(async move {
            let mut connections = tokio::task::JoinSet::new();
            loop {
                let Ok((stream, _)) = listener.accept().await else { continue };
                let (acceptor, client) = (acceptor.clone(), client.clone());
                let state = Arc::clone(&shared);
                connections.spawn(async move {
                    let Ok(tls) = acceptor.accept(stream).await else { return };
                    let service = service_fn(move |request| {
                        let (state, client) = (Arc::clone(&state), client.clone());
                        handle(state, client, upstream, request)
                    });
                    let builder = hyper::server::conn::http1::Builder::new();
                    let _ = builder.serve_connection(TokioIo::new(tls), service).await;
                });
            }
        });
        Self { port, state, task }
    }

    /// From now on; requests are counted from 0 again.
    pub(crate) fn rule(&self, rule: impl FnMut(&str, usize) -> Verdict + Send + 'static) {
        let mut rule = rule;
        let mut number = 0;
        let counting = move |path: &str, _| {
            number += 1;
            rule(path, number - 1)
        };
        *self.state.rule.lock().unwrap() = Some(Box::new(counting));
    }

    pub(crate) fn pass(&self) {
        *self.state.rule.lock().unwrap() = None;
    }

    /// Orders that the authority made.
    pub(crate) fn orders(&self) -> usize {
        self.count("/order-plz", 201)
    }

    /// Certificates that the authority made: one for each order that was finalised.
    pub(crate) fn certificates(&self) -> usize {
        let log = self.state.log.lock().unwrap();
        let finalised =
            log.iter().filter(|s| s.path.starts_with("/finalize-order/") && s.status == 200);
        finalised.map(|seen| &seen.path).collect::<std::collections::HashSet<_>>().len()
    }

    pub(crate) fn accounts(&self) -> usize {
        self.count("/sign-me-up", 201)
    }

    pub(crate) fn requests(&self) -> usize {
        self.state.log.lock().unwrap().len()
    }

    fn count(&self, path: &str, status: u16) -> usize {
        let log = self.state.log.lock().unwrap();
        log.iter().filter(|seen| seen.path == path && seen.status == status).count()
    }
}

impl Drop for Proxy {
    fn drop(&mut self) {
        self.task.abort();
    }
}

type Upstream = Client<
    hyper_rustls::HttpsConnector<hyper_util::client::legacy::connect::HttpConnector>,
    Full<Bytes>,
>;

async fn handle(
    state: Arc<State>,
    client: Upstream,
    upstream: u16,
    request: Request<Incoming>,
) -> Result<Response<Full<Bytes>>, std::io::Error> {
    let path = request.uri().path().to_owned();
    let verdict = match &mut *state.rule.lock().unwrap() {
        Some(rule) => rule(&path, 0),
        None => Verdict::Pass,
    };
    let lost = || std::io::Error::other("lost for the test");
    match &verdict {
        Verdict::Answer(status, headers, body) => {
            let mut response = Response::builder().status(*status);
            for (name, value) in *headers {
                response = response.header(*name, *value);
            }
            return Ok(response.body(Full::from(body.clone())).unwrap());
        }
        Verdict::LoseRequest => return Err(lost()),
        Verdict::Delay(time) => tokio::time::sleep(*time).await,
        Verdict::Kill { answered: false, told } => {
            told.send(()).await.unwrap();
            std::future::pending::<()>().await;
        }
        _ => {}
    }
    let (mut parts, body) = request.into_parts();
    let body = body.collect().await.map_err(std::io::Error::other)?.to_bytes();
    // The authority makes its URLs of the host it is asked for, which stays ours.
    parts.uri = format!("https://localhost:{upstream}{path}").parse().unwrap();
    parts.version = http::Version::HTTP_11;
    // In a task of its own: what the authority did is counted, whether the client is still there.
    let exchange = tokio::spawn(async move {
        let answer = client.request(Request::from_parts(parts, Full::from(body))).await;
        let (parts, body) = answer.map_err(std::io::Error::other)?.into_parts();
        let body = body.collect().await.map_err(std::io::Error::other)?.to_bytes();
        state.log.lock().unwrap().push(Seen { path, status: parts.status.as_u16() });
        Ok::<_, std::io::Error>((parts, body))
    });
    let (parts, body) = exchange.await.unwrap()?;
    match verdict {
        Verdict::LoseAnswer => Err(lost()),
        Verdict::Kill { told, .. } => {
            told.send(()).await.unwrap();
            std::future::pending().await
        }
        _ => Ok(Response::from_parts(parts, Full::from(body))),
    }
}
