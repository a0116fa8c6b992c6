//! What a website answers: every sentence about it, as a table.

#![expect(clippy::unwrap_used, reason = "a case that cannot be set up is a failure")]

use std::ops::Range;

use bytes::Bytes;
use headgate_types::Digest;
use headgate_website::{
    Body, Encoded, Encoding, Site, SiteAnswer, SiteFile, SiteRequest, SiteTable, prepare,
};
use http::{HeaderMap, HeaderName, HeaderValue, Method, StatusCode};
use proptest::prelude::*;

#[test]
fn a_file_is_answered_with_all_its_headers() {
    let answer = get(&site(&["a.png"]), "/a.png", &[]);
    assert_eq!(answer.status, 200);
    assert_eq!(body_of(&answer), ("a.png", 0..SIZE));
    for (field, value) in [
        ("content-type", "image/png"),
        ("content-length", "1000"),
        ("etag", &tag("a.png")),
        ("cache-control", "public, max-age=0, must-revalidate"),
        ("accept-ranges", "bytes"),
        ("x-content-type-options", "nosniff"),
    ] {
        assert_eq!(header(&answer, field), value, "{field}");
    }
    assert_eq!(answer.headers.len(), 6);
}

#[test]
fn pages_are_asked_about_and_hashed_names_are_for_ever() {
    let site = site(&["index.html", "app.3f9a2c1b.js", "page.3f9a2c1b.html"]);
    for (path, value) in [
        ("/", "no-cache"),
        ("/index.html", "no-cache"),
        ("/page.3f9a2c1b.html", "no-cache"),
        ("/app.3f9a2c1b.js", "public, max-age=31536000, immutable"),
    ] {
        assert_eq!(header(&get(&site, path, &[]), "cache-control"), value, "{path}");
    }
}

#[test]
fn names_lead_to_files() {
    let site = site(&[
        "index.html",
        "404.html",
        "about.html",
        "docs/index.html",
        "both.html",
        "both/index.html",
        "exact",
        "exact.html",
        "with space.txt",
        "café/menü.txt",
        "a%2Fb.txt",
        "slashes//x.txt",
        ".well-known/security.txt",
        ".env",
        ".git/config",
        "docs/.hidden",
    ]);
    for (path, expected) in [
        ("/", "index.html"),
        ("/index.html", "index.html"),
        ("/about", "about.html"),
        ("/about.html", "about.html"),
        ("/about/", "404"),
        ("/docs/", "docs/index.html"),
        ("/docs/index.html", "docs/index.html"),
        ("/docs/index", "404"),
        ("/docs", "308"),
        ("/both", "both.html"),
        ("/both/", "both/index.html"),
        ("/exact", "exact"),
        ("/exact.html", "exact.html"),
        ("/with%20space.txt", "with space.txt"),
        ("/caf%C3%A9/men%c3%bc.txt", "café/menü.txt"),
        ("/café/menü.txt", "café/menü.txt"),
        ("/a%252Fb.txt", "a%2Fb.txt"),
        ("/a%2Fb.txt", "404"),
        ("/docs%2Findex.html", "404"),
        ("/docs%2f", "404"),
        ("/slashes//x.txt", "slashes//x.txt"),
        ("/slashes/x.txt", "404"),
        ("//index.html", "404"),
        ("/.well-known/security.txt", ".well-known/security.txt"),
        ("/.env", "404"),
        ("/%2eenv", "404"),
        ("/.git/config", "404"),
        ("/docs/.hidden", "404"),
        ("/docs/../index.html", "404"),
        ("/docs/%2e%2e/index.html", "404"),
        ("/./index.html", "404"),
        ("/index.html%00", "404"),
        ("/%ff", "404"),
        ("/%zz", "404"),
        ("/%", "404"),
    ] {
        assert_eq!(outcome(&get(&site, path, &[])), expected, "{path}");
    }
}

