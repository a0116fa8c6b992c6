//! Revision after revision of one project: what each leaves behind in memory.

use crate::{
    bench::Bench,
    client::Client,
    gateway::{Gateway, QUIET, state_folder},
    guest::{C, numbered_greeting},
    measure::Footprint,
    project::Project,
    report::{Aim, Line},
};

/// Allocators keep some of what was freed; a leak of a revision's tables would be ten times as much.
const AIM_GROWTH: Aim = Aim::at_most(1.0);

const REVISIONS: usize = 1000;
const QUICK_REVISIONS: usize = 10;
/// Revisions before anything is measured: the history is full then, and as many artefacts are open as may be.
const PRIMING: usize = 600;
const QUICK_PRIMING: usize = 2;
/// Files of the site, so that a revision has tables to leave behind.
const FILES: usize = 200;

pub fn run(bench: &Bench) -> anyhow::Result<Vec<Line>> {
    let (priming, revisions) = match bench.quick {
        true => (QUICK_PRIMING, QUICK_REVISIONS),
        false => (PRIMING, REVISIONS),
    };
    let project = Project::new(bench.folder("project-")?)?;
    project.website()?;
    (0..FILES).try_for_each(|number| {
        project.site_file(&format!("{number}.html"), format!("<!doctype html>{number}"))
    })?;
    project.function("hello", &C, &C.numbered(0)?)?;
    let gateway = Gateway::run(bench, &project, &state_folder(bench)?, QUIET)?;
    (1..=priming).try_for_each(|number| revise(&gateway, &project, number))?;
    let before = Footprint::of(gateway.pid())?;
    (1..=revisions).try_for_each(|number| revise(&gateway, &project, priming + number))?;
    let after = Footprint::of(gateway.pid())?;

    let grown = after.private.saturating_sub(before.private) as f64 / 1024.0 / revisions as f64;
    let (was, is) = (before.private >> 20, after.private >> 20);
    Ok(vec![
        Line::single("memory kept of a revision that was replaced", "KiB", grown)
            .aim(AIM_GROWTH)
            .note(format!(
                "{revisions} revisions of 1 function and {FILES} files after {priming} others, one \
                 function compiled for each: {was} MiB before, {is} MiB after; descriptors {} and {}, \
                 mappings {} and {}",
                before.descriptors, after.descriptors, before.mappings, after.mappings
            )),
    ])
}

/// Changes the function and waits until that is served.
fn revise(gateway: &Gateway, project: &Project, number: usize) -> anyhow::Result<()> {
    project.file("functions/hello.wasm", C.numbered(number)?)?;
    loop {
        gateway.await_deployed()?;
        let answer = Client::connect(gateway.http)?.get("/hello")?;
        if answer.text.contains(&numbered_greeting(number)) {
            return Ok(());
        }
    }
}
