//! The ACME engine against a real authority, Debian's `pebble`, which looks names up at our own
//! name server and is reached through a proxy that counts, delays and breaks what passes.
//!
//! Without `pebble` these tests say so and pass; `tests/prepare` installs it.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]
#![expect(clippy::print_stderr, reason = "a test that is skipped says so")]

mod faults;
mod hosts;
mod issuance;
mod kills;
mod lab;
mod pebble;
mod proxy;
mod renewals;
mod scale;