#[test]
fn a_folder_redirects_with_its_query() {
    let site = site(&["index.html", "docs/index.html", "evil.com/index.html"]);
    let location = |path, full_path, query| {
        let request = SiteRequest {
            method: &Method::GET,
            path,
            full_path,
            query,
            headers: &HeaderMap::new(),
        };
        let answer = site.answer(request);
        assert_eq!(answer.status, StatusCode::PERMANENT_REDIRECT);
        header(&answer, "location").to_owned()
    };
    assert_eq!(location("/docs", "/docs", None), "/docs/");
    assert_eq!(location("/docs", "/site/docs", Some("a=b?c")), "/site/docs/?a=b?c");
    assert_eq!(location("", "/site", None), "/site/", "the prefix itself");
    assert_eq!(location("/evil.com", "//evil.com", None), "/evil.com/", "never another host");
    assert_eq!(location("/evil.com", "/\\evil.com", None), "/evil.com/");
}

#[test]
fn a_missing_file_has_the_page_for_it_or_a_line_of_text() {
    let answer = get(&site(&["a.txt"]), "/b.txt", &[]);
    assert_eq!(answer.status, 404);
    assert_eq!(answer.body, Body::Text(Bytes::from_static(b"not found\n")));
    assert_eq!(header(&answer, "content-length"), "10");

    let conditions = [("if-none-match", "*"), ("range", "bytes=0-1"), ("accept-encoding", "br")];
    let answer = get(&site(&["404.html", "index.html"]), "/b", &conditions);
    assert_eq!(answer.status, 404, "neither conditions nor ranges apply");
    assert_eq!(body_of(&answer), ("404.html br", 0..SIZE - 1));
    assert_eq!(header(&answer, "content-type"), "text/html; charset=utf-8");
    assert_eq!(header(&answer, "content-encoding"), "br");
    assert_eq!(header(&answer, "cache-control"), "no-cache");
    assert!(!answer.headers.contains_key("etag"));
}

#[test]
fn only_pages_fall_back_to_the_index() {
    let page = [("accept", "text/html,*/*;q=0.8")];
    let spa = site(&["index.html", "app.js", "docs/index.html"]);
    for (path, expected) in [
        ("/users/1", "index.html"),
        ("/users/", "index.html"),
        ("/v1.2/users", "index.html"),
        ("/missing.js", "404"),
        ("/.hidden", "404"),
        ("/.git/x", "404"),
        ("/a/../b", "404"),
        ("/a%2Fb", "404"),
        ("/%ff", "404"),
        ("/.well-known/acme-challenge/x", "404"),
        ("/docs", "308"),
    ] {
        assert_eq!(outcome(&get(&spa, path, &page)), expected, "{path}");
    }
    let answer = get(&spa, "/users/1", &page);
    assert_eq!(answer.status, 200);
    assert_eq!(header(&answer, "cache-control"), "no-cache");
    assert_eq!(header(&answer, "vary"), "Accept, Accept-Encoding");
    for accept in [&[("accept", "*/*")][..], &[("accept", "application/json")], &[]] {
        let answer = get(&spa, "/users/1", accept);
        assert_eq!(answer.status, 404, "{accept:?}");
        assert_eq!(header(&answer, "vary"), "Accept");
    }
    assert_eq!(ask(&spa, Method::POST, "/users/1", &page).status, 405);
    assert_eq!(outcome(&get(&site(&["index.html", "404.html"]), "/users/1", &page)), "404");
    assert_eq!(outcome(&get(&site(&["a.txt"]), "/users/1", &page)), "404");
}

#[test]
fn other_methods_are_not_allowed() {
    let site = site(&["index.html"]);
    for method in [Method::POST, Method::OPTIONS, Method::DELETE] {
        let answer = ask(&site, method, "/", &[]);
        assert_eq!(answer.status, 405);
        assert_eq!(header(&answer, "allow"), "GET, HEAD");
    }
}

#[test]
fn head_has_the_headers_of_get_and_no_body() {
    let site = site(&["index.html", "docs/index.html"]);
    let page = ("accept", "text/html");
    for path in ["/", "/docs", "/none.js", "/fallback"] {
        for headers in
            [&[page][..], &[page, ("accept-encoding", "gzip")], &[page, ("if-none-match", "*")]]
        {
            let (get, head) = (get(&site, path, headers), ask(&site, Method::HEAD, path, headers));
            assert_eq!((get.status, &get.headers), (head.status, &head.headers), "{path}");
            assert_eq!(head.body, Body::Empty);
        }
    }
    let answer = ask(&site, Method::HEAD, "/", &[("range", "bytes=0-1")]);
    assert_eq!(answer.status, 200, "only a GET has a range");
}

