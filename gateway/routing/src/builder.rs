//! `RouteTableBuilder`: routes in any order become a table.

use std::{cmp::Ordering, collections::BTreeMap, num::NonZeroU8};

use headgate_types::{HostPattern, MethodSet, PathPattern, path::Segment};

use crate::{
    claim::{Claim, Class, Span, Text, TextWriter},
    host_index::{HostIndex, Place},
    route::{Route, RouteKind, RoutePath},
    table::{LargeHost, RouteTable},
    tree::Node,
};

/// Collects routes. Duplicates are allowed, as the table has an order for them; [`RouteTable::conflicts`]
/// names those that can never answer.
#[derive(Debug)]
pub struct RouteTableBuilder<T> {
    routes: Vec<(Route, T)>,
}

impl<T> RouteTableBuilder<T> {
    pub fn new() -> Self {
        Self { routes: Vec::new() }
    }

    pub fn add(&mut self, mut route: Route, target: T) -> &mut Self {
        route.methods = match route.kind {
            RouteKind::Website => MethodSet::GET_HEAD,
            RouteKind::Function => route.methods.with_head(),
        };
        self.routes.push((route, target));
        self
    }

    pub fn build(mut self) -> RouteTable<T> {
        self.routes.sort_by(|(a, _), (b, _)| {
            a.host.cmp(&b.host).then_with(|| compare_paths(a, b)).then_with(|| compare_tied(a, b))
        });
        let (routes, targets): (Vec<_>, Vec<_>) = self.routes.into_iter().unzip();
        let mut draft = Draft::default();
        let mut first = 0;
        for group in routes.chunk_by(|a, b| a.host == b.host) {
            draft.add_host(group, first);
            first += group.len();
        }
        let texts = draft.texts.finish();
        RouteTable {
            hosts: HostIndex::new(&draft.hosts, &texts),
            wildcards: HostIndex::new(&draft.wildcards, &texts),
            claims: draft.claims.into(),
            large: draft.large.into(),
            texts,
            routes: routes.into(),
            targets: targets.into(),
        }
    }
}

/// Best first: the order of the crate's first page.
fn compare_paths(a: &Route, b: &Route) -> Ordering {
    match (&a.path, &b.path) {
        (RoutePath::Pattern(a), RoutePath::Pattern(b)) => compare_patterns(a, b),
        (RoutePath::Pattern(_), RoutePath::Prefix(_)) => Ordering::Less,
        (RoutePath::Prefix(_), RoutePath::Pattern(_)) => Ordering::Greater,
        (RoutePath::Prefix(a), RoutePath::Prefix(b)) => {
            b.depth().cmp(&a.depth()).then_with(|| a.as_str().cmp(b.as_str()))
        }
    }
}

fn compare_patterns(a: &PathPattern, b: &PathPattern) -> Ordering {
    b.is_exact()
        .cmp(&a.is_exact())
        .then_with(|| literals(b).count().cmp(&literals(a).count()))
        .then_with(|| has_rest(a).cmp(&has_rest(b)))
        .then_with(|| shape(a).cmp(shape(b)))
        .then_with(|| literals(a).cmp(literals(b)))
}

fn literals(pattern: &PathPattern) -> impl Iterator<Item = &str> {
    pattern.segments().iter().filter_map(|segment| match segment {
        Segment::Literal(text) => Some(&**text),
        Segment::Param(_) | Segment::Rest(_) => None,
    })
}

fn has_rest(pattern: &PathPattern) -> bool {
    matches!(pattern.segments().last(), Some(Segment::Rest(_)))
}

/// What a segment takes, without its name: the names of parameters do not make a path another one.
fn shape(pattern: &PathPattern) -> impl Iterator<Item = u8> {
    pattern.segments().iter().map(|segment| match segment {
        Segment::Literal(_) => 0,
        Segment::Param(_) => 1,
        Segment::Rest(_) => 2,
    })
}

fn compare_tied(a: &Route, b: &Route) -> Ordering {
    a.kind.cmp(&b.kind).then_with(|| a.name.cmp(&b.name))
}

/// Whether two claims of one host cover the same paths in the same way.
pub(crate) fn same_paths(class: Class, a: &Route, b: &Route) -> bool {
    match class {
        // A prefix equals the exact path here.
        Class::Exact => a.path.as_str() == b.path.as_str(),
        Class::Pattern | Class::Prefix => compare_paths(a, b) == Ordering::Equal,
    }
}

/// A table that still grows, host by host.
#[derive(Default)]
struct Draft {
    hosts: Vec<(Text, Place)>,
    wildcards: Vec<(Text, Place)>,
    claims: Vec<Claim>,
    large: Vec<LargeHost>,
    texts: TextWriter,
}

