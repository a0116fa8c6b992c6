//! `Node`: a server on loopback, which ends with its test.

use std::{
    io::{Read as _, Write as _},
    net::{SocketAddr, TcpListener, TcpStream, UdpSocket},
    process::Command,
    sync::Arc,
    time::{Duration, Instant},
};

use headgate_dns::{Server, bind};
use headgate_types::clock::SystemClock;
use rustls::ServerConfig;
use rustls_pki_types::PrivateKeyDer;
use tokio_util::sync::CancellationToken;

use crate::lab::Lab;

pub(crate) struct Node {
    pub(crate) lab: Lab,
    pub(crate) address: SocketAddr,
    pub(crate) tls: SocketAddr,
    shutdown: CancellationToken,
    thread: Option<std::thread::JoinHandle<()>>,
}

/// Longer than anything on loopback takes, even on a machine that does much else.
pub(crate) const PATIENCE: Duration = Duration::from_secs(30);

impl Node {
    pub(crate) fn start(lab: Lab) -> Self {
        Self::on("127.0.0.1:0", lab)
    }

    pub(crate) fn on(address: &str, lab: Lab) -> Self {
        let sockets = bind(address.parse().unwrap(), 4).unwrap();
        let address = sockets.address();
        let tls = TcpListener::bind("127.0.0.1:0").unwrap();
        let tls_address = tls.local_addr().unwrap();
        let server = Server {
            responder: Arc::clone(&lab.responder),
            clock: Arc::new(SystemClock),
            udp: sockets.udp,
            tcp: sockets.tcp,
            tls: Some((vec![tls], tls_config())),
        };
        let shutdown = CancellationToken::new();
        let token = shutdown.clone();
        let thread = std::thread::spawn(move || {
            let runtime = tokio::runtime::Runtime::new().unwrap();
            runtime.block_on(server.run(token)).unwrap();
        });
        Self { lab, address, tls: tls_address, shutdown, thread: Some(thread) }
    }

    /// Tells it to stop and waits until it has.
    pub(crate) fn stop(&mut self) {
        self.shutdown.cancel();
        if let Some(thread) = self.thread.take() {
            thread.join().unwrap();
        }
    }

    /// What a client program of this machine prints; `None` where there is no such program.
    pub(crate) fn dig(&self, program: &str, arguments: &[&str]) -> Option<String> {
        let server = format!("@{}", self.address.ip());
        let port = self.address.port().to_string();
        let run = Command::new(program).args([&server, "-p", &port]).args(arguments).output();
        match run {
            Ok(output) => {
                let text = String::from_utf8_lossy(&output.stdout).into_owned();
                assert!(output.status.success(), "{program} {arguments:?}: {text}");
                Some(text)
            }
            Err(error) => {
                eprintln!("SKIPPED: {program} is not here ({error}); tests/prepare installs it");
                None
            }
        }
    }
}

impl Drop for Node {
    fn drop(&mut self) {
        self.shutdown.cancel();
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

fn tls_config() -> Arc<ServerConfig> {
    let key = rcgen::generate_simple_self_signed(["ns1.example.test".to_owned()]).unwrap();
    let private = PrivateKeyDer::try_from(key.signing_key.serialize_der()).unwrap();
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let config = ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(vec![key.cert.der().clone()], private)
        .unwrap();
    Arc::new(config)
}

/// A UDP client of one server.
pub(crate) fn udp(server: SocketAddr) -> UdpSocket {
    let any = if server.is_ipv4() { "127.0.0.1:0" } else { "[::1]:0" };
    let socket = UdpSocket::bind(any).unwrap();
    socket.connect(server).unwrap();
    socket.set_read_timeout(Some(PATIENCE)).unwrap();
    socket
}

/// One question over UDP.
pub(crate) fn ask(socket: &UdpSocket, packet: &[u8]) -> Vec<u8> {
    socket.send(packet).unwrap();
    receive(socket)
}

pub(crate) fn receive(socket: &UdpSocket) -> Vec<u8> {
    let mut reply = vec![0; 65_535];
    let length = socket.recv(&mut reply).expect("an answer in time");
    reply.truncate(length);
    reply
}

/// A TCP client.
pub(crate) fn tcp(server: SocketAddr) -> TcpStream {
    let stream = TcpStream::connect(server).unwrap();
    stream.set_read_timeout(Some(PATIENCE)).unwrap();
    stream.set_write_timeout(Some(PATIENCE)).unwrap();
    stream
}

/// Messages as TCP carries them.
pub(crate) fn framed(messages: &[Vec<u8>]) -> Vec<u8> {
    let frame = |message: &Vec<u8>| {
        let length = u16::try_from(message.len()).unwrap().to_be_bytes();
        [&length[..], message].concat()
    };
    messages.iter().flat_map(frame).collect()
}

pub(crate) fn read_framed(stream: &mut TcpStream) -> Vec<u8> {
    let mut length = [0; 2];
    stream.read_exact(&mut length).unwrap();
    let mut message = vec![0; u16::from_be_bytes(length).into()];
    stream.read_exact(&mut message).unwrap();
    message
}

pub(crate) fn write(stream: &mut TcpStream, bytes: &[u8]) {
    stream.write_all(bytes).unwrap();
}

/// Looks until something is so.
#[track_caller]
pub(crate) fn eventually(what: &str, mut is_so: impl FnMut() -> bool) {
    let start = Instant::now();
    while !is_so() {
        assert!(start.elapsed() < PATIENCE, "never {what}");
        std::thread::yield_now();
    }
}