#[test]
fn the_best_accepted_encoding_is_sent() {
    let site = site(&["a.html"]);
    for (accept, expected) in [
        ("gzip, deflate, br, zstd", "br"),
        ("gzip", "gzip"),
        ("gzip;q=0.5, zstd;q=0.6", "zstd"),
        ("br;q=0, gzip", "gzip"),
        ("*", "br"),
        ("br;q=0, *", "zstd"),
        ("gzip;q=0.5, identity", "identity"),
        ("gzip, identity", "gzip"),
        ("identity;q=0, gzip;q=0.1", "gzip"),
        ("identity;q=0", "identity"),
        ("*;q=0", "identity"),
        ("deflate", "identity"),
        ("", "identity"),
    ] {
        let answer = get(&site, "/a.html", &[("accept-encoding", accept)]);
        let encoding = answer.headers.get("content-encoding");
        assert_eq!(encoding.map_or("identity", |e| e.to_str().unwrap()), expected, "{accept:?}");
        assert_eq!(header(&answer, "vary"), "Accept-Encoding", "{accept:?}");
        let name =
            if expected == "identity" { "a.html".into() } else { format!("a.html {expected}") };
        let Body::Blob { digest, size, .. } = answer.body.clone() else { panic!("no blob") };
        assert_eq!(digest, Digest::of(name.as_bytes()));
        assert_eq!(header(&answer, "etag"), tag(&name), "each encoding has its own tag");
        assert_eq!(header(&answer, "content-length"), size.to_string());
    }
    assert_eq!(outcome(&get(&site, "/a.html", &[])), "a.html", "no field, no encoding");
}

#[test]
fn a_file_without_variants_does_not_vary() {
    let answer = get(&site(&["a.png"]), "/a.png", &[("accept-encoding", "br, gzip")]);
    assert!(!answer.headers.contains_key("vary"));
    assert!(!answer.headers.contains_key("content-encoding"));
}

#[test]
fn if_none_match_saves_the_body() {
    let site = site(&["a.html"]);
    let (plain, br) = (tag("a.html"), tag("a.html br"));
    for (field, encoding, status) in [
        (plain.clone(), "identity", 304),
        (format!("W/{plain}"), "identity", 304),
        (format!("\"x\", {plain}"), "identity", 304),
        ("*".into(), "identity", 304),
        ("\"x\"".into(), "identity", 200),
        (br.clone(), "identity", 200),
        (br.clone(), "br", 304),
        (plain.clone(), "br", 200),
    ] {
        let headers = [("if-none-match", &*field), ("accept-encoding", encoding)];
        let answer = get(&site, "/a.html", &headers);
        assert_eq!(answer.status, status, "{headers:?}");
        if status == 304 {
            assert_eq!(answer.body, Body::Empty);
            assert_eq!(header(&answer, "cache-control"), "no-cache");
            assert_eq!(header(&answer, "vary"), "Accept-Encoding");
            assert!(answer.headers.contains_key("etag"));
            assert!(!answer.headers.contains_key("content-length"));
        }
    }
}

#[test]
fn if_match_refuses_another_file() {
    let site = site(&["a.html"]);
    let plain = tag("a.html");
    for (field, status) in
        [(plain.as_str(), 200), ("*", 200), ("\"x\"", 412), (&format!("W/{plain}"), 412)]
    {
        assert_eq!(get(&site, "/a.html", &[("if-match", field)]).status, status, "{field}");
    }
    let both = [("if-match", "\"x\""), ("if-none-match", plain.as_str())];
    assert_eq!(get(&site, "/a.html", &both).status, 412, "If-Match comes first");
}

