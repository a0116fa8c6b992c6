//! `Site`: a website ready to answer.

use std::{borrow::Cow, collections::HashMap};

use headgate_types::Digest;
use http::HeaderValue;
use percent_encoding::percent_decode_str;

use crate::{
    conditional::entity_tag,
    mime::OCTET_STREAM,
    negotiate::AcceptedEncodings,
    prepare::is_page,
    table::{Encoding, SiteFile, SiteTable, is_served},
};

/// A [`SiteTable`] with every header value made and every name resolved, so that an answer is a lookup.
#[derive(Debug)]
pub struct Site {
    /// By decoded path without the first slash.
    resources: HashMap<Box<str>, Resource>,
    files: Box<[File]>,
    not_found: Option<usize>,
    fallback: Option<usize>,
}

#[derive(Debug, Clone, Copy)]
enum Resource {
    File(usize),
    /// The name of a folder with an index, without its final slash.
    Folder,
}

/// What a path leads to.
#[derive(Debug)]
pub(crate) enum Resolved<'s> {
    File(&'s File),
    /// The same path with a slash behind it.
    Folder,
    /// Nothing; here is the page for that, if the site has one.
    NotFound(Option<&'s File>),
    /// Nothing, and whoever wants a page gets this one: the application sorts its paths out in the browser.
    Fallback(&'s File),
}

impl Site {
    /// Hidden files are left out, see [`is_served`].
    pub fn new(table: &SiteTable) -> Self {
        let served = || table.iter().filter(|(path, _)| is_served(path));
        let mut resources = HashMap::new();
        for (i, (path, _)) in served().enumerate() {
            resources.insert(path.into(), Resource::File(i));
        }
        let index_of = |path: &str| match resources.get(path) {
            Some(Resource::File(i)) => Some(*i),
            _ => None,
        };
        let not_found = index_of("404.html");
        // A site with a page for what is missing does not want it to look found.
        let fallback = if not_found.is_some() { None } else { index_of("index.html") };
        // A file's own name goes before the one without `.html`, and that before a folder.
        for (i, (path, _)) in served().enumerate() {
            match (folder_of_index(path), path.strip_suffix(".html")) {
                (Some(folder), _) => {
                    resources.insert(folder.into(), Resource::File(i));
                }
                (None, Some(name)) => {
                    resources.entry(name.into()).or_insert(Resource::File(i));
                }
                (None, None) => {}
            }
        }
        for folder in served().filter_map(|(path, _)| folder_of_index(path)?.strip_suffix('/')) {
            resources.entry(folder.into()).or_insert(Resource::Folder);
        }
        let files = served().map(|(_, file)| File::new(file)).collect();
        Self { resources, files, not_found, fallback }
    }

    /// `path` is percent-encoded, empty or with a slash in front.
    pub(crate) fn resolve(&self, path: &str) -> Resolved<'_> {
        let not_found = || Resolved::NotFound(self.not_found.map(|i| &self.files[i]));
        let Some(name) = name_of(path) else { return not_found() };
        match self.resources.get(&*name) {
            // The site's own prefix is a folder like any other.
            Some(Resource::File(_)) if path.is_empty() => Resolved::Folder,
            Some(Resource::File(i)) => Resolved::File(&self.files[*i]),
            Some(Resource::Folder) => Resolved::Folder,
            None => match self.fallback {
                Some(i) if is_for_fallback(&name) => Resolved::Fallback(&self.files[i]),
                _ => not_found(),
            },
        }
    }
}

/// `docs/` for `docs/index.html`.
fn folder_of_index(path: &str) -> Option<&str> {
    path.strip_suffix("index.html").filter(|folder| folder.is_empty() || folder.ends_with('/'))
}

/// The key of a request path; `None` if no file could have it: an escaped slash is none between folders.
fn name_of(path: &str) -> Option<Cow<'_, str>> {
    let path = path.strip_prefix('/').unwrap_or(path);
    if !path.contains('%') {
        return Some(Cow::Borrowed(path));
    }
    let encoded_slash = path.as_bytes().windows(3).any(|w| w.eq_ignore_ascii_case(b"%2f"));
    if encoded_slash { None } else { percent_decode_str(path).decode_utf8().ok() }
}

/// Paths of pages have no extension, and nobody looks for a page among hidden or well-known files.
fn is_for_fallback(name: &str) -> bool {
    let last = name.rsplit('/').next().unwrap_or(name);
    !last.contains('.') && is_served(name) && !name.starts_with(".well-known")
}

/// One file with its representations.
#[derive(Debug)]
pub(crate) struct File {
    pub(crate) content_type: HeaderValue,
    pub(crate) cache_control: HeaderValue,
    pub(crate) identity: Representation,
    /// Smallest first.
    pub(crate) encoded: Box<[Representation]>,
}

/// The bytes of a file under one content coding, or none.
#[derive(Debug)]
pub(crate) struct Representation {
    pub(crate) encoding: Option<Encoding>,
    pub(crate) digest: Digest,
    pub(crate) size: u64,
    pub(crate) entity_tag: HeaderValue,
    pub(crate) length: HeaderValue,
}

impl File {
    fn new(file: &SiteFile) -> Self {
        let mut encoded: Box<[_]> = file
            .encodings
            .iter()
            .map(|e| Representation::new(Some(e.encoding), e.digest, e.size))
            .collect();
        encoded.sort_by_key(|representation| representation.size);
        let cache_control = match (is_page(&file.mime), file.immutable) {
            (true, _) => NO_CACHE,
            (false, true) => IMMUTABLE,
            (false, false) => REVALIDATE,
        };
        let octet_stream = || HeaderValue::from_static(OCTET_STREAM);
        Self {
            content_type: HeaderValue::from_str(&file.mime).unwrap_or_else(|_| octet_stream()),
            cache_control,
            identity: Representation::new(None, file.digest, file.size),
            encoded,
        }
    }

    /// What the client likes best; of equals the smallest.
    pub(crate) fn preferred(&self, accepted: &AcceptedEncodings) -> &Representation {
        let mut best = (accepted.identity(), &self.identity);
        for representation in &self.encoded {
            let quality = representation.quality(accepted);
            let beats_identity = best.1.encoding.is_none() && quality == best.0 && quality > 0;
            if quality > best.0 || beats_identity {
                best = (quality, representation);
            }
        }
        best.1
    }

    /// The representation with this tag, if the client can read it.
    pub(crate) fn tagged(
        &self,
        accepted: &AcceptedEncodings,
        is_tag: impl Fn(&HeaderValue) -> bool,
    ) -> Option<&Representation> {
        let readable = self.encoded.iter().filter(|r| r.quality(accepted) > 0);
        readable.chain([&self.identity]).find(|r| is_tag(&r.entity_tag))
    }
}

impl Representation {
    fn new(encoding: Option<Encoding>, digest: Digest, size: u64) -> Self {
        Self { encoding, digest, size, entity_tag: entity_tag(&digest), length: size.into() }
    }

    fn quality(&self, accepted: &AcceptedEncodings) -> u16 {
        self.encoding.map_or(0, |encoding| accepted.quality(encoding))
    }
}

/// Cached, but asked about before each use: a page names all the rest of a site.
const NO_CACHE: HeaderValue = HeaderValue::from_static("no-cache");
/// A year, which is how far caches look ahead; `immutable` spares the question on reload (RFC 8246).
const IMMUTABLE: HeaderValue = HeaderValue::from_static("public, max-age=31536000, immutable");
pub(crate) const REVALIDATE: HeaderValue =
    HeaderValue::from_static("public, max-age=0, must-revalidate");
