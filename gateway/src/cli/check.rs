//! `headgate check`: everything a deploy would say about a project, without serving it.
//!
//! The same code as in a node, over a blob store and an executor in a temporary folder: nothing of the user's is
//! written, and a node that runs is not disturbed.

use std::{env, path::Path, sync::Arc};

use anyhow::Context as _;
use headgate_executor::{Executor, GuestLine, GuestLog, NoWayOut};
use headgate_project::{
    Diagnostics, LoadOptions, marks,
    tree::{FolderTree, TreeLimits},
};
use headgate_store::BlobStore;
use headgate_types::{Clock, Revision, SystemClock};
use prometheus_client::registry::Registry;
use serde_json::json;

use crate::{
    app,
    cli::{
        Verdict,
        output::{Output, OutputFormat, Paint},
        progress::Progress,
        serve,
    },
    deploy::{self, Candidate},
    node_config::{DevOptions, NodeConfig},
};

pub(super) fn run(dir: &Path, output: &Output) -> anyhow::Result<Verdict> {
    let options = DevOptions { dir: dir.to_owned(), ..DevOptions::default() };
    let config = NodeConfig::for_dev(&options, &serve::homes()?)?;
    let diagnostics = if marks::is_project(dir).with_context(|| reading(dir))? {
        let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
        runtime.block_on(check(dir, &config, output))?
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

async fn check(dir: &Path, config: &NodeConfig, output: &Output) -> anyhow::Result<Diagnostics> {
    let tree = FolderTree::open(dir, &TreeLimits::default(), SystemClock.now())
        .with_context(|| reading(dir))?;
    let scratch = tempfile::tempdir().context("making a temporary folder")?;
    let config = NodeConfig { state: scratch.path().to_owned(), ..config.clone() };
    let store = BlobStore::open(&config.state.join("blobs")).context("opening a blob store")?;
    let store = Arc::new(store);
    let executor = Executor::open(
        app::executor_config(&config),
        Arc::new(app::Artefacts(store.clone())),
        Arc::new(Silence),
        Arc::new(NoWayOut),
        Arc::new(headgate_executor::Metrics::new(&mut Registry::default())),
    )
    .context("starting the executor")?;
    let project = config.projects[0].name.clone();
    let revision = Revision {
        project: project.clone(),
        branch: config.projects[0].branch.clone(),
        commit: tree.commit(),
    };
    let options = LoadOptions { code_elsewhere: true, ..app::load_options(&config) };
    let candidate = Candidate { revision, sources: Vec::new(), tree: Arc::new(tree), options };
    let limits = app::function_limits(&config);
    let bars = Arc::new(Progress::new(output.bars.clone()));
    bars.started(&project);
    let progress: deploy::Progress = {
        let (bars, project) = (bars.clone(), project.clone());
        Arc::new(move |stage, done, total| bars.moved(&project, stage, done, total))
    };
    let checked = deploy::check(&store, &executor, limits, candidate, &progress).await;
    bars.ended(&project);
    Ok(checked?)
}

fn reading(dir: &Path) -> String {
    format!("reading {}", dir.display())
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
