//! Over real sockets, with real clients where there are any.

use std::{
    io::Read as _,
    net::{SocketAddr, UdpSocket},
};

use headgate_dns::{RecordType, bind, defaults};

use crate::{
    lab::{Lab, example, parse, query, zone},
    node::{Node, ask, eventually, framed, read_framed, receive, tcp, udp, write},
};

fn a(name: &str) -> Vec<u8> {
    query(name, RecordType::A).with_edns(1232).bytes()
}

fn answers(reply: &[u8]) -> usize {
    parse(reply).answers.len()
}

#[test]
fn both_transports_answer_on_both_families() {
    for address in ["127.0.0.1:0", "[::1]:0"] {
        let node = Node::on(address, Lab::new());
        assert_eq!(answers(&ask(&udp(node.address), &a("ns1.example.test."))), 1);
        let mut stream = tcp(node.address);
        write(&mut stream, &framed(&[a("ns1.example.test.")]));
        assert_eq!(answers(&read_framed(&mut stream)), 1);
    }
}

#[test]
fn an_answer_comes_from_the_address_that_was_asked() {
    let node = Node::on("0.0.0.0:0", Lab::new());
    // All of 127/8 is this machine; a socket that is connected takes datagrams of its peer only.
    let server = SocketAddr::from(([127, 0, 0, 77], node.address.port()));
    assert_eq!(answers(&ask(&udp(server), &a("ns1.example.test."))), 1);
}

#[test]
fn a_burst_of_queries_is_answered_without_loss() {
    let node = Node::start(Lab::new());
    let clients: Vec<_> = (0..8).map(|_| udp(node.address)).collect();
    for round in 0..20_u16 {
        for client in &clients {
            for number in 0..16 {
                let mut packet = a("x.apps.example.test.");
                packet[..2].copy_from_slice(&(round * 16 + number).to_be_bytes());
                client.send(&packet).unwrap();
            }
        }
        for client in &clients {
            let mut ids: Vec<_> = (0..16)
                .map(|_| u16::from_be_bytes(receive(client)[..2].try_into().unwrap()))
                .collect();
            ids.sort_unstable();
            assert_eq!(ids, (round * 16..round * 16 + 16).collect::<Vec<_>>());
        }
    }
    assert!(node.lab.metrics().contains("headgate_dns_unsent_total 0"));
}

#[test]
fn whatever_arrives_the_next_query_is_answered() {
    let node = Node::start(Lab::new());
    let client = udp(node.address);
    let whole = a("ns1.example.test.");
    let response = [&whole[..2], &[0x80], &whole[3..]].concat();
    for nonsense in [&b""[..], b"x", &[0xFF; 11], &[0xFF; 9000], &response] {
        client.send(nonsense).unwrap();
    }
    assert_eq!(answers(&ask(&client, &whole)), 1);
    eventually("counted", || node.lab.metrics().contains("headgate_dns_malformed_total 5"));
    // A client that has gone leaves an ICMP error on the socket.
    for _ in 0..100 {
        let gone = UdpSocket::bind("127.0.0.1:0").unwrap();
        gone.send_to(&whole, node.address).unwrap();
    }
    assert_eq!(answers(&ask(&client, &whole)), 1);
}

#[test]
fn queries_in_a_row_on_one_connection_are_answered_in_order() {
    let node = Node::start(Lab::new());
    let mut stream = tcp(node.address);
    let numbered = |number: u16| {
        let mut packet = a("x.apps.example.test.");
        packet[..2].copy_from_slice(&number.to_be_bytes());
        packet
    };
    let bytes = framed(&(0..300).map(numbered).collect::<Vec<_>>());
    // In pieces that end anywhere.
    for piece in bytes.chunks(997) {
        write(&mut stream, piece);
    }
    for number in 0..300_u16 {
        let reply = read_framed(&mut stream);
        assert_eq!((&reply[..2], answers(&reply)), (&number.to_be_bytes()[..], 1));
    }
}

#[test]
fn what_is_cut_over_udp_is_whole_over_tcp() {
    let mut text = String::from("@ SOA ns.test. h.test. 1 2 3 4 5\n@ NS ns.test.\n");
    (0..500).for_each(|n| text.push_str(&format!("big TXT \"{n:0100}\"\n")));
    let node = Node::start(Lab::serving([zone("example.test.", &text).unwrap()]));
    let asked = query("big.example.test.", RecordType::TXT).with_edns(4096).bytes();
    let cut = parse(&ask(&udp(node.address), &asked));
    assert!(cut.metadata.truncation && cut.answers.is_empty());
    let mut stream = tcp(node.address);
    write(&mut stream, &framed(&[asked]));
    assert_eq!(answers(&read_framed(&mut stream)), 500);
    for program in ["dig", "kdig"] {
        let Some(text) = node.dig(program, &["big.example.test.", "TXT", "+short"]) else {
            continue;
        };
        assert_eq!(text.lines().filter(|line| line.starts_with('"')).count(), 500, "{program}");
    }
}

#[test]
fn a_connection_that_sends_what_is_no_query_is_closed() {
    let node = Node::start(Lab::new());
    let mut stream = tcp(node.address);
    write(&mut stream, &framed(&[a("ns1.example.test."), b"nonsense".to_vec()]));
    assert_eq!(answers(&read_framed(&mut stream)), 1, "what came before is answered");
    assert_eq!(stream.read(&mut [0; 16]).unwrap(), 0);
}

