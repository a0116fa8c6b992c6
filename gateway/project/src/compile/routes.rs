//! Which route was claimed where, so that two resources of a project do not fight for one.

use std::collections::HashMap;

use headgate_types::{HostPattern, MethodSet, PathPattern, path::Segment};

use crate::{
    defaults::MAX_ROUTES,
    diagnostic::{Diagnostic, Diagnostics, Place, codes},
};

/// Host, path without parameter names, and method, or none for a website.
type Route = (HostPattern, String, Option<&'static str>);

#[derive(Default)]
pub(super) struct Claims {
    places: HashMap<Route, Place>,
    full: bool,
}

impl Claims {
    /// Claims one path of a function on all its hosts; the first conflict is reported.
    pub(super) fn function(
        &mut self,
        hosts: &[HostPattern],
        path: &PathPattern,
        methods: MethodSet,
        place: &Place,
        report: &mut Diagnostics,
    ) {
        let shape = shape(path);
        let routes = hosts.iter().flat_map(|host| methods.iter().map(move |m| (host, Some(m))));
        let routes = routes.map(|(host, method)| (host.clone(), shape.clone(), method));
        self.claim(routes, path.as_str(), place, report);
    }

    /// Claims one prefix of a website.
    pub(super) fn website(
        &mut self,
        hosts: &[HostPattern],
        prefix: &str,
        place: &Place,
        report: &mut Diagnostics,
    ) {
        let routes = hosts.iter().map(|host| (host.clone(), prefix.to_owned(), None));
        self.claim(routes, prefix, place, report);
    }

    fn claim(
        &mut self,
        routes: impl Iterator<Item = Route>,
        path: &str,
        place: &Place,
        report: &mut Diagnostics,
    ) {
        let mut conflict = None;
        for route in routes {
            if self.places.len() >= MAX_ROUTES {
                return self.overflow(place, report);
            }
            match self.places.get(&route) {
                Some(first) => conflict = conflict.or_else(|| Some((route, first.clone()))),
                None => {
                    self.places.insert(route, place.clone());
                }
            }
        }
        if let Some(((host, _, method), first)) = conflict {
            let (route, change) = match method {
                Some(method) => {
                    (format!("`{method} {path}` on `{host}`"), "the path, the method or the domain")
                }
                None => {
                    (format!("the website path `{path}` on `{host}`"), "the path or the domain")
                }
            };
            report.push(
                Diagnostic::error(codes::DUPLICATE_ROUTE, format!("{route} is claimed twice"))
                    .at(place.clone())
                    .label("again here")
                    .related(first, "first here")
                    .note("only one of them could ever answer")
                    .hint(format!("change {change} of one of them")),
            );
        }
    }

    fn overflow(&mut self, place: &Place, report: &mut Diagnostics) {
        if !std::mem::replace(&mut self.full, true) {
            report.push(
                Diagnostic::error(codes::TOO_MANY, "this project claims too many routes")
                    .at(place.clone())
                    .note(format!("each host, path and method counts; {MAX_ROUTES} are the limit"))
                    .hint("use patterns such as `/users/{id}`, or split the project"),
            );
        }
    }
}

/// `/users/{}` for `/users/{id}`: parameters match alike, whatever they are called.
fn shape(path: &PathPattern) -> String {
    let segment = |segment: &Segment| match segment {
        Segment::Literal(text) => format!("/{text}"),
        Segment::Param(_) => "/{}".to_owned(),
        Segment::Rest(_) => "/{*}".to_owned(),
    };
    path.segments().iter().map(segment).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn claim(claims: &mut Claims, path: &str, method: &str) -> usize {
        let mut report = Diagnostics::default();
        let hosts = ["a.example".parse().unwrap(), "b.example".parse().unwrap()];
        let methods = MethodSet::of(method).unwrap();
        let place = Place::file("a.yaml");
        claims.function(&hosts, &path.parse().unwrap(), methods, &place, &mut report);
        report.errors()
    }

    #[test]
    fn parameter_names_do_not_tell_routes_apart() {
        let mut claims = Claims::default();
        assert_eq!(claim(&mut claims, "/users/{id}", "GET"), 0);
        assert_eq!(claim(&mut claims, "/users/{name}", "GET"), 1, "once for all hosts");
        assert_eq!(claim(&mut claims, "/users/{*name}", "GET"), 0);
        assert_eq!(claim(&mut claims, "/users/{name}", "POST"), 0);
    }

    #[test]
    fn too_many_routes_are_refused_once() {
        let mut claims = Claims::default();
        let mut errors = 0;
        for n in 0..=MAX_ROUTES / 2 + 2 {
            errors += claim(&mut claims, &format!("/{n}"), "GET");
        }
        assert_eq!(errors, 1);
    }
}
