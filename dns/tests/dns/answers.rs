//! What is answered: each rule of the protocol with a question that needs it.

use std::sync::Arc;

use headgate_dns::{RecordType, Transport};

use crate::lab::{Lab, QueryBytes, cookie_of, example, name, parse, query, rdata, shape, zone};

/// Asks about the example zone and compares the whole response, TTLs of 300 left out.
#[track_caller]
fn check(question: (&str, RecordType), expected: &str) {
    let lab = Lab::new();
    let message = lab.ask(question.0, question.1);
    let got = shape(&message).to_string().replace(" 300 ", " ");
    let expected: String =
        expected.trim().lines().map(|line| format!("{}\n", line.trim())).collect();
    assert_eq!(got, expected, "{question:?}");
}

const SOA: &str = "authority: example.test. 60 SOA ns1.example.test. hostmaster.example.test. \
                   2026112501 3600 600 86400 60";

#[test]
fn an_answer_carries_what_goes_along_with_it() {
    check(
        ("ns1.example.test.", RecordType::A),
        "NoError aa\nanswer: ns1.example.test. A 192.0.2.1",
    );
    check(
        ("example.test.", RecordType::MX),
        "NoError aa
         answer: example.test. MX 10 mail.example.test.
         additional: mail.example.test. A 192.0.2.25",
    );
    check(
        ("_sip._tcp.example.test.", RecordType::SRV),
        "NoError aa
         answer: _sip._tcp.example.test. SRV 1 2 5060 mail.example.test.
         additional: mail.example.test. A 192.0.2.25",
    );
    check(
        ("example.test.", RecordType::NS),
        "NoError aa
         answer: example.test. NS ns1.example.test.
         answer: example.test. NS ns2.example.test.
         additional: ns1.example.test. A 192.0.2.1
         additional: ns1.example.test. AAAA 2001:db8::1
         additional: ns2.example.test. A 192.0.2.2",
    );
}

#[test]
fn nothing_of_a_type_is_no_data_with_the_soa() {
    check(("ns2.example.test.", RecordType::AAAA), &format!("NoError aa\n{SOA}"));
    check(("ent.example.test.", RecordType::A), &format!("NoError aa\n{SOA}"));
    check(("_tcp.example.test.", RecordType::SRV), &format!("NoError aa\n{SOA}"));
    check(("ns2.example.test.", RecordType::Unknown(60_000)), &format!("NoError aa\n{SOA}"));
    check(("example.test.", RecordType::DS), &format!("NoError aa\n{SOA}"));
}

#[test]
fn a_name_that_is_not_there_is_a_name_error_with_the_soa() {
    check(("nothing.example.test.", RecordType::A), &format!("NXDomain aa\n{SOA}"));
    check(("a.ns1.example.test.", RecordType::A), &format!("NXDomain aa\n{SOA}"));
    check(("nothing.example.test.", RecordType::ANY), &format!("NXDomain aa\n{SOA}"));
}

#[test]
fn a_name_of_a_hundred_labels_is_looked_up_like_any_other() {
    let long = "a.".repeat(100);
    check((&format!("{long}example.test."), RecordType::A), &format!("NXDomain aa\n{SOA}"));
    check(
        (&format!("{long}apps.example.test."), RecordType::A),
        &format!("NoError aa\nanswer: {long}apps.example.test. A 192.0.2.90"),
    );
}

#[test]
fn a_wildcard_stands_for_names_that_do_not_exist() {
    let answer = |name: &str| format!("NoError aa\nanswer: {name} A 192.0.2.90");
    for asked in ["x.apps.example.test.", "y.x.apps.example.test.", "*.apps.example.test."] {
        check((asked, RecordType::A), &answer(asked));
    }
    check(("x.apps.example.test.", RecordType::MX), &format!("NoError aa\n{SOA}"));
}

#[test]
fn a_wildcard_does_not_stand_for_names_that_exist_or_lie_below_them() {
    check(("fixed.apps.example.test.", RecordType::A), &format!("NoError aa\n{SOA}"));
    check(("x.fixed.apps.example.test.", RecordType::A), &format!("NXDomain aa\n{SOA}"));
    // `part` exists as an empty non-terminal, so it is the closest encloser of `x.part`.
    check(("part.apps.example.test.", RecordType::A), &format!("NoError aa\n{SOA}"));
    check(("x.part.apps.example.test.", RecordType::A), &format!("NXDomain aa\n{SOA}"));
    check(("apps.example.test.", RecordType::A), &format!("NoError aa\n{SOA}"));
}

