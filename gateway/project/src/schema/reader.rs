//! The reader: a node and a table in, values and diagnostics out.

use std::collections::HashSet;

use headgate_types::{ByteSize, parse_duration};

use super::{
    At, Data, Document, Field, Fields, Found, Shape, Text, instead,
    near::{self, Near},
};
use crate::{
    defaults::{MAX_LIST, MEMORY_PAGE},
    diagnostic::{Diagnostic, Diagnostics, Place, codes, listed, quoted},
    yaml::{Key, Node, Source, Value},
};

/// Reads a file's tree by the tables of its kind; `None` if it holds something else altogether, which
/// is reported.
pub(crate) fn read(
    source: &Source,
    node: &Node,
    document: &'static Document,
    report: &mut Diagnostics,
) -> Option<Fields> {
    let mut reader = Reader { source, report };
    let (what, table, place) = (document.what, document.keys, source.whole());
    let entries: &[_] = match &node.value {
        Value::Null => &[],
        Value::Map(entries) => entries,
        _ => {
            let message =
                format!("{what} is written as keys and values, and this is {}", kind(node));
            reader.report.push(
                Diagnostic::error(codes::WRONG_TYPE, message)
                    .at(source.place(&node.span))
                    .hint(format!("begin with a key, such as `id: …`; {}", instead::keys(table))),
            );
            return None;
        }
    };
    let fields = reader.table(entries, what, "", table, place);
    document.older.iter().for_each(|spellings| reader.compare(&fields, *spellings));
    Some(fields)
}

struct Reader<'a> {
    source: &'a Source,
    report: &'a mut Diagnostics,
}

