//! `Site::answer`: a request becomes a status, headers and the name of some bytes (RFC 9110).

use std::ops::Range;

use bytes::Bytes;
use headgate_types::Digest;
use http::{
    HeaderMap, HeaderValue, Method, StatusCode,
    header::{
        ACCEPT_RANGES, ALLOW, CACHE_CONTROL, CONTENT_ENCODING, CONTENT_LENGTH, CONTENT_RANGE,
        CONTENT_TYPE, ETAG, IF_MATCH, IF_NONE_MATCH, IF_RANGE, LOCATION, VARY,
        X_CONTENT_TYPE_OPTIONS,
    },
};

use crate::{
    conditional::{Comparison, if_range, names},
    negotiate::{AcceptedEncodings, accepts_html},
    range::ByteRange,
    site::{File, REVALIDATE, Representation, Resolved, Site},
};

/// What a website needs to know of a request.
#[derive(Debug, Clone, Copy)]
pub struct SiteRequest<'a> {
    pub method: &'a Method,
    /// Below the site's prefix, percent-encoded: empty, or with a slash in front.
    pub path: &'a str,
    /// With the prefix, for redirects.
    pub full_path: &'a str,
    pub query: Option<&'a str>,
    pub headers: &'a HeaderMap,
}

/// An answer whose body is still to be fetched. A `HEAD` has the headers of a `GET` and an empty body.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SiteAnswer {
    pub status: StatusCode,
    pub headers: HeaderMap,
    pub body: Body,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Body {
    Empty,
    Blob {
        digest: Digest,
        /// Of the whole blob, in bytes.
        size: u64,
        /// Which of them to send; within `size`.
        range: Range<u64>,
    },
    Text(Bytes),
}

impl Site {
    /// Answers from the table alone.
    ///
    /// A range is one of the plain file, unless `If-Range` names an encoding of it that the client accepts:
    /// then a download broken off under that encoding goes on (RFC 9110 §14.2 leaves the choice to us).
    pub fn answer(&self, request: SiteRequest<'_>) -> SiteAnswer {
        let head = request.method == Method::HEAD;
        if !head && request.method != Method::GET {
            return method_not_allowed();
        }
        let answer = match self.resolve(request.path) {
            Resolved::File(file) => file_answer(file, &request),
            Resolved::Folder => folder_redirect(&request),
            Resolved::NotFound(page) => not_found(page, &request),
            Resolved::Fallback(page) => fallback(page, &request),
        };
        match head {
            true => SiteAnswer { body: Body::Empty, ..answer },
            false => answer,
        }
    }
}

/// Preconditions first, then the range (RFC 9110 §13.2.2).
fn file_answer(file: &File, request: &SiteRequest<'_>) -> SiteAnswer {
    let accepted = AcceptedEncodings::of(request.headers);
    let ranged = ranged(file, request, &accepted);
    let (selected, range) = match ranged {
        Some((selected, range)) => (selected, Some(range)),
        None => (file.preferred(&accepted), None),
    };
    let tag = &selected.entity_tag;
    if names(request.headers, &IF_MATCH, tag, Comparison::Strong) == Some(false) {
        return text(StatusCode::PRECONDITION_FAILED, "the file is another one now\n");
    }
    if names(request.headers, &IF_NONE_MATCH, tag, Comparison::Weak) == Some(true) {
        return not_modified(file, selected);
    }
    match range.map(|range| range.within(selected.size)) {
        None => whole(StatusCode::OK, file, selected),
        Some(Some(range)) => part(file, selected, range),
        Some(None) => unsatisfiable(selected.size),
    }
}

/// The range that is asked for and of what, unless the whole is to be sent. Only a `GET` has one (§14.2).
fn ranged<'s>(
    file: &'s File,
    request: &SiteRequest<'_>,
    accepted: &AcceptedEncodings,
) -> Option<(&'s Representation, ByteRange)> {
    if request.method != Method::GET {
        return None;
    }
    let range = ByteRange::of(request.headers)?;
    let selected = match request.headers.get(IF_RANGE) {
        Some(field) => file.tagged(accepted, |tag| if_range(field, tag))?,
        None => &file.identity,
    };
    Some((selected, range))
}

fn whole(status: StatusCode, file: &File, selected: &Representation) -> SiteAnswer {
    let mut headers = representation_headers(file, selected);
    headers.insert(CONTENT_LENGTH, selected.length.clone());
    SiteAnswer { status, headers, body: blob(selected, 0..selected.size) }
}

fn part(file: &File, selected: &Representation, range: Range<u64>) -> SiteAnswer {
    let mut headers = representation_headers(file, selected);
    let (first, last, size) = (range.start, range.end - 1, selected.size);
    headers.insert(CONTENT_RANGE, ascii(format!("bytes {first}-{last}/{size}")));
    headers.insert(CONTENT_LENGTH, HeaderValue::from(range.end - range.start));
    SiteAnswer { status: StatusCode::PARTIAL_CONTENT, headers, body: blob(selected, range) }
}

