//! `ZoneKeeper`: keeps the zones that are answered in step with what is served.

use std::{
    collections::{BTreeSet, HashMap, HashSet},
    path::Path,
    sync::{Arc, Mutex, PoisonError},
};

use arc_swap::ArcSwap;
use headgate_dns::{LowerName, Name, Serial, Zone, ZoneFile, Zones};
use headgate_types::{Clock, Digest, Generation, HostPattern, ProjectName};
use tokio::sync::watch;
use tracing::{info, warn};

use super::{
    Draft, Found, Names, Naming, ProjectDomain, Wanted, ZoneProblem, draft,
    records::{aliases, records},
    serials::{Serials, SerialsError},
};
use crate::{
    domains::Holders,
    manifest::{DomainEntry, Manifest},
    publisher::Publisher,
    snapshot::Aliases,
};

/// Makes zones of what the publisher serves, and publishes them. Twice is the same as once.
#[derive(Debug)]
pub struct ZoneKeeper {
    naming: Arc<Naming>,
    aliases: Aliases,
    publisher: Arc<Publisher>,
    targets: Targets,
    zones: Arc<Zones>,
    clock: Arc<dyn Clock>,
    state: Mutex<State>,
    report: ArcSwap<ZoneReport>,
    /// What is served that the zones are made of.
    generation: watch::Sender<Generation>,
}

/// Targets of ALIAS records: which are wanted, and what is known of them.
#[derive(Debug)]
pub struct Targets {
    pub wanted: watch::Sender<Wanted>,
    pub found: watch::Receiver<Arc<Found>>,
}

#[derive(Debug)]
struct State {
    serials: Serials,
    /// The zones that are served, and what each says.
    built: HashMap<String, (Digest, Arc<Zone>)>,
    /// Told already.
    problems: HashSet<ZoneProblem>,
}

/// The zones there are, and what is wrong.
#[derive(Debug, Clone, Default)]
pub struct ZoneReport {
    /// By origin.
    pub zones: Vec<Zoned>,
    pub problems: Vec<ZoneProblem>,
}

/// A zone that is served.
#[derive(Debug, Clone)]
pub struct Zoned {
    pub zone: Arc<Zone>,
    /// What its parent is to delegate to.
    pub nameservers: Vec<Name>,
    /// Whose domains are in it; none if it is the operator's own.
    pub projects: BTreeSet<ProjectName>,
}

impl ZoneKeeper {
    /// # Errors
    /// If the serials that were served before cannot be read.
    pub fn open(
        state: &Path,
        naming: Naming,
        aliases: Aliases,
        publisher: Arc<Publisher>,
        targets: Targets,
        zones: Arc<Zones>,
        clock: Arc<dyn Clock>,
    ) -> Result<Self, SerialsError> {
        let serials = Serials::open(state)?;
        Ok(Self {
            naming: Arc::new(naming),
            aliases,
            publisher,
            targets,
            zones,
            clock,
            state: Mutex::new(State { serials, built: HashMap::new(), problems: HashSet::new() }),
            report: ArcSwap::default(),
            generation: watch::Sender::default(),
        })
    }

    /// Publishes the zones of what is served now. Blocks: it writes to the disk where a zone has changed.
    ///
    /// # Errors
    /// If the new serials could not be kept. The zones are published all the same, because names that are not
    /// found are worse than a serial that a disk that is full and a clock that goes back could repeat together.
    pub fn reconcile(&self) -> Result<(), SerialsError> {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        let generation = *self.publisher.generations().borrow();
        let (drafts, problems) = draft(&self.names());
        let mut zones = Vec::with_capacity(drafts.len());
        let mut built = HashMap::with_capacity(drafts.len());
        for draft in drafts {
            let (content, zone) = self.built(&mut state, &draft);
            built.insert(zone.origin().to_string(), (content, zone.clone()));
            let nameservers = draft.nameservers();
            zones.push(Zoned { zone, nameservers, projects: draft.projects });
        }
        let kept = state.serials.keep(&|origin| built.contains_key(origin));
        let changed = built.len() != state.built.len()
            || built.iter().any(|(origin, (content, _))| {
                state.built.get(origin).is_none_or(|(before, _)| before != content)
            });
        if changed {
            self.zones.publish(zones.iter().map(|zoned| zoned.zone.clone()));
            info!(zones = zones.len(), "zones published");
        }
        for problem in problems.iter().filter(|problem| !state.problems.contains(problem)) {
            let project = problem.project.as_ref().map_or("", ProjectName::as_str);
            warn!(zone = problem.zone, project, error = problem.text, "names left out");
        }
        state.built = built;
        state.problems = problems.iter().cloned().collect();
        self.report.store(Arc::new(ZoneReport { zones, problems }));
        self.generation.send_replace(generation);
        kept
    }

