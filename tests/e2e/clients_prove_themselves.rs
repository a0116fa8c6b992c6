//! Hosts that only clients with a certificate may ask: who has the right one is let in and told of to functions,
//! and there is no way around.

use std::{
    path::{Path, PathBuf},
    process::Stdio,
};

use headgate_tests::{
    Answer, Authority, Certificate, Client, Project, Protocol, TestNode, empty, guest,
};
use http::{Method, Request, StatusCode, header};
use serde_json::{Value, json};
use tokio::{io::AsyncWriteExt, process::Command};

const SECURE: [Protocol; 2] = [Protocol::Https1, Protocol::Https2];

/// Who lets clients in, and two clients.
struct Scene {
    project: Project,
    /// Signs for `desk.example.com` and for `*.lab.example.com`.
    company: Authority,
    /// Signs for `bank.example.com`.
    bank: Authority,
}

/// `desk`, `bank` and `*.lab` are closed, `open.example.com` is open. All serve the same.
fn scene() -> Scene {
    let (company, bank) = (Authority::named("company"), Authority::named("bank"));
    let project = Project::small("open.example.com", "page");
    project.write("certs/company.pem", read(&company.root()));
    project.write("certs/unused.pem", "no PEM, and nobody reads it");
    let indented = read(&bank.root()).replace('\n', "\n  ");
    let bank_ca = format!("client_ca: |\n  {indented}\n");
    for (name, host, client_ca) in [
        ("desk", "desk.example.com", "client_ca: certs/company.pem\n"),
        ("lab", "'*.lab.example.com'", "client_ca: ./certs/company.pem\n"),
        // Nothing answers at it alone, so the wildcard does.
        ("idle", "idle.lab.example.com", ""),
        ("bank", "bank.example.com", &bank_ca),
    ] {
        let path = format!("domains/{name}.yaml");
        project.write(&path, format!("id: d-{name}\nfqdn: {host}\n{client_ca}"));
    }
    let domains = "domains: [main, desk, lab, bank]\n";
    project.write("websites/main.yaml", format!("id: website-main\n{domains}paths: [/]\n"));
    project.write(
        "functions/api.yaml",
        format!(
            "id: f-api\ntrigger:\n  type: https\n  methods: [GET]\n  paths: [/api/headers]\n{domains}\
             source: .\nexecution: {{timeout: 10s, memory: 64MB}}\n"
        ),
    );
    project.write("functions/api.wasm", guest("api"));
    Scene { project, company, bank }
}

fn read(path: &Path) -> String {
    std::fs::read_to_string(path).expect("it was written")
}

impl Scene {
    async fn node(&self) -> TestNode {
        self.node_with(&[]).await
    }

    async fn node_with(&self, certificates: &[Certificate]) -> TestNode {
        let certificates: Vec<_> = certificates
            .iter()
            .map(|files| json!({"cert": files.cert, "key": files.key}))
            .collect();
        let node = TestNode::run(json!({
            "projects": [{"name": "small", "config": self.project.path()}],
            "tls": {"certificates": certificates},
        }))
        .await;
        node.event("deployed").await;
        node
    }
}

/// What a function is told of a request.
async fn headers(client: &mut Client, fields: &[(&str, &str)]) -> Value {
    let answer = client.get_with("/api/headers", fields).await;
    assert_eq!(answer.status, StatusCode::OK, "{}", answer.text());
    answer.json()
}

/// As it stands in the field: the DER in base64, which is what PEM holds, between colons (RFC 9440 §2.2).
fn as_field(certificate: &Certificate) -> String {
    let pem = read(&certificate.cert);
    let base64: String = pem.lines().filter(|line| !line.starts_with("-----")).collect();
    format!(":{base64}:")
}

