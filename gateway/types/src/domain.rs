//! Domain names and the host patterns that routes are claimed under.

use std::{borrow::Borrow, fmt, str::FromStr};

use serde::{Deserialize, Serialize};

/// A fully qualified domain name: lower-case ASCII, no trailing dot (RFC 1035 §2.3.4 sizes).
///
/// Underscores are allowed, as Taubyte's rule (Go's `isDomainName`) allows them. Numeric addresses are
/// domain names by this syntax; who needs to tell them apart parses an `IpAddr` first.
#[derive(Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct DomainName(Box<str>);

impl DomainName {
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// `example.com` for `shop.example.com`; `None` for a single label.
    pub fn parent(&self) -> Option<&str> {
        self.0.split_once('.').map(|(_, parent)| parent)
    }
}

impl FromStr for DomainName {
    type Err = ParseDomainError;

    fn from_str(text: &str) -> Result<Self, ParseDomainError> {
        let name = text.strip_suffix('.').unwrap_or(text);
        if name.is_empty() {
            return Err(ParseDomainError::Empty);
        }
        if name.len() > 253 {
            return Err(ParseDomainError::TooLong);
        }
        name.split('.').try_for_each(check_label)?;
        Ok(Self(name.to_ascii_lowercase().into_boxed_str()))
    }
}

fn check_label(label: &str) -> Result<(), ParseDomainError> {
    match label.len() {
        0 => return Err(ParseDomainError::EmptyLabel),
        1..=63 => {}
        _ => return Err(ParseDomainError::LongLabel(label.to_owned())),
    }
    if label.starts_with('-') || label.ends_with('-') {
        return Err(ParseDomainError::Hyphen(label.to_owned()));
    }
    match label.chars().find(|c| !(c.is_ascii_alphanumeric() || matches!(c, '-' | '_'))) {
        Some(c) => Err(ParseDomainError::Character(c)),
        None => Ok(()),
    }
}

/// Which hosts a domain covers: one name, or every name one label below it (`*.example.com`).
#[derive(Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum HostPattern {
    Exact(DomainName),
    /// Holds the part behind `*.`. Like a wildcard certificate it covers exactly one further label (RFC 9525 §6.3).
    Wildcard(DomainName),
}

impl HostPattern {
    pub fn matches(&self, host: &str) -> bool {
        match self {
            Self::Exact(name) => name.as_str() == host,
            Self::Wildcard(base) => host
                .split_once('.')
                .is_some_and(|(label, rest)| !label.is_empty() && rest == base.as_str()),
        }
    }

    /// The name without `*.`.
    pub fn base(&self) -> &DomainName {
        match self {
            Self::Exact(name) | Self::Wildcard(name) => name,
        }
    }
}

impl FromStr for HostPattern {
    type Err = ParseDomainError;

    fn from_str(text: &str) -> Result<Self, ParseDomainError> {
        match text.strip_prefix("*.") {
            Some(base) => Ok(Self::Wildcard(base.parse()?)),
            None => Ok(Self::Exact(text.parse()?)),
        }
    }
}

#[derive(Debug, Clone, thiserror::Error, PartialEq, Eq)]
pub enum ParseDomainError {
    #[error("a domain name cannot be empty")]
    Empty,
    #[error("a domain name has at most 253 characters")]
    TooLong,
    #[error("a domain name has no empty label (two dots in a row)")]
    EmptyLabel,
    #[error("the label `{0}` is longer than 63 characters")]
    LongLabel(String),
    #[error("the label `{0}` begins or ends with a hyphen")]
    Hyphen(String),
    #[error("`{0}` cannot stand in a domain name")]
    Character(char),
}

impl Borrow<str> for DomainName {
    fn borrow(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for DomainName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl fmt::Debug for DomainName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl fmt::Display for HostPattern {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Exact(name) => name.fmt(f),
            Self::Wildcard(base) => write!(f, "*.{base}"),
        }
    }
}

impl fmt::Debug for HostPattern {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

macro_rules! serde_as_text {
    ($($name:ty),*) => {$(
        impl Serialize for $name {
            fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                serializer.collect_str(self)
            }
        }
        impl<'de> Deserialize<'de> for $name {
            fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                String::deserialize(deserializer)?.parse().map_err(serde::de::Error::custom)
            }
        }
    )*};
}
serde_as_text!(DomainName, HostPattern);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_lower_case_without_the_final_dot() {
        let name: DomainName = "Shop.Example.COM.".parse().unwrap();
        assert_eq!(name.as_str(), "shop.example.com");
        assert_eq!(name.parent(), Some("example.com"));
    }

    #[test]
    fn taubyte_underscores_are_accepted() {
        assert!("testing_website_builder.com".parse::<DomainName>().is_ok());
    }

    #[test]
    fn what_is_not_a_name_says_why() {
        let error = |text: &str| text.parse::<DomainName>().unwrap_err();
        assert_eq!(error(""), ParseDomainError::Empty);
        assert_eq!(error("a..b"), ParseDomainError::EmptyLabel);
        assert_eq!(error("-a.b"), ParseDomainError::Hyphen("-a".into()));
        assert_eq!(error("a b.c"), ParseDomainError::Character(' '));
        assert_eq!(error("bücher.de"), ParseDomainError::Character('ü'));
        assert_eq!(error(&"a.".repeat(128)), ParseDomainError::TooLong);
    }

    #[test]
    fn a_wildcard_covers_exactly_one_label() {
        let pattern: HostPattern = "*.example.com".parse().unwrap();
        assert!(pattern.matches("a.example.com"));
        assert!(!pattern.matches("example.com"));
        assert!(!pattern.matches("a.b.example.com"));
        assert_eq!(pattern.to_string(), "*.example.com");
    }
}
