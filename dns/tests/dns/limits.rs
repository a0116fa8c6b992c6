//! What a flood gets, and who is still answered meanwhile.

use std::net::{IpAddr, Ipv4Addr};

use headgate_dns::{RateLimits, RecordType, Transport};
use headgate_types::clock::Timestamp;

use crate::lab::{Lab, cookie_of, example, now, parse, query, zone};

const VICTIM: IpAddr = IpAddr::V4(Ipv4Addr::new(198, 51, 100, 7));

fn after(millis: u64) -> Timestamp {
    Timestamp::from_millis(now().as_millis() + millis)
}

/// Ten seconds of 2,000 packets a second in the victim's name: bytes in and bytes out.
fn flood(lab: &Lab, packets: &[Vec<u8>]) -> (usize, usize) {
    let (mut sent, mut reflected) = (0, 0);
    for (number, packet) in (0..20_000).zip(packets.iter().cycle()) {
        sent += packet.len();
        let reply = lab.send_from(packet, VICTIM, Transport::Udp, after(number / 2));
        reflected += reply.map_or(0, |reply| reply.len());
    }
    (sent, reflected)
}

/// The zone an attacker would like: an answer of some 1,200 bytes.
fn generous() -> Lab {
    let mut text = String::from("@ SOA ns.test. h.test. 1 2 3 4 5\n@ NS ns.test.\n");
    for record in 0..10 {
        text.push_str(&format!("big TXT \"{record:099}\"\n*.wild TXT \"{record:099}\"\n"));
        for host in 0..500 {
            text.push_str(&format!("n{host}.many TXT \"{record:099}\"\n"));
        }
    }
    Lab::serving([zone("example.test.", &text).unwrap()])
}

#[test]
fn a_forged_flood_reflects_less_than_it_sends() {
    let one = |name: &str| query(name, RecordType::TXT).with_edns(4096).bytes();
    let many: Vec<_> = (0..500).map(|n| one(&format!("n{n}.wild.example.test."))).collect();
    let different: Vec<_> = (0..500).map(|n| one(&format!("n{n}.many.example.test."))).collect();
    let missing: Vec<_> = (0..500).map(|n| one(&format!("n{n}.example.test."))).collect();
    let cookie = query("big.example.test.", RecordType::TXT).with_cookie(b"forgery!").bytes();
    let short = query("big.example.test.", RecordType::TXT).bytes()[..12].to_vec();
    for (what, packets) in [
        ("one name", vec![one("big.example.test.")]),
        ("names of a wildcard", many),
        ("different names", different),
        ("names that do not exist", missing),
        ("names of others", vec![one("big.other.test.")]),
        ("with a forged cookie", vec![cookie]),
        ("broken queries", vec![short]),
    ] {
        let (sent, reflected) = flood(&generous(), &packets);
        assert!(reflected <= sent, "{what}: {sent} bytes in, {reflected} bytes out");
        assert!(reflected > 0, "{what}: an honest client would never be answered");
    }
}

#[test]
fn a_client_behind_a_forged_address_is_told_to_come_by_tcp() {
    let lab = generous();
    let asked = query("big.example.test.", RecordType::TXT).with_edns(1232).bytes();
    flood(&lab, std::slice::from_ref(&asked));
    let replies = [(); 4].map(|()| lab.send_from(&asked, VICTIM, Transport::Udp, after(9_999)));
    let told: Vec<_> = replies.iter().flatten().map(|reply| parse(reply)).collect();
    assert!(!told.is_empty() && told.len() < 4);
    for message in told {
        assert!(message.metadata.truncation && message.answers.is_empty());
    }
    let by_tcp = lab.send_from(&asked, VICTIM, Transport::Tcp, after(9_999)).unwrap();
    assert_eq!(parse(&by_tcp).answers.len(), 10);
    assert!(lab.metrics().contains(r#"headgate_dns_limited_total{action="drop"}"#));
}

#[test]
fn a_client_with_our_cookie_is_not_limited() {
    let lab = generous();
    let with =
        |cookie: &[u8]| query("big.example.test.", RecordType::TXT).with_cookie(cookie).bytes();
    let asked = query("big.example.test.", RecordType::TXT).with_edns(1232).bytes();
    flood(&lab, &[asked]);

    let asked = with(b"8 bytes!");
    let replies: Vec<_> = (0..4)
        .filter_map(|_| lab.send_from(&asked, VICTIM, Transport::Udp, after(9_999)))
        .collect();
    let told = &replies[0];
    assert_eq!(u16::from(parse(told).metadata.response_code), 23, "BADCOOKIE");
    let cookie = cookie_of(told).unwrap();
    for _ in 0..100 {
        let reply = lab.send_from(&with(&cookie), VICTIM, Transport::Udp, after(9_999)).unwrap();
        assert_eq!(parse(&reply).answers.len(), 10);
    }
}

#[test]
fn a_cookie_is_of_no_use_to_another_address() {
    let lab = generous();
    let with =
        |cookie: &[u8]| query("big.example.test.", RecordType::TXT).with_cookie(cookie).bytes();
    let attacker = Ipv4Addr::new(203, 0, 113, 1).into();
    let reply = lab.send_from(&with(b"8 bytes!"), attacker, Transport::Udp, now()).unwrap();
    let (sent, reflected) = flood(&lab, &[with(&cookie_of(&reply).unwrap())]);
    assert!(reflected <= sent, "{sent} bytes in, {reflected} bytes out");
}

#[test]
fn a_resolver_that_asks_for_different_names_is_not_limited() {
    let mut text = String::from("@ SOA ns.test. h.test. 1 2 3 4 5\n@ NS ns.test.\n");
    (0..400).for_each(|n| text.push_str(&format!("n{n} A 192.0.2.1\n")));
    let lab = Lab::serving([zone("example.test.", &text).unwrap()]);
    for second in 0..5 {
        for n in 0..400 {
            let asked = query(&format!("n{n}.example.test."), RecordType::A).bytes();
            let reply = lab.send_from(&asked, VICTIM, Transport::Udp, after(second * 1000));
            assert_eq!(parse(&reply.expect("an answer")).answers.len(), 1);
        }
    }
}

#[test]
fn loopback_is_limited_on_demand_only() {
    let asked = query("ns1.example.test.", RecordType::A).bytes();
    let answered = |lab: &Lab| (0..1000).filter(|_| lab.send(&asked).is_some()).count();
    assert_eq!(answered(&Lab::new()), 1000);
    let limits = RateLimits { limit_loopback: true, ..RateLimits::default() };
    assert!(answered(&Lab::limited([example()], limits)) < 600);
}