#[test]
fn aliases_are_followed_within_the_zone() {
    check(
        ("alias.example.test.", RecordType::A),
        "NoError aa
         answer: alias.example.test. CNAME www.example.test.
         answer: example.test. A 192.0.2.80
         answer: www.example.test. CNAME example.test.",
    );
    check(
        ("x.aliases.example.test.", RecordType::A),
        "NoError aa
         answer: example.test. A 192.0.2.80
         answer: www.example.test. CNAME example.test.
         answer: x.aliases.example.test. CNAME www.example.test.",
    );
    check(
        ("alias.example.test.", RecordType::CNAME),
        "NoError aa\nanswer: alias.example.test. CNAME www.example.test.",
    );
}

#[test]
fn an_alias_that_leads_elsewhere_is_where_the_answer_ends() {
    check(
        ("away.example.test.", RecordType::A),
        "NoError aa\nanswer: away.example.test. CNAME www.other.test.",
    );
    check(
        ("toelsewhere.example.test.", RecordType::A),
        "NoError aa
         answer: toelsewhere.example.test. CNAME host.sub.example.test.
         authority: sub.example.test. NS ns.sub.example.test.
         authority: sub.example.test. NS ns1.example.test.
         additional: ns.sub.example.test. A 192.0.2.53
         additional: ns1.example.test. A 192.0.2.1
         additional: ns1.example.test. AAAA 2001:db8::1",
    );
}

#[test]
fn the_end_of_an_alias_decides_the_code() {
    check(
        ("dangling.example.test.", RecordType::A),
        &format!("NXDomain aa\nanswer: dangling.example.test. CNAME nothing.example.test.\n{SOA}"),
    );
    check(
        ("www.example.test.", RecordType::AAAA),
        &format!("NoError aa\nanswer: www.example.test. CNAME example.test.\n{SOA}"),
    );
}

#[test]
fn aliases_in_a_circle_are_told_once() {
    check(
        ("loop1.example.test.", RecordType::A),
        "NoError aa
         answer: loop1.example.test. CNAME loop2.example.test.
         answer: loop2.example.test. CNAME loop1.example.test.",
    );
}

#[test]
fn a_wildcard_alias_to_a_name_it_stands_for_is_told_for_both() {
    let text = "@ SOA ns.test. h.test. 1 2 3 4 5\n@ NS ns.test.\n* CNAME B.example.test.";
    let lab = Lab::serving([zone("example.test.", text).unwrap()]);
    assert_eq!(lab.ask("a.example.test.", RecordType::A).answers.len(), 2);
    assert_eq!(lab.ask("b.example.test.", RecordType::A).answers.len(), 1);
}

#[test]
fn a_chain_of_aliases_is_followed_so_far() {
    let mut text = String::from(
        "@ SOA ns.example.test. h.example.test. 1 2 3 4 5\n@ NS ns.other.test.\nc99 A 192.0.2.1\n",
    );
    for link in 0..99 {
        text.push_str(&format!("c{link} CNAME c{}.example.test.\n", link + 1));
    }
    let lab = Lab::serving([zone("example.test.", &text).unwrap()]);
    let message = lab.ask("c0.example.test.", RecordType::A);
    assert_eq!(message.answers.len(), headgate_dns::defaults::ALIASES);
    assert_eq!(lab.ask("c95.example.test.", RecordType::A).answers.len(), 5);
}

#[test]
fn a_delegation_is_told_with_its_glue_and_without_authority() {
    let referral = "NoError
         authority: sub.example.test. NS ns.sub.example.test.
         authority: sub.example.test. NS ns1.example.test.
         additional: ns.sub.example.test. A 192.0.2.53
         additional: ns1.example.test. A 192.0.2.1
         additional: ns1.example.test. AAAA 2001:db8::1";
    for name in ["sub.example.test.", "x.y.sub.example.test.", "ns.sub.example.test."] {
        check((name, RecordType::A), referral);
        check((name, RecordType::ANY), referral);
    }
    check(("sub.example.test.", RecordType::NS), referral);
    check(
        ("far.example.test.", RecordType::A),
        "NoError\nauthority: far.example.test. NS ns.other.test.",
    );
}

