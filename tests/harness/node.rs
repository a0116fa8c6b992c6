//! `TestNode`: the real binary, in folders of its own, on ports that the kernel picks.

use std::{
    fs, io,
    net::SocketAddr,
    path::{Path, PathBuf},
    process::{ExitStatus, Output},
};

use http::{Request, header};
use hyper_util::rt::TokioIo;
use rustix::process::Signal;
use serde_json::Value;
use tokio::{
    net::{TcpStream, UnixStream},
    process::Command,
    time::timeout,
};
use tokio_rustls::client::TlsStream;

use crate::{
    Answer, Certificate, Client, Metrics, PATIENCE, Protocol, Raw, Stream,
    client::{self, Roots},
    empty, fixture, home,
    home::Home,
    natives::Natives,
    process::{Process, Start, command},
};

/// A node under test. Killed when it is dropped; a test that fails shows the end of its log.
#[derive(Debug)]
pub struct TestNode {
    // Dropped in this order: the process ends before its folders go.
    process: Process,
    start: Start,
    home: Home,
}

impl TestNode {
    /// `headgate dev` on a folder, ready.
    pub async fn dev(folder: impl AsRef<Path>) -> Self {
        Self::dev_with(folder, &[]).await
    }

    /// With further arguments.
    pub async fn dev_with(folder: impl AsRef<Path>, arguments: &[&str]) -> Self {
        warm().await;
        let arguments = arguments.iter().map(|&argument| argument.to_owned()).collect();
        Self::start(Start::Dev { folder: folder.as_ref().to_owned(), arguments }).await
    }

    /// `headgate run` with a `node.yaml`, ready. What the tests care about is given; folders and ports are
    /// added.
    pub async fn run(config: Value) -> Self {
        warm().await;
        let home = Home::new(&home::target());
        home.write_config(config);
        Self::launch(home, Start::Run).await
    }

    async fn start(start: Start) -> Self {
        Self::launch(Home::new(&home::target()), start).await
    }

    async fn launch(home: Home, start: Start) -> Self {
        let process = Process::launch(&home, &start).await;
        let node = Self { process, start, home };
        Natives::open(&home::target()).collect(&node.home.state());
        node
    }

    /// Starts anew in the same folders, after it ended.
    pub async fn restart(&mut self) {
        self.exited().await;
        self.process = Process::launch(&self.home, &self.start).await;
    }

    /// Writes another `node.yaml` and has it read (SIGHUP).
    pub fn reconfigure(&self, config: Value) {
        self.home.write_config(config);
        self.process.signal(Signal::HUP);
    }

    /// SIGTERM: end in order.
    pub fn terminate(&self) {
        self.process.signal(Signal::TERM);
    }

    /// SIGKILL: now.
    pub fn kill(&self) {
        self.process.signal(Signal::KILL);
    }

    /// Waits until the process has ended.
    pub async fn exited(&mut self) -> ExitStatus {
        self.process.exited().await
    }

    /// The memory of the process that is there and not just reserved, in bytes.
    pub fn resident_bytes(&self) -> u64 {
        let id = self.process.id();
        let status = fs::read_to_string(format!("/proc/{id}/status")).expect("this is Linux");
        let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"));
        let text = line.expect("a process has memory").trim().trim_end_matches(" kB");
        text.parse::<u64>().expect("a number of KiB") << 10
    }

    pub fn http(&self) -> SocketAddr {
        self.process.http
    }

    pub fn https(&self) -> SocketAddr {
        self.process.https
    }

    /// Where it answers DNS.
    pub fn dns(&self) -> SocketAddr {
        self.process.dns.expect("a node that answers DNS")
    }

    pub fn socket(&self) -> PathBuf {
        self.home.state().join("admin.sock")
    }

    pub fn state(&self) -> PathBuf {
        self.home.state()
    }

    /// The certificate of the node's authority, as PEM.
    pub fn root(&self) -> PathBuf {
        match self.start {
            Start::Dev { .. } => self.home.data().join("headgate/ca/root.pem"),
            Start::Run => self.home.state().join("ca/root.pem"),
        }
    }

    /// A connection to one host.
    pub async fn client(&self, protocol: Protocol, host: &str) -> Client {
        self.client_with(protocol, host, None).await
    }

    /// The same of a client that shows its own certificate if it is asked for one.
    pub async fn client_with(
        &self,
        protocol: Protocol,
        host: &str,
        own: Option<&Certificate>,
    ) -> Client {
        let address = if protocol.is_secure() { self.https() } else { self.http() };
        Client::connect(protocol, address, host, &Roots::read(&self.root()), own).await
    }

    /// One request over a connection of its own.
    pub async fn get(&self, host: &str, path: &str) -> Answer {
        self.client(Protocol::Http1, host).await.get(path).await
    }

    pub async fn raw(&self) -> Raw {
        Raw::connect(self.http()).await
    }

    /// A handshake with this server name and no more.
    ///
    /// # Errors
    /// When the node refuses, or shows a certificate that is not to be trusted for `host`.
    pub async fn shake_hands(&self, host: &str) -> io::Result<TlsStream<TcpStream>> {
        let tcp = TcpStream::connect(self.https()).await?;
        client::shake_hands(tcp, host, b"http/1.1", &Roots::read(&self.root()), None).await
    }

    /// The next event of this name behind the last one that was waited for.
    pub async fn event(&self, name: &str) -> Value {
        match self.process.events.next(name).await {
            Some(event) => event,
            None => panic!("no event `{name}`; there were {:#?}", self.events()),
        }
    }

    /// Every event of this run.
    pub fn events(&self) -> Vec<Value> {
        self.process.events.all()
    }

    /// The first `ready`.
    pub async fn ready(&self) -> Value {
        self.process.ready().await
    }

    /// The lines of the node's log so far.
    pub fn log(&self) -> Vec<String> {
        self.process.log.lines()
    }

    /// What the admin socket answers.
    pub async fn admin(&self, path: &str) -> Answer {
        let socket = self.socket();
        let stream = UnixStream::connect(&socket).await;
        let stream = stream.unwrap_or_else(|error| panic!("{}: {error}", socket.display()));
        let asking = async {
            let (mut sender, connection) =
                hyper::client::conn::http1::handshake(TokioIo::new(stream)).await?;
            tokio::spawn(connection);
            let request = Request::get(path).header(header::HOST, "localhost").body(empty());
            let response = sender.send_request(request.expect("tests write valid paths")).await?;
            Stream::new(response).whole().await
        };
        let answer = timeout(PATIENCE, asking).await.expect("admin answers in time");
        answer.unwrap_or_else(|error| panic!("{path}: {error}"))
    }

    pub async fn metrics(&self) -> Metrics {
        Metrics(self.admin("/metrics").await.text())
    }

    /// Runs `headgate` with these arguments, asking this node.
    pub async fn command(&self, arguments: &[&str]) -> Output {
        let run = self.commanded(arguments).output();
        let output = timeout(PATIENCE, run).await.expect("a command ends in time");
        output.expect("the binary can be run")
    }

    /// The same, not started yet.
    pub fn commanded(&self, arguments: &[&str]) -> Command {
        let mut command = command(&self.home);
        command.args(arguments).env("HEADGATE_SOCKET", self.socket());
        command
    }
}

/// Has the fixtures' guests compiled once for all tests.
async fn warm() {
    let compile = async || {
        for name in ["shop", "hostile"] {
            drop(
                TestNode::start(Start::Dev { folder: fixture(name), arguments: Vec::new() }).await,
            );
        }
    };
    Natives::open(&home::target()).warm(&home::binary(), compile).await;
}
