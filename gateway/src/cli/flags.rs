//! Flags that `dev` and `run` share. Each has a variable; clap lets the flag win.

use std::{net::SocketAddr, num::NonZeroUsize, path::PathBuf};

use clap::Args;

use crate::node_config::{LogFormat, LogLevel, Overrides};

#[derive(Debug, Args)]
pub(super) struct NodeFlags {
    /// Listen here for HTTP; port 0 picks a free one; may be repeated
    #[arg(long, value_name = "ADDR:PORT", env = "HEADGATE_HTTP", hide_env_values = true, value_delimiter = ',', value_parser = address)]
    http: Option<Vec<SocketAddr>>,

    /// Listen here for HTTPS
    #[arg(long, value_name = "ADDR:PORT", env = "HEADGATE_HTTPS", hide_env_values = true, value_delimiter = ',', value_parser = address)]
    https: Option<Vec<SocketAddr>>,

    /// Answer DNS here, over UDP and TCP
    #[arg(long, value_name = "ADDR:PORT", env = "HEADGATE_DNS", hide_env_values = true, value_delimiter = ',', value_parser = address)]
    dns: Option<Vec<SocketAddr>>,

    /// Keep state (blobs, records, clones, native code) in this folder
    #[arg(long, value_name = "DIR", env = "HEADGATE_STATE", hide_env_values = true)]
    state: Option<PathBuf>,

    /// Where this node's admin socket is
    #[arg(long, value_name = "PATH", env = "HEADGATE_SOCKET", hide_env_values = true)]
    socket: Option<PathBuf>,

    /// Threads that answer requests [default: one per core]
    #[arg(long, value_name = "N", env = "HEADGATE_WORKERS", hide_env_values = true)]
    workers: Option<NonZeroUsize>,

    /// The least level that is logged
    #[arg(
        long,
        value_enum,
        value_name = "LEVEL",
        env = "HEADGATE_LOG_LEVEL",
        hide_env_values = true
    )]
    log_level: Option<LogLevel>,

    /// How log lines look; auto is text on a terminal and JSON elsewhere
    #[arg(
        long,
        value_enum,
        value_name = "FORMAT",
        env = "HEADGATE_LOG_FORMAT",
        hide_env_values = true
    )]
    log_format: Option<LogFormat>,
}

impl From<NodeFlags> for Overrides {
    fn from(flags: NodeFlags) -> Self {
        Self {
            state: flags.state,
            http: flags.http,
            https: flags.https,
            dns: flags.dns,
            admin_socket: flags.socket,
            workers: flags.workers,
            log_level: flags.log_level,
            log_format: flags.log_format,
        }
    }
}

fn address(text: &str) -> Result<SocketAddr, &'static str> {
    text.parse().map_err(|_| "write an IP address and a port, such as 127.0.0.1:8080 or [::1]:0")
}
