//! A project does its worst, and the function of another one is asked meanwhile.

use std::fs;

use anyhow::Context as _;

use crate::{
    bench::Bench,
    binary::workspace,
    child::{Child, Stderr},
    gateway::{Gateway, QUIET, state_folder},
    guest::C,
    load::{Target, Wire},
    measure::{Samples, micros},
    project::Project,
    report::{Aim, Line},
};

/// The neighbour's clients: few, so that their latency is the server's and not a queue of their own making.
const NEIGHBOURS: Wire = Wire::H1 { connections: 2 };
/// Of the worst function: its deadline, at which its client begins the next.
const DEADLINE: &str = "1s";
/// Seconds, longer than any turn: the other clients are ended when the neighbour is done.
const UNTIL_STOPPED: u64 = 3600;
/// Seconds until all of them are at work.
const WARMING: u64 = 1;

/// Whom everybody on this machine finds here (RFC 6761 §6.3), its own guests included.
const HOSTILE: &str = "hostile.localhost";

/// What is done, by which function of the hostile project, over how many connections.
const WORST: [(&str, &str, u32); 6] = [
    ("1 loop", "spin", 1),
    ("8 loops", "spin", 8),
    ("64 loops", "spin", 64),
    ("a flood over 64 connections", "hello", 64),
    ("8 functions that call themselves", "bomb", 8),
    ("8 that hoard through every host function", "hoard", 8),
];

pub fn run(bench: &Bench) -> anyhow::Result<Vec<Line>> {
    let project = Project::new(bench.folder("project-")?)?;
    project.function("hello", &C, &C.wasm()?)?;
    let hostile = Project::on(HOSTILE, bench.folder("hostile-")?, "hostile")?;
    hostile.function("hello", &C, &C.wasm()?)?;
    for (name, call, guest) in
        [("spin", "spin", "hostile-core"), ("bomb", "bomb", "fetch"), ("hoard", "hoard", "hoarder")]
    {
        let wasm = workspace().join("tests/guests").join(guest).join(format!("{guest}.wasm"));
        let wasm = fs::read(&wasm).with_context(|| format!("reading {}", wasm.display()))?;
        hostile.function_with(name, Some(call), &wasm, DEADLINE)?;
    }
    let gateway = Gateway::run_all(bench, &[&project, &hostile], &state_folder(bench)?, QUIET)?;
    let hello = gateway.target("/hello");
    let port = gateway.http.port();

    let quiet = bench.repeat(|| p99(bench, &hello))?;
    let mut lines = Vec::new();
    for (what, function, connections) in WORST {
        // A bomb calls the address it is given; for the others it is a query that nobody reads.
        let path = format!("/{function}?url=http://{HOSTILE}:{port}/{function}");
        let worst = gateway.target_of(&hostile, path);
        let beside = bench.repeat(|| p99_beside(bench, &hello, &worst, connections))?;
        lines.push(line(what, &beside, &quiet));
    }
    Ok(lines)
}

fn line(what: &str, beside: &Samples, quiet: &Samples) -> Line {
    Line::new(format!("neighbour's p99 beside {what}"), "ms", beside)
        .against("p99 without", Some(quiet.median()))
        .aim(Aim::times_peer(2.0))
        .note("another project, one worker thread for both")
}

/// In milliseconds.
fn p99(bench: &Bench, target: &Target) -> anyhow::Result<f64> {
    let load = target.load(bench, NEIGHBOURS, bench.seconds)?;
    let (_, p99) = load.latency.context("wrk tells percentiles")?;
    Ok(micros(p99) / 1e3)
}

fn p99_beside(
    bench: &Bench,
    hello: &Target,
    worst: &Target,
    connections: u32,
) -> anyhow::Result<f64> {
    let mut command = worst.wrk(bench, connections, UNTIL_STOPPED);
    let client = Child::spawn("wrk", &mut command, Stderr::Nowhere)?;
    hello.load(bench, NEIGHBOURS, WARMING)?;
    let p99 = p99(bench, hello)?;
    client.stop();
    Ok(p99)
}
