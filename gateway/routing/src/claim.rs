//! `Claim`: what a lookup needs to know of a route, and nothing else.

use std::{collections::HashMap, ops::Range};

use headgate_types::MethodSet;

use crate::route::{Route, RouteKind, RoutePath};

/// One way in which a route covers paths. A pattern has one; a prefix has two, as it covers its own path
/// exactly and all below it as a prefix.
///
/// Sixteen bytes, and those of a host lie side by side, best first: with a hundred thousand hosts the
/// time of a lookup is the time of its cache misses.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Claim {
    pub(crate) route: u32,
    // A `Text` in two parts, as it would be padded.
    text_start: u32,
    text_len: u16,
    pub(crate) methods: MethodSet,
    pub(crate) class: Class,
    /// The route is a prefix.
    pub(crate) prefix: bool,
    /// Names its methods when it is covered but not for the method of a request. A website at `/` covers
    /// every path; if it did, nothing would be 404.
    pub(crate) allows: bool,
}

/// How a claim covers a path; in the order of trying.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Class {
    Exact,
    Pattern,
    Prefix,
}

/// Claims that cover the same paths, best first: a range of `RouteTable::claims`.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Span {
    pub(crate) start: u32,
    pub(crate) end: u32,
}

impl Span {
    pub(crate) fn range(self) -> Range<usize> {
        self.start as usize..self.end as usize
    }
}

impl Claim {
    /// The claim of `route`, which is the one at `index`, on the path that `text` says.
    pub(crate) fn new(class: Class, route: &Route, index: u32, text: Text) -> Self {
        Self {
            route: index,
            text_start: text.start,
            text_len: text.len,
            methods: route.methods,
            class,
            prefix: matches!(route.path, RoutePath::Prefix(_)),
            allows: route.kind == RouteKind::Function || route.path.as_str() != "/",
        }
    }

    pub(crate) fn text(&self) -> Text {
        Text { start: self.text_start, len: self.text_len }
    }

    /// Whether a decoded path is covered.
    pub(crate) fn covers(&self, texts: &Texts, path: &str) -> bool {
        match self.class {
            Class::Exact => path.len() == usize::from(self.text_len) && path == &texts[self.text()],
            Class::Pattern => pattern_covers(&texts[self.text()], path),
            Class::Prefix => self.is_root() || prefix_covers(&texts[self.text()], path),
        }
    }

    /// Bytes of a path that the prefix takes, if nothing in it is escaped.
    pub(crate) fn prefix_len(&self) -> usize {
        if self.is_root() { 0 } else { usize::from(self.text_len) }
    }

    /// `/`, which is the only text of one byte.
    fn is_root(&self) -> bool {
        self.text_len == 1
    }
}

fn prefix_covers(prefix: &str, path: &str) -> bool {
    path.strip_prefix(prefix).is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
}

/// Reads the text of a pattern, in which a brace can only begin a parameter.
fn pattern_covers(pattern: &str, path: &str) -> bool {
    let mut left = path.get(1..);
    for segment in pattern.split('/').skip(1) {
        let Some(path) = left else { return false };
        if segment.starts_with("{*") {
            return !path.is_empty();
        }
        let (here, tail) = cut(path);
        let covered = if segment.starts_with('{') { !here.is_empty() } else { here == segment };
        if !covered {
            return false;
        }
        left = tail;
    }
    left.is_none()
}

/// The first segment, and what is behind its slash if it has one.
pub(crate) fn cut(path: &str) -> (&str, Option<&str>) {
    match path.split_once('/') {
        Some((segment, tail)) => (segment, Some(tail)),
        None => (path, None),
    }
}

/// Where a text lies among [`Texts`].
#[derive(Debug, Clone, Copy)]
pub(crate) struct Text {
    pub(crate) start: u32,
    pub(crate) len: u16,
}

/// Every host and path of a table in one piece of memory, the same path only once.
#[derive(Debug, Default)]
pub(crate) struct Texts {
    all: Box<str>,
}

impl std::ops::Index<Text> for Texts {
    type Output = str;

    fn index(&self, text: Text) -> &str {
        let start = text.start as usize;
        &self.all[start..start + usize::from(text.len)]
    }
}

/// [`Texts`] that still grow.
#[derive(Debug, Default)]
pub(crate) struct TextWriter {
    all: String,
    known: HashMap<Box<str>, Text>,
}

impl TextWriter {
    pub(crate) fn add(&mut self, text: &str) -> Text {
        if let Some(known) = self.known.get(text) {
            return *known;
        }
        let new = Text {
            start: u32::try_from(self.all.len()).expect("hosts and paths are less than 4 GiB"),
            len: u16::try_from(text.len()).expect("their types limit hosts and paths to 1 KiB"),
        };
        self.all.push_str(text);
        self.known.insert(text.into(), new);
        new
    }

    pub(crate) fn finish(self) -> Texts {
        Texts { all: self.all.into() }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn four_claims_fill_a_cache_line() {
        assert_eq!(size_of::<Claim>(), 16);
    }

    #[test]
    fn a_text_known_already_is_kept_once() {
        let mut writer = TextWriter::default();
        let (a, _, c) = (writer.add("/api"), writer.add("/"), writer.add("/api"));
        let texts = writer.finish();
        assert_eq!((&texts[a], a.start), ("/api", c.start));
        assert_eq!(&*texts.all, "/api/");
    }
}
