//! Triggers: what calls a function.

use headgate_types::{MethodSet, PathPattern, methods::METHODS, path::ParsePathError};

use super::{Compiler, foreign};
use crate::{
    diagnostic::{Diagnostic, Place, Severity, closest, codes, listed, quoted},
    model::{HttpTrigger, Trigger},
    raw,
    schema::{At, Text, Written},
};

impl Compiler<'_> {
    pub(super) fn trigger_kind(&mut self, trigger: &raw::Trigger) -> Option<At<Text>> {
        let (key, hint) = match trigger.missing {
            true => ("trigger", "add `trigger: {type: http, method: GET, paths: [/hello]}`"),
            false => ("trigger.type", "add `type: http` below `trigger:`"),
        };
        self.require(trigger.kind.clone(), key, "a function", &trigger.place, hint)
    }

    /// The trigger of a function that answers requests; its routes are claimed. What is wrong with its
    /// domains leaves it with the others.
    pub(super) fn http_trigger(
        &mut self,
        application: Option<&Text>,
        body: &raw::Function,
        file: &Place,
        secure: bool,
    ) -> Option<HttpTrigger> {
        let trigger = &body.trigger;
        self.foreign_keys(
            if secure { "https" } else { "http" },
            &[
                ("channel", trigger.channel.value_place()),
                ("protocol", trigger.protocol.value_place()),
                ("command", trigger.command.value_place()),
            ],
        );
        let methods = self.methods(trigger);
        let (paths, places) = self.paths(trigger);
        let domains = self.resolve(application, body.domains.clone(), "a function", file);
        for (path, place) in paths.iter().zip(&places) {
            let methods = methods.unwrap_or_default();
            self.claims.function(&domains.hosts, path, methods, place, self.report);
        }
        let (hosts, domains) = (domains.hosts, domains.names);
        Some(HttpTrigger { secure, hosts, domains, paths, methods: methods? })
    }

    /// The trigger of a function that answers messages or other nodes.
    pub(super) fn other_trigger(
        &mut self,
        application: Option<&Text>,
        body: &raw::Function,
        kind: &str,
    ) -> Option<Trigger> {
        let trigger = &body.trigger;
        self.foreign_keys(
            kind,
            &[
                ("method", trigger.method.value_place()),
                ("methods", trigger.methods.value_place()),
                ("paths", trigger.paths.value_place()),
                ("domains", body.domains.value_place()),
            ],
        );
        let local = trigger.local.clone().value().is_some_and(|at| at.value);
        let mut text = |written: &Written<Text>, key: &str, what: &str, hint: &str| {
            let key = format!("trigger.{key}");
            self.require(written.clone(), &key, what, &trigger.place, hint)
        };
        if kind == "pubsub" {
            let hint = "add the channel it listens to, such as `channel: orders`";
            let channel = text(&trigger.channel, "channel", "a pubsub trigger", hint)?.value;
            return Some(Trigger::Pubsub { channel, local });
        }
        let what = "a p2p trigger";
        let hint = "add the protocol of a file in `services/`, such as `protocol: /orders/v1`";
        let protocol = text(&trigger.protocol, "protocol", what, hint);
        let hint = "add the command it answers, such as `command: list`";
        let command = text(&trigger.command, "command", what, hint);
        let protocol = self.known_protocol(application, protocol?)?;
        Some(Trigger::P2p { protocol, command: command?.value, local })
    }

    fn known_protocol(&mut self, application: Option<&Text>, at: At<Text>) -> Option<Text> {
        let At { value: protocol, place } = at;
        if self.protocols.find(application, &protocol).is_some() || self.services_unread {
            return Some(protocol);
        }
        self.report.push_with(Severity::Error, || {
            let message = format!("no service has the protocol {}", quoted(&protocol));
            let error = Diagnostic::error(codes::UNKNOWN_PROTOCOL, message).at(place);
            let line = quoted(&format!("protocol: {protocol}"));
            let remedy = format!("add a file to `services/` that says {line}");
            self.protocols.explain(error, application, &protocol, &remedy)
        });
        None
    }

    /// Keys that mean something to other kinds of triggers only.
    fn foreign_keys(&mut self, kind: &str, keys: &[(&str, Option<&Place>)]) {
        for (key, place) in keys {
            let Some(place) = place else { continue };
            let message = format!("`{key}` has no effect beside a trigger of type `{kind}`");
            self.report.push(
                Diagnostic::warning(codes::IGNORED_KEY, message)
                    .at((*place).clone())
                    .hint("remove it, or change the trigger's `type`"),
            );
        }
    }

    /// The methods of `method` and `methods` together.
    fn methods(&mut self, trigger: &raw::Trigger) -> Option<MethodSet> {
        let listed = trigger.methods.clone();
        let single = match &trigger.method {
            _ if trigger.missing => None,
            Written::Absent | Written::Blank(_)
                if matches!(listed, Written::Value(_) | Written::Broken) =>
            {
                None
            }
            Written::Absent | Written::Blank(_) if matches!(listed, Written::Blank(_)) => {
                let hint = "name the methods it answers, such as `methods: [GET, POST]`";
                let listed = listed.clone();
                self.require(listed, "trigger.methods", "an HTTP trigger", &trigger.place, hint);
                None
            }
            written => {
                let hint = "add `method: GET`, or several as `methods: [GET, POST]`";
                let what = "an HTTP trigger";
                self.require(written.clone(), "trigger.method", what, &trigger.place, hint)
            }
        };
        let all: Vec<_> = single
            .into_iter()
            .chain(listed.value().into_iter().flat_map(|methods| methods.value))
            .collect();
        let known = all.iter().filter_map(|method| self.method(method)).collect::<MethodSet>();
        if known.is_empty() { None } else { Some(known) }
    }

    fn method(&mut self, At { value, place }: &At<Text>) -> Option<MethodSet> {
        let upper = value.trim().to_ascii_uppercase();
        let known = MethodSet::of(&upper);
        if known.is_none() {
            let message = format!("{} is not an HTTP method", quoted(value));
            let mut error = Diagnostic::error(codes::INVALID_VALUE, message)
                .at(place.clone())
                .hint(format!("it is one of {}; several go into `methods`", listed(METHODS)));
            // Of words this short, two letters make another word: `FETCH` is not `PATCH`.
            let meant = closest(&upper, METHODS);
            if let Some(meant) = meant.filter(|it| strsim::osa_distance(&upper, it) == 1) {
                error = error.label(format!("did you mean `{meant}`?"));
            }
            self.report.push(error);
        }
        known
    }

    fn paths(&mut self, trigger: &raw::Trigger) -> (Vec<PathPattern>, Vec<Place>) {
        if trigger.missing {
            return (Vec::new(), Vec::new());
        }
        let hint = "add the paths it answers, such as `paths: [/hello]`";
        let what = "an HTTP trigger";
        let written = trigger.paths.clone();
        let paths = self.require(written, "trigger.paths", what, &trigger.place, hint);
        let paths = paths.map(|at| at.value).unwrap_or_default();
        paths.into_iter().filter_map(|path| Some((self.path(&path)?, path.place))).unzip()
    }

    fn path(&mut self, At { value, place }: &At<Text>) -> Option<PathPattern> {
        let ours = foreign::translated(value);
        let error = match value.parse() {
            Ok(path) => {
                if let Some(ours) = ours {
                    let message = format!("{} is answered at just this path", quoted(value));
                    let hint = match foreign::takes_part(value) {
                        true => {
                            let takes =
                                if ours.contains("{*") { "all that is left" } else { "every name" };
                            format!(
                                "part of a segment cannot be a pattern; `\"{ours}\"` takes {takes}"
                            )
                        }
                        false => format!("write `\"{ours}\"` if that is meant"),
                    };
                    self.report.push(
                        Diagnostic::warning(codes::FOREIGN_PATTERN, message)
                            .at(place.clone())
                            .label("no pattern here")
                            .note(PATTERNS)
                            .hint(hint),
                    );
                }
                return Some(path);
            }
            Err(error) => error,
        };
        let hint = match (&error, ours) {
            (_, Some(ours)) => format!("write `\"{ours}\"`; {PATTERNS}"),
            (ParsePathError::NotAbsolute, _) => format!("write `/{value}`"),
            (ParsePathError::Unclosed(segment), _) => {
                let closed = value.replacen(&**segment, &format!("{segment}}}"), 1);
                format!("write `\"{closed}\"`")
            }
            (ParsePathError::Character(_), _) => {
                "queries and fragments are no part of a route; leave them out".to_owned()
            }
            (ParsePathError::Repeated(name), _) => {
                format!("call the second one otherwise, such as `{{{name}2}}`")
            }
            (ParsePathError::RestNotLast(name), _) => {
                format!("end the path with `{{*{name}}}`, or write `{{{name}}}` for one segment")
            }
            _ => PATTERNS.to_owned(),
        };
        let message = format!("{} is not a path: {error}", quoted(value));
        self.report
            .push(Diagnostic::error(codes::INVALID_PATH, message).at(place.clone()).hint(hint));
        None
    }
}

const PATTERNS: &str = "`/users/{id}` takes one segment, `/files/{*path}` all that is left";
