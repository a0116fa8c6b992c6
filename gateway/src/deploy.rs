//! Deploying: from a tree of files to an accepted revision.
//!
//! ```text
//! Tree ──load──► Project ──ingest──► blobs + Manifest ──compile──► artefacts ──accept──► Publisher
//!        └──────────────┴── diagnostics ──────────────────┘
//! ```
//!
//! Nothing is served before the last step, and the last step takes a manifest whose blobs are all
//! durable. So a deploy may fail or be killed anywhere: what was served goes on being served.

mod guest;
mod ingest;
mod limits;

use std::sync::Arc;

use headgate_executor::{CompileError, Executor};
use headgate_project::{Diagnostics, LoadOptions, Project, tree::Tree};
use headgate_store::{BlobStore, StoreError};
use headgate_types::{Digest, Revision};
use headgate_website::SiteTable;

pub use self::ingest::IngestCache;
use self::{
    guest::{entry_point, guest_refused, unserved_imports},
    ingest::{Ingested, ingest},
};
pub use crate::publisher::Accepted;
use crate::{
    event::Stage,
    manifest::{DomainEntry, EntryPoint, FORMAT, FunctionEntry, Manifest, WebsiteEntry},
    publisher::{PublishError, Publisher},
};

/// Turns trees into accepted revisions. One for the node; followers share it.
#[derive(Debug, Clone)]
pub struct Deployer {
    pub(crate) store: Arc<BlobStore>,
    pub(crate) executor: Executor,
    pub(crate) publisher: Arc<Publisher>,
}

/// What one deploy works on.
#[derive(Debug)]
pub struct Candidate {
    pub revision: Revision,
    pub tree: Arc<dyn Tree>,
    pub options: LoadOptions,
}

/// How a deploy ended that was not stopped by a fault of this node.
#[derive(Debug)]
pub enum Outcome {
    Accepted {
        accepted: Accepted,
        diagnostics: Diagnostics,
    },
    /// The revision has errors; it is recorded nowhere.
    Refused(Diagnostics),
}

/// Told how far long work has come: stage, done, total.
pub type Progress = Arc<dyn Fn(Stage, u64, u64) + Send + Sync>;