#[tokio::test]
async fn who_has_the_right_certificate_is_let_in_and_told_of() {
    let scene = scene();
    let node = scene.node().await;
    let (ann, bob) = (scene.company.client("ann"), scene.bank.client("bob"));
    for protocol in SECURE {
        for (host, own) in [
            ("desk.example.com", &ann),
            ("a.lab.example.com", &ann),
            ("idle.lab.example.com", &ann),
            ("bank.example.com", &bob),
        ] {
            let mut client = node.client_with(protocol, host, Some(own)).await;
            assert_eq!(client.get("/").await.text(), "page", "{host} over {protocol:?}");
            let forged = [("Client-Cert", ":Zm9yZ2Vk:"), ("client-cert-chain", ":Zm9yZ2Vk:")];
            let told = headers(&mut client, &forged).await;
            assert_eq!(told["client-cert"], json!([as_field(own)]), "{host} over {protocol:?}");
            assert_eq!(told.get("client-cert-chain"), None, "{told}");
        }
    }
}

#[tokio::test]
async fn nobody_tells_of_a_certificate_that_was_not_shown() {
    let scene = scene();
    let node = scene.node().await;
    let ann = scene.company.client("ann");
    for protocol in Protocol::ALL {
        // Nobody asks for a certificate here, so none is shown.
        let mut client = node.client_with(protocol, "open.example.com", Some(&ann)).await;
        let forged = [("Client-Cert", ":Zm9yZ2Vk:"), ("Client-Cert-Chain", ":Zm9yZ2Vk:")];
        let told = headers(&mut client, &forged).await;
        assert_eq!(told.get("client-cert"), None, "{told}");
        assert_eq!(told.get("client-cert-chain"), None, "{told}");
    }
}

#[tokio::test]
async fn others_are_refused_in_the_handshake() {
    let scene = scene();
    let node = scene.node().await;
    let (ann, bob) = (scene.company.client("ann"), scene.bank.client("bob"));
    // A certificate for servers is none for clients, whoever signed it.
    let server = scene.company.server(&["desk.example.com"]);
    for (own, expected) in [
        (None, "alert certificate required"),
        (Some(&bob), "alert unknown ca"),
        (Some(&server), "alert"),
    ] {
        for version in ["1.3", "1.2"] {
            for protocol in ["--http1.1", "--http2"] {
                let arguments = [protocol, "--tls-max", version];
                let said = curl(&node, "https://desk.example.com/", own, &arguments).await;
                let said = said.to_lowercase();
                assert!(said.contains(expected), "{version} {protocol} {own:?}: {said}");
            }
        }
    }
    let said = curl(&node, "https://desk.example.com/", Some(&ann), &["--http2"]).await;
    assert!(said.starts_with("HTTP/2 200 "), "{said}");
    // In capitals it is the same host.
    let said = curl(&node, "https://DESK.Example.COM/", None, &[]).await.to_lowercase();
    assert!(said.contains("alert certificate required"), "{said}");
}

#[tokio::test]
async fn a_connection_for_one_host_is_good_for_no_other() {
    let scene = scene();
    let node = scene.node().await;
    let (ann, bob) = (scene.company.client("ann"), scene.bank.client("bob"));
    for protocol in SECURE {
        for (shaken, own, asked, status) in [
            ("open.example.com", None, "desk.example.com", 421),
            ("open.example.com", Some(&ann), "desk.example.com", 421),
            ("desk.example.com", Some(&ann), "open.example.com", 421),
            ("desk.example.com", Some(&ann), "bank.example.com", 421),
            ("bank.example.com", Some(&bob), "idle.lab.example.com", 421),
            ("open.example.com", None, "idle.lab.example.com", 421),
            // The same authorities, so the same demand.
            ("desk.example.com", Some(&ann), "a.lab.example.com", 200),
            ("desk.example.com", Some(&ann), "desk.example.com", 200),
            // Nothing is demanded of who asks for nothing.
            ("open.example.com", None, "nowhere.example.com", 404),
        ] {
            let mut client = node.client_with(protocol, shaken, own).await;
            let answer = ask_for(&mut client, protocol, asked).await;
            let what = format!("{shaken}, then {asked} over {protocol:?}");
            assert_eq!(answer.status.as_u16(), status, "{what}: {}", answer.text());
            // The connection goes on for what it is good for.
            let again = ask_for(&mut client, protocol, shaken).await;
            assert_eq!((again.status, again.text()), (StatusCode::OK, "page".to_owned()), "{what}");
        }
    }
}

