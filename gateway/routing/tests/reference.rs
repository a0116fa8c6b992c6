//! The table answers as a linear scan does that follows the sentences to the letter; and nothing panics.

#![expect(clippy::unwrap_used, reason = "a case that cannot be set up is a failure")]

use std::cmp::Reverse;

use headgate_routing::{
    Found, RequestHost, RequestPath, Route, RouteKind, RoutePath, RouteTableBuilder,
};
use headgate_types::{MethodSet, path::Segment};
use proptest::{collection::vec, prelude::*, sample::select};

proptest! {
    #![proptest_config(config())]

    #[test]
    fn the_table_agrees_with_a_linear_scan(
        mut routes in vec(route(), 0..14),
        crowded in any::<bool>(),
        host in select(HOSTS.to_vec()),
        method in select(vec!["GET", "HEAD", "POST", "PUT", "BREW"]),
        path in request_path(),
    ) {
        if crowded {
            routes.extend(crowd());
        }
        let mut builder = RouteTableBuilder::new();
        builder.extend(routes.clone());
        let table = builder.build();
        let parsed = RequestPath::parse(&path).unwrap();
        let answer = match table.find(host, method, &parsed) {
            Found::Route { target, .. } => Answer::Route(*target),
            Found::MethodNotAllowed { allow } => Answer::MethodNotAllowed(allow.to_string()),
            Found::NotFound => Answer::NotFound,
            Found::UnknownHost => Answer::UnknownHost,
        };
        prop_assert_eq!(answer, scan(&routes, host, method, &path));
    }

    #[test]
    fn the_order_of_adding_does_not_matter(
        routes in vec(route(), 0..14),
        path in request_path(),
    ) {
        let name = |routes: Vec<(Route, usize)>| {
            let mut builder = RouteTableBuilder::new();
            builder.extend(routes);
            let table = builder.build();
            match table.find("a.example", "GET", &RequestPath::parse(&path).unwrap()) {
                Found::Route { route, .. } => Some((route.kind, route.name.clone())),
                _ => None,
            }
        };
        let reversed = routes.iter().rev().cloned().collect();
        prop_assert_eq!(name(routes), name(reversed));
    }

    #[test]
    fn parameters_put_together_are_the_path(routes in vec(route(), 1..8), path in request_path()) {
        let mut builder = RouteTableBuilder::new();
        builder.extend(routes);
        let table = builder.build();
        let path = RequestPath::parse(&path).unwrap();
        if let Found::Route { route, params, rest, .. } = table.find("a.example", "GET", &path) {
            match &route.path {
                RoutePath::Pattern(pattern) => {
                    let mut params = params.iter();
                    let parts = pattern.segments().iter().map(|segment| match segment {
                        Segment::Literal(text) => text.to_string(),
                        Segment::Param(_) | Segment::Rest(_) => {
                            params.next().unwrap().value().into_owned()
                        }
                    });
                    let together = parts.map(|part| format!("/{part}")).collect::<String>();
                    prop_assert_eq!(together, decoded(path.as_str()));
                }
                RoutePath::Prefix(prefix) => {
                    let below = decoded(rest);
                    let prefix = prefix.as_str().trim_end_matches('/');
                    prop_assert_eq!(format!("{prefix}{below}"), decoded(path.as_str()));
                }
            }
        }
    }

    #[test]
    fn nothing_from_a_client_panics(
        host in "\\PC{0,20}|[a-z.:\\[\\]]{0,20}",
        method in "\\PC{0,8}",
        path in "\\PC{0,30}|/[%./0-9a-fA-F{}]{0,30}",
        routes in vec(route(), 0..6),
    ) {
        let mut builder = RouteTableBuilder::new();
        builder.extend(routes);
        let table = builder.build();
        let normal = RequestHost::parse(&host);
        if let Ok(path) = RequestPath::parse(&path) {
            prop_assert!(path.as_str().starts_with('/'));
            prop_assert!(!path.as_str().split('/').any(|s| s == "." || s == ".."));
            for host in [host.as_str(), normal.as_ref().map_or("a.example", |h| h.as_str())] {
                if let Found::Route { params, .. } = table.find(host, &method, &path) {
                    params.iter().for_each(|param| drop(param.value()));
                }
            }
        }
    }

    #[test]
    fn a_resolved_path_resolves_to_itself(path in "/[%./0-9a-fA-F]{0,30}") {
        if let Ok(once) = RequestPath::parse(&path) {
            let twice = RequestPath::parse(once.as_str()).unwrap();
            prop_assert_eq!(once.as_str(), twice.as_str());
        }
    }
}

/// Without a file of past failures: tests write nothing into the source.
fn config() -> ProptestConfig {
    ProptestConfig { cases: 2000, failure_persistence: None, ..Default::default() }
}

#[derive(Debug, PartialEq)]
enum Answer {
    Route(usize),
    MethodNotAllowed(String),
    NotFound,
    UnknownHost,
}

