//! `Conflict`: routes that can never answer.

use std::collections::BTreeMap;

use headgate_types::MethodSet;

use crate::{builder::same_paths, claim::Claim, route::Route, table::RouteTable};

/// Two routes claim the same host, path and methods; the tie-break gives them all to one of the two.
#[derive(Debug, PartialEq, Eq)]
pub struct Conflict<'t> {
    pub winner: &'t Route,
    pub loser: &'t Route,
    /// What the loser claimed in vain.
    pub methods: MethodSet,
}

impl<T> RouteTable<T> {
    /// Every route that loses a method to an equal one, with the first it loses to, in table order.
    ///
    /// Paths are equal if they differ at most in the names of parameters; a prefix equals the exact path.
    pub fn conflicts(&self) -> Vec<Conflict<'_>> {
        let mut lost = BTreeMap::new();
        let equal = |a: &Claim, b: &Claim| {
            let (route_a, route_b) = (self.route(a.route), self.route(b.route));
            a.class == b.class
                && route_a.host == route_b.host
                && same_paths(a.class, route_a, route_b)
        };
        for claims in self.claims.chunk_by(equal) {
            lose(claims, &mut lost);
        }
        let conflict = |(loser, (winner, methods)): (u32, (u32, MethodSet))| Conflict {
            winner: self.route(winner),
            loser: self.route(loser),
            methods,
        };
        lost.into_iter().map(conflict).collect()
    }

    fn route(&self, index: u32) -> &Route {
        &self.routes[index as usize]
    }
}

/// Which of these equal claims loses what to whom.
fn lose(claims: &[Claim], lost: &mut BTreeMap<u32, (u32, MethodSet)>) {
    // Which route has a method; there are nine methods, so this stays small however many claims there are.
    let mut owners: Vec<(u32, MethodSet)> = Vec::new();
    for claim in claims {
        let mut free = claim.methods;
        for &(winner, owned) in &owners {
            let methods = only(free, |method| owned.contains(method));
            if !methods.is_empty() {
                lost.entry(claim.route).or_insert((winner, methods));
            }
            free = only(free, |method| !owned.contains(method));
        }
        if !free.is_empty() {
            owners.push((claim.route, free));
        }
    }
}

fn only(methods: MethodSet, keep: impl Fn(&str) -> bool) -> MethodSet {
    methods.iter().filter(|method| keep(method)).filter_map(MethodSet::of).collect()
}
