//! `Snapshot`: everything a request needs, of one generation, immutable.
//!
//! It is built whole from manifests and published by one swap; a reader holds either the old one or
//! the new one, never half. Nothing in it is computed per request.

mod aliases;
mod hosts;

use std::{
    collections::{BTreeSet, HashMap, HashSet},
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

pub use self::{
    aliases::{Aliases, host_label},
    hosts::{HostRule, HostRules},
};
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
    rules: Arc<HostRules>,
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
            rules: Arc::default(),
        }
    }

    /// The next generation: the claims of everything that is served, in order of acceptance, and the
    /// aliases that no other project claimed before they came to be. Of the hosts that projects name, each
    /// has those that it `holds`; aliases are this node's own.
    pub(crate) fn build(
        generation: Generation,
        served: &[Arc<Served>],
        holders: &Holders,
        aliases: &Aliases,
    ) -> Self {
        let mut routes = RouteTableBuilder::new();
        let mut hosts: BTreeSet<_> = aliases.always_certified().into_iter().collect();
        let mut claimed = HashMap::new();
        for served in served {
            let project = &served.manifest.revision.project;
            let domains = served.manifest.domains.iter().map(|domain| &domain.host);
            let kept: HashSet<_> =
                domains.filter(|host| holders.get(*host) != Some(project)).collect();
            for (claim, route) in served.claims.iter().filter(|(c, _)| !kept.contains(&c.host)) {
                claimed.entry(claim.host.clone()).or_insert(project);
                hosts.insert(claim.host.clone());
                routes.add(claim.clone(), route.clone());
            }
        }
        for (claim, route) in served.iter().flat_map(|served| &served.aliases) {
            match claimed.get(&claim.host) {
                Some(owner) if **owner != route.revision.project => continue,
                Some(_) => {}
                None => drop(hosts.insert(aliases.certified(&claim.host))),
            }
            routes.add(claim.clone(), route.clone());
        }
        Self {
            generation,
            revisions: served.iter().map(|served| served.manifest.revision.clone()).collect(),
            routes: routes.build(),
            hosts: hosts.into_iter().collect(),
            rules: Arc::default(),
        }
    }

    /// The same under these rules.
    pub fn ruled_by(self, rules: Arc<HostRules>) -> Self {
        Self { rules, ..self }
    }

    pub fn rules(&self) -> &Arc<HostRules> {
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

    /// Every host that has a route.
    pub(crate) fn routed(&self) -> HashSet<&HostPattern> {
        self.routes.routes().map(|(claim, _)| &claim.host).collect()
    }

    /// Every name that wants a certificate. Together they cover every host that is answered.
    pub fn hosts(&self) -> &[HostPattern] {
        &self.hosts
    }
}

/// One accepted revision, ready to answer. Snapshots that hold the same revision share it, and with it
/// the count of what each function has under way.
#[derive(Debug)]
pub struct Served {
    pub manifest: Arc<Manifest>,
    /// Under the hosts that the project names.
    claims: Claims,
    /// The same under the names the node adds.
    aliases: Claims,
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
        let (mut claims, mut aliases) = (Vec::new(), Vec::new());
        let claimant = Claimant { manifest: &manifest, executor, gate, options };
        for entry in &manifest.functions {
            claimant.function(entry, &mut claims, &mut aliases);
        }
        for entry in &manifest.websites {
            claimant.website(entry, &mut claims, &mut aliases);
        }
        Self { manifest, claims, aliases }
    }
}

type Claims = Vec<(Claim, Arc<Route>)>;

struct Claimant<'a> {
    manifest: &'a Manifest,
    executor: &'a Executor,
    gate: &'a ProjectGate,
    options: &'a ServeOptions,
}

impl Claimant<'_> {
    fn function(&self, entry: &FunctionEntry, claims: &mut Claims, aliases: &mut Claims) {
        let spec = function_spec(self.manifest, entry, &self.options.limits);
        let function = self.executor.function_of(spec, self.gate);
        for pattern in &entry.paths {
            let target = Target::Function(function.clone());
            let route = self.route(&entry.application, &entry.name, pattern.as_str(), target);
            let claim = |host| Claim {
                host,
                kind: RouteKind::Function,
                path: RoutePath::Pattern(pattern.clone()),
                methods: entry.methods,
                name: entry.name.as_str().into(),
            };
            self.claim(&entry.hosts, &entry.domains, &route, claim, claims, aliases);
        }
    }

    fn website(&self, entry: &WebsiteEntry, claims: &mut Claims, aliases: &mut Claims) {
        let site = Arc::new(Site::new(&entry.files));
        for prefix in &entry.prefixes {
            let Ok(path) = prefix.parse::<PathPrefix>() else { continue }; // checked when it was accepted
            let target = Target::Website(site.clone());
            let route = self.route(&entry.application, &entry.name, prefix, target);
            let claim = |host| Claim {
                host,
                kind: RouteKind::Website,
                path: RoutePath::Prefix(path.clone()),
                methods: MethodSet::GET_HEAD,
                name: entry.name.as_str().into(),
            };
            self.claim(&entry.hosts, &entry.domains, &route, claim, claims, aliases);
        }
    }

    /// Claims a route under the hosts of its resource, and under its aliases where they are others. Each once.
    fn claim(
        &self,
        hosts: &[HostPattern],
        domains: &[String],
        route: &Arc<Route>,
        claim: impl Fn(HostPattern) -> Claim,
        claims: &mut Claims,
        aliases: &mut Claims,
    ) {
        let hosts: BTreeSet<_> = hosts.iter().cloned().collect();
        let also = self.options.aliases.hosts(self.manifest, domains);
        let also = also.difference(&hosts);
        aliases.extend(also.map(|host| (claim(host.clone()), route.clone())));
        claims.extend(hosts.into_iter().map(|host| (claim(host), route.clone())));
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
