//! `headgate dns query`: one question to one name server, and its whole answer.

use headgate_dns::{
    Name, RecordType,
    client::{Found, Over, Question, Reply, ask},
};
use headgate_outbound::system_name_servers;
use serde_json::{Value, json};

use anyhow::{Context as _, anyhow};

use super::{PORT, name, server};
use crate::cli::{
    Verdict,
    ask::block_on,
    output::{Output, Paint, plain},
};

pub(super) const HELP: &str = "\
Asks the name server of this system unless another is named. An answer that does not fit into a
packet is fetched over TCP. Exits with 1 if the name does not exist or there is no answer.

Examples:
  headgate dns query shop.example.com
  headgate dns query example.com MX --server ns1.example.com
  headgate dns query shop.localhost --server 127.0.0.1:5353 --tcp";

#[derive(Debug, clap::Args)]
pub(in crate::cli) struct Arguments {
    /// The name, which is whole with or without its final dot
    #[arg(value_parser = name)]
    name: Name,

    /// The type of records: A, AAAA, MX, TXT, …, TYPE65280, ANY
    #[arg(default_value = "A", value_name = "TYPE", value_parser = kind)]
    kind: RecordType,

    /// The name server: an address, with a port or without, or a host's name
    #[arg(long, value_name = "ADDR")]
    server: Option<String>,

    /// Ask over TCP at once
    #[arg(long)]
    tcp: bool,
}

fn kind(text: &str) -> Result<RecordType, String> {
    let upper = text.to_ascii_uppercase();
    let number = upper.strip_prefix("TYPE").and_then(|number| number.parse::<u16>().ok());
    match number {
        Some(number) => Ok(number.into()),
        None => upper.parse().map_err(|_| "it is not a type of records".to_owned()),
    }
}

pub(super) fn run(arguments: Arguments, output: &Output) -> anyhow::Result<Verdict> {
    block_on(async {
        let Arguments { name, kind, server: named, tcp } = arguments;
        let address = match named {
            Some(named) => server(&named, PORT).await?,
            None => {
                *system_name_servers().first().ok_or_else(|| anyhow!("no name server is known"))?
            }
        };
        let question = Question { name, kind, recursion: true };
        let over = if tcp { Over::Tcp } else { Over::Udp };
        let asking = || format!("asking {address} for {} {kind}", question.name.to_ascii());
        let mut reply = ask(address, over, &question).await.with_context(asking)?;
        if reply.truncated && over == Over::Udp {
            reply = ask(address, Over::Tcp, &question).await.with_context(asking)?;
        }
        if output.is_json() {
            output.json(&as_json(&question, &address.to_string(), &reply))?;
        } else {
            output.text(&text(&address.to_string(), &reply, output))?;
        }
        Ok(if reply.rcode == "NOERROR" { Verdict::Well } else { Verdict::Problem })
    })
}

fn text(server: &str, reply: &Reply, output: &Output) -> String {
    let paint = if reply.rcode == "NOERROR" { Paint::Good } else { Paint::Bad };
    let mut text = output.paint(paint, &reply.rcode);
    for (is_so, words) in [
        (reply.authoritative, "authoritative"),
        (reply.truncated, "truncated"),
        (reply.recursion_available, "recursion available"),
    ] {
        if is_so {
            text.push_str(&format!(", {words}"));
        }
    }
    let took = reply.took.as_secs_f64() * 1000.0;
    text.push_str(&format!(
        "; {} bytes from {server} over {} in {took:.1} ms\n",
        reply.bytes,
        over(reply.over)
    ));
    for (section, records) in sections(reply) {
        if records.is_empty() {
            continue;
        }
        text.push_str(&format!("\n{}\n", output.paint(Paint::Faint, &format!("; {section}"))));
        for record in records {
            text.push_str(&format!("{}\n", plain(&record.to_string())));
        }
    }
    text
}

fn sections(reply: &Reply) -> [(&'static str, &[Found]); 3] {
    [
        ("answer", &reply.answers),
        ("authority", &reply.authorities),
        ("additional", &reply.additionals),
    ]
}

fn as_json(question: &Question, server: &str, reply: &Reply) -> Value {
    let record = |found: &Found| {
        json!({
            "name": found.name.to_ascii(),
            "ttl": found.ttl,
            "type": found.kind.to_string(),
            "value": found.value(),
        })
    };
    let mut value = json!({
        "name": question.name.to_ascii(),
        "type": question.kind.to_string(),
        "server": server,
        "over": over(reply.over),
        "rcode": reply.rcode,
        "authoritative": reply.authoritative,
        "truncated": reply.truncated,
        "recursion_available": reply.recursion_available,
        "bytes": reply.bytes,
        "took_ms": reply.took.as_secs_f64() * 1000.0,
    });
    for (section, records) in sections(reply) {
        value[section] = records.iter().map(record).collect();
    }
    value
}

const fn over(over: Over) -> &'static str {
    match over {
        Over::Udp => "UDP",
        Over::Tcp => "TCP",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn types_are_named_or_numbered() {
        assert_eq!(kind("mx"), Ok(RecordType::MX));
        assert_eq!(kind("type16"), Ok(RecordType::TXT));
        assert_eq!(kind("any"), Ok(RecordType::ANY));
        assert!(kind("MXX").is_err());
    }
}
