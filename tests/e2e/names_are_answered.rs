//! A node answers DNS for its zone and for its projects' domains, as a real client asks.

use std::net::SocketAddr;

use headgate_tests::{Dug, GitRepo, Project, Protocol, TestNode, body, eventually, kdig};
use http::{Method, StatusCode};
use serde_json::{Value, json};

const ZONE: &str = "edge.example.org";

fn config(repo: &GitRepo) -> Value {
    json!({
        "zone": {"name": ZONE, "addresses": ["127.0.0.1", "::1"]},
        "dns": {"listen": ["127.0.0.1:0", "[::1]:0"]},
        "projects": [{"name": "shop", "config": repo.url(), "branch": "main", "poll": "100ms"}],
    })
}

/// Every address it answers at.
async fn servers(node: &TestNode) -> Vec<SocketAddr> {
    let ready = node.ready().await;
    let addresses = ready["dns"].as_array().unwrap().iter();
    addresses.map(|address| address.as_str().unwrap().parse().unwrap()).collect()
}

#[tokio::test]
async fn the_zone_is_answered_over_every_transport_and_family() {
    let repo = GitRepo::small("shop.example.com", "one");
    let node = TestNode::run(config(&repo)).await;
    let servers = servers(&node).await;
    assert_eq!(servers.len(), 2);
    for server in servers {
        for transport in ["+notcp", "+tcp"] {
            let Some(soa) = kdig(server, &[transport, ZONE, "SOA"]).await else { return };
            assert_eq!(soa.status(), "NOERROR", "{}", soa.text());
            let [soa] = &soa.data("SOA")[..] else { panic!("one SOA") };
            assert!(
                soa.starts_with("ns1.edge.example.org. hostmaster.edge.example.org. "),
                "{soa}"
            );
        }
    }
    let ask = async |arguments: &[&str]| kdig(node.dns(), arguments).await.unwrap();
    let ns = ask(&[ZONE, "NS"]).await;
    assert_eq!(ns.data("NS"), ["ns1.edge.example.org.", "ns2.edge.example.org."]);
    assert_eq!(ns.section("ADDITIONAL", "A"), ["127.0.0.1", "127.0.0.1"], "glue: {}", ns.text());
    assert_eq!(ask(&[ZONE, "CAA"]).await.data("CAA").len(), 0, "the local authority is nobody's");
    assert_eq!(ask(&["unrelated.example.net", "A"]).await.status(), "REFUSED");
}

#[tokio::test]
async fn a_projects_hosts_resolve_to_where_they_are_served() {
    let repo = GitRepo::small("shop.example.com", "one");
    let node = TestNode::run(config(&repo)).await;
    for host in ["shop.edge.example.org", "shop.example.com"] {
        let Some(found) = kdig(node.dns(), &[host, "A"]).await else { return };
        assert_eq!(found.data("A"), ["127.0.0.1"], "{}", found.text());
        assert_eq!(kdig(node.dns(), &[host, "AAAA"]).await.unwrap().data("AAAA"), ["::1"]);
        for protocol in [Protocol::Https1, Protocol::Https2] {
            assert_eq!(node.client(protocol, host).await.get("/").await.text(), "one", "{host}");
        }
    }
    let apex = kdig(node.dns(), &["shop.example.com", "NS"]).await.unwrap();
    assert_eq!(apex.data("NS"), ["ns1.edge.example.org.", "ns2.edge.example.org."]);
    let nothing = kdig(node.dns(), &["shop.example.com", "MX"]).await.unwrap();
    assert_eq!((nothing.status(), nothing.section("AUTHORITY", "SOA").len()), ("NOERROR", 1));

    let hosts = node.admin("/routes").await.json();
    let hosts: Vec<_> = hosts.as_array().unwrap().iter().map(|route| &route["host"]).collect();
    assert!(hosts.contains(&&json!("shop.edge.example.org")), "{hosts:?}");
    let series =
        r#"headgate_dns_queries_total{zone="shop.example.com.",type="AAAA",rcode="NOERROR"}"#;
    assert_eq!(node.metrics().await.value(series), Some(1.0));
}

