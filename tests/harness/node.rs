//! `TestNode`: the real binary, in folders of its own, on ports that the kernel picks.

use std::{
    fs, io,
    net::SocketAddr,
    path::{Path, PathBuf},
    process::{ExitStatus, Output, Stdio},
    time::Duration,
};

use http::{Request, header};
use hyper_util::rt::TokioIo;
use rustix::process::{Pid, Signal, kill_process};
use serde_json::Value;
use tokio::{
    net::{TcpStream, UnixStream},
    process::{Child, Command},
    time::timeout,
};
use tokio_rustls::client::TlsStream;

use crate::{
    Answer, Client, Metrics, PATIENCE, Protocol, Raw, Stream,
    client::{self, Roots},
    empty,
    events::Events,
    fixture, home,
    home::Home,
    log::Log,
    natives::Natives,
};

/// How long a node may take to be ready: the first one of all compiles every guest of the fixtures.
const START: Duration = Duration::from_secs(300);

/// A node under test. Killed when it is dropped; a test that fails shows the end of its log.
#[derive(Debug)]
pub struct TestNode {
    home: Home,
    start: Start,
    run: Run,
}

/// What it is started as, again after each restart.
#[derive(Debug)]
enum Start {
    Dev { folder: PathBuf, arguments: Vec<String> },
    Run,
}

/// One process.
#[derive(Debug)]
struct Run {
    child: Child,
    events: Events,
    log: Log,
    bound: Bound,
}

