//! `headgate dns check`: what a zone's parent and servers lack, and what to enter.

use anyhow::Context as _;
use headgate_dns::Name;
use headgate_outbound::Resolver;
use serde_json::json;

use super::{PORT, name, server};
use crate::{
    cli::{
        Verdict,
        ask::block_on,
        output::{Output, Paint, count, plain},
        table::table,
    },
    delegation::{self, Options, Seen, Severity, judge, look, shown},
};

pub(super) const HELP: &str = "\
Asks the parent's servers who has the zone, then each of these over UDP and TCP, and compares: NS
records on both sides, glue, authority, versions, IPv6, and whether CAA records let the authority
issue. Exits with 1 if resolvers cannot find the zone, some of them or some of the time. Before
anything is delegated, run it on the gateway itself, or name the gateway with --server: it shows
what to enter at the parent.

Examples:
  headgate dns check edge.example.com
  headgate dns check edge.example.com --server 192.0.2.1
  headgate dns check edge.test --parent 127.0.0.1:5300 --port 5353 --output json";

#[derive(Debug, clap::Args)]
pub(in crate::cli) struct Arguments {
    #[arg(value_parser = name)]
    zone: Name,

    /// A server of the parent zone [default: all, found by looking the parent up]
    #[arg(long, value_name = "ADDR")]
    parent: Option<String>,

    /// A server that has the zone [default: those it is delegated to, else this machine]
    #[arg(long, value_name = "ADDR")]
    server: Option<String>,

    /// The port at which name servers are asked; the world asks at 53
    #[arg(long, default_value_t = PORT)]
    port: u16,

    /// The authority that issues certificates, as CAA records name it
    #[arg(long, default_value = "letsencrypt.org", value_name = "NAME")]
    ca: String,
}

pub(super) fn run(arguments: Arguments, output: &Output) -> anyhow::Result<Verdict> {
    block_on(async {
        let Arguments { zone, parent, server: named, port, ca } = arguments;
        let parent = match parent {
            Some(text) => Some(server(&text, port).await?),
            None => None,
        };
        let named = match named {
            Some(text) => Some(server(&text, port).await?),
            None => None,
        };
        let options = Options { zone, parent, server: named, port };
        let looking = || format!("looking at {}", shown(&options.zone));
        let seen = look(&options, &Resolver::system()).await.with_context(looking)?;
        let verdict = judge(&seen, &ca);
        if output.is_json() {
            output.json(&json!({
                "zone": options.zone.to_ascii(),
                "parent": seen.parent.iter().map(|parent| parent.address).collect::<Vec<_>>(),
                "servers": seen.servers.iter().map(server_json).collect::<Vec<_>>(),
                "findings": verdict.findings,
                "enter": verdict.enter,
            }))?;
        } else {
            output.text(&text(&seen, &verdict, output))?;
        }
        Ok(if verdict.has_errors() { Verdict::Problem } else { Verdict::Well })
    })
}

fn server_json(server: &delegation::ServerSeen) -> serde_json::Value {
    json!({
        "host": server.host.to_ascii(),
        "address": server.address,
        "serial": server.udp.as_ref().ok().and_then(|answer| answer.serial),
        "udp": state(&server.udp),
        "tcp": state(&server.tcp),
    })
}

fn text(seen: &Seen, verdict: &delegation::Verdict, output: &Output) -> String {
    let mut text = String::new();
    let rows: Vec<_> = seen
        .servers
        .iter()
        .map(|server| {
            let serial = server.udp.as_ref().ok().and_then(|answer| answer.serial);
            let serial = serial.map_or_else(String::new, |serial| serial.to_string());
            let host = plain(&shown(&server.host));
            [host, server.address.to_string(), state(&server.udp), state(&server.tcp), serial]
        })
        .collect();
    if !rows.is_empty() {
        text.push_str(&table(["NAME SERVER", "ADDRESS", "UDP", "TCP", "SERIAL"], &rows));
        text.push('\n');
    }
    for finding in &verdict.findings {
        let (word, paint) = match finding.severity {
            Severity::Error => ("error", Paint::Bad),
            Severity::Warning => ("warning", Paint::Attention),
        };
        let word = output.paint(paint, &format!("{word}[{}]", finding.code));
        text.push_str(&format!("{word}: {}\n", plain(&finding.message)));
        text.push_str(&format!("  = help: {}\n", plain(&finding.hint)));
    }
    let errors =
        verdict.findings.iter().filter(|finding| finding.severity == Severity::Error).count();
    let warnings = verdict.findings.len() - errors;
    match (errors, warnings) {
        (0, 0) => {
            let zone = plain(&shown(&seen.zone));
            text.push_str(&format!(
                "{} {zone} is delegated as it should be\n",
                output.paint(Paint::Good, "✓")
            ));
        }
        (0, warnings) => text.push_str(&format!("\n{}\n", count(warnings, "warning"))),
        (errors, 0) => text.push_str(&format!("\n{}\n", count(errors, "error"))),
        (errors, warnings) => {
            text.push_str(&format!(
                "\n{}, {}\n",
                count(errors, "error"),
                count(warnings, "warning")
            ));
        }
    }
    if verdict.enter.is_empty() {
        return text;
    }
    text.push_str(
        "\nWhat the parent zone is to hold, entered at the registrar or wherever it is kept:\n\n",
    );
    for entry in &verdict.enter {
        text.push_str(&format!(
            "{}  {}  {}\n",
            plain(&entry.name),
            entry.kind,
            plain(&entry.value)
        ));
    }
    text
}

fn state(answer: &Result<delegation::Answer, delegation::Silence>) -> String {
    match answer {
        Err(delegation::Silence::NoRoute) => "not asked".to_owned(),
        Err(delegation::Silence::Failed(_)) => "silent".to_owned(),
        Ok(answer) if answer.rcode != "NOERROR" => answer.rcode.clone(),
        Ok(answer) if !answer.authoritative => "no authority".to_owned(),
        Ok(_) => "ok".to_owned(),
    }
}
