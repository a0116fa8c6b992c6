//! What does it cost to find the route of a request among a hundred thousand hosts, beside a plain
//! `HashMap` that only finds the host?
//!
//! Argument: seconds for each of the two. Prints one JSON object.

use std::{
    collections::HashMap,
    hint::black_box,
    time::{Duration, Instant},
};

use anyhow::{Context as _, ensure};
use headgate_benches::rows::route::Lookup;
use headgate_routing::{
    Found, RequestHost, RequestPath, Route, RouteKind, RoutePath, RouteTable, RouteTableBuilder,
};
use headgate_types::{HostPattern, MethodSet};

const HOSTS: usize = 100_000;
/// What comes over the wire differs each time, so requests are made before, and asked in no order.
const REQUESTS: usize = 1 << 16;
/// Steps through hosts in an order that no cache foresees; a prime, so that every host comes up.
const STRIDE: usize = 48_271;

fn main() -> anyhow::Result<()> {
    let seconds = std::env::args().nth(1).context("usage: route_lookup SECONDS")?.parse()?;
    let duration = Duration::from_secs(seconds);
    let table = table()?;
    let names: HashMap<Box<str>, usize> =
        (0..HOSTS).map(|number| (host(number).into(), number)).collect();
    let requests: Vec<(String, String)> =
        (0..REQUESTS).map(|i| request(i * STRIDE % HOSTS)).collect();

    for (host, path) in &requests {
        ensure!(is_found(&table, host, path), "{host}{path} has no route");
    }
    let allocations = allocation_counter::measure(|| {
        for (host, path) in &requests {
            black_box(is_found(&table, host, path));
        }
    });
    let lookup_ns = nanoseconds(duration, &requests, |host, path| is_found(&table, host, path));
    let map_ns = nanoseconds(duration, &requests, |host, _| names.contains_key(host));
    let lookup = Lookup { lookup_ns, map_ns, allocations: allocations.count_total };
    #[expect(clippy::print_stdout, reason = "this is what it is started for")]
    {
        println!("{}", serde_json::to_string(&lookup)?);
    }
    Ok(())
}

/// Each host has a website and an API, as a small project has.
fn table() -> anyhow::Result<RouteTable<u32>> {
    let mut builder = RouteTableBuilder::new();
    for (number, target) in (0..HOSTS).zip(0..) {
        let host: HostPattern = host(number).parse()?;
        let route = |kind, path, name: &str| Route {
            host: host.clone(),
            kind,
            path,
            methods: MethodSet::GET_HEAD,
            name: name.into(),
        };
        let root = RoutePath::Prefix("/".parse()?);
        builder.add(route(RouteKind::Website, root, "site"), target);
        for (name, pattern) in [("hello", "/hello"), ("user", "/api/users/{id}")] {
            let path = RoutePath::Pattern(pattern.parse()?);
            builder.add(route(RouteKind::Function, path, name), target);
        }
    }
    Ok(builder.build())
}

fn host(number: usize) -> String {
    format!("shop-{number:06}.example.com")
}

/// A third each asks for a page, a function, and a function behind a parameter.
fn request(number: usize) -> (String, String) {
    let path = match number % 3 {
        0 => format!("/pages/{number}.html"),
        1 => "/hello".to_owned(),
        _ => format!("/api/users/{number}"),
    };
    (host(number), path)
}

/// All that a request pays: reading host and path, and finding the route.
fn is_found(table: &RouteTable<u32>, host: &str, path: &str) -> bool {
    let (Ok(host), Ok(path)) = (RequestHost::parse(host), RequestPath::parse(path)) else {
        return false;
    };
    matches!(table.find(host.as_str(), "GET", &path), Found::Route { .. })
}

fn nanoseconds(
    duration: Duration,
    requests: &[(String, String)],
    find: impl Fn(&str, &str) -> bool,
) -> f64 {
    let start = Instant::now();
    let mut passes = 0;
    while passes == 0 || start.elapsed() < duration {
        for (host, path) in requests {
            black_box(find(black_box(host), black_box(path)));
        }
        passes += 1;
    }
    start.elapsed().as_secs_f64() * 1e9 / (f64::from(passes) * requests.len() as f64)
}
