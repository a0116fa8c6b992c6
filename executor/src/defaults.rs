//! Every number of this crate, each with its reason.

use std::time::Duration;

use headgate_types::ByteSize;

/// Guests that may run at once. A slot reserves 4 GiB of address space, which elides bounds checks:
/// 200 of them are 800 GiB of the 128 TiB a process has, and cost nothing until touched.
pub const INSTANCES: u32 = 200;
/// Requests that may wait for one of those slots, over all functions. Five waves of guests.
pub const POOL_QUEUE: u32 = 1000;
/// Slots kept affine to the artefact that last used them: their images need not be mapped again.
pub const WARM_SLOTS: u32 = 64;
/// Memory a slot keeps instead of giving it back to the kernel. Clearing 64 KiB is cheaper than 16 page faults;
/// at worst 200 slots keep 12.5 MiB.
pub const MEMORY_KEEP_RESIDENT: usize = 64 << 10;
/// The same for tables; most guests have a few hundred elements of eight bytes.
pub const TABLE_KEEP_RESIDENT: usize = 16 << 10;
/// A function table of a JavaScript engine has tens of thousands of elements.
pub const TABLE_ELEMENTS: usize = 100_000;
/// The pages that linear memories are measured in (WebAssembly core specification, §4.2.8).
pub const MEMORY_PAGE: u64 = 64 << 10;
/// Linear memories of one guest. A composed component has one for each part, linked modules have one each.
pub const MEMORIES: u32 = 16;
/// Modules of one function, its own included. Each may have a memory.
pub const LINKED_MODULES: u32 = MEMORIES;
/// Items one module may import from others. Each is looked up for each request.
pub const LINKED_IMPORTS: usize = 1_000;
/// Exports of one module that are remembered, so that others can import them. Toolchains emit hundreds at most, and
/// what is known of an artefact stays in memory.
pub const LINKED_EXPORTS: usize = 1_000;
/// Tables a pool slot is meant to have; a guest with more takes several slots.
pub const TABLES_PER_SLOT: u32 = 4;
/// Tables of one guest: every memory with its four.
pub const TABLES: u32 = MEMORIES * TABLES_PER_SLOT;
/// Tables one core module may define. Toolchains emit one.
pub const TABLES_PER_MODULE: u32 = 4;
/// Core instances of one component. Python's toolchain links each library as an own instance, about thirty.
pub const CORE_INSTANCES: u32 = 64;
/// Stack for WebAssembly frames. Interpreters written in C need most of it (hardening C11).
pub const WASM_STACK: usize = 512 << 10;
/// The whole fibre: the guest's stack, and room for host functions called at its very end. Address space only.
pub const FIBRE_STACK: usize = 2 << 20;
/// A guest may overrun its deadline by one tick, and yields its worker once a tick: that is how long a neighbour
/// on the same worker waits for each guest that computes. While no guest runs, ticks are ten times rarer.
pub const EPOCH_TICK: Duration = Duration::from_millis(1);

/// Memory of a guest unless its function says otherwise (hardening C11).
pub const MEMORY: ByteSize = ByteSize::from_mib(64);
/// Longer than any interactive answer, shorter than the patience of browsers and proxies.
pub const DEADLINE: Duration = Duration::from_secs(30);
/// Half of the pool, so that one busy function never takes all of it.
pub const CONCURRENCY: u32 = 100;
/// A burst of a thousand on a function that nobody called before is served: it waits for ten turns, some hundred
/// milliseconds for most guests, and each waiting request holds a few KiB. The deadline bounds the wait.
pub const QUEUE: u32 = 1_000;
/// What a refused client is told. Queues drain in well under a second or not at all.
pub const RETRY_AFTER: Duration = Duration::from_secs(1);

