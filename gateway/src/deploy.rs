//! Deploying: from a tree of files to an accepted revision.
//!
//! ```text
//! Tree ──load──► Project ──ingest──► blobs + Manifest ──compile, link──► artefacts ──accept──► Publisher
//!        └──────────────┴── diagnostics ──────────────────────┘
//! ```
//!
//! Nothing is served before the last step, and the last step takes a manifest whose blobs are all
//! durable. So a deploy may fail or be killed anywhere: what was served goes on being served.

mod compile;
mod guest;
mod ingest;
pub(crate) mod limits;
mod link;
mod progress;
pub(crate) mod single;
mod under_way;

use std::sync::Arc;

use headgate_executor::{CompileError, Executor, FunctionLimits};
use headgate_project::{
    Diagnostic, Diagnostics, Domain, LoadOptions, Project, Record, diagnostic::codes, tree::Tree,
};
use headgate_store::{BlobStore, RecordsError, StoreError};
use headgate_types::{Clock, Digest, Revision, SystemClock};
use headgate_website::SiteTable;
use tokio::{
    sync::{OwnedSemaphorePermit, Semaphore},
    task,
};

pub(crate) use self::under_way::UnderWay;
use self::{
    guest::capped_limits,
    ingest::{DomainTls, Extent, Ingested, ingest},
    under_way::Deploying,
};
pub use self::{ingest::IngestCache, progress::Progress};
pub use crate::publisher::Accepted;
use crate::{
    manifest::{
        DomainEntry, EntryPoint, FunctionEntry, HttpsEntry, LinkedEntry, Manifest, RecordEntry,
        SourceEntry, VERSION, WebsiteEntry,
    },
    publisher::{PublishError, Publisher},
};

/// Turns trees into accepted revisions. One for the node; followers share it.
#[derive(Debug, Clone)]
pub struct Deployer {
    pub(crate) store: Arc<BlobStore>,
    pub(crate) executor: Executor,
    pub(crate) publisher: Arc<Publisher>,
    /// One permit for each revision that is read and stored.
    pub(crate) ingests: Arc<Semaphore>,
    /// Shared with whoever removes blobs.
    pub(crate) under_way: UnderWay,
}

