//! The executor from outside: real guests, and small ones in WebAssembly text for what those do not do.

#[expect(clippy::unwrap_used, reason = "helpers of tests fail like tests")]
mod abi;
mod admission;
mod artefacts;
mod async_components;
mod components;
mod core_guests;
#[expect(clippy::unwrap_used, reason = "helpers of tests fail like tests")]
mod lab;
mod limits;
#[expect(clippy::unwrap_used, reason = "helpers of tests fail like tests")]
mod linked;
mod logs;
mod start_up;