#[test]
fn what_a_child_is_signed_with_is_the_parents_to_tell() {
    let lab = Lab::new();
    let message = lab.ask("sub.example.test.", RecordType::DS);
    assert!(message.metadata.authoritative && message.answers.len() == 1);
    check(("far.example.test.", RecordType::DS), &format!("NoError aa\n{SOA}"));

    let child = "@ SOA ns.example.test. h.example.test. 1 2 3 4 5\n@ NS ns1.example.test.";
    let child = zone("sub.example.test.", child).unwrap();
    let lab = Lab::serving([example(), child]);
    let message = lab.ask("sub.example.test.", RecordType::DS);
    assert!(message.metadata.authoritative && message.answers.len() == 1);
    assert!(lab.ask("sub.example.test.", RecordType::SOA).answers.len() == 1);
    assert!(lab.ask("x.sub.example.test.", RecordType::DS).answers.is_empty());
}

#[test]
fn the_zone_with_the_longest_origin_answers() {
    let inner = "@ SOA ns.test. h.test. 7 2 3 4 5\n@ NS ns.test.\nx A 192.0.2.7";
    let lab = Lab::serving([example(), zone("inner.example.test.", inner).unwrap()]);
    let message = lab.ask("x.inner.example.test.", RecordType::A);
    assert_eq!(message.answers.len(), 1);
    let message = lab.ask("xinner.example.test.", RecordType::A);
    assert_eq!(shape(&message).authority[0].split(' ').next(), Some("example.test."));
}

#[test]
fn what_is_in_no_zone_is_refused() {
    check(("www.other.test.", RecordType::A), "Refused");
    check(("test.", RecordType::NS), "Refused");
    check((".", RecordType::NS), "Refused");
}

#[test]
fn any_is_answered_with_one_record_set() {
    check(
        ("ns1.example.test.", RecordType::ANY),
        "NoError aa\nanswer: ns1.example.test. A 192.0.2.1",
    );
    check(
        ("www.example.test.", RecordType::ANY),
        "NoError aa\nanswer: www.example.test. CNAME example.test.",
    );
}

#[test]
fn zones_are_not_given_away() {
    for kind in [RecordType::AXFR, RecordType::IXFR] {
        let lab = Lab::new();
        for transport in [Transport::Udp, Transport::Tcp] {
            let reply = lab.send_as(&query("example.test.", kind).bytes(), transport).unwrap();
            assert_eq!(shape(&parse(&reply)).head, "Refused");
        }
    }
}

#[test]
fn a_question_comes_back_in_its_own_case() {
    let lab = Lab::new();
    let asked = query("wWw.ExAmPlE.tEsT.", RecordType::A).bytes();
    let reply = lab.send(&asked).unwrap();
    assert_eq!(reply[12..asked.len()], asked[12..]);
    assert_eq!(parse(&reply).answers.len(), 2);
    assert_eq!(reply[..2], asked[..2], "the id");
}

#[test]
fn flags_are_answered_as_the_client_set_them() {
    let lab = Lab::new();
    let reply = |flags: u16| {
        let query = QueryBytes { flags, ..query("ns1.example.test.", RecordType::A) };
        let reply = lab.send(&query.bytes()).unwrap();
        u16::from_be_bytes([reply[2], reply[3]])
    };
    assert_eq!(reply(0x0000), 0x8400);
    assert_eq!(reply(0x0100), 0x8500, "RD comes back, RA is not offered");
    assert_eq!(reply(0x0010), 0x8410, "CD comes back");
    assert_eq!(reply(0x0060), 0x8400, "AD and the reserved bit do not");
}

#[test]
fn other_classes_are_refused_and_other_operations_not_implemented() {
    let lab = Lab::new();
    let mut chaos = query("version.bind.", RecordType::TXT);
    let class = chaos.body.len() - 1;
    chaos.body[class] = 3;
    assert_eq!(shape(&parse(&lab.send(&chaos.bytes()).unwrap())).head, "Refused");
    for opcode in [1, 2, 4, 5, 6, 15] {
        let flags = opcode << 11;
        let query = QueryBytes { flags, ..query("example.test.", RecordType::SOA) };
        let reply = lab.send(&query.bytes()).unwrap();
        assert_eq!((reply.len(), reply[3] & 15), (12, 4));
    }
}

