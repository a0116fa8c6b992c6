//! From HTTP to HTTPS: where a request in the clear is sent, and what it may get there all the same.

use headgate_certs::acme::challenge::WELL_KNOWN;
use http::{HeaderValue, Uri};

/// A year, as the preload lists want it. Subdomains are not included: they may be somebody else's, or
/// served elsewhere.
pub(super) const HSTS: HeaderValue = HeaderValue::from_static("max-age=31536000");

/// What an authority asks for in the clear (HTTP-01, RFC 8555 §8.3).
pub(super) fn is_challenge(path: &str) -> bool {
    path.starts_with(WELL_KNOWN)
}

/// The same address over HTTPS. `host` was parsed, so there is nothing in it but a host.
pub(super) fn location(host: &str, port: u16, target: &Uri) -> Option<HeaderValue> {
    let target = target.path_and_query().map(|target| target.as_str());
    let target = target.filter(|target| target.starts_with('/')).unwrap_or("/");
    let text = match port {
        443 => format!("https://{host}{target}"),
        port => format!("https://{host}:{port}{target}"),
    };
    HeaderValue::try_from(text).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_keeps_all_but_its_scheme() {
        let of = |port, target: &str| location("x.org", port, &target.parse().unwrap()).unwrap();
        assert_eq!(of(443, "/a/b?c=d"), "https://x.org/a/b?c=d");
        assert_eq!(of(8443, "/"), "https://x.org:8443/");
        assert_eq!(of(443, "http://x.org:80/a"), "https://x.org/a");
        assert_eq!(of(443, "http://x.org"), "https://x.org/");
        assert_eq!(of(443, "*"), "https://x.org/");
        assert_eq!(of(443, "//y.org/a"), "https://x.org//y.org/a", "it stays with its host");
    }
}
