//! What to write instead: a line that is right, made from what stands there as far as that goes.

use std::net::SocketAddr;

use headgate_types::{ByteSize, methods::METHODS, parse_duration};

use super::{Field, Shape};
use crate::{
    diagnostic::{all_listed, listed},
    yaml::{Node, Value},
};

/// How the value of a key is written, for someone who wrote something of another kind. `path` is that
/// of the key: `trigger.method`.
pub(super) fn hint(path: &str, shape: Shape, node: &Node) -> String {
    let key = path.rsplit('.').next().unwrap_or(path);
    let shape = shape.current();
    if let Some(value) = remade(path, shape, node) {
        return format!("write `{key}: {value}`{}", aside(path, shape, node));
    }
    match shape {
        Shape::Word(words) => format!("it is one of {}", listed(words.iter().copied())),
        Shape::Flag => format!("write `{key}: true` or `{key}: false`, without quotes"),
        Shape::Size => format!("write a number and a unit: `{key}: 64MiB`"),
        Shape::Duration | Shape::DurationIn(..) => {
            format!("write a number and a unit: `{key}: 20s`")
        }
        Shape::Number(least, most) => {
            format!("write `{key}:` and a number from {least} to {most}, without quotes")
        }
        Shape::Items(table, needs) => match (needs.is_empty(), &node.value) {
            (false, Value::Map(entries)) if entries.len() == 1 => {
                let name = entries.first().and_then(|(name, _)| flow(&name.text));
                group_item(path, needs, name)
            }
            (false, _) => group_item(path, needs, node.text().and_then(flow)),
            (true, _) => format!("begin each item with `- `; {}", keys(table)),
        },
        Shape::Short(short, table) => {
            format!("write `{key}: {}`; {}", short.to_uppercase(), keys(table))
        }
        Shape::Shorts(short, _) => {
            format!("write one `NAME: {}` per line", short.to_uppercase())
        }
        Shape::Texts => "write one `- item` per line".to_owned(),
        Shape::OneOrMore => format!("write `{key}: text`, or `{key}: [one, another]` for several"),
        Shape::Pairs => "write one `NAME: value` per line".to_owned(),
        Shape::Tables(_) => "write each name on a line of its own".to_owned(),
        Shape::Text if matches!(node.value, Value::Scalar { .. }) => {
            "put it in quotes to make it text".to_owned()
        }
        Shape::Table(table) => format!("write one `key: value` per line below it; {}", keys(table)),
        _ => format!("write `{key}: text` on one line"),
    }
}

/// The same for an item of a list of texts.
pub(super) fn item(item: &Node) -> String {
    let text = match &item.value {
        Value::Scalar { text, .. } => {
            return format!("put it in quotes to make it text: `- \"{text}\"`");
        }
        Value::Map(entries) => entries.first().and_then(|(key, _)| flow(&key.text)),
        _ => only(item),
    };
    format!("write one text per item: `- {}`", text.as_deref().unwrap_or("text"))
}

/// How an item of a list of groups is written: with the keys it needs, the first of which was given.
fn group_item(path: &str, needs: &[&str], mut given: Option<String>) -> String {
    let pairs = needs.iter().map(|key| {
        let example = || example(&format!("{path}.{key}")).unwrap_or("…").to_owned();
        format!("{key}: {}", given.take().unwrap_or_else(example))
    });
    format!("write each item as `- {{{}}}`", pairs.collect::<Vec<_>>().join(", "))
}

/// Why something that exists elsewhere is no word for this key.
pub(super) fn no_word(path: &str, text: &str) -> Option<&'static str> {
    (path == "records.type" && text.eq_ignore_ascii_case("SOA")).then_some(
        "the node writes the SOA record itself, with a serial that rises with each change",
    )
}

/// The keys that a table has, for a hint.
pub(super) fn keys(table: &[Field]) -> String {
    let current =
        table.iter().filter(|field| !matches!(field.shape, Shape::Obsolete(_) | Shape::Older(..)));
    format!("known keys are {}", all_listed(current.map(|field| field.key)))
}

