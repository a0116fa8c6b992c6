//! Which records make a zone, and the zone as a file.

use headgate_dns::{LowerName, Name, RData, Serial, ZoneBuilder, zone::Fault, zone_file::ZoneFile};

use crate::lab::{example, name, rdata, unknown, zone};

const HEAD: &str = "@ SOA ns1.example.test. h.example.test. 7 2 3 4 5\n@ NS ns.other.test.\n";

/// What is wrong with these records beside a proper head, one line for each fault.
fn faults(text: &str) -> Vec<String> {
    match zone("example.test.", &format!("{HEAD}{text}")) {
        Ok(_) => Vec::new(),
        Err(invalid) => invalid.problems.iter().map(ToString::to_string).collect(),
    }
}

#[track_caller]
fn check(text: &str, expected: &[&str]) {
    assert_eq!(faults(text), expected, "{text}");
}

#[test]
fn the_example_is_a_zone() {
    let zone = example();
    assert_eq!(zone.serial(), Serial::new(2_026_112_501));
    assert_eq!(zone.origin().to_string(), "example.test.");
    assert_eq!(zone.records(), 26 + 2);
}

#[test]
fn an_origin_needs_its_soa_and_name_servers() {
    let empty = zone("example.test.", "").unwrap_err();
    assert_eq!(
        empty.to_string(),
        "zone example.test. is not valid: example.test.: an origin needs exactly one SOA record; \
         example.test.: an origin needs NS records"
    );
    let second = "@ SOA other.example.test. h.example.test. 7 2 3 4 5";
    check(second, &["example.test.: an origin needs exactly one SOA record"]);
    let below = "x SOA other.example.test. h.example.test. 7 2 3 4 5";
    check(below, &["x.example.test.: an SOA record stands at the origin only"]);
}

#[test]
fn an_alias_stands_alone() {
    let fault = "an alias (CNAME) stands alone at its name, and there is one of it";
    check("x CNAME a.test.\nx A 192.0.2.1", &[&format!("x.example.test.: {fault}")]);
    check("x CNAME a.test.\nx CNAME b.test.", &[&format!("x.example.test.: {fault}")]);
    check("@ CNAME a.test.", &[&format!("example.test.: {fault}")]);
    check("x CNAME a.test.\nx CNAME a.test.\nX CNAME a.test.", &[]);
}

#[test]
fn nothing_stands_below_a_delegation_but_glue() {
    check("cut NS ns.cut.example.test.\nns.cut A 192.0.2.1", &[]);
    check("cut NS cut.example.test.\ncut AAAA 2001:db8::1", &[]);
    check("cut NS ns.other.test.\ncut DS 1 5 1 00", &[]);
    let only = "only addresses of name servers may stand at or below the delegation \
                cut.example.test., not";
    check("cut NS ns.other.test.\nx.cut A 192.0.2.1", &[&format!("x.cut.example.test.: {only} A")]);
    check("cut NS ns.other.test.\ncut TXT x", &[&format!("cut.example.test.: {only} TXT")]);
    check(
        "cut NS ns.other.test.\nx.cut NS ns.other.test.",
        &[&format!("x.cut.example.test.: {only} NS")],
    );
    check("x DS 1 5 1 00", &["x.example.test.: a DS record stands at a delegation only"]);
    check("*.x NS ns.other.test.", &["*.x.example.test.: a wildcard cannot delegate"]);
}

#[test]
fn a_name_server_in_the_zone_has_an_address() {
    let lies = "lies in the zone and has no address there";
    check(
        "@ NS ns9.example.test.",
        &[&format!("example.test.: the name server ns9.example.test. {lies}")],
    );
    check(
        "cut NS ns.cut.example.test.",
        &[&format!("cut.example.test.: the name server ns.cut.example.test. {lies}")],
    );
    check(
        "@ NS ns9.example.test.\nns9 CNAME www.other.test.",
        &["example.test.: the name server ns9.example.test. is an alias"],
    );
    // The other delegation leads to it.
    check("a NS ns.b.example.test.\nb NS ns.other.test.", &[]);
}

