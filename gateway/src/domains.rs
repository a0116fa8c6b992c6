//! `Domains`: every host of what is served, whether it is its project's, and what its owner enters in DNS.
//!
//! ```text
//! Publisher ── claims ──► Domains ── look up ──► DNS
//!     ▲                      │ Standing: verified or pending, and when to ask again
//!     └────── Grants ◄───────┴──► ownership.json, for the next start
//! ```
//!
//! A reconciler: woken by a snapshot, by the clock or by an operator, it compares the claims of projects under
//! `ownership: verify` with what it knows, and asks for those that are due. What it learns, it grants; the
//! publisher serves a host to who holds it, without a new revision. No request waits for it.

mod grants;
mod kept;
mod key;
mod standing;

use std::{
    collections::{BTreeMap, HashMap, HashSet},
    mem,
    path::{Path, PathBuf},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use async_trait::async_trait;
use futures::{StreamExt, stream};
use headgate_outbound::{LookupError, Resolver};
use headgate_ownership::{Claim, Found, Ownership, Proof, Record, Rules};
use headgate_types::{Chain, Clock, HostPattern, ProjectName, Timestamp};
use serde::{Deserialize, Serialize};
use tokio::{sync::Notify, task};
use tokio_util::sync::CancellationToken;
use tracing::{error, info, warn};

pub(crate) use self::grants::Holders;
use self::standing::{GRACE, Seen, Standing, Verified};
pub use self::{grants::Grants, key::KeyError};
use crate::{
    admin::{DomainRow, DomainsView},
    event::{Event, Reporter},
    manifest::Manifest,
    publisher::Publisher,
};

/// Lookups at one time: enough that a silent name server delays few others, few enough for any resolver.
const LOOKS: usize = 8;
/// Looks of one round, those that are due longest first, so that what is learnt is granted meanwhile.
const ROUND: usize = 256;
/// Between two rounds at least, which bounds how much of a resolver's time we take.
const SHORTEST_REST: Duration = Duration::from_secs(1);
/// The wall clock may be set; nothing is slept through for longer.
const LONGEST_REST: Duration = Duration::from_secs(60);

/// One claim of one project on one host. The id is part of what an owner's record says.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub(crate) struct ClaimKey {
    host: HostPattern,
    project: ProjectName,
    project_id: String,
}

impl ClaimKey {
    fn of(manifest: &Manifest, host: &HostPattern) -> Self {
        let (project, project_id) =
            (manifest.revision.project.clone(), manifest.project_id.clone());
        Self { host: host.clone(), project, project_id }
    }

    fn claim(&self) -> Claim<'_> {
        Claim { host: &self.host, project: &self.project, project_id: &self.project_id }
    }
}

/// What is served, seen as claims on hosts.
pub struct Domains {
    rules: Rules,
    publisher: Arc<Publisher>,
    /// `None` where whatever a project names is served.
    asking: Option<Asking>,
}

/// How a node that asks does it.
pub struct AskingParts {
    pub grants: Arc<Grants>,
    pub resolver: Resolver,
    pub clock: Arc<dyn Clock>,
    pub reporter: Arc<dyn Reporter>,
}

struct Asking {
    parts: AskingParts,
    file: PathBuf,
    standings: Mutex<HashMap<ClaimKey, Standing>>,
    /// What the file says.
    written: Mutex<BTreeMap<ClaimKey, Verified>>,
    /// The projects that have to be verified changed.
    changed: Notify,
}

impl Domains {
    /// For a machine that serves whatever its developer names.
    pub fn trusting(publisher: Arc<Publisher>) -> Self {
        Self { rules: Rules::TrustAll, publisher, asking: None }
    }

    /// With the key in the state folder, which is made the first time, and what was verified before. From
    /// now on the publisher serves that.
    ///
    /// # Errors
    /// If the key can neither be read nor made.
    pub fn asking(
        state: &Path,
        publisher: Arc<Publisher>,
        parts: AskingParts,
    ) -> Result<Self, KeyError> {
        let rules = Rules::Ask { key: key::open(state)?, taubyte: None };
        let file = kept::path(state);
        let kept = kept::read(&file).unwrap_or_else(|error| {
            error!(path = %file.display(), %error, "ownership not read, every host is verified anew");
            Vec::new()
        });
        let now = parts.clock.now();
        let remembered = kept.iter().map(|(key, verified)| {
            (key.clone(), Standing::remembered(*verified, now, rand::random()))
        });
        let standings = Mutex::new(remembered.collect());
        let written: BTreeMap<_, _> = kept.into_iter().collect();
        parts.grants.verify(written.iter().map(|(key, known)| (key.clone(), known.at)).collect());
        let written = Mutex::new(written);
        let asking = Asking { parts, file, standings, written, changed: Notify::new() };
        Ok(Self { rules, publisher, asking: Some(asking) })
    }

    /// Another list of projects is followed, or they are asked for otherwise.
    pub(crate) fn reconfigured(&self) {
        if let Some(asking) = &self.asking {
            asking.changed.notify_one();
        }
    }

