//! Diagnostics for people: message, place, excerpt, notes and hint, in plain text or in colour.

use std::{collections::HashMap, fmt::Write, ops::Range};

use annotate_snippets::{
    Annotation, AnnotationKind, Element, Group, Level, Origin, Renderer, Snippet,
    normalize_untrusted_str,
};

use super::{Diagnostic, Diagnostics, Place, Severity};
use crate::defaults::{MAX_PRINTED_ERRORS, MAX_PRINTED_WARNINGS};

pub(super) fn human(diagnostics: &Diagnostics, color: bool) -> String {
    let renderer = if color { Renderer::styled() } else { Renderer::plain() };
    let mut text = String::new();
    let mut seen: HashMap<(Severity, &str), usize> = HashMap::new();
    for diagnostic in diagnostics.iter() {
        let count = seen.entry((diagnostic.severity, diagnostic.code)).or_default();
        *count += 1;
        if *count <= limit(diagnostic.severity) {
            text.push_str(&renderer.render(&[group(diagnostics, diagnostic)]));
            text.push_str("\n\n");
        }
    }
    let mut folded: Vec<_> = seen
        .into_iter()
        .filter_map(|((severity, code), n)| Some((severity, code, n.checked_sub(limit(severity))?)))
        .filter(|(.., more)| *more > 0)
        .collect();
    folded.sort_unstable();
    for (severity, code, more) in folded {
        let plural = if more == 1 { "" } else { "s" };
        // Writing to a string cannot fail.
        let _ =
            writeln!(text, "{more} more {}{plural} with the code `{code}`{ALL}", severity.as_str());
    }
    text.push_str(&diagnostics.summary());
    text.push('\n');
    text
}

const ALL: &str = "; `headgate check --output json` prints all";

fn limit(severity: Severity) -> usize {
    match severity {
        Severity::Error => MAX_PRINTED_ERRORS,
        Severity::Warning => MAX_PRINTED_WARNINGS,
    }
}

fn group<'a>(diagnostics: &'a Diagnostics, diagnostic: &'a Diagnostic) -> Group<'a> {
    let level = match diagnostic.severity {
        Severity::Error => Level::ERROR,
        Severity::Warning => Level::WARNING,
    };
    let mut elements: Vec<Element<'a>> = Vec::new();
    if let Some(place) = &diagnostic.place {
        let label = diagnostic.label.as_deref();
        elements.push(excerpt(diagnostics, place, AnnotationKind::Primary, label));
    }
    for (place, label) in &diagnostic.related {
        elements.push(excerpt(diagnostics, place, AnnotationKind::Context, Some(label)));
    }
    for note in &diagnostic.notes {
        elements.push(Level::NOTE.message(normalize_untrusted_str(note)).into());
    }
    if let Some(hint) = &diagnostic.hint {
        elements.push(Level::HELP.message(normalize_untrusted_str(hint)).into());
    }
    level.primary_title(&diagnostic.message).id(diagnostic.code).elements(elements)
}

/// The line with its marks; only the path where the text is not at hand.
fn excerpt<'a>(
    diagnostics: &'a Diagnostics,
    place: &'a Place,
    kind: AnnotationKind,
    label: Option<&'a str>,
) -> Element<'a> {
    match (place.is_whole_file(), diagnostics.line_of(place)) {
        (true, _) => Origin::path(&*place.file).into(),
        (false, None) => Origin::path(&*place.file)
            .line(place.line as usize)
            .char_column(place.column as usize)
            .into(),
        (false, Some(line)) => {
            let marked: Annotation<'a> =
                kind.span(marked_bytes(line, place)).label(label.map(normalize_untrusted_str));
            Snippet::source(line)
                .path(&*place.file)
                .line_start(place.line as usize)
                .annotation(marked)
                .into()
        }
    }
}

/// The place's characters as bytes of its line. A place that does not fit the text, because the text
/// is another revision's, marks as much as there is.
fn marked_bytes(line: &str, place: &Place) -> Range<usize> {
    let byte_of = |characters: u32| {
        let (index, _) = line.char_indices().nth(characters as usize).unwrap_or((line.len(), ' '));
        index
    };
    let first = place.column.saturating_sub(1);
    byte_of(first)..byte_of(first.saturating_add(place.length))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn diagnostics() -> Diagnostics {
        let mut diagnostics = Diagnostics::default();
        diagnostics.add_source("functions/hello.yaml".into(), "domains:\n  - shpo\r\n".into());
        let place = Place { file: "functions/hello.yaml".into(), line: 2, column: 5, length: 4 };
        diagnostics.push(
            Diagnostic::error("unknown-domain", "the domain `shpo` is not defined")
                .at(place)
                .label("did you mean `shop`?")
                .hint("domains are files in `domains/`"),
        );
        diagnostics
    }

    #[test]
    fn a_problem_shows_its_line() {
        let expected = "\
error[unknown-domain]: the domain `shpo` is not defined
 --> functions/hello.yaml:2:5
  |
2 |   - shpo
  |     ^^^^ did you mean `shop`?
  |
  = help: domains are files in `domains/`

1 error
";
        assert_eq!(diagnostics().render_human(false), expected);
    }

    #[test]
    fn colours_are_escapes_around_the_same_words() {
        let colored = diagnostics().render_human(true);
        assert!(colored.contains("\u{1b}["));
        assert!(colored.contains("did you mean `shop`?"));
    }

    #[test]
    fn a_place_beyond_the_text_is_still_printed() {
        let mut diagnostics = diagnostics();
        for (line, column) in [(1, 90), (99, 1), (2, 7), (u32::MAX, u32::MAX)] {
            let file = "functions/hello.yaml".into();
            let place = Place { file, line, column, length: u32::MAX };
            diagnostics.push(Diagnostic::error("x", "y").at(place));
        }
        diagnostics.push(Diagnostic::error("x", "y").at(Place::file("gone.yaml")));
        assert!(diagnostics.render_human(false).ends_with("6 errors\n"));
    }

    #[test]
    fn repeated_warnings_are_counted_instead_of_printed() {
        let mut diagnostics = Diagnostics::default();
        for n in 0..MAX_PRINTED_WARNINGS + 3 {
            diagnostics.push(Diagnostic::warning("missing-id", format!("warning {n}")));
        }
        let text = diagnostics.render_human(false);
        assert_eq!(text.matches("warning[missing-id]").count(), MAX_PRINTED_WARNINGS);
        assert!(text.contains("3 more warnings with the code `missing-id`"), "{text}");
    }

    #[test]
    fn text_from_the_project_cannot_steer_the_terminal() {
        let mut diagnostics = Diagnostics::default();
        diagnostics.add_source("a".into(), "x: \u{1b}[2Jy".into());
        let place = Place { file: "a".into(), line: 1, column: 1, length: 1 };
        let bad = "\u{1b}[2J";
        diagnostics.push(Diagnostic::error("x", bad).at(place).label(bad).note(bad).hint(bad));
        let text = diagnostics.render_human(false);
        assert!(!text.contains('\u{1b}'), "{text:?}");
    }
}
