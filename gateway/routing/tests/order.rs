//! Which route answers: every sentence of the crate's first page, as a table.

#![expect(clippy::unwrap_used, reason = "a case that cannot be set up is a failure")]

use headgate_routing::{
    Found, RequestHost, RequestPath, Route, RouteKind, RoutePath, RouteTable, RouteTableBuilder,
};
use headgate_types::MethodSet;

#[test]
fn an_exact_path_beats_a_pattern_and_a_pattern_a_prefix() {
    let table =
        table(&["website site /docs", "function one GET /docs/{id}", "function exact GET /docs/a"]);
    check(
        &table,
        "GET",
        &[("/docs/a", "exact"), ("/docs/b", "one"), ("/docs/b/c", "site"), ("/docs/", "site")],
    );
}

#[test]
fn more_literal_segments_go_first() {
    let table = table(&[
        "function zero GET /{a}/{b}/{c}",
        "function one GET /{a}/x/{c}",
        "function two GET /{a}/x/y",
    ]);
    check(
        &table,
        "GET",
        &[("/1/x/y", "two"), ("/1/x/2", "one"), ("/1/2/3", "zero"), ("/1/2", "404")],
    );
}

#[test]
fn a_rest_goes_last_among_equally_many_literals() {
    let table = table(&[
        "function rest GET /files/{*path}",
        "function one GET /files/{name}",
        "function any GET /{a}/{b}",
        "function all GET /{*all}",
    ]);
    check(
        &table,
        "GET",
        &[
            ("/files/a", "one"),
            ("/files/a/b", "rest"),
            ("/other/a", "any"),
            ("/other/a/b", "all"),
            ("/files", "all"),
        ],
    );
}

#[test]
fn of_equally_many_literals_those_further_left_go_first() {
    let table = table(&["function a-right GET /{a}/x", "function left GET /x/{b}"]);
    check(&table, "GET", &[("/x/x", "left"), ("/y/x", "a-right"), ("/x/y", "left")]);
    let table = self::table(&["function a-short GET /x/{*r}", "function long GET /x/{a}/{*r}"]);
    check(&table, "GET", &[("/x/a/b", "long"), ("/x/a", "a-short")]);
}

#[test]
fn the_longest_prefix_wins_and_ends_at_a_slash() {
    let table = table(&["website root /", "website docs /docs", "website guide /docs/guide/"]);
    check(
        &table,
        "GET",
        &[
            ("/", "root"),
            ("/docsx", "root"),
            ("/docs", "docs"),
            ("/docs/", "docs"),
            ("/docs/guidex", "docs"),
            ("/docs/guide", "guide"),
            ("/docs/guide/a/b", "guide"),
            ("//docs", "root"),
        ],
    );
}

#[test]
fn ties_go_to_the_website_then_the_function_then_by_name() {
    let table = table(&[
        "function b GET,POST /docs",
        "function a POST,PUT /docs",
        "website site /docs",
        "website zite /docs",
        "function d GET /{x}",
        "function c GET /{y}",
    ]);
    check(&table, "GET", &[("/docs", "site"), ("/docs/x", "site"), ("/other", "c")]);
    check(&table, "POST", &[("/docs", "a")]);
    check(&table, "PUT", &[("/docs", "a")]);
}

#[test]
fn a_website_at_the_root_owns_the_exact_root() {
    let table = table(&["website site /", "function f GET,POST /"]);
    check(&table, "GET", &[("/", "site")]);
    check(&table, "POST", &[("/", "f"), ("/x", "404")]);
}

#[test]
fn the_method_filters_before_the_path_picks() {
    let table = table(&[
        "function exact POST /a/b",
        "function pattern PUT /a/{x}",
        "website site /a",
        "website root /",
    ]);
    check(&table, "POST", &[("/a/b", "exact")]);
    check(&table, "PUT", &[("/a/b", "pattern")]);
    check(&table, "GET", &[("/a/b", "site"), ("/b", "root")]);
}

#[test]
fn head_follows_get() {
    let table = table(&["function get GET /a", "function post POST /b", "website site /s"]);
    check(&table, "HEAD", &[("/a", "get"), ("/s/x", "site"), ("/b", "405 POST")]);
}

#[test]
fn a_path_of_functions_answers_405_with_all_their_methods() {
    let table = table(&[
        "function a PUT /x/y",
        "function b GET /x/{id}",
        "function c DELETE /x/{*rest}",
        "website root /",
    ]);
    check(
        &table,
        "POST",
        &[
            ("/x/y", "405 GET, HEAD, PUT, DELETE"),
            ("/x/z", "405 GET, HEAD, DELETE"),
            ("/x/y/z", "405 DELETE"),
            ("/x", "404"),
        ],
    );
}