impl Draft {
    /// `group` is sorted, and its first route has the index `first` in the table.
    fn add_host(&mut self, group: &[Route], first: usize) {
        let start = self.claims.len();
        let mut claims: Vec<_> = group.iter().enumerate().flat_map(classes).collect();
        claims.sort_by(|&(a_class, a), &(b_class, b)| {
            let tie = || match a_class {
                Class::Exact => {
                    let (a, b) = (&group[a], &group[b]);
                    a.path.as_str().cmp(b.path.as_str()).then_with(|| compare_tied(a, b))
                }
                // These stand in the group as they are to stand here.
                Class::Pattern | Class::Prefix => a.cmp(&b),
            };
            a_class.cmp(&b_class).then_with(tie)
        });
        for &(class, i) in &claims {
            let text = self.texts.add(group[i].path.as_str());
            self.claims.push(Claim::new(class, &group[i], index(first + i), text));
        }
        let few = u8::try_from(claims.len()).ok().filter(|count| *count <= MAX_FEW);
        let place = match few.and_then(NonZeroU8::new) {
            Some(count) => Place::Few { start: index(start), count },
            None => {
                self.large.push(large_host(group, &claims, start));
                Place::Many(index(self.large.len() - 1))
            }
        };
        let host = &group[0].host;
        let name = self.texts.add(host.base().as_str());
        match host {
            HostPattern::Exact(_) => self.hosts.push((name, place)),
            HostPattern::Wildcard(_) => self.wildcards.push((name, place)),
        }
    }
}

/// As many claims as are read faster than a map is asked and a tree is walked.
const MAX_FEW: u8 = 16;

/// The claims that a route makes, with its place in the group.
fn classes((place, route): (usize, &Route)) -> impl Iterator<Item = (Class, usize)> + use<> {
    let (own, below) = match &route.path {
        RoutePath::Pattern(pattern) if pattern.is_exact() => (Class::Exact, None),
        RoutePath::Pattern(_) => (Class::Pattern, None),
        RoutePath::Prefix(_) => (Class::Exact, Some(Class::Prefix)),
    };
    [Some(own), below].into_iter().flatten().map(move |class| (class, place))
}

/// `claims` stand in the table from `start` on.
fn large_host(group: &[Route], claims: &[(Class, usize)], start: usize) -> LargeHost {
    let mut exact = Vec::new();
    let mut tree = DraftNode::default();
    let mut next = start;
    for same in claims.chunk_by(|a, b| a.0 == b.0 && same_paths(a.0, &group[a.1], &group[b.1])) {
        let span = Span { start: index(next), end: index(next + same.len()) };
        next += same.len();
        let (class, place) = same[0];
        match (class, &group[place].path) {
            (Class::Exact, path) => exact.push((path.as_str().into(), span)),
            (_, RoutePath::Pattern(pattern)) => tree.add_pattern(pattern.segments(), span),
            (_, RoutePath::Prefix(prefix)) => {
                prefix.segments().fold(&mut tree, |node, text| node.literal(text)).prefix = span;
            }
        }
    }
    LargeHost { exact: exact.into_iter().collect(), tree: tree.freeze() }
}

fn index(place: usize) -> u32 {
    u32::try_from(place).expect("four billion routes do not fit into memory")
}

/// A [`Node`] that still grows.
#[derive(Default)]
struct DraftNode<'a> {
    literals: BTreeMap<&'a str, Self>,
    param: Option<Box<Self>>,
    end: Span,
    rest: Span,
    prefix: Span,
}

impl<'a> DraftNode<'a> {
    fn literal(&mut self, text: &'a str) -> &mut Self {
        self.literals.entry(text).or_default()
    }

    fn add_pattern(&mut self, segments: &'a [Segment], span: Span) {
        let mut node = self;
        for segment in segments {
            node = match segment {
                Segment::Literal(text) => node.literal(text),
                Segment::Param(_) => node.param.get_or_insert_default(),
                Segment::Rest(_) => {
                    node.rest = span;
                    return;
                }
            };
        }
        node.end = span;
    }

    fn freeze(self) -> Node {
        let literals = self.literals.into_iter().map(|(text, node)| (text.into(), node.freeze()));
        Node {
            literals: literals.collect(),
            param: self.param.map(|param| Box::new(param.freeze())),
            end: self.end,
            rest: self.rest,
            prefix: self.prefix,
        }
    }
}

impl<T> Default for RouteTableBuilder<T> {
    fn default() -> Self {
        Self::new()
    }
}

impl<T> Extend<(Route, T)> for RouteTableBuilder<T> {
    fn extend<I: IntoIterator<Item = (Route, T)>>(&mut self, routes: I) {
        for (route, target) in routes {
            self.add(route, target);
        }
    }
}
