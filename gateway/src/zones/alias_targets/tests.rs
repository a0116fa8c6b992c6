use std::{net::SocketAddr, str::FromStr as _};

use headgate_dns::{
    Challenges, Cookies, Metrics, Name, QueryLog, RData, RateLimiter, RateLimits, RecordType,
    Responder, Secret, Server, Zone, ZoneBuilder, Zones, bind,
};
use headgate_outbound::Transport;
use headgate_types::SystemClock;
use prometheus_client::registry::Registry;

use super::*;

fn names<const N: usize>(names: [&str; N]) -> Wanted {
    names.map(|name| name.parse().unwrap()).into()
}

fn addresses<const N: usize>(addresses: [&str; N]) -> Vec<IpAddr> {
    addresses.map(|address| address.parse().unwrap()).into()
}

fn found<const N: usize>(addresses: [&str; N]) -> Found {
    let name = "pages.example.test".parse().unwrap();
    [(name, addresses.map(|address| address.parse().unwrap()).into())].into()
}

const MINUTE: Duration = Duration::from_secs(60);

fn asked() -> (Table, DomainName, Instant) {
    let (mut table, now) = (Table::new(Pace::default()), Instant::now());
    table.want(&names(["pages.example.test"]), now);
    let name = table.due(now).remove(0);
    table.learn(&name, Ok((addresses(["192.0.2.1"]), 5 * MINUTE)), now);
    (table, name, now)
}

#[tokio::test]
async fn an_answer_is_believed_for_its_ttl_within_bounds() {
    let (mut table, name, now) = asked();
    assert_eq!(table.found(), found(["192.0.2.1"]));
    assert!(table.due(now + 4 * MINUTE).is_empty());
    assert_eq!(table.due(now + 5 * MINUTE), std::slice::from_ref(&name));
    for (ttl, waits) in [(Duration::ZERO, MINUTE / 2), (9000 * MINUTE, 60 * MINUTE)] {
        table.learn(&name, Ok((addresses(["192.0.2.1"]), ttl)), now);
        assert_eq!(table.next(), Some(now + waits));
    }
}

#[tokio::test]
async fn addresses_outlive_name_servers_that_are_down_and_not_a_word_of_their_owner() {
    let (mut table, name, now) = asked();
    table.learn(&name, Err(LookupError::Timeout), now + 5 * MINUTE);
    assert_eq!(table.found(), found(["192.0.2.1"]));
    assert_eq!(table.next(), Some(now + 5 * MINUTE + MINUTE / 2));
    table.learn(&name, Err(LookupError::Timeout), now + 24 * 60 * MINUTE);
    assert_eq!(table.found(), Found::new());

    let (mut table, name, now) = asked();
    table.learn(&name, Err(LookupError::NotFound), now + 5 * MINUTE);
    assert_eq!(table.found(), Found::new());
}

#[tokio::test]
async fn what_is_no_longer_wanted_is_forgotten() {
    let (mut table, name, now) = asked();
    table.want(&Wanted::new(), now);
    table.learn(&name, Ok((addresses(["192.0.2.1"]), MINUTE)), now);
    assert_eq!((table.found(), table.next()), (Found::new(), None));
}

fn zone(serial: u32, address: &str) -> Arc<Zone> {
    let soa = format!("ns.example.test. dns.example.test. {serial} 3600 600 86400 60");
    let mut zone = ZoneBuilder::new(&Name::from_str("example.test.").unwrap());
    for (owner, kind, data) in [
        ("example.test.", RecordType::SOA, &*soa),
        ("example.test.", RecordType::NS, "ns.example.test."),
        ("ns.example.test.", RecordType::A, "127.0.0.1"),
        ("pages.example.test.", RecordType::A, address),
        ("pages.example.test.", RecordType::AAAA, "2001:db8::1"),
    ] {
        let data = RData::try_from_str(kind, data).unwrap();
        zone.add(&Name::from_str(owner).unwrap(), 0, &data);
    }
    Arc::new(zone.build().unwrap())
}

/// A name server on loopback, whose zones can be changed.
fn server(shutdown: &CancellationToken) -> (SocketAddr, Arc<Responder>) {
    let metrics = Metrics::register(&mut Registry::default());
    let responder = Arc::new(Responder {
        zones: Zones::new(Arc::clone(&metrics)),
        challenges: Challenges::default(),
        cookies: Cookies::new(Secret::random()),
        rate_limiter: RateLimiter::new(RateLimits::default()),
        metrics,
        query_log: QueryLog::off(),
    });
    let sockets = bind("127.0.0.1:0".parse().unwrap(), 1).unwrap();
    let address = sockets.address();
    let server = Server {
        responder: Arc::clone(&responder),
        clock: Arc::new(SystemClock),
        udp: sockets.udp,
        tcp: sockets.tcp,
        tls: None,
    };
    tokio::spawn(server.run(shutdown.clone()));
    (address, responder)
}

#[tokio::test]
async fn a_change_at_the_targets_own_server_is_found() {
    let shutdown = CancellationToken::new();
    let (address, responder) = server(&shutdown);
    responder.zones.publish([zone(1, "192.0.2.1")]);
    let (wanted, receiver) = watch::channel(names(["pages.example.test", "nothing.example.test"]));
    let (sender, mut published) = watch::channel(Arc::default());
    let soon = Duration::from_millis(20);
    let targets = AliasTargets {
        wanted: receiver,
        found: sender,
        resolver: Arc::new(Resolver::asking(address, Transport::Udp)),
        pace: Pace { fresh: (soon, soon), retry: soon, stale: MINUTE },
    };
    let task = tokio::spawn(targets.run(shutdown.clone()));
    let mut until = async |expected: Found| {
        let is_so = published.wait_for(|found| **found == expected);
        drop(tokio::time::timeout(MINUTE, is_so).await.unwrap().unwrap());
    };
    until(found(["192.0.2.1", "2001:db8::1"])).await;
    responder.zones.publish([zone(2, "192.0.2.2")]);
    until(found(["192.0.2.2", "2001:db8::1"])).await;
    wanted.send_replace(Wanted::new());
    until(Found::new()).await;
    shutdown.cancel();
    task.await.unwrap();
}
