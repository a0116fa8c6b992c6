//! The limits of a project, each with its reason. A project beyond one is explained, never half read.

use std::time::Duration;

use headgate_types::ByteSize;

/// Bytes of one YAML file. Hand-written ones have one or two kilobytes; a list of a thousand paths fits.
pub const MAX_YAML_FILE: u64 = 256 * 1024;

/// Bytes of all YAML files together: ten thousand functions of a few kilobytes each.
pub const MAX_YAML_TOTAL: u64 = 64 * 1024 * 1024;

/// YAML files of one project. The largest we plan for has ten thousand functions.
pub const MAX_YAML_FILES: usize = 20_000;

/// Nesting of one YAML file. What we read is four levels deep.
pub const MAX_YAML_DEPTH: usize = 32;

/// Values in one YAML file after its aliases were followed, so that no alias bomb unfolds.
pub const MAX_YAML_NODES: usize = 20_000;

/// Entries of one list or map of a resource, such as `paths` or `variables`.
pub const MAX_LIST: usize = 1_000;

/// Host, path and method combinations of one project. The route table is measured up to this size.
pub const MAX_ROUTES: usize = 100_000;

/// Characters of a resource's name: it becomes a DNS label in `dev` (RFC 1035 §2.3.4).
pub const MAX_NAME: usize = 63;

/// Bytes of one variable's value. Linux passes 128 KiB per string; settings are far smaller.
pub const MAX_VARIABLE: usize = 32 * 1024;

/// Bytes of a `.env` file.
pub const MAX_DOTENV: u64 = 256 * 1024;

/// Bytes of a function's artefact as it lies in the tree. Python components reach forty megabytes.
pub const MAX_ARTEFACT: u64 = 128 * 1024 * 1024;

/// Bytes of a function once it is unpacked.
pub const MAX_WASM: u64 = 256 * 1024 * 1024;

/// Bytes of a site's `build.zip`, held in memory while it is unpacked. The largest sites in use have some tens of
/// megabytes; videos belong into object storage.
pub const MAX_SITE_ARCHIVE: u64 = 128 * 1024 * 1024;

/// Files in a site's `build.zip`: twice the ten thousand a large site has.
pub const MAX_SITE_FILES: usize = 20_000;

/// Bytes of one file of a site, packed or not. It is in memory as a whole once, when it is stored.
pub const MAX_SITE_FILE: u64 = 128 * 1024 * 1024;

/// Bytes of all files of a `build.zip` together: four times the archive, which already is little compression.
pub const MAX_SITE_TOTAL: u64 = 512 * 1024 * 1024;

/// What a function may run for when nothing is written: longer than any honest page takes.
pub const DEFAULT_TIMEOUT: Duration = Duration::from_secs(30);

/// A function that runs longer is a job; an hour also bounds how long draining can take.
pub const MAX_TIMEOUT: Duration = Duration::from_secs(60 * 60);

/// What a function may use when nothing is written: enough for JavaScript and Python guests.
pub const DEFAULT_MEMORY: ByteSize = ByteSize::from_mib(128);

/// The address space of 32-bit WebAssembly.
pub const MAX_MEMORY: ByteSize = ByteSize::from_mib(4096);

/// WebAssembly memory comes in pages of this size; smaller limits are rounded up to one.
pub const MEMORY_PAGE: u64 = 64 * 1024;

/// How long resolvers may keep a record when nothing is written: what people wait for after a change.
pub const DEFAULT_TTL: Duration = Duration::from_mins(5);

/// Resolvers keep answers for half a minute at least, some longer, so that less is only more queries.
pub const MIN_TTL: Duration = Duration::from_secs(30);

/// A mistake that is kept for longer cannot be mended; many resolvers cut it to a day anyway.
pub const MAX_TTL: Duration = Duration::from_hours(7 * 24);

/// Values of all records of a domain. People write some dozens; zones of a provider have thousands, and
/// belong to one that transfers them.
pub const MAX_RECORDS: usize = 1_000;

/// Names that ALIAS records of a project lead to. The node looks each up again and again.
pub const MAX_ALIASES: usize = 20;

/// Bytes of all records of one name and type, a quarter of what one answer over TCP can hold: nobody
/// asks for that much but to send it to others.
pub const MAX_RECORD_SET: usize = 16 * 1024;

/// Names of a folder that are looked at to see whether it is a project. A project's top has a dozen, a
/// folder of downloads thousands.
pub const MAX_LOOKED_AT: usize = 10_000;

/// Problems kept of one severity; more are only counted. Ten thousand functions may each lack an `id`.
pub const MAX_DIAGNOSTICS: usize = 10_000;

/// Problems with one code that are printed in full; the others are counted in one line. Errors have to
/// be fixed one by one, so more of them are shown.
pub const MAX_PRINTED_ERRORS: usize = 50;
/// See [`MAX_PRINTED_ERRORS`].
pub const MAX_PRINTED_WARNINGS: usize = 5;
