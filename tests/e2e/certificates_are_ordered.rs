//! A project is pushed, and every host of it answers over HTTPS with a certificate that visitors trust;
//! nobody ordered one.

use std::path::{Path, PathBuf};

use headgate_tests::{GitRepo, NameServer, Pebble, Ports, TestNode, eventually};
use serde_json::{Value, json};
use tokio::process::Command;

const ZONE: &str = "edge.example.org";

/// An authority and a node that answers all the DNS that it knows, with two projects: `shop` has a domain and its
/// wildcard, `blog` a host.
struct Scene {
    pebble: Pebble,
    node: TestNode,
    _repositories: [GitRepo; 2],
    /// What visitors trust.
    root: PathBuf,
}

impl Scene {
    /// `None`, with a loud word, if there is no authority here.
    async fn open() -> Option<Self> {
        Self::open_with(Ports::free(), json!({})).await
    }

    /// `more` goes into `node.yaml`.
    async fn open_with(ports: Ports, more: Value) -> Option<Self> {
        let pebble = Pebble::start(ports).await?;
        let root = pebble.root().await;
        let repositories = repositories();
        let node = TestNode::run(config(ports, &pebble, &repositories, more)).await;
        Some(Self { pebble, node, _repositories: repositories, root })
    }

    async fn curl(&self, url: &str) -> String {
        curl(&self.node, &self.root, url).await
    }

    /// Waits until `host` answers over HTTPS so that visitors trust it.
    async fn trusted(&self, host: &str) -> String {
        eventually(&format!("{host} has a certificate that visitors trust"), || async {
            let answer = self.curl(&format!("https://{host}:PORT/")).await;
            answer.starts_with("HTTP/1.1 200 ").then_some(answer)
        })
        .await
    }

    async fn certificates(&self) -> Value {
        certificates(&self.node).await
    }

    /// Waits until all of these have a certificate.
    async fn settled(&self, names: &[&str]) -> Value {
        eventually("every certificate is there", || async {
            let status = self.certificates().await;
            let valid = |name: &&str| row(&status, name).is_some_and(|row| row["state"] == "valid");
            names.iter().all(valid).then_some(status)
        })
        .await
    }
}

fn repositories() -> [GitRepo; 2] {
    let shop = GitRepo::small("custom.example.com", "shop");
    shop.write("domains/all.yaml", "id: d-all\nfqdn: '*.custom.example.com'\n");
    shop.write("websites/main.yaml", "id: website-main\ndomains: [main, all]\npaths: [/]\n");
    shop.commit("a wildcard");
    [shop, GitRepo::small("blog.example.net", "blog")]
}

fn config(ports: Ports, pebble: &Pebble, [shop, blog]: &[GitRepo; 2], more: Value) -> Value {
    let projects = [("shop", shop), ("blog", blog)].map(|(name, repository)| {
        json!({"name": name, "config": repository.url(), "branch": "main", "poll": "100ms"})
    });
    let mut config = json!({
        "http": [format!("127.0.0.1:{}", ports.http)],
        "https": [format!("127.0.0.1:{}", ports.https)],
        "zone": {"name": ZONE, "addresses": ["127.0.0.1"]},
        "dns": {"listen": [format!("127.0.0.1:{}", ports.dns)]},
        "resolver": format!("127.0.0.1:{}", ports.dns),
        "ownership": "trust",
        "projects": projects,
        "tls": {
            "authority": "acme",
            "acme": {"directory": pebble.directory(), "roots": pebble.server_root()},
        },
    });
    let (settings, more) = (config.as_object_mut().unwrap(), more.as_object().unwrap());
    settings.extend(more.clone());
    config
}

/// Head and body of what curl gets from a URL, whose `PORT` is filled in.
async fn curl(node: &TestNode, root: &Path, url: &str) -> String {
    let address = if url.starts_with("https") { node.https() } else { node.http() };
    let output = Command::new("curl")
        .args(["--silent", "--show-error", "--include", "--http1.1", "--max-time", "30"])
        .args(["--noproxy", "*", "--connect-to", &format!("::{address}"), "--cacert"])
        .arg(root)
        .arg(url.replace("PORT", &address.port().to_string()))
        .output()
        .await
        .expect("curl is installed");
    let text = if output.status.success() { output.stdout } else { output.stderr };
    String::from_utf8_lossy(&text).into_owned()
}

async fn certificates(node: &TestNode) -> Value {
    let output = node.command(&["certs", "--output", "json"]).await;
    serde_json::from_slice(&output.stdout).unwrap()
}

/// That of the certificate that has this name.
fn row<'v>(status: &'v Value, name: &str) -> Option<&'v Value> {
    let rows = status["certificates"].as_array().unwrap();
    rows.iter().find(|row| row["names"].as_array().unwrap().contains(&json!(name)))
}