/// The value as it would be right, or an example of one.
fn remade(path: &str, shape: Shape, node: &Node) -> Option<String> {
    match shape {
        Shape::Flag => truth(node.text()?).map(|truth| truth.to_string()),
        Shape::Text => match &node.value {
            // It is no text that was meant to be `true`, but some other text.
            Value::Scalar { .. } => example(path).map(str::to_owned),
            _ => only(node).or_else(|| example(path).map(str::to_owned)),
        },
        Shape::Word(words) => only(node).filter(|word| words.contains(&&**word)),
        Shape::Texts => {
            let texts = texts(node)?;
            let method = |text: &String| METHODS.contains(&&*text.to_ascii_uppercase());
            match path.ends_with("methods") && !texts.iter().any(method) {
                true => Some("[GET, POST]".to_owned()),
                false => Some(format!("[{}]", texts.join(", "))),
            }
        }
        Shape::Pairs => Some(format!("{{{}}}", pairs(node)?.join(", "))),
        Shape::Table(table) => group(path, table, node),
        Shape::Tables(_) => {
            let name = texts(node)?.into_iter().next()?;
            let fields = EXAMPLES.iter().find(|(known, _)| *known == path)?.1;
            Some(format!("{{{name}: {fields}}}"))
        }
        _ => None,
    }
}

/// What else is to be said about such a line.
fn aside(path: &str, shape: Shape, node: &Node) -> &'static str {
    match (shape, &node.value) {
        (Shape::Flag, Value::Scalar { plain: false, .. }) => ", without quotes",
        // Quotes would only make another mistake of it.
        (Shape::Text, Value::Scalar { .. }) if path == "trigger.method" => ", say",
        (Shape::Text, Value::Scalar { .. }) => ", say, or put what stands here in quotes",
        _ => "",
    }
}

/// What people write for `true` and `false` elsewhere.
fn truth(text: &str) -> Option<bool> {
    match &*text.to_ascii_lowercase() {
        "true" | "yes" | "on" | "y" | "1" | "enabled" => Some(true),
        "false" | "no" | "off" | "n" | "0" | "disabled" => Some(false),
        _ => None,
    }
}

/// The one text in a list of one.
fn only(node: &Node) -> Option<String> {
    match &node.value {
        Value::List(items) => match items.as_slice() {
            [item] => flow(item.text()?),
            _ => None,
        },
        _ => None,
    }
}

/// The texts of a list: those separated by commas, or the names of what is a group of keys.
fn texts(node: &Node) -> Option<Vec<String>> {
    let texts: Vec<_> = match &node.value {
        Value::Scalar { text, .. } => text.split(',').map(str::trim).collect(),
        Value::List(items) => items.iter().map(Node::text).collect::<Option<_>>()?,
        Value::Map(entries) => entries.iter().map(|(key, _)| &*key.text).collect(),
        Value::Null => return None,
    };
    some_of(texts.into_iter().filter(|text| !text.is_empty()).map(flow))
}

/// Names and values from `NAME=value`, or from a list of `name` and `value`, as others have it.
fn pairs(node: &Node) -> Option<Vec<String>> {
    let items = match &node.value {
        Value::Scalar { .. } => std::slice::from_ref(node),
        Value::List(items) => items,
        _ => return None,
    };
    some_of(items.iter().map(|item| {
        let (name, value) = match &item.value {
            Value::Scalar { text, .. } => text.split_once('=')?,
            Value::Map(entries) => {
                let of = |name: &str| {
                    entries.iter().find(|(key, _)| &*key.text == name).and_then(|e| e.1.text())
                };
                (of("name")?, of("value")?)
            }
            _ => return None,
        };
        Some(format!("{}: {}", flow(name.trim())?, flow(value.trim())?))
    }))
}

/// All of them, if there are some and not too many for a line.
fn some_of(texts: impl Iterator<Item = Option<String>>) -> Option<Vec<String>> {
    let texts: Vec<_> = texts.take(MOST_ITEMS + 1).collect::<Option<_>>()?;
    (1..=MOST_ITEMS).contains(&texts.len()).then_some(texts)
}

/// A hint of more items than this is longer than the file.
const MOST_ITEMS: usize = 6;

/// The example of a group, with what was written in its place in it.
fn group(path: &str, table: &[Field], node: &Node) -> Option<String> {
    let given = given(table, node);
    let mut examples = GROUPS.iter().filter(|(known, _)| *known == path).map(|(_, pairs)| *pairs);
    let has = |pairs: &&Pairs| {
        let mut given = given.iter();
        given.any(|(key, text)| pairs.iter().any(|(known, value)| known == key && value == text))
    };
    let first = examples.clone().next();
    let example = examples.find(has).or(first).unwrap_or_default();
    let mut pairs: Vec<(&str, &str)> = example.to_vec();
    for (key, text) in &given {
        match pairs.iter_mut().find(|(known, _)| known == key) {
            Some(pair) => pair.1 = text,
            None => pairs.insert(0, (key, text)),
        }
    }
    let pairs: Vec<_> = pairs.iter().map(|(key, value)| format!("{key}: {value}")).collect();
    (!pairs.is_empty()).then(|| format!("{{{}}}", pairs.join(", ")))
}