#[derive(Debug)]
struct Bound {
    http: SocketAddr,
    https: SocketAddr,
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
        write_config(&home, config);
        Self::launch(home, Start::Run).await
    }

    async fn start(start: Start) -> Self {
        Self::launch(Home::new(&home::target()), start).await
    }

    async fn launch(home: Home, start: Start) -> Self {
        let run = Run::launch(&home, &start).await;
        let node = Self { home, start, run };
        Natives::open(&home::target()).collect(&node.home.state());
        node
    }

    /// Starts anew in the same folders, after it ended.
    pub async fn restart(&mut self) {
        if self.run.child.id().is_some() {
            self.exited().await;
        }
        self.run = Run::launch(&self.home, &self.start).await;
    }

    /// Writes another `node.yaml` and has it read (SIGHUP).
    pub fn reconfigure(&self, config: Value) {
        write_config(&self.home, config);
        self.signal(Signal::HUP);
    }

    /// SIGTERM: end in order.
    pub fn terminate(&self) {
        self.signal(Signal::TERM);
    }

    /// SIGKILL: now.
    pub fn kill(&self) {
        self.signal(Signal::KILL);
    }

    fn signal(&self, signal: Signal) {
        let id = self.run.child.id().expect("the node runs");
        let pid = i32::try_from(id).ok().and_then(Pid::from_raw).expect("a process has an id");
        kill_process(pid, signal).expect("our own process takes signals");
    }

    /// Waits until the process has ended.
    pub async fn exited(&mut self) -> ExitStatus {
        let ended = timeout(PATIENCE, self.run.child.wait()).await;
        ended.expect("the node ends in time").expect("a child can be waited for")
    }

    pub fn is_running(&mut self) -> bool {
        self.run.child.try_wait().expect("a child can be asked").is_none()
    }

    /// The memory of the process that is there and not just reserved, in bytes.
    pub fn resident_bytes(&self) -> u64 {
        let id = self.run.child.id().expect("the node runs");
        let status = fs::read_to_string(format!("/proc/{id}/status")).expect("this is Linux");
        let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"));
        let text = line.expect("a process has memory").trim().trim_end_matches(" kB");
        text.parse::<u64>().expect("a number of KiB") << 10
    }

    pub fn http(&self) -> SocketAddr {
        self.run.bound.http
    }

    pub fn https(&self) -> SocketAddr {
        self.run.bound.https
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
        let address = if protocol.is_secure() { self.https() } else { self.http() };
        Client::connect(protocol, address, host, &Roots::read(&self.root())).await
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
        client::shake_hands(tcp, host, b"http/1.1", &Roots::read(&self.root())).await
    }

    /// The next event of this name behind the last one that was waited for.
    pub async fn event(&self, name: &str) -> Value {
        match self.run.events.next(name).await {
            Some(event) => event,
            None => panic!("no event `{name}`; there were {:#?}", self.events()),
        }
    }

    /// Every event of this run.
    pub fn events(&self) -> Vec<Value> {
        self.run.events.all()
    }

    /// The first `ready`.
    pub async fn ready(&self) -> Value {
        self.run.events.first("ready", PATIENCE).await.expect("a node that started was ready")
    }

    /// The lines of the node's log so far.
    pub fn log(&self) -> Vec<String> {
        self.run.log.lines()
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
        Metrics(
            self.admin("/metrics")
                .await
                .text()
                .lines()
                .map(|l| {
                    if l.starts_with('#') || l.starts_with("headgate_") {
                        format!("{l}\n")
                    } else if l.starts_with("edge_") {
                        format!("headgate_{l}\n")
                    } else {
                        format!("headgate_executor_{l}\n")
                    }
                })
                .collect(),
        ) // HACK
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

impl Drop for TestNode {
    fn drop(&mut self) {
        if std::thread::panicking() {
            let _ = self.run.child.start_kill();
            self.run.log.finish();
            show(&self.run.log, &self.run.events);
        }
    }
}

impl Run {
    async fn launch(home: &Home, start: &Start) -> Self {
        Natives::open(&home::target()).lend(&home.state());
        let mut command = command(home);
        match start {
            Start::Dev { folder, arguments } => {
                let state = home.state();
                command.args(["dev", "--http", "127.0.0.1:0", "--https", "127.0.0.1:0", "--state"]);
                command.arg(state).args(arguments).arg(folder);
            }
            Start::Run => {
                command.args(["run", "--config"]).arg(home.path().join("node.yaml"));
            }
        }
        let mut child = command
            .args(["--output", "json", "--workers", "2"])
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .expect("the binary can be run");
        let events = Events::read(child.stdout.take().expect("it is piped"));
        let mut log = Log::read(child.stderr.take().expect("it is piped"));
        let Some(ready) = events.first("ready", START).await else {
            let _ = child.start_kill();
            log.finish();
            show(&log, &events);
            panic!("the node does not become ready");
        };
        let address = |key: &str| {
            let text = ready[key][0].as_str().unwrap_or_else(|| panic!("no `{key}` in {ready}"));
            text.parse().unwrap_or_else(|error| panic!("{text}: {error}"))
        };
        let bound = Bound { http: address("http"), https: address("https") };
        Self { child, events, log, bound }
    }
}

/// The binary with an environment of its own, so that nobody's settings change a test.
fn command(home: &Home) -> Command {
    let mut command = Command::new(home::binary());
    let path = std::env::var_os("PATH").unwrap_or_default();
    command.env_clear().env("PATH", path).env("HOME", home.path());
    command.env("XDG_DATA_HOME", home.data()).env("XDG_STATE_HOME", home.path().join("xdg-state"));
    command.current_dir(home.path()).stdin(Stdio::null()).kill_on_drop(true);
    command
}

fn write_config(home: &Home, mut config: Value) {
    let defaults = [
        ("state", home.state().to_string_lossy().into_owned().into()),
        ("http", serde_json::json!(["127.0.0.1:0"])),
        ("https", serde_json::json!(["127.0.0.1:0"])),
    ];
    let settings = config.as_object_mut().expect("a configuration is an object");
    for (key, value) in defaults {
        settings.entry(key).or_insert(value);
    }
    // JSON is YAML.
    let text = serde_json::to_string_pretty(&config).expect("JSON can be written");
    fs::write(home.path().join("node.yaml"), text).expect("temporary folders are writable");
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

#[expect(clippy::print_stderr, reason = "the test runner shows it for a failed test alone")]
fn show(log: &Log, events: &Events) {
    eprintln!("the node said:");
    for event in events.all().iter().filter(|event| event["event"] != "progress") {
        eprintln!("  {event}");
    }
    eprintln!("and its log ends with:\n{log}");
}
