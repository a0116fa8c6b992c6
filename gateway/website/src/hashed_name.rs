//! Names that contain a hash of their content, as bundlers write them.

/// Whether the name of a file changes with its content: `app.3f9a2c1b.js`, `index-BX3k9d2a.js`.
///
/// A wrong yes would freeze a file in browsers for a year, a wrong no costs a revalidation. So a part counts
/// as a hash only if it looks like nothing a person writes; words, versions and dates do not.
pub fn is_hashed_name(path: &str) -> bool {
    let name = path.rsplit('/').next().unwrap_or(path);
    let mut parts = name.split('.');
    let (Some(stem), Some(_extension)) = (parts.next(), parts.next_back()) else { return false };
    if is_uuid(stem) {
        return false;
    }
    let in_stem = match stem.rsplit_once(['-', '_']) {
        Some((_, last)) => is_hash(last),
        // A name that is nothing but a hash, as Next.js has it, must be a long one.
        None => stem.len() >= MIN_WHOLE_STEM && is_hex_hash(stem),
    };
    in_stem || parts.any(is_hash)
}

fn is_hash(text: &str) -> bool {
    is_hex_hash(text) || is_base32_hash(text) || is_base62_hash(text)
}

/// webpack, Parcel, Rollup 3: hex. A date has no letters, a word no digits.
fn is_hex_hash(text: &str) -> bool {
    text.len() >= MIN_HASH
        && text.bytes().all(|b| b.is_ascii_digit() || matches!(b, b'a'..=b'f'))
        && text.bytes().any(|b| b.is_ascii_digit())
        && text.bytes().any(|b| b.is_ascii_alphabetic())
}

/// esbuild: eight of `A-Z2-7`. The digits must stand apart, as in `REPORT22` they do not.
fn is_base32_hash(text: &str) -> bool {
    text.len() == MIN_HASH
        && text.bytes().all(|b| matches!(b, b'A'..=b'Z' | b'2'..=b'7'))
        && runs(text).filter(|run| run[0].is_ascii_digit()).count() >= 2
}

/// Rollup 4, Vite: letters of both cases with digits, so mixed that no word is left in it (`Summer24`).
fn is_base62_hash(text: &str) -> bool {
    let has = |test: fn(&u8) -> bool| text.as_bytes().iter().any(test);
    text.len() >= MIN_HASH
        && text.bytes().all(|b| b.is_ascii_alphanumeric())
        && has(u8::is_ascii_digit)
        && has(u8::is_ascii_lowercase)
        && has(u8::is_ascii_uppercase)
        && runs(text).all(|run| run.len() < WORD)
}

/// Neighbours of one kind: digits, capitals, small letters.
fn runs(text: &str) -> impl Iterator<Item = &[u8]> {
    text.as_bytes().chunk_by(|a, b| kind(*a) == kind(*b))
}

fn kind(byte: u8) -> u8 {
    match byte {
        b'0'..=b'9' => 0,
        b'A'..=b'Z' => 1,
        _ => 2,
    }
}

/// Names of uploads: unique, but not made from the content.
fn is_uuid(stem: &str) -> bool {
    stem.split('-').map(str::len).eq([8, 4, 4, 4, 12])
        && stem.bytes().all(|b| b.is_ascii_hexdigit() || b == b'-')
}

/// Eight characters is the shortest that a bundler writes by default.
const MIN_HASH: usize = 8;
const MIN_WHOLE_STEM: usize = 16;
/// As many letters or digits in a row as make a word or a year.
const WORD: usize = 4;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_bundlers_write_is_hashed() {
        for path in [
            "app.3f9a2c1b.js",
            "assets/index-BX3k9d2a.js",
            "assets/index-BX3k9d2a.css",
            "js/main.3f9a2c1b7d8e4f5a6b7c.chunk.js",
            "js/main.3f9a2c1b.js.map",
            "_next/static/chunks/framework-2c79e2a64abdb08b.js",
            "_next/static/css/ef46db3751d8e999.css",
            "chunk-5TLPZ3XG.js",
            "logo_3f9a2c1b.svg",
            "inter-latin.3f9a2c1b.woff2",
        ] {
            assert!(is_hashed_name(path), "{path}");
        }
    }

    #[test]
    fn what_people_write_is_not() {
        for path in [
            "jquery.min.js",
            "jquery-3.7.1.min.js",
            "2024-report.html",
            "report-20240131.pdf",
            "report.20240131.pdf",
            "theme-bootstrap5.css",
            "hero-iPhone15Pro.png",
            "banner-Summer24.png",
            "table-Q1Report2024.csv",
            "form-VERSION2.pdf",
            "form-REPORT22.pdf",
            "wall-deadbeef.png",
            "wall-facade.png",
            "fontawesome-webfont.woff2",
            "550e8400-e29b-41d4-a716-44665544a000.png",
            "3f9a2c1b.js",
            "3f9a2c1b7d8e4f5a",
            "app-3f9a2c1b",
            "3f9a2c1b/app.js",
            "index.html",
            ".3f9a2c1b",
            "..",
            "",
        ] {
            assert!(!is_hashed_name(path), "{path}");
        }
    }
}
