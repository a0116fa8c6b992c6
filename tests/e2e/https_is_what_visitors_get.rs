//! HTTPS by default: where a host's certificate is one that visitors trust, they are sent there and stay
//! there; where it is not, nobody is locked out.

use std::path::Path;

use headgate_tests::{Authority, Certificate, Project, TestNode, eventually};
use serde_json::{Value, json};
use tokio::process::Command;

/// `x.example.com`, and `old.example.com` that opts out of what it can.
fn project() -> Project {
    let project = Project::small("x.example.com", "one");
    project.write(
        "domains/old.yaml",
        "id: d-old\nfqdn: old.example.com\nhttps: {redirect: false, hsts: false}\n",
    );
    project.write("websites/main.yaml", "id: website-main\ndomains: [main, old]\npaths: [/]\n");
    project
}

fn config(project: &Project, certificates: &[&Certificate]) -> Value {
    let certificates: Vec<_> =
        certificates.iter().map(|files| json!({"cert": files.cert, "key": files.key})).collect();
    json!({
        "projects": [{"name": "x", "config": project.path()}],
        "tls": {"certificates": certificates},
    })
}

async fn node(project: &Project, certificates: &[&Certificate]) -> TestNode {
    let node = TestNode::run(config(project, certificates)).await;
    node.event("deployed").await;
    node
}

/// Head and body of what curl gets from a URL, whose `PORT` is filled in.
async fn curl(node: &TestNode, root: &Path, url: &str, arguments: &[&str]) -> String {
    let secure = url.starts_with("https");
    let address = if secure { node.https() } else { node.http() };
    let output = Command::new("curl")
        .args(["--silent", "--show-error", "--include", "--http1.1", "--max-time", "30"])
        .args(["--noproxy", "*", "--connect-to", &format!("::{address}")])
        .arg("--cacert")
        .arg(root)
        .args(arguments)
        .arg(url.replace("PORT", &address.port().to_string()))
        .output()
        .await
        .expect("curl is installed");
    let text = if output.status.success() { output.stdout } else { output.stderr };
    String::from_utf8_lossy(&text).into_owned()
}

#[tokio::test]
async fn visitors_are_sent_to_https_and_stay_there() {
    let (project, company) = (project(), Authority::named("company"));
    let node = node(&project, &[&company.server(&["*.example.com"])]).await;
    let root = company.root();

    let sent = curl(&node, &root, "http://x.example.com:PORT/a?b=c", &[]).await;
    assert!(sent.starts_with("HTTP/1.1 308 "), "{sent}");
    let there = format!("location: https://x.example.com:{}/a?b=c\r\n", node.https().port());
    assert!(sent.to_lowercase().contains(&there), "{sent}");
    assert!(!sent.to_lowercase().contains("strict-transport-security"), "not in the clear: {sent}");

    let stays = curl(&node, &root, "https://x.example.com:PORT/", &[]).await.to_lowercase();
    assert!(stays.starts_with("http/1.1 200 ") && stays.ends_with("one"), "{stays}");
    assert!(stays.contains("\r\nstrict-transport-security: max-age=31536000\r\n"), "{stays}");
    let missing = curl(&node, &root, "https://x.example.com:PORT/missing", &[]).await;
    assert!(missing.to_lowercase().contains("strict-transport-security"), "on errors: {missing}");

    // What a certificate authority asks for is not sent elsewhere, and unknown hosts learn nothing.
    for url in
        ["http://x.example.com:PORT/.well-known/acme-challenge/t", "http://elsewhere.org:PORT/"]
    {
        let answer = curl(&node, &root, url, &[]).await;
        assert!(answer.starts_with("HTTP/1.1 404 "), "{url}: {answer}");
    }
}

#[tokio::test]
async fn a_domain_may_opt_out() {
    let (project, company) = (project(), Authority::named("company"));
    let node = node(&project, &[&company.server(&["*.example.com"])]).await;
    for url in ["http://old.example.com:PORT/", "https://old.example.com:PORT/"] {
        let answer = curl(&node, &company.root(), url, &[]).await.to_lowercase();
        assert!(answer.starts_with("http/1.1 200 "), "{url}: {answer}");
        assert!(!answer.contains("strict-transport-security"), "{url}: {answer}");
    }
}

