//! What can go wrong, sorted by what a caller does about it.

use std::{io, time::Duration};

use headgate_types::Digest;
use wasmtime::{Module, Trap, WasmBacktrace};
use wasmtime_wasi::I32Exit;

use crate::defaults;

type Cause = Box<dyn std::error::Error + Send + Sync>;

/// Whose fault an error is, which decides the status and how loudly it is logged.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fault {
    /// The client's request, or too many of them.
    Downstream,
    /// The guest's.
    Guest,
    /// This node's.
    Ourselves,
}

/// The executor could not be opened.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    #[error("failed to set up WebAssembly")]
    Engine(#[source] Cause),
    #[error("failed to open the folder of native artefacts {folder}")]
    Folder {
        folder: String,
        #[source]
        error: io::Error,
    },
    #[error("failed to start the epoch thread")]
    Ticker(#[source] io::Error),
    #[error("failed to start the threads of guests that compute")]
    Threads(#[source] io::Error),
}

/// A guest cannot be served. Everything but [`Native`](Self::Native) and [`Interrupted`](Self::Interrupted) is
/// the guest's fault and belongs into a diagnostic.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum CompileError {
    #[error("the artefact has {size} bytes, more than the {limit} that are compiled")]
    TooLarge { size: u64, limit: u64 },
    #[error("the artefact is not WebAssembly")]
    NotWasm,
    #[error("the artefact is not valid WebAssembly")]
    Invalid(#[source] Cause),
    #[error("the artefact wants more than a guest can have")]
    TooDemanding(#[source] Cause),
    #[error("nothing provides {}", list(.0))]
    MissingImports(Vec<MissingImport>),
    #[error(
        "the artefact imports {count} items from other modules, more than the {limit} that are linked"
    )]
    TooManyImports { count: usize, limit: usize },
    /// An interface is known, but not as the guest wants it.
    #[error("an interface does not match what the guest imports")]
    Incompatible(#[source] Cause),
    #[error("the component exports neither `wasi:http/incoming-handler@0.2` nor `wasi:http/handler@0.3`, it exports {}", quoted(.exports))]
    NoHandler { exports: Vec<String> },
    #[error("failed to keep the native artefact")]
    Native(#[source] Cause),
    #[error("the compilation was interrupted")]
    Interrupted,
}

/// One import without a provider, named as its author would write it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MissingImport {
    /// `wasi:keyvalue/store@0.2.0`, or a core module's first name (`taubyte/sdk`).
    pub module: String,
    /// The functions wanted of it.
    pub names: Vec<String>,
    pub why: Missing,
}

/// Why an import is missing.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Missing {
    /// Nobody here has heard of it.
    Unknown,
    /// It exists in the field, and is not served by this version.
    NotServed,
    /// It is provided with another signature.
    Signature { wanted: String, provided: String },
}

impl std::fmt::Display for MissingImport {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "`{}`", self.module)?;
        if !self.names.is_empty() {
            write!(f, " ({})", self.names.join(", "))?;
        }
        match &self.why {
            Missing::Unknown => Ok(()),
            Missing::NotServed => f.write_str(", which is known but not served yet"),
            Missing::Signature { wanted, provided } => {
                write!(f, " as {wanted}, it is {provided}")
            }
        }
    }
}

