//! Headgate beside the tools a user would pick instead, measured in one run on one machine.
//!
//! The figure is CPU time per operation of the *server's* process, not requests per second: it says
//! what a machine is worth, and it suffers least from what else the machine does. Contenders take turns
//! (ours, theirs, ours, theirs …), and of all turns the median is shown, the least beside it. Server and
//! client are kept on cores of their own; everything happens on loopback. A turn during which others
//! wanted these cores is taken again, and if that does not help, the table says so.
//!
//! ```text
//! main ── rows/* ──┬── Gateway   the real binary on a generated Project
//!                  ├── Peer      nginx, and the bare servers of src/bin
//!                  ├── Loop      a process that calls one thing over and over (src/bin/loop_*)
//!                  └── load      wrk and h2load, whose words become numbers
//!                        │
//!                  Line, summary.json
//! ```
//!
//! Not measured here: what needs the network of more than one machine, and how compilers fare.

pub mod bench;
pub mod binary;
pub mod child;
pub mod client;
pub mod gateway;
pub mod guest;
pub mod identity;
pub mod load;
pub mod looping;
pub mod machine;
pub mod measure;
pub mod peer;
pub mod pressure;
pub mod project;
pub mod report;
pub mod rows;
