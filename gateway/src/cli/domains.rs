//! `headgate domains`: whose the hosts of a running node are, and what their owners enter in DNS.

use clap::{Args, Subcommand};
use headgate_ownership::{Ownership, Proof, Record, Value};
use headgate_types::{Clock, HostPattern, SystemClock, Timestamp};

use crate::{
    admin::{DomainRow, client::ClientError, wire::CheckHost},
    cli::{
        Verdict,
        ask::{NodeArguments, ago, block_on, passed_on},
        output::{Output, plain},
        table::table,
    },
};

pub(super) const HELP: &str = "\
A host is shown to be a project's by a TXT record that only this node's key can make for the two
of them; the owner of the host enters it, and leaves it there. With `ownership: verify` in
node.yaml, for all projects or for one, a host is served once the record is found: it is asked for
within seconds at first, then ever more rarely, half an hour apart at most. A verified host is
asked for once a day, and stays for three days after its record is gone. While name servers are
silent, nothing changes.

Examples:
  headgate domains
  headgate domains --output json
  headgate domains check shop.example.com   asks DNS now";

const CHECK_HELP: &str = "\
Exits with 1 if the host is not served.

Example:
  headgate domains check '*.shop.example.com'";

#[derive(Debug, Args)]
pub(super) struct Arguments {
    #[command(subcommand)]
    command: Option<Command>,

    #[command(flatten)]
    node: NodeArguments,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Ask DNS now whose a host is, and serve it if it is its project's
    #[command(after_help = CHECK_HELP)]
    Check {
        /// The host, as its project names it
        host: HostPattern,

        #[command(flatten)]
        node: NodeArguments,
    },
}

pub(super) fn run(arguments: Arguments, output: &Output) -> anyhow::Result<Verdict> {
    match arguments.command {
        None => list(arguments.node, output),
        Some(Command::Check { host, node }) => check(host, node, output),
    }
}

fn list(node: NodeArguments, output: &Output) -> anyhow::Result<Verdict> {
    let client = node.client();
    block_on(async {
        if output.is_json() {
            return passed_on(&client, "/domains", output).await;
        }
        let rows: Vec<DomainRow> = client.json("/domains").await?;
        output.text(&text(&rows, SystemClock.now()))?;
        Ok(Verdict::Well)
    })
}

fn check(host: HostPattern, node: NodeArguments, output: &Output) -> anyhow::Result<Verdict> {
    let client = node.client();
    block_on(async {
        let answer = client.order("/domains/check", &CheckHost { host }).await?;
        let rows: Vec<DomainRow> =
            serde_json::from_slice(&answer).map_err(|error| ClientError::Answer(error.into()))?;
        match output.is_json() {
            true => output.text(&String::from_utf8_lossy(&answer))?,
            false => output.text(&text(&rows, SystemClock.now()))?,
        }
        let served = rows.iter().any(|row| row.served);
        Ok(if served { Verdict::Well } else { Verdict::Problem })
    })
}

fn text(rows: &[DomainRow], now: Timestamp) -> String {
    if rows.is_empty() {
        return "No host is served yet. `headgate status` says why.\n".to_owned();
    }
    let cells: Vec<_> = rows
        .iter()
        .map(|row| {
            let record = match &row.ownership {
                Ownership::Pending { enter } => enter.first().map(record_text),
                _ => None,
            };
            let (host, project) = (plain(&row.host), row.project.to_string());
            [host, project, state(row), looks(row, now), record.unwrap_or_default()]
        })
        .collect();
    let mut text = table(["HOST", "PROJECT", "STATE", "ASKED", "ENTER IN DNS"], &cells);
    let said = rows.iter().filter_map(|row| Some((row, row.said.as_ref()?)));
    for (n, (row, said)) in said.enumerate() {
        text.push_str(if n == 0 { "\n" } else { "" });
        text.push_str(&format!("{} ({}): {}\n", plain(&row.host), row.project, plain(said)));
    }
    let pending = |row: &DomainRow| matches!(row.ownership, Ownership::Pending { .. });
    if rows.iter().any(|row| !row.enforced && pending(row)) {
        text.push_str(
            "\nNot checked and served all the same, because node.yaml trusts these projects. Records that\n\
             are entered now will do when it says `ownership: verify`.\n",
        );
    }
    text
}

