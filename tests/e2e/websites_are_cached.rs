//! A website is served as a good static host would: validated, compressed, in parts.

use std::io::Read;

use headgate_tests::{Project, Protocol, TestNode, fixture};
use http::StatusCode;

const HOST: &str = "shop.example.com";
const STYLE: &str = "/assets/app.4c23e2a1.css";

#[tokio::test]
async fn a_page_that_did_not_change_is_not_sent_again() {
    let node = TestNode::dev(fixture("shop")).await;
    for protocol in Protocol::ALL {
        let mut client = node.client(protocol, HOST).await;
        let page = client.get("/").await;
        let tag = page.header("etag");
        assert!(tag.starts_with('"') && tag.len() > 10, "a strong entity tag: {tag:?}");
        assert_eq!(page.header("cache-control"), "no-cache");
        for condition in
            [tag.to_owned(), format!("W/{tag}"), format!("\"other\", {tag}"), "*".into()]
        {
            let again = client.get_with("/", &[("if-none-match", &condition)]).await;
            assert_eq!(again.status, StatusCode::NOT_MODIFIED, "{condition} over {protocol:?}");
            assert!(again.body.is_empty());
            assert_eq!(again.header("etag"), tag);
        }
        let other = client.get_with("/", &[("if-none-match", "\"other\"")]).await;
        assert_eq!((other.status, &other.body), (StatusCode::OK, &page.body));
    }
}

#[tokio::test]
async fn a_file_whose_name_carries_a_hash_is_kept_for_ever() {
    let node = TestNode::dev(fixture("shop")).await;
    let mut client = node.client(Protocol::Http1, HOST).await;
    let style = client.get(STYLE).await;
    assert_eq!(style.header("content-type"), "text/css; charset=utf-8");
    assert_eq!(style.header("cache-control"), "public, max-age=31536000, immutable");
    let icon = client.get("/favicon.svg").await;
    assert_eq!(icon.header("content-type"), "image/svg+xml");
    assert!(icon.header("cache-control").contains("must-revalidate"));
}

#[tokio::test]
async fn a_client_gets_the_encoding_it_asks_for() {
    let node = TestNode::dev(fixture("shop")).await;
    let mut client = node.client(Protocol::Http1, HOST).await;
    let plain = client.get(STYLE).await;
    assert_eq!(plain.header("content-encoding"), "");
    assert_eq!(plain.header("vary"), "Accept-Encoding");
    let mut tags = vec![plain.header("etag").to_owned()];
    for encoding in ["br", "zstd", "gzip"] {
        let encoded = client.get_with(STYLE, &[("accept-encoding", encoding)]).await;
        assert_eq!(encoded.header("content-encoding"), encoding);
        assert_eq!(encoded.header("vary"), "Accept-Encoding");
        assert!(encoded.body.len() < plain.body.len() / 2, "{encoding}: {}", encoded.body.len());
        assert_eq!(decoded(encoding, &encoded.body), plain.body, "{encoding}");
        // Each encoding is an entity of its own.
        let tag = encoded.header("etag").to_owned();
        let both = [("accept-encoding", encoding), ("if-none-match", &*tag)];
        assert_eq!(client.get_with(STYLE, &both).await.status, StatusCode::NOT_MODIFIED);
        assert!(!tags.contains(&tag), "{tag} names two things");
        tags.push(tag);
    }
    for (accepted, encoding) in
        [("gzip;q=0.5, br;q=0.1", "gzip"), ("br;q=0", ""), ("identity", ""), ("compress", "")]
    {
        let answer = client.get_with(STYLE, &[("accept-encoding", accepted)]).await;
        assert_eq!(answer.header("content-encoding"), encoding, "{accepted}");
    }
    let likes_all = client.get_with(STYLE, &[("accept-encoding", "gzip, deflate, br, zstd")]).await;
    assert!(!likes_all.header("content-encoding").is_empty());
}

fn decoded(encoding: &str, bytes: &[u8]) -> Vec<u8> {
    let mut plain = Vec::new();
    let read = match encoding {
        "br" => brotli::Decompressor::new(bytes, 4096).read_to_end(&mut plain),
        "gzip" => flate2::read::GzDecoder::new(bytes).read_to_end(&mut plain),
        _ => zstd::Decoder::new(bytes).and_then(|mut decoder| decoder.read_to_end(&mut plain)),
    };
    read.unwrap_or_else(|error| panic!("not {encoding}: {error}"));
    plain
}