#[tokio::test]
async fn each_of_several_domains_has_a_host_of_its_own() {
    let repo = GitRepo::small("shop.example.com", "one");
    repo.write("domains/the_api.yaml", "id: d-api\nfqdn: api.example.com\n");
    repo.write("websites/api.yaml", "id: website-api\ndomains: [the_api]\npaths: [/v1]\n");
    repo.write("websites/api/index.html", "the api");
    repo.commit("has an api");
    let node = TestNode::run(config(&repo)).await;
    let Some(found) = kdig(node.dns(), &["the-api.shop.edge.example.org", "A"]).await else {
        return;
    };
    assert_eq!(found.data("A"), ["127.0.0.1"]);
    let get = async |host: &str, path: &str| {
        node.client(Protocol::Https1, host).await.get(path).await.text()
    };
    assert_eq!(get("the-api.shop.edge.example.org", "/v1/").await, "the api");
    assert_eq!(get("shop.edge.example.org", "/v1/").await, "the api", "the whole project");
    assert_eq!(get("main.shop.edge.example.org", "/").await, "one");
}

#[tokio::test]
async fn a_pushed_domain_resolves_and_one_that_is_removed_does_not() {
    let repo = GitRepo::small("shop.example.com", "one");
    let node = TestNode::run(config(&repo)).await;
    let ask = async |host: &str, kind: &str| kdig(node.dns(), &[host, kind]).await;
    let Some(before) = ask("blog.example.net", "A").await else { return };
    assert_eq!(before.status(), "REFUSED");
    repo.write("domains/blog.yaml", "id: d-blog\nfqdn: blog.example.net\n");
    repo.write("websites/main.yaml", "id: website-main\ndomains: [main, blog]\npaths: [/]\n");
    repo.commit("has a blog");
    let answered = async |status: &str| {
        eventually(&format!("blog.example.net is {status}"), async || {
            ask("blog.example.net", "A").await.filter(|dug| dug.status() == status)
        })
        .await
    };
    assert_eq!(answered("NOERROR").await.data("A"), ["127.0.0.1"]);
    assert_eq!(
        node.client(Protocol::Https1, "blog.example.net").await.get("/").await.text(),
        "one"
    );
    repo.git(&["revert", "--no-edit", "HEAD"]);
    repo.commit("has none");
    answered("REFUSED").await;
}

#[tokio::test]
async fn the_same_zones_are_answered_after_a_restart_without_the_repository() {
    let repo = GitRepo::small("shop.example.com", "one");
    let mut node = TestNode::run(config(&repo)).await;
    let Some(first) = serials(&node).await else { return };
    node.kill();
    std::fs::rename(repo.origin(), repo.origin().with_extension("away")).unwrap();
    node.restart().await;
    assert_eq!(serials(&node).await, Some(first));
    let found = kdig(node.dns(), &["shop.example.com", "A"]).await.unwrap();
    assert_eq!(found.data("A"), ["127.0.0.1"]);
}

/// The state folder remembers a time that this machine's clock has not reached.
#[tokio::test]
async fn a_clock_that_was_set_back_takes_no_serial_back() {
    let repo = GitRepo::small("shop.example.com", "one");
    let mut node = TestNode::run(config(&repo)).await;
    let Some([zone, _]) = serials(&node).await else { return };
    node.terminate();
    node.exited().await;
    let file = node.state().join("zones.json");
    let mut kept: Value = serde_json::from_slice(&std::fs::read(&file).unwrap()).unwrap();
    let later = zone + 1_000_000;
    for zone in kept["zones"].as_object_mut().unwrap().values_mut() {
        zone["serial"] = json!(later);
    }
    std::fs::write(&file, kept.to_string()).unwrap();
    node.restart().await;
    assert_eq!(serials(&node).await, Some([later; 2]), "what did not change keeps its serial");
    repo.write("domains/api.yaml", "id: d-api\nfqdn: api.shop.example.com\n");
    repo.write("websites/main.yaml", "id: website-main\ndomains: [main, api]\npaths: [/]\n");
    repo.commit("has an api");
    eventually("both zones have changed", async || {
        let [zone, domain] = serials(&node).await?;
        (zone == later + 1 && domain == later + 1).then_some(())
    })
    .await;
}

