//! `headgate dns query` and `check`, asked of real name servers on loopback.

use std::{
    net::{Ipv4Addr, SocketAddr, UdpSocket},
    str::FromStr as _,
    sync::Arc,
};

use headgate_dns::{
    Challenges, Cookies, Metrics, Name, QueryLog, RData, RateLimiter, RateLimits, RecordType,
    Responder, Secret, Server, Sockets, Zone, ZoneBuilder, Zones, bind,
};
use headgate_types::SystemClock;
use prometheus_client::registry::Registry;
use serde_json::Value;
use tokio_util::sync::CancellationToken;

use crate::harness::{Ended, Home};

/// Zones served on loopback until the test ends.
struct Servers {
    runtime: tokio::runtime::Runtime,
    stop: CancellationToken,
}

impl Servers {
    fn new() -> Self {
        let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build().unwrap();
        Self { runtime, stop: CancellationToken::new() }
    }

    fn serve(&self, sockets: Sockets, zone: Zone) {
        self.start(sockets.udp, sockets.tcp, zone);
    }

    fn start(&self, udp: Vec<UdpSocket>, tcp: Vec<std::net::TcpListener>, zone: Zone) {
        let metrics = Metrics::register(&mut Registry::default());
        let zones = Zones::new(Arc::clone(&metrics));
        zones.publish([Arc::new(zone)]);
        let responder = Responder {
            zones,
            challenges: Challenges::default(),
            cookies: Cookies::new(Secret::random()),
            rate_limiter: RateLimiter::new(RateLimits::default()),
            metrics,
            query_log: QueryLog::off(),
        };
        let (responder, clock) = (Arc::new(responder), Arc::new(SystemClock));
        let server = Server { responder, clock, udp, tcp, tls: None };
        let stop = self.stop.clone();
        self.runtime.spawn(async move { server.run(stop).await });
    }
}

impl Drop for Servers {
    fn drop(&mut self) {
        self.stop.cancel();
    }
}

fn zone(origin: &str, records: &[(&str, RecordType, &str)]) -> Zone {
    let mut zone = ZoneBuilder::new(&Name::from_str(origin).unwrap());
    for (owner, kind, data) in records {
        let data = RData::try_from_str(*kind, data).unwrap();
        zone.add(&Name::from_str(owner).unwrap(), 300, &data);
    }
    zone.build().unwrap()
}

const EDGE_RECORDS: [(&str, RecordType, &str); 6] = [
    ("edge.test.", RecordType::NS, "ns1.edge.test."),
    ("edge.test.", RecordType::NS, "ns2.edge.test."),
    ("ns1.edge.test.", RecordType::A, "127.0.0.2"),
    ("ns2.edge.test.", RecordType::A, "127.0.0.3"),
    ("edge.test.", RecordType::CAA, "0 issue \"letsencrypt.org\""),
    ("edge.test.", RecordType::A, "192.0.2.1"),
];

fn edge(serial: u32) -> Zone {
    let soa = format!("ns1.edge.test. dns.edge.test. {serial} 3600 600 86400 60");
    let mut records = vec![("edge.test.", RecordType::SOA, &*soa)];
    records.extend(EDGE_RECORDS);
    zone("edge.test.", &records)
}

/// The zone above, with what it says about `edge.test`.
fn parent(delegation: &[(&str, RecordType, &str)]) -> Zone {
    let mut records = vec![
        ("test.", RecordType::SOA, "ns.test. dns.test. 1 3600 600 86400 60"),
        ("test.", RecordType::NS, "ns.test."),
        ("ns.test.", RecordType::A, "127.0.0.1"),
    ];
    records.extend(delegation);
    zone("test.", &records)
}

const DELEGATION: [(&str, RecordType, &str); 4] = [
    ("edge.test.", RecordType::NS, "ns1.edge.test."),
    ("edge.test.", RecordType::NS, "ns2.edge.test."),
    ("ns1.edge.test.", RecordType::A, "127.0.0.2"),
    ("ns2.edge.test.", RecordType::A, "127.0.0.3"),
];

