//! `headgate check`: everything a deploy would say about a project, without serving it.
//!
//! Over a blob store and an executor of its own, in a temporary folder.

use std::{env, path::Path, sync::Arc};

use anyhow::Context as _;
use headgate_executor::{GuestLine, GuestLog};
use headgate_project::{Diagnostics, marks};
use serde_json::json;

use crate::{
    cli::{
        Verdict,
        output::{Output, OutputFormat, Paint},
        scratch::{self, Scratch, reading},
    },
    deploy,
    node_config::NodeConfig,
};

pub(super) fn run(dir: &Path, output: &Output) -> anyhow::Result<Verdict> {
    let config = scratch::config(dir)?;
    let diagnostics = if marks::is_project(dir).with_context(|| reading(dir))? {
        let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
        runtime.block_on(check(dir, config, output))?
    } else {
        let mut diagnostics = Diagnostics::default();
        diagnostics.push(marks::no_project(dir));
        diagnostics
    };
    if output.format == OutputFormat::Sarif {
        let log = diagnostics.to_sarif(env!("CARGO_PKG_VERSION"), &folder_in_repository(dir));
        output.json(&log)?;
    } else if output.is_json() {
        output.json(&json!({
            "errors": diagnostics.errors(),
            "warnings": diagnostics.warnings(),
            "diagnostics": diagnostics.to_json(),
        }))?;
    } else if diagnostics.is_empty() {
        output.text(&format!("{} no problems\n", output.paint(Paint::Good, "✓")))?;
    } else {
        output.text(&diagnostics.render_human(output.color))?;
    }
    Ok(if diagnostics.has_errors() { Verdict::Problem } else { Verdict::Well })
}

async fn check(dir: &Path, config: NodeConfig, output: &Output) -> anyhow::Result<Diagnostics> {
    let scratch = Scratch::open(config, Arc::new(Silence))?;
    let candidate = scratch.candidate_of_half(dir)?;
    let Scratch { store, executor, limits, .. } = &scratch;
    let checked = scratch.with_bar(output, async |progress| {
        deploy::check(store, executor, *limits, candidate, progress).await
    });
    Ok(checked.await?)
}

/// `shop/` for a project in a folder of its repository: code hosts begin their paths at the repository's
/// top. Without a repository, at the folder this runs in, if the project is below that; else nothing.
fn folder_in_repository(dir: &Path) -> String {
    let below = || {
        let dir = dir.canonicalize().ok()?;
        let here = || env::current_dir().and_then(|here| here.canonicalize()).ok();
        // A file in worktrees and submodules, else a folder.
        let top = dir.ancestors().find(|above| above.join(".git").exists()).map(Path::to_owned);
        let below = dir.strip_prefix(top.or_else(here)?).ok()?;
        Some(below.iter().map(|name| format!("{}/", name.to_string_lossy())).collect())
    };
    below().unwrap_or_default()
}

/// Nothing runs during a check, so nothing is printed.
struct Silence;

impl GuestLog for Silence {
    fn line(&self, _: GuestLine<'_>) {}
}
