//! `Publisher`: the one writer of what this node serves.
//!
//! It accepts manifests, one at a time, records them, and publishes the snapshot that follows from all
//! records. Twice is the same as once: [`Publisher::reconcile`] reads the records, compares them with
//! what is published and builds whatever is missing, after a deploy as after a restart. Its calls write
//! to the disk and block; async callers wrap them.

mod hosts;
mod pinning;

use std::{
    collections::{HashMap, HashSet},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::{Duration, Instant},
};

use arc_swap::ArcSwap;
use headgate_executor::{Executor, FunctionLimits, ProjectGate};
use headgate_project::{Diagnostic, Project};
use headgate_store::{BlobStore, Records, RecordsError, RevisionRecord, StoreError};
use headgate_types::{
    Branch, Chain, Clock, Commit, Digest, Generation, HostPattern, ProjectName, Revision, Timestamp,
};
use tokio::sync::watch;
use tracing::{error, info, warn};

use self::hosts::HostOwners;
pub use self::pinning::{Kept, Pinned, SwitchError, Unpinned};
use crate::{
    certificates::{Certificates, CertificatesError},
    domains::{Grants, Holders},
    manifest::{CertificateEntry, DecodeError, Manifest, VERSION},
    metrics::Metrics,
    node_config::CertificateFiles,
    snapshot::{HostRules, ServeOptions, Served, Snapshot, SnapshotCell},
};

/// How long a look at all blobs of a branch is good for. The sweeper's grace is longer by far.
pub const CONFIRMED_FOR: Duration = Duration::from_secs(1800);

#[derive(Debug)]
pub struct Publisher {
    parts: Parts,
    cell: Arc<SnapshotCell>,
    /// What the snapshot was built from, for those who must not wait for the lock.
    published: ArcSwap<Vec<Current>>,
    /// Who has which of the hosts.
    holders: ArcSwap<Holders>,
    /// The domains of all that is served.
    hosts: watch::Sender<HashSet<HostPattern>>,
    /// Moves on with each snapshot.
    generation: watch::Sender<Generation>,
    /// The branches that are held at what is served of them.
    pins: watch::Sender<Pins>,
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
    pub grants: Arc<Grants>,
    /// Only what this node is told to follow is served, whatever else its records still hold.
    pub followed: Followed,
}

/// Since when which branches are pinned.
pub type Pins = HashMap<(ProjectName, Branch), Timestamp>;

/// The branches this node is told to follow.
pub type Followed = HashSet<(ProjectName, Branch)>;

#[derive(Debug)]
struct State {
    generation: Generation,
    followed: Followed,
    /// What the records name and this node follows, in order of first acceptance. It may be ahead of
    /// what is published: hosts belong to whom they are recorded for, whether or not publishing failed.
    current: Vec<Current>,
    pins: Pins,
    /// Manifests that cannot be served, each of them reported once.
    unserved: HashSet<Digest>,
    /// When all blobs of what a branch serves were last seen to be there, and what the store had lost by then.
    confirmed: HashMap<(ProjectName, Branch), (Timestamp, u64)>,
    /// Kept from revision to revision, so that a deploy does not double what a project may run.
    gates: HashMap<ProjectName, ProjectGate>,
}

#[derive(Debug, Clone)]
struct Current {
    record: RevisionRecord,
    served: Arc<Served>,
}

/// A revision that is recorded and served.
#[derive(Debug, Clone)]
pub struct Accepted {
    pub generation: Generation,
    pub manifest: Arc<Manifest>,
    pub record: RevisionRecord,
}

impl Accepted {
    /// The commit, unless another version of headgate made this of it: ours may make more.
    pub(crate) fn finished_commit(&self) -> Option<Commit> {
        (self.manifest.made_by == VERSION).then(|| self.record.revision.commit.clone())
    }
}

