//! What the executor says of an artefact, as diagnostics at the function that names it.

use headgate_executor::{CompileError, Compiled, GuestKind, MissingImport};
use headgate_project::{Diagnostic, Function, diagnostic::codes};

use crate::manifest::EntryPoint;

/// How a function is called, which its artefact and its `execution.call` decide together.
pub(super) fn entry_point(
    function: &Function,
    compiled: &Compiled,
) -> Result<EntryPoint, Box<Diagnostic>> {
    match (compiled.kind, &function.call) {
        (GuestKind::Component, _) => Ok(EntryPoint::Component),
        (GuestKind::Core, Some(call)) if compiled.entries.iter().any(|entry| **entry == **call) => {
            Ok(EntryPoint::Core(call.to_string()))
        }
        (GuestKind::Core, Some(call)) => {
            let text = format!("{} exports no function `{call}`", function.artefact.path);
            let diagnostic = Diagnostic::error(codes::UNKNOWN_EXPORT, text)
                .at(function.call_place.clone())
                .hint(exports(&compiled.entries));
            Err(Box::new(diagnostic))
        }
        (GuestKind::Core, None) => {
            let text = format!(
                "`execution.call` is missing, and {} is a core module",
                function.artefact.path
            );
            let diagnostic = Diagnostic::error(codes::MISSING_CALL, text)
                .at(function.call_place.clone())
                .note(
                    "a core module is called by the name of one of its exports; a component is not",
                )
                .hint(exports(&compiled.entries));
            Err(Box::new(diagnostic))
        }
    }
}

fn exports(entries: &[String]) -> String {
    match entries {
        [] => "export a function that takes the event's number: `(i32) -> i32`".to_owned(),
        entries => format!("it exports: {}", entries.join(", ")),
    }
}

/// A warning if the guest imports functions that answer an error in this version. Whether it ever calls
/// them, its imports do not tell.
pub(super) fn unserved_imports(function: &Function, compiled: &Compiled) -> Option<Diagnostic> {
    if compiled.unserved.is_empty() {
        return None;
    }
    let text = format!("{} imports what is not served yet", function.artefact.path);
    let warning = Diagnostic::warning(codes::NOT_SERVED_YET, text).at(function.place.clone()).note(
        format!("these answer an error when they are called: {}", compiled.unserved.join(", ")),
    );
    Some(warning)
}

/// Why an artefact cannot run here; one diagnostic for each thing that is wrong with it.
pub(super) fn guest_refused(function: &Function, error: &CompileError) -> Vec<Diagnostic> {
    let path = &function.artefact.path;
    let diagnostics = match error {
        CompileError::MissingImports(missing) => {
            missing.iter().map(|import| missing_import(path, import)).collect()
        }
        other => {
            let text = format!("{path} cannot run here: {}", headgate_types::Chain(other));
            vec![Diagnostic::error(codes::GUEST_DOES_NOT_COMPILE, text).hint(
                "build it for WebAssembly: a component that exports `wasi:http/incoming-handler`, \
                 or a core module for Taubyte",
            )]
        }
    };
    diagnostics.into_iter().map(|diagnostic| diagnostic.at(function.place.clone())).collect()
}

fn missing_import(path: &str, import: &MissingImport) -> Diagnostic {
    Diagnostic::error(codes::IMPORT_NOT_PROVIDED, format!("{path} needs {import}"))
        .hint("build the guest without it, or for an interface that this version provides")
}
