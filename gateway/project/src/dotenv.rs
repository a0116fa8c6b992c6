//! `.env`: variables for development that are not committed.
//!
//! `KEY=VALUE` lines, `#` comments, `export` allowed, single quotes literal, double quotes with
//! `\n \r \t \" \\ \$`. No interpolation and no values over several lines: whoever needs those writes
//! them into the function's `variables`.

use std::collections::BTreeMap;

use headgate_types::Chain;

use crate::{
    defaults::{MAX_DOTENV, MAX_LIST, MAX_VARIABLE},
    diagnostic::{Diagnostic, Diagnostics, Place, codes, quoted},
    tree::Tree,
};

const PATH: &str = ".env";

/// The variables of the tree's `.env`; none if there is no such file. Of a name given twice the last
/// one counts. Lines that make no sense are reported and left out.
pub(crate) fn read(tree: &dyn Tree, report: &mut Diagnostics) -> BTreeMap<String, String> {
    if tree.find(PATH).is_none() {
        return BTreeMap::new();
    }
    match tree.read(PATH, MAX_DOTENV) {
        Ok(bytes) => parse(&String::from_utf8_lossy(&bytes), report),
        Err(error) => {
            let message = format!("`{PATH}` is not read: {}", Chain(&error));
            let warning = Diagnostic::warning(codes::INVALID_DOTENV, message);
            report.push(warning.at(Place::file(PATH)));
            BTreeMap::new()
        }
    }
}

/// True for what can be the name of an environment variable everywhere (POSIX XBD §8.1).
pub(crate) fn is_variable_name(name: &str) -> bool {
    name.starts_with(|c: char| c.is_ascii_alphabetic() || c == '_')
        && name.chars().all(|c| c.is_ascii_alphanumeric() || c == '_')
}

/// No excerpts: the file holds secrets, and diagnostics travel.
fn parse(text: &str, report: &mut Diagnostics) -> BTreeMap<String, String> {
    let mut variables = BTreeMap::new();
    for (number, line) in (1u32..).zip(text.lines()) {
        let line = line.trim().trim_start_matches('\u{feff}');
        if line.is_empty() || line.starts_with('#') {
            continue;
        }
        match variable(line) {
            _ if variables.len() > MAX_LIST => {}
            Ok((name, value)) => {
                variables.insert(name.to_owned(), value);
            }
            Err((message, hint)) => {
                let place = Place { file: PATH.into(), line: number, column: 1, length: 0 };
                report.push(
                    Diagnostic::warning(codes::INVALID_DOTENV, message)
                        .at(place)
                        .note("this line is left out")
                        .hint(hint),
                );
            }
        }
    }
    variables
}

type Mistake = (String, &'static str);

fn variable(line: &str) -> Result<(&str, String), Mistake> {
    let line = line.strip_prefix("export ").unwrap_or(line);
    let Some((name, value)) = line.split_once('=') else {
        return Err(("this line has no `=`".into(), "write `NAME=value`, or `# ` for a comment"));
    };
    let name = name.trim();
    if !is_variable_name(name) {
        let message = format!("{} cannot be the name of a variable", quoted(name));
        return Err((
            message,
            "use letters from `a` to `z`, digits and `_`, beginning with a letter or `_`",
        ));
    }
    let value = value_of(value.trim())?;
    match value.len() > MAX_VARIABLE || value.contains('\0') {
        true => {
            Err((format!("the value of `{name}` is too long"), "pass a path to a file instead"))
        }
        false => Ok((name, value)),
    }
}

fn value_of(text: &str) -> Result<String, Mistake> {
    let unclosed = || ("a quote is opened and never closed".into(), "close it on the same line");
    let (value, rest) = match text.chars().next() {
        Some('\'') => {
            let (value, rest) = text[1..].split_once('\'').ok_or_else(unclosed)?;
            (value.to_owned(), rest)
        }
        Some('"') => double_quoted(&text[1..]).ok_or_else(unclosed)?,
        Some('#') | None => (String::new(), ""),
        Some(_) => {
            let end = text.find(" #").or_else(|| text.find("\t#")).unwrap_or(text.len());
            (text[..end].trim_end().to_owned(), "")
        }
    };
    match rest.trim_start() {
        "" => Ok(value),
        rest if rest.starts_with('#') => Ok(value),
        _ => Err(("something stands behind the closing quote".into(), "quote the whole value")),
    }
}

fn double_quoted(text: &str) -> Option<(String, &str)> {
    let mut value = String::new();
    let mut chars = text.char_indices();
    while let Some((at, c)) = chars.next() {
        match c {
            '"' => return Some((value, &text[at + 1..])),
            '\\' => match chars.next()?.1 {
                'n' => value.push('\n'),
                'r' => value.push('\r'),
                't' => value.push('\t'),
                c @ ('"' | '\\' | '$') => value.push(c),
                other => value.extend(['\\', other]),
            },
            c => value.push(c),
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_are_read_as_shells_read_them() {
        let mut report = Diagnostics::default();
        let text = r#"
            # a comment
            PLAIN = two words # comment
            export HASH=a#b
            SINGLE='a # "b" \n'
            DOUBLE="a\n\"b\" \$c" # comment
            EMPTY=
            PLAIN=again
        "#;
        let variables = parse(text, &mut report);
        let expected = [
            ("DOUBLE", "a\n\"b\" $c"),
            ("EMPTY", ""),
            ("HASH", "a#b"),
            ("PLAIN", "again"),
            ("SINGLE", "a # \"b\" \\n"),
        ];
        assert!(report.is_empty(), "{report:?}");
        assert!(variables.iter().map(|(k, v)| (&**k, &**v)).eq(expected), "{variables:?}");
    }

    #[test]
    fn lines_without_sense_are_reported_and_the_others_count() {
        let mut report = Diagnostics::default();
        let variables = parse("A=1\nB\n1C=2\nD='x\nE=\"x\" y\nF=2\n", &mut report);
        assert_eq!(variables.keys().collect::<Vec<_>>(), ["A", "F"]);
        let lines: Vec<_> = report.iter().map(|item| item.place.as_ref().unwrap().line).collect();
        assert_eq!(lines, [2, 3, 4, 5]);
    }
}
