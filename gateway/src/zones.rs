//! Zones: the names this node answers for, made of what is served.
//!
//! ```text
//! node.yaml: zone ──► Naming ─┐
//! publisher's manifests ──────┼─► draft ─► Draft ─► Serials ─► dns::Zones
//! AliasTargets ───────────────┘  (pure)   records, problems   never go back
//! ```
//!
//! The operator's zone has the hosts of projects. Each domain of a project that lies outside of it gets a
//! zone of its own, at the name that its owner delegates: the base of the domain resource, or that of
//! another domain of the same project above it. What is wrong with one zone leaves that one out, is logged
//! once and shown by `headgate dns`; all others are served.

mod alias_targets;
mod draft;
mod keeper;
mod records;
mod serials;
mod territory;
mod view;

use std::{net::IpAddr, sync::Arc};

use headgate_certs::acme::issuer_domain;
use headgate_dns::{Name, RData};
use headgate_types::{HostPattern, ProjectName};

pub use self::{
    alias_targets::{AliasTargets, Found, Pace, Wanted},
    draft::{Draft, draft},
    keeper::{Targets, ZoneKeeper, ZoneReport, Zoned},
    serials::{Serials, SerialsError},
    view::Nameplate,
};
use crate::node_config::NodeConfig;

/// What the operator says of names. All of it holds as long as the process.
#[derive(Debug, Clone, Default)]
pub struct Naming {
    pub zone: Option<OperatorZone>,
    /// What every host resolves to.
    pub addresses: Vec<IpAddr>,
}

/// The zone in which projects have hosts.
#[derive(Debug, Clone)]
pub struct OperatorZone {
    pub origin: Name,
    /// At least one. Those of every zone here.
    pub nameservers: Vec<Name>,
    /// The mailbox of who is responsible, as a name.
    pub contact: Name,
    /// The one authority that may certify names of this zone, as CAA calls it; any, if there is none. What the
    /// local authority signs is trusted by those who chose to, whatever CAA says.
    pub issuer: Option<&'static str>,
}

/// One domain of a project.
#[derive(Debug, Clone)]
pub struct ProjectDomain {
    pub host: HostPattern,
    pub project: ProjectName,
    /// What its owner wants to stand there beside the addresses of this node.
    pub records: Vec<DomainRecord>,
    /// Where its owner wants the addresses of another name, whether or not they are known.
    pub aliased: Vec<Name>,
}

/// A record of a project's domain.
#[derive(Debug, Clone)]
pub struct DomainRecord {
    pub owner: Name,
    pub ttl: u32,
    pub data: RData,
}

/// A zone, or a part of one, that is not served.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct ZoneProblem {
    /// The zone's origin, to its root.
    pub zone: String,
    /// Whose domain it is; none if it is the operator's.
    pub project: Option<ProjectName>,
    pub text: String,
}

impl Naming {
    pub fn of(config: &NodeConfig) -> Self {
        let zone = config.zone.as_ref().map(|zone| OperatorZone {
            origin: draft::name(&zone.name),
            nameservers: zone.nameservers.iter().map(draft::name).collect(),
            contact: draft::mailbox(&zone.contact),
            issuer: config.tls.acme.as_ref().and_then(|acme| issuer_domain(&acme.directory)),
        });
        Self { zone, addresses: config.public_addresses() }
    }
}

/// What zones are made of, at one time.
#[derive(Debug, Clone, Default)]
pub struct Names {
    pub naming: Arc<Naming>,
    /// Hosts in the operator's zone, beside what its wildcard covers, and the projects that are called so.
    pub hosts: Vec<(HostPattern, ProjectName)>,
    pub domains: Vec<ProjectDomain>,
}