impl Reader<'_> {
    /// `path` is empty or ends with a dot.
    fn table(
        &mut self,
        entries: &[(Key, Node)],
        what: &str,
        path: &str,
        table: &'static [Field],
        place: Place,
    ) -> Fields {
        let mut found = Vec::new();
        for (key, node) in entries {
            let key_place = self.source.place(&key.span);
            match table.iter().find(|field| field.key == &*key.text) {
                None => self.unknown_key(key, what, table, key_place),
                Some(field) => {
                    let data =
                        self.data(&format!("{path}{}", field.key), field.shape, node, &key_place);
                    let scalar = matches!(node.value, Value::Scalar { .. });
                    let place = if scalar { self.source.place(&node.span) } else { key_place };
                    found.push(Found { key: field.key, place, data });
                }
            }
        }
        Fields { place, broken: false, found }
    }

    fn unknown_key(&mut self, key: &Key, what: &str, table: &[Field], place: Place) {
        let message = format!("{what} has no key {}", quoted(&key.text));
        let mut warning = Diagnostic::warning(codes::UNKNOWN_KEY, message).at(place);
        warning = warning.label(match near::key(&key.text, table) {
            Some(Near::Here(meant)) => format!("did you mean `{meant}`?"),
            Some(Near::Below(group)) => format!("it belongs below `{group}:`"),
            None => "this has no effect".to_owned(),
        });
        self.report.push(warning.hint(instead::keys(table)));
    }

    /// Of two spellings of one key that say different things, tells which counts.
    fn compare(&mut self, fields: &Fields, (older, current): (&str, &str)) {
        let (Some(first), Some(second)) = (fields.at_path(current), fields.at_path(older)) else {
            return;
        };
        if first.data.agrees(&second.data) {
            return;
        }
        let message = format!("`{older}` and `{current}` differ, and `{current}` counts");
        self.report.push(
            Diagnostic::warning(codes::TWO_SPELLINGS, message)
                .at(second.place.clone())
                .label("this has no effect")
                .related(first.place.clone(), "this counts")
                .hint(format!("remove `{older}`")),
        );
    }

    fn data(&mut self, path: &str, shape: Shape, node: &Node, key: &Place) -> Data {
        match (shape, &node.value) {
            (Shape::Older(_, shape), _) => self.data(path, *shape, node, key),
            (Shape::Obsolete(why), _) => {
                let message = format!("`{path}` has no effect");
                self.report.push(
                    Diagnostic::warning(codes::IGNORED_KEY, message)
                        .at(key.clone())
                        .note(why)
                        .hint("remove it"),
                );
                Data::Obsolete
            }
            (_, Value::Null) => Data::Blank,
            (Shape::Table(table), Value::Map(entries)) => {
                let what = format!("`{path}`");
                let path = format!("{path}.");
                Data::Table(self.table(entries, &what, &path, table, key.clone()))
            }
            (Shape::Tables(table), Value::Map(entries)) => self.tables(path, entries, table, key),
            (Shape::Texts, Value::List(items)) => self.texts(path, items, key),
            (Shape::Pairs, Value::Map(entries)) => self.pairs(path, entries, key),
            (shape, Value::Scalar { text, plain }) => {
                self.scalar(path, shape, text, *plain, node).unwrap_or(Data::Broken)
            }
            (shape, _) => {
                self.wrong_type(path, shape, node);
                Data::Broken
            }
        }
    }

    fn scalar(
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
            (Shape::Duration, None) => match parse_duration(text) {
                Ok(duration) => Some(Data::Duration(duration)),
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
            },
            _ => {
                self.wrong_type(path, shape, node);
                None
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
        let mut error = Diagnostic::error(codes::INVALID_VALUE, message)
            .at(self.source.place(&node.span))
            .hint(format!("it is one of {}", listed(words.iter().copied())));
        if let Some(meant) = near::word(text, words) {
            error = error.label(format!("did you mean `{meant}`?"));
        }
        self.report.push(error);
        None
    }

    fn refuse<T>(
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

    /// A list of texts, each once.
    fn texts(&mut self, path: &str, items: &[Node], key: &Place) -> Data {
        if self.too_long(path, items.len(), key) {
            return Data::Broken;
        }
        let (mut texts, mut seen, mut broken) = (Vec::new(), HashSet::new(), false);
        for item in items {
            let place = self.source.place(&item.span);
            match &item.value {
                Value::Scalar { text, plain } if !*plain || flag(text).is_none() => {
                    if seen.insert(&**text) {
                        texts.push(At { value: Text::from(&**text), place });
                    } else {
                        let message = format!("`{path}` lists {} twice", quoted(text));
                        self.report.push(
                            Diagnostic::warning(codes::REPEATED_VALUE, message)
                                .at(place)
                                .hint("remove one of them"),
                        );
                    }
                }
                _ => {
                    broken = true;
                    let message = format!("an item of `{path}` is {}, not text", kind(item));
                    let mut error = Diagnostic::error(codes::WRONG_TYPE, message).at(place);
                    error = error.hint(instead::item(item));
                    self.report.push(error);
                }
            }
        }
        if broken && texts.is_empty() { Data::Broken } else { Data::Texts(texts) }
    }

    fn pairs(&mut self, path: &str, entries: &[(Key, Node)], key: &Place) -> Data {
        if self.too_long(path, entries.len(), key) {
            return Data::Broken;
        }
        let mut pairs = Vec::new();
        for (name, node) in entries {
            let place = self.source.place(&name.span);
            let text = match &node.value {
                Value::Null => "",
                Value::Scalar { text, .. } => text,
                Value::List(_) | Value::Map(_) => {
                    let message = format!("`{path}.{}` is {}, not text", name.text, kind(node));
                    self.report.push(
                        Diagnostic::error(codes::WRONG_TYPE, message)
                            .at(place)
                            .hint("write one text per name; JSON in quotes is a text too"),
                    );
                    continue;
                }
            };
            pairs.push((At { value: Text::from(&*name.text), place }, Text::from(text)));
        }
        Data::Pairs(pairs)
    }

    /// A table for each name; one that is something else is left out.
    fn tables(
        &mut self,
        path: &str,
        entries: &[(Key, Node)],
        table: &'static [Field],
        key: &Place,
    ) -> Data {
        if self.too_long(path, entries.len(), key) {
            return Data::Broken;
        }
        let mut tables = Vec::new();
        for (name, node) in entries {
            let place = self.source.place(&name.span);
            let path = format!("{path}.{}", name.text);
            match self.data(&path, Shape::Table(table), node, &place) {
                Data::Table(fields) => {
                    tables.push((At { value: Text::from(&*name.text), place }, fields));
                }
                Data::Blank => {
                    let fields = Fields { place: place.clone(), broken: false, found: Vec::new() };
                    tables.push((At { value: Text::from(&*name.text), place }, fields));
                }
                _ => {}
            }
        }
        Data::Tables(tables)
    }

    fn too_long(&mut self, path: &str, length: usize, key: &Place) -> bool {
        if length <= MAX_LIST {
            return false;
        }
        let message = format!("`{path}` has {length} entries");
        self.report.push(
            Diagnostic::error(codes::TOO_MANY, message)
                .at(key.clone())
                .hint(format!("use at most {MAX_LIST}, or split the resource")),
        );
        true
    }

    fn wrong_type(&mut self, path: &str, shape: Shape, node: &Node) {
        let wanted = match shape.current() {
            Shape::Flag => "`true` or `false`",
            Shape::Size => "a size",
            Shape::Duration => "a duration",
            Shape::Texts => "a list",
            Shape::Pairs => "names and values",
            Shape::Table(_) => "a group of keys",
            Shape::Tables(_) => "names with keys below them",
            _ => "text",
        };
        let message = format!("`{path}` must be {wanted}, and this is {}", kind(node));
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
fn flag(text: &str) -> Option<bool> {
    match text {
        "true" | "True" | "TRUE" => Some(true),
        "false" | "False" | "FALSE" => Some(false),
        _ => None,
    }
}

fn kind(node: &Node) -> &'static str {
    match &node.value {
        Value::Null => "nothing",
        Value::Scalar { text, plain: true } if flag(text).is_some() => "a boolean",
        Value::Scalar { .. } => "text",
        Value::List(_) => "a list",
        Value::Map(_) => "a group of keys",
    }
}
