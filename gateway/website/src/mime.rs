//! Which media type a file is served as.

use std::borrow::Cow;

/// The `Content-Type` of a file, by its name; its bytes decide only about the charset.
///
/// Nothing is sniffed: a site whose `Content-Type` depends on what an uploader wrote is an attack.
pub(crate) fn content_type(path: &str, content: &[u8]) -> Cow<'static, str> {
    let mime = media_type(path);
    // A page in another charset says so itself, and a wrong header would overrule it.
    match mime.starts_with("text/") && std::str::from_utf8(content).is_ok() {
        true => Cow::Owned(format!("{mime}; charset=utf-8")),
        false => Cow::Borrowed(mime),
    }
}

/// Types without parameters whose files get smaller by a content coding.
pub(crate) fn is_compressible(mime: &str) -> bool {
    let mime = mime.split(';').next().unwrap_or(mime);
    mime.starts_with("text/")
        || mime.ends_with("+json")
        || mime.ends_with("+xml")
        || COMPRESSIBLE.contains(&mime)
}

fn media_type(path: &str) -> &'static str {
    let name = path.rsplit('/').next().unwrap_or(path);
    let extension = name.rsplit_once('.').map_or("", |(_, extension)| extension);
    let named = NAMED.iter().find(|(known, _)| *known == name);
    let corrected = || CORRECTED.iter().find(|(known, _)| known.eq_ignore_ascii_case(extension));
    match named.or_else(corrected) {
        Some((_, mime)) => mime,
        None => mime_guess::from_ext(extension).first_raw().unwrap_or(OCTET_STREAM),
    }
}

/// For bytes we know nothing about (RFC 9110 §8.3 leaves the guess to us, and we do not guess).
pub(crate) const OCTET_STREAM: &str = "application/octet-stream";

/// Files whose whole name says what they are.
const NAMED: [(&str, &str); 2] =
    [("apple-app-site-association", "application/json"), ("assetlinks.json", "application/json")];

/// Where `mime_guess` is behind the registry (RFC 9239, RFC 8081) or means another file than a site does.
const CORRECTED: [(&str, &str); 16] = [
    ("cjs", "text/javascript"),
    ("jsx", "text/javascript"),
    ("m3u8", "application/vnd.apple.mpegurl"),
    ("m4a", "audio/mp4"),
    ("map", "application/json"),
    ("mjs", "text/javascript"),
    ("otf", "font/otf"),
    ("pem", "application/x-pem-file"),
    ("rpm", "application/x-rpm"),
    ("swf", OCTET_STREAM),
    ("toml", "application/toml"),
    ("ts", "video/mp2t"),
    ("ttf", "font/ttf"),
    ("woff", "font/woff"),
    ("yaml", "application/yaml"),
    ("yml", "application/yaml"),
];

const COMPRESSIBLE: [&str; 12] = [
    "application/javascript",
    "application/json",
    "application/rtf",
    "application/toml",
    "application/vnd.apple.mpegurl",
    "application/vnd.ms-fontobject",
    "application/wasm",
    "application/xml",
    "application/yaml",
    "font/otf",
    "font/ttf",
    "image/x-icon",
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_give_the_types_that_browsers_expect() {
        for (path, mime) in [
            ("index.html", "text/html; charset=utf-8"),
            ("a/INDEX.HTML", "text/html; charset=utf-8"),
            ("app.js", "text/javascript; charset=utf-8"),
            ("app.mjs", "text/javascript; charset=utf-8"),
            ("style.css", "text/css; charset=utf-8"),
            ("robots.txt", "text/plain; charset=utf-8"),
            ("feed.xml", "text/xml; charset=utf-8"),
            ("notes.md", "text/markdown; charset=utf-8"),
            ("app.js.map", "application/json"),
            ("data.json", "application/json"),
            ("site.webmanifest", "application/manifest+json"),
            ("main.wasm", "application/wasm"),
            ("logo.svg", "image/svg+xml"),
            ("photo.avif", "image/avif"),
            ("photo.webp", "image/webp"),
            ("photo.jpg", "image/jpeg"),
            ("favicon.ico", "image/x-icon"),
            ("font.woff2", "font/woff2"),
            ("font.woff", "font/woff"),
            ("font.ttf", "font/ttf"),
            ("film.mp4", "video/mp4"),
            ("live.ts", "video/mp2t"),
            ("paper.pdf", "application/pdf"),
            (".well-known/apple-app-site-association", "application/json"),
            ("LICENSE", OCTET_STREAM),
            ("odd.zzz", OCTET_STREAM),
            ("html", OCTET_STREAM),
            ("a.html/b", OCTET_STREAM),
            ("", OCTET_STREAM),
        ] {
            assert_eq!(content_type(path, b"plain"), mime, "{path}");
        }
    }

    #[test]
    fn a_page_in_another_charset_is_not_called_utf8() {
        assert_eq!(content_type("index.html", b"caf\xe9"), "text/html");
    }

    #[test]
    fn what_is_compressed_already_is_not_compressible() {
        for mime in ["text/html; charset=utf-8", "image/svg+xml", "application/wasm", "font/ttf"] {
            assert!(is_compressible(mime), "{mime}");
        }
        for mime in ["image/png", "font/woff2", "video/mp4", "application/zip", OCTET_STREAM] {
            assert!(!is_compressible(mime), "{mime}");
        }
    }
}
