//! Many functions that are all different: what the first call to each costs, and what each leaves behind.
//!
//! Copies of one guest would share a digest, and so an artefact; these differ in five digits.

use crate::{
    bench::Bench,
    client::Client,
    gateway::{Gateway, QUIET, state_folder},
    guest::{C, Guest, RUST_COMPONENT, numbered_greeting},
    measure::{Footprint, Samples, micros},
    project::Project,
    report::{Aim, Line},
};

const AIM_FIRST: Aim = Aim::at_most(1.0);
const AIM_MEMORY: Aim = Aim::at_most(64.0);

const FUNCTIONS: usize = 1000;
const QUICK_FUNCTIONS: usize = 20;
/// Calls of one more function before anything is measured: allocators, pools and caches have their size then.
const PRIMING: usize = 2000;

pub fn run(bench: &Bench) -> anyhow::Result<Vec<Line>> {
    let mut lines = measure(bench, &C)?;
    lines.extend(measure(bench, &RUST_COMPONENT)?);
    Ok(lines)
}

fn measure(bench: &Bench, guest: &Guest) -> anyhow::Result<Vec<Line>> {
    let count = if bench.quick { QUICK_FUNCTIONS } else { FUNCTIONS };
    let project = Project::new(bench.folder("project-")?)?;
    for number in 0..=count {
        project.function(&name(number), guest, &guest.numbered(number)?)?;
    }
    let state = state_folder(bench)?;
    // The first gateway compiles; the second finds artefacts on disk, in the page cache, and opens none.
    Gateway::run(bench, &project, &state, QUIET)?.stop();
    let gateway = Gateway::run(bench, &project, &state, QUIET)?;
    let mut client = Client::connect(gateway.http)?;
    for _ in 0..PRIMING {
        call(&mut client, count)?;
    }
    let before = Footprint::of(gateway.pid())?;
    let first = pass(&mut client, count)?;
    let after = Footprint::of(gateway.pid())?;
    let again = call_often(&mut client, count)?;

    let per_function = |bytes: u64| bytes as f64 / 1024.0 / count as f64;
    let private = after.private.saturating_sub(before.private);
    let anonymous = after.anonymous.saturating_sub(before.anonymous);
    let language = guest.language;
    Ok(vec![
        Line::single(format!("first request: {language}, p50"), "ms", first.median() / 1e3)
            .against("the same function, open", Some(again.median() / 1e3))
            .aim(AIM_FIRST)
            .note(format!("{count} functions, artefacts in the page cache")),
        Line::single(format!("first request: {language}, p99"), "ms", first.percentile(99.0) / 1e3)
            .against("the same function, open", Some(again.percentile(99.0) / 1e3)),
        Line::single(format!("idle function: {language}"), "KiB", per_function(private))
            .aim(AIM_MEMORY)
            .note(format!(
                "private memory over {count}, each called once; anonymous {:.1} KiB; descriptors {} → {}, mappings {} → {}",
                per_function(anonymous),
                before.descriptors,
                after.descriptors,
                before.mappings,
                after.mappings,
            )),
    ])
}

/// Calls each function once.
fn pass(client: &mut Client, count: usize) -> anyhow::Result<Samples> {
    (0..count)
        .map(|number| call(client, number))
        .collect::<anyhow::Result<Vec<_>>>()
        .map(Into::into)
}

/// As many calls of one function that is open already.
fn call_often(client: &mut Client, count: usize) -> anyhow::Result<Samples> {
    (0..count).map(|_| call(client, count)).collect::<anyhow::Result<Vec<_>>>().map(Into::into)
}

/// Returns microseconds. The answer must be the one of that function.
fn call(client: &mut Client, number: usize) -> anyhow::Result<f64> {
    let answer = client.get(&format!("/{}", name(number)))?;
    let greeting = numbered_greeting(number);
    anyhow::ensure!(answer.text.contains(&greeting), "{} said {}", name(number), answer.text);
    Ok(micros(answer.elapsed))
}

fn name(number: usize) -> String {
    format!("f{number}")
}
