//! A node under test, and clients for it.

use std::{
    net::SocketAddr,
    sync::Arc,
    time::{Duration, Instant},
};

use headgate_edge::{
    Admission, AdmissionLimits, BindOptions, Drained, Edge, Limits, Listener, Metrics, PickConfig,
    Picked, Transport, bind, serve,
};
use prometheus_client::{encoding::text::encode, registry::Registry};
use rustls::{
    ClientConfig, RootCertStore, ServerConfig,
    crypto::aws_lc_rs,
    pki_types::{CertificateDer, PrivateKeyDer, ServerName},
    server::ClientHello,
};
use tokio::{
    io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt},
    net::TcpStream,
    sync::watch,
    task::JoinHandle,
    time::timeout,
};
use tokio_rustls::{TlsConnector, client::TlsStream};

use crate::app::App;

/// Far above every limit that tests set, so that a limit that does nothing is seen as this.
pub(crate) const PATIENCE: Duration = Duration::from_secs(10);

/// A limit that tests wait for.
pub(crate) const SHORT: Duration = Duration::from_millis(150);

pub(crate) struct Node {
    pub(crate) plain: SocketAddr,
    pub(crate) tls: SocketAddr,
    pub(crate) app: Arc<App>,
    pub(crate) admission: Arc<Admission>,
    registry: Registry,
    stop: watch::Sender<bool>,
    serving: JoinHandle<std::io::Result<Drained>>,
    roots: RootCertStore,
}

pub(crate) struct Setup {
    pub(crate) limits: Limits,
    pub(crate) admission: AdmissionLimits,
    pub(crate) drain: Duration,
}

impl Default for Setup {
    fn default() -> Self {
        Self { limits: Limits::default(), admission: AdmissionLimits::default(), drain: PATIENCE }
    }
}

/// A node with the default limits but those that `change` changes.
pub(crate) fn node_with(change: impl FnOnce(&mut Limits)) -> Node {
    let mut setup = Setup::default();
    change(&mut setup.limits);
    node(setup)
}

pub(crate) fn node(setup: Setup) -> Node {
    let loopback = "127.0.0.1:0".parse().unwrap();
    let plain = bind(loopback, &BindOptions { sockets: 2, ..BindOptions::default() }).unwrap();
    let tls = bind(loopback, &BindOptions::default()).unwrap();
    let (plain_address, tls_address) =
        (plain[0].local_addr().unwrap(), tls[0].local_addr().unwrap());
    let (pick, roots) = Pick::new();
    let pick: Arc<dyn PickConfig> = Arc::new(pick);
    let listener =
        |transport: Transport| move |socket| Listener { socket, transport: transport.clone() };
    let listeners = plain
        .into_iter()
        .map(listener(Transport::Plain))
        .chain(tls.into_iter().map(listener(Transport::Tls(pick))))
        .collect();
    let mut registry = Registry::default();
    let mut edge = Edge::new(Metrics::register(&mut registry));
    edge.limits = setup.limits.clone();
    edge.admission = Admission::new(setup.admission);
    edge.drain = setup.drain;
    let admission = Arc::clone(&edge.admission);
    let app = Arc::new(App::new(setup.limits));
    let (stop, watch) = watch::channel(false);
    let serving = tokio::spawn(serve(listeners, Arc::clone(&app), Arc::new(edge), watch));
    Node { plain: plain_address, tls: tls_address, app, admission, registry, stop, serving, roots }
}

impl Node {
    pub(crate) async fn connect(&self) -> Client<TcpStream> {
        Client { io: TcpStream::connect(self.plain).await.unwrap() }
    }

    pub(crate) async fn connect_tls(&self, name: &str, alpn: &[u8]) -> std::io::Result<TlsClient> {
        let provider = Arc::new(aws_lc_rs::default_provider());
        let mut config = ClientConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .unwrap()
            .with_root_certificates(self.roots.clone())
            .with_no_client_auth();
        config.alpn_protocols = vec![alpn.to_vec()];
        let tcp = TcpStream::connect(self.tls).await?;
        let name = ServerName::try_from(name.to_owned()).unwrap();
        let io = TlsConnector::from(Arc::new(config)).connect(name, tcp).await?;
        Ok(Client { io })
    }

    /// Begins to drain.
    pub(crate) fn stop(&self) {
        self.stop.send_replace(true);
    }

    /// Waits until the drain is over.
    pub(crate) async fn drained(self) -> Drained {
        timeout(PATIENCE, self.serving).await.expect("drains in time").unwrap().unwrap()
    }