#[test]
fn one_range_is_sent_and_several_are_not() {
    let site = site(&["a.html"]);
    for (range, expected) in [
        ("bytes=0-9", Some((0..10, "bytes 0-9/1000"))),
        ("bytes=990-", Some((990..1000, "bytes 990-999/1000"))),
        ("bytes=-5", Some((995..1000, "bytes 995-999/1000"))),
        ("bytes=-5000", Some((0..1000, "bytes 0-999/1000"))),
        ("bytes=500-5000", Some((500..1000, "bytes 500-999/1000"))),
        ("bytes=0-1,5-6", None),
        ("bytes=5-1", None),
        ("lines=0-1", None),
    ] {
        let answer = get(&site, "/a.html", &[("range", range), ("accept-encoding", "br")]);
        match expected {
            Some((bytes, content_range)) => {
                assert_eq!(answer.status, 206, "{range}");
                assert_eq!(header(&answer, "content-range"), content_range);
                assert_eq!(
                    header(&answer, "content-length"),
                    (bytes.end - bytes.start).to_string()
                );
                assert_eq!(body_of(&answer), ("a.html", bytes), "{range} is one of the plain file");
                assert_eq!(header(&answer, "etag"), tag("a.html"));
                assert_eq!(header(&answer, "vary"), "Accept-Encoding");
                assert!(!answer.headers.contains_key("content-encoding"));
            }
            None => assert_eq!(outcome(&answer), "a.html br", "{range}"),
        }
    }
}

#[test]
fn a_range_outside_the_file_is_refused_with_its_size() {
    let site = site(&["a.html"]);
    for range in ["bytes=1000-", "bytes=1000-2000", "bytes=-0"] {
        let answer = get(&site, "/a.html", &[("range", range)]);
        assert_eq!(answer.status, 416, "{range}");
        assert_eq!(header(&answer, "content-range"), "bytes */1000");
        assert_eq!(answer.body, Body::Empty);
    }
    let headers = [("range", "bytes=1000-"), ("if-none-match", "*")];
    assert_eq!(get(&site, "/a.html", &headers).status, 304, "conditions come before ranges");
}

#[test]
fn if_range_continues_what_was_begun() {
    let site = site(&["a.html"]);
    let (plain, br) = (tag("a.html"), tag("a.html br"));
    let weak = format!("W/{plain}");
    for (field, encoding, status, expected) in [
        (plain.as_str(), "br", 206, "a.html"),
        (&br, "br", 206, "a.html br"),
        (&br, "gzip", 200, "a.html gzip"),
        ("\"old\"", "br", 200, "a.html br"),
        (&weak, "identity", 200, "a.html"),
        ("Wed, 21 Oct 2015 07:28:00 GMT", "identity", 200, "a.html"),
    ] {
        let headers = [("range", "bytes=5-9"), ("if-range", field), ("accept-encoding", encoding)];
        let answer = get(&site, "/a.html", &headers);
        assert_eq!(answer.status, status, "{headers:?}");
        assert_eq!(body_of(&answer).0, expected, "{headers:?}");
    }
}

#[test]
fn an_empty_file_has_no_bytes_to_send() {
    let mut table = SiteTable::default();
    table.insert("a.txt", SiteFile { size: 0, ..file("a.txt") });
    let site = Site::new(&table);
    let answer = get(&site, "/a.txt", &[]);
    assert_eq!((answer.status.as_u16(), &answer.body), (200, &Body::Empty));
    assert_eq!(header(&answer, "content-length"), "0");
    assert_eq!(get(&site, "/a.txt", &[("range", "bytes=0-")]).status, 416);
}

#[test]
fn a_type_that_is_no_header_value_is_served_as_bytes() {
    let mut table = SiteTable::default();
    table.insert("a", SiteFile { mime: "text/html\r\nx: y".into(), ..file("a") });
    let answer = get(&Site::new(&table), "/a", &[]);
    assert_eq!(header(&answer, "content-type"), "application/octet-stream");
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..Default::default() })]

    #[test]
    fn any_range_lies_within_the_file(
        range in "bytes=[-0-9, ]{0,24}|[ -~]{0,40}",
        if_range in prop_oneof![Just(tag("a.html br")), Just(tag("a.html")), "[ -~]{0,40}"],
        accept in "(br|gzip|zstd|identity|\\*|[ -~]{0,5})(;q=[0-9.]{1,4})?",
    ) {
        let headers =
            [("range", &*range), ("if-range", &*if_range), ("accept-encoding", &*accept)];
        for headers in [&headers[..], &headers[..1]] {
            let answer = get(&site(&["a.html"]), "/a.html", headers);
            match &answer.body {
                Body::Blob { size, range, .. } => {
                    prop_assert!(range.start < range.end && range.end <= *size);
                    let length = (range.end - range.start).to_string();
                    prop_assert_eq!(header(&answer, "content-length"), length);
                }
                _ => prop_assert_eq!(answer.status, 416),
            }
        }
    }

    #[test]
    fn nothing_from_a_client_panics(
        path in "\\PC{0,30}|/[%./0-9a-fA-F]{0,30}",
        query in proptest::option::of("\\PC{0,10}"),
        values in proptest::collection::vec("[ -~]{0,30}|[\",W/*;=q0-9 ]{0,30}", 5),
    ) {
        let names = ["accept", "accept-encoding", "if-none-match", "if-match", "range"];
        let fields = names.into_iter().zip(values.iter().map(String::as_str));
        let headers = header_map(&fields.collect::<Vec<_>>());
        for method in [Method::GET, Method::HEAD] {
            let query = query.as_deref();
            site(&["index.html", "docs/index.html"]).answer(SiteRequest {
                method: &method, path: &path, full_path: &path, query, headers: &headers,
            });
        }
    }
}