/// A request for a host that need not be the connection's.
async fn ask_for(client: &mut Client, protocol: Protocol, host: &str) -> Answer {
    let request = Request::builder().method(Method::GET);
    let request = match protocol {
        Protocol::Https2 => request.uri(format!("https://{host}/")),
        _ => request.uri("/").header(header::HOST, host),
    };
    let stream = client.open(request.body(empty()).expect("a valid request")).await;
    stream.expect("an answer").whole().await.expect("the whole of it")
}

#[tokio::test]
async fn nothing_of_it_is_served_in_the_clear() {
    let scene = scene();
    let public = Authority::named("public");
    let node = scene.node_with(&[public.server(&["desk.example.com"])]).await;
    for protocol in [Protocol::Http1, Protocol::H2c] {
        for (host, status) in [
            ("open.example.com", 200),
            // Its certificate is one that clients trust.
            ("desk.example.com", 308),
            ("bank.example.com", 421),
            ("idle.lab.example.com", 421),
        ] {
            let answer = node.client(protocol, host).await.get("/").await;
            assert_eq!(answer.status.as_u16(), status, "{host} over {protocol:?}");
            assert_eq!(answer.text() == "page", status == 200, "{host} over {protocol:?}");
        }
    }
}

/// In `headgate dev` every domain has a name below `localhost`, too; a closed one has not.
#[tokio::test]
async fn there_is_no_other_name_for_it() {
    let scene = scene();
    scene.project.write("websites/main.yaml", "id: w\ndomains: [desk]\npaths: [/]\n");
    scene.project.write("websites/open.yaml", "id: w2\ndomains: [main]\npaths: [/open]\n");
    scene.project.write("websites/open/index.html", "open");
    let node = TestNode::dev(scene.project.path()).await;
    for host in ["localhost", "desk.localhost", "127.0.0.1", "main.localhost"] {
        let answer = node.get(host, "/").await;
        assert_eq!(answer.status, StatusCode::NOT_FOUND, "{host}: {}", answer.text());
    }
    assert_eq!(node.get("localhost", "/open/").await.text(), "open");
}

#[tokio::test]
async fn a_session_is_resumed_under_its_own_policy_alone() {
    let scene = scene();
    let node = scene.node().await;
    let ann = scene.company.client("ann");
    let folder = tempfile::tempdir().unwrap();
    for version in ["-tls1_3", "-tls1_2"] {
        let kept = |name: &str| folder.path().join(format!("{name}{version}"));
        let shaken =
            openssl(&node, "desk.example.com", Some(&ann), version, None, &kept("desk")).await;
        assert!(shaken.contains("New, TLSv1") && shaken.contains("200 OK"), "{version}: {shaken}");
        // Who resumes is who it was, without showing the certificate again.
        let again = kept("again");
        let resumed =
            openssl(&node, "desk.example.com", None, version, Some(&kept("desk")), &again).await;
        assert!(resumed.contains("Reused, TLSv1"), "{version}: {resumed}");
        assert!(resumed.contains(&as_field(&ann)), "{version}: {resumed}");

        let open = openssl(&node, "open.example.com", None, version, None, &kept("open")).await;
        assert!(open.contains("New, TLSv1") && open.contains("200 OK"), "{version}: {open}");
    }
    // The same host lets in others now, and the one that was open is closed.
    let policy = "client_ca: certs/bank.pem\n";
    scene.project.write("certs/bank.pem", read(&scene.bank.root()));
    scene.project.write("domains/desk.yaml", format!("id: d\nfqdn: desk.example.com\n{policy}"));
    scene.project.write("domains/main.yaml", format!("id: m\nfqdn: open.example.com\n{policy}"));
    node.event("deployed").await;
    for version in ["-tls1_3", "-tls1_2"] {
        for (host, name) in [("desk.example.com", "desk"), ("open.example.com", "open")] {
            let before = folder.path().join(format!("{name}{version}"));
            let next = folder.path().join("next");
            let refused = openssl(&node, host, Some(&ann), version, Some(&before), &next).await;
            assert!(!refused.contains("Reused, TLSv1"), "{host} {version}: {refused}");
            assert!(refused.contains("alert unknown ca"), "{host} {version}: {refused}");
            assert!(!refused.contains("200 OK"), "{host} {version}: {refused}");
        }
    }
}

