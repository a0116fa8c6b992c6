//! `prepare`: all that is known about a file at deploy.

use std::borrow::Cow;

use bytes::Bytes;

use crate::{
    compress::compress,
    hashed_name::is_hashed_name,
    mime::{content_type, is_compressible},
    table::Encoding,
};

/// What a file becomes; its own bytes stay with the caller.
#[derive(Debug, Clone)]
pub struct Prepared {
    /// The whole `Content-Type`, with charset.
    pub mime: Cow<'static, str>,
    /// The name changes with the content. Never a page: people bookmark pages.
    pub immutable: bool,
    /// The file under content codings, where that is worth it; at most one of each.
    pub variants: Vec<(Encoding, Bytes)>,
}

/// Works out the type of a file, whether it can be cached for ever, and its compressed forms.
///
/// The same bytes always give the same result. It burns CPU, up to about a second for the largest files
/// that are compressed at all; call it where that hurts nobody, and not twice for the same content.
pub fn prepare(path: &str, content: Bytes) -> Prepared {
    let mime = content_type(path, &content);
    let immutable = is_hashed_name(path) && !is_page(&mime);
    let variants = if is_compressible(&mime) { compress(&content) } else { Vec::new() };
    Prepared { mime, immutable, variants }
}

pub(crate) fn is_page(mime: &str) -> bool {
    mime.starts_with("text/html") || mime.starts_with("application/xhtml+xml")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_script_with_a_hashed_name_is_immutable_and_compressed() {
        let prepared = prepare("assets/app.3f9a2c1b.js", Bytes::from("let a = 1;\n".repeat(100)));
        assert_eq!(prepared.mime, "text/javascript; charset=utf-8");
        assert!(prepared.immutable);
        assert_eq!(prepared.variants.len(), 3);
    }

    #[test]
    fn a_page_is_never_immutable() {
        assert!(!prepare("index.3f9a2c1b.html", Bytes::new()).immutable);
    }

    #[test]
    fn pictures_are_left_alone() {
        assert!(prepare("a.png", Bytes::from(vec![0; 10_000])).variants.is_empty());
    }
}
