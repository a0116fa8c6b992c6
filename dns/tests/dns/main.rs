//! The name server from outside: its answers as messages, its sockets as clients see them, and beside
//! other servers that have the same zone.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]
#![expect(clippy::print_stderr, reason = "a test that is skipped says so")]

mod answers;
mod flood;
mod lab;
mod limits;
mod messages;
mod node;
mod peers;
mod properties;
mod reload;
mod wire;
mod zonemaster;
mod zones;