/// Sockets of two servers at one port.
fn pair() -> [Sockets; 2] {
    // Whoever else runs here may have the port at the second address.
    for _ in 0..20 {
        let first = bind("127.0.0.2:0".parse().unwrap(), 1).unwrap();
        let second = SocketAddr::from((Ipv4Addr::new(127, 0, 0, 3), first.address().port()));
        if let Ok(second) = bind(second, 1) {
            return [first, second];
        }
    }
    panic!("no port is free at both addresses");
}

/// Checks `edge.test` with this parent and these two servers.
fn check(delegation: &[(&str, RecordType, &str)], servers: [Zone; 2]) -> Ended {
    let running = Servers::new();
    let above = bind("127.0.0.1:0".parse().unwrap(), 1).unwrap();
    let parent_address = above.address().to_string();
    running.serve(above, parent(delegation));
    let sockets = pair();
    let port = sockets[0].address().port().to_string();
    let [first, second] = servers;
    let [first_sockets, second_sockets] = sockets;
    running.serve(first_sockets, first);
    running.serve(second_sockets, second);
    let named = format!("127.0.0.2:{port}");
    let mut arguments = vec!["dns", "check", "edge.test", "--parent", &parent_address];
    arguments.extend(["--port", &port, "--output", "json"]);
    if delegation.is_empty() {
        arguments.extend(["--server", &named]);
    }
    Home::new().run(&arguments)
}

/// The codes of what was found, but for what every zone on loopback lacks.
fn found(checked: &Ended) -> Vec<String> {
    let value = checked.json();
    let code = |finding: &Value| finding["code"].as_str().unwrap().to_owned();
    let all = value["findings"].as_array().unwrap().iter().map(code);
    all.filter(|code| code != "no-ipv6").collect()
}

#[test]
fn a_sound_delegation_passes_and_shows_what_the_parent_holds() {
    let checked = check(&DELEGATION, [edge(7), edge(7)]);
    assert_eq!(found(&checked), Vec::<String>::new(), "{checked:?}");
    assert_eq!(checked.code, Some(0));
    let value = checked.json();
    assert_eq!(value["servers"].as_array().unwrap().len(), 2);
    assert_eq!(value["servers"][0]["serial"], 7);
    assert_eq!(value["servers"][1]["tcp"], "ok");
    let enter: Vec<_> = value["enter"].as_array().unwrap().iter().collect();
    assert_eq!(enter[0]["name"], "edge.test.");
    assert_eq!((&enter[3]["type"], &enter[3]["value"]), (&"A".into(), &"127.0.0.3".into()));
}

#[test]
fn what_a_delegation_lacks_is_found_and_fails_the_check() {
    let wrong_glue = [
        DELEGATION[0],
        DELEGATION[1],
        DELEGATION[2],
        ("ns2.edge.test.", RecordType::A, "127.0.0.2"),
    ];
    let one_missing = [DELEGATION[0], DELEGATION[2]];
    let other = || {
        zone(
            "other.test.",
            &[
                (
                    "other.test.",
                    RecordType::SOA,
                    "ns.other.test. dns.other.test. 1 3600 600 86400 60",
                ),
                ("other.test.", RecordType::NS, "ns.other.test."),
                ("ns.other.test.", RecordType::A, "127.0.0.3"),
            ],
        )
    };
    for (delegation, servers, code, expected) in [
        (
            &wrong_glue[..],
            [edge(7), edge(7)],
            1,
            &["glue-wrong", "one-server", "glue-incomplete"][..],
        ),
        (&one_missing, [edge(7), edge(7)], 0, &["ns-not-at-parent"]),
        (&[], [edge(7), edge(7)], 1, &["not-delegated"]),
        (&DELEGATION, [edge(7), other()], 1, &["lame"]),
        (&DELEGATION, [edge(7), edge(8)], 0, &["serials-differ"]),
    ] {
        let checked = check(delegation, servers);
        let (mut found, mut expected) = (found(&checked), expected.to_vec());
        found.sort();
        expected.sort_unstable();
        assert_eq!(found, expected, "{checked:?}");
        assert_eq!(checked.code, Some(code), "{checked:?}");
        let enter = checked.json()["enter"].as_array().unwrap().len();
        assert_eq!(enter, 4, "what to enter is told all the same");
    }
}

