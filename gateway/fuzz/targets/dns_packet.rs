//! Any packet to the name server gets nothing or a message that another library reads, within its
//! limits; what is no query gets a header at most.
#![no_main]

use std::{net::Ipv4Addr, str::FromStr, sync::LazyLock};

use headgate_dns::{
    Challenges, Client, Cookies, Metrics, Name, QueryLog, RData, RateLimiter, RateLimits,
    RecordType, Responder, Secret, Transport, ZoneBuilder, Zones,
};
use headgate_types::clock::Timestamp;
use hickory_proto::op::DnsResponse;
use libfuzzer_sys::fuzz_target;
use prometheus_client::registry::Registry;

static RESPONDER: LazyLock<Responder> = LazyLock::new(|| {
    // An origin of one label, so that questions within the zone are found soon.
    let origin = Name::from_str("t.").expect("valid");
    let mut zone = ZoneBuilder::new(&origin);
    for (owner, kind, data) in [
        ("t.", RecordType::SOA, "ns.t. h.t. 1 2 3 4 5"),
        ("t.", RecordType::NS, "ns.t."),
        ("t.", RecordType::MX, "1 a.t."),
        ("ns.t.", RecordType::A, "192.0.2.1"),
        ("a.t.", RecordType::CNAME, "b.t."),
        ("b.t.", RecordType::CNAME, "x.w.t."),
        ("*.w.t.", RecordType::AAAA, "2001:db8::1"),
        ("l.t.", RecordType::CNAME, "l.t."),
        ("c.t.", RecordType::NS, "n.c.t."),
        ("n.c.t.", RecordType::A, "192.0.2.2"),
    ] {
        let owner = Name::from_str(owner).expect("valid");
        zone.add(&owner, 300, &RData::try_from_str(kind, data).expect("valid"));
    }
    let metrics = Metrics::register(&mut Registry::default());
    let zones = Zones::new(metrics.clone());
    zones.publish([zone.build().expect("valid").into()]);
    Responder {
        zones,
        challenges: Challenges::default(),
        cookies: Cookies::new(Secret::new([7; 16])),
        rate_limiter: RateLimiter::new(RateLimits::default()),
        metrics,
        query_log: QueryLog::off(),
    }
});

fuzz_target!(|packet: &[u8]| {
    let now = Timestamp::from_millis(1_800_000_000_000);
    let address = Ipv4Addr::LOCALHOST.into();
    let mut out = Vec::new();
    for (transport, limit) in [(Transport::Udp, 1232), (Transport::Tcp, 65_535)] {
        let client = Client { address, transport };
        if RESPONDER.respond(packet, client, now, &mut out).is_none() {
            continue;
        }
        assert!(out.len() <= limit && out[..2] == packet[..2] && out[2] & 0x80 != 0);
        assert!(packet[2] & 0x80 == 0, "a response was answered");
        if out.len() > 12 {
            DnsResponse::from_buffer(out.clone()).expect("a message");
        }
    }
});
