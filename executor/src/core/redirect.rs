//! `eventHttpRedirect`, with the semantics of Go's `http.Redirect`, which guests were written against.

use http::{HeaderName, Method, StatusCode, header};

use super::{errno::Errno, reply::Reply};

/// Where `url` leads from a request for `path`: relative ones are joined and cleaned, others stay.
pub(super) fn target(url: &str, path: &str) -> String {
    if has_scheme(url) || url.starts_with("//") {
        return url.to_owned();
    }
    let absolute = if url.starts_with('/') {
        url.to_owned()
    } else {
        let folder = path.rfind('/').map_or("/", |slash| &path[..=slash]);
        format!("{folder}{url}")
    };
    let (path, query) = match absolute.find('?') {
        Some(at) => absolute.split_at(at),
        None => (absolute.as_str(), ""),
    };
    let mut cleaned = clean(path);
    if path.ends_with('/') && !cleaned.ends_with('/') {
        cleaned.push('/');
    }
    cleaned + query
}

/// RFC 3986 §3.1.
fn has_scheme(url: &str) -> bool {
    url.split_once(':').is_some_and(|(scheme, _)| {
        scheme.starts_with(|first: char| first.is_ascii_alphabetic())
            && scheme.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"+-.".contains(&byte))
    })
}

/// A rooted path without empty, `.` and `..` segments.
fn clean(path: &str) -> String {
    let mut segments = Vec::new();
    for segment in path.split('/') {
        match segment {
            "" | "." => {}
            ".." => _ = segments.pop(),
            segment => segments.push(segment),
        }
    }
    format!("/{}", segments.join("/"))
}

/// Sets the location and the status, and the small page that a GET gets unless the guest has its own content.
pub(super) fn answer(
    reply: &mut Reply,
    method: &Method,
    target: &str,
    code: u32,
) -> Result<(), Errno> {
    let first = !reply.has_status();
    reply.status(code)?;
    if !first {
        return Ok(());
    }
    reply.add_header(header::LOCATION.as_str().as_bytes(), escape_non_ascii(target).as_bytes());
    let own_content = reply.has_header(&CONTENT_TYPE);
    if !own_content && (*method == Method::GET || *method == Method::HEAD) {
        reply.add_header(CONTENT_TYPE.as_str().as_bytes(), b"text/html; charset=utf-8");
    }
    if !own_content && *method == Method::GET {
        let reason = u16::try_from(code).ok().and_then(|code| StatusCode::from_u16(code).ok());
        let reason = reason.and_then(|status| status.canonical_reason()).unwrap_or_default();
        // A page that does not fit any more is no loss.
        _ = reply
            .buffer(format!("<a href=\"{}\">{reason}</a>.\n\n", escape_html(target)).as_bytes());
    }
    Ok(())
}

const CONTENT_TYPE: HeaderName = header::CONTENT_TYPE;

fn escape_non_ascii(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for byte in text.bytes() {
        match byte {
            0x80.. => escaped.push_str(&format!("%{byte:02x}")),
            byte => escaped.push(char::from(byte)),
        }
    }
    escaped
}

fn escape_html(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for character in text.chars() {
        match character {
            '&' => escaped.push_str("&amp;"),
            '<' => escaped.push_str("&lt;"),
            '>' => escaped.push_str("&gt;"),
            '"' => escaped.push_str("&#34;"),
            '\'' => escaped.push_str("&#39;"),
            character => escaped.push(character),
        }
    }
    escaped
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn relative_urls_are_joined_and_cleaned() {
        for (url, path, expected) in [
            ("https://example.com/a/../b", "/x", "https://example.com/a/../b"),
            ("//example.com/x", "/y", "//example.com/x"),
            ("/a/./b/../c/", "/", "/a/c/"),
            ("next?a=/../b", "/docs/page", "/docs/next?a=/../b"),
            ("../up", "/docs/deep/page", "/docs/up"),
            ("../../../up", "/docs", "/up"),
            ("", "/docs/page", "/docs/"),
            ("mailto:x@example.com", "/", "mailto:x@example.com"),
        ] {
            assert_eq!(target(url, path), expected, "{url} from {path}");
        }
    }
}
