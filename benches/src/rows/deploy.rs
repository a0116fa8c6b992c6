//! A large project on a developer's machine: the first deploy, a change, a restart.

use std::time::Instant;

use crate::{
    bench::Bench,
    client::Client,
    gateway::Gateway,
    guest::{C, numbered_greeting},
    measure::Samples,
    project::Project,
    report::{Aim, Line},
};

const AIM_CHANGE: Aim = Aim::at_most(300.0);

/// How large the project is.
#[derive(Debug, Clone, Copy)]
struct Size {
    functions: usize,
    files: usize,
    changes: usize,
}

const FULL: Size = Size { functions: 1000, files: 10_000, changes: 10 };
const QUICK: Size = Size { functions: 20, files: 200, changes: 1 };
/// Files of one folder.
const PER_FOLDER: usize = 100;
/// A page of a site: markup that compresses.
const PARAGRAPHS: usize = 20;

pub fn run(bench: &Bench) -> anyhow::Result<Vec<Line>> {
    let size = if bench.quick { QUICK } else { FULL };
    let project = Project::new(bench.folder("project-")?)?;
    project.website()?;
    project.site_file("index.html", "<!doctype html><title>Bench</title>")?;
    (0..size.files)
        .try_for_each(|number| project.site_file(&page_path(number), page(number, 0)))?;
    for number in 0..size.functions {
        project.function(&format!("f{number}"), &C, &C.numbered(number)?)?;
    }
    let home = bench.folder("home-")?;
    let gateway = Gateway::dev(bench, &project, &home)?;
    let first = gateway.started_in;
    let file = changes(size, |version| change_file(&gateway, &project, version))?;
    let function = changes(size, |version| change_function(&gateway, &project, size, version))?;
    gateway.stop();
    let again = Gateway::dev(bench, &project, &home)?;

    let what = format!("{} functions, {} files", size.functions, size.files);
    Ok(vec![
        Line::single(format!("first deploy: {what}"), "s", first.as_secs_f64())
            .note("from starting the process; every guest is compiled, every file compressed"),
        Line::single(format!("start: {what}"), "s", again.started_in.as_secs_f64())
            .note("everything was deployed before"),
        Line::new("one file changed until live", "ms", &file).aim(AIM_CHANGE).note(what.clone()),
        Line::new("one function changed until live", "ms", &function).aim(AIM_CHANGE).note(what),
    ])
}

/// Milliseconds from each change until it is served.
fn changes(size: Size, change: impl Fn(usize) -> anyhow::Result<f64>) -> anyhow::Result<Samples> {
    (1..=size.changes).map(change).collect::<anyhow::Result<Vec<_>>>().map(Samples::from)
}

fn change_file(gateway: &Gateway, project: &Project, version: usize) -> anyhow::Result<f64> {
    let path = page_path(0);
    let start = Instant::now();
    project.site_file(&path, page(0, version))?;
    live(gateway, start, &format!("/{path}"), &version_mark(version))
}

fn change_function(
    gateway: &Gateway,
    project: &Project,
    size: Size,
    version: usize,
) -> anyhow::Result<f64> {
    let number = size.functions + version; // no other function answers with it
    let wasm = C.numbered(number)?;
    let start = Instant::now();
    project.file("functions/f0.wasm", wasm)?;
    live(gateway, start, "/f0", &numbered_greeting(number))
}

/// Waits until the change is served; a revision from before may be announced first.
fn live(gateway: &Gateway, start: Instant, path: &str, text: &str) -> anyhow::Result<f64> {
    loop {
        gateway.await_deployed()?;
        let elapsed = start.elapsed();
        let answer = Client::connect(gateway.http)?.get(path)?;
        if answer.text.contains(text) {
            return Ok(elapsed.as_secs_f64() * 1e3);
        }
    }
}

fn page_path(number: usize) -> String {
    format!("{}/{}.html", number / PER_FOLDER, number % PER_FOLDER)
}

fn page(number: usize, version: usize) -> String {
    let paragraphs: String = (0..PARAGRAPHS)
        .map(|line| format!("<p>Paragraph {line} of page {number} says what pages say.</p>\n"))
        .collect();
    format!("<!doctype html><title>{}</title>\n{paragraphs}", version_mark(version))
}

fn version_mark(version: usize) -> String {
    format!("Version {version}.")
}
