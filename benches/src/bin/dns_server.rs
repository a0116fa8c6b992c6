//! The name server alone, with a zone of so many addresses, on one thread.
//!
//! Arguments: address, file for the zone, number of addresses. It says what the zone costs, one JSON
//! line, and serves until stdin ends.

use std::{fs, io, net::Ipv4Addr, str::FromStr as _, sync::Arc, time::Instant};

use anyhow::Context as _;
use headgate_benches::{measure::micros, rows::dns::ZoneCost};
use headgate_dns::{
    Challenges, Cookies, Metrics, Name, QueryLog, RData, RateLimiter, RateLimits, RecordType,
    Responder, Secret, Server, Zone, ZoneBuilder, Zones, bind, zone_file::ZoneFile,
};
use headgate_types::clock::SystemClock;
use prometheus_client::registry::Registry;
use tokio_util::sync::CancellationToken;

fn main() -> anyhow::Result<()> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [address, file, addresses] = &arguments[..] else {
        anyhow::bail!("usage: dns_server ADDRESS ZONE-FILE NUMBER");
    };
    let start = Instant::now();
    let zone = Arc::new(zone(addresses.parse().context("a number of addresses")?)?);
    let build_ms = micros(start.elapsed()) / 1000.0;
    fs::write(file, ZoneFile(&zone).to_string())?;

    let metrics = Metrics::register(&mut Registry::default());
    let zones = Zones::new(Arc::clone(&metrics));
    let start = Instant::now();
    zones.publish([Arc::clone(&zone)]);
    let publish_us = micros(start.elapsed());
    let bytes_per_record = zone.size() as f64 / zone.records() as f64;
    let cost = ZoneCost { build_ms, publish_us, bytes_per_record };

    let responder = Responder {
        zones,
        challenges: Challenges::default(),
        cookies: Cookies::new(Secret::random()),
        rate_limiter: RateLimiter::new(RateLimits::default()),
        metrics,
        query_log: QueryLog::off(),
    };
    let sockets = bind(address.parse()?, 1)?;
    let (responder, clock) = (Arc::new(responder), Arc::new(SystemClock));
    let server = Server { responder, clock, udp: sockets.udp, tcp: sockets.tcp, tls: None };
    let shutdown = CancellationToken::new();
    let stop = shutdown.clone();
    std::thread::spawn(move || {
        let _ = io::copy(&mut io::stdin(), &mut io::sink());
        stop.cancel();
    });
    say(&cost)?;
    let runtime =
        tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build()?;
    Ok(runtime.block_on(server.run(shutdown))?)
}

fn say(cost: &ZoneCost) -> anyhow::Result<()> {
    use io::Write as _;
    Ok(writeln!(io::stdout(), "{}", serde_json::to_string(cost)?)?)
}

fn zone(addresses: u32) -> anyhow::Result<Zone> {
    let origin = Name::from_str("example.test.")?;
    let mut zone = ZoneBuilder::new(&origin);
    let soa = "ns1.example.test. dns.example.test. 1 3600 600 86400 60";
    zone.add(&origin, 300, &RData::try_from_str(RecordType::SOA, soa)?);
    zone.add(&origin, 300, &RData::try_from_str(RecordType::NS, "ns1.example.test.")?);
    let server = Name::from_str("ns1.example.test.")?;
    zone.add(&server, 300, &RData::A(Ipv4Addr::LOCALHOST.into()));
    for number in 0..addresses {
        let label = format!("h{number}");
        let owner = Name::from_labels([label.as_bytes(), b"example", b"test"])?;
        zone.add(&owner, 300, &RData::A(Ipv4Addr::from_bits(0x0A00_0000 + number).into()));
    }
    Ok(zone.build()?)
}
