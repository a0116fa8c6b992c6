//! The binary `headgate`. Everything it does is in the library, beginning with `cli`.

use std::process::ExitCode;

fn main() -> ExitCode {
    // Two rustls providers are linked; whoever does not choose gets the one we choose, or a panic.
    let installed = rustls::crypto::aws_lc_rs::default_provider().install_default();
    debug_assert!(installed.is_ok(), "nothing installs a provider before main");
    headgate::cli::main()
}
