//! `Params`: the values that a path has for the parameters of its pattern.

use std::borrow::Cow;

use headgate_types::path::Segment;

use crate::{
    path::decode_value,
    route::{Route, RoutePath},
};

/// The parameters of a matched path, in the order of the pattern.
///
/// Only the route and the path are kept; values are cut out and decoded when someone asks, so that
/// a lookup pays nothing for them, however many there are.
#[derive(Debug, Clone, Copy)]
pub struct Params<'t, 'p> {
    route: &'t Route,
    path: &'p str,
}

/// One parameter of a matched path.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Param<'t, 'p> {
    pub name: &'t str,
    /// As received: percent-encoded. Slashes stand in it only if the pattern says `{*name}`.
    pub encoded: &'p str,
}

impl<'t, 'p> Params<'t, 'p> {
    /// The route must cover the path; both have their segments at the same places.
    pub(crate) fn new(route: &'t Route, path: &'p str) -> Self {
        Self { route, path }
    }

    pub fn iter(&self) -> impl Iterator<Item = Param<'t, 'p>> + use<'t, 'p> {
        let segments = match &self.route.path {
            RoutePath::Pattern(pattern) => pattern.segments(),
            RoutePath::Prefix(_) => &[],
        };
        let mut left = self.path.strip_prefix('/').unwrap_or(self.path);
        segments.iter().filter_map(move |segment| {
            let all = left;
            let (here, rest) = all.split_once('/').unwrap_or((all, ""));
            left = rest;
            match segment {
                Segment::Literal(_) => None,
                Segment::Param(name) => Some(Param { name, encoded: here }),
                Segment::Rest(name) => Some(Param { name, encoded: all }),
            }
        })
    }

    /// The decoded value of one parameter.
    pub fn get(&self, name: &str) -> Option<Cow<'p, str>> {
        self.iter().find(|param| param.name == name).map(|param| param.value())
    }

    pub fn is_empty(&self) -> bool {
        self.iter().next().is_none()
    }
}

impl<'p> Param<'_, 'p> {
    /// Percent-decoded; borrowed if there is nothing to decode.
    pub fn value(&self) -> Cow<'p, str> {
        decode_value(self.encoded)
    }
}
