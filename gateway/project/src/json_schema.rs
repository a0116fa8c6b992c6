//! JSON Schemas of the files of a project, for editors: made from the tables that the reader goes by.
//!
//! Draft 7, because every editor reads that. A schema refuses what the reader reports as an error of
//! one file, and is silent about what takes several. Unknown keys of a project stay allowed: to the
//! reader they are a warning, and a schema knows no warnings.

use std::{sync::LazyLock, time::Duration};

use headgate_types::{ByteSize, duration_units};
use serde_json::{Map, Value, json};

use crate::{
    defaults::MAX_LIST,
    diagnostic::Severity,
    schema::{self, Document, Field, Need, Shape, When},
};

/// What [`of`] has a schema for, in the order of Taubyte's layout.
pub fn names() -> impl Iterator<Item = &'static str> {
    DOCUMENTS.iter().map(|document| document.name)
}

/// The schema of one kind of file: `function` for those in `functions/`.
pub fn of(name: &str) -> Option<Value> {
    DOCUMENTS.iter().find(|document| document.name == name).map(|document| of_document(document))
}

/// The schema of what is read by this table.
pub fn of_document(document: &Document) -> Value {
    let mut schema = Value::Object(document_schema(document));
    schema["$schema"] = DRAFT.into();
    schema
}

/// All schemas in one file, so that a project needs only one: `#/definitions/function`.
pub fn all() -> Value {
    let definitions: Map<_, _> = DOCUMENTS
        .iter()
        .map(|document| (document.name.to_owned(), document_schema(document).into()))
        .collect();
    json!({
        "$schema": DRAFT,
        "title": "The files of a Headgate project",
        "definitions": definitions,
    })
}

const DRAFT: &str = "http://json-schema.org/draft-07/schema#";

const DOCUMENTS: [&Document; 11] = [
    &schema::PROJECT,
    &schema::APPLICATION,
    &schema::DATABASE,
    &schema::DOMAIN,
    &schema::FUNCTION,
    &schema::LIBRARY,
    &schema::MESSAGING,
    &schema::SERVICE,
    &schema::SMARTOP,
    &schema::STORAGE,
    &schema::WEBSITE,
];

fn document_schema(document: &Document) -> Map<String, Value> {
    let others = match document.slips {
        Severity::Error => Others::Refused,
        Severity::Warning => Others::Allowed,
    };
    let mut root = table(document.keys, others);
    root.insert("title".to_owned(), format!("Headgate: {}", document.what).into());
    root.insert("description".to_owned(), document.about.into());
    let mut clauses = Vec::new();
    for need in document.needs {
        match (need.when, need.any) {
            (When::Always, [path]) => require(&mut root, document.keys, path),
            _ => clauses.push(clause(document, need)),
        }
    }
    let empty_is_fine = document.needs.iter().all(|need| !matches!(need.when, When::Always));
    root.insert("type".to_owned(), types(&["object"], empty_is_fine));
    if !clauses.is_empty() {
        root.insert("allOf".to_owned(), clauses.into());
    }
    root
}

/// Keys that a table does not know.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Others {
    Allowed,
    Refused,
}

/// A table whose keys may all be missing.
fn table(fields: &[Field], others: Others) -> Map<String, Value> {
    let properties: Map<_, _> = fields
        .iter()
        .map(|field| (field.key.to_owned(), described(field, others).into()))
        .collect();
    let mut schema = object(json!({ "type": types(&["object"], true), "properties": properties }));
    if others == Others::Refused {
        schema.insert("additionalProperties".to_owned(), false.into());
    }
    schema
}

/// A table that is there, with these keys at least.
fn table_with(fields: &'static [Field], needs: &[&str], others: Others) -> Map<String, Value> {
    let mut schema = table(fields, others);
    needs.iter().for_each(|key| require(&mut schema, fields, key));
    schema.insert("type".to_owned(), types(&["object"], needs.is_empty()));
    schema
}

/// A table, or the value of its one necessary key.
fn short(key: &str, fields: &'static [Field], others: Others) -> Map<String, Value> {
    let alone = value(shape_of(fields, key), Presence::Required, others);
    object(json!({ "anyOf": [alone, table_with(fields, &[key], others)] }))
}