/// Of the node's zone and of the project's.
async fn serials(node: &TestNode) -> Option<[u32; 2]> {
    let zone = kdig(node.dns(), &[ZONE, "SOA"]).await?;
    let domain = kdig(node.dns(), &["shop.example.com", "SOA"]).await?;
    Some([zone, domain].map(|dug: Dug| dug.serial()))
}

#[tokio::test]
async fn a_host_in_the_zone_belongs_to_the_project_that_is_called_so() {
    let (shop, greedy) = (
        GitRepo::small("shop.example.com", "shop"),
        GitRepo::small("shop.edge.example.org", "mine"),
    );
    let mut config = config(&shop);
    config["projects"]
        .as_array_mut()
        .unwrap()
        .push(json!({"name": "greedy", "config": greedy.url(), "branch": "main", "poll": "100ms"}));
    let node = TestNode::run(config).await;
    let refused = node.event("refused").await;
    assert_eq!(refused["project"], "greedy");
    let problem = refused["diagnostics"][0]["message"].as_str().unwrap();
    assert!(problem.contains("`shop`"), "{problem}");
    assert_eq!(node.get("shop.edge.example.org", "/").await.text(), "shop");
}

#[tokio::test]
async fn a_developers_hosts_resolve_to_this_machine() {
    let project = Project::small("shop.example.com", "one");
    let node = TestNode::dev(project.path()).await;
    for host in ["main.localhost", "localhost", "shop.example.com"] {
        let Some(found) = kdig(node.dns(), &[host, "A"]).await else { return };
        assert_eq!(found.data("A"), ["127.0.0.1"], "{host}: {}", found.text());
    }
}

#[tokio::test]
async fn the_operator_sees_zones_records_and_what_was_asked() {
    let repo = GitRepo::small("shop.example.com", "one");
    let node = TestNode::run(config(&repo)).await;
    let said = async |arguments: &[&str]| {
        let output = node.command(arguments).await;
        assert!(output.status.success(), "{arguments:?}: {output:?}");
        String::from_utf8(output.stdout).unwrap()
    };
    if kdig(node.dns(), &["shop.example.com", "A"]).await.is_some() {
        kdig(node.dns(), &["unrelated.example.net", "A"]).await;
        let status: Value =
            serde_json::from_str(&said(&["dns", "--output", "json"]).await).unwrap();
        let [shop, zone] = &status["zones"].as_array().unwrap()[..] else { panic!("{status}") };
        assert_eq!(zone["zone"], ZONE);
        assert_eq!((&shop["projects"], &shop["queries"]), (&json!(["shop"]), &json!(1)));
        assert_eq!(status["unanswered"]["off_zone"], 1);
    }
    let text = said(&["dns"]).await;
    assert!(text.contains("shop.example.com") && text.contains(ZONE), "{text}");
    let records = said(&["dns", "records", ZONE]).await;
    assert!(records.contains("shop.edge.example.org."), "{records}");
    let file = said(&["dns", "export", "shop.example.com"]).await;
    let soa = file.lines().next().unwrap();
    assert!(soa.starts_with("shop.example.com.\t60\tIN\tSOA\tns1.edge.example.org. "), "{soa}");
    let unknown = node.command(&["dns", "records", "shop.exampel.com"]).await;
    assert_eq!(unknown.status.code(), Some(1));
    let told = String::from_utf8(unknown.stderr).unwrap();
    assert!(told.contains("did you mean `shop.example.com`?"), "{told}");
}

