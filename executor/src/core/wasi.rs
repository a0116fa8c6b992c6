//! WASI preview 1 for core guests.
//!
//! wasmtime's own gives files only by opening folders of this machine. Here they are [in memory](files), none when a
//! request begins and gone when it ends, below the folder `/`, which descriptor 3 stands for as in Taubyte. And it
//! ends a guest for a pointer that others answer with an error. All modules of a request share what is open.

mod codes;
mod descriptors;
mod fd;
mod files;
mod guest;
mod path;
mod poll;
mod process;

use std::time::Instant;

use wasmtime::Linker;

use self::descriptors::Descriptors;
use super::State;

/// The module WASI's functions are imported from.
const WASI: &str = "wasi_snapshot_preview1";

/// What WASI knows of one request.
pub(super) struct Wasi {
    /// Made when a guest first asks; many never do.
    descriptors: Option<Box<Descriptors>>,
    /// Where the monotonic clock begins.
    begun: Instant,
}

pub(super) fn add_to_linker(linker: &mut Linker<State>) -> wasmtime::Result<()> {
    process::add_to_linker(linker)?;
    fd::add_to_linker(linker)?;
    path::add_to_linker(linker)?;
    poll::add_to_linker(linker)
}

impl Wasi {
    pub(super) fn new() -> Self {
        Self { descriptors: None, begun: Instant::now() }
    }
}
