//! Answers of the name server, beside others that have the same zone file.

use std::{
    fmt::Write as _,
    fs,
    net::SocketAddr,
    path::{Path, PathBuf},
    process::Command,
    time::Duration,
};

use anyhow::{Context as _, ensure};
use serde::{Deserialize, Serialize};

use crate::{
    bench::{Bench, Contender, On, binary_exists},
    binary::sibling,
    child::{Child, free_address, stderr_file},
    measure::{cpu_time, micros},
    report::{Aim, Line},
};

const AIM: Aim = Aim::times_peer(1.5);
/// 100,000 records in 100 MB.
const MEMORY_AIM: Aim = Aim::at_most(1000.0);

const OURS: &str = "headgate";
const KNOT: &str = "Knot DNS";
const NSD: &str = "NSD";

/// What `dns_server` says of its zone.
#[derive(Debug, Serialize, Deserialize)]
pub struct ZoneCost {
    /// From records to a zone that was checked.
    pub build_ms: f64,
    /// From a zone to answers from it.
    pub publish_us: f64,
    pub bytes_per_record: f64,
}

/// A hundred thousand records are built, written and read by the others without optimisation.
const PATIENCE: Duration = Duration::from_secs(120);
/// Different questions; dnsperf begins anew after the last.
const QUESTIONS: u32 = 10_000;

pub fn run(bench: &Bench) -> anyhow::Result<Vec<Line>> {
    let mut lines = Vec::new();
    for addresses in [1, 1000, 100_000] {
        lines.extend(zone_of(bench, addresses)?);
    }
    Ok(lines)
}

fn zone_of(bench: &Bench, addresses: u32) -> anyhow::Result<Vec<Line>> {
    let folder = bench.folder("dns-")?;
    let file = folder.join("zone");
    let (ours, cost) = ours(bench, &folder, &file, addresses)?;
    let mut servers = vec![ours];
    servers.extend(peer(bench, KNOT, "knotd", &["-c"], knot_config, &folder)?);
    servers.extend(peer(bench, NSD, "nsd", &["-d", "-c"], nsd_config, &folder)?);
    let questions = write_questions(&folder, addresses)?;

    let mut lines = compare(bench, &servers, addresses, Over::Udp, &questions)?;
    if addresses == OVER_TCP {
        lines.extend(compare(bench, &servers, addresses, Over::Tcp, &questions)?);
    }
    if addresses == 100_000 {
        lines.extend([
            Line::single("DNS zone of 100,000 records, built and checked", "ms", cost.build_ms),
            Line::single("the same, swapped in", "µs", cost.publish_us),
            Line::single("DNS zone, memory of a record", "B", cost.bytes_per_record)
                .aim(MEMORY_AIM),
        ]);
    }
    Ok(lines)
}

/// How the questions are asked.
#[derive(Debug, Clone, Copy)]
enum Over {
    Udp,
    Tcp,
}

/// The size of the zone that is asked over TCP, too: what that costs does not depend on the zone.
const OVER_TCP: u32 = 1000;

/// Each of 8 clients asks less than the 10,000 questions that a connection of ours answers.
const ROUNDS_OVER_TCP: &str = "7";

fn compare(
    bench: &Bench,
    servers: &[NameServer],
    addresses: u32,
    over: Over,
    questions: &Path,
) -> anyhow::Result<Vec<Line>> {
    let mut contenders: Vec<_> = servers
        .iter()
        .map(|server| {
            let turn = |seconds| server.cpu_per_answer(bench, over, questions, seconds);
            Contender::new(server.name, turn)
        })
        .collect();
    bench.interleave(&mut contenders)?;

    let median = |name: &str| {
        contenders.iter().find(|other| other.name == name).map(|other| other.samples.median())
    };
    let line = || {
        let transport = match over {
            Over::Udp => "UDP",
            Over::Tcp => "TCP",
        };
        let name = format!("DNS answer over {transport}, {addresses} records");
        Line::new(name, "µs CPU", &contenders[0].samples)
    };
    Ok(vec![line().against(KNOT, median(KNOT)).aim(AIM), line().against(NSD, median(NSD))])
}

/// A name server under load.
struct NameServer {
    name: &'static str,
    child: Child,
    address: SocketAddr,
}

fn ours(
    bench: &Bench,
    folder: &Path,
    file: &Path,
    addresses: u32,
) -> anyhow::Result<(NameServer, ZoneCost)> {
    let address = free_address()?;
    let mut command = bench.command(On::Server, sibling("dns_server")?);
    command.arg(address.to_string()).arg(file).arg(addresses.to_string());
    let child = Child::spawn(OURS, &mut command, stderr_file(folder, "dns_server"))?;
    let said = child.line(PATIENCE)?;
    let cost = serde_json::from_str(&said).with_context(|| format!("reading {said}"))?;
    Ok((NameServer { name: OURS, child, address }, cost))
}