/// The keys of a table that can be told from a text, or from a list of texts or of keys.
fn given(table: &[Field], node: &Node) -> Vec<(&'static str, String)> {
    let items = match &node.value {
        Value::List(items) => items,
        _ => std::slice::from_ref(node),
    };
    let mut given = Vec::new();
    for item in items.iter().take(MOST_ITEMS) {
        match &item.value {
            Value::Map(entries) => given.extend(entries.iter().filter_map(|(key, value)| {
                let field = table.iter().find(|field| field.key == &*key.text)?;
                Some((field.key, flow(value.text()?)?))
            })),
            _ => given
                .extend(item.text().and_then(|text| Some((key_for(table, text)?, flow(text)?)))),
        }
    }
    given
}

/// The key of a table that a text is plainly a value of.
fn key_for(table: &[Field], text: &str) -> Option<&'static str> {
    let fits = |field: &&Field| match field.shape {
        Shape::Word(words) => words.contains(&text),
        Shape::Duration => parse_duration(text).is_ok() && text != "0",
        Shape::Size => {
            text.parse::<ByteSize>().is_ok() && text.ends_with(|c: char| c.is_alphabetic())
        }
        // Where there is but one key, what else could be meant?
        Shape::Text if table.len() == 1 => true,
        Shape::Text => field.key == "listen" && text.parse::<SocketAddr>().is_ok(),
        _ => false,
    };
    table.iter().find(fits).map(|field| field.key)
}

/// A text as it may stand between brackets and in a hint; `None` for what would only confuse there.
fn flow(text: &str) -> Option<String> {
    let plain = |c: char| c.is_alphanumeric() || "/._-+@%~ ".contains(c);
    match text {
        "" => None,
        _ if text.chars().count() > MOST_CHARACTERS => None,
        _ if text.contains(|c: char| c.is_control() || matches!(c, '`' | '"' | '\\')) => None,
        _ if text.chars().all(plain) && !text.starts_with(['-', '%', '@', ' ']) => {
            Some(text.to_owned())
        }
        _ => Some(format!("\"{text}\"")),
    }
}

/// Longer texts are better looked at where they stand.
const MOST_CHARACTERS: usize = 40;

fn example(path: &str) -> Option<&'static str> {
    EXAMPLES.iter().find(|(known, _)| *known == path).map(|(_, example)| *example)
}

/// Values for texts of which nothing can be guessed.
const EXAMPLES: [(&str, &str); 16] = [
    ("channel.match", "orders"),
    ("clouds", "{account: acme, plan: prod}"),
    ("execution.call", "hello"),
    ("fqdn", "shop.example.com"),
    ("notification.email", "name@example.com"),
    ("projects.config", "URL"),
    ("projects.name", "shop"),
    ("protocol", "/orders/v1"),
    ("records.name", "www"),
    ("records.type", "A"),
    ("records.value", "192.0.2.1"),
    ("source.github.fullname", "acme/site"),
    ("trigger.channel", "orders"),
    ("trigger.command", "list"),
    ("trigger.method", "GET"),
    ("trigger.protocol", "/orders/v1"),
];

type Pairs = [(&'static str, &'static str)];

/// Groups of keys as they are usually written; of several for one path, the one that has what was
/// written, else the first.
const GROUPS: [(&str, &Pairs); 13] = [
    ("access", &[("network", "all")]),
    ("bridges", &[("websocket", "{enable: true}")]),
    ("bridges.mqtt", &[("enable", "true")]),
    ("bridges.websocket", &[("enable", "true")]),
    ("certificate", &[("type", "auto")]),
    ("channel", &[("match", "orders")]),
    ("execution", &[("timeout", "10s"), ("memory", "64MiB")]),
    ("object", &[("size", "5GB")]),
    ("storage", &[("size", "5GB")]),
    ("streaming", &[("ttl", "5m"), ("size", "5GB")]),
    ("trigger", &[("type", "http"), ("method", "GET"), ("paths", "[/hello]")]),
    ("trigger", &[("type", "pubsub"), ("channel", "orders")]),
    ("trigger", &[("type", "p2p"), ("protocol", "/orders/v1"), ("command", "list")]),
];

#[cfg(test)]
mod tests {
    use crate::{
        diagnostic::Diagnostics,
        schema::{DATABASE, DOMAIN, Document, FUNCTION, MESSAGING, PROJECT, STORAGE, read},
        yaml::{self, Source},
    };

    /// Each line that was wrong, and the hint for it.
    fn hint(document: &'static Document, text: &str) -> String {
        let mut report = Diagnostics::default();
        let source = Source::new("a.yaml".into(), text.into());
        let node = yaml::parse(&source, &mut report).unwrap();
        read(&source, &node, document, &mut report);
        let hints: Vec<_> = report.iter().filter_map(|found| found.hint.clone()).collect();
        hints.join("; ")
    }