#[tokio::test]
async fn every_host_of_what_is_pushed_is_trusted_and_nobody_ordered_it() {
    let Some(mut scene) = Scene::open().await else { return };
    // In the operator's zone; a domain that is delegated to this node, with its wildcard; another one.
    let hosts = [
        ("shop.edge.example.org", "shop"),
        ("blog.edge.example.org", "blog"),
        ("custom.example.com", "shop"),
        ("anything.custom.example.com", "shop"),
        ("blog.example.net", "blog"),
    ];
    for (host, page) in hosts {
        let answer = scene.trusted(host).await;
        assert!(answer.ends_with(page), "{host}: {answer}");
    }
    for (host, _) in hosts {
        let sent = scene.curl(&format!("http://{host}:PORT/a")).await;
        assert!(sent.starts_with("HTTP/1.1 308 "), "{host}: {sent}");
    }
    let told = scene.node.event("certificate").await;
    assert_eq!(told["renewed"], false, "{told}");
    let names = ["edge.example.org", "*.custom.example.com", "*.blog.example.net"];
    let before = scene.settled(&names).await;
    // The shop has hosts for each of its domains, so a wildcard one label deeper.
    assert_eq!(before["certificates"].as_array().unwrap().len(), 4, "{before}");
    // Names that nobody serves cost nothing.
    let refused = scene.curl("https://nobody.example.net:PORT/").await;
    assert!(refused.contains("unrecognized name"), "{refused}");

    // A restart asks the authority for nothing.
    scene.pebble.stop().await;
    scene.node.terminate();
    scene.node.restart().await;
    for (host, page) in hosts {
        let answer = scene.curl(&format!("https://{host}:PORT/")).await;
        assert!(answer.ends_with(page), "at once, {host}: {answer}");
    }
    let after = scene.settled(&names).await;
    for name in names {
        let (before, after) = (row(&before, name).unwrap(), row(&after, name).unwrap());
        assert_eq!(after["not_after"], before["not_after"], "{name}");
        assert_eq!((&after["next"], &after["last_error"]), (&json!("renew"), &Value::Null));
    }
    assert!(scene.node.events().iter().all(|event| event["event"] != "certificate"));
}

#[tokio::test]
async fn a_host_that_merely_points_here_proves_itself_once_it_is_verified() {
    // The world's DNS is somebody else's, and delegates nothing to the node.
    let names = NameServer::start().await;
    let elsewhere = json!({"resolver": names.address().to_string(), "ownership": "verify"});
    let Some(scene) = Scene::open_with(Ports::free(), elsewhere).await else { return };
    scene.trusted("shop.edge.example.org").await;
    let status = scene.settled(&["edge.example.org"]).await;
    assert!(row(&status, "blog.example.net").is_none(), "it is nobody's yet: {status}");

    let domains: Value = serde_json::from_str(&scene.node.admin("/domains").await.text()).unwrap();
    for host in ["blog.example.net", "*.custom.example.com"] {
        let domain = domains.as_array().unwrap().iter().find(|row| row["host"] == host).unwrap();
        let record = &domain["enter"][0];
        names.enter(record["name"].as_str().unwrap(), record["value"]["text"].as_str());
        scene.node.command(&["domains", "check", host]).await;
    }
    let answer = scene.trusted("blog.example.net").await;
    assert!(answer.ends_with("blog"), "{answer}");
    let status = scene.settled(&["blog.example.net"]).await;
    assert_eq!(row(&status, "blog.example.net").unwrap()["names"], json!(["blog.example.net"]));

    let told = scene.node.command(&["certs"]).await;
    let told = String::from_utf8(told.stdout).unwrap();
    let why = "*.custom.example.com: not ordered: a wildcard is proved by DNS: delegate \
               custom.example.com to ns1.edge.example.org and ns2.edge.example.org, or enter \
               `_acme-challenge.custom.example.com. CNAME";
    assert!(told.contains(why), "{told}");
}

#[tokio::test]
async fn a_host_whose_port_for_https_is_closed_proves_itself_over_http() {
    let names = NameServer::start().await;
    let ports = Ports::free();
    // To the authority, HTTPS is where nobody listens.
    let mut seen = ports;
    seen.https = Ports::free().https;
    let Some(pebble) = Pebble::start(seen).await else { return };
    let root = pebble.root().await;
    let repositories = repositories();
    let more = json!({"resolver": names.address().to_string()});
    let node = TestNode::run(config(ports, &pebble, &repositories, more)).await;
    eventually("TLS-ALPN-01 fails", || async {
        let status = certificates(&node).await;
        let row = row(&status, "blog.example.net")?;
        row["last_error"].as_str().map(str::to_owned)
    })
    .await;
    let told = node.event("certificate_failing").await;
    assert!(told["why"].as_str().is_some_and(|why| !why.is_empty()), "{told}");
    // It is tried again after a minute; or now.
    node.command(&["certs", "renew", "blog.example.net"]).await;
    eventually("HTTP-01 does it", || async {
        let answer = curl(&node, &root, "https://blog.example.net:PORT/").await;
        answer.starts_with("HTTP/1.1 200 ").then_some(())
    })
    .await;
}

