//! What YAML's grammar errors mean to someone who writes a configuration file.

use serde_saphyr::granit_parser::{ErrorKind, ScanError};

use super::{Source, brackets};
use crate::{
    defaults::MAX_YAML_DEPTH,
    diagnostic::{Diagnostic, Place, codes},
};

pub(super) fn explain(source: &Source, error: &ScanError) -> Diagnostic {
    let noticed = error.marker().byte_offset().unwrap_or(0);
    let at = if is_about_tab(error.kind()) { tab(source.text(), noticed) } else { noticed };
    let place = source.place(&(at..at + 1));
    if matches!(error.kind(), ErrorKind::RecursionLimitExceeded) {
        return too_deep(place);
    }
    if let Some((opened, bracket)) = brackets::unclosed(source.text(), at)
        && is_about_structure(error.kind())
    {
        let message = format!("`{bracket}` is opened and never closed");
        let opened = source.place(&(opened..opened + 1));
        let mut error = Diagnostic::error(codes::YAML_SYNTAX, message).at(opened.clone());
        if place.line > opened.line && place.length > 0 {
            error = error.related(place, "noticed only here");
        }
        let close = if bracket == '[' { ']' } else { '}' };
        return error.hint(format!(
            "close it with `{close}` on its line, or write one entry per line without brackets"
        ));
    }
    let (message, hint) = words(error.kind());
    Diagnostic::error(codes::YAML_SYNTAX, message).at(place).hint(hint)
}

fn is_about_tab(kind: &ErrorKind) -> bool {
    use ErrorKind as E;
    matches!(
        kind,
        E::TabNotAllowed
            | E::TabInBlockIndentation
            | E::TabInIndentation
            | E::TabAtBlockScalarStart
            | E::TabInPlainScalar
    )
}

/// The tab that is meant: the parser may notice it only behind it, or give the line above, which the value
/// on the tab's line would go on with.
fn tab(text: &str, noticed: usize) -> usize {
    let noticed = text.floor_char_boundary(noticed);
    let line = text[..noticed].rfind('\n').map_or(0, |end| end + 1);
    let mut from = line;
    let indented = text[line..].split_inclusive('\n').map(|line| {
        let begin = from;
        from += line.len();
        (begin, &line[..line.len() - line.trim_start().len()], line.trim().is_empty())
    });
    // The line itself, and the next one that says something.
    let mut said = indented.filter(|(.., blank)| !blank).take(2);
    let tab = said.find_map(|(begin, indent, _)| Some(begin + indent.find('\t')?));
    let before = || text[line..noticed].rfind('\t').map(|tab| line + tab);
    let behind = || text[noticed..].find('\t').map(|tab| noticed + tab);
    tab.or_else(before).or_else(behind).unwrap_or(noticed)
}

/// Mistakes that are found where a bracket should have been closed, and not for a reason of their own.
fn is_about_structure(kind: &ErrorKind) -> bool {
    use ErrorKind as E;
    matches!(
        kind,
        E::UnclosedFlowCollection { .. }
            | E::UnexpectedEofFlowSequence
            | E::UnexpectedEofFlowMapping
            | E::UnexpectedEofImplicitFlowMapping
            | E::ExpectedFlowMappingSeparator
            | E::ExpectedFlowSequenceSeparator
            | E::SimpleKeyExpected
            | E::InvalidSimpleKey
            | E::UnexpectedEndOfPlainScalar
            | E::MappingValueNotAllowed
            | E::InvalidColonPlacement
            | E::MappingKeyNotAllowed
            | E::InvalidIndentation
            | E::BlockSequenceEntryNotAllowed
    )
}

pub(super) fn too_deep(place: Place) -> Diagnostic {
    let message = format!("values are nested more than {MAX_YAML_DEPTH} levels deep");
    Diagnostic::error(codes::TOO_COMPLEX, message)
        .at(place)
        .hint("nothing in a project is nested that deep; look for brackets that are not closed")
}

