//! Runs guests: WebAssembly that answers requests, each in an instance of its own, fenced in.
//!
//! This is the only crate that knows wasmtime. It takes plain values, a [`FunctionSpec`] and an [`Invocation`], and
//! gives an `http::Response`; it knows nothing of listeners, projects' files, Git or peers.
//!
//! ```text
//!  deploy   compile(digest, wasm) ─► kind, imports, entries checked ─► native artefact on disk,
//!                                    its start-up run once if it may be    │ opened at the first call,
//!  request  Function::invoke                                               │ closed when idle (LRU)
//!             │                                                            ▼
//!             ├─ gate of the function ─► artefact ─► gate of the pool    Opened: imports resolved
//!             │   (slots, bounded queue: Busy, Deadline)                   │
//!             ▼                                                            │
//!           Running ◄── a fresh store and instance, from the pool ─────────┘
//!             │         or started before the request came
//!             │  polled by the request's own task; epochs and a timer keep its deadline
//!             ▼
//!           head, checked ─► Response<ResponseBody>   the body owns the guest and drives it
//! ```
//!
//! There are two kinds of guests, told apart by their bytes. A **component** exports
//! `wasi:http/incoming-handler@0.2` or `wasi:http/handler@0.3` and gets all of `wasi:cli/imports`, `wasi:http` and `wasi:config/store`; files
//! and sockets are denied when used. A **core module** speaks Taubyte's ABI (`taubyte/sdk`, `env`, WASI preview 1):
//! the areas `event`, `http/event`, `http/client`, `dns`, `globals`, `self`, `i2mv` and `crypto/rand` are served, every other
//! function links and answers with an error number, and [`Compiled::unserved`] names those a guest imports. WASI's files
//! are in memory, for one request.
//!
//! Both call out by [`Outbound`], which the caller implements: where to is its policy, how much is bounded here, for
//! one request and for all instances of a function. What core modules keep beyond their requests is with its [`Globals`].
//!
//! A core module may also import from others of its project, `libraries/x` or `functions/x`. Its
//! [`FunctionSpec::linked`] lists them, and its instance is all of them, each instantiated once, in one store:
//!
//! ```text
//!  deploy   Compiled::linkage ─► misfits, fit_together ─► a list, each after what it imports from
//!  request  one store ─┬─ libraries/tax      memory, started
//!                      ├─ libraries/price    memory, started, imports from libraries/tax
//!                      └─ the function       memory, started, called with the event
//! ```
//!
//! They share the event, the answer, the files and the limits. Each has the memory it defines, and a host function
//! acts on that of the module which calls it, so modules pass each other numbers rather than pointers: among them
//! those of memory views and queues, through which one reads what another has.
//!
//! # Invariants
//!
//! 1. **A guest is its request's.** Whoever polls the invocation or its body runs it; dropping either frees instance,
//!    then slots, at once. Two tasks are aborted with it: a component's call, and that of a guest that computes for
//!    long, which ends with its slice (`compute.rs`).
//! 2. **Nothing leaks from request to request.** Every instance is fresh, those of linked modules too; what is
//!    shared is immutable.
//! 3. **No guest without limits**: memory, tables, stack, slots, output, head, calls, and time: until the first byte of its
//!    answer, waiting included, between one part of it and the next, and computing in all. One that
//!    computes for long leaves the workers (`compute.rs`), and those take turns (`pace.rs`).
//! 4. **A part is never passed off as the whole.** A body ends with `None` only if its guest finished it and sent
//!    what it declared. A guest that fails before anything left gives an error instead of a response.
//! 5. **Native code is loaded only if this engine compiled it**, from a folder nobody else can write to.
//!    Compiling never happens on the way of a request, except to replace what was lost.
//! 6. **No argument of a guest can panic the host**: core guests' pointers pass one checked helper.
//!
//! # What a guest can fill
//!
//! | what | ends at |
//! |---|---|
//! | memories, and of core guests also files, queues and global values on their way, together | [`FunctionLimits::memory`] |
//! | tables | [`TABLE_ELEMENTS`](defaults::TABLE_ELEMENTS), [`TABLES`](defaults::TABLES) |
//! | stack | [`WASM_STACK`](defaults::WASM_STACK) |
//! | files and folders, descriptors | [`FILES`](defaults::FILES), [`DESCRIPTORS`](defaults::DESCRIPTORS) |
//! | memory views, queues | [`MEMORY_VIEWS`](defaults::MEMORY_VIEWS), [`FIFOS`](defaults::FIFOS) |
//! | fields of the answer | [`Config::response_fields`], [`Config::response_head`] |
//! | the answer, before its client takes it | [`Config::response_buffer`], then [`RESPONSE_CHUNKS`](defaults::RESPONSE_CHUNKS) |
//! | global values: names, sizes, how many are put, how many wait to be fetched | [`GLOBAL_NAME`](defaults::GLOBAL_NAME), [`GLOBAL_VALUE`](defaults::GLOBAL_VALUE), [`GLOBAL_PUTS`](defaults::GLOBAL_PUTS), [`GLOBALS_WAITING`](defaults::GLOBALS_WAITING) |
//! | log | [`Config::log_request`] |
//! | a component's streams, fields, pollables | [`HOST_RESOURCES`](defaults::HOST_RESOURCES) |
//! | what a component passes in one call | [`HOST_CALL`](defaults::HOST_CALL) |
//! | buffers and waits of one call of WASI preview 1 | [`IO_VECTORS`](defaults::IO_VECTORS), [`SUBSCRIPTIONS`](defaults::SUBSCRIPTIONS) |
//! | random bytes of one call | [`RANDOM_BYTES`](defaults::RANDOM_BYTES), [`RANDOM_STEP`](defaults::RANDOM_STEP) |
//! | names in a trap's backtrace | [`BACKTRACE_FRAMES`](defaults::BACKTRACE_FRAMES), [`FUNCTION_NAME`](defaults::FUNCTION_NAME) |
//! | the patience of whoever runs it | [`BACKOFF_TRAPS`](defaults::BACKOFF_TRAPS) in a row, then it rests |
//!
//! # What callers must do
//!
//! Poll. A client that reads slowly keeps its guest's slot, so bound the time a write may take. The body of a
//! request is polled inside the guest, so it must not need the task that polls the response to do other work
//! first: feed it from a channel, or poll both sides together. A response whose body ends in an error must end
//! its connection.
//!
//! Not here yet: databases, storages, channels, timers.

