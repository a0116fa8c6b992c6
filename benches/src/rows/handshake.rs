//! TLS 1.3 handshakes, in full and resumed, beside nginx.
//!
//! Both servers show a P-256 certificate and agree on X25519, which both know: OpenSSL has had the post-quantum
//! group only since 3.5. A handshake counts once the server's tickets have arrived, and no request follows.

use std::{
    io::Write as _,
    net::{SocketAddr, TcpStream},
    sync::Arc,
    time::{Duration, Instant},
};

use anyhow::{Context as _, ensure};
use rustls::{
    ClientConfig, ClientConnection, DigitallySignedStruct, HandshakeKind, SignatureScheme,
    client::{
        Resumption,
        danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier},
    },
    crypto::{CryptoProvider, aws_lc_rs},
    pki_types::{CertificateDer, ServerName, UnixTime},
    version::TLS13,
};

use crate::{
    bench::{Bench, Contender},
    gateway::{Gateway, QUIET, state_folder},
    identity::HOST,
    measure::{cpu_time, micros},
    peer::{NGINX, Peer},
    project::Project,
    report::{Aim, Line},
};

const AIM: Aim = Aim::times_peer(1.1);
/// A server that is alive answers well within.
const PATIENCE: Duration = Duration::from_secs(20);

pub fn run(bench: &Bench) -> anyhow::Result<Vec<Line>> {
    let project = Project::new(bench.folder("project-")?)?;
    project.website()?;
    project.site_file("index.html", "<!doctype html><title>Bench</title>")?;
    let gateway = Gateway::run(bench, &project, &state_folder(bench)?, QUIET)?;
    let nginx = Peer::nginx(bench, project.folder())?;
    let theirs = nginx.as_ref().map(|nginx| (NGINX, nginx.pid(), nginx.tls_target("/").address));
    let servers = [Some(("headgate", gateway.pid(), gateway.https)), theirs];

    let mut lines = Vec::new();
    for (name, kind) in [
        ("TLS 1.3 handshake, full", HandshakeKind::Full),
        ("TLS 1.3 handshake, resumed", HandshakeKind::Resumed),
    ] {
        let mut contenders = Vec::new();
        for (name, pid, address) in servers.iter().flatten().copied() {
            let client = Shaker::new(address, kind)?;
            contenders.push(Contender::new(name, move |seconds| client.cpu_each(pid, seconds)));
        }
        bench.interleave(&mut contenders)?;
        let theirs = contenders.get(1).map(|nginx| nginx.samples.median());
        let line = Line::new(name, "µs CPU", &contenders[0].samples);
        lines.push(line.against(NGINX, theirs).aim(AIM));
    }
    Ok(lines)
}

/// A client that shakes hands again and again.
struct Shaker {
    address: SocketAddr,
    config: Arc<ClientConfig>,
    kind: HandshakeKind,
}

impl Shaker {
    fn new(address: SocketAddr, kind: HandshakeKind) -> anyhow::Result<Self> {
        let provider = Arc::new(CryptoProvider {
            kx_groups: vec![aws_lc_rs::kx_group::X25519],
            ..aws_lc_rs::default_provider()
        });
        let trusting = Arc::new(Trusting(provider.clone()));
        let mut config = ClientConfig::builder_with_provider(provider)
            .with_protocol_versions(&[&TLS13])?
            .dangerous()
            .with_custom_certificate_verifier(trusting)
            .with_no_client_auth();
        if kind == HandshakeKind::Full {
            config.resumption = Resumption::disabled();
        }
        let shaker = Self { address, config: Arc::new(config), kind };
        // The first cannot be resumed.
        shaker.shake()?;
        Ok(shaker)
    }

    /// What a handshake costs the server.
    fn cpu_each(&self, pid: u32, seconds: u64) -> anyhow::Result<f64> {
        let before = cpu_time(pid)?;
        let until = Instant::now() + Duration::from_secs(seconds);
        let mut count = 0_u32;
        while Instant::now() < until {
            let kind = self.shake()?;
            ensure!(kind == self.kind, "a handshake was {kind:?}, not {:?}", self.kind);
            count += 1;
        }
        let used = cpu_time(pid)?.saturating_sub(before);
        Ok(micros(used) / f64::from(count))
    }

    fn shake(&self) -> anyhow::Result<HandshakeKind> {
        let name = ServerName::try_from(HOST)?;
        let mut tls = ClientConnection::new(self.config.clone(), name)?;
        let mut tcp = TcpStream::connect(self.address).context("connecting")?;
        tcp.set_nodelay(true)?;
        tcp.set_read_timeout(Some(PATIENCE))?;
        while tls.is_handshaking() {
            tls.complete_io(&mut tcp).context("shaking hands")?;
        }
        // Both send two tickets, which are all that comes without a request.
        while tls.tls13_tickets_received() == 0 {
            ensure!(tls.read_tls(&mut tcp)? > 0, "the connection ended before a ticket came");
            tls.process_new_packets()?;
        }
        let kind = tls.handshake_kind().context("a handshake is of a kind")?;
        tls.send_close_notify();
        tls.write_tls(&mut tcp)?;
        tcp.flush()?;
        Ok(kind)
    }
}

/// Whom the servers are trusted by is not what is measured, and costs the client alone.
#[derive(Debug)]
struct Trusting(Arc<CryptoProvider>);

impl ServerCertVerifier for Trusting {
    fn verify_server_cert(
        &self,
        _: &CertificateDer<'_>,
        _: &[CertificateDer<'_>],
        _: &ServerName<'_>,
        _: &[u8],
        _: UnixTime,
    ) -> Result<ServerCertVerified, rustls::Error> {
        Ok(ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        _: &[u8],
        _: &CertificateDer<'_>,
        _: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        Err(rustls::Error::General("only TLS 1.3 is measured".to_owned()))
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        let algorithms = &self.0.signature_verification_algorithms;
        rustls::crypto::verify_tls13_signature(message, certificate, signed, algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.0.signature_verification_algorithms.supported_schemes()
    }
}
