//! Nodes with few and with many functions: how long they take to start, and what memory they hold.

use crate::{
    bench::Bench,
    client::Client,
    gateway::{Gateway, QUIET, state_folder},
    guest::{C, numbered_greeting},
    measure::Footprint,
    project::Project,
    report::{Aim, Line},
};

const AIM_START: Aim = Aim::at_most(2.0);

const COUNTS: [usize; 3] = [1, 1_000, 10_000];
const QUICK_COUNTS: [usize; 2] = [1, 20];

pub fn run(bench: &Bench) -> anyhow::Result<Vec<Line>> {
    let counts: &[_] = if bench.quick { &QUICK_COUNTS } else { &COUNTS };
    let mut lines = Vec::new();
    for count in counts {
        lines.extend(measure(bench, *count)?);
    }
    Ok(lines)
}

fn measure(bench: &Bench, count: usize) -> anyhow::Result<Vec<Line>> {
    let project = Project::new(bench.folder("project-")?)?;
    for number in 0..count {
        project.function(&name(number), &C, &C.numbered(number)?)?;
    }
    let state = state_folder(bench)?;
    // The first gateway compiles; the second finds all of it on disk.
    Gateway::run(bench, &project, &state, QUIET)?.stop();
    let gateway = Gateway::run(bench, &project, &state, QUIET)?;
    let started = Footprint::of(gateway.pid())?;
    let mut client = Client::connect(gateway.http)?;
    for number in 0..count {
        let answer = client.get(&format!("/{}", name(number)))?;
        let greeting = numbered_greeting(number);
        anyhow::ensure!(answer.text.contains(&greeting), "{} said {}", name(number), answer.text);
    }
    let called = Footprint::of(gateway.pid())?;
    let functions = if count == 1 { "1 function".to_owned() } else { format!("{count} functions") };
    Ok(vec![
        Line::single(format!("start: {functions}"), "s", gateway.started_in.as_secs_f64())
            .aim(AIM_START)
            .note("all of them deployed before"),
        Line::single(format!("memory: {functions}"), "MiB", mebibytes(called.private)).note(
            format!(
                "private, after each was called once; {:.1} MiB before; descriptors {} and {}, mappings {} and {}",
                mebibytes(started.private),
                started.descriptors,
                called.descriptors,
                started.mappings,
                called.mappings,
            ),
        ),
    ])
}

fn mebibytes(bytes: u64) -> f64 {
    bytes as f64 / f64::from(1 << 20)
}

fn name(number: usize) -> String {
    format!("f{number}")
}
