//! Servers to call: HTTP in all its versions, plain and TLS, and a name server that says what it is told.

use std::{
    collections::{HashMap, VecDeque},
    convert::Infallible,
    net::{Ipv4Addr, SocketAddr},
    sync::{
        Arc, LazyLock, Mutex,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use bytes::Bytes;
use headgate_outbound::{
    Client, Config, Error, Metrics, Policy, RequestBody, Resolver, ResponseBody, Timeouts,
    Transport,
};
use headgate_types::ProjectName;
use hickory_resolver::proto::{
    op::{Message, MessageType, OpCode, ResponseCode},
    rr::{Name, RData, Record, RecordType},
};
use http::{Request, Response};
use http_body_util::{BodyExt, Full, combinators::UnsyncBoxBody};
use hyper::{body::Incoming, service::service_fn};
use hyper_util::{
    rt::{TokioExecutor, TokioIo},
    server::conn::auto,
};
use prometheus_client::registry::Registry;
use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, IsCa, KeyPair};
use rustls_pki_types::{PrivateKeyDer, PrivatePkcs8KeyDer};
use tempfile::TempDir;
use tokio::net::{TcpListener, TcpStream, UdpSocket};
use tokio_rustls::TlsAcceptor;

/// Whoever calls.
pub(crate) static SHOP: LazyLock<ProjectName> = LazyLock::new(|| "shop".parse().unwrap());

pub(crate) type Body = UnsyncBoxBody<Bytes, Infallible>;

/// Connections made, and those that are open.
#[derive(Default)]
pub(crate) struct Count {
    pub(crate) made: AtomicUsize,
    pub(crate) open: AtomicUsize,
    pub(crate) most: AtomicUsize,
}

impl Count {
    pub(crate) fn made(&self) -> usize {
        self.made.load(Ordering::SeqCst)
    }

    pub(crate) fn open(&self) -> usize {
        self.open.load(Ordering::SeqCst)
    }
}

/// A server that answers by a function; it ends with the test's runtime.
pub(crate) struct Upstream {
    pub(crate) address: SocketAddr,
    pub(crate) connections: Arc<Count>,
}

impl Upstream {
    pub(crate) async fn start<F, R>(answer: F) -> Self
    where
        F: Fn(Request<Incoming>) -> R + Clone + Send + Sync + 'static,
        R: Future<Output = Response<Body>> + Send + 'static,
    {
        Self::serve(answer, None).await
    }

    pub(crate) async fn tls<F, R>(authority: &Authority, answer: F) -> Self
    where
        F: Fn(Request<Incoming>) -> R + Clone + Send + Sync + 'static,
        R: Future<Output = Response<Body>> + Send + 'static,
    {
        Self::serve(answer, Some(authority.acceptor())).await
    }

    async fn serve<F, R>(answer: F, tls: Option<TlsAcceptor>) -> Self
    where
        F: Fn(Request<Incoming>) -> R + Clone + Send + Sync + 'static,
        R: Future<Output = Response<Body>> + Send + 'static,
    {
        // All of loopback, so that there are addresses to tell apart.
        let listener = TcpListener::bind("0.0.0.0:0").await.unwrap();
        let port = listener.local_addr().unwrap().port();
        let connections = Arc::<Count>::default();
        let count = connections.clone();
        tokio::spawn(async move {
            while let Ok((tcp, _)) = listener.accept().await {
                let (answer, tls, count) = (answer.clone(), tls.clone(), count.clone());
                tokio::spawn(async move {
                    count.made.fetch_add(1, Ordering::SeqCst);
                    let open = count.open.fetch_add(1, Ordering::SeqCst) + 1;
                    count.most.fetch_max(open, Ordering::SeqCst);
                    converse(tcp, tls, answer).await;
                    count.open.fetch_sub(1, Ordering::SeqCst);
                });
            }
        });
        Self { address: (Ipv4Addr::LOCALHOST, port).into(), connections }
    }

    pub(crate) fn url(&self, path: &str) -> String {
        format!("http://{}{path}", self.address)
    }
}

async fn converse<F, R>(tcp: TcpStream, tls: Option<TlsAcceptor>, answer: F)
where
    F: Fn(Request<Incoming>) -> R + Clone + Send + Sync + 'static,
    R: Future<Output = Response<Body>> + Send + 'static,
{
    let service = service_fn(move |request| {
        let response = answer(request);
        async move { Ok::<_, Infallible>(response.await) }
    });
    let server = auto::Builder::new(TokioExecutor::new());
    // How a connection ends is the client's affair.
    _ = match tls {
        Some(tls) => match tls.accept(tcp).await {
            Ok(stream) => server.serve_connection(TokioIo::new(stream), service).await,
            Err(_) => return,
        },
        None => server.serve_connection(TokioIo::new(tcp), service).await,
    };
}

/// Signs certificates for `localhost` and 127.0.0.1.
pub(crate) struct Authority {
    issuer: CertifiedIssuer<'static, KeyPair>,
    folder: TempDir,
}

impl Authority {
    pub(crate) fn new() -> Self {
        let mut params = CertificateParams::new(Vec::new()).unwrap();
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let issuer = CertifiedIssuer::self_signed(params, KeyPair::generate().unwrap()).unwrap();
        let folder = TempDir::new().unwrap();
        std::fs::write(folder.path().join("roots.pem"), issuer.pem()).unwrap();
        Self { issuer, folder }
    }

    pub(crate) fn roots(&self) -> Option<std::path::PathBuf> {
        Some(self.folder.path().join("roots.pem"))
    }

    fn acceptor(&self) -> TlsAcceptor {
        let key = KeyPair::generate().unwrap();
        let names = vec!["localhost".to_owned(), "127.0.0.1".to_owned()];
        let params = CertificateParams::new(names).unwrap();
        let certificate = params.signed_by(&key, &self.issuer).unwrap();
        let key = PrivateKeyDer::Pkcs8(PrivatePkcs8KeyDer::from(key.serialize_der()));
        let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
        let mut config = rustls::ServerConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .unwrap()
            .with_no_client_auth()
            .with_single_cert(vec![certificate.der().clone()], key)
            .unwrap();
        config.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
        TlsAcceptor::from(Arc::new(config))
    }
}

/// A name server that gives its answers in turn, the last one again and again.
pub(crate) struct NameServer {
    pub(crate) address: SocketAddr,
    pub(crate) asked: Arc<Mutex<Vec<(String, RecordType)>>>,
}

type Answers = HashMap<(&'static str, RecordType), VecDeque<Vec<Record>>>;

impl NameServer {
    /// `records`: the name asked for, the type, and the records of each answer.
    pub(crate) async fn start(
        records: impl IntoIterator<Item = (&'static str, RecordType, Vec<Vec<Record>>)>,
    ) -> Self {
        let mut answers: Answers = records
            .into_iter()
            .map(|(name, kind, answers)| ((name, kind), answers.into()))
            .collect();
        let socket = UdpSocket::bind("127.0.0.1:0").await.unwrap();
        let address = socket.local_addr().unwrap();
        let asked = Arc::<Mutex<Vec<_>>>::default();
        let noted = asked.clone();
        tokio::spawn(async move {
            let mut buffer = [0; 4096];
            while let Ok((length, from)) = socket.recv_from(&mut buffer).await {
                let question = Message::from_vec(&buffer[..length]).unwrap();
                let query = question.queries[0].clone();
                let name = query.name().to_ascii();
                noted.lock().unwrap().push((name.clone(), query.query_type()));
                let known = answers.keys().any(|(known, _)| *known == name);
                let found = answers
                    .iter_mut()
                    .find(|((known, kind), _)| *known == name && *kind == query.query_type())
                    .map(|(_, turns)| match turns.len() {
                        1 => turns[0].clone(),
                        _ => turns.pop_front().unwrap(),
                    });
                let mut answer =
                    Message::new(question.metadata.id, MessageType::Response, OpCode::Query);
                answer.metadata.recursion_available = true;
                if !known {
                    answer.metadata.response_code = ResponseCode::NXDomain;
                }
                answer.add_query(query);
                answer.add_answers(found.unwrap_or_default());
                socket.send_to(&answer.to_vec().unwrap(), from).await.unwrap();
            }
        });
        Self { address, asked }
    }

    pub(crate) fn resolver(&self) -> Resolver {
        Resolver::asking(self.address, Transport::Udp)
    }

    pub(crate) fn times_asked(&self, name: &str, kind: RecordType) -> usize {
        let asked = self.asked.lock().unwrap();
        asked.iter().filter(|(known, of)| known == name && *of == kind).count()
    }
}

pub(crate) fn record(name: &str, data: RData) -> Record {
    Record::from_rdata(name.parse::<Name>().unwrap(), 60, data)
}

pub(crate) fn a(name: &str, ip: &str) -> Record {
    record(name, RData::A(ip.parse::<Ipv4Addr>().unwrap().into()))
}

pub(crate) fn policy(allow: &[&str]) -> Policy {
    let allow = allow.iter().map(|text| text.parse().unwrap()).collect();
    Policy { allow, ..Policy::default() }
}

/// A client that may call loopback.
pub(crate) fn client() -> Client {
    client_with(policy(&["127.0.0.0/8"]), Resolver::system())
}

pub(crate) fn client_with(policy: Policy, resolver: Resolver) -> Client {
    open(Config { policy, roots: None }, resolver)
}

pub(crate) fn open(config: Config, resolver: Resolver) -> Client {
    let metrics = Arc::new(Metrics::new(&mut Registry::default()));
    Client::open(&config, Arc::new(resolver), metrics).unwrap()
}

pub(crate) fn get(url: &str) -> Request<RequestBody> {
    Request::get(url).body(RequestBody::empty()).unwrap()
}

pub(crate) async fn send(client: &Client, url: &str) -> Result<Response<ResponseBody>, Error> {
    send_of(client, "shop", url).await
}

pub(crate) async fn send_of(
    client: &Client,
    project: &str,
    url: &str,
) -> Result<Response<ResponseBody>, Error> {
    client.send(&project.parse().unwrap(), get(url), Timeouts::default()).await
}

/// The whole text of an answer.
pub(crate) async fn text(response: Response<ResponseBody>) -> String {
    let bytes = response.into_body().collect().await.unwrap().to_bytes();
    String::from_utf8(bytes.to_vec()).unwrap()
}

pub(crate) fn hello() -> Response<Body> {
    Response::new(Full::new(Bytes::from_static(b"hello")).boxed_unsync())
}

/// Waits until `condition` holds; ten seconds are for ever here.
pub(crate) async fn eventually(condition: impl Fn() -> bool) {
    let waiting = async {
        while !condition() {
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
    };
    tokio::time::timeout(Duration::from_secs(10), waiting).await.expect("it never came true");
}
