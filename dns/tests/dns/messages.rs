//! What is made of a message whatever it asks about: its header, flags, options and size.

use headgate_dns::{RecordType, Transport};

use crate::lab::{Lab, QueryBytes, cookie_of, parse, query, shape, zone};

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
