//! Zones that are replaced under load.

use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering::Relaxed},
    },
    time::{Duration, Instant},
};

use headgate_dns::{RecordType, Zone};
use hickory_proto::rr::RData;

use crate::{
    lab::{Lab, parse, query, zone},
    node::{Node, ask, udp},
};

/// How long zones are replaced, and how often.
const STORM: Duration = Duration::from_secs(3);
const SWAP: Duration = Duration::from_millis(10);

/// Generations tell themselves in each of the records of one answer.
fn generation(number: u8) -> Zone {
    let mut text = format!(
        "@ SOA ns.example.test. h.example.test. {number} 2 3 4 5\n@ NS ns.example.test.\n\
         ns A 192.0.2.{number}\nalias CNAME host.example.test.\n"
    );
    for record in 0..8 {
        text.push_str(&format!("host A 10.0.{record}.{number}\n"));
    }
    zone("example.test.", &text).unwrap()
}

#[test]
fn a_storm_of_reloads_gives_no_wrong_torn_or_lost_answer() {
    let node = Node::start(Lab::serving([generation(0)]));
    let zones: Vec<_> = (0..=255).map(|number| Arc::new(generation(number))).collect();
    let over = AtomicBool::new(false);
    let (swaps, answers) = std::thread::scope(|scope| {
        let clients: Vec<_> = (0..4)
            .map(|_| {
                scope.spawn(|| {
                    let socket = udp(node.address);
                    let mut answered = 0_u32;
                    while !over.load(Relaxed) {
                        check(&ask(&socket, &packet(answered)));
                        answered += 1;
                    }
                    answered
                })
            })
            .collect();
        let start = Instant::now();
        let mut swaps = 0;
        while start.elapsed() < STORM {
            let next = Arc::clone(&zones[swaps % zones.len()]);
            node.lab.responder.zones.publish([next]);
            swaps += 1;
            // A steady beat is what this is about.
            std::thread::park_timeout(SWAP);
        }
        over.store(true, Relaxed);
        let answers = clients.into_iter().map(|client| client.join().unwrap()).sum::<u32>();
        (swaps, answers)
    });
    assert!(swaps >= 50 && answers >= 1000, "{swaps} swaps, {answers} answers");
}

fn packet(number: u32) -> Vec<u8> {
    let name = if number.is_multiple_of(2) { "alias.example.test." } else { "host.example.test." };
    query(name, RecordType::A).with_edns(1232).bytes()
}

/// All eight addresses, and all of one generation.
fn check(reply: &[u8]) {
    let message = parse(reply);
    let addresses: Vec<_> = message
        .answers
        .iter()
        .filter_map(|record| match record.data {
            RData::A(address) => Some(address.octets()),
            _ => None,
        })
        .collect();
    assert_eq!(addresses.len(), 8, "a torn answer: {message:?}");
    let of_one = addresses.windows(2).all(|pair| pair[0][3] == pair[1][3]);
    assert!(of_one, "an answer of two generations: {addresses:?}");
}
