//! The others: bare pingora, bare hyper and nginx, each answering thirteen bytes.

use std::{fs, net::SocketAddr, path::Path, time::Duration};

use crate::{
    bench::{Bench, On, binary_exists},
    binary::sibling,
    child::{Child, free_address, stderr_file},
    identity::{HOST, Identity},
    load::Target,
};

/// A running peer.
#[derive(Debug)]
pub struct Peer {
    pub name: &'static str,
    child: Child,
    http: SocketAddr,
    https: SocketAddr,
}

/// What every peer answers at `/`.
pub const BODY: &str = "Hello, world!";

pub const PINGORA: &str = "bare pingora `ServeHttp`";
pub const HYPER: &str = "bare hyper";
pub const NGINX: &str = "nginx";

const PATIENCE: Duration = Duration::from_secs(20);

impl Peer {
    pub fn pingora(bench: &Bench) -> anyhow::Result<Self> {
        Self::bare(bench, PINGORA, "peer_pingora")
    }

    pub fn hyper(bench: &Bench) -> anyhow::Result<Self> {
        Self::bare(bench, HYPER, "peer_hyper")
    }

    /// nginx, if it is installed. `site` is what it serves under `/site/`.
    pub fn nginx(bench: &Bench, site: &Path) -> anyhow::Result<Option<Self>> {
        if !binary_exists("nginx") {
            return Ok(None);
        }
        let folder = bench.folder("nginx-")?;
        let (http, https) = (free_address()?, free_address()?);
        let identity = Identity::write(&folder)?;
        let config = folder.join("nginx.conf");
        fs::write(&config, nginx_conf(&folder, site, &identity, http, https))?;
        let mut command = bench.command(On::Server, "nginx");
        command
            .arg("-c")
            .arg(&config)
            .arg("-p")
            .arg(&folder)
            .env("PATH", "/usr/sbin:/usr/bin:/bin");
        let child = Child::spawn(NGINX, &mut command, stderr_file(&folder, "nginx"))?;
        child.await_listening(http, PATIENCE)?;
        Ok(Some(Self { name: NGINX, child, http, https }))
    }

    /// One of the servers of `src/bin`.
    fn bare(bench: &Bench, name: &'static str, program: &str) -> anyhow::Result<Self> {
        let folder = bench.folder("peer-")?;
        let identity = Identity::write(&folder)?;
        let (http, https) = (free_address()?, free_address()?);
        let mut command = bench.command(On::Server, sibling(program)?);
        command.args([http.to_string(), https.to_string()]);
        command.arg(&identity.certificate).arg(&identity.key);
        let child = Child::spawn(name, &mut command, stderr_file(&folder, program))?;
        child.await_listening(http, PATIENCE)?;
        child.await_listening(https, PATIENCE)?;
        Ok(Self { name, child, http, https })
    }

    pub fn pid(&self) -> u32 {
        self.child.pid()
    }

    pub fn target(&self, path: impl Into<String>) -> Target {
        Target { address: self.http, host: HOST, path: path.into() }
    }

    pub fn tls_target(&self, path: impl Into<String>) -> Target {
        Target { address: self.https, ..self.target(path) }
    }
}

/// One process, no log, files kept open: nginx as it is tuned for such comparisons.
fn nginx_conf(
    folder: &Path,
    site: &Path,
    identity: &Identity,
    http: SocketAddr,
    https: SocketAddr,
) -> String {
    let folder = folder.display();
    format!(
        "daemon off; master_process off; worker_processes 1;\n\
         pid {folder}/nginx.pid; error_log stderr warn;\n\
         events {{ worker_connections 1024; }}\n\
         http {{\n\
         access_log off; keepalive_requests 1000000000; default_type text/plain;\n\
         sendfile on; tcp_nopush on; open_file_cache max=1000;\n\
         client_body_temp_path {folder}/a; proxy_temp_path {folder}/b; fastcgi_temp_path {folder}/c;\n\
         uwsgi_temp_path {folder}/d; scgi_temp_path {folder}/e;\n\
         server {{\n\
         listen {http}; listen {https} ssl http2;\n\
         ssl_certificate {certificate}; ssl_certificate_key {key}; ssl_protocols TLSv1.3;\n\
         location = / {{ return 200 \"{BODY}\"; }}\n\
         location /site/ {{ alias {site}/; }}\n\
         }}\n\
         }}\n",
        certificate = identity.certificate.display(),
        key = identity.key.display(),
        site = site.display(),
    )
}
