//! Thirteen bytes: from a website and from the smallest function, beside bare servers.

use crate::{
    bench::{Bench, Contender, On},
    gateway::{Gateway, Options, QUIET, state_folder},
    guest::C,
    load::{H1, H2, Target, Wire},
    peer::{BODY, HYPER, NGINX, PINGORA, Peer},
    project::Project,
    report::{Aim, Line},
};

const AIM_H1: Aim = Aim::times_peer(1.25);
const AIM_H2: Aim = Aim::times_peer(1.15);

const WEBSITE: &str = "headgate website";
const FUNCTION: &str = "headgate function";

pub fn h1(bench: &Bench) -> anyhow::Result<Vec<Line>> {
    compare(bench, "h1", H1, AIM_H1)
}

pub fn h2(bench: &Bench) -> anyhow::Result<Vec<Line>> {
    compare(bench, "h2 TLS", H2, AIM_H2)
}

fn compare(bench: &Bench, wire_name: &str, wire: Wire, aim: Aim) -> anyhow::Result<Vec<Line>> {
    let project = project(bench)?;
    let gateway = Gateway::run(bench, &project, &state_folder(bench)?, QUIET)?;
    let pingora = Peer::pingora(bench)?;
    let hyper = Peer::hyper(bench)?;
    let nginx = Peer::nginx(bench, bench.scratch())?;
    let ours = |path: &str| match wire {
        Wire::H1 { .. } => gateway.target(path),
        Wire::H2 { .. } => gateway.tls_target(path),
    };
    let theirs = |peer: &Peer| match wire {
        Wire::H1 { .. } => peer.target("/"),
        Wire::H2 { .. } => peer.tls_target("/"),
    };
    let mut servers = vec![
        (WEBSITE, gateway.pid(), ours("/hello.txt")),
        (PINGORA, pingora.pid(), theirs(&pingora)),
        (FUNCTION, gateway.pid(), ours("/hello")),
        (HYPER, hyper.pid(), theirs(&hyper)),
    ];
    servers.extend(nginx.iter().map(|nginx| (NGINX, nginx.pid(), theirs(nginx))));
    let mut contenders: Vec<_> =
        servers.iter().map(|(name, pid, target)| asked(bench, name, *pid, target, wire)).collect();
    bench.interleave(&mut contenders)?;

    let samples = |name: &str| contenders.iter().find(|c| c.name == name).map(|c| &c.samples);
    let median = |name| samples(name).map(|samples| samples.median());
    let mut lines = Vec::new();
    for (name, subject) in [("website file", WEBSITE), ("function hello, C", FUNCTION)] {
        let samples = samples(subject).expect("the gateway is a contender");
        let line = || Line::new(format!("reply {wire_name}: {name}"), "µs CPU", samples);
        let beside_pingora = line().against(PINGORA, median(PINGORA));
        // The function has an aim of its own, in the row about functions.
        lines.push(if subject == WEBSITE { beside_pingora.aim(aim) } else { beside_pingora });
        lines.push(line().against(HYPER, median(HYPER)));
        lines.push(line().against(NGINX, median(NGINX)));
    }
    Ok(lines)
}

pub fn access_log(bench: &Bench) -> anyhow::Result<Vec<Line>> {
    let project = project(bench)?;
    let gateway = |access_log| {
        let options = Options { on: On::Server, access_log };
        Gateway::run(bench, &project, &state_folder(bench)?, options)
    };
    let (with, without) = (gateway(true)?, gateway(false)?);
    let targets = [with.target("/hello.txt"), without.target("/hello.txt")];
    let mut contenders = [
        asked(bench, "with access log", with.pid(), &targets[0], H1),
        asked(bench, "without access log", without.pid(), &targets[1], H1),
    ];
    bench.interleave(&mut contenders)?;
    let [with, without] = &contenders;
    Ok(vec![
        Line::new("reply h1: website file, access log on", "µs CPU", &with.samples)
            .against("access log off", Some(without.samples.median()))
            .note("JSON lines, written to /dev/null"),
    ])
}

/// A server that is asked for one thing; its figure is CPU time per request.
pub(super) fn asked<'a>(
    bench: &'a Bench,
    name: &str,
    pid: u32,
    target: &'a Target,
    wire: Wire,
) -> Contender<'a> {
    Contender::new(name, move |seconds| target.cpu_per_request(bench, pid, wire, seconds))
}

fn project(bench: &Bench) -> anyhow::Result<Project> {
    let project = Project::new(bench.folder("project-")?)?;
    project.website()?;
    project.site_file("index.html", "<!doctype html><title>Bench</title>")?;
    project.site_file("hello.txt", BODY)?;
    project.function("hello", &C, &C.wasm()?)?;
    Ok(project)
}
