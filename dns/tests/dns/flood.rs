//! A flood with forged addresses over real sockets, and who is answered meanwhile.
//!
//! All of 127/8 is this machine, so that whoever binds an address of it sends in its name.

use std::{
    io::ErrorKind,
    net::{Ipv4Addr, SocketAddr, TcpStream, UdpSocket},
    sync::atomic::{AtomicBool, Ordering::Relaxed},
    thread,
    time::{Duration, Instant},
};

use headgate_dns::{RateLimits, RecordType};
use socket2::{Domain, Socket, Type};

use crate::{
    lab::{Lab, cookie_of, parse, query, zone},
    node::{Node, PATIENCE, framed, read_framed, write},
};

const FLOOD: Duration = Duration::from_secs(3);

/// An honest resolver asks again when a packet was lost.
const TRIES: usize = 5;
const TRY: Duration = Duration::from_millis(500);

/// Addresses of the network that the flood is to hit, and one of another.
const VICTIMS: u8 = 64;
const WITH_COOKIE: Ipv4Addr = Ipv4Addr::new(127, 66, 0, 250);
const BY_TCP: Ipv4Addr = Ipv4Addr::new(127, 66, 0, 251);
const ELSEWHERE: Ipv4Addr = Ipv4Addr::new(127, 99, 0, 1);

fn node() -> Node {
    let mut text = String::from("@ SOA ns.test. h.test. 1 2 3 4 5\n@ NS ns.test.\n");
    (0..10).for_each(|record| text.push_str(&format!("big TXT \"{record:099}\"\n")));
    let limits = RateLimits { limit_loopback: true, ..RateLimits::default() };
    Node::on("127.0.0.1:0", Lab::limited([zone("example.test.", &text).unwrap()], limits))
}

fn big() -> Vec<u8> {
    query("big.example.test.", RecordType::TXT).with_edns(4096).bytes()
}

#[test]
fn a_forged_flood_at_full_rate_reflects_less_than_it_sends_and_starves_nobody() {
    let node = node();
    let over = AtomicBool::new(false);
    let (reflected, honest) = thread::scope(|scope| {
        let clients = [
            scope.spawn(|| until(&over, Duration::from_millis(20), with_cookie(node.address))),
            scope.spawn(|| until(&over, Duration::from_millis(50), by_tcp(node.address))),
            scope.spawn(|| until(&over, Duration::from_millis(250), from_elsewhere(node.address))),
        ];
        let reflected = flood(node.address);
        over.store(true, Relaxed);
        (reflected, clients.map(|client| client.join().unwrap()))
    });
    for (what, asked) in ["with a cookie", "by TCP", "from elsewhere"].iter().zip(honest) {
        assert!(asked >= 5, "{what}: {asked} questions in {FLOOD:?}");
    }
    let metrics = node.lab.metrics();
    let count = |line: &str| {
        let value = metrics.lines().find_map(|known| known.strip_prefix(line));
        value.unwrap_or_else(|| panic!("{line}: {metrics}")).trim().parse::<usize>().unwrap()
    };
    // Tries of honest clients are among them, and a handful.
    let packets = count(r#"headgate_dns_transport_queries_total{transport="udp"}"#);
    let received = packets.saturating_sub(TRIES * honest.iter().sum::<usize>()) * big().len();
    // With fewer, what a network may have without any question is most of it.
    assert!(packets > 10_000, "a flood has more packets than {packets}");
    assert!(reflected <= received, "{received} bytes in, {reflected} bytes out");
}

/// Sends as fast as it can in the names of a network, and returns what that network is sent.
fn flood(server: SocketAddr) -> usize {
    let forged = |host: u8| client(Ipv4Addr::new(127, 66, 0, host), server, None);
    let sockets: Vec<_> = (1..=VICTIMS).map(forged).collect();
    let packet = big();
    let (start, mut reflected) = (Instant::now(), 0);
    while start.elapsed() < FLOOD {
        for socket in &sockets {
            let _ = socket.send(&packet);
            reflected += drained(socket);
        }
    }
    thread::scope(|scope| {
        let rest = sockets.iter().map(|socket| {
            scope.spawn(move || {
                let mut rest = 0;
                let until = Instant::now() + TRY;
                while Instant::now() < until {
                    rest += drained(socket);
                    thread::yield_now();
                }
                rest
            })
        });
        reflected
            + rest.collect::<Vec<_>>().into_iter().map(|one| one.join().unwrap()).sum::<usize>()
    })
}

fn drained(socket: &UdpSocket) -> usize {
    let mut buffer = [0; 2048];
    let mut bytes = 0;
    while let Ok(length) = socket.recv(&mut buffer) {
        bytes += length;
    }
    bytes
}

/// Does it again and again until the flood is over; returns how often.
fn until(over: &AtomicBool, pause: Duration, mut once: impl FnMut()) -> usize {
    let mut times = 0;
    while !over.load(Relaxed) {
        once();
        times += 1;
        thread::park_timeout(pause);
    }
    times
}

/// A client in the flooded network that keeps cookies, as resolvers do.
fn with_cookie(server: SocketAddr) -> impl FnMut() {
    let socket = client(WITH_COOKIE, server, Some(TRY));
    let mut cookie = b"8 bytes!".to_vec();
    move || {
        for _ in 0..TRIES {
            let asked = query("big.example.test.", RecordType::TXT).with_cookie(&cookie).bytes();
            let Some(reply) = asked_once(&socket, &asked) else { continue };
            if let Some(ours) = cookie_of(&reply) {
                cookie = ours;
            }
            if parse(&reply).answers.len() == 10 {
                return;
            }
        }
        panic!("no answer in {TRIES} tries");
    }
}

fn by_tcp(server: SocketAddr) -> impl FnMut() {
    let packet = big();
    move || {
        let socket = Socket::new(Domain::IPV4, Type::STREAM, None).unwrap();
        socket.bind(&SocketAddr::from((BY_TCP, 0)).into()).unwrap();
        socket.connect(&server.into()).unwrap();
        let mut stream = TcpStream::from(socket);
        stream.set_read_timeout(Some(PATIENCE)).unwrap();
        write(&mut stream, &framed(std::slice::from_ref(&packet)));
        assert_eq!(parse(&read_framed(&mut stream)).answers.len(), 10);
    }
}

/// A client without cookies that has a network of its own.
fn from_elsewhere(server: SocketAddr) -> impl FnMut() {
    let socket = client(ELSEWHERE, server, Some(TRY));
    move || {
        let asked = query("big.example.test.", RecordType::TXT).with_edns(1232).bytes();
        let mut replies = (0..TRIES).filter_map(|_| asked_once(&socket, &asked));
        assert!(replies.any(|reply| parse(&reply).answers.len() == 10));
    }
}

fn asked_once(socket: &UdpSocket, packet: &[u8]) -> Option<Vec<u8>> {
    socket.send(packet).unwrap();
    let mut reply = vec![0; 2048];
    match socket.recv(&mut reply) {
        Ok(length) => {
            reply.truncate(length);
            Some(reply)
        }
        Err(error) => {
            assert!(matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut), "{error}");
            None
        }
    }
}

/// A socket at an address of this machine; without a time it never waits.
fn client(address: Ipv4Addr, server: SocketAddr, wait: Option<Duration>) -> UdpSocket {
    let socket = UdpSocket::bind((address, 0)).unwrap();
    socket.connect(server).unwrap();
    match wait {
        Some(wait) => socket.set_read_timeout(Some(wait)).unwrap(),
        None => socket.set_nonblocking(true).unwrap(),
    }
    socket
}