/// Message and hint. What has no words of its own is rare and gets the last ones.
fn words(kind: &ErrorKind) -> (String, &'static str) {
    use ErrorKind as E;
    let (message, hint) = match kind {
        kind if is_about_tab(kind) => {
            ("a tab stands where YAML wants spaces", "indent with spaces, two per level")
        }
        E::UnclosedQuotedScalar | E::DocumentIndicatorInQuotedScalar => {
            ("a quote is opened and never closed", "close it with the same kind of quote")
        }
        E::InvalidTrailingSingleQuotedScalar | E::InvalidTrailingDoubleQuotedScalar => (
            "something stands behind the closing quote",
            "inside single quotes write `''` for a quote, inside double quotes `\\\"`",
        ),
        E::UnknownQuotedScalarEscape
        | E::InvalidQuotedScalarHexEscape
        | E::InvalidUnicodeEscape => (
            "this backslash escape is not one of YAML's",
            "use single quotes, in which a backslash is only a backslash",
        ),
        E::UnclosedFlowCollection { open } => {
            return (
                format!("`{open}` is opened and never closed"),
                "close it on its line, or write one entry per line without brackets",
            );
        }
        E::UnexpectedEofFlowSequence
        | E::UnexpectedEofFlowMapping
        | E::UnexpectedEofImplicitFlowMapping
        | E::ExpectedFlowMappingSeparator
        | E::ExpectedFlowSequenceSeparator => (
            "a bracket is not closed, or a comma is missing",
            "separate items with commas and close the bracket, or write one `- item` per line",
        ),
        E::MismatchedFlowCollectionEnd { open, close } => {
            return (
                format!("`{open}` is closed by `{close}`"),
                "`[` goes with `]`, and `{` goes with `}`",
            );
        }
        E::MisplacedFlowCollectionEnd => {
            ("this bracket closes nothing", "remove it, or put the text in quotes")
        }
        E::SimpleKeyExpected | E::InvalidSimpleKey | E::UnexpectedEndOfPlainScalar => (
            "a `:` is missing behind a key in or above this line",
            "write `key: value`, with a space behind the colon",
        ),
        E::MappingValueNotAllowed | E::InvalidColonPlacement | E::MappingKeyNotAllowed => (
            "a `:` stands where no key can be",
            "put text that contains `: ` in quotes; check the indentation, and whether a bracket or \
             quote above is closed",
        ),
        E::ExpectedBlockMappingKey | E::ExpectedBlockSequenceEntry | E::InvalidIndentation => (
            "this line does not fit the lines above it",
            "keys of one level begin in the same column; so do the `-` of one list",
        ),
        E::BlockSequenceEntryNotAllowed => (
            "a list cannot begin here",
            "write the first `- item` on a line of its own below the key",
        ),
        E::UnknownAnchor => (
            "this alias refers to nothing",
            "text that begins with `*` needs quotes; an alias needs an `&name` above it",
        ),
        E::UnexpectedCharacter { character } => {
            return (
                format!("a value cannot begin with `{}`", character.escape_default()),
                "put the value in quotes",
            );
        }
        E::CommentNotSeparated => {
            ("a comment needs a space before its `#`", "write ` # comment`, or use quotes")
        }
        _ => ("this is not valid YAML", "compare it with the lines around it; quotes often help"),
    };
    (message.to_owned(), hint)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_tab_is_found_from_where_the_parser_noticed_it() {
        for (text, noticed, expected) in [
            ("a:\n\tb: c\n", 4, 3),
            ("a:\n  - b: c\n\td: e\n", 10, 12),
            ("a:\n  - b\n\n\tc\n", 7, 10),
            ("-\tb: c\n", 2, 1),
            ("a: >\n \tb\n", 3, 6),
            ("a: b\n", 3, 3),
        ] {
            assert_eq!(tab(text, noticed), expected, "{text:?}");
        }
    }
}