/// Another server with the zone in `folder`, if it is installed.
fn peer(
    bench: &Bench,
    name: &'static str,
    program: &str,
    arguments: &[&str],
    config: fn(&Path, SocketAddr) -> String,
    folder: &Path,
) -> anyhow::Result<Option<NameServer>> {
    if !binary_exists(program) {
        return Ok(None);
    }
    let address = free_address()?;
    let path = folder.join(format!("{program}.conf"));
    fs::write(&path, config(folder, address))?;
    let mut command = bench.command(On::Server, program);
    command.args(arguments).arg(&path).env("PATH", "/usr/sbin:/usr/bin:/bin");
    let child = Child::spawn(name, &mut command, stderr_file(folder, program))?;
    child.await_listening(address, PATIENCE)?;
    Ok(Some(NameServer { name, child, address }))
}

/// In no order, so that no cache of a processor helps one zone only.
fn write_questions(folder: &Path, addresses: u32) -> anyhow::Result<PathBuf> {
    let mut questions = String::new();
    for number in 0..QUESTIONS {
        // Odd, so each address of the largest zone is as likely as any other.
        let host = number.wrapping_mul(2_654_435_761) % addresses;
        writeln!(questions, "h{host}.example.test A")?;
    }
    let path = folder.join("questions");
    fs::write(&path, questions)?;
    Ok(path)
}

impl NameServer {
    fn cpu_per_answer(
        &self,
        bench: &Bench,
        over: Over,
        questions: &Path,
        seconds: u64,
    ) -> anyhow::Result<f64> {
        let before = cpu_time_with_children(self.child.pid())?;
        let mut dnsperf = bench.command(On::Client, "dnsperf");
        let (host, port) = (self.address.ip().to_string(), self.address.port().to_string());
        dnsperf.args(["-s", &host, "-p", &port]);
        match over {
            Over::Udp => dnsperf.args(["-l", &seconds.to_string()]),
            Over::Tcp => dnsperf.args(["-m", "tcp", "-n", ROUNDS_OVER_TCP]),
        };
        // As many clients and as much in flight as in a busy second, far from any queue's end.
        dnsperf.args(["-c", "8", "-q", "30", "-e", "-d"]).arg(questions);
        let answers = answers(&mut dnsperf)?;
        let used = cpu_time_with_children(self.child.pid())?.saturating_sub(before);
        Ok(micros(used) / answers)
    }
}

/// NSD answers in processes of its own.
fn cpu_time_with_children(pid: u32) -> anyhow::Result<Duration> {
    let children = fs::read_to_string(format!("/proc/{pid}/task/{pid}/children"))?;
    let children = children
        .split_ascii_whitespace()
        .map(|child| cpu_time_with_children(child.parse().context("a process is a number")?));
    children.sum::<anyhow::Result<Duration>>().and_then(|sum| Ok(sum + cpu_time(pid)?))
}

/// How many answers dnsperf got. A server that loses some is not the cheaper one for it.
fn answers(dnsperf: &mut Command) -> anyhow::Result<f64> {
    let output = dnsperf.output().context("running dnsperf")?;
    let text = String::from_utf8_lossy(&output.stdout);
    ensure!(output.status.success(), "dnsperf failed: {text}");
    let (completed, lost) = (figure(&text, "Queries completed:"), figure(&text, "Queries lost:"));
    let (completed, lost) = completed.zip(lost).with_context(|| format!("reading {text}"))?;
    ensure!(lost == 0.0, "{lost} of {completed} answers were lost");
    ensure!(text.contains("NOERROR") && !text.contains("NXDOMAIN"), "wrong answers: {text}");
    Ok(completed)
}

fn figure(text: &str, label: &str) -> Option<f64> {
    let line = text.lines().find_map(|line| line.trim().strip_prefix(label))?;
    line.split_ascii_whitespace().next()?.parse().ok()
}

fn knot_config(folder: &Path, address: SocketAddr) -> String {
    let folder = folder.display();
    format!(
        "server:\n    listen: {}@{}\n    rundir: {folder}\n    udp-workers: 1\n    tcp-workers: 1\n    \
         background-workers: 1\ndatabase:\n    storage: {folder}\nzone:\n  - domain: \
         example.test\n    file: {folder}/zone\n",
        address.ip(),
        address.port(),
    )
}

fn nsd_config(folder: &Path, address: SocketAddr) -> String {
    let folder = folder.display();
    format!(
        "server:\n  ip-address: {}@{}\n  zonesdir: \"{folder}\"\n  pidfile: \"{folder}/nsd.pid\"\n  \
         xfrdfile: \"\"\n  zonelistfile: \"{folder}/nsd.list\"\n  database: \"\"\n  username: \"\"\n  \
         server-count: 1\n  rrl-ratelimit: 0\nremote-control:\n  control-enable: no\nzone:\n  name: \
         \"example.test\"\n  zonefile: \"{folder}/zone\"\n",
        address.ip(),
        address.port(),
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn figures_are_read_from_what_dnsperf_prints() {
        let text = "  Queries sent:         90\n  Queries completed:    80 (88.89%)\n  Queries lost:         10 (11.11%)\n";
        assert_eq!(figure(text, "Queries completed:"), Some(80.0));
        assert_eq!(figure(text, "Queries lost:"), Some(10.0));
        assert_eq!(figure(text, "Latency:"), None);
    }
}