#[test]
fn a_website_answers_405_only_below_a_longer_prefix() {
    let table = table(&["website root /", "website docs /docs", "function f PUT /docs/f"]);
    check(
        &table,
        "POST",
        &[
            ("/", "404"),
            ("/x", "404"),
            ("/docs", "405 GET, HEAD"),
            ("/docs/x", "405 GET, HEAD"),
            ("/docs/f", "405 GET, HEAD, PUT"),
            ("/docsx", "404"),
        ],
    );
}

#[test]
fn options_is_a_method_like_any_other() {
    let table = table(&["function f GET /a", "function g OPTIONS /b"]);
    check(&table, "OPTIONS", &[("/a", "405 GET, HEAD"), ("/b", "g")]);
    check(&table, "BREW", &[("/a", "405 GET, HEAD"), ("/c", "404")]);
    check(&table, "get", &[("/a", "405 GET, HEAD")]);
}

#[test]
fn segments_are_compared_decoded_and_an_escaped_slash_separates_nothing() {
    let table = table(&[
        "function cafe GET /café/x",
        "function user GET /users/{id}",
        "function two GET /users/{id}/{name}",
        "website docs /my docs",
    ]);
    check(
        &table,
        "GET",
        &[
            ("/caf%C3%A9/x", "cafe"),
            ("/café/%78", "cafe"),
            ("/café%2Fx", "404"),
            ("/users/a%2Fb", "user"),
            ("/users/a/b", "two"),
            ("/users%2Fa", "404"),
            ("/my%20docs/a", "docs"),
            ("/x/../users/a", "user"),
            ("/users/./a", "user"),
        ],
    );
}

#[test]
fn a_parameter_takes_one_segment_that_is_not_empty() {
    let table = table(&[
        "function one GET /a/{x}",
        "function mid GET /b/{x}/c",
        "function rest GET /c/{*x}",
    ]);
    check(
        &table,
        "GET",
        &[
            ("/a/", "404"),
            ("/a", "404"),
            ("/a/b/", "404"),
            ("/b//c", "404"),
            ("/c", "404"),
            ("/c/", "404"),
            ("/c//", "rest"),
            ("/c/x/", "rest"),
        ],
    );
}

#[test]
fn empty_segments_and_final_slashes_are_another_path() {
    let table = table(&["function a GET /a/b", "function s GET /a/b/"]);
    check(&table, "GET", &[("/a/b", "a"), ("/a/b/", "s"), ("/a//b", "404"), ("//a/b", "404")]);
}

#[test]
fn parameters_are_decoded_when_asked_for() {
    let table = table(&["function f GET /u/{id}/files/{*path}"]);
    let path = RequestPath::parse("/u/a%2Fb%20c/files/x%41/./y//z").unwrap();
    let Found::Route { params, rest, .. } = table.find("example.com", "GET", &path) else {
        panic!("no route");
    };
    assert_eq!(params.get("id").unwrap(), "a/b c");
    assert_eq!(params.get("path").unwrap(), "xA/y//z");
    assert_eq!(params.get("other"), None);
    assert_eq!(rest, "");
    let encoded: Vec<_> = params.iter().map(|param| (param.name, param.encoded)).collect();
    assert_eq!(encoded, [("id", "a%2Fb%20c"), ("path", "x%41/y//z")]);
}

#[test]
fn a_path_without_parameters_has_none() {
    let table = table(&["function f GET /a", "website w /b"]);
    for path in ["/a", "/b/c"] {
        let path = RequestPath::parse(path).unwrap();
        let Found::Route { params, .. } = table.find("example.com", "GET", &path) else {
            panic!("no route");
        };
        assert!(params.is_empty() && params.get("x").is_none());
    }
}

#[test]
fn the_rest_of_a_prefix_keeps_its_escapes() {
    let table = table(&["website root /", "website docs /my docs/v1"]);
    for (text, expected) in [
        ("/", "/"),
        ("/a/b%2Fc", "/a/b%2Fc"),
        ("/my%20docs/v1", ""),
        ("/my%20docs/v1/", "/"),
        ("/my%20docs/%76%31/a%20b/../c", "/c"),
    ] {
        let path = RequestPath::parse(text).unwrap();
        let Found::Route { rest, .. } = table.find("example.com", "GET", &path) else {
            panic!("no route for {text}");
        };
        assert_eq!(rest, expected, "{text}");
    }
}

#[test]
fn a_name_owns_its_host_and_a_wildcard_has_the_others() {
    let table = table(&[
        "function wild GET *.example.org/a",
        "function wild2 GET *.example.org/b",
        "function named GET shop.example.org/a",
    ]);
    let find = |host: &str, path: &str| answer(&table, host, "GET", path);
    assert_eq!(find("shop.example.org", "/a"), "named");
    assert_eq!(find("shop.example.org", "/b"), "404", "the name owns the host alone");
    assert_eq!(find("blog.example.org", "/b"), "wild2");
    assert_eq!(find("example.org", "/a"), "unknown host");
    assert_eq!(find("a.blog.example.org", "/a"), "unknown host");
    assert!(table.knows_host("blog.example.org") && !table.knows_host("example.org"));
    assert_eq!(find(RequestHost::parse("Blog.Example.ORG.:8080").unwrap().as_str(), "/a"), "wild");
}

