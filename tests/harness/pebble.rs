//! `Pebble`: a certificate authority that speaks ACME, as a process, with a root of its own at each start.

use std::{
    fs,
    net::{Ipv4Addr, SocketAddr, TcpListener, UdpSocket},
    path::{Path, PathBuf},
    process::Stdio,
};

use tokio::{
    net::TcpStream,
    process::{Child, Command},
};

use crate::{Authority, eventually};

/// Ports that are known before anything listens there: an authority and a node have to know each other's.
#[derive(Debug, Clone, Copy)]
pub struct Ports {
    pub http: u16,
    pub https: u16,
    pub dns: u16,
    pub(crate) acme: u16,
    pub(crate) management: u16,
}

/// Killed when it is dropped.
#[derive(Debug)]
pub struct Pebble {
    child: Child,
    ports: Ports,
    /// Who vouches for the authority's own servers.
    authority: Authority,
}

impl Ports {
    pub fn free() -> Self {
        Self { http: tcp(), https: tcp(), dns: both(), acme: tcp(), management: tcp() }
    }
}

impl Pebble {
    /// Asks DNS of a node at these ports, and looks at hosts there. `None`, with a loud word, if there is
    /// no pebble here.
    pub async fn start(ports: Ports) -> Option<Self> {
        let authority = Authority::named("pebble's servers");
        let certificate = authority.server(&["localhost"]);
        let folder = authority.root().parent().expect("a file is in a folder").to_owned();
        let config = serde_json::json!({"pebble": {
            "listenAddress": format!("127.0.0.1:{}", ports.acme),
            "managementListenAddress": format!("127.0.0.1:{}", ports.management),
            "certificate": certificate.cert, "privateKey": certificate.key,
            "httpPort": ports.http, "tlsPort": ports.https, "ocspResponderURL": "",
            "externalAccountBindingRequired": false,
        }});
        fs::write(folder.join("pebble.json"), config.to_string()).expect("the folder is ours");
        let child = spawn(&folder, ports)?;
        let pebble = Self { child, ports, authority };
        pebble.listens().await;
        Some(pebble)
    }

    /// Ends it; nobody answers at its ports.
    pub async fn stop(&mut self) {
        self.child.kill().await.expect("it is a child of ours");
    }

    /// Starts it anew at the same place. It has another root, and has forgotten everything.
    pub async fn again(&mut self) {
        let folder = self.server_root().parent().expect("a file is in a folder").to_owned();
        self.child = spawn(&folder, self.ports).expect("it was started before");
        self.listens().await;
    }

    /// Where the directory is.
    pub fn directory(&self) -> String {
        format!("https://localhost:{}/dir", self.ports.acme)
    }

    /// The root of its own servers, as `tls.acme.roots` has it.
    pub fn server_root(&self) -> PathBuf {
        self.authority.root()
    }

    /// The root of the certificates that it issues, as a file of PEM.
    pub async fn root(&self) -> PathBuf {
        let file = self.server_root().with_file_name("issued.pem");
        let url = format!("https://localhost:{}/roots/0", self.ports.management);
        let got = Command::new("curl")
            .args(["--silent", "--show-error", "--fail", "--noproxy", "*", "--cacert"])
            .arg(self.server_root())
            .arg("--output")
            .arg(&file)
            .arg(url)
            .status()
            .await;
        assert!(got.expect("curl is installed").success(), "pebble tells its root");
        file
    }

    async fn listens(&self) {
        eventually("pebble listens", || async {
            TcpStream::connect((Ipv4Addr::LOCALHOST, self.ports.acme)).await.ok()
        })
        .await;
    }
}

#[expect(clippy::print_stderr, reason = "a test that is skipped says so")]
fn spawn(folder: &Path, ports: Ports) -> Option<Child> {
    let log = fs::File::create(folder.join("pebble.log")).expect("the folder is ours");
    let spawned = Command::new("pebble")
        .arg("-config")
        .arg(folder.join("pebble.json"))
        .args(["-dnsserver", &format!("127.0.0.1:{}", ports.dns)])
        .env("PEBBLE_VA_NOSLEEP", "1")
        .env("PEBBLE_AUTHZREUSE", "0")
        .env("PEBBLE_WFE_NONCEREJECT", "0")
        .stdin(Stdio::null())
        .stdout(log.try_clone().expect("a file can be shared"))
        .stderr(log)
        .kill_on_drop(true)
        .spawn();
    match spawned {
        Ok(child) => Some(child),
        Err(error) => {
            eprintln!("SKIPPED: there is no pebble here ({error}); tests/prepare installs it");
            None
        }
    }
}

fn tcp() -> u16 {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0));
    let address = listener.and_then(|listener| listener.local_addr());
    address.expect("loopback has free ports").port()
}

/// One that is free for UDP, too.
fn both() -> u16 {
    let free = |port: &u16| UdpSocket::bind(SocketAddr::from((Ipv4Addr::LOCALHOST, *port))).is_ok();
    std::iter::repeat_with(tcp).find(free).expect("loopback has free ports")
}
