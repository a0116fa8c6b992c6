//! `PathPattern`: what a function's `paths` may say.

use std::{fmt, str::FromStr};

use serde::{Deserialize, Serialize};

/// An absolute URL path, or one with parameters: `/users/{id}` takes one segment, `/files/{*path}` all that is left.
///
/// Patterns are compared with percent-decoded segments, so they are written decoded.
#[derive(Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct PathPattern {
    text: Box<str>,
    segments: Box<[Segment]>,
}

#[derive(Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Debug)]
pub enum Segment {
    Literal(Box<str>),
    /// `{name}`: exactly one segment, not empty.
    Param(Box<str>),
    /// `{*name}`: the rest of the path, slashes included, at least one character. Only at the end.
    Rest(Box<str>),
}

impl PathPattern {
    pub fn as_str(&self) -> &str {
        &self.text
    }

    /// What stands between the slashes; `/` has one empty literal, `/a/` ends in one.
    pub fn segments(&self) -> &[Segment] {
        &self.segments
    }

    /// True for a path without parameters.
    pub fn is_exact(&self) -> bool {
        self.segments.iter().all(|s| matches!(s, Segment::Literal(_)))
    }

    pub fn param_names(&self) -> impl Iterator<Item = &str> {
        self.segments.iter().filter_map(|segment| match segment {
            Segment::Literal(_) => None,
            Segment::Param(name) | Segment::Rest(name) => Some(&**name),
        })
    }
}

impl FromStr for PathPattern {
    type Err = ParsePathError;

    fn from_str(text: &str) -> Result<Self, ParsePathError> {
        let rest = text.strip_prefix('/').ok_or(ParsePathError::NotAbsolute)?;
        if text.len() > MAX_PATTERN {
            return Err(ParsePathError::TooLong);
        }
        if let Some(c) = text.chars().find(|c| matches!(c, '?' | '#') || c.is_control()) {
            return Err(ParsePathError::Character(c));
        }
        let count = rest.split('/').count();
        let segments = rest
            .split('/')
            .enumerate()
            .map(|(i, s)| parse_segment(s, i + 1 == count))
            .collect::<Result<Box<[_]>, _>>()?;
        let pattern = Self { text: text.into(), segments };
        let names: Vec<_> = pattern.param_names().collect();
        match names.iter().enumerate().find(|(i, name)| names[..*i].contains(name)) {
            Some((_, name)) => Err(ParsePathError::Repeated((*name).to_owned())),
            None => Ok(pattern),
        }
    }
}

/// Longer patterns than this are mistakes; request targets end at 8 KiB anyway.
const MAX_PATTERN: usize = 1024;

fn parse_segment(text: &str, last: bool) -> Result<Segment, ParsePathError> {
    let Some(inner) = text.strip_prefix('{').and_then(|t| t.strip_suffix('}')) else {
        return match text.contains(['{', '}']) {
            true if text.starts_with('{') && !text.contains('}') => {
                Err(ParsePathError::Unclosed(text.to_owned()))
            }
            true => Err(ParsePathError::Braces(text.to_owned())),
            false => Ok(Segment::Literal(text.into())),
        };
    };
    let (name, rest) = match inner.strip_prefix('*') {
        Some(name) => (name, true),
        None => (inner, false),
    };
    let valid = name.starts_with(|c: char| c.is_ascii_alphabetic())
        && name.chars().all(|c| c.is_ascii_alphanumeric() || matches!(c, '_' | '-'));
    match (valid, rest, last) {
        (false, ..) => Err(ParsePathError::Name(name.to_owned())),
        (true, true, false) => Err(ParsePathError::RestNotLast(name.to_owned())),
        (true, true, true) => Ok(Segment::Rest(name.into())),
        (true, false, _) => Ok(Segment::Param(name.into())),
    }
}

#[derive(Debug, Clone, thiserror::Error, PartialEq, Eq)]
pub enum ParsePathError {
    #[error("a path begins with `/`")]
    NotAbsolute,
    #[error("a path has at most {MAX_PATTERN} characters")]
    TooLong,
    #[error("`{0}` cannot stand in a path")]
    Character(char),
    #[error("in `{0}` a parameter must be the whole segment, such as `/users/{{id}}`")]
    Braces(String),
    #[error("in `{0}` the `{{` is never closed")]
    Unclosed(String),
    #[error(
        "`{0}` is not a parameter name: use letters from `a` to `z`, digits, `_` and `-`, beginning with a letter"
    )]
    Name(String),
    #[error("`{{*{0}}}` takes the rest of the path, so it must be the last segment")]
    RestNotLast(String),
    #[error("the parameter `{0}` appears twice")]
    Repeated(String),
}

impl fmt::Display for PathPattern {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

impl fmt::Debug for PathPattern {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

impl Serialize for PathPattern {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&self.text)
    }
}

impl<'de> Deserialize<'de> for PathPattern {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer)?.parse().map_err(serde::de::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_pattern_is_literals_parameters_and_a_rest() {
        let pattern: PathPattern = "/users/{id}/files/{*path}".parse().unwrap();
        assert!(!pattern.is_exact());
        assert_eq!(pattern.param_names().collect::<Vec<_>>(), ["id", "path"]);
        assert_eq!(pattern.segments()[0], Segment::Literal("users".into()));
    }

    #[test]
    fn the_root_and_trailing_slashes_are_exact_paths() {
        for text in ["/", "/a", "/a/", "/a//b"] {
            assert!(text.parse::<PathPattern>().unwrap().is_exact(), "{text}");
        }
    }

    #[test]
    fn mistakes_are_named() {
        let error = |text: &str| text.parse::<PathPattern>().unwrap_err();
        assert_eq!(error("users"), ParsePathError::NotAbsolute);
        assert_eq!(error("/a?b"), ParsePathError::Character('?'));
        assert_eq!(error("/a{b}"), ParsePathError::Braces("a{b}".into()));
        assert_eq!(error("/x/{id"), ParsePathError::Unclosed("{id".into()));
        assert_eq!(error("/{}"), ParsePathError::Name(String::new()));
        assert_eq!(error("/{*a}/b"), ParsePathError::RestNotLast("a".into()));
        assert_eq!(error("/{a}/{a}"), ParsePathError::Repeated("a".into()));
    }
}