/// An invocation gave no response. What the client is told follows from [`fault`](Self::fault).
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum InvokeError {
    #[error("too many requests are running and waiting")]
    Busy { retry_after: Duration },
    /// Its latest calls all trapped, so this one was not tried.
    #[error("the function rests, because every call of it traps")]
    Resting { retry_after: Duration },
    #[error("the guest did not answer within {limit:?}")]
    Deadline { limit: Duration },
    #[error("the guest computed for more than {limit:?}")]
    Computing { limit: Duration },
    #[error("the guest trapped: {}", .0.message)]
    Trap(Box<Trapped>),
    #[error("the guest returned without a response")]
    NoResponse,
    #[error("the guest answered with the error {code}")]
    GuestError { code: String },
    #[error("the guest's response head is not usable: {reason}")]
    ResponseHead { reason: &'static str },
    #[error("the guest's response is not complete")]
    Partial(#[source] GuestBodyError),
    #[error("the request cannot be passed to a guest: {reason}")]
    Request { reason: &'static str },
    #[error("the artefact {} cannot be run", .digest.fmt_short())]
    Artefact {
        digest: Digest,
        #[source]
        error: ArtefactError,
    },
}

impl InvokeError {
    pub fn fault(&self) -> Fault {
        match self {
            // As with load, one line says when it begins; none for each request that meets it.
            Self::Busy { .. } | Self::Resting { .. } | Self::Request { .. } => Fault::Downstream,
            Self::Deadline { .. }
            | Self::Computing { .. }
            | Self::Trap(_)
            | Self::NoResponse
            | Self::GuestError { .. }
            | Self::ResponseHead { .. }
            | Self::Partial(_) => Fault::Guest,
            Self::Artefact { .. } => Fault::Ourselves,
        }
    }
}

/// For a caller that has sent nothing yet: a body that failed at once is an answer that failed.
impl From<GuestBodyError> for InvokeError {
    fn from(error: GuestBodyError) -> Self {
        match error {
            GuestBodyError::Deadline { limit } => Self::Deadline { limit },
            GuestBodyError::Computing { limit } => Self::Computing { limit },
            GuestBodyError::Trap(trapped) => Self::Trap(trapped),
            other => Self::Partial(other),
        }
    }
}

/// An artefact is missing or does not fit the function that names it.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ArtefactError {
    #[error("failed to read it")]
    Read(#[source] io::Error),
    #[error("failed to compile it again")]
    Compile(#[source] Box<CompileError>),
    #[error("failed to open it")]
    Open(#[source] Cause),
    #[error("it is not of the kind the function was deployed with")]
    Kind,
    #[error("it has no export `{0}` that takes an event")]
    NoExport(Box<str>),
}

/// A response body ended early. The connection must be cut, so that nobody takes the part for the whole.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum GuestBodyError {
    #[error("the guest was silent for {limit:?} within its response")]
    Deadline { limit: Duration },
    #[error("the guest computed for more than {limit:?}")]
    Computing { limit: Duration },
    #[error("the guest trapped: {}", .0.message)]
    Trap(Box<Trapped>),
    #[error("the guest returned before it finished its response")]
    Unfinished,
    #[error("the guest abandoned its response")]
    Abandoned,
    #[error("the guest declared {declared} bytes and sent {}", if *.too_many { "more" } else { "fewer" })]
    Length { declared: u64, too_many: bool },
}

/// What is known about a trap.
#[derive(Debug, Clone)]
pub struct Trapped {
    pub reason: TrapReason,
    /// One line for people.
    pub message: String,
    /// Function names, innermost first, one per line; empty if there were no frames. Those of a linked module are
    /// followed by its name.
    pub backtrace: String,
}

/// Closed set of reasons, also a metric's label.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum TrapReason {
    Unreachable,
    StackOverflow,
    MemoryOutOfBounds,
    /// The guest failed after it was refused memory.
    MemoryLimit,
    Arithmetic,
    IndirectCall,
    /// The guest ended its process with this code.
    Exit,
    /// A host function refused to go on.
    Host,
}

impl TrapReason {
    pub fn label(self) -> &'static str {
        match self {
            Self::Unreachable => "unreachable",
            Self::StackOverflow => "stack_overflow",
            Self::MemoryOutOfBounds => "memory_out_of_bounds",
            Self::MemoryLimit => "memory_limit",
            Self::Arithmetic => "arithmetic",
            Self::IndirectCall => "indirect_call",
            Self::Exit => "exit",
            Self::Host => "host",
        }
    }

    fn of(trap: Trap) -> Self {
        match trap {
            Trap::UnreachableCodeReached => Self::Unreachable,
            Trap::StackOverflow => Self::StackOverflow,
            Trap::MemoryOutOfBounds | Trap::HeapMisaligned => Self::MemoryOutOfBounds,
            Trap::IntegerOverflow | Trap::IntegerDivisionByZero | Trap::BadConversionToInteger => {
                Self::Arithmetic
            }
            Trap::TableOutOfBounds | Trap::IndirectCallToNull | Trap::BadSignature => {
                Self::IndirectCall
            }
            _ => Self::Host,
        }
    }
}

/// Why a running guest was ended.
#[derive(Debug)]
pub(crate) enum Failure {
    Time(TimeUp),
    Trap(Box<Trapped>),
}

/// Raised inside a guest whose time is up.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub(crate) enum TimeUp {
    /// Nothing was heard of it for too long.
    #[error("the deadline is reached")]
    Silent,
    #[error("it computed for too long")]
    Computing,
}

impl Failure {
    /// Reads wasmtime's error. `refused` counts what the limiter denied, which explains most of what follows it;
    /// `named` tells the name of a module that the guest is linked with.
    pub(crate) fn of<'a>(
        error: &wasmtime::Error,
        refused: u32,
        named: impl Fn(&Module) -> Option<&'a str>,
    ) -> Self {
        if let Some(time) = error.downcast_ref::<TimeUp>() {
            return Self::Time(*time);
        }
        let (mut reason, mut message) = match error.downcast_ref::<Trap>() {
            Some(trap) => {
                let text = trap.to_string();
                let text = text.strip_prefix("wasm trap: ").unwrap_or(&text);
                (TrapReason::of(*trap), text.to_owned())
            }
            None => match error.downcast_ref::<I32Exit>() {
                Some(I32Exit(code)) => (TrapReason::Exit, format!("it exited with code {code}")),
                None => (TrapReason::Host, error.root_cause().to_string()),
            },
        };
        if refused > 0 && !matches!(reason, TrapReason::StackOverflow) {
            reason = TrapReason::MemoryLimit;
            message.push_str(", after it was refused more memory than its function may have");
        }
        let backtrace = error.downcast_ref::<WasmBacktrace>();
        let innermost = backtrace.and_then(|backtrace| backtrace.frames().first());
        if let Some(module) = innermost.and_then(|frame| named(frame.module())) {
            message.push_str(&format!(", in `{module}`"));
        }
        let backtrace = backtrace.map(|backtrace| frames(backtrace, named)).unwrap_or_default();
        Self::Trap(Box::new(Trapped { reason, message, backtrace }))
    }

    pub(crate) fn into_invoke(self, limit: Duration) -> InvokeError {
        match self {
            Self::Time(TimeUp::Silent) => InvokeError::Deadline { limit },
            Self::Time(TimeUp::Computing) => InvokeError::Computing { limit },
            Self::Trap(trapped) => InvokeError::Trap(trapped),
        }
    }

    pub(crate) fn into_body(self, limit: Duration) -> GuestBodyError {
        match self {
            Self::Time(TimeUp::Silent) => GuestBodyError::Deadline { limit },
            Self::Time(TimeUp::Computing) => GuestBodyError::Computing { limit },
            Self::Trap(trapped) => GuestBodyError::Trap(trapped),
        }
    }
}