#[tokio::test]
async fn while_the_authority_is_gone_what_there_is_stays_and_is_explained() {
    let Some(mut scene) = Scene::open().await else { return };
    scene.settled(&["edge.example.org"]).await;
    let unknown = scene.node.command(&["certs", "renew", "nobody.example.net"]).await;
    let text = String::from_utf8(unknown.stderr).unwrap();
    assert!(!unknown.status.success() && text.contains("no certificate is wanted for"), "{text}");
    let renewed = scene.node.command(&["certs", "renew", "shop.edge.example.org"]).await;
    assert!(renewed.status.success(), "{renewed:?}");
    eventually("it is renewed", || async {
        let mut events = scene.node.events().into_iter();
        events.find(|event| event["event"] == "certificate" && event["renewed"] == true)
    })
    .await;

    scene.pebble.stop().await;
    scene.node.command(&["certs", "renew", "shop.edge.example.org"]).await;
    let told = scene.node.event("certificate_failing").await;
    // It has two: that of its zone, and that of the hosts below it. Either comes first.
    let name = told["names"][0].as_str().unwrap();
    assert!([ZONE, "shop.edge.example.org"].contains(&name), "{told}");
    let answer = scene.curl("https://shop.edge.example.org:PORT/").await;
    assert!(answer.ends_with("shop"), "{answer}");
    let status = scene.certificates().await;
    let row = row(&status, name).unwrap();
    assert_eq!(row["state"], "valid");
    let text = scene.node.command(&["certs"]).await;
    let text = String::from_utf8(text.stdout).unwrap();
    assert!(text.contains(row["last_error"].as_str().unwrap()), "{text}");
}

#[tokio::test]
async fn a_node_that_starts_without_its_authority_serves_until_it_is_there() {
    let ports = Ports::free();
    let Some(mut pebble) = Pebble::start(ports).await else { return };
    pebble.stop().await;
    let repositories = repositories();
    let node = TestNode::run(config(ports, &pebble, &repositories, json!({}))).await;
    for url in ["http://custom.example.com:PORT/", "https://custom.example.com:PORT/"] {
        let answer = curl(&node, &node.root(), url).await;
        assert!(answer.starts_with("HTTP/1.1 200 ") && answer.ends_with("shop"), "{url}: {answer}");
    }
    pebble.again().await;
    let root = pebble.root().await;
    eventually("it has certificates", || async {
        let answer = curl(&node, &root, "https://custom.example.com:PORT/").await;
        answer.starts_with("HTTP/1.1 200 ").then_some(())
    })
    .await;
}

#[tokio::test]
async fn a_certificate_that_somebody_has_is_imported() {
    let Some(scene) = Scene::open().await else { return };
    scene.settled(&["*.custom.example.com"]).await;
    let company = headgate_tests::Authority::named("company");
    let files = company.server(&["custom.example.com"]);
    let mut pem = std::fs::read_to_string(&files.cert).unwrap();
    let alone = scene.node.command(&["certs", "import", files.cert.to_str().unwrap()]).await;
    let text = String::from_utf8(alone.stderr).unwrap();
    assert!(!alone.status.success() && text.contains("there is no private key in it"), "{text}");
    pem.push_str(&std::fs::read_to_string(&files.key).unwrap());
    let file = files.cert.with_file_name("both.pem");
    std::fs::write(&file, pem).unwrap();
    let imported = scene.node.command(&["certs", "import", file.to_str().unwrap()]).await;
    assert!(imported.status.success(), "{imported:?}");
    eventually("it is shown", || async {
        let answer = curl(&scene.node, &company.root(), "https://custom.example.com:PORT/").await;
        answer.starts_with("HTTP/1.1 200 ").then_some(())
    })
    .await;
    scene.trusted("anything.custom.example.com").await;
}

/// The script that people start, and every line that it prints for them to try.
#[tokio::test]
async fn the_scene_shows_what_it_says() {
    if !headgate_tests::Scene::can_be_shown() {
        return;
    }
    let scene = headgate_tests::Scene::start(Ports::free()).await;
    let lines = scene.lines().to_vec();
    let starts = |words: &str| lines.iter().filter(|line| line.contains(words)).count();
    assert!(starts("https://") == 5 && starts("dig @") == 3, "{lines:#?}");
    for line in &lines {
        let output = Command::new("bash").args(["-c", line]).output().await.unwrap();
        let text = String::from_utf8_lossy(&output.stdout).into_owned();
        assert!(output.status.success() && !text.trim().is_empty(), "{line}: {output:?}");
        let expected = match line {
            _ if line.contains("https://blog") => "This is the blog.",
            _ if line.contains("https://") => "This is the shop.",
            _ if line.contains("--head") => "308",
            _ if line.contains("custom.test NS") => "ns1.edge.test.",
            _ if line.contains("SOA") => "hostmaster.edge.test.",
            _ if line.contains("openssl") => "DNS:*.custom.test",
            _ => "",
        };
        assert!(text.contains(expected), "{line}: {text}");
    }
    scene.end().await;
}