/// Calls in a row that trap, with no answer in between, after which a function rests. Fewer could be one client that
/// tries the same thing again.
pub const BACKOFF_TRAPS: u32 = 10;
/// How far apart the first and the last of them must be. A burst of requests that trap is over by then, and a function
/// that people use has answered one of them.
pub const BACKOFF_AFTER: Duration = Duration::from_secs(5);
/// How far apart they may be. A function that is called seldom costs nothing.
pub const BACKOFF_WITHIN: Duration = Duration::from_secs(60);
/// How long it rests at first: what clients are told to wait when a function is busy, too.
pub const BACKOFF_MIN: Duration = Duration::from_secs(1);
/// How long it rests at most. One call in ten seconds costs nothing, and nobody wants to wait longer for a function
/// whose cause of trouble has gone.
pub const BACKOFF_MAX: Duration = Duration::from_secs(10);

/// Bytes of a response head, names and values. Twice of what common clients accept, so only mistakes hit it.
pub const RESPONSE_HEAD: usize = 64 << 10;
/// Fields of a response head, as many as a request may have (hardening C1).
pub const RESPONSE_FIELDS: usize = 100;
/// A core guest's answer is held back until it returns, so that a late status still counts; beyond this size it
/// is sent as it comes.
pub const RESPONSE_BUFFER: usize = 1 << 20;
/// A core guest's writes leave in pieces of at most this size, so that one write never doubles its memory.
pub const RESPONSE_CHUNK: usize = 64 << 10;
/// Pieces on their way to the client before the guest waits. Two let it work while one is sent.
pub const RESPONSE_CHUNKS: usize = 2;
/// Largest write a component may make at once to its response body.
pub const COMPONENT_CHUNK: usize = 256 << 10;
/// Random bytes a guest may ask for in one call; they are made in host memory.
pub const RANDOM_BYTES: u64 = 1 << 20;
/// Random bytes made before a guest that wants many shares its worker.
pub const RANDOM_STEP: u32 = 256 << 10;
/// What one call of a component may have the host copy out of its memory. The longest are writes to a body, an eighth of
/// it; wasmtime would take 128 MiB.
pub const HOST_CALL: usize = 2 << 20;
/// Host objects (streams, fields, pollables) one guest may hold. A hundred requests' worth.
pub const HOST_RESOURCES: usize = 10_000;

/// A start-up cheaper than this is run by the request itself: taking a started instance costs several microseconds
/// of locks and cold caches, and half of them may be dropped unused.
pub const WORTH_PREPARING: Duration = Duration::from_micros(50);
/// Started instances that nobody took for this long are dropped. A visitor who reads a page comes back within it.
pub const PREPARED_IDLE: Duration = Duration::from_secs(10);
/// How often that is looked at.
pub const PREPARED_SWEEP: Duration = Duration::from_secs(1);
/// Silence that counts as this much when demand is estimated: after it, one instance is enough whatever a start costs.
pub const LONGEST_INTERVAL: Duration = Duration::from_secs(10);
/// The share of the pool that may wait for requests: the other three quarters stay for those that are there.
pub const PREPARED_SHARE: u32 = 4;
/// A start-up that takes longer is left to the request, whose deadline it is.
pub const PREPARE_TIME: Duration = Duration::from_secs(5);
/// Functions for which instances are started at once. More would compete with requests for the workers.
pub const PREPARE_AT_ONCE: usize = 2;
/// Functions that wait for that. What finds no place is ordered again with the next request.
pub const PREPARE_ORDERS: usize = 256;

/// Views of memory one guest may have open. Each is a few words of the host; modules hand over one or two at a time.
pub const MEMORY_VIEWS: usize = 1_000;
/// Queues of bytes one guest may have open. What is in them counts against its memory.
pub const FIFOS: usize = 1_000;
/// The least a queue or a file takes of its function's memory once there is a byte in it, to grow seldom.
pub const BUFFER: usize = 64;
/// Bytes copied at a time from one module's memory to another's; the host holds them in between.
pub const COPY_STEP: usize = 64 << 10;

