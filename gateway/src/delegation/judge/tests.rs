use std::net::SocketAddr;

use super::*;
use crate::delegation::{Addresses, ParentSeen};

fn name(text: &str) -> Name {
    Name::from_ascii(text).unwrap()
}

fn names<const N: usize>(texts: [&str; N]) -> BTreeSet<Name> {
    texts.map(name).into()
}

fn addresses(hosts: &[(&str, &[&str])]) -> BTreeMap<Name, BTreeSet<IpAddr>> {
    let each = |(host, addresses): &(&str, &[&str])| {
        (name(host), addresses.iter().map(|address| address.parse().unwrap()).collect())
    };
    hosts.iter().map(each).collect()
}

fn answer() -> Answer {
    let name_servers = names(["ns1.edge.test.", "ns2.edge.test."]);
    Answer { rcode: "NOERROR".to_owned(), authoritative: true, serial: Some(7), name_servers }
}

fn server(host: &str, address: &str) -> ServerSeen {
    let address = SocketAddr::new(address.parse().unwrap(), 53);
    ServerSeen { host: name(host), address, udp: Ok(answer()), tcp: Ok(answer()) }
}

/// A zone with nothing to say about it.
fn sound() -> Seen {
    let hosts: &[(&str, &[&str])] =
        &[("ns1.edge.test.", &["192.0.2.1", "2001:db8::1"]), ("ns2.edge.test.", &["192.0.2.2"])];
    let name_servers = names(["ns1.edge.test.", "ns2.edge.test."]);
    let referral = Referral { name_servers: name_servers.clone(), glue: addresses(hosts) };
    Seen {
        zone: name("edge.test."),
        parent: vec![ParentSeen {
            address: "198.51.100.1:53".parse().unwrap(),
            referral: Ok(referral),
        }],
        servers: hosts
            .iter()
            .flat_map(|(host, addresses)| addresses.iter().map(|address| server(host, address)))
            .collect(),
        own: Some(Own { name_servers, addresses: addresses(hosts) }),
        silent: None,
        unresolved: BTreeMap::new(),
        caa: None,
    }
}

fn referral(seen: &mut Seen) -> &mut Referral {
    seen.parent[0].referral.as_mut().unwrap()
}

fn codes(seen: &Seen) -> Vec<&'static str> {
    let verdict = judge(seen, "letsencrypt.org");
    for finding in &verdict.findings {
        assert!(!finding.hint.is_empty() && !finding.message.ends_with('.'), "{finding:?}");
    }
    verdict.findings.iter().map(|finding| finding.code).collect()
}

#[test]
fn a_sound_delegation_has_no_finding_and_its_records_are_told() {
    let verdict = judge(&sound(), "letsencrypt.org");
    assert_eq!(verdict.findings, []);
    let lines =
        verdict.enter.iter().map(|entry| format!("{} {} {}", entry.name, entry.kind, entry.value));
    assert_eq!(
        lines.collect::<Vec<_>>(),
        [
            "edge.test. NS ns1.edge.test.",
            "edge.test. NS ns2.edge.test.",
            "ns1.edge.test. A 192.0.2.1",
            "ns1.edge.test. AAAA 2001:db8::1",
            "ns2.edge.test. A 192.0.2.2",
        ]
    );
}

#[test]
fn a_zone_that_nobody_delegates_is_told_with_what_to_enter() {
    let mut seen = sound();
    *referral(&mut seen) = Referral::default();
    assert_eq!(codes(&seen), ["not-delegated"]);
    assert_eq!(judge(&seen, "").enter.len(), 5);
    seen.parent.clear();
    assert_eq!(codes(&seen), ["no-parent"]);
}

#[test]
fn servers_that_only_one_side_names_are_told() {
    let mut seen = sound();
    referral(&mut seen).name_servers.insert(name("old.other.test."));
    assert_eq!(codes(&seen), ["ns-not-in-zone"]);
    let mut seen = sound();
    referral(&mut seen).name_servers.remove(&name("ns2.edge.test."));
    assert_eq!(codes(&seen), ["ns-not-at-parent"]);
    assert!(!judge(&seen, "").has_errors(), "the zone is found all the same");
}

#[test]
fn glue_has_to_be_there_and_right() {
    let mut seen = sound();
    referral(&mut seen).glue.remove(&name("ns1.edge.test."));
    assert_eq!(codes(&seen), ["glue-missing"]);
    let mut seen = sound();
    referral(&mut seen).glue.extend(addresses(&[("ns2.edge.test.", &["192.0.2.9"])]));
    assert_eq!(codes(&seen), ["glue-wrong", "glue-incomplete"]);
    let mut seen = sound();
    referral(&mut seen).glue.extend(addresses(&[("ns1.edge.test.", &["192.0.2.1"])]));
    assert_eq!(codes(&seen), ["glue-incomplete"]);
}

