//! Any host, method and path finds its route or none, and parameters are part of what was asked for.
#![no_main]

use std::sync::LazyLock;

use headgate_routing::{
    Found, RequestHost, RequestPath, Route, RouteKind, RoutePath, RouteTable, RouteTableBuilder,
};
use headgate_types::MethodSet;
use libfuzzer_sys::fuzz_target;

static TABLE: LazyLock<RouteTable<usize>> = LazyLock::new(|| {
    let mut builder = RouteTableBuilder::new();
    let paths = ["/", "/a", "/a/{id}", "/a/{id}/b", "/a/b/{*rest}", "/{x}/{y}", "/{*all}", "/%/ü"];
    for (target, path) in paths.into_iter().enumerate() {
        for host in ["example.com", "*.example.com"] {
            let method = if target % 2 == 0 { "GET" } else { "POST" };
            let route = Route {
                host: host.parse().expect("valid"),
                kind: RouteKind::Function,
                path: RoutePath::Pattern(path.parse().expect("valid")),
                methods: MethodSet::of(method).expect("known"),
                name: path.into(),
            };
            builder.add(route, target);
        }
    }
    let docs = Route {
        host: "example.com".parse().expect("valid"),
        kind: RouteKind::Website,
        path: RoutePath::Prefix("/docs".parse().expect("valid")),
        methods: MethodSet::GET_HEAD,
        name: "docs".into(),
    };
    builder.add(docs, 100);
    builder.build()
});

fuzz_target!(|input: (&str, &str, &str)| {
    let (host, method, path) = input;
    let Ok(host) = RequestHost::parse(host) else { return };
    let Ok(path) = RequestPath::parse(path) else { return };
    for host in [host.as_str(), "example.com", "x.example.com"] {
        if let Found::Route { route, params, .. } = TABLE.find(host, method, &path) {
            assert!(route.methods.contains(method));
            assert!(params.iter().all(|param| !param.name.is_empty()));
            for param in params.iter() {
                let _ = param.value();
            }
        }
    }
});
