//! `headgate dns`: questions to name servers.

mod check;
mod query;

use std::net::{IpAddr, SocketAddr};

use anyhow::{Context as _, bail};
use clap::Subcommand;
use headgate_dns::Name;

use crate::cli::{Verdict, output::Output};

pub(super) const HELP: &str = "\
Examples:
  headgate dns query shop.example.com MX
  headgate dns check edge.example.com";

#[derive(Debug, Subcommand)]
pub(super) enum Command {
    /// Ask a name server one question
    #[command(after_help = query::HELP)]
    Query(query::Arguments),
    /// Say whether a zone is delegated as it should be, and what to enter at its parent
    #[command(after_help = check::HELP)]
    Check(check::Arguments),
}

impl Command {
    pub(super) fn run(self, output: &Output) -> anyhow::Result<Verdict> {
        match self {
            Self::Query(arguments) => query::run(arguments, output),
            Self::Check(arguments) => check::run(arguments, output),
        }
    }
}

/// The port name servers listen on (RFC 1035 §4.2).
const PORT: u16 = 53;

/// A name as it stands, from the root on.
fn name(text: &str) -> Result<Name, String> {
    let mut name = Name::from_ascii(text).map_err(|_| "it is not a domain name".to_owned())?;
    name.set_fqdn(true);
    Ok(name)
}

/// An address with or without a port, or a host's name.
async fn server(text: &str, port: u16) -> anyhow::Result<SocketAddr> {
    let bare = text.trim_start_matches('[').trim_end_matches(']');
    if let Ok(ip) = bare.parse::<IpAddr>() {
        return Ok(SocketAddr::new(ip, port));
    }
    if let Ok(address) = text.parse::<SocketAddr>() {
        return Ok(address);
    }
    let (host, port) = match text.rsplit_once(':') {
        Some((host, number)) => {
            (host, number.parse().with_context(|| format!("`{number}` is no port"))?)
        }
        None => (text, port),
    };
    let found = tokio::net::lookup_host((host, port)).await;
    let found = found.with_context(|| format!("looking up the name server {host}"))?;
    let Some(address) = found.into_iter().next() else { bail!("{host} has no address") };
    Ok(address)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_server_is_named_by_address_with_or_without_a_port() {
        for (text, expected) in [
            ("192.0.2.1", "192.0.2.1:53"),
            ("192.0.2.1:5353", "192.0.2.1:5353"),
            ("2001:db8::1", "[2001:db8::1]:53"),
            ("[2001:db8::1]", "[2001:db8::1]:53"),
            ("[2001:db8::1]:5353", "[2001:db8::1]:5353"),
        ] {
            assert_eq!(server(text, PORT).await.unwrap().to_string(), expected);
        }
        assert!(server("192.0.2.1:dns", PORT).await.is_err());
        assert!(name("a..b").is_err());
        assert_eq!(name("Shop.example").unwrap().to_ascii(), "Shop.example.");
    }
}