#[test]
fn a_person_reads_servers_findings_and_what_to_enter() {
    let running = Servers::new();
    let above = bind("127.0.0.1:0".parse().unwrap(), 1).unwrap();
    let address = above.address().to_string();
    running.serve(above, parent(&[]));
    let sockets = bind("127.0.0.1:0".parse().unwrap(), 1).unwrap();
    let port = sockets.address().port().to_string();
    running.serve(sockets, edge(7));
    let arguments = ["dns", "check", "edge.test", "--parent", &address, "--port", &port];
    let checked = Home::new().run(&arguments);
    assert_eq!(checked.code, Some(1));
    for part in [
        "error[not-delegated]: the parent has no NS records for edge.test\n  = help: enter the records",
        "\nedge.test.  NS  ns1.edge.test.\n",
        "\nns2.edge.test.  A  127.0.0.3\n",
    ] {
        assert!(checked.stdout.contains(part), "{part}: {checked:?}");
    }
}

#[test]
fn a_query_shows_the_whole_answer_and_goes_over_to_tcp() {
    let running = Servers::new();
    let sockets = bind("127.0.0.1:0".parse().unwrap(), 1).unwrap();
    let server = sockets.address().to_string();
    let long = format!("\"{}\"", "x".repeat(200));
    let values: Vec<_> = (0..9).map(|n| format!("\"{n}\" {long}")).collect();
    let mut records: Vec<_> =
        values.iter().map(|value| ("big.edge.test.", RecordType::TXT, &**value)).collect();
    records.push((
        "edge.test.",
        RecordType::SOA,
        "ns1.edge.test. dns.edge.test. 7 3600 600 86400 60",
    ));
    records.extend(EDGE_RECORDS);
    running.serve(sockets, zone("edge.test.", &records));

    let home = Home::new();
    let answer = home.run(&["dns", "query", "edge.test", "caa", "--server", &server]);
    assert_eq!(answer.code, Some(0), "{answer:?}");
    assert!(answer.stdout.starts_with("NOERROR, authoritative; "), "{answer:?}");
    let line = "edge.test.\t300\tIN\tCAA\t0 issue \"letsencrypt.org\"\n";
    assert!(answer.stdout.contains(line), "{answer:?}");

    let big = home.run(&[
        "dns",
        "query",
        "BIG.edge.test",
        "TXT",
        "--server",
        &server,
        "--output",
        "json",
    ]);
    let value = big.json();
    assert_eq!((&value["over"], &value["truncated"]), (&"TCP".into(), &false.into()));
    assert_eq!(value["answer"].as_array().unwrap().len(), 9);

    let none = home.run(&["dns", "query", "no.edge.test", "--server", &server, "--tcp"]);
    assert_eq!(none.code, Some(1));
    assert!(none.stdout.starts_with("NXDOMAIN, authoritative; "), "{none:?}");
    assert!(none.stdout.contains("; authority\nedge.test.\t60\tIN\tSOA\t"), "{none:?}");

    let nobody = UdpSocket::bind("127.0.0.1:0").unwrap();
    let address = nobody.local_addr().unwrap().to_string();
    drop(nobody);
    let failed = home.run(&["dns", "query", "edge.test", "--server", &address]);
    assert_eq!(failed.code, Some(1));
    assert!(failed.stderr.contains("asking 127.0.0.1:"), "{failed:?}");
}
