//! Parser events to tree, without recursion.

use std::collections::HashMap;

use serde_saphyr::granit_parser::{
    Event, Options, Parser, ScalarStyle, Span as EventSpan, Tag, options,
};

use super::{Key, Node, Source, Span, Value, syntax};
use crate::{
    defaults::{MAX_YAML_DEPTH, MAX_YAML_NODES},
    diagnostic::{Diagnostic, Diagnostics, codes, quoted},
};

/// The tree of a file, or `None` if it has mistakes that leave no tree; those are reported. An empty
/// file is a `Null`.
pub(crate) fn parse(source: &Source, report: &mut Diagnostics) -> Option<Node> {
    let mut builder = Builder::new(source, report);
    for event in Parser::new_from_str_with_options(source.text(), parser_options()) {
        match event {
            Ok((event, span)) => builder.event(event, &span).ok()?,
            Err(error) => {
                builder.report.push(syntax::explain(source, &error));
                return None;
            }
        }
    }
    Some(builder.root.unwrap_or(Node { span: 0..0, value: Value::Null }))
}

fn parser_options() -> Options {
    options! {
        emit_comments: false,
        flow_nesting_limit: MAX_YAML_DEPTH,
        block_nesting_limit: MAX_YAML_DEPTH,
    }
}

struct Builder<'a> {
    source: &'a Source,
    report: &'a mut Diagnostics,
    open: Vec<Open>,
    anchors: HashMap<usize, Node>,
    nodes: usize,
    documents: usize,
    root: Option<Node>,
}

/// A list or map whose end was not seen yet.
struct Open {
    start: usize,
    anchor: usize,
    items: Items,
}

enum Items {
    List(Vec<Node>),
    Map { entries: Vec<(Key, Node)>, seen: HashMap<Box<str>, Span>, key: PendingKey },
}

enum PendingKey {
    Expected,
    /// `None` for a key that was refused; its value is dropped.
    Known(Option<Key>),
}

/// The file was given up; why was reported.
struct GivenUp;

impl<'a> Builder<'a> {
    fn new(source: &'a Source, report: &'a mut Diagnostics) -> Self {
        let (open, anchors) = (Vec::new(), HashMap::new());
        Self { source, report, open, anchors, nodes: 0, documents: 0, root: None }
    }

    fn event(&mut self, event: Event<'_>, span: &EventSpan) -> Result<(), GivenUp> {
        let tag_span = span.tag_span().and_then(|tag| tag.byte_range());
        let span = span.byte_range().unwrap_or_default();
        match event {
            Event::DocumentStart(..) => self.document(&span),
            Event::Scalar(text, style, anchor, tag) => {
                let tag = tag.as_deref();
                self.check_tag(tag, tag_span)?;
                self.count(1, &span)?;
                let text_tag = tag.is_some_and(|tag| tag.is_yaml_core_schema_tag("str"));
                let plain = style == ScalarStyle::Plain && !text_tag;
                let value = match &*text {
                    "" | "~" | "null" | "Null" | "NULL" if plain => Value::Null,
                    text => Value::Scalar { text: text.into(), plain },
                };
                self.finished(Node { span, value }, anchor);
                Ok(())
            }
            Event::SequenceStart(_, anchor, tag) => {
                self.check_tag(tag.as_deref(), tag_span)?;
                self.begin(&span, anchor, Items::List(Vec::new()))
            }
            Event::MappingStart(_, anchor, tag) => {
                self.check_tag(tag.as_deref(), tag_span)?;
                let (entries, seen) = (Vec::new(), HashMap::new());
                let key = PendingKey::Expected;
                self.begin(&span, anchor, Items::Map { entries, seen, key })
            }
            Event::SequenceEnd | Event::MappingEnd => {
                self.end(&span);
                Ok(())
            }
            Event::Alias(anchor) => self.alias(anchor, span),
            _ => Ok(()),
        }
    }

    fn document(&mut self, span: &Span) -> Result<(), GivenUp> {
        self.documents += 1;
        if self.documents == 1 {
            return Ok(());
        }
        self.give_up(
            Diagnostic::error(codes::UNSUPPORTED_YAML, "a second document begins in this file")
                .at(self.source.place(span))
                .note("one file describes one thing, so it holds one YAML document")
                .hint("remove the `---`, or move what follows into a file of its own"),
        )
    }