/// With the fields of a 200 that a cache would update (§15.4.5).
fn not_modified(file: &File, selected: &Representation) -> SiteAnswer {
    let mut headers = common_headers();
    headers.insert(ETAG, selected.entity_tag.clone());
    headers.insert(CACHE_CONTROL, file.cache_control.clone());
    vary(file, &mut headers);
    SiteAnswer { status: StatusCode::NOT_MODIFIED, headers, body: Body::Empty }
}

fn unsatisfiable(size: u64) -> SiteAnswer {
    let mut answer = text(StatusCode::RANGE_NOT_SATISFIABLE, "");
    answer.headers.insert(CONTENT_RANGE, ascii(format!("bytes */{size}")));
    answer
}

/// The application sorts its paths out in the browser; scripts and pictures that are missing are missing.
fn fallback(page: &File, request: &SiteRequest<'_>) -> SiteAnswer {
    match accepts_html(request.headers) {
        true => {
            let mut answer = file_answer(page, request);
            answer.headers.insert(VARY, VARY_BOTH);
            answer
        }
        false => {
            let mut answer = not_found(None, request);
            answer.headers.insert(VARY, VARY_ACCEPT);
            answer
        }
    }
}

/// Neither conditions nor ranges apply to what is not there (§13.2.1).
fn not_found(page: Option<&File>, request: &SiteRequest<'_>) -> SiteAnswer {
    let Some(page) = page else { return text(StatusCode::NOT_FOUND, "not found\n") };
    let selected = page.preferred(&AcceptedEncodings::of(request.headers));
    let mut answer = whole(StatusCode::NOT_FOUND, page, selected);
    answer.headers.remove(ACCEPT_RANGES);
    answer.headers.remove(ETAG);
    answer
}

/// `/docs` becomes `/docs/`, so that the relative links of the index lead to its neighbours.
fn folder_redirect(request: &SiteRequest<'_>) -> SiteAnswer {
    // Two slashes in front would name a host (RFC 3986 §4.2), and browsers take `\` for a slash.
    let path = request.full_path.trim_start_matches(['/', '\\']);
    let query = request.query.map(|query| format!("?{query}")).unwrap_or_default();
    let Ok(location) = HeaderValue::from_bytes(format!("/{path}/{query}").as_bytes()) else {
        return not_found(None, request);
    };
    let mut answer = text(StatusCode::PERMANENT_REDIRECT, "");
    answer.headers.insert(LOCATION, location);
    // The next revision may have a file where the folder is now.
    answer.headers.insert(CACHE_CONTROL, REVALIDATE);
    answer
}

fn method_not_allowed() -> SiteAnswer {
    let mut answer = text(StatusCode::METHOD_NOT_ALLOWED, "method not allowed\n");
    answer.headers.insert(ALLOW, HeaderValue::from_static("GET, HEAD"));
    answer
}

fn text(status: StatusCode, body: &'static str) -> SiteAnswer {
    let mut headers = common_headers();
    headers.insert(CONTENT_LENGTH, HeaderValue::from(body.len()));
    if body.is_empty() {
        return SiteAnswer { status, headers, body: Body::Empty };
    }
    headers.insert(CONTENT_TYPE, HeaderValue::from_static("text/plain; charset=utf-8"));
    SiteAnswer { status, headers, body: Body::Text(Bytes::from_static(body.as_bytes())) }
}

fn representation_headers(file: &File, selected: &Representation) -> HeaderMap {
    let mut headers = common_headers();
    headers.insert(CONTENT_TYPE, file.content_type.clone());
    headers.insert(CACHE_CONTROL, file.cache_control.clone());
    headers.insert(ETAG, selected.entity_tag.clone());
    headers.insert(ACCEPT_RANGES, HeaderValue::from_static("bytes"));
    if let Some(encoding) = selected.encoding {
        headers.insert(CONTENT_ENCODING, HeaderValue::from_static(encoding.token()));
    }
    vary(file, &mut headers);
    headers
}

fn common_headers() -> HeaderMap {
    let mut headers = HeaderMap::with_capacity(HEADERS);
    headers.insert(X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    headers
}

/// As many as an answer has at most, so that the map never grows.
const HEADERS: usize = 10;

fn vary(file: &File, headers: &mut HeaderMap) {
    if !file.encoded.is_empty() {
        headers.insert(VARY, VARY_ENCODING);
    }
}

const VARY_ENCODING: HeaderValue = HeaderValue::from_static("Accept-Encoding");
const VARY_ACCEPT: HeaderValue = HeaderValue::from_static("Accept");
const VARY_BOTH: HeaderValue = HeaderValue::from_static("Accept, Accept-Encoding");

fn blob(selected: &Representation, range: Range<u64>) -> Body {
    match range.is_empty() {
        true => Body::Empty,
        false => Body::Blob { digest: selected.digest, size: selected.size, range },
    }
}

fn ascii(text: String) -> HeaderValue {
    HeaderValue::try_from(text).expect("letters and numbers make a header value")
}
