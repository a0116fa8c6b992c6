//! A function that loops until its deadline is called over and over; another is asked meanwhile.

use std::fs;

use anyhow::Context as _;

use crate::{
    bench::Bench,
    binary::workspace,
    child::{Child, Stderr},
    gateway::{Gateway, QUIET, state_folder},
    guest::C,
    load::{Target, Wire},
    measure::micros,
    project::Project,
    report::Line,
};

/// The neighbour's clients: few, so that their latency is the server's and not a queue of their own making.
const NEIGHBOURS: Wire = Wire::H1 { connections: 2 };
/// Loops that run at once.
const HOGS: [u32; 3] = [1, 8, 64];
/// Each loop ends at this deadline, and its client begins the next.
const DEADLINE: &str = "1s";
/// Seconds, longer than any turn: the loops' client is ended when the neighbour is done.
const UNTIL_STOPPED: u64 = 3600;

pub fn run(bench: &Bench) -> anyhow::Result<Vec<Line>> {
    let project = Project::new(bench.folder("project-")?)?;
    project.function("hello", &C, &C.wasm()?)?;
    let hostile = workspace().join("tests/guests/hostile-core/hostile-core.wasm");
    let hostile = fs::read(&hostile).with_context(|| format!("reading {}", hostile.display()))?;
    project.function_with("spin", Some("spin"), &hostile, DEADLINE)?;
    let gateway = Gateway::run(bench, &project, &state_folder(bench)?, QUIET)?;
    let (hello, spin) = (gateway.target("/hello"), gateway.target("/spin"));

    let quiet = bench.repeat(|| p99(bench, &hello))?;
    HOGS.into_iter()
        .map(|hogs| {
            let beside = bench.repeat(|| p99_beside(bench, &hello, &spin, hogs))?;
            let loops = if hogs == 1 { "1 loop".to_owned() } else { format!("{hogs} loops") };
            Ok(Line::new(format!("neighbour's p99 beside {loops}"), "ms", &beside)
                .against("p99 without", Some(quiet.median()))
                .note("one worker thread for all of them"))
        })
        .collect()
}

/// In milliseconds.
fn p99(bench: &Bench, target: &Target) -> anyhow::Result<f64> {
    let load = target.load(bench, NEIGHBOURS, bench.seconds)?;
    let (_, p99) = load.latency.context("wrk tells percentiles")?;
    Ok(micros(p99) / 1e3)
}

fn p99_beside(bench: &Bench, hello: &Target, spin: &Target, hogs: u32) -> anyhow::Result<f64> {
    let mut command = spin.wrk(bench, hogs, UNTIL_STOPPED);
    let hog = Child::spawn("wrk", &mut command, Stderr::Nowhere)?;
    let p99 = p99(bench, hello)?;
    hog.stop();
    Ok(p99)
}
