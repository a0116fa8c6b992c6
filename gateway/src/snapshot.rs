//! `Snapshot`: everything a request needs, of one generation, immutable.
//!
//! It is built whole from manifests and published by one swap; a reader holds either the old one or
//! the new one, never half. Nothing in it is computed per request.

mod hosts;

use std::{
    collections::{BTreeSet, HashSet},
    fmt,
    sync::Arc,
};

use arc_swap::ArcSwap;
use headgate_executor::{
    Entry, Executor, Function, FunctionLimits, FunctionSpec, LinkedModule, ProjectGate,
};
use headgate_routing::{
    Found, PathPrefix, RequestPath, Route as Claim, RouteKind, RoutePath, RouteTable,
    RouteTableBuilder,
};
use headgate_types::{ByteSize, Generation, HostPattern, MethodSet, Revision, Scope};
use headgate_website::Site;

pub use self::hosts::{HostRule, HostRules};
use crate::{
    admin::{self, RouteRow, SnapshotView},
    domains::Holders,
    manifest::{EntryPoint, FunctionEntry, Manifest, WebsiteEntry},
    policy::Policy,
};

pub struct Snapshot {
    pub generation: Generation,
    pub revisions: Vec<Revision>,
    routes: RouteTable<Arc<Route>>,
    hosts: Vec<HostPattern>,
    rules: HostRules,
}

/// One claim of a project on a host and path, ready to answer.
#[derive(Debug)]
pub struct Route {
    pub revision: Revision,
    pub application: Option<Arc<str>>,
    pub name: Arc<str>,
    /// The pattern as written, for logs and metrics: a closed set, unlike the path of a request.
    pub pattern: Box<str>,
    pub policy: Policy,
    pub target: Target,
}

#[derive(Debug, Clone)]
pub enum Target {
    Function(Function),
    Website(Arc<Site>),
}

/// Further names a node answers to, beside those that the projects claim.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Aliases {
    None,
    /// `localhost`, and `<domain>.localhost` for each domain resource.
    /// RFC 6761 §6.3 keeps `localhost.` and what is below it on this machine.
    Localhost,
}

/// The current snapshot. Reading is wait-free; only the publisher writes.
#[derive(Debug)]
pub struct SnapshotCell(ArcSwap<Snapshot>);

/// What the operator sees of it.
impl SnapshotView for SnapshotCell {
    fn generation(&self) -> Generation {
        self.load().generation
    }

    fn routes(&self) -> Vec<RouteRow> {
        let snapshot = self.load();
        let rows = snapshot.routes.routes().map(|(claim, route)| RouteRow {
            host: claim.host.to_string(),
            path: claim.path.as_str().to_owned(),
            methods: claim.methods,
            kind: match claim.kind {
                RouteKind::Function => admin::RouteKind::Function,
                RouteKind::Website => admin::RouteKind::Website,
            },
            name: claim.name.to_string(),
            project: route.revision.project.clone(),
            application: route.application.as_deref().map(str::to_owned),
        });
        rows.collect()
    }
}

impl SnapshotCell {
    pub fn new(first: Snapshot) -> Self {
        Self(ArcSwap::from_pointee(first))
    }

    pub fn load(&self) -> arc_swap::Guard<Arc<Snapshot>> {
        self.0.load()
    }

    pub(crate) fn publish(&self, next: Arc<Snapshot>) {
        self.0.store(next);
    }
}

impl Snapshot {
    pub fn empty() -> Self {
        Self {
            generation: Generation::default(),
            revisions: Vec::new(),
            routes: RouteTableBuilder::new().build(),
            hosts: Vec::new(),
            rules: HostRules::default(),
        }
    }

    /// The next generation: the claims of everything that is served, in order of acceptance. Of the hosts
    /// that projects name, each has those that it `holds`; aliases are this node's own.
    pub(crate) fn build(generation: Generation, served: &[Arc<Served>], holders: &Holders) -> Self {
        let mut routes = RouteTableBuilder::new();
        let mut hosts = BTreeSet::new();
        for served in served {
            let project = &served.manifest.revision.project;
            let domains = served.manifest.domains.iter().map(|domain| &domain.host);
            let kept: HashSet<_> =
                domains.filter(|host| holders.get(*host) != Some(project)).collect();
            for (claim, route) in served.claims.iter().filter(|(c, _)| !kept.contains(&c.host)) {
                hosts.insert(claim.host.clone());
                routes.add(claim.clone(), route.clone());
            }
        }
        Self {
            generation,
            revisions: served.iter().map(|served| served.manifest.revision.clone()).collect(),
            routes: routes.build(),
            hosts: hosts.into_iter().collect(),
            rules: HostRules::default(),
        }
    }

    /// The same under these rules.
    pub fn ruled_by(self, rules: HostRules) -> Self {
        Self { rules, ..self }
    }

    pub fn rules(&self) -> &HostRules {
        &self.rules
    }

    pub fn find<'s, 'p>(
        &'s self,
        host: &str,
        method: &str,
        path: &'p RequestPath<'_>,
    ) -> Found<'s, 'p, Arc<Route>> {
        self.routes.find(host, method, path)
    }

    pub fn routes(&self) -> &RouteTable<Arc<Route>> {
        &self.routes
    }

    /// Every host name that is answered, which is also every name that wants a certificate.
    pub fn hosts(&self) -> &[HostPattern] {
        &self.hosts
    }
}

