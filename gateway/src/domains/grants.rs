//! `Grants`: which project serves a host, if several are accepted with it or its owner has not spoken yet.

use std::collections::{HashMap, HashSet};

use arc_swap::ArcSwap;
use headgate_types::{HostPattern, ProjectName, Timestamp};

use super::ClaimKey;
use crate::{
    manifest::Manifest,
    node_config::{FollowedProject, OwnershipRule},
    snapshot::Aliases,
};

/// The project that has each host. A host that is missing is nobody's yet.
pub(crate) type Holders = HashMap<HostPattern, ProjectName>;

/// What the publisher goes by. Read and replaced whole; nothing is looked up here.
#[derive(Debug, Default)]
pub struct Grants {
    /// The names that projects have in the operator's zone need nobody's word.
    aliases: Aliases,
    /// The projects whose hosts need their owners' word. All others are trusted.
    asked: ArcSwap<HashSet<ProjectName>>,
    /// Since when a claim is verified.
    verified: ArcSwap<HashMap<ClaimKey, Timestamp>>,
}

impl Grants {
    /// By what `node.yaml` says of each project.
    pub(crate) fn of(projects: &[FollowedProject], aliases: Aliases) -> Self {
        let grants = Self { aliases, ..Self::default() };
        grants.ask(projects);
        grants
    }

    /// The list of projects changed.
    pub(crate) fn ask(&self, projects: &[FollowedProject]) {
        let asked = projects.iter().filter(|project| project.ownership == OwnershipRule::Verify);
        self.asked.store(asked.map(|project| project.name.clone()).collect::<HashSet<_>>().into());
    }

    pub(crate) fn asks(&self, project: &ProjectName) -> bool {
        self.asked.load().contains(project)
    }

    /// Whether the operator gave this host to the project: it is, or lies below, that which the project has
    /// in the operator's zone.
    pub(super) fn is_given(&self, project: &ProjectName, host: &HostPattern) -> bool {
        let Some(own) = self.aliases.host_of(project) else { return false };
        let below = host.base().as_str().strip_suffix(own.as_str());
        below.is_some_and(|rest| rest.is_empty() || rest.ends_with('.'))
    }

    pub(super) fn verify(&self, verified: HashMap<ClaimKey, Timestamp>) {
        self.verified.store(verified.into());
    }

    /// Who has which host. A trusted project goes before those whose owners spoke, these in the order in which
    /// they did; of several trusted ones the first counts. So a pending claim, however old, keeps nobody from
    /// a host: whoever squats on a name cannot block its owner.
    ///
    /// `manifests` in order of first acceptance.
    pub(crate) fn holders<'a>(&self, manifests: impl IntoIterator<Item = &'a Manifest>) -> Holders {
        let (asked, verified) = (self.asked.load(), self.verified.load());
        let mut claims = Vec::new();
        for manifest in manifests {
            let project = &manifest.revision.project;
            for domain in &manifest.domains {
                let asked = asked.contains(project) && !self.is_given(project, &domain.host);
                let since = match asked {
                    false => Some(Timestamp::default()),
                    true => verified.get(&ClaimKey::of(manifest, &domain.host)).copied(),
                };
                claims.extend(since.map(|since| (since, &domain.host, project)));
            }
        }
        claims.sort_by_key(|(since, _, _)| *since); // stable, so that acceptance decides between equals
        let mut holders = Holders::with_capacity(claims.len());
        for (_, host, project) in claims {
            holders.entry(host.clone()).or_insert_with(|| project.clone());
        }
        holders
    }
}
