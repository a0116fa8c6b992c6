//! `Scratch`: what a node prepares a project with, in a temporary folder.
//!
//! The same code as in a node: nothing of the user's is written, and a node that runs is not disturbed.

use std::{path::Path, sync::Arc};

use anyhow::Context as _;
use headgate_executor::{Executor, FunctionLimits, GuestLog};
use headgate_project::{
    LoadOptions,
    tree::{FolderTree, TreeLimits},
};
use headgate_store::BlobStore;
use headgate_types::{Clock, ProjectName, Revision, SystemClock};
use prometheus_client::registry::Registry;
use tempfile::TempDir;

use crate::{
    app,
    cli::{output::Output, progress::Progress, serve},
    deploy::{self, Candidate},
    globals::NodeGlobals,
    node_config::{DevOptions, NodeConfig},
    outbound::NodeOutbound,
};

pub(super) struct Scratch {
    pub(super) store: Arc<BlobStore>,
    pub(super) executor: Executor,
    pub(super) limits: FunctionLimits,
    config: NodeConfig,
    _folder: TempDir,
}

/// What `headgate dev` would run with in `dir`.
///
/// # Errors
/// If there is no such folder.
pub(super) fn config(dir: &Path) -> anyhow::Result<NodeConfig> {
    let options = DevOptions { dir: dir.to_owned(), ..DevOptions::default() };
    Ok(NodeConfig::for_dev(&options, &serve::homes()?)?)
}

impl Scratch {
    /// For the project of `config`; what its guests print goes to `log`.
    pub(super) fn open(config: NodeConfig, log: Arc<dyn GuestLog>) -> anyhow::Result<Self> {
        let folder = tempfile::tempdir().context("making a temporary folder")?;
        let config = NodeConfig { state: folder.path().to_owned(), ..config };
        let store = BlobStore::open(&config.state.join("blobs")).context("opening a blob store")?;
        let store = Arc::new(store);
        let mut nobodys = Registry::default();
        let calls = headgate_outbound::Metrics::new(&mut nobodys);
        let outbound =
            NodeOutbound::open(&config, calls).context("preparing calls of functions")?;
        let executor = Executor::open(
            app::executor_config(&config),
            Arc::new(app::Artefacts(store.clone())),
            log,
            Arc::new(outbound),
            Arc::new(NodeGlobals::in_memory()),
            Arc::new(headgate_executor::Metrics::new(&mut nobodys)),
        )
        .context("starting the executor")?;
        let limits = app::function_limits(&config);
        Ok(Self { store, executor, limits, config, _folder: folder })
    }

    /// What lies in `dir` now.
    pub(super) fn candidate(&self, dir: &Path) -> anyhow::Result<Candidate> {
        let tree = FolderTree::open(dir, &TreeLimits::default(), SystemClock.now())
            .with_context(|| reading(dir))?;
        let revision = Revision {
            project: self.project().clone(),
            branch: self.config.projects[0].branch.clone(),
            commit: tree.commit(),
        };
        let (sources, options) = (Vec::new(), app::load_options(&self.config));
        Ok(Candidate { revision, sources, tree: Arc::new(tree), options })
    }

    /// As [`candidate`](Self::candidate), where a project whose code is elsewhere is taken for half of one.
    pub(super) fn candidate_of_half(&self, dir: &Path) -> anyhow::Result<Candidate> {
        let candidate = self.candidate(dir)?;
        let options = LoadOptions { code_elsewhere: true, ..candidate.options };
        Ok(Candidate { options, ..candidate })
    }

    fn project(&self) -> &ProjectName {
        &self.config.projects[0].name
    }

    /// Does `work`, which says how far it is; long work shows a bar.
    pub(super) async fn with_bar<T>(
        &self,
        output: &Output,
        work: impl AsyncFnOnce(&deploy::Progress) -> T,
    ) -> T {
        let bars = Arc::new(Progress::new(output.bars.clone()));
        let project = self.project().clone();
        bars.started(&project);
        let progress: deploy::Progress = {
            let (bars, project) = (bars.clone(), project.clone());
            Arc::new(move |stage, done, total| bars.moved(&project, stage, done, total))
        };
        let done = work(&progress).await;
        bars.ended(&project);
        done
    }
}

pub(super) fn reading(dir: &Path) -> String {
    format!("reading {}", dir.display())
}