fn scan(routes: &[(Route, usize)], host: &str, method: &str, path: &str) -> Answer {
    let named: Vec<_> = routes.iter().filter(|(r, _)| r.host.to_string() == host).collect();
    let of_host = match named.is_empty() {
        true => routes.iter().filter(|(r, _)| r.host.matches(host)).collect(),
        false => named,
    };
    if of_host.is_empty() {
        return Answer::UnknownHost;
    }
    let segments: Vec<_> = path[1..].split('/').map(decoded).collect();
    let methods = |route: &Route| match route.kind {
        RouteKind::Website => MethodSet::GET_HEAD,
        RouteKind::Function => route.methods.with_head(),
    };
    let ranked: Vec<_> =
        of_host.into_iter().filter_map(|(r, n)| Some((rank(&r.path, &segments)?, r, n))).collect();
    let best = ranked
        .iter()
        .filter(|(_, route, _)| methods(route).contains(method))
        .min_by_key(|(rank, route, _)| (rank.clone(), route.kind, route.name.clone()));
    if let Some((_, _, target)) = best {
        return Answer::Route(**target);
    }
    let allow: MethodSet = ranked
        .iter()
        .filter(|(_, r, _)| r.kind == RouteKind::Function || r.path.as_str() != "/")
        .map(|(_, route, _)| methods(route))
        .collect();
    match allow.is_empty() {
        true => Answer::NotFound,
        false => Answer::MethodNotAllowed(allow.to_string()),
    }
}

/// Smaller is better: level; then fewer literals last; then a rest last; then literals left; `None` is no match.
type Rank = (u8, Reverse<usize>, bool, Vec<u8>);

fn rank(path: &RoutePath, segments: &[String]) -> Option<Rank> {
    let pattern = match path {
        RoutePath::Pattern(pattern) => pattern,
        RoutePath::Prefix(prefix) => {
            let text = prefix.as_str();
            if text[1..].split('/').eq(segments) {
                return Some((0, Reverse(0), false, Vec::new()));
            }
            let wanted: Vec<_> = text[1..].split('/').filter(|_| text != "/").collect();
            let covered = wanted.len() <= segments.len()
                && wanted.iter().zip(segments).all(|(wanted, segment)| wanted == segment);
            return covered.then_some((2, Reverse(wanted.len()), false, Vec::new()));
        }
    };
    let mut left = segments.iter();
    let mut shape = Vec::new();
    for segment in pattern.segments() {
        match segment {
            Segment::Literal(text) => {
                (left.next()? == &**text).then_some(())?;
                shape.push(0);
            }
            Segment::Param(_) => {
                (!left.next()?.is_empty()).then_some(())?;
                shape.push(1);
            }
            Segment::Rest(_) => {
                let rest: Vec<_> = left.by_ref().map(String::as_str).collect();
                (!rest.is_empty() && rest != [""]).then_some(())?;
                shape.push(2);
            }
        }
    }
    if left.next().is_some() {
        return None;
    }
    if pattern.is_exact() {
        return Some((0, Reverse(0), false, Vec::new()));
    }
    let literals = shape.iter().filter(|kind| **kind == 0).count();
    Some((1, Reverse(literals), shape.contains(&2), shape))
}

fn decoded(text: &str) -> String {
    percent_encoding::percent_decode_str(text).decode_utf8().unwrap().into_owned()
}

const HOSTS: [&str; 4] = ["a.example", "b.example", "c.b.example", "other.test"];

fn route() -> impl Strategy<Value = (Route, usize)> {
    let host = select(vec!["a.example", "a.example", "b.example", "*.example", "*.b.example"]);
    let methods = vec(select(vec!["GET", "POST", "PUT"]), 1..3);
    let name = select(vec!["f", "g", "h"]);
    let path = prop_oneof![
        2 => prefix().prop_map(|p| (RouteKind::Website, RoutePath::Prefix(p.parse().unwrap()))),
        5 => pattern().prop_map(|p| (RouteKind::Function, RoutePath::Pattern(p.parse().unwrap()))),
    ];
    (host, path, methods, name, any::<usize>()).prop_map(
        |(host, (kind, path), methods, name, n)| {
            let route = Route {
                host: host.parse().unwrap(),
                kind,
                methods: methods.into_iter().filter_map(MethodSet::of).collect(),
                // Ties of ties would be decided by the order of adding, so names differ with the target.
                name: format!("{name}{n}").into(),
                path,
            };
            (route, n)
        },
    )
}

/// So many routes that a host is looked up in another way than one with few.
fn crowd() -> impl Iterator<Item = (Route, usize)> {
    ["a.example", "*.b.example"].into_iter().flat_map(|host| {
        (0..30).map(move |i| {
            let route = Route {
                host: host.parse().unwrap(),
                kind: RouteKind::Function,
                path: RoutePath::Pattern(format!("/a/crowd{i}/{{x}}").parse().unwrap()),
                methods: MethodSet::GET_HEAD,
                name: "crowd".into(),
            };
            (route, i)
        })
    })
}

fn prefix() -> impl Strategy<Value = String> {
    vec(select(vec!["a", "b", "c d"]), 0..3).prop_map(|segments| format!("/{}", segments.join("/")))
}

fn pattern() -> impl Strategy<Value = String> {
    let segment = select(vec!["a", "b", "c d", "", "{p}", "{p}"]);
    (vec(segment, 1..4), any::<bool>()).prop_map(|(segments, rest)| {
        let mut text = String::new();
        for (i, segment) in segments.iter().enumerate() {
            text.push('/');
            text.push_str(&segment.replace('p', &format!("p{i}")));
        }
        if rest {
            text.push_str("/{*rest}");
        }
        text
    })
}

fn request_path() -> impl Strategy<Value = String> {
    let segment = select(vec!["a", "a", "b", "c%20d", "%61", "", "x", "a%2Fb", "a%2fb"]);
    vec(segment, 1..5).prop_map(|segments| format!("/{}", segments.join("/")))
}