/// What one deploy works on.
#[derive(Debug)]
pub struct Candidate {
    pub revision: Revision,
    /// What the manifest will say of where it comes from.
    pub sources: Vec<SourceEntry>,
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

/// This node failed, not the project.
#[derive(Debug, thiserror::Error)]
pub enum DeployError {
    /// The folder was written to while it was read. Whoever follows it looks again soon.
    #[error("the source changed while it was read")]
    SourceChanged,
    #[error("the blob store failed")]
    Store(#[from] StoreError),
    #[error("the executor failed")]
    Executor(#[source] CompileError),
    #[error("the revision could not be published")]
    Publish(#[from] PublishError),
    /// A bug; the panic itself is in the log.
    #[error("the deploy panicked")]
    Panicked(#[from] task::JoinError),
}

impl DeployError {
    /// Whether somebody pinned the branch meanwhile: what is served of it stays.
    pub(crate) fn is_pinned(&self) -> bool {
        matches!(self, Self::Publish(PublishError::Records(RecordsError::Pinned { .. })))
    }

    /// Whether something was not in the store that was known to be there.
    pub(crate) fn lost_a_blob(&self) -> bool {
        matches!(
            self,
            Self::Store(StoreError::Missing { .. } | StoreError::Corrupt { .. })
                | Self::Publish(PublishError::Incomplete { .. })
        )
    }
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
        let (revision, sources) = (candidate.revision.clone(), candidate.sources.clone());
        let turn = self.ingests.clone().acquire_owned().await;
        let turn = Turn {
            _ingest: Some(turn.expect("this semaphore is never closed")),
            under_way: Some(self.under_way.begin().await),
        };
        let under_way = turn.under_way.clone();
        let (store, executor, limits) = (&self.store, &self.executor, self.publisher.limits());
        let preparing = Preparing { store, executor, limits, progress, reach: Reach::Everything };
        let (prepared, mut diagnostics) = preparing.prepare(candidate, turn, cache).await?;
        let Some(prepared) = prepared else { return Ok(Outcome::Refused(diagnostics)) };
        let (publisher, manifest) = (self.publisher.clone(), prepared.manifest(revision, sources));
        let accept = move || {
            let _under_way = under_way;
            publisher.accept(manifest, &prepared.project)
        };
        match task::spawn_blocking(accept).await?? {
            Ok(accepted) => Ok(Outcome::Accepted { accepted, diagnostics }),
            Err(conflicts) => {
                conflicts.into_iter().for_each(|conflict| diagnostics.push(conflict));
                Ok(Outcome::Refused(diagnostics))
            }
        }
    }
}

impl Deployer {
    /// Looks after the blobs of a revision that was just accepted, which does without while somebody waits.
    ///
    /// # Errors
    /// When one is lost: the revision has to be deployed again from its files.
    pub async fn confirm(&self, accepted: &Accepted) -> Result<(), DeployError> {
        let (publisher, manifest) = (self.publisher.clone(), accepted.manifest.clone());
        Ok(task::spawn_blocking(move || publisher.confirm(&manifest)).await??)
    }
}

/// Everything that can be said of a tree without serving it: what `headgate check` prints.
pub async fn check(
    store: &Arc<BlobStore>,
    executor: &Executor,
    limits: FunctionLimits,
    candidate: Candidate,
    progress: &Progress,
) -> Result<Diagnostics, DeployError> {
    let preparing = Preparing { store, executor, limits, progress, reach: Reach::Everything };
    let mut cache = IngestCache::default();
    let (_, diagnostics) = preparing.prepare(candidate, Turn::default(), &mut cache).await?;
    Ok(diagnostics)
}

/// Held by the thread that reads and stores: it may go on after nobody waits for it any more.
#[derive(Debug, Default)]
struct Turn {
    _ingest: Option<OwnedSemaphorePermit>,
    under_way: Option<Deploying>,
}

/// The part of a deploy before acceptance.
struct Preparing<'a> {
    store: &'a Arc<BlobStore>,
    executor: &'a Executor,
    /// The node's own; functions are cut to them.
    limits: FunctionLimits,
    progress: &'a Progress,
    reach: Reach,
}

/// Which guests are compiled.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Reach {
    Everything,
    /// Libraries only if a function runs them or is linked with them.
    FromFunctions,
}

impl Preparing<'_> {
    /// `None` if the diagnostics hold an error.
    async fn prepare(
        &self,
        candidate: Candidate,
        turn: Turn,
        cache: &mut IngestCache,
    ) -> Result<(Option<Prepared>, Diagnostics), DeployError> {
        let loaded = self.load(candidate, turn, cache).await?;
        let Loaded { project, extent, mut diagnostics, mut ingested } = loaded;
        for diagnostic in std::mem::take(&mut ingested.diagnostics) {
            diagnostics.push(diagnostic);
        }
        let Some(project) = project else { return Ok((None, diagnostics)) };
        for function in &project.functions {
            let capped = capped_limits(function, &self.limits);
            capped.into_iter().for_each(|warning| diagnostics.push(warning));
        }
        let guests = self.compile(&project, &ingested, extent, cache, &mut diagnostics).await?;
        if diagnostics.has_errors() {
            return Ok((None, diagnostics));
        }
        let Ingested { sites, tls, .. } = ingested;
        Ok((Some(Prepared { project, guests, sites, tls }), diagnostics))
    }

