//! `Pebble`: the authority as a process, with a certificate of a CA of ours.

use std::{
    fs,
    net::{Ipv4Addr, SocketAddr, TcpListener},
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    time::{Duration, Instant},
};

use rcgen::{BasicConstraints, CertificateParams, IsCa, Issuer, KeyPair};
use tempfile::TempDir;

pub(crate) struct Pebble {
    child: Child,
    config: Config,
}

/// Everything but the process, so that it can be started again at the same place.
pub(crate) struct Config {
    pub(crate) acme: u16,
    pub(crate) http: u16,
    pub(crate) tls: u16,
    pub(crate) authority: TestAuthority,
    dns: SocketAddr,
    options: Options,
}

#[derive(Clone, Copy, Default)]
pub(crate) struct Options {
    /// Percent of good nonces that are refused.
    pub(crate) bad_nonces: u8,
    /// Whether accounts need a binding.
    pub(crate) bound_accounts: bool,
}

/// Who signs the certificates of the authority's own servers.
pub(crate) struct TestAuthority {
    pub(crate) folder: TempDir,
}

/// The key of `kid-1`, as pebble reads it.
pub(crate) const BINDING_KEY: &str =
    "zWNDZM6eQGHWpSRTPal5eIUYFTu7EajVIoguysqZ9wG44nMEtx3MUAsUDkMTQ12W";

pub(crate) fn installed() -> bool {
    let found = Path::new("/usr/bin/pebble").exists();
    if !found {
        eprintln!("SKIPPED: pebble is not installed; tests/prepare installs it");
    }
    found
}

impl Pebble {
    pub(crate) async fn start(dns: SocketAddr, options: Options) -> Self {
        let config = Config {
            acme: free_port(),
            http: free_port(),
            tls: free_port(),
            authority: TestAuthority::new(),
            dns,
            options,
        };
        Self::run(config).await
    }

    /// Kills it and starts it again. It has forgotten everything.
    pub(crate) async fn restart(self) -> Self {
        let config = self.stop();
        Self::run(config).await
    }

    pub(crate) fn stop(mut self) -> Config {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
        // The process is gone, so nothing is left for `drop` to do but wait again.
        let Self { config, .. } = &mut self;
        std::mem::replace(
            config,
            Config {
                acme: 0,
                http: 0,
                tls: 0,
                authority: TestAuthority { folder: tempfile::tempdir().unwrap() },
                dns: config.dns,
                options: config.options,
            },
        )
    }

    pub(crate) async fn run(config: Config) -> Self {
        let folder = config.authority.folder.path();
        let text = format!(
            r#"{{"pebble": {{
                "listenAddress": "127.0.0.1:{}",
                "managementListenAddress": "",
                "certificate": "{2}/server.pem", "privateKey": "{2}/server.key",
                "httpPort": {1}, "tlsPort": {3}, "ocspResponderURL": "",
                "externalAccountBindingRequired": {4},
                "externalAccountMACKeys": {{"kid-1": "{BINDING_KEY}"}}
            }}}}"#,
            config.acme,
            config.http,
            folder.display(),
            config.tls,
            config.options.bound_accounts,
        );
        let file = folder.join("pebble.json");
        fs::write(&file, text).unwrap();
        let log = fs::File::create(folder.join("pebble.log")).unwrap();
        let child = Command::new("pebble")
            .arg("-config")
            .arg(&file)
            .arg("-dnsserver")
            .arg(config.dns.to_string())
            .env("PEBBLE_VA_NOSLEEP", "1")
            .env("PEBBLE_AUTHZREUSE", "0")
            .env("PEBBLE_WFE_NONCEREJECT", config.options.bad_nonces.to_string())
            .stdout(log.try_clone().unwrap())
            .stderr(log)
            .stdin(Stdio::null())
            .spawn()
            .unwrap();
        let pebble = Self { child, config };
        let begun = Instant::now();
        while tokio::net::TcpStream::connect((Ipv4Addr::LOCALHOST, pebble.config.acme))
            .await
            .is_err()
        {
            assert!(begun.elapsed() < Duration::from_secs(30), "pebble does not listen");
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        pebble
    }

    pub(crate) fn config(&self) -> &Config {
        &self.config
    }
}

impl Drop for Pebble {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

impl TestAuthority {
    fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let ca_key = KeyPair::generate_for(&rcgen::PKCS_ECDSA_P256_SHA256).unwrap();
        let mut ca = CertificateParams::default();
        ca.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let root = ca.self_signed(&ca_key).unwrap();
        let key = KeyPair::generate_for(&rcgen::PKCS_ECDSA_P256_SHA256).unwrap();
        let names = vec!["localhost".to_owned(), "127.0.0.1".to_owned()];
        let leaf = CertificateParams::new(names).unwrap();
        let leaf = leaf.signed_by(&key, &Issuer::from_params(&ca, &ca_key)).unwrap();
        fs::write(folder.path().join("root.pem"), root.pem()).unwrap();
        fs::write(folder.path().join("server.pem"), leaf.pem()).unwrap();
        fs::write(folder.path().join("server.key"), key.serialize_pem()).unwrap();
        Self { folder }
    }

    pub(crate) fn root(&self) -> PathBuf {
        self.folder.path().join("root.pem")
    }
}

pub(crate) fn free_port() -> u16 {
    TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap().local_addr().unwrap().port()
}