#[test]
fn values_that_would_mislead_are_faults() {
    check(
        "@ CAA 0 issue \"ca.test.\"",
        &["example.test.: the issuer of a CAA record is written without a dot at its end"],
    );
    check("@ CAA 0 issue \";\"\n@ CAA 128 iodef \"mailto:a@ca.test.\"", &[]);
    let records = |add: &dyn Fn(&mut ZoneBuilder)| {
        let mut builder = ZoneBuilder::new(&name("example.test."));
        add(&mut builder);
        builder.build().unwrap_err().problems[0].fault.clone()
    };
    let x = name("x.example.test.");
    let a = rdata("A", "192.0.2.1");
    assert_eq!(records(&|zone| _ = zone.add(&x, 1 << 31, &a)), Fault::Ttl(1 << 31));
    let twice =
        |zone: &mut ZoneBuilder| _ = zone.add(&x, 1, &a).add(&x, 2, &rdata("A", "192.0.2.2"));
    assert_eq!(records(&twice), Fault::Ttls(headgate_dns::RecordType::A));
    assert_eq!(records(&|zone| _ = zone.add(&name("x.test."), 1, &a)), Fault::OutOfZone);
    for kind in [0, 39, 41, 46, 128, 252, 255] {
        let refused = records(&|zone| _ = zone.add(&x, 1, &unknown(kind, &[0])));
        assert!(matches!(refused, Fault::Type(_)), "{kind}: {refused}");
    }
    let long = RData::TXT(headgate_dns::rdata::TXT::new(vec!["x".repeat(256)]));
    assert!(matches!(records(&|zone| _ = zone.add(&x, 1, &long)), Fault::Data(_)));
}

#[test]
fn a_record_set_fits_into_a_message() {
    let mut builder = ZoneBuilder::new(&name("example.test."));
    let soa = rdata("SOA", "ns.test. h.test. 1 2 3 4 5");
    builder.add(&name("example.test."), 1, &soa);
    builder.add(&name("example.test."), 1, &rdata("NS", "ns.test."));
    for number in 0..3000_u32 {
        let address = std::net::Ipv4Addr::from_bits(number);
        builder.add(&name("x.example.test."), 1, &rdata("A", &address.to_string()));
    }
    assert!(builder.build().is_ok());
    let mut builder = ZoneBuilder::new(&name("example.test."));
    for number in 0..5000_u32 {
        let address = std::net::Ipv4Addr::from_bits(number);
        builder.add(&name("x.example.test."), 1, &rdata("A", &address.to_string()));
    }
    let faults = builder.build().unwrap_err().problems;
    assert!(faults.iter().any(|problem| matches!(problem.fault, Fault::TooLarge(_))));
}

#[test]
fn all_problems_are_told_at_once() {
    assert_eq!(faults("a CNAME x.test.\na TXT y\nb DS 1 5 1 00\n@ NS no.example.test.").len(), 3);
}

#[test]
fn a_zone_file_begins_with_the_soa_and_goes_down_the_tree() {
    let text = ZoneFile(&example()).to_string();
    let lines: Vec<_> = text.lines().collect();
    assert_eq!(
        lines[0],
        "example.test.\t300\tIN\tSOA\tns1.example.test. hostmaster.example.test. 2026112501 3600 600 86400 60"
    );
    for line in [
        "example.test.\t300\tIN\tCAA\t0 issue \"ca.test\"",
        "deep.ent.example.test.\t300\tIN\tTXT\t\"below an empty non-terminal\"",
        "*.apps.example.test.\t300\tIN\tA\t192.0.2.90",
        "sub.example.test.\t300\tIN\tTYPE43\t\\# 24 ec4505012bb183af5f22588179a53b0a98631fad1a292118",
        "_sip._tcp.example.test.\t300\tIN\tSRV\t1 2 5060 mail.example.test.",
        "ns1.example.test.\t300\tIN\tAAAA\t2001:db8::1",
    ] {
        assert!(lines.contains(&line), "{line}: {text}");
    }
    let owners: Vec<_> = lines.iter().map(|line| line.split('\t').next().unwrap()).collect();
    let place = |owner: &str| owners.iter().position(|other| *other == owner).unwrap();
    assert!(
        place("apps.example.test.".trim_start_matches("apps.")) < place("*.apps.example.test.")
    );
    assert!(place("*.apps.example.test.") < place("below.part.apps.example.test."));
}

#[test]
fn a_hundred_thousand_records_take_less_than_a_hundred_megabytes() {
    let origin = name("example.test.");
    let mut builder = ZoneBuilder::new(&origin);
    builder.add(&origin, 300, &rdata("SOA", "ns.test. h.test. 1 2 3 4 5"));
    builder.add(&origin, 300, &rdata("NS", "ns.test."));
    for number in 0..100_000_u32 {
        let owner = Name::from_labels([format!("host{number}").as_bytes(), b"example", b"test"]);
        let address = std::net::Ipv4Addr::from_bits(number);
        builder.add(&owner.unwrap(), 300, &RData::A(address.into()));
    }
    let zone = builder.build().unwrap();
    assert_eq!(zone.records(), 100_002);
    assert!(zone.size() < 12_000_000, "{} bytes", zone.size());
    let last = LowerName::from(&name("host99999.example.test."));
    assert!(matches!(zone.lookup(&last, 1), headgate_dns::Lookup::Answer(_)));
}