#[test]
fn one_address_holds_so_many_connections() {
    let node = Node::start(Lab::new());
    let mut held: Vec<_> =
        (0..defaults::TCP_CONNECTIONS_PER_CLIENT).map(|_| tcp(node.address)).collect();
    for stream in &mut held {
        write(stream, &framed(&[a("ns1.example.test.")]));
        assert_eq!(answers(&read_framed(stream)), 1);
    }
    let mut refused = tcp(node.address);
    // Closed without an answer: the end of the stream, or a reset if it had something to read.
    assert!(matches!(refused.read(&mut [0; 16]), Ok(0) | Err(_)));
    assert!(node.lab.metrics().contains("headgate_dns_connections_rejected_total 1"));
    drop(held);
    eventually("room again", || node.lab.metrics().contains("headgate_dns_connections_open 0"));
    let mut stream = tcp(node.address);
    write(&mut stream, &framed(&[a("ns1.example.test.")]));
    assert_eq!(answers(&read_framed(&mut stream)), 1);
}

#[test]
fn a_stop_answers_what_has_arrived_and_ends() {
    let mut node = Node::start(Lab::new());
    let mut idle = tcp(node.address);
    write(&mut idle, &framed(&[a("ns1.example.test.")]));
    assert_eq!(answers(&read_framed(&mut idle)), 1);
    node.stop();
    assert_eq!(idle.read(&mut [0; 16]).unwrap(), 0);
    let address = node.address;
    bind(address, 1).expect("the port is free again");
}

#[test]
fn an_address_that_is_taken_is_an_error() {
    let node = Node::start(Lab::new());
    let error = bind(node.address, 4).unwrap_err();
    assert!(
        error.to_string().starts_with("cannot listen for DNS over UDP on 127.0.0.1:"),
        "{error}"
    );
    assert_eq!(error.error.kind(), std::io::ErrorKind::AddrInUse);
}

#[test]
fn dig_and_kdig_understand_us() {
    let node = Node::start(Lab::new());
    for program in ["dig", "kdig"] {
        let ask = |arguments: &[&str]| node.dig(program, arguments);
        let Some(text) = ask(&["www.example.test.", "A"]) else { continue };
        for part in ["status: NOERROR", "example.test.", "192.0.2.80", "qr aa rd"] {
            assert!(text.contains(part), "{program}: {text}");
        }
        let short = ask(&["example.test.", "CAA", "+short"]).unwrap();
        assert_eq!(short.trim(), "0 issue \"ca.test\"");
        let missing = ask(&["no.example.test.", "A"]).unwrap();
        assert!(missing.contains("NXDOMAIN") && missing.contains("SOA"), "{program}: {missing}");
        let tcp = ask(&["example.test.", "MX", "+tcp"]).unwrap();
        assert!(tcp.contains("mail.example.test."), "{program}: {tcp}");
        let no_edns = ask(&["ns1.example.test.", "A", "+noedns"]).unwrap();
        assert!(no_edns.contains("192.0.2.1"), "{program}: {no_edns}");
        if program == "dig" {
            let version = ask(&["ns1.example.test.", "A", "+edns=1", "+noednsnegotiation"]);
            assert!(version.unwrap().contains("BADVERS"));
        }
    }
}

#[test]
fn cookies_work_with_dig_and_kdig() {
    let node = Node::start(Lab::new());
    if let Some(text) = node.dig("dig", &["ns1.example.test.", "A", "+cookie"]) {
        assert!(text.contains("(good)") && text.contains("192.0.2.1"), "{text}");
    }
    if let Some(text) = node.dig("kdig", &["ns1.example.test.", "A", "+cookie"]) {
        assert!(text.contains("COOKIE") && text.contains("192.0.2.1"), "{text}");
    }
}

#[test]
fn tls_carries_the_same_answers() {
    let node = Node::start(Lab::new());
    let port = node.tls.port().to_string();
    let arguments = ["-p", &port, "+tls", "www.example.test.", "A"];
    if let Some(text) = node.dig("kdig", &arguments) {
        assert!(text.contains("192.0.2.80") && text.contains("TLS session"), "{text}");
        assert!(node.lab.metrics().contains(r#"transport_queries_total{transport="tls"} 1"#));
    }
}

#[test]
fn sockets_that_were_handed_over_serve_on() {
    let sockets = bind("127.0.0.1:0".parse().unwrap(), 2).unwrap();
    let address = sockets.address();
    let client = udp(address);
    // It waits in a queue that the next process inherits.
    client.send(&a("ns1.example.test.")).unwrap();
    let lab = Lab::serving([example()]);
    let server = headgate_dns::Server {
        responder: std::sync::Arc::clone(&lab.responder),
        clock: std::sync::Arc::new(headgate_types::clock::SystemClock),
        udp: sockets.udp.iter().map(|socket| socket.try_clone().unwrap()).collect(),
        tcp: sockets.tcp.iter().map(|socket| socket.try_clone().unwrap()).collect(),
        tls: None,
    };
    let shutdown = tokio_util::sync::CancellationToken::new();
    let token = shutdown.clone();
    let thread = std::thread::spawn(move || {
        tokio::runtime::Runtime::new().unwrap().block_on(server.run(token)).unwrap();
    });
    assert_eq!(answers(&receive(&client)), 1);
    shutdown.cancel();
    thread.join().unwrap();
}