#[test]
fn a_query_has_one_question() {
    let lab = Lab::new();
    for questions in [0, 2, 65_535] {
        let asked = query("example.test.", RecordType::A);
        let mut twice = QueryBytes { questions, ..asked.clone() };
        twice.body.extend(asked.body);
        let reply = lab.send(&twice.bytes()).unwrap();
        assert_eq!((reply.len(), reply[3] & 15), (12, 1), "{questions} questions");
    }
}

#[test]
fn what_is_no_query_gets_no_answer() {
    let lab = Lab::new();
    let whole = query("example.test.", RecordType::A).bytes();
    for length in 0..12 {
        assert_eq!(lab.send(&whole[..length]), None);
    }
    let response = QueryBytes { flags: 0x8000, ..query("example.test.", RecordType::A) };
    assert_eq!(lab.send(&response.bytes()), None);
    assert!(lab.metrics().contains("headgate_dns_malformed_total 13"), "{}", lab.metrics());
}

#[test]
fn a_broken_query_gets_a_header_at_most() {
    let lab = Lab::new();
    let whole = query("example.test.", RecordType::A).with_edns(1232).bytes();
    for length in 12..whole.len() {
        assert_eq!(lab.send(&whole[..length]).unwrap().len(), 12, "{length} bytes");
    }
    let longer = [&whole[..], b"x"].concat();
    assert_eq!(lab.send(&longer).unwrap().len(), 12);
    let twice = query("example.test.", RecordType::A).with_edns(1232).with_edns(1232);
    assert_eq!(lab.send(&twice.bytes()).unwrap()[3] & 15, 1);
}

#[test]
fn edns_is_answered_with_edns_only() {
    let lab = Lab::new();
    let plain = lab.send(&query("ns1.example.test.", RecordType::A).bytes()).unwrap();
    assert!(parse(&plain).edns.is_none());
    let message = lab.ask("ns1.example.test.", RecordType::A);
    let edns = message.edns.unwrap();
    assert_eq!((edns.max_payload(), edns.version(), edns.flags().dnssec_ok), (1232, 0, false));
    let signed = query("ns1.example.test.", RecordType::A).with_opt(1232, 0, 0x8000, &[]);
    let reply = parse(&lab.send(&signed.bytes()).unwrap());
    assert!(reply.edns.unwrap().flags().dnssec_ok, "the bit comes back (RFC 3225)");
}

#[test]
fn a_later_version_of_edns_is_told_ours() {
    let lab = Lab::new();
    let asked = query("ns1.example.test.", RecordType::A).with_opt(1232, 1, 0, &[]);
    let reply = parse(&lab.send(&asked.bytes()).unwrap());
    assert_eq!(u16::from(reply.metadata.response_code), 16);
    assert!(reply.answers.is_empty() && reply.edns.unwrap().version() == 0);
}

#[test]
fn unknown_options_and_flags_are_ignored() {
    let lab = Lab::new();
    let options = [0xFD, 0xE9, 0, 3, 1, 2, 3, 0, 8, 0, 4, 0, 1, 0, 0];
    let asked = query("ns1.example.test.", RecordType::A).with_opt(1232, 0, 0x7FFF, &options);
    let reply = parse(&lab.send(&asked.bytes()).unwrap());
    assert_eq!(reply.answers.len(), 1);
    let broken = query("ns1.example.test.", RecordType::A).with_opt(1232, 0, 0, &options[..6]);
    assert_eq!(lab.send(&broken.bytes()).unwrap()[3] & 15, 1);
}

/// A zone with a TXT set of this many bytes at `big`, and a referral with as much glue.
fn big(records: usize) -> Lab {
    let mut text = String::from(
        "@ SOA ns.test. h.test. 1 2 3 4 5\n@ NS ns.test.\nmx MX 1 host.example.test.\n",
    );
    for record in 0..records {
        text.push_str(&format!("big TXT \"{record:099}\"\n"));
        text.push_str(&format!("host A 192.0.2.{record}\n"));
        text.push_str(&format!("cut NS ns{record}.cut.example.test.\n"));
        text.push_str(&format!("ns{record}.cut AAAA 2001:db8::{record}\n"));
    }
    Lab::serving([zone("example.test.", &text).unwrap()])
}

