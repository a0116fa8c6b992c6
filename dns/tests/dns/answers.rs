//! What is answered from zones: each rule of the protocol with a question that needs it.

use std::sync::Arc;

use headgate_dns::RecordType;

use crate::lab::{Lab, example, name, rdata, shape, zone};

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
