//! A project is pushed, and every host of it answers over HTTPS with a certificate that visitors trust;
//! nobody ordered one.

use std::path::{Path, PathBuf};

use headgate_tests::{GitRepo, Pebble, Ports, TestNode, eventually};
use serde_json::{Value, json};
use tokio::process::Command;

const ZONE: &str = "edge.example.org";

/// An authority and a node that answers DNS for it, with the projects `shop`, which has a domain and its wildcard, and
/// `blog`.
struct Scene {
    pebble: Pebble,
    node: TestNode,
    _repositories: [GitRepo; 2],
    /// What visitors trust.
    root: PathBuf,
}

impl Scene {
    /// `None`, with a loud word, if there is no authority here. `more` goes into `node.yaml`.
    async fn open(more: Value) -> Option<Self> {
        let ports = Ports::free();
        let pebble = Pebble::start(ports).await?;
        let root = pebble.root().await;
        let shop = GitRepo::small("custom.example.com", "shop");
        shop.write("domains/all.yaml", "id: d-all\nfqdn: '*.custom.example.com'\n");
        shop.write("websites/main.yaml", "id: website-main\ndomains: [main, all]\npaths: [/]\n");
        shop.commit("a wildcard");
        let blog = GitRepo::small("blog.example.net", "blog");
        let mut config = config(ports, &pebble, [("shop", &shop), ("blog", &blog)]);
        merge(&mut config, more);
        let node = TestNode::run(config).await;
        Some(Self { pebble, node, _repositories: [shop, blog], root })
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
}

fn config(ports: Ports, pebble: &Pebble, projects: [(&str, &GitRepo); 2]) -> Value {
    let projects = projects.map(|(name, repository)| {
        json!({"name": name, "config": repository.url(), "branch": "main", "poll": "100ms"})
    });
    json!({
        "http": [format!("127.0.0.1:{}", ports.http)],
        "https": [format!("127.0.0.1:{}", ports.https)],
        "zone": {"name": ZONE, "addresses": ["127.0.0.1"]},
        "dns": {"listen": [format!("127.0.0.1:{}", ports.dns)]},
        // All the DNS there is on this machine, for the authority as for the node.
        "resolver": format!("127.0.0.1:{}", ports.dns),
        "ownership": "trust",
        "projects": projects,
        "tls": {
            "authority": "acme",
            "acme": {"directory": pebble.directory(), "roots": pebble.server_root()},
        },
    })
}

fn merge(config: &mut Value, more: Value) {
    let (config, Value::Object(more)) = (config.as_object_mut().unwrap(), more) else { return };
    config.extend(more);
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

#[tokio::test]
async fn every_host_of_what_is_pushed_is_trusted_and_nobody_ordered_it() {
    let Some(scene) = Scene::open(json!({})).await else { return };
    // In the operator's zone, then a domain that is delegated to this node and what its wildcard covers, then a host
    // that merely points here.
    for (host, page) in [
        ("shop.edge.example.org", "shop"),
        ("blog.edge.example.org", "blog"),
        ("custom.example.com", "shop"),
        ("anything.custom.example.com", "shop"),
        ("blog.example.net", "blog"),
    ] {
        let answer = scene.trusted(host).await;
        assert!(answer.ends_with(page), "{host}: {answer}");
        let plain = scene.curl(&format!("http://{host}:PORT/a")).await;
        if host.ends_with(ZONE) {
            continue;
        }
        assert!(plain.starts_with("HTTP/1.1 308 "), "{host}: {plain}");
    }
    drop(scene.pebble);
}