fn described(field: &Field, others: Others) -> Map<String, Value> {
    let mut schema = value(field.shape, Presence::Optional, others);
    let about = match field.shape {
        Shape::Older(current, _) => format!("An older spelling of `{current}`."),
        Shape::Obsolete(why) => format!("Has no effect: {why}."),
        _ => field.about.to_owned(),
    };
    schema.insert("description".to_owned(), about.into());
    if matches!(field.shape, Shape::Older(..) | Shape::Obsolete(_)) {
        schema.insert("deprecated".to_owned(), true.into());
    }
    schema
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Presence {
    /// Nothing behind the key is as good as no key.
    Optional,
    Required,
}

fn value(shape: Shape, presence: Presence, others: Others) -> Map<String, Value> {
    let optional = presence == Presence::Optional;
    let mut schema = match shape {
        Shape::Older(_, shape) => return value(*shape, presence, others),
        Shape::Obsolete(_) => return Map::new(),
        Shape::Table(fields) => table(fields, others),
        Shape::Items(fields, needs) => object(json!({
            "items": table_with(fields, needs, others),
            "maxItems": MAX_LIST,
        })),
        Shape::Short(key, fields) => {
            let mut schema = short(key, fields, others);
            if let (true, Some(Value::Array(any))) = (optional, schema.get_mut("anyOf")) {
                any.push(json!({ "type": "null" }));
            }
            return schema;
        }
        Shape::Shorts(key, fields) => object(json!({
            "additionalProperties": short(key, fields, others),
            "maxProperties": MAX_LIST,
        })),
        Shape::Tables(fields) => object(json!({
            "additionalProperties": together(fields, others),
            "maxProperties": MAX_LIST,
        })),
        Shape::Text if optional => Map::new(),
        Shape::Text => object(json!({ "pattern": "\\S" })),
        Shape::Word(words) => {
            let blank = optional.then_some(Value::Null);
            let words: Vec<_> = words.iter().map(|word| (*word).into()).chain(blank).collect();
            object(json!({ "enum": words }))
        }
        Shape::Flag => Map::new(),
        Shape::Size => object(json!({
            "pattern": *SIZE,
            "exclusiveMinimum": 0,
            "examples": ["64MiB", "5GB"],
        })),
        Shape::Duration => object(json!({ "pattern": *DURATION, "examples": ["20s", "1h15m"] })),
        Shape::DurationIn(Duration::ZERO, _) => object(json!({
            "pattern": *DURATION_OR_NONE,
            "maximum": 0,
            "examples": ["20s", "1h15m"],
        })),
        Shape::DurationIn(..) => {
            object(json!({ "pattern": *DURATION, "examples": ["20s", "1h15m"] }))
        }
        Shape::Number(least, most) => object(json!({ "minimum": least, "maximum": most })),
        Shape::Texts | Shape::OneOrMore => {
            let items = json!({ "type": ["string", "number"] });
            let mut schema = object(json!({ "items": items, "maxItems": MAX_LIST }));
            if !optional {
                schema.insert("minItems".to_owned(), 1.into());
            }
            if let (false, Shape::OneOrMore) = (optional, shape) {
                schema.insert("pattern".to_owned(), "\\S".into());
            }
            schema
        }
        Shape::Pairs => object(json!({
            "propertyNames": { "pattern": "^[A-Za-z_][A-Za-z0-9_]*$" },
            "additionalProperties": { "type": ["string", "number", "boolean", "null"] },
            "maxProperties": MAX_LIST,
        })),
    };
    let allowed: &[&str] = match shape {
        Shape::Text | Shape::Size => &["string", "number"],
        Shape::OneOrMore => &["string", "number", "array"],
        Shape::Flag => &["boolean"],
        Shape::Texts | Shape::Items(..) => &["array"],
        Shape::Number(..) => &["integer"],
        Shape::DurationIn(Duration::ZERO, _) => &["string", "integer"],
        Shape::Pairs | Shape::Table(_) | Shape::Tables(_) | Shape::Shorts(..) => &["object"],
        Shape::Word(_)
        | Shape::Duration
        | Shape::DurationIn(..)
        | Shape::Short(..)
        | Shape::Older(..)
        | Shape::Obsolete(_) => &["string"],
    };
    schema.insert("type".to_owned(), types(allowed, optional));
    schema
}

/// A table that has either all of its keys or none.
fn together(fields: &'static [Field], others: Others) -> Map<String, Value> {
    let keys: Vec<_> = fields.iter().map(|field| present(fields, field.key)).collect();
    let blank = |field: &Field| (field.key.to_owned(), json!({ "enum": [null, ""] }));
    let none: Map<_, _> = fields.iter().map(blank).collect();
    let mut schema = table(fields, others);
    schema.insert("anyOf".to_owned(), json!([{ "allOf": keys }, { "properties": none }]));
    schema
}

/// Makes a key necessary that stands on its own.
fn require(schema: &mut Map<String, Value>, fields: &'static [Field], path: &str) {
    let (key, rest) = path.split_once('.').map_or((path, None), |(key, rest)| (key, Some(rest)));
    let shape = shape_of(fields, key);
    let required = schema.entry("required").or_insert_with(|| json!([]));
    if let Value::Array(keys) = required
        && !keys.contains(&key.into())
    {
        keys.push(key.into());
    }
    let Some(Value::Object(properties)) = schema.get_mut("properties") else { return };
    let Some(Value::Object(property)) = properties.get_mut(key) else { return };
    match (rest, shape) {
        (Some(rest), Shape::Table(fields)) => {
            property.insert("type".to_owned(), "object".into());
            require(property, fields, rest);
        }
        _ => property.extend(value(shape, Presence::Required, Others::Allowed)),
    }
}

/// What a need with a condition or with alternatives asks for.
fn clause(document: &Document, need: &Need) -> Value {
    let any = need.any.iter().map(|path| present(document.keys, path)).collect::<Vec<_>>();
    let wanted = match any.as_slice() {
        [one] => one.clone(),
        _ if need.at_most_one => json!({ "oneOf": any }),
        _ => json!({ "anyOf": any }),
    };
    match need.when {
        When::Always => wanted,
        When::Is(path, words) => {
            json!({ "if": at(path, &json!({ "enum": words })), "then": wanted })
        }
        When::Given(path) => {
            json!({ "if": at(path, &json!({ "type": "object" })), "then": wanted })
        }
        When::NotTrue(flags) => {
            let set = flags.iter().map(|flag| at(flag, &json!({ "const": true })));
            json!({ "anyOf": set.chain([wanted]).collect::<Vec<_>>() })
        }
    }
}

/// The key is there and not blank.
fn present(fields: &'static [Field], path: &str) -> Value {
    let (mut fields, mut shape) = (fields, Shape::Flag);
    for key in path.split('.') {
        shape = shape_of(fields, key);
        if let Shape::Table(inner) = shape {
            fields = inner;
        }
    }
    let schema = match shape {
        Shape::Table(_) => json!({ "type": "object" }),
        shape => value(shape, Presence::Required, Others::Allowed).into(),
    };
    at(path, &schema)
}

/// The schema holds for what is behind a path, which is there.
fn at(path: &str, schema: &Value) -> Value {
    match path.split_once('.') {
        None => json!({ "required": [path], "properties": { path: schema } }),
        Some((key, rest)) => {
            let inner = at(rest, schema);
            let mut inner = object(inner);
            inner.insert("type".to_owned(), "object".into());
            json!({ "required": [key], "properties": { key: inner } })
        }
    }
}

fn shape_of(fields: &[Field], key: &str) -> Shape {
    let field = fields.iter().find(|field| field.key == key);
    field.expect("needs name keys of their table").shape
}

fn types(allowed: &[&str], or_null: bool) -> Value {
    let null = or_null.then_some("null");
    match allowed.iter().copied().chain(null).collect::<Vec<_>>().as_slice() {
        [one] => (*one).into(),
        several => several.into(),
    }
}

fn object(value: Value) -> Map<String, Value> {
    match value {
        Value::Object(map) => map,
        _ => Map::new(),
    }
}

const NUMBER: &str = r"([0-9]+(\.[0-9]*)?|\.[0-9]+)";

/// Above zero: a digit that is not 0 comes before the unit.
static SIZE: LazyLock<String> = LazyLock::new(|| {
    let units = ByteSize::units().collect::<Vec<_>>().join("|");
    format!(r"^\s*(?=[0-9.]*[1-9]){NUMBER}\s*({units})?\s*$")
});

static DURATION: LazyLock<String> =
    LazyLock::new(|| format!(r"^\s*(?=.*[1-9]){}\s*$", durations()));

static DURATION_OR_NONE: LazyLock<String> =
    LazyLock::new(|| format!(r"^\s*(0|{})\s*$", durations()));

fn durations() -> String {
    let units = duration_units().collect::<Vec<_>>().join("|");
    format!("({NUMBER}({units}))+")
}
