//! Functions: trigger, code, limits, variables.

use std::{collections::BTreeMap, time::Duration};

use headgate_types::{ByteSize, MethodSet, PathPattern, methods::METHODS, path::ParsePathError};

use super::Compiler;
use crate::{
    artefact,
    defaults::{
        DEFAULT_MEMORY, DEFAULT_TIMEOUT, MAX_MEMORY, MAX_TIMEOUT, MAX_VARIABLE, MEMORY_PAGE,
    },
    diagnostic::{Diagnostic, Place, closest, codes, listed, quoted},
    dotenv::is_variable_name,
    model::{Function, Group},
    raw,
    schema::{At, Text, Written},
};

/// Where a function's code comes from.
enum Code {
    /// Files beside its YAML.
    Own,
    /// A library, which is not served yet.
    Library(Place),
}

impl Compiler<'_> {
    pub(super) fn function(&mut self, raw: raw::Resource<raw::Function>) -> Option<Function> {
        let id = self.identify(Group::Functions, &raw);
        let raw::Resource { application, name, place, body, .. } = raw;
        let other = raw::Other {
            group: Group::Functions,
            application: application.clone(),
            name: name.clone(),
            place: place.clone(),
        };
        let kind = self.trigger_kind(&body.trigger);
        self.warn_of_missing_execution(&body);
        let (timeout, memory) = (self.timeout(&body), self.memory(&body));
        let variables = self.variables(body.variables);
        let code = self.code(body.source, &place);
        if let Some(At { value: kind, place: at }) = kind
            && !matches!(&*kind, "http" | "https")
        {
            let message = format!("functions with a `{kind}` trigger are not called yet");
            self.not_served(other, Some(at), &message);
            return None;
        }
        let methods = self.methods(&body.trigger);
        let (paths, places) = self.paths(&body.trigger);
        let domains = self.resolve(application.as_ref(), body.domains, "a function", &place);
        for (path, place) in paths.iter().zip(&places) {
            let methods = methods.unwrap_or_default();
            self.claims.function(&domains.hosts, path, methods, place, self.report);
        }
        let artefact = match code? {
            Code::Own => {
                let names = artefact::Name { application: application.as_deref(), name: &name };
                match artefact::of_function(self.tree, names) {
                    Ok(artefact) => artefact,
                    Err(error) => {
                        let at = error.place.clone().unwrap_or_else(|| place.clone());
                        self.report.push(error.at(at));
                        return None;
                    }
                }
            }
            Code::Library(at) => {
                self.not_served(other, Some(at), "functions from a library are not called yet");
                return None;
            }
        };
        Some(Function {
            application,
            name,
            id,
            hosts: domains.hosts,
            domains: domains.names,
            paths,
            methods: methods?,
            artefact,
            call_place: body.call.place().unwrap_or(&body.execution).clone(),
            call: body.call.value().map(|call| call.value),
            timeout: timeout?,
            memory: memory?,
            variables,
            place,
        })
    }

    fn trigger_kind(&mut self, trigger: &raw::Trigger) -> Option<At<Text>> {
        let (key, hint) = match trigger.missing {
            true => ("trigger", "add `trigger: {type: http, method: GET, paths: [/hello]}`"),
            false => ("trigger.type", "add `type: http` below `trigger:`"),
        };
        self.require(trigger.kind.clone(), key, "a function", &trigger.place, hint)
    }

    /// The methods of `method` and `methods` together.
    fn methods(&mut self, trigger: &raw::Trigger) -> Option<MethodSet> {
        let listed = trigger.methods.clone();
        let single = match &trigger.method {
            Written::Absent if !matches!(listed, Written::Absent) || trigger.missing => None,
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
                .hint(format!("use {}; several go into `methods`", listed(METHODS)));
            if let Some(meant) = closest(&upper, METHODS) {
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
        match value.parse() {
            Ok(path) => Some(path),
            Err(error) => {
                let hint = match &error {
                    ParsePathError::NotAbsolute => format!("write `/{value}`"),
                    ParsePathError::Character(_) => {
                        "queries and fragments are no part of a route; leave them out".to_owned()
                    }
                    _ => "`/users/{id}` takes one segment, `/files/{*path}` all that is left"
                        .to_owned(),
                };
                let message = format!("{} is not a path: {error}", quoted(value));
                self.report.push(
                    Diagnostic::error(codes::INVALID_PATH, message).at(place.clone()).hint(hint),
                );
                None
            }
        }
    }

    fn code(&mut self, source: Written<Text>, file: &Place) -> Option<Code> {
        match source {
            Written::Broken => None,
            Written::Absent | Written::Blank(_) => {
                let message = "there is no `source`, so the function's own files are used";
                self.report.push(
                    Diagnostic::warning(codes::ASSUMED_SOURCE, message)
                        .at(source.place().unwrap_or(file).clone())
                        .hint("add `source: .` to say so"),
                );
                Some(Code::Own)
            }
            Written::Value(At { value, place }) => match &*value {
                "." => Some(Code::Own),
                library if library.starts_with("libraries/") => Some(Code::Library(place)),
                _ => {
                    let message = format!("`source` cannot be {}", quoted(&value));
                    self.report.push(
                        Diagnostic::error(codes::INVALID_VALUE, message)
                            .at(place)
                            .hint("write `.` for the function's own files, or `libraries/<name>`"),
                    );
                    None
                }
            },
        }
    }

    fn warn_of_missing_execution(&mut self, body: &raw::Function) {
        if body.execution_missing {
            let seconds = DEFAULT_TIMEOUT.as_secs();
            let message = format!("the function gets {seconds}s and {DEFAULT_MEMORY}");
            self.report.push(
                Diagnostic::warning(codes::DEFAULT_LIMIT, message)
                    .at(body.execution.clone())
                    .note("it does not say how long it may run and how much memory it may use")
                    .hint(format!(
                        "add `execution: {{timeout: {seconds}s, memory: {DEFAULT_MEMORY}}}`"
                    )),
            );
        }
    }

    fn timeout(&mut self, body: &raw::Function) -> Option<Duration> {
        let key = "execution.timeout";
        match &body.timeout {
            Written::Broken => None,
            Written::Absent | Written::Blank(_) => {
                if !body.execution_missing {
                    let value = format!("{}s", DEFAULT_TIMEOUT.as_secs());
                    let place = body.timeout.place().unwrap_or(&body.execution);
                    self.default_limit(key, &value, place);
                }
                Some(DEFAULT_TIMEOUT)
            }
            Written::Value(At { value, place }) if value.is_zero() => self.zero(key, place),
            Written::Value(At { value, place }) if *value > MAX_TIMEOUT => {
                self.capped(key, "one hour", place);
                Some(MAX_TIMEOUT)
            }
            Written::Value(at) => Some(at.value),
        }
    }

    fn memory(&mut self, body: &raw::Function) -> Option<ByteSize> {
        let key = "execution.memory";
        match &body.memory {
            Written::Broken => None,
            Written::Absent | Written::Blank(_) => {
                if !body.execution_missing {
                    let place = body.memory.place().unwrap_or(&body.execution);
                    self.default_limit(key, &DEFAULT_MEMORY.to_string(), place);
                }
                Some(DEFAULT_MEMORY)
            }
            Written::Value(At { value, place }) if value.as_bytes() == 0 => self.zero(key, place),
            Written::Value(At { value, place }) if *value > MAX_MEMORY => {
                self.capped(key, &format!("{MAX_MEMORY}, all that WebAssembly can address"), place);
                Some(MAX_MEMORY)
            }
            Written::Value(at) => {
                let pages = at.value.as_bytes().div_ceil(MEMORY_PAGE);
                Some(ByteSize::from_bytes(pages * MEMORY_PAGE))
            }
        }
    }

    fn default_limit(&mut self, key: &str, value: &str, place: &Place) {
        let message = format!("there is no `{key}`, so it is {value}");
        let (group, last) = key.split_once('.').unwrap_or(("", key));
        self.report.push(
            Diagnostic::warning(codes::DEFAULT_LIMIT, message)
                .at(place.clone())
                .hint(format!("add `{last}: {value}` below `{group}:` to say so")),
        );
    }

    fn capped(&mut self, key: &str, limit: &str, place: &Place) {
        let message = format!("`{key}` is limited to {limit}");
        self.report.push(
            Diagnostic::warning(codes::CAPPED_LIMIT, message)
                .at(place.clone())
                .label("more than a function can get")
                .hint("write a value within the limit"),
        );
    }

    fn zero<T>(&mut self, key: &str, place: &Place) -> Option<T> {
        self.report.push(
            Diagnostic::error(codes::OUT_OF_RANGE, format!("`{key}` is zero"))
                .at(place.clone())
                .note("a function with nothing to run on could never answer")
                .hint("write a value above zero, or remove the line for the default"),
        );
        None
    }

    /// What the file says, then what `.env` says.
    fn variables(&mut self, written: Written<Vec<(At<Text>, Text)>>) -> BTreeMap<String, String> {
        let mut variables = BTreeMap::new();
        let written = written.value().map(|at| at.value).unwrap_or_default();
        for (At { value: name, place }, value) in written {
            let (message, hint) = if !is_variable_name(&name) {
                (
                    format!("{} cannot be the name of a variable", quoted(&name)),
                    "use letters, digits and `_`, beginning with a letter or `_`",
                )
            } else if value.len() > MAX_VARIABLE {
                (
                    format!("the value of `{name}` has {} bytes", value.len()),
                    "at most 32 KiB fit into a variable; ship larger data inside the guest",
                )
            } else if value.contains('\0') {
                (
                    format!("the value of `{name}` contains a zero byte"),
                    "encode binary values, for example as base64",
                )
            } else {
                variables.insert(name.to_string(), value.to_string());
                continue;
            };
            self.report
                .push(Diagnostic::error(codes::INVALID_VARIABLE, message).at(place).hint(hint));
        }
        variables.extend(self.dotenv.iter().map(|(name, value)| (name.clone(), value.clone())));
        variables
    }
}