#[derive(Debug, thiserror::Error)]
pub enum PublishError {
    /// It was taken off the list while it was deployed.
    #[error("the project is no longer followed")]
    NotFollowed,
    /// Whoever knew it by its fingerprint must read the file again.
    #[error("the blob {} of the revision is not in the store", .digest.fmt_short())]
    Incomplete { digest: Digest },
    #[error("the blob store failed")]
    Store(#[from] StoreError),
    #[error("the records failed")]
    Records(#[from] RecordsError),
    #[error("making certificates failed")]
    Certificates(#[from] CertificatesError),
}

impl Publisher {
    pub fn new(parts: Parts) -> Self {
        let state = State {
            generation: Generation::default(),
            followed: parts.followed.clone(),
            current: Vec::new(),
            pins: Pins::default(),
            unserved: HashSet::new(),
            confirmed: HashMap::new(),
            gates: HashMap::new(),
        };
        let cell = Arc::new(SnapshotCell::new(Snapshot::empty()));
        let (published, hosts) = (ArcSwap::default(), watch::Sender::default());
        let (holders, generation) = (ArcSwap::default(), watch::Sender::default());
        let (pins, state) = (watch::Sender::default(), Mutex::new(state));
        Self { parts, cell, published, holders, hosts, generation, pins, state }
    }

    pub fn cell(&self) -> &Arc<SnapshotCell> {
        &self.cell
    }

    /// The generation that is published, for whoever keeps something else in step with it.
    pub fn generations(&self) -> watch::Receiver<Generation> {
        self.generation.subscribe()
    }

    /// The domains of all that is served, for whoever waits for one to become free.
    pub fn hosts(&self) -> watch::Receiver<HashSet<HostPattern>> {
        self.hosts.subscribe()
    }

    /// Who has which of the hosts. Waits for nobody.
    pub(crate) fn holders(&self) -> Arc<Holders> {
        self.holders.load_full()
    }

    /// The bounds of every function on this node.
    pub fn limits(&self) -> FunctionLimits {
        self.parts.options.limits
    }

    /// What is served of a branch. Waits for nobody.
    pub fn serving(&self, project: &ProjectName, branch: &Branch) -> Option<Accepted> {
        let published = self.published.load();
        let current = published.iter().find(|current| {
            let revision = &current.record.revision;
            revision.project == *project && revision.branch == *branch
        })?;
        Some(Accepted {
            generation: self.cell.load().generation,
            manifest: current.served.manifest.clone(),
            record: current.record.clone(),
        })
    }

    /// Everything that is served. Waits for nobody.
    pub fn manifests(&self) -> Vec<Arc<Manifest>> {
        self.published.load().iter().map(|current| current.served.manifest.clone()).collect()
    }

    /// Records a revision and serves it, or says which of its hosts another project has.
    ///
    /// Accepting what is current already changes no record, so a deploy that failed after it was
    /// recorded can be repeated.
    pub fn accept(
        &self,
        manifest: Manifest,
        project: &Project,
    ) -> Result<Result<Accepted, Vec<Diagnostic>>, PublishError> {
        let mut state = self.lock();
        let records = self.refresh(&mut state)?;
        if !state.follows(&manifest.revision) {
            return Err(PublishError::NotFollowed);
        }
        let others = state.current.iter().map(|current| &*current.served.manifest);
        let reserved = self.reserved_hosts(&state, &manifest.revision.project);
        let holders = self.parts.grants.holders(others.clone());
        let mut owners = HostOwners::other_than(&manifest.revision.project, others, &holders);
        owners.reserve(&reserved);
        let domains = project.domains.iter().map(|domain| (&domain.host, Some(&domain.place)));
        let conflicts = owners.conflicts(domains);
        if !conflicts.is_empty() {
            return Ok(Err(conflicts));
        }
        let served = state.current.iter().map(|current| &current.served.manifest);
        let served = served.filter(|served| manifest.revision.replaces(&served.revision));
        let digest =
            self.store_manifest(&manifest, served.flat_map(|served| served.blobs()).collect())?;
        let known = records
            .into_iter()
            .find(|record| record.revision == manifest.revision && record.manifest == digest);
        let record = match known {
            Some(record) => record,
            None => {
                let (revision, now) = (manifest.revision.clone(), self.parts.clock.now());
                self.parts.records.accept(revision, digest, now)?
            }
        };
        let manifest = Arc::new(manifest);
        self.refresh_with(&mut state, Some((digest, manifest.clone())))?;
        self.bring_up(&mut state)?;
        let generation = state.generation;
        Ok(Ok(Accepted { generation, manifest, record }))
    }

    /// Serves what the records say: after a restart, and when the list of followed projects changed.
    /// Then forgets the projects that are no longer followed, and with them what keeps their blobs.
    ///
    /// A record whose manifest is lost or unreadable is skipped and reported: the other projects of the
    /// node do not suffer, and the next deploy of that project mends it.
    pub fn reconcile(&self, followed: Option<Followed>) -> Result<(), PublishError> {
        let mut state = self.lock();
        if let Some(followed) = followed {
            state.confirmed.retain(|branch, _| followed.contains(branch));
            state.followed = followed;
        }
        let records = self.refresh(&mut state)?;
        self.publish(&mut state)?;
        self.announce_pins(&state);
        self.forget(&state.followed, records);
        Ok(())
    }

    /// Issues certificates anew whose time has come, and shows what came in since. Without deploys nobody
    /// else does.
    pub fn renew(&self) -> Result<(), PublishError> {
        // Locked, so that the table of this snapshot does not replace that of a later one.
        let mut state = self.lock();
        let snapshot = self.cell.load();
        let (published, holders) = (self.published.load(), self.holders.load());
        let served: Vec<_> = published.iter().map(|current| current.served.clone()).collect();
        let brought = brought(&served, &holders);
        let trusted = self.parts.certificates.cover(snapshot.hosts(), &brought)?;
        if self.rules(&served, &holders, &trusted, &snapshot) == **snapshot.rules() {
            return Ok(());
        }
        self.publish(&mut state)
    }

    /// Serves the hosts whose owners have spoken since, and no longer those that are granted no more.
    pub(crate) fn regrant(&self) -> Result<(), PublishError> {
        let mut state = self.lock();
        let manifests = state.current.iter().map(|current| &*current.served.manifest);
        if self.parts.grants.holders(manifests) == **self.holders.load() {
            return Ok(());
        }
        self.publish(&mut state)
    }

    /// Reads the operator's certificates anew and shows them.
    ///
    /// # Errors
    /// If one of them cannot be used; those before stay.
    pub fn reload_certificates(&self, files: &[CertificateFiles]) -> Result<(), PublishError> {
        self.parts.certificates.reload(files)?;
        self.renew()
    }

    /// Stores the manifest of a revision that is all there. What is `served` already is there as far as
    /// is known: looking for all of it would be most of what a small change costs, so that is done by
    /// [`confirm`](Self::confirm), when the change is live.
    fn store_manifest(
        &self,
        manifest: &Manifest,
        served: HashSet<Digest>,
    ) -> Result<Digest, PublishError> {
        let new: HashSet<_> = manifest.blobs().filter(|digest| !served.contains(digest)).collect();
        match new.into_iter().find(|digest| !self.parts.store.contains(digest)) {
            Some(digest) => Err(PublishError::Incomplete { digest }),
            None => Ok(self.parts.store.put(&manifest.encode())?),
        }
    }

    /// Sees that every blob of an accepted revision is there, and lets them all count as written now, so
    /// that none is much older than the record that needs it. Done a while ago for the same branch it
    /// still holds, unless the store has lost something since.
    pub fn confirm(&self, manifest: &Manifest) -> Result<(), PublishError> {
        let revision = &manifest.revision;
        let (branch, now) =
            ((revision.project.clone(), revision.branch.clone()), self.parts.clock.now());
        let losses = self.parts.store.losses();
        let last = self.lock().confirmed.get(&branch).copied();
        if last.is_some_and(|(at, lost)| at > now.before(CONFIRMED_FOR) && lost == losses) {
            return Ok(());
        }
        let blobs: HashSet<_> = manifest.blobs().collect();
        if let Some(digest) = blobs.into_iter().find(|digest| !self.parts.store.touch(digest)) {
            return Err(PublishError::Incomplete { digest });
        }
        self.lock().confirmed.insert(branch, (now, losses));
        Ok(())
    }

    /// Brings `current` up to the records and returns these. If they cannot be read, nothing changes.
    fn refresh(&self, state: &mut State) -> Result<Vec<RevisionRecord>, PublishError> {
        self.refresh_with(state, None)
    }

    /// The same with a manifest at hand, which need not be read from the store.
    fn refresh_with(
        &self,
        state: &mut State,
        at_hand: Option<(Digest, Arc<Manifest>)>,
    ) -> Result<Vec<RevisionRecord>, PublishError> {
        let records = self.parts.records.current()?;
        let pins = self.parts.records.pins()?;
        let mut known: HashMap<_, _> =
            state.current.iter().map(|c| (c.record.manifest, c.served.clone())).collect();
        let (mut current, mut unserved) = (Vec::with_capacity(records.len()), HashSet::new());
        for record in records.iter().filter(|record| state.follows(&record.revision)).cloned() {
            let gate = state.gates.get(&record.revision.project).cloned();
            let gate = gate.unwrap_or_else(|| self.gate());
            let served = match known.remove(&record.manifest) {
                Some(served) => Ok(served),
                None => match &at_hand {
                    Some((digest, manifest)) if *digest == record.manifest => {
                        Ok(self.serve(manifest.clone(), &gate))
                    }
                    _ => self.served(&record.manifest, &gate),
                },
            };
            match served {
                Ok(served) => current.push((Current { record, served }, gate)),
                Err(error) => {
                    if !state.unserved.contains(&record.manifest) {
                        let revision = &record.revision;
                        error!(%revision, error = %Chain(&error), "revision cannot be served");
                    }
                    unserved.insert(record.manifest);
                }
            }
        }
        state.gates = current
            .iter()
            .map(|(current, gate)| (current.record.revision.project.clone(), gate.clone()))
            .collect();
        state.current = current.into_iter().map(|(current, _)| current).collect();
        state.unserved = unserved;
        let pins = pins.into_iter().map(|pin| ((pin.project, pin.branch), pin.pinned_at));
        state.pins = pins.filter(|(branch, _)| state.followed.contains(branch)).collect();
        Ok(records)
    }

    /// Publishes what the records say, unless that is published already.
    fn bring_up(&self, state: &mut State) -> Result<(), PublishError> {
        if !self.is_published(state) {
            self.publish(state)?;
        }
        self.announce_pins(state);
        Ok(())
    }

    fn is_published(&self, state: &State) -> bool {
        let published = self.published.load();
        let published = published.iter().map(|current| &current.record);
        published.eq(state.current.iter().map(|current| &current.record))
    }

    fn publish(&self, state: &mut State) -> Result<(), PublishError> {
        let started = Instant::now();
        let served: Vec<_> = state.current.iter().map(|current| current.served.clone()).collect();
        let generation = state.generation.next();
        let holders = self.parts.grants.holders(served.iter().map(|served| &*served.manifest));
        let aliases = &self.parts.options.aliases;
        let snapshot = Snapshot::build(generation, &served, &holders, aliases);
        // Certificates first: a host that is routed must not be refused at the handshake.
        let brought = brought(&served, &holders);
        let trusted = self.parts.certificates.cover(snapshot.hosts(), &brought)?;
        let rules = Arc::new(self.rules(&served, &holders, &trusted, &snapshot));
        self.parts.certificates.demand(rules.clone());
        let snapshot = snapshot.ruled_by(rules);
        self.cell.publish(Arc::new(snapshot));
        state.generation = generation;
        self.published.store(Arc::new(state.current.clone()));
        self.parts.metrics.published(generation, started.elapsed().as_secs_f64());
        info!(%generation, projects = served.len(), "snapshot published");
        let hosts: HashSet<_> = holders.keys().cloned().collect();
        self.holders.store(Arc::new(holders));
        self.generation.send_replace(generation);
        self.hosts.send_if_modified(|before| {
            let changed = *before != hosts;
            *before = hosts;
            changed
        });
        Ok(())
    }

    fn rules(
        &self,
        served: &[Arc<Served>],
        holders: &Holders,
        trusted: &HashSet<HostPattern>,
        snapshot: &Snapshot,
    ) -> HostRules {
        let aliases = &self.parts.options.aliases;
        HostRules::new(served, holders, trusted, &snapshot.routed(), aliases)
    }

    /// The hosts that other followed projects have in the node's zone, served or not. What a project was
    /// accepted with before the other was followed, it keeps.
    fn reserved_hosts(
        &self,
        state: &State,
        project: &ProjectName,
    ) -> Vec<(HostPattern, ProjectName)> {
        let aliases = &self.parts.options.aliases;
        let manifests = state.current.iter().map(|current| &current.served.manifest);
        let own = manifests.filter(|manifest| manifest.revision.project == *project);
        let had: HashSet<_> =
            own.flat_map(|manifest| &manifest.domains).map(|domain| &domain.host).collect();
        let others = state.followed.iter().map(|(other, _)| other);
        let projects = others.filter(|other| *other != project);
        let hosts = projects.filter_map(|project| Some((project, aliases.host_of(project)?)));
        hosts
            .flat_map(|(project, host)| {
                [HostPattern::Exact(host.clone()), HostPattern::Wildcard(host)]
                    .map(|host| (host, project.clone()))
            })
            .filter(|(host, _)| !had.contains(host))
            .collect()
    }

    /// A failure costs disk space until the next time, and is no reason not to serve.
    fn forget(&self, followed: &Followed, records: Vec<RevisionRecord>) {
        let followed: HashSet<_> = followed.iter().map(|(project, _)| project).collect();
        let gone: HashSet<_> = records.into_iter().map(|record| record.revision.project).collect();
        for project in gone.iter().filter(|project| !followed.contains(project)) {
            match self.parts.records.remove(project) {
                Ok(()) => info!(%project, "no longer followed, its revisions are forgotten"),
                Err(error) => warn!(%project, error = %Chain(&error), "project not forgotten"),
            }
        }
    }

    fn gate(&self) -> ProjectGate {
        self.parts.executor.project_gate(self.parts.options.project_instances)
    }

    /// A panic while the lock was held left the state as the last finished step made it; the next
    /// acceptance reads the records again.
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn served(&self, digest: &Digest, gate: &ProjectGate) -> Result<Arc<Served>, ManifestError> {
        Ok(self.serve(Arc::new(self.read_manifest(digest)?), gate))
    }

    fn serve(&self, manifest: Arc<Manifest>, gate: &ProjectGate) -> Arc<Served> {
        let Parts { executor, options, .. } = &self.parts;
        Arc::new(Served::new(manifest, executor, gate, options))
    }

    fn read_manifest(&self, digest: &Digest) -> Result<Manifest, ManifestError> {
        Ok(Manifest::decode(&self.parts.store.read(digest)?)?)
    }
}

/// The certificates that projects bring for the hosts that they hold.
fn brought<'a>(
    served: &'a [Arc<Served>],
    holders: &Holders,
) -> HashMap<&'a HostPattern, &'a CertificateEntry> {
    let domains = served.iter().flat_map(|served| {
        let project = &served.manifest.revision.project;
        let held = served.manifest.domains.iter();
        held.filter(move |domain| holders.get(&domain.host) == Some(project))
    });
    domains.filter_map(|domain| Some((&domain.host, domain.certificate.as_ref()?))).collect()
}

impl State {
    fn follows(&self, revision: &Revision) -> bool {
        self.followed.contains(&(revision.project.clone(), revision.branch.clone()))
    }
}

#[derive(Debug, thiserror::Error)]
enum ManifestError {
    #[error("its manifest cannot be read from the store")]
    Store(#[from] StoreError),
    #[error("its manifest cannot be understood")]
    Decode(#[from] DecodeError),
}

#[cfg(test)]
mod tests;