/// This node failed, not the project.
#[derive(Debug, thiserror::Error)]
pub enum DeployError {
    /// The folder was written to while it was read. Whoever follows it looks again at once.
    #[error("the source changed while it was read")]
    SourceChanged,
    #[error("the blob store failed")]
    Store(#[from] StoreError),
    #[error("the executor failed")]
    Executor(#[source] CompileError),
    #[error("the revision could not be published")]
    Publish(#[from] PublishError),
}

impl Deployer {
    /// Prepares a revision and accepts or refuses it as a whole.
    ///
    /// # Errors
    /// When this node fails: its disk is full, its store is damaged. What is wrong with the project is
    /// an [`Outcome`].
    pub async fn deploy(
        &self,
        candidate: Candidate,
        cache: &mut IngestCache,
        progress: &Progress,
    ) -> Result<Outcome, DeployError> {
        let revision = candidate.revision.clone();
        let preparing = Preparing { store: &self.store, executor: &self.executor, progress };
        let (prepared, mut diagnostics) = preparing.prepare(candidate, cache).await?;
        let Some(prepared) = prepared else { return Ok(Outcome::Refused(diagnostics)) };
        let (publisher, manifest) = (self.publisher.clone(), prepared.manifest(revision));
        let accept = move || publisher.accept(manifest, &prepared.project);
        match tokio::task::spawn_blocking(accept).await.expect("publishing does not panic")? {
            Ok(accepted) => Ok(Outcome::Accepted { accepted, diagnostics }),
            Err(conflicts) => {
                conflicts.into_iter().for_each(|conflict| diagnostics.push(conflict));
                Ok(Outcome::Refused(diagnostics))
            }
        }
    }
}

/// Everything that can be said of a tree without serving it: what `headgate check` prints.
pub async fn check(
    store: &Arc<BlobStore>,
    executor: &Executor,
    candidate: Candidate,
    progress: &Progress,
) -> Result<Diagnostics, DeployError> {
    let preparing = Preparing { store, executor, progress };
    let (_, diagnostics) = preparing.prepare(candidate, &mut IngestCache::default()).await?;
    Ok(diagnostics)
}

/// The part of a deploy before acceptance.
struct Preparing<'a> {
    store: &'a Arc<BlobStore>,
    executor: &'a Executor,
    progress: &'a Progress,
}

impl Preparing<'_> {
    /// `None` if the diagnostics hold an error.
    async fn prepare(
        &self,
        candidate: Candidate,
        cache: &mut IngestCache,
    ) -> Result<(Option<Prepared>, Diagnostics), DeployError> {
        let (project, mut diagnostics, ingested) =
            self.load(candidate, std::mem::take(cache)).await?;
        *cache = ingested.cache;
        ingested.diagnostics.into_iter().for_each(|diagnostic| diagnostics.push(diagnostic));
        let Some(project) = project else { return Ok((None, diagnostics)) };
        let functions = self.compile(&project, &ingested.artefacts, &mut diagnostics).await?;
        if diagnostics.has_errors() {
            return Ok((None, diagnostics));
        }
        Ok((Some(Prepared { project, functions, sites: ingested.sites }), diagnostics))
    }

    /// Reads the tree off the async threads. A project with errors is not ingested, but keeps what was
    /// known of its files.
    async fn load(
        &self,
        candidate: Candidate,
        before: IngestCache,
    ) -> Result<(Option<Project>, Diagnostics, Ingested), DeployError> {
        let (store, progress) = (self.store.clone(), self.progress.clone());
        let work = move || {
            let loaded = headgate_project::load(&*candidate.tree, &candidate.options);
            let ingested = match &loaded.project {
                Some(project) => ingest(&store, &*candidate.tree, project, &before, &progress)?,
                None => Ingested { cache: before, ..Ingested::default() },
            };
            Ok((loaded.project, loaded.diagnostics, ingested))
        };
        tokio::task::spawn_blocking(work).await.expect("reading a project does not panic")
    }

    /// Compiles every artefact that is new and checks how each function wants to be called.
    async fn compile(
        &self,
        project: &Project,
        artefacts: &[Option<Digest>],
        diagnostics: &mut Diagnostics,
    ) -> Result<Vec<(Digest, EntryPoint)>, DeployError> {
        let total = artefacts.len() as u64;
        let mut functions = Vec::with_capacity(artefacts.len());
        for (done, (function, artefact)) in project.functions.iter().zip(artefacts).enumerate() {
            let Some(digest) = *artefact else { continue };
            (self.progress)(Stage::Compiling, done as u64, total);
            let wasm = self.store.read(&digest)?;
            match self.executor.compile(digest, wasm).await {
                Ok(compiled) => {
                    if let Some(warning) = unserved_imports(function, &compiled) {
                        diagnostics.push(warning);
                    }
                    match entry_point(function, &compiled) {
                        Ok(entry) => functions.push((digest, entry)),
                        Err(diagnostic) => diagnostics.push(*diagnostic),
                    }
                }
                Err(error @ (CompileError::Native(_) | CompileError::Interrupted)) => {
                    return Err(DeployError::Executor(error));
                }
                Err(error) => {
                    for diagnostic in guest_refused(function, &error) {
                        diagnostics.push(diagnostic);
                    }
                }
            }
        }
        (self.progress)(Stage::Compiling, total, total);
        Ok(functions)
    }
}

/// A project without errors whose artefacts and files are all in the store.
#[derive(Debug)]
struct Prepared {
    project: Project,
    functions: Vec<(Digest, EntryPoint)>,
    sites: Vec<SiteTable>,
}

impl Prepared {
    fn manifest(&self, revision: Revision) -> Manifest {
        let functions = self.project.functions.iter().zip(&self.functions);
        let websites = self.project.websites.iter().zip(&self.sites);
        Manifest {
            format: FORMAT,
            revision,
            project_id: self.project.id.clone().unwrap_or_default(),
            domains: self
                .project
                .domains
                .iter()
                .map(|d| DomainEntry { name: d.name.to_string(), host: d.host.clone() })
                .collect(),
            functions: functions
                .map(|(f, (artefact, entry))| FunctionEntry {
                    application: f.application.as_deref().map(str::to_owned),
                    name: f.name.to_string(),
                    id: f.id.clone(),
                    domains: f.domains.iter().map(ToString::to_string).collect(),
                    hosts: f.hosts.clone(),
                    paths: f.paths.clone(),
                    methods: f.methods,
                    artefact: *artefact,
                    entry: entry.clone(),
                    deadline: f.timeout,
                    memory: f.memory,
                    variables: f.variables.clone(),
                })
                .collect(),
            websites: websites
                .map(|(w, files)| WebsiteEntry {
                    application: w.application.as_deref().map(str::to_owned),
                    name: w.name.to_string(),
                    id: w.id.clone(),
                    domains: w.domains.iter().map(ToString::to_string).collect(),
                    hosts: w.hosts.clone(),
                    prefixes: w.prefixes.clone(),
                    files: files.clone(),
                })
                .collect(),
        }
    }
}
