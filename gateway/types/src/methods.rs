//! `MethodSet`: which HTTP methods a route takes.

use std::fmt;

use serde::{Deserialize, Serialize};

/// The methods a route can be claimed for, in the order in which `Allow` lists them (RFC 9110 §9, RFC 5789).
pub const METHODS: [&str; 9] =
    ["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "CONNECT", "TRACE"];

/// A set of methods; copying it is copying two bytes.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Default)]
pub struct MethodSet(u16);

impl MethodSet {
    pub const EMPTY: Self = Self(0);
    /// What a website answers.
    pub const GET_HEAD: Self = Self(0b11);

    /// A method by its upper-case name; `None` if no route can be claimed for it.
    pub fn of(method: &str) -> Option<Self> {
        METHODS.iter().position(|name| *name == method).map(|i| Self(1 << i))
    }

    #[must_use]
    pub const fn with(self, other: Self) -> Self {
        Self(self.0 | other.0)
    }

    /// Adds `HEAD` where there is `GET`: whoever answers one answers the other (RFC 9110 §9.3.2).
    #[must_use]
    pub const fn with_head(self) -> Self {
        Self(self.0 | (self.0 & 1) << 1)
    }

    pub fn contains(self, method: &str) -> bool {
        Self::of(method).is_some_and(|m| self.0 & m.0 != 0)
    }

    pub const fn intersects(self, other: Self) -> bool {
        self.0 & other.0 != 0
    }

    pub const fn is_empty(self) -> bool {
        self.0 == 0
    }

    pub fn iter(self) -> impl Iterator<Item = &'static str> {
        METHODS.iter().enumerate().filter(move |(i, _)| self.0 & 1 << i != 0).map(|(_, name)| *name)
    }
}

impl FromIterator<Self> for MethodSet {
    fn from_iter<I: IntoIterator<Item = Self>>(sets: I) -> Self {
        sets.into_iter().fold(Self::EMPTY, Self::with)
    }
}

/// As the value of an `Allow` field: `GET, HEAD`.
impl fmt::Display for MethodSet {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (i, name) in self.iter().enumerate() {
            write!(f, "{}{name}", if i > 0 { ", " } else { "" })?;
        }
        Ok(())
    }
}

impl fmt::Debug for MethodSet {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl Serialize for MethodSet {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_seq(self.iter())
    }
}

impl<'de> Deserialize<'de> for MethodSet {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let names = Vec::<String>::deserialize(deserializer)?;
        let unknown = |name: &str| serde::de::Error::custom(format!("`{name}` is not a method"));
        names.iter().map(|name| Self::of(name).ok_or_else(|| unknown(name))).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn head_follows_get_and_nothing_else() {
        let get = MethodSet::of("GET").unwrap();
        assert_eq!(get.with_head().to_string(), "GET, HEAD");
        let post = MethodSet::of("POST").unwrap();
        assert_eq!(post.with_head(), post);
        assert!(!post.contains("post"), "methods are case-sensitive");
        assert_eq!(MethodSet::of("BREW"), None);
    }
}