/// Files and folders a guest may have in memory. What is in a file counts against its memory; a name and what is known
/// of it take the host half a kilobyte at most.
pub const FILES: usize = 1_000;
/// Bytes of a file's name, as on Linux.
pub const FILE_NAME: usize = 255;
/// Bytes of a path, as on Linux.
pub const PATH: usize = 4_096;
/// Descriptors a guest may have open. Leaks then show at once.
pub const DESCRIPTORS: usize = 256;
/// Buffers one call may read or write, as on Linux. Nothing interrupts a call.
pub const IO_VECTORS: u32 = 1_024;
/// Things one call may wait for: a timer and each descriptor, twice.
pub const SUBSCRIPTIONS: u32 = 1_024;

/// A log line is cut into pieces of this size; it is what syslog receivers commonly take.
pub const LOG_LINE: usize = 4 << 10;
/// Guest output kept per request. A loop around `print` must not fill the disk.
pub const LOG_REQUEST: usize = 64 << 10;

/// Calls out and lookups of one request. A page put together from many sources makes dozens; hundreds are a loop.
pub const CALLS: u32 = 500;
/// Calls of one request under way. A core guest that reads no answers holds one for each, and needs some room.
pub const CALLS_AT_ONCE: usize = 32;
/// Calls of all instances of one function under way: what a project may have of connections.
pub const FUNCTION_CALLS_AT_ONCE: usize = 256;
/// How long a call waits for its turn unless it says otherwise; as long as others may take to connect.
pub const CALL_WAIT: Duration = Duration::from_secs(5);
/// Different failures of calls that are logged for one request; the guest knows of all. As many of global values.
pub const FAILURES_LOGGED: usize = 16;
/// Time for a call of a core guest, redirects and the whole body included, as in Taubyte.
pub const CORE_CALL: Duration = Duration::from_secs(30);
/// Redirects a core guest's call follows, as in Taubyte.
pub const CORE_REDIRECTS: u32 = 10;
/// HTTP clients of one core instance, requests of all of them, and resolvers. The SDK makes one for each call.
pub const CORE_CLIENTS: usize = 1000;
/// Bytes of a URL a core guest may set, as many as one it is asked by may have (hardening C1).
pub const CORE_URL: usize = 8 << 10;
/// Answers of lookups that wait to be fetched. The SDK fetches each at once.
pub const CORE_LOOKUPS: usize = 64;

/// Bytes of a global value's name. The SDK puts a type before what its user calls it.
pub const GLOBAL_NAME: usize = 1_024;
/// Bytes of a global value: Taubyte's capacity for all of a project.
pub const GLOBAL_VALUE: usize = 1_000_000;
/// Global values one request may put. Each waits for the disk, with others; a thousand of them are a loop.
pub const GLOBAL_PUTS: u32 = 1_000;
/// Global values whose size was told and that wait to be fetched, a newer one in place of the oldest. The SDK fetches
/// each at once.
pub const GLOBALS_WAITING: usize = 64;

/// Artefacts held open. Each takes about 100 KiB, one descriptor and three mappings, so 256 stay well below the
/// usual 1,024 descriptors.
pub const OPEN_ARTEFACTS: u64 = 256;
/// An artefact nobody called for this long is closed.
pub const ARTEFACT_IDLE: Duration = Duration::from_secs(600);
/// Python's guests are 18 MiB; compiling takes about one CPU second per MiB.
pub const ARTEFACT_SIZE: ByteSize = ByteSize::from_mib(64);
/// Compilations at once. One already uses all cores.
pub const COMPILATIONS: usize = 1;

/// Frames of a trap's backtrace. The innermost ones name the culprit.
pub const BACKTRACE_FRAMES: usize = 20;
/// Bytes of a function's name in it. Names of generic functions are long, and a guest may have any.
pub const FUNCTION_NAME: usize = 256;