    /// What a hint tells to write is right.
    fn right(document: &'static Document, text: &str) -> String {
        let hint = hint(document, text);
        let line = hint.strip_prefix("write `").and_then(|rest| rest.split('`').next());
        let line = line.unwrap_or_else(|| panic!("{text}: {hint}"));
        let group = text.split_once('\n').map(|(group, _)| group);
        let again = group.map_or_else(|| line.to_owned(), |group| format!("{group}\n  {line}"));
        assert_eq!(super::tests::hint(document, &again), "", "{again}");
        line.to_owned()
    }

    #[test]
    fn what_stands_there_is_made_right() {
        for (document, text, expected) in [
            (&MESSAGING, "bridges: {mqtt: {enable: 1}}", "enable: true"),
            (&MESSAGING, "local: \"no\"", "local: false"),
            (&FUNCTION, "trigger:\n  method: true", "method: GET"),
            (&FUNCTION, "trigger:\n  type: [http]", "type: http"),
            (&FUNCTION, "trigger: https", "trigger: {type: https, method: GET, paths: [/hello]}"),
            (&FUNCTION, "trigger: pubsub", "trigger: {type: pubsub, channel: orders}"),
            (&FUNCTION, "trigger: [https]", "trigger: {type: https, method: GET, paths: [/hello]}"),
            (
                &FUNCTION,
                "execution: [{timeout: 1s}, {memory: 1MB}]",
                "execution: {timeout: 1s, memory: 1MB}",
            ),
            (&FUNCTION, "execution: 20s", "execution: {timeout: 20s, memory: 64MiB}"),
            (&FUNCTION, "execution: 1GB", "execution: {timeout: 10s, memory: 1GB}"),
            (&FUNCTION, "methods: {GET: x, POST: y}", "methods: [GET, POST]"),
            (&FUNCTION, "methods: GET, POST", "methods: [GET, POST]"),
            (&FUNCTION, "trigger:\n  paths: /a/{b}", "paths: [\"/a/{b}\"]"),
            (&FUNCTION, "variables: [A=1, B=c d]", "variables: {A: 1, B: c d}"),
            (&FUNCTION, "variables: [{name: A, value: x}]", "variables: {A: x}"),
            (&DOMAIN, "certificate: auto", "certificate: {type: auto}"),
            (&DOMAIN, "fqdn: [shop.example.org]", "fqdn: shop.example.org"),
            (&DATABASE, "storage: 1GB", "storage: {size: 1GB}"),
            (&DATABASE, "access: host", "access: {network: host}"),
            (&STORAGE, "streaming: 1h", "streaming: {ttl: 1h, size: 5GB}"),
            (&PROJECT, "notification: me@example.com", "notification: {email: me@example.com}"),
            (
                &PROJECT,
                "clouds: [cloud.example.com]",
                "clouds: {cloud.example.com: {account: acme, plan: prod}}",
            ),
        ] {
            assert_eq!(right_or_inner(document, text, expected), expected);
        }
    }

    /// A key two levels down cannot be tried alone.
    fn right_or_inner(document: &'static Document, text: &str, expected: &str) -> String {
        if text.contains("{mqtt") {
            let hint = hint(document, text);
            assert!(hint.contains(expected), "{hint}");
            return expected.to_owned();
        }
        right(document, text)
    }

    #[test]
    fn what_would_only_confuse_is_not_repeated() {
        let long = format!("methods: {}", "x".repeat(100));
        assert_eq!(hint(&FUNCTION, &long), "write one `- item` per line");
        assert_eq!(hint(&FUNCTION, "variables: [A]"), "write one `NAME: value` per line");
    }

    #[test]
    fn every_example_is_right_itself() {
        for (path, pairs) in super::GROUPS {
            let documents = [&PROJECT, &DATABASE, &DOMAIN, &FUNCTION, &MESSAGING, &STORAGE];
            let top = path.split('.').next().unwrap();
            let of = |document: &&&Document| document.keys.iter().any(|field| field.key == top);
            let document = *documents.iter().find(of).unwrap();
            let pairs: Vec<_> =
                pairs.iter().map(|(key, value)| format!("{key}: {value}")).collect();
            let group = format!("{{{}}}", pairs.join(", "));
            let line = match path.split_once('.') {
                Some((top, key)) => format!("{top}: {{{key}: {group}}}"),
                None => format!("{top}: {group}"),
            };
            assert_eq!(hint(document, &line), "", "{line}");
        }
    }
}
