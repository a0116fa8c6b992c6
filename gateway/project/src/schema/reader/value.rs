//! Single values: what a scalar means for the shape its key has, and what is said if it means nothing.

use std::time::Duration;

use headgate_types::{ByteSize, format_duration, parse_duration};

use super::Reader;
use crate::{
    defaults::MEMORY_PAGE,
    diagnostic::{Diagnostic, codes, listed, quoted},
    schema::{At, Data, Shape, instead, near},
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
            (Shape::OneOrMore, None) if text.trim().is_empty() => Some(Data::Blank),
            (Shape::OneOrMore, None) => {
                let place = self.source.place(&node.span);
                Some(Data::Texts(vec![At { value: text.into(), place }]))
            }
            (Shape::Flag, Some(flag)) => Some(Data::Flag(flag)),
            (Shape::Word(words), None) => self.word(path, words, text, node),
            (Shape::Size, None) => match text.parse::<ByteSize>() {
                Ok(size) => {
                    if path == "execution.memory" {
                        self.warn_of_bytes(path, size, text, node);
                    }
                    Some(Data::Size(size))
                }
                Err(error) => {
                    let message = format!("{} is not a size", quoted(text));
                    let hint = meant(path, near::size(text)).unwrap_or_else(|| error.to_string());
                    self.refuse(codes::INVALID_SIZE, message, node, hint)
                }
            },
            (Shape::Duration, None) => self.duration(path, text, node).map(Data::Duration),
            (Shape::DurationIn(least, most), None) => {
                let duration = self.duration(path, text, node)?;
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
                Err(_) if !text.starts_with(|c: char| c.is_ascii_digit() || "+-.".contains(c)) => {
                    self.wrong_type(path, shape, node);
                    None
                }
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

    fn duration(&mut self, path: &str, text: &str, node: &Node) -> Option<Duration> {
        match parse_duration(text) {
            Ok(duration) => Some(duration),
            Err(error) => {
                let message = format!("{} is not a duration", quoted(text));
                let hint = match text.bytes().all(|byte| byte.is_ascii_digit()) {
                    true if !text.is_empty() => {
                        format!("say in which unit: `{text}s` or `{text}ms`")
                    }
                    _ => meant(path, near::duration(text)).unwrap_or_else(|| error.to_string()),
                };
                self.refuse(codes::INVALID_DURATION, message, node, hint)
            }
        }
    }

    /// Taubyte takes a number alone for bytes, and who writes `memory: 64` hardly means 64 of them.
    /// Storages are not asked: nothing fails at once when they are small.
    fn warn_of_bytes(&mut self, path: &str, size: ByteSize, text: &str, node: &Node) {
        let bytes = size.as_bytes();
        if bytes == 0 || !text.bytes().all(|byte| byte.is_ascii_digit()) {
            return;
        }
        let key = path.rsplit('.').next().unwrap_or(path);
        let message = format!("`{path}` has no unit, so it is {bytes} bytes");
        let hint = match bytes {
            // Whoever means bytes has a page of them at least.
            ..MEMORY_PAGE => format!("say in which unit: `{key}: {bytes}MiB`"),
            _ => format!("write `{key}: {size}` to say so"),
        };
        self.report.push(
            Diagnostic::warning(codes::NO_UNIT, message)
                .at(self.source.place(&node.span))
                .hint(hint),
        );
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
        if let Some(why) = instead::no_word(path, text) {
            error = error.note(why).hint("remove these lines");
        } else if let Some(meant) = near::word(text, words) {
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
        let wanted = match shape.current() {
            Shape::Flag => "`true` or `false`",
            Shape::Size => "a size",
            Shape::Duration | Shape::DurationIn(..) => "a duration",
            Shape::Number(..) => "a whole number",
            Shape::Texts | Shape::Items(..) => "a list",
            Shape::OneOrMore => "text or a list",
            Shape::Pairs | Shape::Shorts(..) => "names and values",
            Shape::Table(_) => "a group of keys",
            Shape::Tables(_) => "names with keys below them",
            Shape::Short(..) => "text or a group of keys",
            _ => "text",
        };
        let message = format!("`{path}` must be {wanted}, and this is {}", shown(node));
        let hint = instead::hint(path, shape, node);
        self.refuse::<()>(codes::WRONG_TYPE, message, node, hint);
    }
}

/// The line with what was meant, if that can be told.
fn meant(path: &str, value: Option<String>) -> Option<String> {
    let key = path.rsplit('.').next().unwrap_or(path);
    value.map(|value| format!("write `{key}: {value}`"))
}

/// Quoted words are text: only what stands there plainly is a boolean.
pub(super) fn flag(text: &str) -> Option<bool> {
    match text {
        "true" | "True" | "TRUE" => Some(true),
        "false" | "False" | "FALSE" => Some(false),
        _ => None,
    }
}

/// Its kind; a number is shown itself, as "text" would be a riddle.
fn shown(node: &Node) -> String {
    match &node.value {
        Value::Scalar { text, plain: true } if text.parse::<i64>().is_ok() => quoted(text),
        _ => kind(node).to_owned(),
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