    /// Asks until it is told to stop.
    pub(crate) async fn run(self: Arc<Self>, stop: CancellationToken) {
        let Some(asking) = &self.asking else { return };
        let mut generations = self.publisher.generations();
        let running = async {
            loop {
                generations.mark_unchanged();
                let rest = self.reconcile(asking).await.clamp(SHORTEST_REST, LONGEST_REST);
                tokio::select! {
                    // The publisher is there as long as this is.
                    _ = generations.changed() => {}
                    () = asking.changed.notified() => {}
                    () = tokio::time::sleep(rest) => {}
                }
            }
        };
        stop.run_until_cancelled(running).await;
    }

    /// Asks for what is due, grants what follows from it, and returns how long there is nothing to do.
    async fn reconcile(&self, asking: &Asking) -> Duration {
        let claims = self.claims(asking);
        let now = asking.parts.clock.now();
        let mut due: Vec<_> = {
            let mut standings = asking.standings();
            standings.retain(|key, _| claims.contains(key));
            for key in claims {
                standings.entry(key).or_insert_with(Standing::pending);
            }
            let due = standings.iter().filter(|(_, standing)| standing.next_at <= now);
            due.map(|(key, standing)| (standing.next_at, key.clone())).collect()
        };
        due.sort_unstable();
        due.truncate(ROUND);
        self.ask(asking, due.into_iter().map(|(_, key)| key).collect()).await;
        let standings = asking.standings();
        let next = standings.values().map(|standing| standing.next_at).min();
        next.map_or(LONGEST_REST, |next| next.since(asking.parts.clock.now()))
    }

    /// Every claim that needs its owner's word.
    fn claims(&self, asking: &Asking) -> HashSet<ClaimKey> {
        let manifests = self.publisher.manifests();
        let asked = manifests.iter().filter(|m| asking.parts.grants.asks(&m.revision.project));
        let claims = asked.flat_map(|manifest| {
            let project = &manifest.revision.project;
            let claimed = manifest.domains.iter().map(|domain| &domain.host);
            let claimed = claimed.filter(|host| !asking.parts.grants.is_given(project, host));
            claimed.map(|host| ClaimKey::of(manifest, host))
        });
        claims.collect()
    }

    async fn ask(&self, asking: &Asking, claims: Vec<ClaimKey>) {
        let looks = stream::iter(claims).map(async |key: ClaimKey| {
            let seen = self.look(&asking.parts.resolver, &key, asking.parts.clock.now()).await;
            let record = self.rules.wanted(key.claim()).into_iter().next();
            asking.learn(&key, record, seen)
        });
        let news: Vec<_> =
            looks.buffer_unordered(LOOKS).filter_map(async |news| news).collect().await;
        self.grant(asking).await;
        for event in news {
            asking.parts.reporter.report(event);
        }
    }

    /// What DNS says to one claim.
    async fn look(&self, resolver: &Resolver, key: &ClaimKey, now: Timestamp) -> Seen {
        let (mut found, mut silent) = (Vec::new(), None);
        for record in self.rules.wanted(key.claim()) {
            let strings = match resolver.txt(&record.name).await {
                Ok(strings) => strings,
                Err(LookupError::NotFound | LookupError::NoRecords) => Vec::new(),
                Err(error) => {
                    silent = Some(format!("{}: {}", record.name, Chain(&error)));
                    Vec::new()
                }
            };
            let text = |bytes: Vec<u8>| String::from_utf8_lossy(&bytes).into_owned();
            found.push((record.name, strings.into_iter().map(text).collect::<Vec<_>>()));
        }
        let strings: Vec<_> = found.iter().map(|(name, strings)| Found { name, strings }).collect();
        if let Ownership::Verified { by } = self.rules.judge(key.claim(), &strings, now) {
            return Seen::Shown(by);
        }
        if let Some(silent) = silent {
            return Seen::Unanswered(silent);
        }
        let name = found.first().map_or("", |(name, _)| name);
        Seen::Absent(match found.iter().any(|(_, strings)| !strings.is_empty()) {
            true => format!("the TXT record at {name} is not the one of this project"),
            false => format!("there is no TXT record at {name}"),
        })
    }

    /// Writes down what is verified, and has the publisher serve it.
    async fn grant(&self, asking: &Asking) {
        let verified = asking.verified();
        let since = verified.iter().map(|(key, known)| (key.clone(), known.at)).collect();
        if *asking.written() != verified {
            let (file, entries) = (asking.file.clone(), verified.clone());
            let write = move || kept::write(&file, entries.into_iter().collect());
            match task::spawn_blocking(write).await {
                Ok(Ok(())) => *asking.written() = verified,
                // What is verified counts all the same; only a restart would have to ask again.
                Ok(Err(error)) => warn!(%error, "ownership not written"),
                Err(error) => error!(%error, "writing ownership panicked"),
            }
        }
        asking.parts.grants.verify(since);
        let publisher = self.publisher.clone();
        match task::spawn_blocking(move || publisher.regrant()).await {
            Ok(Ok(())) => {}
            Ok(Err(error)) => error!(error = %Chain(&error), "verified hosts are not served yet"),
            Err(error) => error!(%error, "publishing verified hosts panicked"),
        }
    }