#[test]
fn an_answer_over_udp_is_cut_at_the_clients_size_and_ours() {
    let lab = big(11); // 1260 bytes
    let ask = |size: Option<u16>, transport| {
        let asked = query("big.example.test.", RecordType::TXT);
        let asked = size.iter().fold(asked, |asked, size| asked.with_edns(*size));
        let reply = lab.send_as(&asked.bytes(), transport).unwrap();
        let message = parse(&reply);
        (message.metadata.truncation, message.answers.len(), reply.len())
    };
    for size in [None, Some(512), Some(0), Some(1232), Some(4096), Some(65_535)] {
        let (truncated, answers, length) = ask(size, Transport::Udp);
        assert!(truncated && answers == 0 && length <= 1232, "{size:?}: {length} bytes");
    }
    for transport in [Transport::Tcp, Transport::Tls, Transport::Https] {
        assert_eq!(ask(None, transport), (false, 11, 12 + 22 + 11 * 112));
    }
    let lab = big(5);
    let asked = |size| query("big.example.test.", RecordType::TXT).with_edns(size).bytes();
    assert!(parse(&lab.send(&asked(512)).unwrap()).metadata.truncation);
    assert_eq!(parse(&lab.send(&asked(1232)).unwrap()).answers.len(), 5);
}

#[test]
fn glue_that_does_not_fit_truncates_and_kindness_does_not() {
    let lab = big(40);
    let referral = lab.ask("x.cut.example.test.", RecordType::A);
    assert!(referral.metadata.truncation);
    let kind = lab.ask("mx.example.test.", RecordType::MX);
    assert!(!kind.metadata.truncation && kind.answers.len() == 1);
    let small = query("mx.example.test.", RecordType::MX).bytes();
    let kind = parse(&lab.send(&small).unwrap());
    assert!(!kind.metadata.truncation && kind.answers.len() == 1 && kind.additionals.is_empty());
}

#[test]
fn names_are_compressed() {
    let lab = Lab::new();
    let asked = query("example.test.", RecordType::NS).bytes();
    let reply = lab.send(&asked).unwrap();
    // Each NS record: pointer, ten bytes, a label of four and a pointer; each address: pointer, ten
    // bytes, the address.
    assert_eq!(reply.len(), asked.len() + 2 * (12 + 6) + 2 * (12 + 4) + (12 + 16));
}

#[test]
fn a_negative_answer_is_kept_no_longer_than_either_ttl() {
    for (ttl, minimum, expected) in [(300, 60, 60), (30, 60, 30)] {
        let mut builder = headgate_dns::ZoneBuilder::new(&name("example.test."));
        let soa = format!("ns.test. h.test. 1 2 3 4 {minimum}");
        builder.add(&name("example.test."), ttl, &rdata("SOA", &soa));
        builder.add(&name("example.test."), 300, &rdata("NS", "ns.test."));
        let lab = Lab::serving([builder.build().unwrap()]);
        assert_eq!(lab.ask("x.example.test.", RecordType::A).authorities[0].ttl, expected);
        assert_eq!(lab.ask("example.test.", RecordType::SOA).answers[0].ttl, ttl);
    }
}

#[test]
fn challenges_overlay_the_zones() {
    let lab = Lab::new();
    let challenges = lab.responder.challenges.clone();
    let texts = |name: &str| {
        let message = lab.ask(name, RecordType::TXT);
        shape(&message).answer
    };
    let publish = |owner: &str, value: &str| challenges.publish(&name(owner), value).unwrap();
    let first = publish("_acme-challenge.deep.example.test.", "one");
    let second = publish("_acme-challenge.deep.example.test.", "two");
    assert_eq!(texts("_acme-challenge.deep.example.test.").len(), 2);
    // The name above exists now, for resolvers that ask it first.
    assert_eq!(shape(&lab.ask("deep.example.test.", RecordType::A)).head, "NoError aa");
    let other = lab.ask("_acme-challenge.deep.example.test.", RecordType::A);
    assert_eq!(shape(&other).head, "NoError aa");
    first.withdraw();
    assert_eq!(
        texts("_acme-challenge.deep.example.test."),
        ["_acme-challenge.deep.example.test. 1 TXT two"]
    );
    second.withdraw();
    assert_eq!(
        shape(&lab.ask("_acme-challenge.deep.example.test.", RecordType::TXT)).head,
        "NXDomain aa"
    );
    // Over a wildcard alias, and within a delegation that is ours to serve meanwhile.
    let _over_alias = publish("_acme-challenge.aliases.example.test.", "three");
    assert_eq!(texts("_acme-challenge.aliases.example.test.").len(), 1);
    let alias = lab.ask("_acme-challenge.aliases.example.test.", RecordType::A);
    assert_eq!(alias.answers.len(), 3, "other types go where the zone says");
    let _off_zone = publish("_acme-challenge.other.test.", "four");
    let off_zone = lab.ask("_acme-challenge.other.test.", RecordType::TXT);
    assert_eq!(shape(&off_zone).head, "Refused");
}

