//! The real binary, as a person and a script meet it: help, exit codes, output, errors.
//!
//! What `dev` and `run` serve over HTTP is told in the stories of `headgate-tests`.
#![expect(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

mod ask;
mod check;
mod dns;
mod harness;
mod help;
mod new;
mod run_function;
mod serve;