    /// Waits until the zones have what is served now.
    pub async fn settled(&self) {
        let now = *self.publisher.generations().borrow();
        // The sender lives as long as this does.
        let _ = self.generation.subscribe().wait_for(|generation| *generation >= now).await;
    }

    /// What is served, for people.
    pub fn report(&self) -> Arc<ZoneReport> {
        self.report.load_full()
    }

    /// The zone with its serial: that of before, if it says the same.
    fn built(&self, state: &mut State, draft: &Draft) -> (Digest, Arc<Zone>) {
        const VALID: &str = "a draft was built once, and a serial makes no difference";
        let trial = draft.build(Serial::new(0)).expect(VALID);
        let content = Digest::of(ZoneFile(&trial).to_string().as_bytes());
        let origin = trial.origin().to_string();
        if let Some((before, zone)) = state.built.get(&origin)
            && *before == content
        {
            return (content, zone.clone());
        }
        let serial = state.serials.of(&origin, content, self.clock.now());
        (content, Arc::new(draft.build(serial).expect(VALID)))
    }

    fn names(&self) -> Names {
        let manifests = self.publisher.manifests();
        let hosts = match &self.naming.zone {
            Some(zone) => {
                let origin = LowerName::from(&zone.origin);
                let hosts = manifests.iter().flat_map(|manifest| self.hosts(manifest));
                let within = |(host, _): &(HostPattern, ProjectName)| {
                    LowerName::from(&draft::name(host.base())).is_within(&origin)
                };
                hosts.filter(within).collect::<BTreeSet<_>>().into_iter().collect()
            }
            None => Vec::new(),
        };
        let holders = self.publisher.holders();
        let held = || manifests.iter().flat_map(|manifest| held(manifest, &holders));
        let wanted = held().flat_map(|(_, entry)| aliases(&entry.records));
        let wanted: Wanted = wanted.map(|(_, target)| target.clone()).collect();
        self.targets.wanted.send_if_modified(|current| {
            let differs = *current != wanted;
            *current = wanted;
            differs
        });
        let found = self.targets.found.borrow().clone();
        let domain = |(project, entry): (&ProjectName, &DomainEntry)| ProjectDomain {
            host: entry.host.clone(),
            project: project.clone(),
            records: records(&entry.records, &found),
            aliased: aliases(&entry.records).map(|(owner, _)| owner).collect(),
        };
        let domains = held().map(domain).collect();
        Names { naming: self.naming.clone(), hosts, domains }
    }

    /// The aliases of a project, and for what is two labels below the zone the wildcard that certificates have.
    fn hosts(&self, manifest: &Manifest) -> Vec<(HostPattern, ProjectName)> {
        let hosts = self.aliases.hosts_of(manifest);
        let wildcards: BTreeSet<_> =
            hosts.iter().map(|host| self.aliases.certified(host)).collect();
        let project = &manifest.revision.project;
        hosts.into_iter().chain(wildcards).map(|host| (host, project.clone())).collect()
    }
}

/// Each domain that a project is served under: what it names and does not hold is not its to speak for.
fn held<'m>(
    manifest: &'m Manifest,
    holders: &'m Holders,
) -> impl Iterator<Item = (&'m ProjectName, &'m DomainEntry)> {
    let project = &manifest.revision.project;
    let held =
        manifest.domains.iter().filter(move |entry| holders.get(&entry.host) == Some(project));
    held.map(move |entry| (project, entry))
}
