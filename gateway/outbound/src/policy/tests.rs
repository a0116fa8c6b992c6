use std::net::{Ipv4Addr, Ipv6Addr};

use proptest::prelude::*;

use super::*;

fn policy(allow: &[&str], deny: &[&str]) -> Policy {
    let rules = |texts: &[&str]| texts.iter().map(|text| text.parse().unwrap()).collect();
    Policy { allow: rules(allow), deny: rules(deny), ..Policy::default() }
}

fn check(policy: &Policy, host: &str, address: &str) -> Result<(), String> {
    policy.check(host, address.parse().unwrap()).map_err(|denied| denied.to_string())
}

#[test]
fn what_is_not_public_is_denied() {
    for (ip, expected) in [
        ("127.0.0.1", Some(Special::Loopback)),
        ("127.255.255.254", Some(Special::Loopback)),
        ("0.0.0.0", Some(Special::Unspecified)),
        ("0.1.2.3", Some(Special::Reserved)),
        ("10.0.0.1", Some(Special::Private)),
        ("172.15.255.255", None),
        ("172.16.0.1", Some(Special::Private)),
        ("172.31.255.255", Some(Special::Private)),
        ("172.32.0.0", None),
        ("192.168.1.1", Some(Special::Private)),
        ("100.63.255.255", None),
        ("100.64.0.1", Some(Special::Shared)),
        ("100.127.255.255", Some(Special::Shared)),
        ("100.100.100.200", Some(Special::Metadata)),
        ("100.128.0.0", None),
        ("169.254.0.1", Some(Special::LinkLocal)),
        ("169.254.169.254", Some(Special::Metadata)),
        ("168.63.129.16", Some(Special::Metadata)),
        ("192.0.0.8", Some(Special::Reserved)),
        ("192.0.2.1", Some(Special::Documentation)),
        ("198.51.100.1", Some(Special::Documentation)),
        ("203.0.113.1", Some(Special::Documentation)),
        ("198.18.0.1", Some(Special::Reserved)),
        ("198.20.0.1", None),
        ("224.0.0.1", Some(Special::Multicast)),
        ("240.0.0.1", Some(Special::Reserved)),
        ("255.255.255.255", Some(Special::Reserved)),
        ("1.1.1.1", None),
        ("93.184.216.34", None),
        ("::", Some(Special::Unspecified)),
        ("::1", Some(Special::Loopback)),
        ("::127.0.0.1", Some(Special::Loopback)),
        ("::ffff:127.0.0.1", Some(Special::Loopback)),
        ("::ffff:169.254.169.254", Some(Special::Metadata)),
        ("::ffff:1.1.1.1", None),
        ("64:ff9b::10.0.0.1", Some(Special::Private)),
        ("64:ff9b::1.1.1.1", None),
        ("64:ff9b:1::1.1.1.1", Some(Special::Reserved)),
        ("2002:7f00:1::", Some(Special::Loopback)),
        ("2002:a00:1::1", Some(Special::Private)),
        ("2002:101:101::1", None),
        ("2001::1", Some(Special::Reserved)),
        ("2001:db8::1", Some(Special::Documentation)),
        ("3fff::1", Some(Special::Documentation)),
        ("fc00::1", Some(Special::Private)),
        ("fd00:ec2::254", Some(Special::Metadata)),
        ("fe80::1", Some(Special::LinkLocal)),
        ("fec0::1", Some(Special::Reserved)),
        ("ff02::1", Some(Special::Multicast)),
        ("100::1", Some(Special::Reserved)),
        ("4000::1", Some(Special::Reserved)),
        ("2606:4700:4700::1111", None),
        ("2a00:1450:4001::1", None),
    ] {
        assert_eq!(address::special(ip.parse().unwrap()), expected, "{ip}");
        let address = SocketAddr::new(ip.parse().unwrap(), 443);
        assert_eq!(Policy::default().check("x.test", address).is_ok(), expected.is_none(), "{ip}");
    }
}

