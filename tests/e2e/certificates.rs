//! HTTPS by the node's own authority: who trusts its root trusts every host of its projects.

use std::process::{Output, Stdio};

use headgate_tests::{GitRepo, Protocol, TestNode, fixture};
use serde_json::json;
use tokio::{io::AsyncWriteExt, process::Command};

#[tokio::test]
async fn every_host_has_a_certificate_that_the_authority_signed() {
    let node = TestNode::dev(fixture("shop")).await;
    for host in [
        "localhost",
        "shop.localhost",
        "shop.example.com",
        "api.example.com",
        "ann.shop.example.com",
    ] {
        let mut client = node.client(Protocol::Https2, host).await;
        assert_eq!(client.get("/hello").await.text(), "Hello, world!", "{host}");
    }
}

#[tokio::test]
async fn curl_trusts_the_root_and_nothing_less() {
    let node = TestNode::dev(fixture("shop")).await;
    let root = node.root().display().to_string();
    for host in ["localhost", "shop.example.com"] {
        let trusting = curl(&node, host, &["--cacert", &root]).await;
        assert_eq!(String::from_utf8_lossy(&trusting.stdout), "Hello, world!", "{trusting:?}");
        let distrusting = curl(&node, host, &[]).await;
        // 60: the peer's certificate cannot be authenticated with known authorities.
        assert_eq!(distrusting.status.code(), Some(60), "{distrusting:?}");
    }
}

async fn curl(node: &TestNode, host: &str, arguments: &[&str]) -> Output {
    let port = node.https().port();
    let output = Command::new("curl")
        .args(["--silent", "--show-error", "--max-time", "30", "--noproxy", "*"])
        .args(["--resolve", &format!("{host}:{port}:127.0.0.1")])
        .args(arguments)
        .arg(format!("https://{host}:{port}/hello"))
        .output()
        .await;
    output.expect("curl is installed")
}

#[tokio::test]
async fn a_name_nobody_claims_is_refused_in_the_handshake() {
    let node = TestNode::dev(fixture("shop")).await;
    for name in ["elsewhere.example.com", "shop.example.org", "a.b.shop.example.com"] {
        let refused = node.shake_hands(name).await.expect_err(name).to_string();
        assert!(refused.starts_with("received fatal alert: "), "{name}: {refused}");
    }
    assert!(node.shake_hands("shop.example.com").await.is_ok(), "and nobody else suffers");
}

#[tokio::test]
async fn a_client_without_a_name_is_shown_the_certificate_for_loopback() {
    let node = TestNode::dev(fixture("shop")).await;
    let mut client = node.client(Protocol::Https1, "127.0.0.1").await;
    assert_eq!(client.get("/hello").await.text(), "Hello, world!");
}

#[tokio::test]
async fn the_root_survives_a_restart() {
    let repo = GitRepo::small("small.example.com", "one");
    let config = json!({"projects": [{"name": "small", "config": repo.url(), "branch": "main"}]});
    let mut node = TestNode::run(config).await;
    let root = std::fs::read(node.root()).unwrap();
    let mut client = node.client(Protocol::Https1, "small.example.com").await;
    assert_eq!(client.get("/").await.text(), "one");
    drop(client);

    node.terminate();
    node.exited().await;
    node.restart().await;
    assert_eq!(std::fs::read(node.root()).unwrap(), root);
    let mut client = node.client(Protocol::Https1, "small.example.com").await;
    assert_eq!(client.get("/").await.text(), "one");
}

/// As most programs that are no browsers resume: OpenSSL, with what it kept in a file.
#[tokio::test]
async fn a_session_goes_on_after_a_restart() {
    let repo = GitRepo::small("small.example.com", "one");
    let config = json!({"projects": [{"name": "small", "config": repo.url(), "branch": "main"}]});
    let mut node = TestNode::run(config).await;
    let folder = tempfile::tempdir().unwrap();
    let versions = ["-tls1_2", "-tls1_3"];
    let kept = |version: &str| folder.path().join(version).display().to_string();
    for version in versions {
        let shaken = openssl(&node, &[version, "-sess_out", &kept(version)]).await;
        assert!(shaken.contains("New, TLSv1"), "{version}: {shaken}");
    }
    let keys = std::fs::read(node.state().join("ticket.keys")).unwrap();
    node.terminate();
    node.exited().await;
    node.restart().await;
    for version in versions {
        let resumed = openssl(&node, &[version, "-sess_in", &kept(version)]).await;
        assert!(resumed.contains("Reused, TLSv1"), "{version}: {resumed}");
    }
    assert_eq!(std::fs::read(node.state().join("ticket.keys")).unwrap(), keys);

    node.terminate();
    node.exited().await;
    std::fs::remove_file(node.state().join("ticket.keys")).unwrap();
    node.restart().await;
    for version in versions {
        let shaken = openssl(&node, &[version, "-sess_in", &kept(version)]).await;
        assert!(shaken.contains("New, TLSv1"), "{version}: {shaken}");
    }
}

/// What `openssl s_client` says of a handshake and one request over it.
async fn openssl(node: &TestNode, arguments: &[&str]) -> String {
    let mut client = Command::new("openssl")
        .args(["s_client", "-ign_eof", "-servername", "small.example.com"])
        .args(["-connect", &node.https().to_string()])
        .arg("-CAfile")
        .arg(node.root())
        .args(arguments)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("openssl is installed");
    let request = b"GET / HTTP/1.1\r\nhost: small.example.com\r\nconnection: close\r\n\r\n";
    client.stdin.take().unwrap().write_all(request).await.unwrap();
    let output = client.wait_with_output().await.unwrap();
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    assert!(text.contains("HTTP/1.1 200"), "{text}{}", String::from_utf8_lossy(&output.stderr));
    text
}

#[tokio::test]
async fn the_authoritys_key_is_its_owners_alone() {
    use std::os::unix::fs::PermissionsExt;
    let node = TestNode::dev(fixture("site")).await;
    let folder = node.root().parent().unwrap().to_owned();
    let mode =
        |name: &str| std::fs::metadata(folder.join(name)).unwrap().permissions().mode() & 0o777;
    assert_eq!(mode("authority.pem"), 0o600);
    assert_eq!(mode("root.pem"), 0o644);
    let root = std::fs::read_to_string(folder.join("root.pem")).unwrap();
    assert!(!root.contains("PRIVATE KEY"));
}
