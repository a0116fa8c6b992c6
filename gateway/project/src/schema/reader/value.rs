//! Single values: what a scalar means for the shape its key has, and what is said if it means nothing.

use std::time::Duration;

use headgate_types::{ByteSize, format_duration, parse_duration};

use super::{Reader, known_keys};
use crate::{
    diagnostic::{Diagnostic, closest, codes, listed, quoted},
    schema::{Data, Shape},
    yaml::{Node, Value},
};

impl Reader<'_> {
    pub(super) fn scalar(
        &mut self,
        path: &str,
        shape: Shape,
        text: &str,
        plain: bool,
        node: &Node,
    ) -> Option<Data> {
        let flag = if plain { flag(text) } else { None };
        match (shape, flag) {
            (Shape::Text, None) => Some(Data::Text(text.into())),
            (Shape::Flag, Some(flag)) => Some(Data::Flag(flag)),
            (Shape::Word(words), None) => self.word(path, words, text, node),
            (Shape::Size, None) => match text.parse::<ByteSize>() {
                Ok(size) => Some(Data::Size(size)),
                Err(error) => {
                    let message = format!("{} is not a size", quoted(text));
                    self.refuse(codes::INVALID_SIZE, message, node, error.to_string())
                }
            },
            (Shape::Duration, None) => self.duration(text, node).map(Data::Duration),
            (Shape::DurationIn(least, most), None) => {
                let duration = self.duration(text, node)?;
                if (least..=most).contains(&duration) {
                    return Some(Data::Duration(duration));
                }
                let [least, most] = [least, most].map(format_duration);
                let message = format!("`{path}` cannot be {}", quoted(text));
                let hint = format!("write a duration from {least} to {most}");
                self.refuse(codes::OUT_OF_RANGE, message, node, hint)
            }
            (Shape::Number(least, most), None) if plain => match text.parse::<u64>() {
                Ok(number) if (least..=most).contains(&number) => Some(Data::Number(number)),
                _ => {
                    let message = format!("`{path}` cannot be {}", quoted(text));
                    let hint = format!("write a whole number from {least} to {most}");
                    self.refuse(codes::OUT_OF_RANGE, message, node, hint)
                }
            },
            _ => {
                self.wrong_type(path, shape, node);
                None
            }
        }
    }

    fn duration(&mut self, text: &str, node: &Node) -> Option<Duration> {
        match parse_duration(text) {
            Ok(duration) => Some(duration),
            Err(error) => {
                let message = format!("{} is not a duration", quoted(text));
                let hint = match text.bytes().all(|byte| byte.is_ascii_digit()) {
                    true if !text.is_empty() => {
                        format!("say in which unit: `{text}s` or `{text}ms`")
                    }
                    _ => error.to_string(),
                };
                self.refuse(codes::INVALID_DURATION, message, node, hint)
            }
        }
    }

    fn word(
        &mut self,
        path: &str,
        words: &[&'static str],
        text: &str,
        node: &Node,
    ) -> Option<Data> {
        if words.contains(&text) {
            return Some(Data::Text(text.into()));
        }
        let message = format!("`{path}` cannot be {}", quoted(text));
        let hint = match words {
            [only] => format!("write `{only}`, or leave the key out"),
            words => format!("it is one of {}", listed(words.iter().copied())),
        };
        let mut error = Diagnostic::error(codes::INVALID_VALUE, message)
            .at(self.source.place(&node.span))
            .hint(hint);
        if let Some(meant) = closest(text, words.iter().copied()) {
            error = error.label(format!("did you mean `{meant}`?"));
        }
        self.report.push(error);
        None
    }

    pub(super) fn refuse<T>(
        &mut self,
        code: &'static str,
        message: String,
        node: &Node,
        hint: String,
    ) -> Option<T> {
        let place = self.source.place(&node.span);
        self.report.push(Diagnostic::error(code, message).at(place).hint(hint));
        None
    }

    pub(super) fn wrong_type(&mut self, path: &str, shape: Shape, node: &Node) {
        let key = path.rsplit('.').next().unwrap_or(path);
        let quotable = matches!(node.value, Value::Scalar { .. });
        let (wanted, hint) = match shape {
            Shape::Word(words) => {
                ("text", format!("it is one of {}", listed(words.iter().copied())))
            }
            Shape::Text if quotable => ("text", "put it in quotes to make it text".to_owned()),
            Shape::Older(_, shape) => return self.wrong_type(path, *shape, node),
            Shape::Text | Shape::Obsolete(_) => {
                ("text", format!("write `{key}: text` on one line"))
            }
            Shape::Flag => (
                "`true` or `false`",
                format!("write `{key}: true` or `{key}: false`, without quotes"),
            ),
            Shape::Size => ("a size", format!("write a number and a unit: `{key}: 64MiB`")),
            Shape::Duration | Shape::DurationIn(..) => {
                ("a duration", format!("write a number and a unit: `{key}: 20s`"))
            }
            Shape::Number(least, most) => (
                "a whole number",
                format!("write `{key}:` and a number from {least} to {most}, without quotes"),
            ),
            Shape::Texts => match &node.value {
                Value::Scalar { text, .. } => {
                    ("a list", format!("write `{key}: [{}]`", quoted(text).trim_matches('`')))
                }
                _ => ("a list", "write one `- item` per line".to_owned()),
            },
            Shape::Pairs => ("names and values", "write one `NAME: value` per line".to_owned()),
            Shape::Table(table) => ("a group of keys", known_keys(table)),
            Shape::Tables(_) => {
                ("names with keys below them", "write each name on a line of its own".to_owned())
            }
            Shape::Items(table, _) => {
                ("a list", format!("begin each item with `- `; {}", known_keys(table)))
            }
            Shape::Short(short, table) => (
                "text or a group of keys",
                format!("write `{key}: {}`; {}", short.to_uppercase(), known_keys(table)),
            ),
            Shape::Shorts(short, _) => {
                ("names and values", format!("write one `NAME: {}` per line", short.to_uppercase()))
            }
        };
        let message = format!("`{path}` must be {wanted}, and this is {}", kind(node));
        self.refuse::<()>(codes::WRONG_TYPE, message, node, hint);
    }
}

/// Quoted words are text: only what stands there plainly is a boolean.
pub(super) fn flag(text: &str) -> Option<bool> {
    match text {
        "true" | "True" | "TRUE" => Some(true),
        "false" | "False" | "FALSE" => Some(false),
        _ => None,
    }
}

pub(super) fn kind(node: &Node) -> &'static str {
    match &node.value {
        Value::Null => "nothing",
        Value::Scalar { text, plain: true } if flag(text).is_some() => "a boolean",
        Value::Scalar { .. } => "text",
        Value::List(_) => "a list",
        Value::Map(_) => "a group of keys",
    }
}
