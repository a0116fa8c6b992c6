//! The harness of the stories in `tests/e2e`: nodes, repositories, projects and clients, all of them real.
//!
//! ```text
//! Project | GitRepo ──► TestNode (the binary, in folders of its own) ◄── Client | Raw | the command line
//!                           └──► Upstream, NameServer, which its functions call
//! ```
//!
//! Every helper panics when what it was asked for does not happen: that is a failed test, and the panic
//! says what was seen. Nothing sleeps; whatever takes time is waited for with a deadline, [`PATIENCE`],
//! which is far above what is expected so that a busy machine does not fail a test.

mod authority;
mod client;
mod command;
mod events;
mod eventually;
mod git;
mod home;
mod kdig;
mod log;
mod metrics;
mod name_server;
mod natives;
mod node;
mod pebble;
mod process;
mod project;
mod raw;
mod scene;
mod upstream;

use std::{path::PathBuf, time::Duration};

pub use self::{
    authority::{Authority, Certificate},
    client::{Answer, Body, Client, Protocol, Stream, Upload, body, empty},
    command::headgate,
    eventually::eventually,
    git::GitRepo,
    kdig::{Dug, kdig},
    metrics::Metrics,
    name_server::NameServer,
    node::TestNode,
    pebble::{Pebble, Ports},
    project::{Project, fixture, guest},
    raw::Raw,
    scene::Scene,
    upstream::Upstream,
};

/// How long a test waits for what must happen.
pub const PATIENCE: Duration = Duration::from_secs(60);

/// The folder of this package.
fn tests() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR"))
}
