//! Which hosts belong to other projects.
//!
//! Patterns that overlap in either direction are the same claim: who owns `*.example.com` owns every
//! name directly below it, and who owns one of these names keeps it from becoming part of a wildcard.

use std::collections::HashMap;

use headgate_project::{Diagnostic, Place, diagnostic::codes};
use headgate_types::{DomainName, HostPattern, ProjectName};

use crate::{domains::Holders, manifest::Manifest};

/// The hosts of all projects but one, found without comparing each with each.
#[derive(Debug, Default)]
pub(super) struct HostOwners<'a> {
    exact: HashMap<&'a str, &'a ProjectName>,
    /// By what stands behind `*.`.
    wildcards: HashMap<&'a str, &'a ProjectName>,
    /// By parent, the first of the exact names directly below it.
    below: HashMap<&'a str, (&'a DomainName, &'a ProjectName)>,
}

/// A host somebody else has.
struct Taken<'a> {
    owner: &'a ProjectName,
    /// Their pattern, if it is another than the one asked for.
    overlapping: Option<HostPattern>,
}

impl<'a> HostOwners<'a> {
    /// `manifests` in order of first acceptance; of two that have the same host the first one counts. What
    /// a project names and does not hold, because its owner has not spoken yet, keeps nobody from it.
    pub(super) fn other_than(
        project: &ProjectName,
        manifests: impl IntoIterator<Item = &'a Manifest>,
        holders: &Holders,
    ) -> Self {
        let mut owners = Self::default();
        let others = manifests.into_iter().filter(|other| other.revision.project != *project);
        for manifest in others {
            let owner = &manifest.revision.project;
            let held = manifest.domains.iter().map(|domain| &domain.host);
            for host in held.filter(|host| holders.get(*host) == Some(owner)) {
                owners.insert(host, owner);
            }
        }
        owners
    }

    /// Adds hosts that are kept for projects whether or not they claim them.
    pub(super) fn reserve(&mut self, hosts: &'a [(HostPattern, ProjectName)]) {
        for (host, owner) in hosts {
            self.insert(host, owner);
        }
    }

    fn insert(&mut self, host: &'a HostPattern, owner: &'a ProjectName) {
        match host {
            HostPattern::Exact(name) => {
                self.exact.entry(name.as_str()).or_insert(owner);
                if let Some(parent) = name.parent() {
                    self.below.entry(parent).or_insert((name, owner));
                }
            }
            HostPattern::Wildcard(base) => {
                self.wildcards.entry(base.as_str()).or_insert(owner);
            }
        }
    }

    fn find(&self, wanted: &HostPattern) -> Option<Taken<'a>> {
        let same = match wanted {
            HostPattern::Exact(name) => self.exact.get(name.as_str()),
            HostPattern::Wildcard(base) => self.wildcards.get(base.as_str()),
        };
        if let Some(owner) = same {
            return Some(Taken { owner, overlapping: None });
        }
        let (overlapping, owner) = match wanted {
            HostPattern::Exact(name) => {
                let parent = name.parent()?;
                let owner = self.wildcards.get(parent)?;
                (HostPattern::Wildcard(parent.parse().ok()?), *owner)
            }
            HostPattern::Wildcard(base) => {
                let (name, owner) = self.below.get(base.as_str())?;
                (HostPattern::Exact((*name).clone()), *owner)
            }
        };
        Some(Taken { owner, overlapping: Some(overlapping) })
    }

    /// One diagnostic for each of these domains that another project has, at its place if that is known.
    pub(super) fn conflicts<'d>(
        &self,
        domains: impl Iterator<Item = (&'d HostPattern, Option<&'d Place>)>,
    ) -> Vec<Diagnostic> {
        let taken = domains.filter_map(|(host, place)| Some((host, place, self.find(host)?)));
        taken
            .map(|(host, place, Taken { owner, overlapping })| {
                let text = match &overlapping {
                    None => format!("`{host}` is already served for the project `{owner}`"),
                    Some(theirs) => {
                        format!("`{host}` overlaps with `{theirs}` of the project `{owner}`")
                    }
                };
                let mut diagnostic = Diagnostic::error(codes::HOST_TAKEN, text);
                if let Some(place) = place {
                    diagnostic = diagnostic.at(place.clone());
                }
                if let Some(theirs) = overlapping {
                    diagnostic = diagnostic.note(format!(
                        "the project that was accepted first with `{theirs}` keeps every name under it"
                    ));
                }
                diagnostic.hint("remove the domain there first, or choose another name here")
            })
            .collect()
    }
}