#[tokio::test]
async fn a_part_of_a_file_is_sent_on_its_own() {
    let node = TestNode::dev(fixture("shop")).await;
    for protocol in Protocol::ALL {
        let mut client = node.client(protocol, HOST).await;
        let whole = client.get(STYLE).await;
        let (size, tag) = (whole.body.len(), whole.header("etag").to_owned());
        assert_eq!(whole.header("accept-ranges"), "bytes");
        for (range, first, end) in [
            ("bytes=0-9", 0, 10),
            ("bytes=-5", size - 5, size),
            ("bytes=100-", 100, size),
            ("bytes=0-999999", 0, size),
        ] {
            let part = client.get_with(STYLE, &[("range", range)]).await;
            assert_eq!(part.status, StatusCode::PARTIAL_CONTENT, "{range}");
            assert_eq!(part.header("content-range"), format!("bytes {first}-{}/{size}", end - 1));
            assert_eq!(part.body, whole.body[first..end], "{range}");
        }
        let beyond = client.get_with(STYLE, &[("range", "bytes=999999-")]).await;
        assert_eq!(beyond.status, StatusCode::RANGE_NOT_SATISFIABLE);
        assert_eq!(beyond.header("content-range"), format!("bytes */{size}"));
        // A download goes on only if the file is still the same.
        let same = [("range", "bytes=0-9"), ("if-range", &*tag)];
        assert_eq!(client.get_with(STYLE, &same).await.status, StatusCode::PARTIAL_CONTENT);
        let changed = [("range", "bytes=0-9"), ("if-range", "\"other\"")];
        assert_eq!(client.get_with(STYLE, &changed).await.body, whole.body);
    }
}

#[tokio::test]
async fn a_folder_is_its_index_under_an_address_with_a_slash() {
    let node = TestNode::dev(fixture("shop")).await;
    let mut client = node.client(Protocol::Http1, HOST).await;
    assert!(client.get("/docs/").await.text().contains("How it is made"));
    let redirect = client.get("/docs?a=1").await;
    assert_eq!(redirect.status, StatusCode::PERMANENT_REDIRECT);
    assert_eq!(redirect.header("location"), "/docs/?a=1");
    for trick in
        ["//evil.example.com/%2e%2e", "/../../etc/passwd", "/%2e%2e/%2e%2e/etc/passwd", "/docs%2f"]
    {
        let answer = node.get(HOST, trick).await;
        assert!(answer.status.is_client_error(), "{trick}: {}", answer.status);
    }
}

#[tokio::test]
async fn an_application_in_the_browser_gets_its_page_for_every_address() {
    let site = Project::small("spa.example.com", "<!doctype html><title>App</title>");
    site.write("websites/main/app.js", "start()");
    let node = TestNode::dev(site.path()).await;
    let mut client = node.client(Protocol::Http1, "spa.example.com").await;
    let browser = [("accept", "text/html,application/xhtml+xml,*/*;q=0.8")];
    let page = client.get_with("/orders/42", &browser).await;
    assert_eq!((page.status, page.header("cache-control")), (StatusCode::OK, "no-cache"));
    assert!(page.text().contains("<title>App</title>"));
    assert!(page.header("vary").contains("Accept"), "{:?}", page.headers);
    for (path, fields) in [
        ("/orders/42", &[("accept", "application/json")][..]),
        ("/missing.js", &browser[..]),
        ("/.well-known/change-password", &browser[..]),
    ] {
        let answer = client.get_with(path, fields).await;
        assert_eq!(answer.status, StatusCode::NOT_FOUND, "{path} {fields:?}");
    }
}

#[tokio::test]
async fn a_site_with_a_page_for_what_is_missing_shows_it_with_404() {
    let node = TestNode::dev(fixture("shop")).await;
    let mut client = node.client(Protocol::Http1, HOST).await;
    let missing = client.get_with("/orders/42", &[("accept", "text/html")]).await;
    assert_eq!(missing.status, StatusCode::NOT_FOUND);
    assert!(missing.text().contains("Not on any shelf"));
    assert_eq!(missing.header("etag"), "", "nothing is there that could be validated");
}

#[tokio::test]
async fn a_file_too_large_for_memory_is_read_in_pieces() {
    let site = Project::small("large.example.com", "small");
    let content: Vec<u8> =
        (0..5_000_000_u32).map(|n| (n.wrapping_mul(2_654_435_761) >> 24) as u8).collect();
    site.write("websites/main/film.mp4", &content);
    let node = TestNode::dev(site.path()).await;
    for protocol in Protocol::ALL {
        let mut client = node.client(protocol, "large.example.com").await;
        let film = client.get("/film.mp4").await;
        assert_eq!(film.header("content-type"), "video/mp4");
        assert!(film.body == content, "changed over {protocol:?}");
        let part = client.get_with("/film.mp4", &[("range", "bytes=4000000-4500000")]).await;
        assert!(part.body == content[4_000_000..=4_500_000], "changed over {protocol:?}");
    }
}
