//! What a domain's file says of DNS is what a real client is told.

use headgate_tests::{Dug, GitRepo, TestNode, eventually, kdig};
use serde_json::{Value, json};

const ZONE: &str = "edge.example.org";

fn config(repos: &[(&str, &GitRepo)]) -> Value {
    let project = |(name, repo): &(&str, &GitRepo)| json!({"name": name, "config": repo.url(), "branch": "main", "poll": "100ms"});
    json!({
        "zone": {"name": ZONE, "addresses": ["127.0.0.1", "::1"]},
        "dns": {"listen": ["127.0.0.1:0"], "tls": ["127.0.0.1:0"]},
        "projects": repos.iter().map(project).collect::<Vec<_>>(),
    })
}

fn project(host: &str, records: &str) -> GitRepo {
    let repo = GitRepo::small(host, "one");
    repo.write("domains/main.yaml", format!("id: d-main\nfqdn: {host}\nrecords:\n{records}"));
    repo.commit("has records");
    repo
}

#[tokio::test]
async fn every_type_of_record_is_answered_as_it_is_written() {
    let long = "x".repeat(300);
    let repo = GitRepo::small("example.com", "one");
    repo.write(
        "domains/main.yaml",
        format!(
            r#"id: d-main
fqdn: example.com
records:
  - {{name: "@", type: A, value: 192.0.2.80}}
  - {{name: "@", type: MX, value: [10 mail.example.com, 20 backup.example.net], ttl: 1h}}
  - {{name: "@", type: TXT, value: ["v=spf1 -all", "{long}"]}}
  - {{name: "@", type: CAA, value: 0 issue letsencrypt.org}}
  - {{name: mail, type: AAAA, value: "2001:db8::25"}}
  - {{name: docs, type: CNAME, value: pages.example.net}}
  - {{name: _sip._tcp, type: SRV, value: 10 5 5060 sip.example.net}}
  - {{name: lab, type: NS, value: [ns.lab.example.com, ns.example.net]}}
  - {{name: ns.lab, type: A, value: 192.0.2.53}}
"#
        ),
    );
    repo.commit("has every type");
    let node = TestNode::run(config(&[("shop", &repo)])).await;
    let Some(apex) = kdig(node.dns(), &["example.com", "A"]).await else { return };
    assert_eq!(apex.data("A"), ["192.0.2.80"], "in the place of the gateway's address");
    let ask = async |name: &str, kind: &str| kdig(node.dns(), &[name, kind]).await.unwrap();
    let data = async |name: &str, kind: &str| ask(name, kind).await.data(kind);
    assert_eq!(ask("example.com", "AAAA").await.data("AAAA"), [""; 0], "of both families");
    let mx = ask("example.com", "MX").await;
    assert_eq!(mx.data("MX"), ["10 mail.example.com.", "20 backup.example.net."]);
    assert_eq!(mx.section("ADDITIONAL", "AAAA"), ["2001:db8::25"], "{}", mx.text());
    assert!(mx.text().contains("3600"), "its own TTL: {}", mx.text());
    let (first, second) = long.split_at(255);
    let long = format!("\"{first}\" \"{second}\"");
    assert_eq!(data("example.com", "TXT").await, ["\"v=spf1 -all\"", &long]);
    assert_eq!(data("example.com", "CAA").await, ["0 issue \"letsencrypt.org\""]);
    assert_eq!(ask("docs.example.com", "A").await.data("CNAME"), ["pages.example.net."]);
    assert_eq!(data("_sip._tcp.example.com", "SRV").await, ["10 5 5060 sip.example.net."]);

    let referral = ask("deep.lab.example.com", "A").await;
    let servers = ["ns.example.net.", "ns.lab.example.com."];
    assert_eq!(referral.section("AUTHORITY", "NS"), servers, "{}", referral.text());
    assert_eq!(referral.section("ADDITIONAL", "A"), ["192.0.2.53"], "{}", referral.text());
    assert!(!referral.text().contains("flags: qr aa"), "{}", referral.text());
}

/// The server of the target is another node.
#[tokio::test]
async fn an_alias_is_answered_with_the_addresses_of_its_target() {
    let target = project(
        "target.example",
        "  - {name: pages, type: A, value: [192.0.2.77, 192.0.2.78]}\n  - {name: pages, type: AAAA, value: \"2001:db8::77\"}\n",
    );
    let target = TestNode::run(config(&[("target", &target)])).await;
    let shop = project(
        "example.com",
        "  - {name: \"@\", type: ALIAS, value: pages.target.example, ttl: 1m}\n  \
         - {name: gone, type: ALIAS, value: nothing.target.example}\n",
    );
    let mut config = config(&[("shop", &shop)]);
    config["resolver"] = json!(target.dns().to_string());
    let node = TestNode::run(config).await;
    if kdig(node.dns(), &["example.com", "SOA"]).await.is_none() {
        return;
    }
    let ask = async |name: &str, kind: &str| kdig(node.dns(), &[name, kind]).await.unwrap();
    eventually("the target was found", async || {
        let found = ask("example.com", "A").await.data("A");
        (found == ["192.0.2.77", "192.0.2.78"]).then_some(())
    })
    .await;
    assert_eq!(ask("example.com", "AAAA").await.data("AAAA"), ["2001:db8::77"]);
    let gone = ask("gone.example.com", "A").await;
    assert_eq!(gone.data("A"), [""; 0], "never the gateway's: {}", gone.text());
    assert_eq!(ask("example.com", "NS").await.data("NS").len(), 2);
}

