//! From YAML text to `NodeFile`, with the reader's complaints put into our words.

use std::path::Path;

use serde::Deserialize;
use serde_saphyr::{MessageFormatter, Options, Spanned, UserMessageFormatter};

use super::{NodeFile, Problem};

/// The one version there is. An older one would be read by its own type and converted forward here.
const VERSION: &str = "1";

pub(super) fn parse(text: &str, file: &Path) -> Result<NodeFile, Problem> {
    let failed = |error| problem(&error, file);
    if text.lines().all(|line| line.trim().is_empty() || line.trim().starts_with('#')) {
        return Ok(NodeFile::default());
    }
    // The version first: with another one, "unknown key" would be the wrong complaint.
    let Versioned { version } =
        serde_saphyr::from_str_with_options(text, options()).map_err(failed)?;
    match version {
        Some(version) if version.value != VERSION => Err(Problem {
            file: file.to_owned(),
            line: version.referenced.line(),
            column: version.referenced.column(),
            message: format!("version `{}` is not known to this headgate", version.value),
            help: Some(format!("write `version: {VERSION}`, or use a newer headgate")),
        }),
        _ => serde_saphyr::from_str_with_options(text, options()).map_err(failed),
    }
}

#[derive(Deserialize)]
struct Versioned {
    version: Option<Spanned<String>>,
}

/// Only places, no excerpts: the message is printed on one line with its place in front.
fn options() -> Options {
    serde_saphyr::options! { with_snippet: false, strict_booleans: true }
}

fn problem(error: &serde_saphyr::Error, file: &Path) -> Problem {
    let error = error.without_snippet();
    let place = error.location();
    let (message, help) = wording(error);
    Problem {
        file: file.to_owned(),
        line: place.map_or(0, |place| place.line()),
        column: place.map_or(0, |place| place.column()),
        message,
        help: Some(help),
    }
}

fn wording(error: &serde_saphyr::Error) -> (String, String) {
    match error {
        serde_saphyr::Error::SerdeUnknownField { field, expected, .. } => {
            let nearest = nearest(field, expected);
            let help = match nearest {
                Some(name) => format!("did you mean `{name}`?"),
                None => format!("the keys here are {}", expected.join(", ")),
            };
            (format!("`{field}` is not a key of node.yaml here"), help)
        }
        serde_saphyr::Error::SerdeMissingField { field, .. } => {
            (format!("`{field}` is missing"), format!("add a line `{field}: …`"))
        }
        serde_saphyr::Error::DuplicateMappingKey { key, .. } => (
            format!("`{}` is written twice", key.as_deref().unwrap_or("this key")),
            "remove one of the two".to_owned(),
        ),
        other => (
            UserMessageFormatter.format_message(other).into_owned(),
            "docs of every key: `headgate run --help`".to_owned(),
        ),
    }
}

/// The key that differs in few letters, if one does.
fn nearest<'a>(field: &str, keys: &[&'a str]) -> Option<&'a str> {
    keys.iter()
        .map(|key| (strsim::damerau_levenshtein(field, key), *key))
        .filter(|(distance, key)| *distance <= key.len().div_ceil(3))
        .min()
        .map(|(_, key)| key)
}
