//! The executor from outside: real guests, and small ones in WebAssembly text for what those do not do.

#[expect(clippy::unwrap_used, reason = "helpers of tests fail like tests")]
mod abi;
mod admission;
mod artefacts;
#[expect(clippy::unwrap_used, reason = "helpers of tests fail like tests")]
mod async_components;
#[expect(clippy::unwrap_used, reason = "helpers of tests fail like tests")]
mod battery;
#[expect(clippy::unwrap_used, reason = "helpers of tests fail like tests")]
mod calls;
mod components;
mod core_guests;
#[expect(clippy::unwrap_used, reason = "helpers of tests fail like tests")]
mod every_call;
mod files;
mod global_values;
#[expect(clippy::unwrap_used, reason = "helpers of tests fail like tests")]
mod handing_over;
mod hoarding;
#[expect(clippy::unwrap_used, reason = "helpers of tests fail like tests")]
mod lab;
mod limits;
#[expect(clippy::unwrap_used, reason = "helpers of tests fail like tests")]
mod linked;
mod logs;
mod resting;
mod start_up;
#[expect(clippy::unwrap_used, reason = "helpers of tests fail like tests")]
mod upstream;
mod values;
