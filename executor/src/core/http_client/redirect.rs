//! Where a response leads, with the semantics of Go's `http.Client`, but for credentials: those end at the origin
//! they were given for, not only at its domain.

use bytes::Bytes;
use http::{HeaderMap, HeaderName, Method, StatusCode, header};
use url::Url;

/// One hop of a request.
#[derive(Debug, Clone)]
pub(super) struct Hop {
    pub(super) method: Method,
    pub(super) url: Url,
    pub(super) fields: HeaderMap,
    pub(super) body: Bytes,
}

/// A location that cannot be followed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct BadLocation;

impl Hop {
    /// The next hop; nothing if the response is the answer.
    pub(super) fn follow(
        &self,
        status: StatusCode,
        fields: &HeaderMap,
    ) -> Result<Option<Self>, BadLocation> {
        let keeps_method = match status {
            StatusCode::MOVED_PERMANENTLY | StatusCode::FOUND | StatusCode::SEE_OTHER => false,
            StatusCode::TEMPORARY_REDIRECT | StatusCode::PERMANENT_REDIRECT => true,
            _ => return Ok(None),
        };
        let Some(location) = fields.get(header::LOCATION).filter(|value| !value.is_empty()) else {
            return Ok(None);
        };
        let location = std::str::from_utf8(location.as_bytes()).map_err(|_| BadLocation)?;
        let url = self.url.join(location).map_err(|_| BadLocation)?;
        let mut next = Self { url, ..self.clone() };
        if !keeps_method {
            if ![Method::GET, Method::HEAD].contains(&self.method) {
                next.method = Method::GET;
            }
            next.body = Bytes::new();
            remove(&mut next.fields, &OF_CONTENT);
        }
        if next.url.origin() != self.url.origin() {
            remove(&mut next.fields, &CREDENTIALS);
        }
        Ok(Some(next))
    }
}

fn remove(fields: &mut HeaderMap, names: &[HeaderName]) {
    for name in names {
        fields.remove(name);
    }
}

const OF_CONTENT: [HeaderName; 5] = [
    header::CONTENT_ENCODING,
    header::CONTENT_LANGUAGE,
    header::CONTENT_LOCATION,
    header::CONTENT_LENGTH,
    header::CONTENT_TYPE,
];

const CREDENTIALS: [HeaderName; 6] = [
    header::AUTHORIZATION,
    header::COOKIE,
    HeaderName::from_static("cookie2"),
    header::PROXY_AUTHENTICATE,
    header::PROXY_AUTHORIZATION,
    header::WWW_AUTHENTICATE,
];

#[cfg(test)]
mod tests {
    use http::HeaderValue;

    use super::*;

    fn hop(method: Method, url: &str) -> Hop {
        let mut fields = HeaderMap::new();
        for name in [header::AUTHORIZATION, header::COOKIE, header::CONTENT_TYPE, header::ACCEPT] {
            fields.insert(name, HeaderValue::from_static("x"));
        }
        Hop { method, url: url.parse().unwrap(), fields, body: Bytes::from_static(b"body") }
    }

    fn follow(from: &Hop, status: u16, location: &str) -> Result<Option<Hop>, BadLocation> {
        let mut fields = HeaderMap::new();
        fields.insert(header::LOCATION, HeaderValue::from_str(location).unwrap());
        from.follow(StatusCode::from_u16(status).unwrap(), &fields)
    }

    #[test]
    fn methods_and_bodies_go_on_as_the_status_says() {
        for (status, method, expected, keeps_body) in [
            (301, Method::POST, Method::GET, false),
            (302, Method::PUT, Method::GET, false),
            (303, Method::HEAD, Method::HEAD, false),
            (307, Method::POST, Method::POST, true),
            (308, Method::DELETE, Method::DELETE, true),
        ] {
            let next = follow(&hop(method, "https://a.test/x/y?q"), status, "../z").unwrap();
            let next = next.unwrap();
            assert_eq!(next.method, expected, "{status}");
            assert_eq!(next.url.as_str(), "https://a.test/z");
            assert_eq!(!next.body.is_empty(), keeps_body, "{status}");
            assert_eq!(next.fields.contains_key(header::CONTENT_TYPE), keeps_body, "{status}");
            assert!(next.fields.contains_key(header::AUTHORIZATION));
        }
    }

    #[test]
    fn credentials_stay_with_their_origin() {
        let from = hop(Method::GET, "https://a.test/");
        for (location, kept) in [
            ("https://a.test:443/b", true),
            ("/b", true),
            ("http://a.test/", false),
            ("https://a.test:8443/", false),
            ("https://b.a.test/", false),
            ("//evil.test/", false),
        ] {
            let next = follow(&from, 302, location).unwrap().unwrap();
            assert_eq!(next.fields.contains_key(header::AUTHORIZATION), kept, "{location}");
            assert_eq!(next.fields.contains_key(header::COOKIE), kept, "{location}");
            assert!(next.fields.contains_key(header::ACCEPT));
        }
    }

    #[test]
    fn what_leads_nowhere_is_the_answer() {
        let from = hop(Method::GET, "https://a.test/");
        assert!(follow(&from, 200, "/x").unwrap().is_none());
        assert!(follow(&from, 304, "/x").unwrap().is_none());
        assert!(from.follow(StatusCode::FOUND, &HeaderMap::new()).unwrap().is_none());
        assert_eq!(follow(&from, 302, "http://[").unwrap_err(), BadLocation);
    }
}
