//! Functions: what calls them, their code, limits and variables.

use std::collections::BTreeMap;

use super::Compiler;
use crate::{
    artefact,
    defaults::MAX_VARIABLE,
    diagnostic::{Diagnostic, Place, codes, quoted},
    dotenv::is_variable_name,
    model::{Function, Group, IdleFunction, ResourceRef, Source, Trigger},
    raw,
    schema::{At, Text, Written},
};

impl Compiler<'_> {
    /// A function that is called; one that is not goes to the idle ones.
    pub(super) fn function(&mut self, raw: raw::Resource<raw::Function>) -> Option<Function> {
        let (id, about) = self.identify(Group::Functions, &raw);
        let raw::Resource { application, name, place, mut body, .. } = raw;
        let kind = self.trigger_kind(&body.trigger);
        let source_place = body.source.place().unwrap_or(&place).clone();
        let written = std::mem::replace(&mut body.source, Written::Absent);
        let source = self.source(application.as_ref(), written, Group::Functions, &place);
        let variables = std::mem::replace(&mut body.variables, Written::Absent);
        let variables = self.variables(variables);
        // What is no HTTP function for sure is looked at as one: most are.
        let (kind, kind_place) = match &kind {
            Some(At { value, place }) => (&**value, place),
            None => ("http", &place),
        };
        let http = matches!(kind, "http" | "https");
        let trigger = match http {
            true => {
                let secure = kind == "https";
                let trigger = self.http_trigger(application.as_ref(), &body, &place, secure);
                trigger.map(Trigger::Http)
            }
            false => self.other_trigger(application.as_ref(), &body, kind),
        };
        let execution = self.execution(body.execution, Group::Functions);
        let names = artefact::Name { application: application.as_deref(), name: &name };
        let artefact = match &source {
            Some(Source::Own) if http => self.own_code(names, &place),
            Some(Source::Library(library)) if http => {
                self.library_code(library, names, &source_place)
            }
            Some(Source::Own) => self.idle_code(names),
            Some(Source::Library(library)) => self.library_code.get(library).cloned().flatten(),
            None => None,
        };
        let (trigger, source, execution) = (trigger?, source?, execution?);
        if let (Trigger::Http(http), Some(artefact)) = (&trigger, &artefact) {
            let http = http.clone();
            return Some(Function {
                application,
                name,
                id,
                about,
                secure: http.secure,
                hosts: http.hosts,
                domains: http.domains,
                paths: http.paths,
                methods: http.methods,
                source,
                artefact: artefact.clone(),
                call: execution.call,
                call_place: execution.call_place,
                timeout: execution.timeout,
                timeout_place: execution.timeout_place,
                memory: execution.memory,
                memory_place: execution.memory_place,
                variables,
                place,
            });
        }
        if !http {
            let unserved = (Group::Functions, &application, &name, &place);
            let message = format!("functions with a `{kind}` trigger are not called yet");
            self.not_served(unserved, kind_place.clone(), &message);
        }
        self.idle_functions.push(IdleFunction {
            application,
            name,
            id,
            about,
            trigger,
            source,
            artefact,
            call: execution.call,
            call_place: execution.call_place,
            timeout: execution.timeout,
            memory: execution.memory,
            variables,
            place,
        });
        None
    }

    fn own_code(
        &mut self,
        names: artefact::Name<'_>,
        place: &Place,
    ) -> Option<artefact::ArtefactFile> {
        match artefact::of_guest(self.tree, Group::Functions, names, "") {
            Ok(artefact) => {
                self.code_found();
                Some(artefact)
            }
            Err(error) => {
                let at = error.place.clone().unwrap_or_else(|| place.clone());
                self.code_missing(Group::Functions, names, None, error.at(at));
                None
            }
        }
    }

    /// The code of a function that is not called. Where there is none, only those miss it that import
    /// from it, which a deploy sees.
    fn idle_code(&mut self, names: artefact::Name<'_>) -> Option<artefact::ArtefactFile> {
        match artefact::of_guest(self.tree, Group::Functions, names, "") {
            Ok(artefact) => {
                self.code_found();
                Some(artefact)
            }
            Err(error) => {
                // The file that is too large, which is its place.
                if error.code == codes::FILE_TOO_LARGE {
                    self.report.push(*error);
                }
                None
            }
        }
    }

    /// The code of a library that a function names as its source.
    fn library_code(
        &mut self,
        library: &ResourceRef,
        function: artefact::Name<'_>,
        source: &Place,
    ) -> Option<artefact::ArtefactFile> {
        match self.library_code.get(library)? {
            Some(artefact) => Some(artefact.clone()),
            None => {
                let message = format!(
                    "the function `{}` is the library `{}`, which has no WebAssembly file",
                    function.name, library.name
                );
                let error = Diagnostic::error(codes::ARTEFACT_NOT_FOUND, message);
                let place = artefact::Name {
                    application: library.application.as_deref(),
                    name: &library.name,
                };
                let base = place.bases(Group::Libraries.folder()).swap_remove(0);
                let hint = format!(
                    "put the library's WebAssembly at `{base}.wasm`, or see what is said of \
                     `{base}.yaml`"
                );
                let error = error.at(source.clone()).hint(hint);
                self.code_missing(Group::Functions, function, None, error);
                None
            }
        }
    }

    /// What the file says, then what `.env` says.
    fn variables(&mut self, written: Written<Vec<(At<Text>, Text)>>) -> BTreeMap<String, String> {
        let mut variables = BTreeMap::new();
        let written = written.value().map(|at| at.value).unwrap_or_default();
        for (At { value: name, place }, value) in written {
            let (message, hint) = if !is_variable_name(&name) {
                (
                    format!("{} cannot be the name of a variable", quoted(&name)),
                    "use letters from `a` to `z`, digits and `_`, beginning with a letter or `_`",
                )
            } else if value.len() > MAX_VARIABLE {
                (
                    format!("the value of `{name}` has {} bytes", value.len()),
                    "at most 32 KiB fit into a variable; ship larger data inside the WebAssembly file",
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