    fn begin(&mut self, span: &Span, anchor: usize, items: Items) -> Result<(), GivenUp> {
        self.count(1, span)?;
        if self.open.len() >= MAX_YAML_DEPTH {
            return self.give_up(syntax::too_deep(self.source.place(span)));
        }
        self.open.push(Open { start: span.start, anchor, items });
        Ok(())
    }

    fn end(&mut self, span: &Span) {
        if let Some(Open { start, anchor, items }) = self.open.pop() {
            let value = match items {
                Items::List(items) => Value::List(items),
                Items::Map { entries, .. } => Value::Map(entries),
            };
            self.finished(Node { span: start..span.end.max(start), value }, anchor);
        }
    }

    fn alias(&mut self, anchor: usize, span: Span) -> Result<(), GivenUp> {
        let Some(node) = self.anchors.get(&anchor).cloned() else {
            return self.give_up(
                Diagnostic::error(codes::UNSUPPORTED_YAML, "this alias contains itself")
                    .at(self.source.place(&span))
                    .hint("write the value out instead"),
            );
        };
        self.count(size(&node), &span)?;
        self.finished(Node { span, ..node }, 0);
        Ok(())
    }

    /// A value is complete: it is a map's key or value, a list's item, or the whole document.
    fn finished(&mut self, node: Node, anchor: usize) {
        if anchor != 0 {
            self.anchors.insert(anchor, node.clone());
        }
        match self.open.last_mut().map(|open| &mut open.items) {
            None => self.root = Some(node),
            Some(Items::List(items)) => items.push(node),
            Some(Items::Map { entries, seen, key }) => {
                match std::mem::replace(key, PendingKey::Expected) {
                    PendingKey::Expected => {
                        let accepted = accept_key(self.source, self.report, seen, node);
                        *key = PendingKey::Known(accepted);
                    }
                    PendingKey::Known(Some(key)) => entries.push((key, node)),
                    PendingKey::Known(None) => {}
                }
            }
        }
    }

    /// Refuses tags that ask for other types than YAML's own.
    fn check_tag(&mut self, tag: Option<&Tag>, span: Option<Span>) -> Result<(), GivenUp> {
        let Some(tag) = tag.filter(|tag| !tag.is_yaml_core_schema()) else { return Ok(()) };
        let message = format!("the tag {} means nothing here", quoted(&tag.original()));
        self.give_up(
            Diagnostic::error(codes::UNSUPPORTED_YAML, message)
                .at(self.source.place(&span.unwrap_or_default()))
                .hint("remove the tag; text that begins with `!` needs quotes"),
        )
    }

    fn count(&mut self, nodes: usize, span: &Span) -> Result<(), GivenUp> {
        self.nodes += nodes;
        if self.nodes <= MAX_YAML_NODES {
            return Ok(());
        }
        let message = format!("this file holds more than {MAX_YAML_NODES} values");
        self.give_up(
            Diagnostic::error(codes::TOO_COMPLEX, message)
                .at(self.source.place(span))
                .note("values behind an alias (`*name`) count each time they are used")
                .hint("split the file"),
        )
    }

    fn give_up(&mut self, diagnostic: Diagnostic) -> Result<(), GivenUp> {
        self.report.push(diagnostic);
        Err(GivenUp)
    }
}

fn accept_key(
    source: &Source,
    report: &mut Diagnostics,
    seen: &mut HashMap<Box<str>, Span>,
    node: Node,
) -> Option<Key> {
    let Value::Scalar { text, .. } = node.value else {
        report.push(
            Diagnostic::error(codes::UNSUPPORTED_YAML, "a key must be plain text")
                .at(source.place(&node.span))
                .hint("write `key: value`"),
        );
        return None;
    };
    if let Some(first) = seen.get(&text) {
        report.push(
            Diagnostic::error(
                codes::DUPLICATE_KEY,
                format!("the key {} appears twice", quoted(&text)),
            )
            .at(source.place(&node.span))
            .label("again here")
            .related(source.place(first), "first here")
            .hint("keep one of the two"),
        );
        return None;
    }
    seen.insert(text.clone(), node.span.clone());
    Some(Key { span: node.span, text })
}

