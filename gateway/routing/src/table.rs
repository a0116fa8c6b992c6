//! `RouteTable`: the routes of one generation, and how one is found.

use std::fmt;

use headgate_types::MethodSet;

use crate::{
    claim::{Claim, Span, Texts},
    host_index::{HostIndex, Place},
    params::Params,
    path::RequestPath,
    route::Route,
    str_map::StrMap,
    tree::Node,
};

/// All routes of a node, immutable; made by a [`crate::RouteTableBuilder`].
///
/// A host is either known by its own name, or by the wildcard one label up. The name owns the host
/// alone: what it does not route is not looked for under the wildcard, as with certificates and DNS.
pub struct RouteTable<T> {
    pub(crate) hosts: HostIndex,
    /// By the name behind `*.`.
    pub(crate) wildcards: HostIndex,
    /// By host, then best first.
    pub(crate) claims: Box<[Claim]>,
    pub(crate) large: Box<[LargeHost]>,
    pub(crate) texts: Texts,
    /// By host, then best first. Lookups do not touch them.
    pub(crate) routes: Box<[Route]>,
    /// Of each route.
    pub(crate) targets: Box<[T]>,
}

/// What answers a request.
#[derive(Debug)]
pub enum Found<'t, 'p, T> {
    Route {
        target: &'t T,
        route: &'t Route,
        params: Params<'t, 'p>,
        /// The path below a prefix, percent-encoded: empty, or it begins with `/`. Empty for a pattern.
        rest: &'p str,
    },
    /// 405: the path is claimed, but not for this method; `allow` is never empty.
    MethodNotAllowed { allow: MethodSet },
    /// 404: the host is known, the path is not.
    NotFound,
    /// Nobody claims the host.
    UnknownHost,
}

impl<T> RouteTable<T> {
    /// The best route for a request. Allocates nothing.
    ///
    /// `host` must be as in [`crate::RequestHost`]; any other spelling is an unknown host.
    pub fn find<'t, 'p>(
        &'t self,
        host: &str,
        method: &str,
        path: &'p RequestPath<'_>,
    ) -> Found<'t, 'p, T> {
        let Some(place) = self.place(host) else { return Found::UnknownHost };
        let method = MethodSet::of(method).unwrap_or(MethodSet::EMPTY);
        let best = match place {
            Place::Few { .. } => self.few(place).iter().find(|claim| {
                claim.methods.intersects(method) && claim.covers(&self.texts, path.decoded())
            }),
            Place::Many(index) => self.best_of_many(&self.large[index as usize], method, path),
        };
        match best {
            Some(claim) => self.found(claim, path),
            None => match self.allowed(place, path) {
                allow if allow.is_empty() => Found::NotFound,
                allow => Found::MethodNotAllowed { allow },
            },
        }
    }

    /// Whether any route claims this host, for example to greet a TLS client.
    pub fn knows_host(&self, host: &str) -> bool {
        self.place(host).is_some()
    }

    /// All routes: by host, and for each in the order in which they are tried.
    pub fn routes(&self) -> impl ExactSizeIterator<Item = (&Route, &T)> {
        self.routes.iter().zip(&self.targets)
    }

    fn place(&self, host: &str) -> Option<Place> {
        self.hosts.get(host, &self.texts).or_else(|| {
            let (label, base) = host.split_once('.')?;
            if label.is_empty() { None } else { self.wildcards.get(base, &self.texts) }
        })
    }

    fn few(&self, place: Place) -> &[Claim] {
        match place {
            Place::Few { start, count } => {
                &self.claims[start as usize..][..usize::from(count.get())]
            }
            Place::Many(_) => &[],
        }
    }

    fn best_of_many(
        &self,
        host: &LargeHost,
        method: MethodSet,
        path: &RequestPath<'_>,
    ) -> Option<&Claim> {
        let takes = |index: &usize| self.claims[*index].methods.intersects(method);
        let exact = host.exact.get(path.decoded());
        let mut best = exact.and_then(|span| span.range().find(takes));
        // An exact path beats whatever the tree holds.
        if best.is_none() {
            host.tree.walk(path.decoded().get(1..), &mut |span| {
                // The smaller index is the better claim, at one place of the tree and between two.
                best = best.into_iter().chain(span.range().find(takes)).min();
            });
        }
        best.map(|index| &self.claims[index])
    }

    /// The methods of all claims on a path.
    fn allowed(&self, place: Place, path: &RequestPath<'_>) -> MethodSet {
        let allowed = |claim: &Claim| if claim.allows { claim.methods } else { MethodSet::EMPTY };
        let covers = |claim: &&Claim| claim.covers(&self.texts, path.decoded());
        let mut allow: MethodSet = self.few(place).iter().filter(covers).map(allowed).collect();
        if let Place::Many(index) = place {
            let host = &self.large[index as usize];
            let mut add = |span: Span| {
                allow = self.claims[span.range()].iter().map(allowed).fold(allow, MethodSet::with);
            };
            host.exact.get(path.decoded()).copied().into_iter().for_each(&mut add);
            host.tree.walk(path.decoded().get(1..), &mut add);
        }
        allow
    }

    fn found<'t, 'p>(&'t self, claim: &Claim, path: &'p RequestPath<'_>) -> Found<'t, 'p, T> {
        let text = path.as_str();
        let rest = match (claim.prefix, path.is_escaped()) {
            (false, _) => "",
            (true, false) => &text[claim.prefix_len()..],
            (true, true) => {
                let prefix = &self.texts[claim.text()][..claim.prefix_len()];
                below(text, prefix.matches('/').count())
            }
        };
        let index = claim.route as usize;
        let route = &self.routes[index];
        Found::Route { target: &self.targets[index], route, params: Params::new(route, text), rest }
    }
}

/// What follows the first `depth` segments.
fn below(path: &str, depth: usize) -> &str {
    path.match_indices('/').nth(depth).map_or("", |(at, _)| &path[at..])
}

/// A host with so many claims that reading all of them for each request would take too long.
#[derive(Debug)]
pub(crate) struct LargeHost {
    /// By decoded path.
    pub(crate) exact: StrMap<Span>,
    /// Patterns with parameters, and prefixes.
    pub(crate) tree: Node,
}

impl<T> fmt::Debug for RouteTable<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RouteTable")
            .field("hosts", &self.hosts.len())
            .field("wildcards", &self.wildcards.len())
            .field("routes", &self.routes.len())
            .finish()
    }
}