#[test]
fn the_web_and_high_ports_are_open_and_those_of_other_protocols_are_not() {
    let policy = Policy::default();
    for (port, open) in [(80, true), (443, true), (8080, true), (65535, true)] {
        assert_eq!(policy.check("x.test", ([1, 1, 1, 1], port).into()).is_ok(), open, "{port}");
    }
    for port in [0, 22, 25, 53, 445, 993] {
        let denied = policy.check("x.test", ([1, 1, 1, 1], port).into()).unwrap_err();
        assert_eq!(denied, Denied::Port { port });
    }
    assert_eq!(policy.check_name_server(([1, 1, 1, 1], 53).into()), Ok(()));
    assert!(policy.check_name_server(([10, 0, 0, 1], 53).into()).is_err());
    assert!(policy.check_name_server(([1, 1, 1, 1], 25).into()).is_err());
}

#[test]
fn a_network_that_is_allowed_is_reachable_at_the_open_ports() {
    let policy = policy(&["10.1.0.0/16", "fd00:1::/32"], &[]);
    assert_eq!(check(&policy, "db.test", "10.1.2.3:8080"), Ok(()));
    assert_eq!(check(&policy, "db.test", "[::ffff:10.1.2.3]:8080"), Ok(()));
    assert_eq!(check(&policy, "db.test", "[fd00:1::5]:443"), Ok(()));
    assert_eq!(
        check(&policy, "db.test", "10.1.2.3:22"),
        Err("port 22 is none that guests may use".to_owned())
    );
    assert_eq!(
        check(&policy, "db.test", "10.2.0.1:8080"),
        Err("10.2.0.1 is a private address".to_owned())
    );
}

#[test]
fn a_rule_with_a_port_opens_that_port_alone() {
    let policy = policy(&["10.1.2.3:81", "[fd00::1]:82", "9.9.9.9:25"], &[]);
    assert_eq!(check(&policy, "a.test", "10.1.2.3:81"), Ok(()));
    assert!(check(&policy, "a.test", "10.1.2.3:443").is_err());
    assert_eq!(check(&policy, "a.test", "[fd00::1]:82"), Ok(()));
    assert!(check(&policy, "a.test", "[fd00::1]:83").is_err());
    assert_eq!(check(&policy, "a.test", "9.9.9.9:25"), Ok(()));
    assert_eq!(check(&policy, "a.test", "9.9.9.9:443"), Ok(()), "a public one stays open");
}

#[test]
fn a_host_that_is_allowed_may_be_anywhere_but_at_a_metadata_service() {
    let policy = policy(&["api.internal", "*.svc.internal:8443"], &[]);
    assert_eq!(check(&policy, "API.internal.", "10.0.0.1:443"), Ok(()));
    assert_eq!(check(&policy, "a.b.svc.internal", "10.0.0.1:8443"), Ok(()));
    assert!(check(&policy, "svc.internal", "10.0.0.1:8443").is_err());
    assert!(check(&policy, "evilsvc.internal", "10.0.0.1:8443").is_err());
    assert!(check(&policy, "api.internal.evil.test", "10.0.0.1:443").is_err());
    assert!(check(&policy, "api.internal", "169.254.169.254:80").is_err());
}

#[test]
fn a_metadata_service_takes_a_rule_of_its_own() {
    assert!(check(&policy(&["0.0.0.0/0"], &[]), "m.test", "169.254.169.254:80").is_err());
    assert_eq!(check(&policy(&["169.254.169.254"], &[]), "m.test", "169.254.169.254:80"), Ok(()));
}