    fn row(&self, manifest: &Manifest, host: &HostPattern, holders: &Holders) -> DomainRow {
        let revision = &manifest.revision;
        let key = ClaimKey::of(manifest, host);
        let asking =
            self.asking.as_ref().filter(|asking| asking.parts.grants.asks(&revision.project));
        let standing = asking.and_then(|asking| asking.standings().get(&key).cloned());
        let given = |asking: &&Asking| asking.parts.grants.is_given(&revision.project, host);
        let ownership = match standing.as_ref().and_then(|standing| standing.verified) {
            Some(Verified { by, .. }) => Ownership::Verified { by },
            None if self.asking.as_ref().is_some_and(|asking| given(&asking)) => {
                Ownership::Verified { by: Proof::Generated }
            }
            None => self.rules.pending(key.claim()),
        };
        let holder = holders.get(host);
        let said = standing.as_ref().and_then(|standing| standing.said.clone());
        let other = holder.filter(|holder| **holder != revision.project);
        DomainRow {
            host: host.to_string(),
            project: revision.project.clone(),
            branch: revision.branch.clone(),
            checked: standing.as_ref().is_some_and(|standing| standing.looked_at.is_some()),
            enforced: asking.is_some(),
            served: holder == Some(&revision.project),
            looked_at: standing.as_ref().and_then(|standing| standing.looked_at),
            next_at: standing.as_ref().map(|standing| standing.next_at),
            said: other.map(|other| format!("it is served for the project {other}")).or(said),
            ownership,
        }
    }
}

impl Asking {
    /// Takes in what a look found; the event tells those who wait for it.
    fn learn(&self, key: &ClaimKey, record: Option<Record>, seen: Seen) -> Option<Event> {
        let (host, project) = (&key.host, &key.project);
        let now = self.parts.clock.now();
        let (before, after) = {
            let mut standings = self.standings();
            let standing = standings.entry(key.clone()).or_insert_with(Standing::pending);
            let before = standing.clone();
            *standing = mem::take(standing).after(seen, now, rand::random());
            (before, standing.clone())
        };
        let why = after.said.clone().unwrap_or_default();
        match (before.verified, after.verified) {
            (None, Some(_)) => {
                info!(%host, %project, "host verified");
                Some(Event::HostVerified { project: project.clone(), host: host.clone() })
            }
            (Some(_), None) => {
                warn!(%host, %project, %why, "host no longer verified");
                Some(pending(key, record, why))
            }
            (None, None) if after.misses == 1 => {
                info!(%host, %project, %why, "host pending");
                Some(pending(key, record, why))
            }
            (
                Some(Verified { absent_since: None, .. }),
                Some(Verified { absent_since: Some(_), .. }),
            ) => {
                let days = GRACE.as_secs() / (24 * 60 * 60);
                warn!(%host, %project, %why, days, "record of a verified host is gone");
                None
            }
            _ => None,
        }
    }

    fn verified(&self) -> BTreeMap<ClaimKey, Verified> {
        let standings = self.standings();
        let verified =
            standings.iter().filter_map(|(key, standing)| Some((key.clone(), standing.verified?)));
        verified.collect()
    }

    /// Changed whole, one entry at a time, so a panic left nothing half done.
    fn standings(&self) -> MutexGuard<'_, HashMap<ClaimKey, Standing>> {
        self.standings.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn written(&self) -> MutexGuard<'_, BTreeMap<ClaimKey, Verified>> {
        self.written.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn pending(key: &ClaimKey, record: Option<Record>, why: String) -> Event {
    let (project, host) = (key.project.clone(), key.host.clone());
    Event::HostPending { project, host, record, why }
}

#[async_trait]
impl DomainsView for Domains {
    fn domains(&self) -> Vec<DomainRow> {
        let holders = self.publisher.holders();
        let mut rows = Vec::new();
        for manifest in self.publisher.manifests() {
            let domains = manifest.domains.iter();
            rows.extend(domains.map(|domain| self.row(&manifest, &domain.host, &holders)));
        }
        rows.sort_by(|a, b| (&a.host, &a.project).cmp(&(&b.host, &b.project)));
        rows.dedup_by(|a, b| (&a.host, &a.project, &a.branch) == (&b.host, &b.project, &b.branch));
        rows
    }

    async fn check(&self, host: &HostPattern) -> Vec<DomainRow> {
        if let Some(asking) = &self.asking {
            let claims = self.claims(asking).into_iter().filter(|key| key.host == *host);
            self.ask(asking, claims.collect()).await;
        }
        let host = host.to_string();
        self.domains().into_iter().filter(|row| row.host == host).collect()
    }
}

impl std::fmt::Debug for Domains {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Domains").field("rules", &self.rules).finish_non_exhaustive()
    }
}

impl std::fmt::Debug for AskingParts {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("AskingParts").field("grants", &self.grants).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests;