#[tokio::test]
async fn nobody_is_sent_to_a_certificate_that_no_client_trusts() {
    let (project, company) = (project(), Authority::named("company"));
    let certificate = company.server(&["x.example.com"]);
    let node = node(&project, &[]).await;
    let own = node.root();
    for url in ["http://x.example.com:PORT/", "https://x.example.com:PORT/"] {
        let answer = curl(&node, &own, url, &[]).await.to_lowercase();
        assert!(answer.starts_with("http/1.1 200 "), "{url}: {answer}");
        assert!(!answer.contains("strict-transport-security"), "{url}: {answer}");
    }

    // An operator adds one while the node runs; then it is redirected, and no connection suffers.
    node.reconfigure(config(&project, &[&certificate]));
    eventually("the certificate is shown", || async {
        let sent = curl(&node, &own, "http://x.example.com:PORT/", &[]).await;
        sent.starts_with("HTTP/1.1 308 ").then_some(())
    })
    .await;
    let stays = curl(&node, &company.root(), "https://x.example.com:PORT/", &[]).await;
    assert!(stays.starts_with("HTTP/1.1 200 "), "{stays}");

    // One that cannot be used changes nothing but the log.
    let other = company.server(&["other.example.com"]);
    let mixed = Certificate { cert: certificate.cert.clone(), key: other.key };
    node.reconfigure(config(&project, &[&mixed]));
    eventually("it is told", || async {
        let log = node.log();
        log.iter().any(|line| line.contains("certificates not read anew")).then_some(())
    })
    .await;
    let stays = curl(&node, &company.root(), "https://x.example.com:PORT/", &[]).await;
    assert!(stays.starts_with("HTTP/1.1 200 "), "{stays}");
}

/// A project may bring its own, as Taubyte's schema has it: text in the YAML, or files beside it.
#[tokio::test]
async fn a_domain_may_bring_its_certificate() {
    let (project, company) = (project(), Authority::named("company"));
    let own = company.server(&["x.example.com"]);
    let read = |path: &Path| std::fs::read_to_string(path).unwrap();
    project.write("certs/x.pem", read(&own.cert));
    let indented = read(&own.key).replace('\n', "\n    ");
    let yaml = format!(
        "id: d\nfqdn: x.example.com\ncertificate:\n  type: inline\n  cert: certs/x.pem\n  key: |\n    {indented}\n"
    );
    project.write("domains/main.yaml", &yaml);
    let node = node(&project, &[]).await;
    let shown = curl(&node, &company.root(), "https://x.example.com:PORT/", &[]).await;
    assert!(shown.starts_with("HTTP/1.1 200 "), "{shown}");
    let sent = curl(&node, &company.root(), "http://x.example.com:PORT/", &[]).await;
    assert!(sent.starts_with("HTTP/1.1 308 "), "{sent}");

    // What cannot be used is told, and the host goes on being served.
    let other = company.server(&["other.example.com"]);
    project.write("certs/x.pem", read(&other.cert));
    let deployed = node.event("deployed").await;
    let told = deployed["diagnostics"].to_string();
    assert!(told.contains("unusable-certificate"), "{deployed}");
    assert!(told.contains("the private key does not belong to the certificate"), "{deployed}");
    let shown = curl(&node, &node.root(), "https://x.example.com:PORT/", &[]).await;
    assert!(shown.starts_with("HTTP/1.1 200 "), "{shown}");

    // A mistake beside the key is shown at its place, and no line of the key with it.
    let (before, key) = yaml.split_at(yaml.find("    -----BEGIN").unwrap());
    project.write("domains/main.yaml", format!("{before}{}", key.replace("    ", "")));
    let refused = node.event("refused").await.to_string();
    let log = node.log().join("\n") + &refused;
    let secret = read(&own.key);
    for line in secret.lines().filter(|line| !line.starts_with("-----")) {
        assert!(!log.contains(line), "a line of the key is told");
    }
}
