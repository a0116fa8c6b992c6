//! Diagnostics for code hosts and editors: SARIF 2.1.0 (OASIS Standard, March 2020).
//!
//! Each code that occurs is a rule with its explanation; each problem is a result at its line.

use std::fmt::Write;

use serde_json::{Map, Value, json};

use super::{Diagnostic, Diagnostics, Place, Severity, explain};

/// `version` is the tool's own.
pub(super) fn log(diagnostics: &Diagnostics, version: &str, folder: &str) -> Value {
    let mut codes: Vec<_> = diagnostics.iter().map(|diagnostic| diagnostic.code).collect();
    codes.sort_unstable();
    codes.dedup();
    let results = diagnostics.iter().map(|diagnostic| result(diagnostic, &codes, folder));
    json!({
        "$schema": "https://json.schemastore.org/sarif-2.1.0.json",
        "version": "2.1.0",
        "runs": [{
            "tool": { "driver": {
                "name": "Headgate",
                "semanticVersion": version,
                "rules": codes.iter().map(|code| rule(code)).collect::<Vec<_>>(),
            }},
            // Columns of diagnostics count characters; SARIF would take them for UTF-16 code units.
            "columnKind": "unicodeCodePoints",
            "results": results.collect::<Vec<_>>(),
        }],
    })
}

fn rule(code: &str) -> Value {
    let text = explain(code).unwrap_or(code);
    let first = text.split_inclusive(". ").next().unwrap_or(text).trim_end();
    json!({
        "id": code,
        "shortDescription": { "text": first },
        "fullDescription": { "text": text },
        "help": { "text": text },
    })
}

fn result(diagnostic: &Diagnostic, codes: &[&str], folder: &str) -> Value {
    let level = match diagnostic.severity {
        Severity::Error => "error",
        Severity::Warning => "warning",
    };
    // Code hosts refuse results without a file. What no file is to blame for is the project's own.
    let nowhere = Place::file("config.yaml");
    let place = diagnostic.place.as_ref().unwrap_or(&nowhere);
    let mut result = json!({
        "ruleId": diagnostic.code,
        "ruleIndex": codes.binary_search(&diagnostic.code).unwrap_or_default(),
        "level": level,
        "message": { "text": message(diagnostic) },
        "locations": [location(place, folder)],
    });
    if !diagnostic.related.is_empty() {
        let related = diagnostic.related.iter().enumerate().map(|(id, (place, label))| {
            let mut location = location(place, folder);
            location.insert("id".to_owned(), id.into());
            location.insert("message".to_owned(), json!({ "text": label }));
            Value::Object(location)
        });
        result["relatedLocations"] = related.collect();
    }
    result
}

/// Everything there is to say, since code hosts show nothing else beside the line.
fn message(diagnostic: &Diagnostic) -> String {
    let mut text = diagnostic.message.clone();
    if let Some(label) = &diagnostic.label {
        // Writing to a string cannot fail.
        let _ = write!(text, " ({label})");
    }
    for note in &diagnostic.notes {
        let _ = write!(text, "\nnote: {note}");
    }
    if let Some(hint) = &diagnostic.hint {
        let _ = write!(text, "\nhelp: {hint}");
    }
    text
}

fn location(place: &Place, folder: &str) -> Map<String, Value> {
    let mut physical = Map::new();
    let uri = uri(&format!("{folder}{}", place.file));
    physical.insert("artifactLocation".to_owned(), json!({ "uri": uri, "uriBaseId": "%SRCROOT%" }));
    if !place.is_whole_file() {
        let region = json!({
            "startLine": place.line,
            "startColumn": place.column,
            "endLine": place.line,
            "endColumn": place.column.saturating_add(place.length),
        });
        physical.insert("region".to_owned(), region);
    }
    Map::from_iter([("physicalLocation".to_owned(), physical.into())])
}

/// A path as a relative reference (RFC 3986 §4.2): whatever could mean something else is escaped.
fn uri(path: &str) -> String {
    let mut uri = String::new();
    for byte in path.bytes() {
        match byte {
            b'/' | b'-' | b'.' | b'_' | b'~' => uri.push(byte.into()),
            byte if byte.is_ascii_alphanumeric() => uri.push(byte.into()),
            byte => {
                let _ = write!(uri, "%{byte:02X}");
            }
        }
    }
    uri
}

#[cfg(test)]
mod tests {
    use super::*;

    fn log_of(diagnostics: &[Diagnostic]) -> Value {
        let mut all = Diagnostics::default();
        diagnostics.iter().cloned().for_each(|diagnostic| all.push(diagnostic));
        all.to_sarif("1.2.3", "shop/")
    }

    #[test]
    fn a_result_has_its_rule_its_line_and_all_there_is_to_say() {
        let place = Place { file: "functions/a b.yaml".into(), line: 9, column: 5, length: 4 };
        let log = log_of(&[
            Diagnostic::warning("missing-id", "no `id`").at(Place::file("a.yaml")),
            Diagnostic::error("duplicate-key", "twice")
                .at(place.clone())
                .label("again")
                .related(place, "first here")
                .note("why")
                .hint("what to do"),
        ]);
        let run = &log["runs"][0];
        let rules = run["tool"]["driver"]["rules"].as_array().unwrap();
        let ids: Vec<_> = rules.iter().map(|rule| rule["id"].as_str().unwrap()).collect();
        assert_eq!(ids, ["duplicate-key", "missing-id"], "each once, in a stable order");
        assert_eq!(rules[1]["help"]["text"], explain("missing-id").unwrap());
        let result = &run["results"][1];
        assert_eq!((&result["ruleId"], &result["ruleIndex"]), (&"duplicate-key".into(), &0.into()));
        assert_eq!(result["level"], "error");
        assert_eq!(result["message"]["text"], "twice (again)\nnote: why\nhelp: what to do");
        let physical = &result["locations"][0]["physicalLocation"];
        assert_eq!(physical["artifactLocation"]["uri"], "shop/functions/a%20b.yaml");
        let region = json!({"startLine": 9, "startColumn": 5, "endLine": 9, "endColumn": 9});
        assert_eq!(physical["region"], region);
        assert_eq!(result["relatedLocations"][0]["message"]["text"], "first here");
        let whole_file = &run["results"][0]["locations"][0]["physicalLocation"];
        assert!(whole_file.get("region").is_none(), "{whole_file}");
    }

    #[test]
    fn a_problem_of_no_file_is_still_shown_somewhere() {
        let log = log_of(&[Diagnostic::error("no-project", "nothing here")]);
        let location = &log["runs"][0]["results"][0]["locations"][0];
        let uri = &location["physicalLocation"]["artifactLocation"]["uri"];
        assert_eq!(uri, "shop/config.yaml");
    }

    #[test]
    fn a_project_without_problems_is_a_run_without_results() {
        let log = log_of(&[]);
        assert_eq!(log["version"], "2.1.0");
        assert_eq!(log["runs"][0]["results"], json!([]));
    }
}