mod admission;
mod artefact;
mod backoff;
mod body;
mod compile;
mod component;
mod compute;
mod config;
mod core;
pub mod defaults;
mod engine;
mod error;
mod executor;
mod function;
mod globals;
mod invocation;
mod limits;
mod link;
mod log;
mod metrics;
mod native;
mod outbound;
mod pace;
mod phases;
mod response;
mod running;
mod start_up;
mod warm;

pub use admission::ProjectGate;
pub use artefact::Artefacts;
pub use body::{BodyError, RequestBody};
pub use compile::{Compiled, GuestKind};
pub use config::Config;
pub use error::{
    ArtefactError, CompileError, Fault, GuestBodyError, InvokeError, Missing, MissingImport,
    OpenError, TrapReason, Trapped,
};
pub use executor::Executor;
pub use function::{Entry, Function, FunctionLimits, FunctionSpec};
pub use globals::{Global, Globals, GlobalsError, NoGlobals};
pub use invocation::{HttpInvocation, Invocation};
pub use link::{Bounds, Export, Import, Item, Linkage, LinkedModule, Misfit, TooLarge};
pub use log::{GuestLine, GuestLog, GuestStream};
pub use metrics::{Metrics, Start};
pub use outbound::{
    CallTimeouts, Found, Lookup, LookupFailed, LookupKind, NameServer, NoWayOut, Outbound,
    OutboundBody, OutboundError,
};
pub use phases::Phases;
pub use response::ResponseBody;
pub use start_up::{StartUp, UnknownStartUp};