#[tokio::test]
async fn a_pushed_record_is_answered_and_one_that_is_removed_is_not() {
    let repo = project("example.com", "  - {name: a, type: TXT, value: one}\n");
    let node = TestNode::run(config(&[("shop", &repo)])).await;
    let ask = async || kdig(node.dns(), &["a.example.com", "TXT"]).await;
    let Some(first) = ask().await else { return };
    assert_eq!(first.data("TXT"), ["\"one\""]);
    let page = "id: d-main\nfqdn: example.com\n";
    for (records, status, data) in [
        ("records: [{name: a, type: TXT, value: two}]\n", "NOERROR", &["\"two\""][..]),
        ("", "NXDOMAIN", &[]),
    ] {
        repo.write("domains/main.yaml", format!("{page}{records}"));
        repo.commit("says something else");
        eventually(&format!("{status} with {data:?}"), async || {
            let found: Dug = ask().await?;
            (found.status() == status && found.data("TXT") == data).then_some(())
        })
        .await;
    }
}

/// One project delegates to a server that the operator's zone would have to know, another reaches for its names.
#[tokio::test]
async fn what_cannot_be_served_is_left_out_and_told_while_others_answer() {
    let shop = project("shop.example.com", "  - {name: \"@\", type: TXT, value: fine}\n");
    let faulty = project(
        "faulty.edge.example.org",
        "  - {name: lab, type: NS, value: nobody.edge.example.org}\n  - {name: t, type: TXT, value: x}\n",
    );
    let greedy = project(
        ZONE,
        "  - {name: shop, type: A, value: 192.0.2.66}\n  - {name: ns1, type: A, value: 192.0.2.66}\n  \
         - {name: \"@\", type: MX, value: 10 mail.example.net}\n",
    );
    let node =
        TestNode::run(config(&[("shop", &shop), ("faulty", &faulty), ("greedy", &greedy)])).await;
    let ask = async |name: &str, kind: &str| kdig(node.dns(), &[name, kind]).await;
    if let Some(text) = ask("shop.example.com", "TXT").await {
        assert_eq!(text.data("TXT"), ["\"fine\""]);
        for (name, kind, data) in [
            ("shop.edge.example.org", "A", &["127.0.0.1"][..]),
            ("ns1.edge.example.org", "A", &["127.0.0.1"]),
            (ZONE, "MX", &["10 mail.example.net."]),
            ("lab.faulty.edge.example.org", "NS", &[]),
            ("t.faulty.edge.example.org", "TXT", &[]),
        ] {
            assert_eq!(ask(name, kind).await.unwrap().data(kind), data, "{name} {kind}");
        }
    }
    let told = node.command(&["dns"]).await;
    assert!(told.status.success(), "{told:?}");
    let told = String::from_utf8(told.stdout).unwrap();
    for line in [
        "edge.example.org of faulty: lab.faulty.edge.example.org.: ",
        "edge.example.org of greedy: the A record at shop.edge.example.org. is left out: the name belongs to the \
         project shop",
        "edge.example.org of greedy: the A record at ns1.edge.example.org. is left out: the name belongs to the \
         node itself",
    ] {
        assert!(told.contains(line), "{line} is not in {told}");
    }
}

#[tokio::test]
async fn dns_is_answered_over_tls_and_https_as_kdig_asks() {
    let repo = project("shop.example.com", "  - {name: \"@\", type: TXT, value: fine}\n");
    let node = TestNode::run(config(&[("shop", &repo)])).await;
    let ready = node.ready().await;
    let over_tls = ready["dns_over_tls"][0].as_str().unwrap().parse().unwrap();
    let trusted = format!("+tls-ca={}", node.root().display());
    for (server, transport) in [(over_tls, "+tls"), (node.https(), "+https")] {
        for name in [ZONE, "ns1.edge.example.org"] {
            let host = format!("+tls-hostname={name}");
            let sni = format!("+tls-sni={name}");
            let asked = ["shop.example.com", "TXT", transport, &trusted, &host, &sni];
            let Some(found) = kdig(server, &asked).await else { return };
            assert_eq!(found.data("TXT"), ["\"fine\""], "{transport} {name}: {}", found.text());
        }
    }
    // A certificate of another name is none.
    let foreign = ["shop.example.com", "TXT", "+tls", &trusted, "+tls-hostname=ns.example.net"];
    let refused = kdig(over_tls, &foreign).await.unwrap();
    assert_eq!(refused.status(), "", "{}", refused.text());
    let told = node.command(&["dns"]).await;
    let told = String::from_utf8(told.stdout).unwrap();
    assert!(told.contains(&format!("Over TLS at {over_tls}")), "{told}");
    let series =
        r#"headgate_dns_queries_total{zone="shop.example.com.",type="TXT",rcode="NOERROR"}"#;
    assert_eq!(node.metrics().await.value(series), Some(4.0));
}
