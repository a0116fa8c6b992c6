//! A thousand requests at once to a function that nobody called yet, and the same when it is warm.

use crate::{
    bench::Bench,
    gateway::{Gateway, QUIET, state_folder},
    guest::{C, Guest, RUST_COMPONENT},
    measure::{Samples, micros},
    project::Project,
    report::Line,
};

const REQUESTS: u32 = 1000;
/// Ten times the streams that one connection may have open.
const CONNECTIONS: u32 = 10;

pub fn run(bench: &Bench) -> anyhow::Result<Vec<Line>> {
    [C, RUST_COMPONENT].iter().map(|guest| measure(bench, guest)).collect()
}

fn measure(bench: &Bench, guest: &Guest) -> anyhow::Result<Line> {
    let project = Project::new(bench.folder("project-")?)?;
    project.function("hello", guest, &guest.wasm()?)?;
    let state = state_folder(bench)?;
    // Compiles; those that are measured find the artefact on disk and open it with the first request.
    Gateway::run(bench, &project, &state, QUIET)?.stop();
    let (mut cold, mut warm) = (Vec::new(), Vec::new());
    for _ in 0..bench.rounds {
        let gateway = Gateway::run(bench, &project, &state, QUIET)?;
        let target = gateway.target("/hello");
        for times in [&mut cold, &mut warm] {
            times.push(micros(target.burst(bench, REQUESTS, CONNECTIONS)?) / 1e3);
        }
        gateway.stop();
    }
    let (cold, warm) = (Samples::from(cold), Samples::from(warm));
    let name = format!("burst of {REQUESTS} on a cold function: {}", guest.language);
    Ok(Line::new(name, "ms", &cold).against("the same again", Some(warm.median())).note(format!(
        "until the last answer, over {CONNECTIONS} connections of HTTP/2; all were 200"
    )))
}
