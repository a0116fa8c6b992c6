//! The edge over real sockets on loopback, under a small application.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

mod admission;
mod app;
mod drain;
mod http1;
mod http2;
mod limits;
mod node;
mod smuggling;
mod tls;