#[test]
fn servers_of_other_zones_need_no_glue() {
    let mut seen = sound();
    let outside = names(["ns.other.test."]);
    *referral(&mut seen) = Referral { name_servers: outside.clone(), glue: Addresses::new() };
    seen.own = Some(Own { name_servers: outside, addresses: Addresses::new() });
    assert_eq!(codes(&seen), Vec::<&str>::new());
    assert_eq!(judge(&seen, "").enter.len(), 1);
}

#[test]
fn a_server_has_to_speak_for_the_zone_over_both_transports() {
    let refused = || Answer { rcode: "REFUSED".to_owned(), ..Answer::default() };
    let failed = || Err(Silence::Failed("no answer within 6 s".to_owned()));
    type Change<'c> = &'c dyn Fn(&mut ServerSeen);
    let cases: [(Change<'_>, &[&str]); 6] = [
        (&|server| server.udp = Ok(refused()), &["lame"]),
        (&|server| server.udp.as_mut().unwrap().authoritative = false, &["lame"]),
        (&|server| server.udp = failed(), &["no-answer"]),
        (&|server| server.tcp = failed(), &["no-tcp"]),
        (&|server| server.tcp = Ok(refused()), &["lame-over-tcp"]),
        (&|server| server.udp.as_mut().unwrap().serial = Some(8), &["serials-differ"]),
    ];
    for (change, expected) in cases {
        let mut seen = sound();
        change(&mut seen.servers[0]);
        assert_eq!(codes(&seen), expected);
        let verdict = judge(&seen, "letsencrypt.org");
        // Two gateways count their versions apart, and are found all the same.
        assert_eq!(verdict.has_errors(), expected != ["serials-differ"]);
    }
    let mut seen = sound();
    seen.servers[0].udp.as_mut().unwrap().name_servers = names(["ns1.edge.test."]);
    assert_eq!(codes(&seen), ["ns-differs"]);
    seen.unresolved.insert(name("ns3.other.test."), "it does not exist".to_owned());
    assert_eq!(codes(&seen), ["no-address", "ns-differs"]);
    let seen = Seen { silent: Some("192.0.2.7:53".parse().unwrap()), own: None, ..sound() };
    assert_eq!(codes(&seen), ["silent"]);
}

#[test]
fn what_this_machine_cannot_reach_is_no_fault_of_the_server() {
    let mut seen = sound();
    let ipv6 = seen.servers.iter_mut().find(|server| server.address.is_ipv6()).unwrap();
    (ipv6.udp, ipv6.tcp) = (Err(Silence::NoRoute), Err(Silence::NoRoute));
    assert_eq!(codes(&seen), ["not-asked"]);
}

#[test]
fn one_server_is_few() {
    let mut seen = sound();
    seen.servers.retain(|server| server.address.is_ipv4());
    assert_eq!(codes(&seen), ["no-ipv6"]);
    seen.servers.truncate(1);
    assert_eq!(codes(&seen), ["one-server", "no-ipv6"]);
    seen.parent[0].referral = Err("no answer".to_owned());
    assert_eq!(codes(&seen), ["no-parent", "parent-unreachable", "one-server", "no-ipv6"]);
}

#[test]
fn the_authority_must_be_allowed_to_issue() {
    let caa = |critical: bool, tag: &str, value: &str| Authorization {
        critical,
        tag: tag.to_owned(),
        value: value.to_owned(),
    };
    for (records, expected) in [
        (vec![caa(false, "issue", "letsencrypt.org")], vec![]),
        (vec![caa(false, "Issue", "LetsEncrypt.org; validationmethods=dns-01")], vec![]),
        (vec![caa(false, "iodef", "mailto:a@b.test")], vec![]),
        (vec![caa(false, "issue", "other.test")], vec!["caa-forbids"]),
        (vec![caa(false, "issue", ";")], vec!["caa-forbids"]),
        (vec![caa(false, "issuewild", ";")], vec!["caa-forbids-wildcards"]),
        (vec![caa(false, "issue", "other.test"), caa(false, "issue", "letsencrypt.org")], vec![]),
        (vec![caa(true, "odd", "x")], vec!["caa-critical"]),
    ] {
        let seen = Seen { caa: Some((name("edge.test."), records)), ..sound() };
        assert_eq!(codes(&seen), expected, "{:?}", seen.caa);
    }
}
