//! Headgate: an edge HTTP gateway appliance in one binary.
//!
//! ```text
//! repository ─► follow ─► deploy ─► publisher ─► Snapshot (generation n), one ArcSwap
//!                                                     │ read, never waited for
//! client ─► edge (TCP, TLS, limits) ─► proxy ─► route ┴─► function (executor) │ website (blobs)
//! operator ─► cli ─► admin
//! ```
//!
//! Data flows one way. [`app`] constructs every subsystem and is the only file that names them all;
//! `gateway/ARCHITECTURE.md` has the map and the invariants.

pub mod admin;
pub mod app;
pub mod blob_cache;
pub mod certificates;
pub mod cli;
pub mod delegation;
pub mod deploy;
pub mod domains;
pub mod event;
pub mod follow;
pub mod functions;
mod globals;
pub mod guest_log;
#[cfg(test)]
mod lab;
pub mod log_hub;
pub mod logging;
mod loops;
pub mod manifest;
pub mod metrics;
pub mod node_config;
mod ordering;
mod outbound;
pub mod policy;
pub mod proxy;
pub mod publisher;
pub mod revisions;
pub mod snapshot;
pub mod status;
pub mod template;
pub mod urls;
pub mod zones;
