//! Which certificate a real client is shown, and that it trusts it.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::{fs, net::IpAddr, path::Path, sync::Arc};

use headgate_certs::{
    CertificateResolver, CertificateTable, LocalAuthority, Subject, Tickets, provider,
    server_config,
};
use headgate_types::{HostPattern, SystemClock};
use rustls::{
    ClientConfig, HandshakeKind, NamedGroup, ProtocolVersion, RootCertStore,
    SupportedProtocolVersion,
    pki_types::{CertificateDer, ServerName, pem::PemObject},
    version::{TLS12, TLS13},
};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio_rustls::{TlsAcceptor, TlsConnector, client::TlsStream};

struct Server {
    acceptor: TlsAcceptor,
    resolver: Arc<CertificateResolver>,
    client: Arc<ClientConfig>,
    dir: tempfile::TempDir,
    authority: LocalAuthority,
}

fn server(hosts: &[&str]) -> Server {
    let dir = tempfile::tempdir().unwrap();
    let authority = LocalAuthority::open(dir.path(), Arc::new(SystemClock)).unwrap();
    let resolver = CertificateResolver::new(authority.table_for(&parse(hosts)).unwrap());
    let mut roots = RootCertStore::empty();
    roots.add(CertificateDer::from_pem_slice(authority.root_pem().as_bytes()).unwrap()).unwrap();
    let mut client = ClientConfig::builder_with_provider(provider())
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_root_certificates(roots)
        .with_no_client_auth();
    client.alpn_protocols = vec![b"h2".to_vec()];
    Server {
        acceptor: acceptor(&resolver, dir.path()),
        resolver,
        client: Arc::new(client),
        dir,
        authority,
    }
}

/// A client of one version, which remembers its sessions.
fn client(
    authority: &LocalAuthority,
    version: &'static SupportedProtocolVersion,
) -> Arc<ClientConfig> {
    let mut roots = RootCertStore::empty();
    roots.add(CertificateDer::from_pem_slice(authority.root_pem().as_bytes()).unwrap()).unwrap();
    let config = ClientConfig::builder_with_provider(provider())
        .with_protocol_versions(&[version])
        .unwrap()
        .with_root_certificates(roots)
        .with_no_client_auth();
    Arc::new(config)
}

fn parse(hosts: &[&str]) -> Vec<HostPattern> {
    hosts.iter().map(|host| host.parse().unwrap()).collect()
}

fn acceptor(resolver: &Arc<CertificateResolver>, dir: &Path) -> TlsAcceptor {
    let tickets = Tickets::open(&dir.join("tickets"), Arc::new(SystemClock)).unwrap();
    TlsAcceptor::from(server_config(resolver.clone(), tickets.scoped([])).unwrap())
}

impl Server {
    /// As another process would go on in the same folder.
    fn restart(&mut self) {
        self.acceptor = acceptor(&self.resolver, self.dir.path());
    }

    async fn connect(&self, name: &str) -> Result<TlsStream<tokio::io::DuplexStream>, String> {
        let (near, far) = tokio::io::duplex(64 * 1024);
        let acceptor = self.acceptor.clone();
        tokio::spawn(async move {
            if let Ok(mut tls) = acceptor.accept(far).await {
                let _ = tls.write_all(b"hello").await;
                let _ = tls.shutdown().await;
            }
        });
        let name = ServerName::try_from(name.to_owned()).unwrap();
        let connector = TlsConnector::from(Arc::clone(&self.client));
        let mut tls = connector.connect(name, near).await.map_err(|error| error.to_string())?;
        let mut text = String::new();
        tls.read_to_string(&mut text).await.map_err(|error| error.to_string())?;
        assert_eq!(text, "hello");
        Ok(tls)
    }

    async fn trusts(&self, name: &str) -> bool {
        self.connect(name).await.is_ok()
    }
}

#[tokio::test]
async fn every_host_of_the_table_is_trusted() {
    let server = server(&["app.localhost", "*.shop.example.com", "example.com"]);
    for name in [
        "localhost",
        "127.0.0.1",
        "::1",
        "app.localhost",
        "App.LocalHost",
        "a.shop.example.com",
        "example.com",
    ] {
        server.connect(name).await.unwrap_or_else(|error| panic!("{name}: {error}"));
    }
}

