//! The reader: a node and a table in, values and diagnostics out.

mod value;

use std::{collections::HashSet, sync::Arc};

use self::value::{flag, kind};
use super::{
    At, Data, Document, Field, Fields, Found, Shape, Text, instead,
    near::{self, Near},
};
use crate::{
    defaults::MAX_LIST,
    diagnostic::{Diagnostic, Diagnostics, Place, Severity, codes, quoted},
    yaml::{self, Key, Node, Source, Value},
};

/// Reads a text that is at hand by a table, and makes it available for excerpts. `None` if nothing of
/// it could be read; why is reported.
pub fn read_text(
    file: &str,
    text: &str,
    document: &'static Document,
    report: &mut Diagnostics,
) -> Option<Fields> {
    let (file, text): (Arc<str>, Arc<str>) = (file.into(), text.into());
    report.add_source(file.clone(), text.clone());
    let source = Source::new(file, text);
    let node = yaml::parse(&source, report)?;
    read(&source, &node, document, report)
}

/// Reads a file's tree by the tables of its kind; `None` if it holds something else altogether, which
/// is reported.
pub(crate) fn read(
    source: &Source,
    node: &Node,
    document: &'static Document,
    report: &mut Diagnostics,
) -> Option<Fields> {
    let mut reader = Reader { source, report, slips: document.slips };
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
                    .hint(format!("begin with {}; {}", document.begin, instead::keys(table))),
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
    slips: Severity,
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
        let label = match (near::key(&key.text, table), self.slips) {
            (Some(Near::Here(meant)), _) => format!("did you mean `{meant}`?"),
            (Some(Near::Below(group)), _) => format!("it belongs below `{group}:`"),
            (None, Severity::Warning) => "no key is called so; it has no effect".to_owned(),
            (None, Severity::Error) => "no key is called so".to_owned(),
        };
        let slip = self.slip(codes::UNKNOWN_KEY, message).at(place).label(label);
        let known = instead::keys(table);
        let guess = near::key(&key.text, table).is_some();
        self.report.push(slip.hint(if guess { known } else { format!("remove it; {known}") }));
    }

    fn slip(&self, code: &'static str, message: String) -> Diagnostic {
        match self.slips {
            Severity::Error => Diagnostic::error(code, message),
            Severity::Warning => Diagnostic::warning(code, message),
        }
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
            (Shape::Tables(table), Value::Map(entries)) => {
                self.named(path, entries, Shape::Table(table), key)
            }
            (Shape::Shorts(short, table), Value::Map(entries)) => {
                self.named(path, entries, Shape::Short(short, table), key)
            }
            (Shape::Items(table, needs), Value::List(items)) => {
                self.items(path, items, table, needs, key)
            }
            (Shape::Short(short, table), Value::Map(entries)) => {
                let (what, path) = (format!("`{path}`"), format!("{path}."));
                let fields = self.table(entries, &what, &path, table, key.clone());
                self.needed(&fields, &what, table, &[short]);
                Data::Table(fields)
            }
            (Shape::Short(short, table), Value::Scalar { .. }) => {
                self.short(path, short, table, node)
            }
            (Shape::Texts | Shape::OneOrMore, Value::List(items)) => self.texts(path, items, key),
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
                        let slip = self.slip(codes::REPEATED_VALUE, message).at(place);
                        self.report.push(slip.hint("remove one of them"));
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
    fn named(&mut self, path: &str, entries: &[(Key, Node)], shape: Shape, key: &Place) -> Data {
        if self.too_long(path, entries.len(), key) {
            return Data::Broken;
        }
        let mut tables = Vec::new();
        for (name, node) in entries {
            let place = self.source.place(&name.span);
            let path = format!("{path}.{}", name.text);
            match (self.data(&path, shape, node, &place), shape) {
                (Data::Table(fields), _) => {
                    tables.push((At { value: Text::from(&*name.text), place }, fields));
                }
                (Data::Blank, Shape::Short(short, table)) => {
                    let message = format!("`{path}` has no `{short}`");
                    self.missing(message, table, short, place);
                }
                (Data::Blank, _) => {
                    let fields = Fields { place: place.clone(), broken: false, found: Vec::new() };
                    tables.push((At { value: Text::from(&*name.text), place }, fields));
                }
                _ => {}
            }
        }
        Data::Tables(tables)
    }

    /// A table for each item that is one.
    fn items(
        &mut self,
        path: &str,
        items: &[Node],
        table: &'static [Field],
        needs: &'static [&'static str],
        key: &Place,
    ) -> Data {
        if self.too_long(path, items.len(), key) {
            return Data::Broken;
        }
        let what = format!("an item of `{path}`");
        let shape = Shape::Items(table, needs);
        let mut tables = Vec::new();
        for item in items {
            let place = self.source.place(&item.span);
            let entries: &[_] = match &item.value {
                Value::Null => &[],
                Value::Map(entries) => entries,
                _ => {
                    let message = format!("{what} is {}, not a group of keys", kind(item));
                    let hint = match (needs.is_empty(), &item.value) {
                        (false, Value::Scalar { .. }) => instead::hint(path, shape, item),
                        _ => instead::keys(table),
                    };
                    self.refuse::<()>(codes::WRONG_TYPE, message, item, hint);
                    continue;
                }
            };
            let fields = self.table(entries, &what, &format!("{path}."), table, place);
            self.needed(&fields, &what, table, needs);
            tables.push(fields);
        }
        Data::Items(tables)
    }

    /// The table that a single value stands for.
    fn short(
        &mut self,
        path: &str,
        short: &'static str,
        table: &'static [Field],
        node: &Node,
    ) -> Data {
        let place = self.source.place(&node.span);
        let Some(field) = table.iter().find(|field| field.key == short) else {
            return Data::Broken;
        };
        let data = self.data(path, field.shape, node, &place);
        let found = vec![Found { key: short, place: place.clone(), data }];
        let fields = Fields { place, broken: false, found };
        self.needed(&fields, &format!("`{path}`"), table, &[short]);
        Data::Table(fields)
    }

    /// Reports keys that are missing or have nothing behind them.
    fn needed(&mut self, fields: &Fields, what: &str, table: &[Field], needs: &[&str]) {
        for key in needs {
            let (message, place) = match fields.found(key) {
                None => (format!("{what} has no `{key}`"), &fields.place),
                Some(found) if found.data.is_empty() => (format!("`{key}` is empty"), &found.place),
                Some(_) => continue,
            };
            self.missing(message, table, key, place.clone());
        }
    }

    fn missing(&mut self, message: String, table: &[Field], key: &str, place: Place) {
        let about = table.iter().find(|field| field.key == key).map_or("", |field| field.about);
        let mut about = about.trim_end_matches('.').chars();
        let about: String =
            about.next().into_iter().flat_map(char::to_lowercase).chain(about).collect();
        let error = Diagnostic::error(codes::MISSING_KEY, message);
        self.report.push(error.at(place).hint(format!("write `{key}: …`, {about}")));
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
}
