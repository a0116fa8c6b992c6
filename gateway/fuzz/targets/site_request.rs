//! A site answers any path and any conditional, range and negotiation fields, and sends what it has.
#![no_main]

use std::sync::LazyLock;

use headgate_types::Digest;
use headgate_website::{Body, Encoded, Encoding, Site, SiteFile, SiteRequest, SiteTable};
use http::{HeaderMap, HeaderName, HeaderValue, Method};
use libfuzzer_sys::fuzz_target;

static SITE: LazyLock<Site> = LazyLock::new(|| {
    let mut table = SiteTable::default();
    for path in ["index.html", "docs/index.html", "a.js", "ü.txt", "404.html"] {
        let file = SiteFile {
            digest: Digest::of(path.as_bytes()),
            size: 1000,
            mime: "text/plain".into(),
            encodings: vec![Encoded {
                encoding: Encoding::Gzip,
                digest: Digest::of(b"gzip"),
                size: 100,
            }],
            immutable: false,
        };
        table.insert(path, file);
    }
    Site::new(&table)
});

fuzz_target!(|input: (&str, &[u8], &[u8], &[u8], &[u8], bool)| {
    let (path, range, if_range, if_none_match, accept_encoding, head) = input;
    let mut headers = HeaderMap::new();
    let fields = [
        ("range", range),
        ("if-range", if_range),
        ("if-none-match", if_none_match),
        ("accept-encoding", accept_encoding),
    ];
    for (name, value) in fields {
        if let Ok(value) = HeaderValue::from_bytes(value) {
            headers.insert(HeaderName::from_static(name), value);
        }
    }
    let method = if head { Method::HEAD } else { Method::GET };
    let request =
        SiteRequest { method: &method, path, full_path: path, query: None, headers: &headers };
    let answer = SITE.answer(request);
    if let Body::Blob { size, range, .. } = answer.body {
        assert!(range.start <= range.end && range.end <= size);
    }
});
