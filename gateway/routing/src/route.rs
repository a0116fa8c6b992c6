//! `Route`: one claim on a host and a path.

use std::{fmt, str::FromStr};

use headgate_types::{HostPattern, MethodSet, PathPattern, path::ParsePathError};

/// One line of the route table. A function with two hosts and three paths makes six of them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Route {
    pub host: HostPattern,
    pub kind: RouteKind,
    pub path: RoutePath,
    /// `HEAD` is added where there is `GET`; a website always has these two, whatever is said here.
    pub methods: MethodSet,
    /// Breaks ties and stands in diagnostics.
    pub name: Box<str>,
}

/// What answers; in the order in which ties are broken.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum RouteKind {
    Website,
    Function,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum RoutePath {
    Pattern(PathPattern),
    Prefix(PathPrefix),
}

/// A path and all that is below it: `/docs` covers `/docs` and `/docs/…`, not `/docsx`; `/` covers all.
///
/// Written decoded, as a [`PathPattern`] is. Final slashes mean nothing and are dropped.
#[derive(Clone, PartialEq, Eq, Hash)]
pub struct PathPrefix {
    path: PathPattern,
}

impl PathPrefix {
    pub fn as_str(&self) -> &str {
        self.path.as_str()
    }

    pub fn is_root(&self) -> bool {
        self.as_str() == "/"
    }

    /// The segments that a path below must begin with; none for `/`.
    pub(crate) fn segments(&self) -> impl Iterator<Item = &str> {
        self.as_str()[1..].split('/').take(self.depth())
    }

    pub(crate) fn depth(&self) -> usize {
        if self.is_root() { 0 } else { self.path.segments().len() }
    }
}

impl FromStr for PathPrefix {
    type Err = ParsePrefixError;

    fn from_str(text: &str) -> Result<Self, ParsePrefixError> {
        let trimmed = match text.trim_end_matches('/') {
            "" if text.starts_with('/') => "/",
            trimmed => trimmed,
        };
        let path: PathPattern = trimmed.parse()?;
        match path.is_exact() {
            true => Ok(Self { path }),
            false => Err(ParsePrefixError::Parameter),
        }
    }
}

#[derive(Debug, Clone, thiserror::Error, PartialEq, Eq)]
pub enum ParsePrefixError {
    #[error(transparent)]
    Path(#[from] ParsePathError),
    #[error("a prefix has no parameters")]
    Parameter,
}

impl RoutePath {
    pub fn as_str(&self) -> &str {
        match self {
            Self::Pattern(pattern) => pattern.as_str(),
            Self::Prefix(prefix) => prefix.as_str(),
        }
    }
}

impl fmt::Display for RouteKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Website => "website",
            Self::Function => "function",
        })
    }
}

impl fmt::Display for RoutePath {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl fmt::Display for PathPrefix {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl fmt::Debug for PathPrefix {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn final_slashes_of_a_prefix_mean_nothing() {
        for (text, prefix, depth) in
            [("/", "/", 0), ("//", "/", 0), ("/docs", "/docs", 1), ("/a/b//", "/a/b", 2)]
        {
            let parsed: PathPrefix = text.parse().unwrap();
            assert_eq!((parsed.as_str(), parsed.depth()), (prefix, depth), "{text}");
            assert_eq!(parsed.segments().count(), depth);
        }
    }

    #[test]
    fn a_prefix_is_absolute_and_has_no_parameters() {
        let error = |text: &str| text.parse::<PathPrefix>().unwrap_err();
        assert_eq!(error("/{a}"), ParsePrefixError::Parameter);
        assert_eq!(error("docs"), ParsePathError::NotAbsolute.into());
        assert_eq!(error(""), ParsePathError::NotAbsolute.into());
    }
}
