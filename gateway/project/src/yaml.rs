//! A YAML file as a tree in which every value knows where it stands.
//!
//! Typed deserialising stops at the first mistake of a file; this tree is what lets us report all of
//! them, each at its place. Only plain YAML is read: one document, text keys, no tags of its own.
//! Aliases are followed within a budget, so that a file cannot unfold into gigabytes. What the values
//! mean is `schema`'s business.

mod brackets;
mod build;
mod syntax;

use std::{cell::Cell, ops::Range, sync::Arc};

use headgate_types::{ByteSize, Chain};

pub(crate) use build::parse;

use crate::{
    defaults::MAX_YAML_FILE,
    diagnostic::{Diagnostic, Diagnostics, Place, codes},
    tree::{ReadError, Tree},
};

/// The text of one file, and where its lines begin.
#[derive(Clone, Debug)]
pub(crate) struct Source {
    file: Arc<str>,
    text: Arc<str>,
    line_starts: Vec<usize>,
    /// Line, byte and column where [`Self::place`] counted to last: files are read forwards, and a
    /// file may be one long line.
    counted: Cell<(usize, usize, usize)>,
}

/// Bytes of a file; turned into lines and columns only where someone asks.
pub(crate) type Span = Range<usize>;

#[derive(Clone, Debug)]
pub(crate) struct Node {
    pub(crate) span: Span,
    pub(crate) value: Value,
}

#[derive(Clone, Debug)]
pub(crate) enum Value {
    /// Nothing behind the colon, `~` or `null`.
    Null,
    /// `plain` is false for quoted text, which is never a number or a boolean.
    Scalar {
        text: Box<str>,
        plain: bool,
    },
    List(Vec<Node>),
    Map(Vec<(Key, Node)>),
}

#[derive(Clone, Debug)]
pub(crate) struct Key {
    pub(crate) span: Span,
    pub(crate) text: Box<str>,
}

impl Node {
    /// What is written, if it is no list and no map.
    pub(crate) fn text(&self) -> Option<&str> {
        match &self.value {
            Value::Scalar { text, .. } => Some(text),
            _ => None,
        }
    }
}

impl Source {
    pub(crate) fn new(file: Arc<str>, text: Arc<str>) -> Self {
        let line_breaks = text.bytes().enumerate().filter(|(_, byte)| *byte == b'\n');
        let line_starts = [0].into_iter().chain(line_breaks.map(|(i, _)| i + 1)).collect();
        Self { file, text, line_starts, counted: Cell::default() }
    }

    /// Reads a file and makes its text available for excerpts; what prevents it is reported.
    pub(crate) fn read(tree: &dyn Tree, path: &str, report: &mut Diagnostics) -> Option<Self> {
        let file: Arc<str> = path.into();
        let bytes = match tree.read(path, MAX_YAML_FILE) {
            Ok(bytes) => bytes,
            Err(error) => {
                report.push(unreadable(&error, Place::file(file)));
                return None;
            }
        };
        let text = String::from_utf8_lossy(&bytes);
        let source = Self::new(file.clone(), text.as_ref().into());
        report.add_source(file, source.text.clone());
        match std::str::from_utf8(&bytes) {
            Ok(_) => Some(source),
            Err(error) => {
                let at = error.valid_up_to();
                report.push(
                    Diagnostic::error(codes::NOT_UTF8, "this file is not UTF-8 text")
                        .at(source.place(&(at..at + 1)))
                        .label("from here on it is something else")
                        .hint("save the file with the encoding UTF-8"),
                );
                None
            }
        }
    }

    pub(crate) fn text(&self) -> &str {
        &self.text
    }

    /// The file as a whole.
    pub(crate) fn whole(&self) -> Place {
        Place::file(self.file.clone())
    }

    /// Where a span begins, and how much of it lies on that line.
    pub(crate) fn place(&self, span: &Span) -> Place {
        let start = self.boundary(span.start);
        let line = self.line_starts.partition_point(|begin| *begin <= start) - 1;
        let end = self.line_starts.get(line + 1).map_or(self.text.len(), |next| next - 1);
        let end = self.boundary(span.end.min(end)).max(start);
        let number = |n: usize| u32::try_from(n).unwrap_or(u32::MAX);
        Place {
            file: self.file.clone(),
            line: number(line + 1),
            column: number(self.column(line, start) + 1),
            length: number(self.text[start..end].trim_end().chars().count()),
        }
    }

    /// Characters before this byte of a line.
    fn column(&self, line: usize, start: usize) -> usize {
        let (from, before) = match self.counted.get() {
            (counted, at, column) if counted == line && at <= start => (at, column),
            _ => (self.line_starts[line], 0),
        };
        let column = before + self.text[from..start].chars().count();
        self.counted.set((line, start, column));
        column
    }

    fn boundary(&self, at: usize) -> usize {
        self.text.floor_char_boundary(at)
    }
}

fn unreadable(error: &ReadError, place: Place) -> Diagnostic {
    let limit = ByteSize::from_bytes(MAX_YAML_FILE);
    match error {
        ReadError::TooLarge { size, .. } => {
            let size = ByteSize::from_bytes(*size);
            Diagnostic::error(codes::FILE_TOO_LARGE, format!("this file has {size}"))
                .note(format!("a YAML file of a project may have at most {limit}"))
                .hint("split it, or move data out of the configuration")
        }
        ReadError::NotAFile { kind, .. } => {
            Diagnostic::error(codes::UNREADABLE_FILE, format!("this is a {kind}, not a file"))
                .note("links and submodules are not followed: they could lead out of the project")
                .hint("put the file itself here")
        }
        error => Diagnostic::error(codes::UNREADABLE_FILE, Chain(error).to_string())
            .hint("check that the file exists and may be read"),
    }
    .at(place)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn places_count_characters_and_end_with_their_line() {
        let source = Source::new("a".into(), "ä: ö\r\nlong: |\n  text\n".into());
        let place = |span: Span| {
            let place = source.place(&span);
            (place.line, place.column, place.length)
        };
        assert_eq!(place(0..2), (1, 1, 1));
        assert_eq!(place(4..6), (1, 4, 1));
        assert_eq!(place(4..20), (1, 4, 1), "clipped to the line");
        assert_eq!(place(8..12), (2, 1, 4));
        assert_eq!(place(900..901), (4, 1, 0), "the end of the file");
    }
}
