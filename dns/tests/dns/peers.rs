//! Beside Knot DNS and NSD with the same zone files: thousands of generated questions, and every
//! difference is one that is named here.

use std::{
    fmt::Write as _,
    fs,
    net::{SocketAddr, TcpListener, UdpSocket},
    path::Path,
    process::{Child, Command, Stdio},
    time::{Duration, Instant},
};

use headgate_dns::{Name, RData, RecordType, Zone, ZoneBuilder, zone_file::ZoneFile};
use rand::{Rng as _, SeedableRng as _, rngs::StdRng, seq::IndexedRandom as _};

use crate::{
    lab::{Lab, Shape, name, parse, query, rdata, shape},
    node::{PATIENCE, udp},
};

/// Enough that each rule of a lookup is met some hundred times.
const ZONES: u64 = 80;
const QUESTIONS: usize = 100;

/// Few and short, so that names meet: existing ones, wildcards, delegations and what is between.
const LABELS: [&str; 6] = ["a", "b", "c", "d", "*", "ns"];

#[test]
fn knot_gives_the_same_answers() {
    compare("knotd", knot_config, &["-c"], knot_differs_by_choice);
}

#[test]
fn nsd_gives_the_same_answers() {
    compare("nsd", nsd_config, &["-d", "-c"], nsd_differs_by_choice);
}

/// What other servers answer otherwise on purpose.
type Tolerated = fn(ours: &mut Shape, theirs: &mut Shape);

/// Knot adds addresses of MX and SRV targets that a wildcard stands for, too; they are a kindness that
/// no client may rely on.
fn knot_differs_by_choice(ours: &mut Shape, theirs: &mut Shape) {
    only_needed_additional(ours, theirs);
}

/// NSD repeats the zone's NS records with each positive answer.
fn nsd_differs_by_choice(ours: &mut Shape, theirs: &mut Shape) {
    if !theirs.answer.is_empty() && ours.authority.is_empty() {
        theirs.authority.clear();
        theirs.additional.clear();
    }
    only_needed_additional(ours, theirs);
}

/// Addresses matter in a referral; elsewhere each server is as kind as it likes.
fn only_needed_additional(ours: &mut Shape, theirs: &mut Shape) {
    let refers = ours.authority.iter().any(|line| line.contains(" NS "));
    if !refers {
        ours.additional.clear();
        theirs.additional.clear();
    }
}

fn compare(
    program: &str,
    config: fn(&Path, u16, &[Zone]) -> String,
    arguments: &[&str],
    tolerated: Tolerated,
) {
    let zones: Vec<_> = (0..ZONES).map(generate).collect();
    let Some(peer) = Peer::start(program, &zones, config, arguments) else { return };
    let lab = Lab::serving((0..ZONES).map(generate));
    let socket = udp(peer.address);
    let mut random = StdRng::seed_from_u64(0xD15);
    let mut differing = String::new();
    let mut compared = 0;
    for zone in &zones {
        for _ in 0..QUESTIONS {
            let asked = random_name(&mut random, &zone.origin().to_string());
            let kind = *KINDS.choose(&mut random).unwrap();
            let packet = query(&asked, kind).with_edns(1232).bytes();
            let mut theirs = shape(&parse(&peer.ask(&socket, &packet)));
            let mut ours = shape(&parse(&lab.send(&packet).unwrap()));
            // An alias of itself they tell twice.
            theirs.answer.dedup();
            tolerated(&mut ours, &mut theirs);
            compared += 1;
            if ours != theirs {
                let _ = writeln!(differing, "== {asked} {kind}\nours: {ours}\n{program}: {theirs}");
                let _ = writeln!(differing, "{}", ZoneFile(zone));
            }
        }
    }
    assert!(differing.is_empty(), "{differing}");
    assert_eq!(compared, zones.len() * QUESTIONS);
}

const KINDS: [RecordType; 10] = [
    RecordType::A,
    RecordType::A,
    RecordType::AAAA,
    RecordType::TXT,
    RecordType::MX,
    RecordType::NS,
    RecordType::CNAME,
    RecordType::SOA,
    RecordType::DS,
    RecordType::SRV,
];

fn random_name(random: &mut StdRng, origin: &str) -> String {
    let depth = *[0, 1, 1, 1, 2, 2, 2, 3, 3, 4].choose(random).unwrap();
    (0..depth)
        .fold(origin.to_owned(), |name, _| format!("{}.{name}", LABELS.choose(random).unwrap()))
}

/// A zone from a seed: random records, less those at names that have something wrong.
fn generate(seed: u64) -> Zone {
    let mut random = StdRng::seed_from_u64(seed);
    let origin = format!("z{seed}.test.");
    let mut records = Vec::new();
    for _ in 0..random.random_range(3..40) {
        let owner = name(&random_name(&mut random, &origin));
        let target = random_name(&mut random, &origin).replace('*', "a");
        let (kind, data) = match random.random_range(0..12) {
            0..=2 => ("A", format!("192.0.2.{}", random.random_range(1..255))),
            3 => ("AAAA", format!("2001:db8::{:x}", random.random_range(1..255))),
            4 => ("TXT", format!("\"text {}\"", random.random_range(1..9))),
            5 => ("MX", format!("{} {target}", random.random_range(1..9))),
            6 | 7 => ("CNAME", target),
            8 => ("SRV", format!("1 2 {} {target}", random.random_range(1..9))),
            9 => ("CNAME", "www.elsewhere.test.".to_owned()),
            10 => ("NS", format!("ns.{owner}")),
            _ => ("NS", target),
        };
        if kind == "NS" {
            let host = name(data.trim_start_matches("ns.*."));
            if random.random_bool(0.7) && !host.is_wildcard() {
                records.push((host, rdata("A", "192.0.2.53")));
            }
        }
        records.push((owner, rdata(kind, &data)));
    }
    loop {
        match build(&origin, &records) {
            Ok(zone) => return zone,
            Err(wrong) => {
                records.retain(|(owner, _)| !wrong.contains(&owner.to_string().to_lowercase()))
            }
        }
    }
}