    /// Reads the tree off the async threads. Whatever happens but a panic, the cache keeps what was known
    /// of the files.
    async fn load(
        &self,
        candidate: Candidate,
        turn: Turn,
        cache: &mut IngestCache,
    ) -> Result<Loaded, DeployError> {
        let (store, progress) = (self.store.clone(), self.progress.clone());
        let before = std::mem::take(cache);
        let work = move || {
            let _turn = turn;
            let tree = &*candidate.tree;
            let headgate_project::Loaded { project, rest, mut diagnostics } =
                headgate_project::load(tree, &candidate.options);
            let extent = if rest.is_some() { Extent::Guests } else { Extent::Everything };
            let project = project.or(rest);
            if let Some(error) = project.as_ref().and_then(too_many_domains) {
                diagnostics.push(error);
            }
            let (cache, ingested) = match &project {
                Some(project) => {
                    let now = SystemClock.now();
                    ingest(&store, tree, project, extent, before, now, &progress)
                }
                None => (before, Ok(Ingested::default())),
            };
            (cache, ingested.map(|ingested| Loaded { project, extent, diagnostics, ingested }))
        };
        let (after, loaded) = task::spawn_blocking(work).await?;
        *cache = after;
        loaded
    }
}

/// A tree that was read, and what its files became.
struct Loaded {
    project: Option<Project>,
    extent: Extent,
    diagnostics: Diagnostics,
    ingested: Ingested,
}

fn too_many_domains(project: &Project) -> Option<Diagnostic> {
    let limit = limits::MAX_DOMAINS;
    let first = project.domains.get(limit)?;
    let text =
        format!("the project has {} domains, and {limit} are allowed", project.domains.len());
    let error = Diagnostic::error(codes::TOO_MANY, text)
        .at(first.place.clone())
        .note("each has a certificate of its own")
        .hint("a wildcard such as `*.example.com` is one domain");
    Some(error)
}

/// A project without errors whose artefacts and files are all in the store.
#[derive(Debug)]
struct Prepared {
    project: Project,
    /// One for each function, in order.
    guests: Vec<Guest>,
    sites: Vec<SiteTable>,
    /// One for each domain, in order.
    tls: Vec<DomainTls>,
}

/// What a function runs.
#[derive(Debug)]
struct Guest {
    artefact: Digest,
    entry: EntryPoint,
    linked: Vec<LinkedEntry>,
}

impl Prepared {
    fn manifest(&self, revision: Revision, sources: Vec<SourceEntry>) -> Manifest {
        let functions = self.project.functions.iter().zip(&self.guests);
        let websites = self.project.websites.iter().zip(&self.sites);
        let domains = self.project.domains.iter().zip(&self.tls);
        let domains: Vec<_> = domains.map(|(d, tls)| domain(d, tls.clone())).collect();
        Manifest {
            format: Manifest::format_of(&domains),
            made_by: VERSION.to_owned(),
            revision,
            sources,
            project_id: self.project.id.clone().unwrap_or_default(),
            domains,
            functions: functions
                .map(|(f, guest)| FunctionEntry {
                    application: f.application.as_deref().map(str::to_owned),
                    name: f.name.to_string(),
                    id: f.id.clone(),
                    domains: f.domains.iter().map(ToString::to_string).collect(),
                    hosts: f.hosts.clone(),
                    paths: f.paths.clone(),
                    methods: f.methods,
                    artefact: guest.artefact,
                    linked: guest.linked.clone(),
                    entry: guest.entry.clone(),
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

fn domain(domain: &Domain, tls: DomainTls) -> DomainEntry {
    let record = |record: &Record| RecordEntry {
        name: record.name.clone(),
        // A week at most, so that it fits.
        ttl: u32::try_from(record.ttl.as_secs()).unwrap_or(u32::MAX),
        data: record.data.clone(),
    };
    DomainEntry {
        name: domain.name.to_string(),
        host: domain.host.clone(),
        https: HttpsEntry { redirect: domain.https.redirect, hsts: domain.https.hsts },
        certificate: tls.certificate,
        clients: tls.clients,
        records: domain.records.iter().map(record).collect(),
    }
}

#[cfg(test)]
mod tests;
