//! The client and the resolver against real servers on loopback.

#![expect(clippy::unwrap_used, reason = "helpers of tests fail like tests")]

mod bodies;
mod bounds;
mod connections;
mod lab;
mod names;
mod policy;