#[test]
fn spellings_that_are_not_normal_are_unknown_hosts() {
    let table = table(&["function f GET *.example.org/a", "function g GET example.com/a"]);
    for host in ["", ".", ".example.org", "*.example.org.", "EXAMPLE.com", "example.com:80"] {
        assert_eq!(answer(&table, host, "GET", "/a"), "unknown host", "{host}");
    }
}

#[test]
fn routes_are_listed_in_the_order_of_trying() {
    let table = table(&[
        "website root /",
        "function rest GET /a/{*r}",
        "function exact GET /a/b",
        "website docs /docs",
        "function other GET other.example/x",
        "function one GET /a/{x}",
    ]);
    let names: Vec<_> = table.routes().map(|(route, ())| &*route.name).collect();
    assert_eq!(names, ["exact", "one", "rest", "docs", "root", "other"]);
}

#[test]
fn routes_that_can_never_answer_are_conflicts() {
    let table = table(&[
        "website site /docs",
        "website zite /docs",
        "function f GET,POST /docs",
        "function g POST /docs",
        "function p GET /u/{id}",
        "function q GET /u/{name}",
        "function r PUT /u/{name}",
        "function s GET /u/{*name}",
        "function f GET other.example/docs",
    ]);
    let conflicts: Vec<_> = table
        .conflicts()
        .iter()
        .map(|c| format!("{} over {}: {}", c.winner.name, c.loser.name, c.methods))
        .collect();
    assert_eq!(
        conflicts,
        [
            "site over f: GET, HEAD",
            "f over g: POST",
            "p over q: GET, HEAD",
            "site over zite: GET, HEAD",
        ]
    );
}

#[test]
fn ten_thousand_patterns_are_told_apart() {
    let specs: Vec<_> = (0..10_000)
        .flat_map(|i| {
            [format!("function p{i} GET /p{i}/{{id}}"), format!("function e{i} GET /e/{i}")]
        })
        .collect();
    let table = table(&specs.iter().map(String::as_str).collect::<Vec<_>>());
    check(&table, "GET", &[("/p1234/x", "p1234"), ("/e/9999", "e9999"), ("/p10000/x", "404")]);
    assert!(table.conflicts().is_empty());
}

#[test]
fn the_deepest_patterns_and_paths_are_no_strain_on_the_stack() {
    let params: String = (0..150).map(|i| format!("/{{a{i}}}")).collect();
    let prefix = "/a".repeat(500);
    let table = table(&[&format!("function deep GET {params}"), &format!("website site {prefix}")]);
    let path = "/a".repeat(4000);
    check(&table, "GET", &[(&path[..300], "deep"), (&path, "site"), (&"/".repeat(8000), "404")]);
}

#[test]
fn an_empty_table_knows_no_host() {
    let table: RouteTable<()> = RouteTableBuilder::new().build();
    let path = RequestPath::parse("/").unwrap();
    assert!(matches!(table.find("example.com", "GET", &path), Found::UnknownHost));
}

/// `website NAME PREFIX` or `function NAME METHODS PATH`; a host may stand before the path's slash.
fn table(specs: &[&str]) -> RouteTable<()> {
    let mut builder = RouteTableBuilder::new();
    builder.extend(specs.iter().map(|spec| {
        let mut words = spec.splitn(3, ' ');
        let (kind, name, claim) =
            (words.next().unwrap(), words.next().unwrap(), words.next().unwrap());
        let (kind, methods, place) = match kind {
            "website" => (RouteKind::Website, "", claim),
            _ => {
                let (methods, place) = claim.split_once(' ').unwrap();
                (RouteKind::Function, methods, place)
            }
        };
        let slash = place.find('/').unwrap();
        let (host, path) = place.split_at(slash);
        let route = Route {
            host: if host.is_empty() { "example.com" } else { host }.parse().unwrap(),
            kind,
            path: match kind {
                RouteKind::Website => RoutePath::Prefix(path.parse().unwrap()),
                RouteKind::Function => RoutePath::Pattern(path.parse().unwrap()),
            },
            methods: methods.split(',').filter_map(MethodSet::of).collect(),
            name: name.into(),
        };
        (route, ())
    }));
    builder.build()
}

fn answer<T>(table: &RouteTable<T>, host: &str, method: &str, path: &str) -> String {
    let path = RequestPath::parse(path).unwrap();
    match table.find(host, method, &path) {
        Found::Route { route, .. } => route.name.to_string(),
        Found::MethodNotAllowed { allow } => format!("405 {allow}"),
        Found::NotFound => "404".into(),
        Found::UnknownHost => "unknown host".into(),
    }
}

fn check<T>(table: &RouteTable<T>, method: &str, rows: &[(&str, &str)]) {
    for (path, expected) in rows {
        assert_eq!(answer(table, "example.com", method, path), *expected, "{method} {path}");
    }
}