/// Values in a tree, without recursion.
fn size(node: &Node) -> usize {
    let (mut count, mut open) = (0, vec![node]);
    while let Some(node) = open.pop() {
        count += 1;
        match &node.value {
            Value::Null | Value::Scalar { .. } => {}
            Value::List(items) => open.extend(items),
            Value::Map(entries) => open.extend(entries.iter().map(|(_, value)| value)),
        }
    }
    count
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> (Option<Node>, Diagnostics) {
        let mut report = Diagnostics::default();
        let node = parse(&Source::new("a.yaml".into(), text.into()), &mut report);
        (node, report)
    }

    fn codes_of(text: &str) -> Vec<&'static str> {
        read(text).1.iter().map(|diagnostic| diagnostic.code).collect()
    }

    fn show(node: &Node) -> String {
        match &node.value {
            Value::Null => "null".into(),
            Value::Scalar { text, plain: true } => text.to_string(),
            Value::Scalar { text, plain: false } => format!("{text:?}"),
            Value::List(items) => {
                format!("[{}]", items.iter().map(show).collect::<Vec<_>>().join(","))
            }
            Value::Map(entries) => {
                let entry = |(key, value): &(Key, Node)| format!("{}={}", key.text, show(value));
                format!("{{{}}}", entries.iter().map(entry).collect::<Vec<_>>().join(","))
            }
        }
    }

    #[test]
    fn values_keep_their_kind() {
        let (node, report) = read("a: 1\nb: \"1\"\nc:\nd: [x, ~]\ne: !!str 5\n");
        assert_eq!(show(&node.unwrap()), "{a=1,b=\"1\",c=null,d=[x,null],e=\"5\"}");
        assert!(report.is_empty());
    }

    #[test]
    fn aliases_are_followed() {
        let (node, _) = read("a: &x [1]\nb: *x\n");
        assert_eq!(show(&node.unwrap()), "{a=[1],b=[1]}");
    }

    #[test]
    fn an_alias_bomb_is_refused_before_it_unfolds() {
        let mut text = String::from("a0: &a0 [x, x, x, x, x, x, x, x, x, x]\n");
        for n in 1..30 {
            let alias = vec![format!("*a{}", n - 1); 10].join(", ");
            text += &format!("a{n}: &a{n} [{alias}]\n");
        }
        assert_eq!(codes_of(&text), [codes::TOO_COMPLEX]);
    }

    #[test]
    fn an_alias_chain_cannot_grow_deep_enough_to_overflow_the_stack() {
        let mut text = String::from("a0: &a0 [x]\n");
        for n in 1..5_000 {
            text += &format!("a{n}: &a{n} [*a{}]\n", n - 1);
        }
        assert_eq!(codes_of(&text), [codes::TOO_COMPLEX]);
    }

    #[test]
    fn nesting_is_bounded() {
        let deep = |n| format!("a: {}{}", "[".repeat(n), "]".repeat(n));
        assert!(codes_of(&deep(MAX_YAML_DEPTH - 1)).is_empty());
        assert_eq!(codes_of(&deep(MAX_YAML_DEPTH)), [codes::TOO_COMPLEX]);
        assert_eq!(codes_of(&deep(100_000)), [codes::TOO_COMPLEX]);
    }

    #[test]
    fn every_duplicate_key_is_reported_and_the_first_counts() {
        let (node, report) = read("a: 1\na: 2\nb: {c: 1, c: 2}\na: 3\n");
        assert_eq!(show(&node.unwrap()), "{a=1,b={c=1}}");
        assert_eq!(report.errors(), 3);
    }

    #[test]
    fn an_empty_file_is_null() {
        for text in ["", "# only a comment\n", "---\n", "\u{feff}"] {
            let (node, report) = read(text);
            assert!(matches!(node.unwrap().value, Value::Null), "{text:?}");
            assert!(report.is_empty());
        }
    }
}