#[tokio::test]
async fn a_host_is_never_left_open_by_a_mistake() {
    let scene = scene();
    let node = scene.node().await;
    let ann = scene.company.client("ann");
    for (content, told) in [
        (read(&ann.cert), "is no authority's: it may sign no others"),
        ("nothing".to_owned(), "there is no certificate in it"),
    ] {
        scene.project.write("certs/company.pem", content);
        let refused = node.event("refused").await.to_string();
        assert!(refused.contains("unusable-client-ca") && refused.contains(told), "{refused}");
    }
    scene.project.remove("certs/company.pem");
    let refused = node.event("refused").await.to_string();
    assert!(refused.contains("neither PEM nor the path of such a file"), "{refused}");
    let said = curl(&node, "https://desk.example.com/", None, &[]).await;
    assert!(said.contains("alert certificate required"), "{said}");
    let said = curl(&node, "https://desk.example.com/", Some(&ann), &["--http1.1"]).await;
    assert!(said.starts_with("HTTP/1.1 200 "), "{said}");
}

/// Head and body of what curl gets, or what it says instead.
async fn curl(node: &TestNode, url: &str, own: Option<&Certificate>, arguments: &[&str]) -> String {
    let mut curl = Command::new("curl");
    curl.args(["--silent", "--show-error", "--include", "--max-time", "30", "--noproxy", "*"])
        .args(["--connect-to", &format!("::{}", node.https())])
        .arg("--cacert")
        .arg(node.root())
        .args(arguments);
    if let Some(Certificate { cert, key }) = own {
        curl.arg("--cert").arg(cert).arg("--key").arg(key);
    }
    let output = curl.arg(url).output().await.expect("curl is installed");
    let text = if output.status.success() { output.stdout } else { output.stderr };
    String::from_utf8_lossy(&text).into_owned()
}

/// What `openssl s_client` says of a handshake and a request over it.
async fn openssl(
    node: &TestNode,
    host: &str,
    own: Option<&Certificate>,
    version: &str,
    resumed: Option<&PathBuf>,
    kept: &PathBuf,
) -> String {
    let mut client = Command::new("openssl");
    client
        .args(["s_client", "-ign_eof", "-servername", host, version])
        .args(["-connect", &node.https().to_string()])
        .arg("-CAfile")
        .arg(node.root())
        .arg("-sess_out")
        .arg(kept);
    if let Some(session) = resumed {
        client.arg("-sess_in").arg(session);
    }
    if let Some(Certificate { cert, key }) = own {
        client.arg("-cert").arg(cert).arg("-key").arg(key);
    }
    let pipes = client.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut client = pipes.spawn().expect("openssl is installed");
    let request = format!("GET /api/headers HTTP/1.1\r\nhost: {host}\r\nconnection: close\r\n\r\n");
    // Who was refused may be gone already.
    let _ = client.stdin.take().unwrap().write_all(request.as_bytes()).await;
    let output = client.wait_with_output().await.unwrap();
    let said = [output.stdout, output.stderr].concat();
    String::from_utf8_lossy(&said).into_owned()
}
