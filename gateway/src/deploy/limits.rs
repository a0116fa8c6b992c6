//! What a deploy may cost this node, each with its reason. How large the parts of a project may be says
//! `headgate_project::defaults`.

/// Each is a name to route and a certificate to sign, some 100 µs, each time a snapshot is published.
pub(super) const MAX_DOMAINS: usize = 1_000;

/// Revisions that are read and stored at one time. Each may hold a packed site and one of its files in
/// memory, and compressing uses all cores anyway.
pub(crate) const INGESTS: usize = 2;

/// Threads that prepare the files of one site. More would hold more files in memory than they save time.
pub(super) const MAX_THREADS: usize = 4;

/// Files below which one thread is enough.
pub(super) const FEW_FILES: usize = 8;

/// Reports of progress for one stage; more are not seen.
pub(super) const REPORTS: u64 = 100;