fn state(row: &DomainRow) -> String {
    let state = match &row.ownership {
        Ownership::Trusted => "trusted",
        Ownership::Verified { by: Proof::Token } => "verified by a record",
        Ownership::Verified { by: Proof::Taubyte } => "verified by Taubyte",
        Ownership::Verified { by: Proof::Generated } => "generated",
        Ownership::Pending { .. } => "pending",
    };
    match row.enforced && !row.served {
        true => format!("{state}, not served"),
        false => state.to_owned(),
    }
}

/// When DNS was asked, and will be.
fn looks(row: &DomainRow, now: Timestamp) -> String {
    let asked = row.looked_at.map(|at| ago(now.since(at)));
    let next = row.next_at.filter(|_| row.enforced).map(|at| match at.since(now) {
        soon if soon.is_zero() => "now".to_owned(),
        later => format!("again in {}", ago(later).trim_end_matches(" ago")),
    });
    asked.into_iter().chain(next).collect::<Vec<_>>().join(", ")
}

/// As it stands in a zone file.
pub(super) fn record_text(record: &Record) -> String {
    let name = plain(&record.name);
    match &record.value {
        Value::Text(text) => format!("{name}. TXT \"{}\"", plain(text)),
        Value::From(whom) => format!("{name}. TXT, from {}", plain(whom)),
    }
}

#[cfg(test)]
mod tests {
    use headgate_ownership::RecordKind;
    use headgate_types::Branch;

    use super::*;

    const NOW: Timestamp = Timestamp::from_millis(1_767_268_800_000);

    fn row(ownership: Ownership) -> DomainRow {
        DomainRow {
            host: "x.org".to_owned(),
            project: "shop".parse().unwrap(),
            branch: Branch::new("main"),
            checked: false,
            enforced: false,
            served: true,
            looked_at: None,
            next_at: None,
            said: None,
            ownership,
        }
    }

    fn pending() -> Ownership {
        let record = Record {
            kind: RecordKind::Txt,
            name: "_headgate.x.org".to_owned(),
            value: Value::Text("headgate-v1=abc".to_owned()),
        };
        Ownership::Pending { enter: vec![record] }
    }

    #[test]
    fn a_host_that_is_trusted_is_shown_with_its_record_and_the_truth() {
        let told = text(&[row(pending())], NOW);
        let line = "x.org  shop     pending         _headgate.x.org. TXT \"headgate-v1=abc\"";
        assert_eq!(told.lines().nth(1), Some(line));
        assert!(told.contains("Not checked"), "{told}");
        let trusted = text(&[row(Ownership::Trusted)], NOW);
        assert!(trusted.contains("trusted") && !trusted.contains("Not checked"), "{trusted}");
    }

    #[test]
    fn a_host_that_waits_for_its_owner_says_so() {
        let minute = std::time::Duration::from_secs(60);
        let waiting = DomainRow {
            checked: true,
            enforced: true,
            served: false,
            looked_at: Some(NOW.before(minute)),
            next_at: Some(NOW.after(minute * 2)),
            said: Some("there is no TXT record at _headgate.x.org".to_owned()),
            ..row(pending())
        };
        let told = text(&[waiting], NOW);
        let lines: Vec<_> = told.lines().skip(1).collect();
        let record = "_headgate.x.org. TXT \"headgate-v1=abc\"";
        let first =
            format!("x.org  shop     pending, not served  1 min ago, again in 2 min  {record}");
        let why = "x.org (shop): there is no TXT record at _headgate.x.org";
        assert_eq!(lines, [&*first, "", why]);
    }
}