#[tokio::test]
async fn without_a_zone_a_projects_domain_has_name_servers_of_its_own() {
    let repo = GitRepo::small("shop.example.com", "one");
    let mut config = config(&repo);
    config.as_object_mut().unwrap().remove("zone");
    let node = TestNode::run(config).await;
    let Some(ns) = kdig(node.dns(), &["shop.example.com", "NS"]).await else { return };
    assert_eq!(ns.data("NS"), ["ns1.shop.example.com.", "ns2.shop.example.com."]);
    assert_eq!(ns.section("ADDITIONAL", "A"), ["127.0.0.1", "127.0.0.1"], "{}", ns.text());
    let found = kdig(node.dns(), &["shop.example.com", "A"]).await.unwrap();
    assert_eq!(found.data("A"), ["127.0.0.1"], "where HTTPS is listened on");
}

#[tokio::test]
async fn dns_is_answered_over_https_at_the_nodes_own_hosts() {
    let repo = GitRepo::small("shop.example.com", "one");
    let node = TestNode::run(config(&repo)).await;
    // `shop.example.com A`, without anything a client may leave out.
    let query = b"\0\0\x01\0\0\x01\0\0\0\0\0\0\x04shop\x07example\x03com\0\0\x01\0\x01";
    let ask = async |protocol, host: &str, method: Method, path: &str, kind: &str| {
        let mut client = node.client(protocol, host).await;
        client.ask(method, path, &[("content-type", kind)], body(&query[..])).await
    };
    let message = "application/dns-message";
    for protocol in [Protocol::Https1, Protocol::Https2] {
        for host in [ZONE, "ns1.edge.example.org"] {
            let answer = ask(protocol, host, Method::POST, "/dns-query", message).await;
            assert_eq!(answer.status, StatusCode::OK);
            assert_eq!(answer.header("content-type"), message);
            assert_eq!(answer.header("cache-control"), "max-age=300");
            assert!(answer.body.ends_with(&[127, 0, 0, 1]), "{:?}", answer.body);
        }
    }
    let status = async |host: &str, method: Method, path: &str, kind: &str| {
        ask(Protocol::Https1, host, method, path, kind).await.status.as_u16()
    };
    assert_eq!(status(ZONE, Method::POST, "/dns-query", "text/plain").await, 415);
    assert_eq!(status(ZONE, Method::PUT, "/dns-query", message).await, 405);
    assert_eq!(status(ZONE, Method::GET, "/dns-query", message).await, 400);
    assert_eq!(
        status("shop.example.com", Method::POST, "/dns-query", message).await,
        404,
        "a site's"
    );
    let plain = ask(Protocol::Http1, ZONE, Method::POST, "/dns-query", message).await;
    assert_eq!(plain.status, StatusCode::NOT_FOUND, "not over HTTPS");
}

/// A client that looks the host up over HTTPS, at the node that then serves it.
#[tokio::test]
async fn curl_finds_a_project_by_dns_over_https() {
    let repo = GitRepo::small("shop.example.com", "one");
    let node = TestNode::run(config(&repo)).await;
    let port = node.https().port();
    let curl = tokio::process::Command::new("curl")
        .args(["--silent", "--show-error", "--max-time", "30", "--cacert"])
        .arg(node.root())
        .args(["--doh-url", &format!("https://{ZONE}:{port}/dns-query")])
        .args(["--resolve", &format!("{ZONE}:{port}:127.0.0.1")])
        .arg(format!("https://shop.example.com:{port}/"))
        .output();
    let Ok(output) = curl.await else { return skip("curl") };
    assert!(output.status.success(), "{output:?}");
    assert_eq!(output.stdout, b"one");
    let series = r#"headgate_dns_queries_total{zone="shop.example.com.",type="A",rcode="NOERROR"}"#;
    assert_eq!(node.metrics().await.value(series), Some(1.0));
}

#[expect(clippy::print_stderr, reason = "a test that proves nothing must be heard of")]
fn skip(program: &str) {
    eprintln!("SKIPPED: {program} cannot be run here");
}
