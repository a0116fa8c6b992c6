//! What the executor says of an artefact, as diagnostics at the function that names it.

use headgate_executor::{CompileError, Compiled, FunctionLimits, GuestKind, MissingImport};
use headgate_project::{ArtefactFile, Diagnostic, Function, Place, diagnostic::codes};
use headgate_types::ByteSize;

use super::ingest::of_repository;
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
            Err(Box::new(of_code(diagnostic, &function.artefact)))
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
            Err(Box::new(of_code(diagnostic, &function.artefact)))
        }
    }
}

fn of_code(diagnostic: Diagnostic, file: &ArtefactFile) -> Diagnostic {
    of_repository(diagnostic, &file.path, file.repository.as_deref())
}

fn exports(entries: &[String]) -> String {
    match entries {
        [] => "export a function that takes the event's number: `(i32) -> i32`".to_owned(),
        entries => format!("it exports: {}", entries.join(", ")),
    }
}

/// A warning if the guest imports functions that answer an error in this version. Whether it ever calls
/// them, its imports do not tell.
pub(super) fn unserved_imports(
    file: &ArtefactFile,
    place: &Place,
    compiled: &Compiled,
) -> Option<Diagnostic> {
    if compiled.unserved.is_empty() {
        return None;
    }
    let text = format!("{} imports what is not served yet", file.path);
    let warning = Diagnostic::warning(codes::NOT_SERVED_YET, text).at(place.clone()).note(format!(
        "these answer an error when they are called: {}",
        compiled.unserved.join(", ")
    ));
    let hint = "it is served; call them only where the function can do without";
    Some(of_code(warning.hint(hint), file))
}

/// A warning for each limit of which the function wants more than this node gives.
pub(super) fn capped_limits(function: &Function, limits: &FunctionLimits) -> Vec<Diagnostic> {
    let mut warnings = Vec::new();
    let mut capped = |what: &str, asked: String, given: String, keys: [&str; 2], place: &Place| {
        let [key, of_node] = keys;
        let text = format!("`{}` asks for {asked} of {what}, and gets {given}", function.name);
        warnings.push(
            Diagnostic::warning(codes::CAPPED_LIMIT, text)
                .at(place.clone())
                .label("more than this node gives")
                .note(format!("this node's limit is `executor.{of_node}`"))
                .hint(format!(
                    "write `{key}: {given}` or less, or raise the limit in node.yaml: \
                     `executor: {{{of_node}: {asked}}}`"
                )),
        );
    };
    if function.memory > limits.memory {
        let (asked, given) = (function.memory.to_string(), limits.memory.to_string());
        capped("memory", asked, given, ["memory", "memory_limit"], &function.memory_place);
    }
    if function.timeout > limits.deadline {
        let (asked, given) = (format!("{:?}", function.timeout), format!("{:?}", limits.deadline));
        capped("time", asked, given, ["timeout", "deadline_limit"], &function.timeout_place);
    }
    warnings
}

/// An error if the memories of all the modules a function runs with do not fit into what it may use: no
/// request could ever be answered.
pub(super) fn too_little_memory<'a>(
    function: &Function,
    modules: impl Iterator<Item = &'a Compiled>,
    limit: ByteSize,
) -> Option<Diagnostic> {
    let memories = modules.map(|module| module.least_memory.as_bytes());
    let needed = ByteSize::from_bytes(memories.fold(0, u64::saturating_add));
    let given = function.memory.min(limit);
    if needed <= given {
        return None;
    }
    let text = format!(
        "{} begins with {needed} of memory, and `{}` gets {given}",
        function.artefact.path, function.name
    );
    let enough = ByteSize::from_mib(needed.as_bytes().div_ceil(1 << 20));
    let mut error = Diagnostic::error(codes::TOO_LITTLE_MEMORY, text)
        .at(function.memory_place.clone())
        .note("it could not even be started, so each request would fail");
    let write = format!("write `memory: {enough}` or more");
    if needed > limit {
        error = error.note(format!("this node gives no function more than {limit}"));
        let raise = format!("raise it in node.yaml: `executor: {{memory_limit: {enough}}}`");
        error = match needed > function.memory {
            true => error.hint(format!("{write}, and {raise}")),
            false => error.hint(raise),
        };
    } else {
        error = error.hint(format!("{write} below `execution:`"));
    }
    Some(of_code(error, &function.artefact))
}

/// Why an artefact cannot run here; one diagnostic for each thing that is wrong with it.
pub(super) fn guest_refused(
    file: &ArtefactFile,
    place: &Place,
    error: &CompileError,
) -> Vec<Diagnostic> {
    let path = &file.path;
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
    let placed = |diagnostic: Diagnostic| of_code(diagnostic.at(place.clone()), file);
    diagnostics.into_iter().map(placed).collect()
}

fn missing_import(path: &str, import: &MissingImport) -> Diagnostic {
    Diagnostic::error(codes::IMPORT_NOT_PROVIDED, format!("{path} needs {import}"))
        .hint("build the function without it, or for an interface that this version provides")
}