    /// Waits until the metrics hold `line`.
    pub(crate) async fn counted(&self, line: &str) {
        let begun = Instant::now();
        loop {
            let mut text = String::new();
            encode(&mut text, &self.registry).unwrap();
            if text.lines().any(|there| there == line) {
                return;
            }
            assert!(begun.elapsed() < PATIENCE, "{line} is not in\n{text}");
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    }

    pub(crate) async fn rejected(&self, reason: &str) {
        self.counted(&format!("edge_rejected_total{{reason=\"{reason}\"}} 1")).await;
    }
}

pub(crate) struct Client<T> {
    pub(crate) io: T,
}

pub(crate) type TlsClient = Client<TlsStream<TcpStream>>;

impl<T: AsyncRead + AsyncWrite + Unpin> Client<T> {
    pub(crate) async fn send(&mut self, bytes: impl AsRef<[u8]>) {
        self.io.write_all(bytes.as_ref()).await.unwrap();
        self.io.flush().await.unwrap();
    }

    /// Sends without caring whether it is taken: the other side may have had enough.
    pub(crate) async fn pour(&mut self, bytes: impl AsRef<[u8]>) -> bool {
        self.io.write_all(bytes.as_ref()).await.is_ok() && self.io.flush().await.is_ok()
    }

    /// All that comes until the other side closes.
    pub(crate) async fn rest(&mut self) -> String {
        let mut bytes = Vec::new();
        let read = timeout(PATIENCE, self.io.read_to_end(&mut bytes));
        // A reset after the answer is a close as well.
        let _ = read.await.expect("the connection ends");
        String::from_utf8_lossy(&bytes).into_owned()
    }

    /// All that comes until the other side resets the connection.
    pub(crate) async fn until_reset(&mut self) -> String {
        let mut bytes = Vec::new();
        let read = timeout(PATIENCE, self.io.read_to_end(&mut bytes)).await.expect("ends");
        let error = read.expect_err("a close says that the answer is whole");
        assert_eq!(error.kind(), std::io::ErrorKind::ConnectionReset, "{error}");
        String::from_utf8(bytes).unwrap()
    }

    /// All that comes until the other side closes in good order.
    pub(crate) async fn until_closed(&mut self) -> String {
        let mut bytes = Vec::new();
        let read = timeout(PATIENCE, self.io.read_to_end(&mut bytes)).await.expect("ends");
        read.expect("ends in good order");
        String::from_utf8(bytes).unwrap()
    }

    /// Sends a last request and gives all that comes.
    pub(crate) async fn exchange(&mut self, bytes: impl AsRef<[u8]>) -> String {
        self.pour(bytes).await;
        self.rest().await
    }

    /// Reads until `end` has come.
    pub(crate) async fn until(&mut self, end: &str) -> String {
        let mut bytes = Vec::new();
        let read = async {
            while !bytes.ends_with(end.as_bytes()) {
                let byte = self.io.read_u8().await;
                bytes.push(byte.unwrap_or_else(|error| {
                    panic!("{error} after {:?}", String::from_utf8_lossy(&bytes))
                }));
            }
        };
        timeout(PATIENCE, read).await.expect("comes in time");
        String::from_utf8(bytes).unwrap()
    }
}

/// One certificate for `edge.test`; another ALPN list for challenges.
struct Pick {
    usual: Arc<ServerConfig>,
    challenge: Arc<ServerConfig>,
}

impl Pick {
    fn new() -> (Self, RootCertStore) {
        let issued = rcgen::generate_simple_self_signed(["edge.test".to_owned()]).unwrap();
        let certificate: CertificateDer<'static> = issued.cert.der().clone();
        let config = |alpn: &[&[u8]]| {
            let key = PrivateKeyDer::Pkcs8(issued.signing_key.serialize_der().into());
            let provider = Arc::new(aws_lc_rs::default_provider());
            let mut config = ServerConfig::builder_with_provider(provider)
                .with_safe_default_protocol_versions()
                .unwrap()
                .with_no_client_auth()
                .with_single_cert(vec![certificate.clone()], key)
                .unwrap();
            config.alpn_protocols = alpn.iter().map(|protocol| protocol.to_vec()).collect();
            Arc::new(config)
        };
        let mut roots = RootCertStore::empty();
        roots.add(certificate.clone()).unwrap();
        (Self { usual: config(&[b"h2", b"http/1.1"]), challenge: config(&[b"acme-tls/1"]) }, roots)
    }
}

impl PickConfig for Pick {
    fn pick(&self, hello: &ClientHello<'_>) -> Option<Picked> {
        if hello.alpn().is_some_and(|mut alpn| alpn.any(|protocol| protocol == b"acme-tls/1")) {
            return Some(Arc::clone(&self.challenge).into());
        }
        (hello.server_name() == Some("edge.test")).then(|| Arc::clone(&self.usual).into())
    }
}