#[test]
fn what_is_denied_stays_denied() {
    let policy = policy(&["10.0.0.0/8"], &["10.9.0.0/16", "*.ads.test", "1.1.1.1:8080"]);
    assert_eq!(
        check(&policy, "a.test", "10.9.1.1:443"),
        Err("10.9.1.1 is denied by `10.9.0.0/16`".to_owned())
    );
    assert!(check(&policy, "a.test", "[::ffff:10.9.1.1]:443").is_err());
    assert!(check(&policy, "x.ads.test", "1.2.3.4:443").is_err());
    assert!(check(&policy, "a.test", "1.1.1.1:8080").is_err());
    assert_eq!(check(&policy, "a.test", "1.1.1.1:443"), Ok(()));
}

#[test]
fn rules_are_read_and_written() {
    for text in [
        "10.0.0.0/8",
        "10.0.0.1",
        "10.0.0.1:80",
        "10.0.0.0/8:80",
        "fd00::/8",
        "fd00::1",
        "[fd00::1]:80",
        "api.internal",
        "*.internal:8443",
        "backend",
    ] {
        assert_eq!(text.parse::<Rule>().unwrap().to_string(), text);
    }
    for (text, error) in [
        ("", RuleError::Shape),
        ("10.0.0.300", RuleError::Shape),
        ("10.0.0.1/8", RuleError::HostBits),
        ("http://api.internal", RuleError::Port),
        ("api.internal:0", RuleError::Port),
        ("api internal", RuleError::Shape),
        ("a.*.internal", RuleError::Shape),
        ("[fd00::1", RuleError::Shape),
        ("[fd00::1]x", RuleError::Shape),
    ] {
        assert_eq!(text.parse::<Rule>(), Err(error), "{text}");
    }
    assert_eq!("443".parse::<Ports>().unwrap().to_string(), "443");
    assert_eq!("1024-65535".parse::<Ports>().unwrap(), Ports(1024..=65535));
    for text in ["", "0", "9-1", "a", "1-", "70000"] {
        assert_eq!(text.parse::<Ports>(), Err(NoPorts), "{text}");
    }
}

proptest! {
    #[test]
    fn an_ipv4_address_is_judged_alike_however_it_is_wrapped(bits: u32, port in 1024u16..) {
        let v4 = Ipv4Addr::from(bits);
        let [high, low] = [(bits >> 16) as u16, bits as u16];
        let policy = Policy::default();
        let open = policy.check("x.test", (v4, port).into()).is_ok();
        let translated = Ipv6Addr::new(0x64, 0xff9b, 0, 0, 0, 0, high, low);
        let tunnelled = Ipv6Addr::new(0x2002, high, low, 0, 0, 0, 0, 1);
        for v6 in [v4.to_ipv6_mapped(), translated, tunnelled] {
            prop_assert_eq!(policy.check("x.test", (v6, port).into()).is_ok(), open, "{}", v6);
        }
    }

    #[test]
    fn no_address_that_the_standard_library_knows_to_be_special_passes(bits: u128, v4: u32) {
        let policy = Policy::default();
        let (v6, v4) = (Ipv6Addr::from(bits), Ipv4Addr::from(v4));
        if v6.is_loopback() || v6.is_multicast() || v6.is_unique_local()
            || v6.is_unicast_link_local() || v6.is_unspecified() {
            prop_assert!(policy.check("x.test", (v6, 443).into()).is_err());
        }
        if v4.is_loopback() || v4.is_private() || v4.is_link_local() || v4.is_multicast()
            || v4.is_broadcast() || v4.is_documentation() || v4.is_unspecified() {
            prop_assert!(policy.check("x.test", (v4, 443).into()).is_err());
        }
    }

    #[test]
    fn nothing_opens_what_is_denied(bits: u32, port in 1u16..) {
        let everything = policy(&["0.0.0.0/0"], &["0.0.0.0/0"]);
        prop_assert!(everything.check("x.test", (Ipv4Addr::from(bits), port).into()).is_err());
    }

    #[test]
    fn no_text_makes_the_reader_panic(text in "\\PC{0,40}") {
        if let Ok(rule) = text.parse::<Rule>() {
            prop_assert_eq!(rule.to_string().parse::<Rule>(), Ok(rule));
        }
    }
}