/// One accepted revision, ready to answer. Snapshots that hold the same revision share it, and with it
/// the count of what each function has under way.
#[derive(Debug)]
pub struct Served {
    pub manifest: Arc<Manifest>,
    claims: Vec<(Claim, Arc<Route>)>,
}

/// What a node adds to every revision it serves.
#[derive(Debug, Clone)]
pub struct ServeOptions {
    pub aliases: Aliases,
    /// Bounds of every function; what a project asks for is cut to them.
    pub limits: FunctionLimits,
    /// Guests of one project that run at once, over all its functions.
    pub project_instances: u32,
    pub max_body: ByteSize,
}

impl Served {
    /// `gate` bounds all functions of the project together, over its revisions.
    pub fn new(
        manifest: Arc<Manifest>,
        executor: &Executor,
        gate: &ProjectGate,
        options: &ServeOptions,
    ) -> Self {
        let mut claims = Vec::new();
        let claimant = Claimant { manifest: &manifest, executor, gate, options };
        for entry in &manifest.functions {
            claimant.function(entry, &mut claims);
        }
        for entry in &manifest.websites {
            claimant.website(entry, &mut claims);
        }
        Self { manifest, claims }
    }
}

struct Claimant<'a> {
    manifest: &'a Manifest,
    executor: &'a Executor,
    gate: &'a ProjectGate,
    options: &'a ServeOptions,
}

impl Claimant<'_> {
    fn function(&self, entry: &FunctionEntry, claims: &mut Vec<(Claim, Arc<Route>)>) {
        let spec = function_spec(self.manifest, entry, &self.options.limits);
        let function = self.executor.function_of(spec, self.gate);
        let hosts = self.hosts(&entry.hosts, &entry.domains);
        for pattern in &entry.paths {
            let target = Target::Function(function.clone());
            let route = self.route(&entry.application, &entry.name, pattern.as_str(), target);
            claims.extend(hosts.iter().map(|host| {
                let claim = Claim {
                    host: host.clone(),
                    kind: RouteKind::Function,
                    path: RoutePath::Pattern(pattern.clone()),
                    methods: entry.methods,
                    name: entry.name.as_str().into(),
                };
                (claim, route.clone())
            }));
        }
    }

    fn website(&self, entry: &WebsiteEntry, claims: &mut Vec<(Claim, Arc<Route>)>) {
        let site = Arc::new(Site::new(&entry.files));
        let hosts = self.hosts(&entry.hosts, &entry.domains);
        for prefix in &entry.prefixes {
            let Ok(path) = prefix.parse::<PathPrefix>() else { continue }; // checked when it was accepted
            let target = Target::Website(site.clone());
            let route = self.route(&entry.application, &entry.name, prefix, target);
            claims.extend(hosts.iter().map(|host| {
                let claim = Claim {
                    host: host.clone(),
                    kind: RouteKind::Website,
                    path: RoutePath::Prefix(path.clone()),
                    methods: MethodSet::GET_HEAD,
                    name: entry.name.as_str().into(),
                };
                (claim, route.clone())
            }));
        }
    }

    fn route(
        &self,
        application: &Option<String>,
        name: &str,
        pattern: &str,
        target: Target,
    ) -> Arc<Route> {
        Arc::new(Route {
            revision: self.manifest.revision.clone(),
            application: application.as_deref().map(Into::into),
            name: name.into(),
            pattern: pattern.into(),
            policy: Policy::new(self.options.max_body),
            target,
        })
    }

    /// The hosts a resource is routed under, its aliases included, each once.
    fn hosts(&self, hosts: &[HostPattern], domains: &[String]) -> BTreeSet<HostPattern> {
        let mut claimed: BTreeSet<HostPattern> = hosts.iter().cloned().collect();
        if self.options.aliases == Aliases::Localhost {
            let named = domains.iter().map(|name| format!("{name}.localhost"));
            let aliases = named.chain(["localhost".to_owned()]);
            claimed.extend(aliases.filter_map(|name| name.parse().ok()));
        }
        claimed
    }
}

/// What the executor is told of a function: what it asks for, cut to the node's limits.
pub(crate) fn function_spec(
    manifest: &Manifest,
    entry: &FunctionEntry,
    limits: &FunctionLimits,
) -> FunctionSpec {
    FunctionSpec {
        scope: Scope {
            project: manifest.revision.project.clone(),
            application: entry.application.as_deref().map(Into::into),
            function: entry.name.as_str().into(),
            branch: manifest.revision.branch.clone(),
        },
        id: entry.id.clone(),
        project_id: manifest.project_id.clone(),
        commit: manifest.revision.commit.clone(),
        artefact: entry.artefact,
        linked: entry
            .linked
            .iter()
            .map(|linked| LinkedModule {
                name: linked.module.as_str().into(),
                artefact: linked.artefact,
            })
            .collect(),
        entry: match &entry.entry {
            EntryPoint::Component => Entry::Component,
            EntryPoint::Core(export) => Entry::Core { export: export.as_str().into() },
        },
        limits: FunctionLimits {
            memory: entry.memory.min(limits.memory),
            deadline: entry.deadline.min(limits.deadline),
            ..*limits
        },
        variables: entry.variables.iter().map(|(k, v)| (k.clone(), v.clone())).collect(),
    }
}

impl fmt::Debug for Snapshot {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Snapshot")
            .field("generation", &self.generation)
            .field("revisions", &self.revisions)
            .field("hosts", &self.hosts.len())
            .finish_non_exhaustive()
    }
}
