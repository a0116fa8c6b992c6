//! `Publisher`: the one writer of what this node serves.
//!
//! It accepts manifests, one at a time, records them, and publishes the snapshot that follows from all
//! records. Twice is the same as once: [`Publisher::reconcile`] reads the records, compares them with
//! what is published and builds whatever is missing, after a deploy as after a restart. Its calls write
//! to the disk and block; async callers wrap them.

use std::{
    collections::{HashMap, HashSet},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Instant,
};

use headgate_executor::Executor;
use headgate_project::{Diagnostic, Project, diagnostic::codes};
use headgate_store::{BlobStore, Records, RecordsError, RevisionRecord, StoreError};
use headgate_types::{
    Branch, Chain, Clock, Digest, Generation, HostPattern, ProjectName, Revision,
};
use tracing::{error, info};

use crate::{
    certificates::{Certificates, CertificatesError},
    manifest::{DecodeError, Manifest},
    metrics::Metrics,
    snapshot::{ServeOptions, Served, Snapshot, SnapshotCell},
};

#[derive(Debug)]
pub struct Publisher {
    parts: Parts,
    cell: Arc<SnapshotCell>,
    /// Held while a revision is accepted, so that two projects cannot take one host at once.
    state: Mutex<State>,
}

/// What the publisher works with.
#[derive(Debug)]
pub struct Parts {
    pub store: Arc<BlobStore>,
    pub records: Arc<Records>,
    pub executor: Executor,
    pub certificates: Certificates,
    pub clock: Arc<dyn Clock>,
    pub metrics: Arc<Metrics>,
    pub options: ServeOptions,
    /// Only what this node is told to follow is served, whatever else its records still hold.
    pub followed: Followed,
}

/// The branches this node is told to follow.
pub type Followed = HashSet<(ProjectName, Branch)>;

#[derive(Debug)]
struct State {
    generation: Generation,
    followed: Followed,
    /// What the current records name, in order of first acceptance.
    current: Vec<(Digest, Arc<Served>)>,
}

/// A revision that is recorded and served.
#[derive(Debug, Clone)]
pub struct Accepted {
    pub generation: Generation,
    pub manifest: Arc<Manifest>,
    pub record: RevisionRecord,
}

#[derive(Debug, thiserror::Error)]
pub enum PublishError {
    #[error("the blob store failed")]
    Store(#[from] StoreError),
    #[error("the records failed")]
    Records(#[from] RecordsError),
    #[error("making certificates failed")]
    Certificates(#[from] CertificatesError),
}

impl Publisher {
    pub fn new(parts: Parts) -> Self {
        let followed = parts.followed.clone();
        let state = State { generation: Generation::default(), followed, current: Vec::new() };
        let cell = Arc::new(SnapshotCell::new(Snapshot::empty()));
        Self { parts, cell, state: Mutex::new(state) }
    }

    pub fn cell(&self) -> &Arc<SnapshotCell> {
        &self.cell
    }

    /// Records a revision and serves it, or says which of its hosts another project has.
    pub fn accept(
        &self,
        manifest: Manifest,
        project: &Project,
    ) -> Result<Result<Accepted, Vec<Diagnostic>>, PublishError> {
        let mut state = self.lock();
        let conflicts = conflicts(&state.current, &manifest, project);
        if !conflicts.is_empty() {
            return Ok(Err(conflicts));
        }
        let digest = self.parts.store.put(&manifest.encode())?;
        let revision = manifest.revision.clone();
        let record = self.parts.records.accept(revision, digest, self.parts.clock.now())?;
        self.rebuild(&mut state)?;
        let accepted =
            Accepted { generation: state.generation, manifest: Arc::new(manifest), record };
        Ok(Ok(accepted))
    }

    /// Serves what the records say: after a restart, and when the list of followed projects changed.
    ///
    /// A record whose manifest is lost or unreadable is skipped and reported: the other projects of the
    /// node do not suffer, and the next deploy of that project mends it.
    pub fn reconcile(&self, followed: Option<Followed>) -> Result<(), PublishError> {
        let mut state = self.lock();
        if let Some(followed) = followed {
            state.followed = followed;
        }
        self.rebuild(&mut state)
    }

    fn rebuild(&self, state: &mut State) -> Result<(), PublishError> {
        let started = Instant::now();
        let known: HashMap<_, _> = state.current.drain(..).collect();
        for record in self.parts.records.current()? {
            let Revision { project, branch, .. } = record.revision.clone();
            if !state.followed.contains(&(project, branch)) {
                continue;
            }
            match known
                .get(&record.manifest)
                .cloned()
                .map_or_else(|| self.served(&record.manifest), Ok)
            {
                Ok(served) => state.current.push((record.manifest, served)),
                Err(error) => {
                    error!(revision = %record.revision, error = %Chain(&error), "revision cannot be served");
                }
            }
        }
        let served: Vec<_> = state.current.iter().map(|(_, served)| served.clone()).collect();
        let generation = state.generation.next();
        let snapshot = Arc::new(Snapshot::build(generation, &served));
        // Certificates first: a host that is routed must not be refused at the handshake.
        self.parts.certificates.cover(snapshot.hosts())?;
        self.cell.publish(snapshot);
        state.generation = generation;
        self.parts.metrics.published(generation, started.elapsed().as_secs_f64());
        info!(%generation, projects = served.len(), "snapshot published");
        Ok(())
    }

    /// A panic while the lock was held left the state as the last finished rebuild made it, or with
    /// fewer manifests known than there are, which the next rebuild reads again.
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn served(&self, digest: &Digest) -> Result<Arc<Served>, ManifestError> {
        let manifest = Arc::new(Manifest::decode(&self.parts.store.read(digest)?)?);
        Ok(Arc::new(Served::new(manifest, &self.parts.executor, &self.parts.options)))
    }
}

#[derive(Debug, thiserror::Error)]
enum ManifestError {
    #[error("its manifest cannot be read from the store")]
    Store(#[from] StoreError),
    #[error("its manifest cannot be understood")]
    Decode(#[from] DecodeError),
}

/// One diagnostic for each domain of `candidate` that another project has. The first accepted revision
/// keeps a host for as long as it is served.
fn conflicts(
    current: &[(Digest, Arc<Served>)],
    candidate: &Manifest,
    project: &Project,
) -> Vec<Diagnostic> {
    let mut owners: HashMap<&HostPattern, &ProjectName> = HashMap::new();
    for manifest in current.iter().map(|(_, served)| &served.manifest) {
        if manifest.revision.project != candidate.revision.project {
            let hosts = manifest.domains.iter().map(|domain| &domain.host);
            owners.extend(hosts.map(|host| (host, &manifest.revision.project)));
        }
    }
    let taken =
        project.domains.iter().filter_map(|domain| Some((domain, owners.get(&domain.host)?)));
    taken
        .map(|(domain, owner)| {
            let text = format!("`{}` is already served for the project `{owner}`", domain.host);
            Diagnostic::error(codes::HOST_TAKEN, text)
                .at(domain.place.clone())
                .hint("remove the domain there first, or choose another name here")
        })
        .collect()
}