#[test]
fn a_client_with_a_cookie_gets_one_back() {
    let lab = Lab::new();
    let ask = |cookie: &[u8]| {
        let asked = query("ns1.example.test.", RecordType::A).with_cookie(cookie);
        lab.send(&asked.bytes()).unwrap()
    };
    let client = b"8 bytes!";
    let first = cookie_of(&ask(client)).unwrap();
    assert_eq!((first.len(), &first[..8]), (24, &client[..]));
    assert_eq!(cookie_of(&ask(&first)).unwrap(), first, "a good one is kept");
    assert!(
        parse(&ask(&[client, &[7; 16][..]].concat())).answers.len() == 1,
        "a bad one is no harm"
    );
    for length in [0, 1, 7, 9, 15, 41] {
        assert_eq!(ask(&vec![1; length])[3] & 15, 1, "{length} bytes are no cookie");
    }
    for length in [8, 16, 17, 24, 40] {
        assert_eq!(ask(&vec![1; length])[3] & 15, 0);
    }
}

#[test]
fn a_cookie_can_be_had_without_a_question() {
    let lab = Lab::new();
    let mut asked = query(".", RecordType::A);
    asked.body.clear();
    let asked = QueryBytes { questions: 0, ..asked }.with_cookie(b"8 bytes!");
    let reply = lab.send(&asked.bytes()).unwrap();
    assert_eq!((reply[3] & 15, cookie_of(&reply).unwrap().len()), (0, 24));
}

#[test]
fn https_carries_the_bytes_and_tells_how_long_they_may_be_kept() {
    let lab = Lab::new();
    let ask = |name: &str, kind| {
        let asked = query(name, kind).bytes();
        let client = std::net::Ipv4Addr::LOCALHOST.into();
        lab.responder.over_https(&asked, client, crate::lab::now())
    };
    let answer = ask("ns1.example.test.", RecordType::A).unwrap();
    assert_eq!((answer.max_age, parse(&answer.message).answers.len()), (Some(300), 1));
    assert_eq!(ask("no.example.test.", RecordType::A).unwrap().max_age, Some(60));
    assert_eq!(ask("no.other.test.", RecordType::A).unwrap().max_age, None);
    let client = std::net::Ipv4Addr::LOCALHOST.into();
    assert_eq!(lab.responder.over_https(b"GET", client, crate::lab::now()), None);
}

#[test]
fn queries_are_counted_by_zone_type_and_code() {
    let lab = Lab::new();
    lab.ask("ns1.example.test.", RecordType::A);
    lab.ask("no.example.test.", RecordType::Unknown(60_000));
    lab.ask("no.other.test.", RecordType::A);
    let text = lab.metrics();
    for line in [
        r#"{zone="example.test.",type="A",rcode="NOERROR"} 1"#,
        r#"{zone="example.test.",type="other",rcode="NXDOMAIN"} 1"#,
        r#"{zone="none",type="A",rcode="REFUSED"} 1"#,
    ] {
        assert!(text.contains(line), "{line}: {text}");
    }
}

#[test]
fn zones_are_replaced_whole() {
    let lab = Lab::new();
    let other = zone("other.test.", "@ SOA ns.test. h.test. 1 2 3 4 5\n@ NS ns.test.").unwrap();
    lab.responder.zones.publish([Arc::new(other)]);
    assert_eq!(shape(&lab.ask("ns1.example.test.", RecordType::A)).head, "Refused");
    assert_eq!(lab.ask("other.test.", RecordType::SOA).answers.len(), 1);
}
