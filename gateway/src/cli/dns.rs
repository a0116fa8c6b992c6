//! `headgate dns`: the zones of a node, and questions to name servers.

mod check;
mod query;
mod zones;

use std::net::{IpAddr, SocketAddr};

use anyhow::{Context as _, bail};
use clap::{Args, Subcommand};
use headgate_dns::Name;

use crate::cli::{Verdict, ask::NodeArguments, output::Output};

pub(super) const HELP: &str = "\
A node answers for the zone that node.yaml names, in which each project has <project>.<zone>, and
for the domains of what it serves. A project with several domain resources has a host for each as
well, <domain>.<project>.<zone>. In these names letters are lower case, and whatever is neither
letter nor digit is a hyphen. What is wrong with one zone leaves out that one.

Examples:
  headgate dns
  headgate dns records edge.example.org
  headgate dns export shop.example.com > shop.example.com.zone
  headgate dns query shop.example.com MX
  headgate dns check edge.example.com     what parent, name servers and registrar lack";

#[derive(Debug, Args)]
pub(super) struct Arguments {
    #[command(subcommand)]
    command: Option<Command>,

    #[command(flatten)]
    node: NodeArguments,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// List the records of a zone
    #[command(after_help = zones::RECORDS_HELP)]
    Records(zones::ZoneArguments),
    /// Write a zone as a zone file
    #[command(after_help = zones::EXPORT_HELP)]
    Export(zones::ZoneArguments),
    /// Ask a name server one question
    #[command(after_help = query::HELP)]
    Query(query::Arguments),
    /// Say whether a zone is delegated as it should be, and what to enter at its parent
    #[command(after_help = check::HELP)]
    Check(check::Arguments),
}

pub(super) fn run(arguments: Arguments, output: &Output) -> anyhow::Result<Verdict> {
    match arguments.command {
        None => zones::list(arguments.node, output),
        Some(Command::Records(zone)) => zones::records(zone, output),
        Some(Command::Export(zone)) => zones::export(zone, output),
        Some(Command::Query(arguments)) => query::run(arguments, output),
        Some(Command::Check(arguments)) => check::run(arguments, output),
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