#[tokio::test]
async fn an_unknown_name_is_refused_with_an_alert() {
    let server = server(&["app.localhost", "*.shop.example.com"]);
    for name in ["other.localhost", "shop.example.com", "a.b.shop.example.com"] {
        let error = server.connect(name).await.unwrap_err();
        assert!(error.contains("alert"), "{name}: {error}");
    }
}

#[tokio::test]
async fn an_exact_name_goes_before_its_wildcard() {
    let server = server(&[]);
    let issue = |host: &str| server.authority.issue(&[Subject::Host(host.parse().unwrap())]);
    let (exact, wildcard) = (issue("a.example.com").unwrap(), issue("*.example.com").unwrap());
    let mut table = CertificateTable::default();
    table.insert(&"*.example.com".parse().unwrap(), Arc::clone(&wildcard));
    table.insert(&"a.example.com".parse().unwrap(), Arc::clone(&exact));
    assert!(Arc::ptr_eq(&table.find(Some("a.example.com")).unwrap(), &exact));
    assert!(Arc::ptr_eq(&table.find(Some("b.example.com")).unwrap(), &wildcard));
    assert!(table.find(Some(".example.com")).is_none());
    assert!(table.find(None).is_none());
    server.resolver.store(table);
    assert!(server.trusts("b.example.com").await);
    assert!(!server.trusts("localhost").await, "the table before is gone");
}

#[tokio::test]
async fn clients_get_tls_1_3_with_post_quantum_keys_and_resume() {
    let server = server(&[]);
    let first = server.connect("localhost").await.unwrap();
    let (_, connection) = first.get_ref();
    assert_eq!(connection.protocol_version(), Some(ProtocolVersion::TLSv1_3));
    let group = connection.negotiated_key_exchange_group().unwrap().name();
    assert_eq!(group, NamedGroup::X25519MLKEM768);
    assert_eq!(connection.alpn_protocol(), Some(&b"h2"[..]));
    let second = server.connect("localhost").await.unwrap();
    assert_eq!(second.get_ref().1.handshake_kind(), Some(HandshakeKind::Resumed));
}

#[tokio::test]
async fn sessions_go_on_after_a_restart_as_long_as_the_keys_are_there() {
    for version in [&TLS13, &TLS12] {
        let mut server = server(&[]);
        server.client = client(&server.authority, version);
        let kind = async |server: &Server| {
            server.connect("localhost").await.unwrap().get_ref().1.handshake_kind()
        };
        assert_eq!(kind(&server).await, Some(HandshakeKind::Full), "{version:?}");
        server.restart();
        assert_eq!(kind(&server).await, Some(HandshakeKind::Resumed), "{version:?}");
        fs::remove_file(server.dir.path().join("tickets")).unwrap();
        server.restart();
        assert_eq!(kind(&server).await, Some(HandshakeKind::Full), "{version:?}");
    }
}

#[tokio::test]
async fn tls_1_2_is_spoken_with_forward_secrecy() {
    let mut server = server(&[]);
    server.client = client(&server.authority, &TLS12);
    let tls = server.connect("localhost").await.unwrap();
    let suite = tls.get_ref().1.negotiated_cipher_suite().unwrap().suite();
    assert!(suite.as_str().unwrap().starts_with("TLS_ECDHE_ECDSA_"), "{suite:?}");
}

#[tokio::test]
async fn another_authority_is_not_trusted() {
    let (ours, theirs) = (server(&[]), server(&[]));
    ours.resolver.store(theirs.authority.table_for(&[]).unwrap());
    assert!(!ours.trusts("localhost").await);
}

#[test]
fn a_certificate_can_carry_names_and_addresses_together() {
    let server = server(&[]);
    let address: IpAddr = "10.0.0.1".parse().unwrap();
    let host: HostPattern = "node.example.com".parse().unwrap();
    assert!(server.authority.issue(&[host.into(), address.into()]).is_ok());
    assert!(server.authority.issue(&[]).is_err());
}