fn build(origin: &str, records: &[(Name, RData)]) -> Result<Zone, Vec<String>> {
    let origin = name(origin);
    let mut builder = ZoneBuilder::new(&origin);
    builder.add(
        &origin,
        300,
        &rdata("SOA", "ns.elsewhere.test. h.elsewhere.test. 1 3600 600 86400 60"),
    );
    builder.add(&origin, 300, &rdata("NS", "ns.elsewhere.test."));
    for (owner, data) in records {
        // The origin's own are fixed, so that there is always something left.
        let is_taken =
            *owner == origin && matches!(data.record_type(), RecordType::CNAME | RecordType::NS);
        if !is_taken {
            builder.add(owner, 300, data);
        }
    }
    let wrong = |invalid: headgate_dns::InvalidZone| {
        invalid.problems.iter().map(|problem| problem.owner.to_string()).collect()
    };
    builder.build().map_err(wrong)
}

/// Another name server on loopback, which ends with its test.
struct Peer {
    process: Child,
    address: SocketAddr,
    _directory: tempfile::TempDir,
}

impl Peer {
    /// `None`, loudly, where there is no such server.
    fn start(
        program: &str,
        zones: &[Zone],
        config: fn(&Path, u16, &[Zone]) -> String,
        arguments: &[&str],
    ) -> Option<Self> {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path();
        for zone in zones {
            fs::write(path.join(zone.origin().to_string()), ZoneFile(zone).to_string()).unwrap();
        }
        let address = free_address();
        let file = path.join("config");
        fs::write(&file, config(path, address.port(), zones)).unwrap();
        let log = fs::File::create(path.join("log")).unwrap();
        let program_path = ["/usr/sbin", "/usr/local/sbin", "/usr/bin"]
            .map(|folder| Path::new(folder).join(program))
            .into_iter()
            .find(|path| path.exists());
        let Some(program_path) = program_path else {
            eprintln!("SKIPPED: {program} is not here; tests/prepare installs it");
            return None;
        };
        let process = Command::new(program_path)
            .args(arguments)
            .arg(&file)
            .stdout(log.try_clone().unwrap())
            .stderr(log)
            .stdin(Stdio::null())
            .spawn()
            .unwrap();
        let mut peer = Self { process, address, _directory: directory };
        peer.wait_for(zones.last().unwrap());
        Some(peer)
    }

    /// Until the last zone is served.
    fn wait_for(&mut self, zone: &Zone) {
        let asked = query(&zone.origin().to_string(), RecordType::SOA).bytes();
        let start = Instant::now();
        let socket = udp(self.address);
        socket.set_read_timeout(Some(Duration::from_millis(100))).unwrap();
        let mut reply = [0; 512];
        loop {
            let _ = socket.send(&asked);
            if let Ok(length) = socket.recv(&mut reply)
                && parse(&reply[..length]).answers.len() == 1
            {
                return;
            }
            let log = || fs::read_to_string(self._directory.path().join("log")).unwrap();
            assert!(self.process.try_wait().unwrap().is_none(), "it ended: {}", log());
            assert!(start.elapsed() < PATIENCE, "it serves nothing: {}", log());
        }
    }

    fn ask(&self, socket: &UdpSocket, packet: &[u8]) -> Vec<u8> {
        crate::node::ask(socket, packet)
    }
}

impl Drop for Peer {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

/// A port that is free for UDP and TCP at this moment.
fn free_address() -> SocketAddr {
    loop {
        let tcp = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = tcp.local_addr().unwrap();
        if UdpSocket::bind(address).is_ok() {
            return address;
        }
    }
}

fn knot_config(directory: &Path, port: u16, zones: &[Zone]) -> String {
    let directory = directory.display();
    let mut text = format!(
        "server:\n    listen: 127.0.0.1@{port}\n    rundir: {directory}\n    udp-workers: 1\n    \
         tcp-workers: 1\n    background-workers: 1\ndatabase:\n    storage: {directory}\nlog:\n  - \
         target: stderr\n    any: warning\nzone:\n"
    );
    for zone in zones {
        let origin = zone.origin();
        let _ = writeln!(text, "  - domain: {origin}\n    file: {directory}/{origin}");
    }
    text
}

fn nsd_config(directory: &Path, port: u16, zones: &[Zone]) -> String {
    let directory = directory.display();
    let mut text = format!(
        "server:\n  ip-address: 127.0.0.1@{port}\n  zonesdir: \"{directory}\"\n  pidfile: \
         \"{directory}/pid\"\n  xfrdfile: \"\"\n  zonelistfile: \"{directory}/list\"\n  database: \
         \"\"\n  username: \"\"\n  server-count: 1\n  rrl-ratelimit: 0\nremote-control:\n  \
         control-enable: no\n"
    );
    for zone in zones {
        let origin = zone.origin();
        let _ = writeln!(text, "zone:\n  name: \"{origin}\"\n  zonefile: \"{directory}/{origin}\"");
    }
    text
}
