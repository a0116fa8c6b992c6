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
    let name = table.ask(now, 1).remove(0);
    table.learn(&name, Ok((addresses(["192.0.2.1"]), 5 * MINUTE)), now);
    (table, name, now)
}

#[tokio::test]
async fn an_answer_is_believed_for_its_ttl_within_bounds() {
    let (mut table, name, now) = asked();
    assert_eq!(table.found(), found(["192.0.2.1"]));
    assert!(table.ask(now + 4 * MINUTE, 1).is_empty());
    assert_eq!(table.ask(now + 5 * MINUTE, 1), std::slice::from_ref(&name));
    assert!(table.ask(now + 5 * MINUTE, 1).is_empty(), "a lookup is under way");
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

fn targets(
    server: SocketAddr,
    wanted: Wanted,
    private: bool,
) -> (AliasTargets, watch::Sender<Wanted>, watch::Receiver<Arc<Found>>) {
    let (wanted, receiver) = watch::channel(wanted);
    let (sender, published) = watch::channel(Arc::default());
    let soon = Duration::from_millis(20);
    let targets = AliasTargets {
        wanted: receiver,
        found: sender,
        resolver: Arc::new(Resolver::asking(server, Transport::Udp)),
        private,
        pace: Pace { fresh: (soon, soon), retry: soon, stale: MINUTE, apart: soon },
    };
    (targets, wanted, published)
}

async fn until(published: &mut watch::Receiver<Arc<Found>>, expected: Found) {
    let is_so = published.wait_for(|found| **found == expected);
    drop(tokio::time::timeout(MINUTE, is_so).await.unwrap().unwrap());
}

#[tokio::test]
async fn a_change_at_the_targets_own_server_is_found() {
    let shutdown = CancellationToken::new();
    let (address, responder) = server(&shutdown);
    responder.zones.publish([zone(1, "192.0.2.1")]);
    let names = names(["pages.example.test", "nothing.example.test"]);
    let (targets, wanted, mut published) = targets(address, names, true);
    let task = tokio::spawn(targets.run(shutdown.clone()));
    until(&mut published, found(["192.0.2.1", "2001:db8::1"])).await;
    responder.zones.publish([zone(2, "192.0.2.2")]);
    until(&mut published, found(["192.0.2.2", "2001:db8::1"])).await;
    wanted.send_replace(Wanted::new());
    until(&mut published, Found::new()).await;
    shutdown.cancel();
    task.await.unwrap();
}

#[tokio::test]
async fn addresses_of_a_private_network_are_not_told_to_the_world() {
    let shutdown = CancellationToken::new();
    let (address, responder) = server(&shutdown);
    responder.zones.publish([zone(1, "10.0.0.1")]);
    let (targets, _wanted, mut published) = targets(address, names(["pages.example.test"]), false);
    tokio::spawn(targets.run(shutdown.clone()));
    tokio::time::sleep(Duration::from_millis(100)).await;
    responder.zones.publish([zone(2, "198.41.0.4")]);
    published.changed().await.unwrap();
    assert_eq!(**published.borrow_and_update(), found(["198.41.0.4"]), "the first word about it");
    shutdown.cancel();
}

/// In front of a name server, and without an answer to whatever is called `slow`.
async fn slow_in_part(server: SocketAddr) -> SocketAddr {
    let front = tokio::net::UdpSocket::bind("127.0.0.1:0").await.unwrap();
    let address = front.local_addr().unwrap();
    tokio::spawn(async move {
        let mut packet = [0; 1500];
        loop {
            let (length, client) = front.recv_from(&mut packet).await.unwrap();
            if packet[..length].windows(4).any(|part| part.eq_ignore_ascii_case(b"slow")) {
                continue;
            }
            let behind = tokio::net::UdpSocket::bind("127.0.0.1:0").await.unwrap();
            behind.send_to(&packet[..length], server).await.unwrap();
            let length = behind.recv(&mut packet).await.unwrap();
            front.send_to(&packet[..length], client).await.unwrap();
        }
    });
    address
}

#[tokio::test]
async fn a_target_whose_servers_are_silent_keeps_no_other_from_being_found() {
    let shutdown = CancellationToken::new();
    let (address, responder) = server(&shutdown);
    responder.zones.publish([zone(1, "192.0.2.1")]);
    let mut wanted = names(["pages.example.test"]);
    wanted.extend((0..20).map(|n| format!("a{n}.slow.test").parse::<DomainName>().unwrap()));
    let (targets, _wanted, mut published) = targets(slow_in_part(address).await, wanted, true);
    tokio::spawn(targets.run(shutdown.clone()));
    let prompt = tokio::time::timeout(
        headgate_outbound::defaults::LOOKUP / 2,
        until(&mut published, found(["192.0.2.1", "2001:db8::1"])),
    );
    prompt.await.unwrap();
    shutdown.cancel();
}

#[tokio::test]
async fn an_owner_of_a_thousand_addresses_gets_a_few_into_the_zone() {
    let (mut table, name, now) = asked();
    let many = (0..1000).map(|n| IpAddr::from(std::net::Ipv4Addr::from_bits(n)));
    table.learn(&name, Ok((many.collect(), MINUTE)), now);
    assert_eq!(table.found().values().map(BTreeSet::len).collect::<Vec<_>>(), [MOST_ADDRESSES]);
}