fn frames<'a>(backtrace: &WasmBacktrace, named: impl Fn(&Module) -> Option<&'a str>) -> String {
    let mut lines = String::new();
    for frame in backtrace.frames() {
        let symbol = frame.symbols().first().and_then(|symbol| symbol.name());
        match symbol.or_else(|| frame.func_name()) {
            Some(name) => lines.push_str(&shown(name)),
            None => lines.push_str(&format!("function {}", frame.func_index())),
        }
        if let Some(module) = named(frame.module()) {
            lines.push_str(&format!(" of {module}"));
        }
        lines.push('\n');
    }
    lines.pop();
    lines
}

/// A function's name as its source has it, if it is Rust's, and not longer than anybody would read: the guest wrote it.
fn shown(name: &str) -> String {
    let mut name = format!("{:#}", rustc_demangle::demangle(cut(name)));
    name.truncate(cut(&name).len());
    name
}

fn cut(name: &str) -> &str {
    &name[..name.floor_char_boundary(defaults::FUNCTION_NAME)]
}

fn list(missing: &[MissingImport]) -> String {
    missing.iter().map(ToString::to_string).collect::<Vec<_>>().join("; ")
}

fn quoted(names: &[String]) -> String {
    if names.is_empty() { "nothing".to_owned() } else { format!("`{}`", names.join("`, `")) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_shown_as_their_source_has_them_and_cut() {
        assert_eq!(shown("_ZN4shop4cart5total17h0123456789abcdefE"), "shop::cart::total");
        assert_eq!(shown("_RNvCs1234_7mycrate3foo"), "mycrate::foo");
        assert_eq!(shown("main.total"), "main.total");
        assert_eq!(shown(&"ä".repeat(10_000)).len(), defaults::FUNCTION_NAME);
        let nested = "_RNvC1a".to_owned() + &"I".repeat(2_000);
        assert!(shown(&nested).len() <= defaults::FUNCTION_NAME);
    }
}