/// Bytes of each file; of its variants brotli's is the smallest, as it usually is.
const SIZE: u64 = 1000;

fn site(paths: &[&str]) -> Site {
    let mut table = SiteTable::default();
    paths.iter().for_each(|path| table.insert(path, file(path)));
    Site::new(&table)
}

/// Prepared as at deploy, but with digests and sizes that a test can name.
fn file(path: &str) -> SiteFile {
    let prepared = prepare(path, Bytes::from("some text\n".repeat(100)));
    let encoded = |encoding: Encoding| Encoded {
        encoding,
        digest: Digest::of(format!("{path} {}", encoding.token()).as_bytes()),
        size: if encoding == Encoding::Br { SIZE - 1 } else { SIZE },
    };
    SiteFile {
        digest: Digest::of(path.as_bytes()),
        size: SIZE,
        mime: prepared.mime,
        encodings: prepared.variants.iter().map(|(encoding, _)| encoded(*encoding)).collect(),
        immutable: prepared.immutable,
    }
}

fn tag(name: &str) -> String {
    format!("\"{}\"", &Digest::of(name.as_bytes()).to_string()[..32])
}

fn get(site: &Site, path: &str, headers: &[(&str, &str)]) -> SiteAnswer {
    ask(site, Method::GET, path, headers)
}

fn ask(site: &Site, method: Method, path: &str, headers: &[(&str, &str)]) -> SiteAnswer {
    let headers = header_map(headers);
    let request =
        SiteRequest { method: &method, path, full_path: path, query: None, headers: &headers };
    site.answer(request)
}

fn header_map(headers: &[(&str, &str)]) -> HeaderMap {
    let field = |(name, value): &(&str, &str)| {
        (name.parse::<HeaderName>().unwrap(), HeaderValue::from_str(value).unwrap())
    };
    headers.iter().map(field).collect()
}

fn header<'a>(answer: &'a SiteAnswer, field: &str) -> &'a str {
    answer.headers.get(field).map_or("", |value| value.to_str().unwrap())
}

/// The name of the blob, or the status.
fn outcome(answer: &SiteAnswer) -> String {
    match (&answer.body, answer.status) {
        (Body::Blob { .. }, StatusCode::OK) => body_of(answer).0.to_owned(),
        (_, status) => status.as_str().to_owned(),
    }
}

/// Which blob it is, among those that the tests use.
fn body_of(answer: &SiteAnswer) -> (&'static str, Range<u64>) {
    let Body::Blob { digest, range, .. } = &answer.body else { panic!("{answer:?} has no blob") };
    let named = |name: &&str| Digest::of(name.as_bytes()) == *digest;
    (NAMES.iter().copied().find(named).unwrap_or("unnamed"), range.clone())
}

const NAMES: [&str; 18] = [
    "index.html",
    "404.html br",
    "about.html",
    "docs/index.html",
    "both.html",
    "both/index.html",
    "exact",
    "exact.html",
    "with space.txt",
    "café/menü.txt",
    "a%2Fb.txt",
    "slashes//x.txt",
    ".well-known/security.txt",
    "a.png",
    "a.html",
    "a.html br",
    "a.html zstd",
    "a.html gzip",
];
