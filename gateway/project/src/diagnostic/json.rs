//! Diagnostics for machines: an array of flat objects whose keys stay.

use serde_json::{Value, json};

use super::{Diagnostic, Diagnostics, Place};

/// Each object has `code`, `severity`, `message`, `file`, `line`, `column`, `end_line`, `end_column`,
/// `label`, `hint`, `notes` and `related`. What is not known is `null`; columns count characters
/// from one, and `end_column` is the first one behind the text.
pub(super) fn array(diagnostics: &Diagnostics) -> Value {
    diagnostics.iter().map(object).collect()
}

fn object(diagnostic: &Diagnostic) -> Value {
    let mut object = position(diagnostic.place.as_ref());
    object["code"] = diagnostic.code.into();
    object["severity"] = diagnostic.severity.as_str().into();
    object["message"] = diagnostic.message.as_str().into();
    object["label"] = diagnostic.label.clone().into();
    object["hint"] = diagnostic.hint.clone().into();
    object["notes"] = diagnostic.notes.clone().into();
    object["related"] = diagnostic.related.iter().map(related).collect();
    object
}

/// An object with a place and `label`.
fn related((place, label): &(Place, String)) -> Value {
    let mut object = position(Some(place));
    object["label"] = label.as_str().into();
    object
}

fn position(place: Option<&Place>) -> Value {
    let position = place.filter(|place| !place.is_whole_file());
    json!({
        "file": place.map(|place| &*place.file),
        "line": position.map(|place| place.line),
        "column": position.map(|place| place.column),
        "end_line": position.map(|place| place.line),
        "end_column": position.map(end_column),
    })
}

fn end_column(place: &Place) -> u32 {
    place.column.saturating_add(place.length)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_problem_without_a_line_has_null_positions() {
        let mut diagnostics = Diagnostics::default();
        diagnostics.push(Diagnostic::error("no-project", "x").at(Place::file("a.yaml")));
        let json = diagnostics.to_json();
        assert_eq!(json[0]["file"], "a.yaml");
        assert_eq!(json[0]["line"], Value::Null);
    }

    #[test]
    fn columns_end_behind_the_text() {
        let mut diagnostics = Diagnostics::default();
        let place = Place { file: "a.yaml".into(), line: 9, column: 5, length: 4 };
        diagnostics.push(Diagnostic::warning("x", "y").at(place).hint("do z"));
        let json = diagnostics.to_json();
        assert_eq!((&json[0]["line"], &json[0]["column"]), (&9.into(), &5.into()));
        assert_eq!(json[0]["end_column"], 9);
        assert_eq!(json[0]["hint"], "do z");
        assert_eq!(json[0]["severity"], "warning");
    }
}
