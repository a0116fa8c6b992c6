//! From HTTP to HTTPS: where a request in the clear is sent, and what it may get there all the same.

use std::{
    collections::HashMap,
    sync::{PoisonError, RwLock},
};

use bytes::Bytes;
use http::{HeaderValue, Uri};

/// Below this path lie the answers to HTTP-01 challenges (RFC 8555 §8.3), which are asked for in the clear.
const CHALLENGES: &str = "/.well-known/acme-challenge/";

/// A year, as the preload lists want it. Subdomains are not included: they may be somebody else's, or
/// served elsewhere.
pub(super) const HSTS: HeaderValue = HeaderValue::from_static("max-age=31536000");

/// Answers at one time; each is an order under way, of which there are a few dozen.
const MOST_ANSWERS: usize = 10_000;

/// The answers to HTTP-01 challenges under way. Whoever orders certificates puts them in and takes them out.
#[derive(Debug, Default)]
pub struct HttpChallenges {
    /// By token, which no two challenges share.
    answers: RwLock<HashMap<Box<str>, Bytes>>,
}

/// There are as many answers as there may be.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("{MOST_ANSWERS} HTTP-01 challenges are under way already")]
pub struct TooManyChallenges;

impl HttpChallenges {
    /// Answers `token` with `key_authorization`, whichever host it is asked of.
    ///
    /// # Errors
    /// If there are too many already.
    pub fn publish(&self, token: &str, key_authorization: &str) -> Result<(), TooManyChallenges> {
        let mut answers = self.answers.write().unwrap_or_else(PoisonError::into_inner);
        if answers.len() >= MOST_ANSWERS && !answers.contains_key(token) {
            return Err(TooManyChallenges);
        }
        answers.insert(token.into(), Bytes::copy_from_slice(key_authorization.as_bytes()));
        Ok(())
    }

    pub fn remove(&self, token: &str) {
        self.answers.write().unwrap_or_else(PoisonError::into_inner).remove(token);
    }

    pub(super) fn find(&self, path: &str) -> Option<Bytes> {
        let token = path.strip_prefix(CHALLENGES)?;
        self.answers.read().unwrap_or_else(PoisonError::into_inner).get(token).cloned()
    }
}

pub(super) fn is_challenge(path: &str) -> bool {
    path.starts_with(CHALLENGES)
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

    #[test]
    fn challenges_are_answered_while_they_last() {
        let challenges = HttpChallenges::default();
        let path = format!("{CHALLENGES}token");
        assert_eq!(challenges.find(&path), None);
        challenges.publish("token", "token.thumbprint").unwrap();
        assert_eq!(challenges.find(&path).as_deref(), Some(&b"token.thumbprint"[..]));
        assert_eq!(challenges.find("/token"), None);
        challenges.remove("token");
        assert_eq!(challenges.find(&path), None);
        for n in 0..MOST_ANSWERS {
            challenges.publish(&n.to_string(), "").unwrap();
        }
        assert_eq!(challenges.publish("one more", ""), Err(TooManyChallenges));
        assert_eq!(challenges.publish("0", "again"), Ok(()));
    }
}
