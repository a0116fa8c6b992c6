//! `headgate dns`, `dns records` and `dns export`: the zones of a running node, their records, and what was asked.

use clap::Args;
use headgate_dns::zone_file::Row;
use headgate_project::diagnostic::closest;
use headgate_types::ProjectName;

use crate::{
    admin::{
        client::{Client, ClientError},
        wire::{NamesStatus, RecordRow, ZoneRow},
    },
    cli::{
        Verdict,
        ask::{NodeArguments, block_on, passed_on},
        output::{Output, Paint, plain},
        table::table,
    },
};

pub(super) const RECORDS_HELP: &str = "\
Example:
  headgate dns records edge.example.org --output json";

pub(super) const EXPORT_HELP: &str = "\
As other servers read it (RFC 1035). It is what is answered now, serial included.

Example:
  headgate dns export edge.example.org > edge.example.org.zone";

#[derive(Debug, Args)]
pub(super) struct ZoneArguments {
    /// The zone, as `headgate dns` lists it
    zone: String,

    #[command(flatten)]
    node: NodeArguments,
}

const PATH: &str = "/dns";

pub(super) fn list(node: NodeArguments, output: &Output) -> anyhow::Result<Verdict> {
    let client = node.client();
    block_on(async {
        if output.is_json() {
            return passed_on(&client, PATH, output).await;
        }
        let status: NamesStatus = client.json(PATH).await?;
        output.text(&zones_text(&status, output))?;
        Ok(Verdict::Well)
    })
}

pub(super) fn records(arguments: ZoneArguments, output: &Output) -> anyhow::Result<Verdict> {
    of_zone(arguments, records_text, output)
}

pub(super) fn export(arguments: ZoneArguments, output: &Output) -> anyhow::Result<Verdict> {
    of_zone(arguments, file_text, output)
}

fn of_zone(
    arguments: ZoneArguments,
    written: fn(&[RecordRow]) -> String,
    output: &Output,
) -> anyhow::Result<Verdict> {
    let ZoneArguments { zone, node } = arguments;
    let client = node.client();
    block_on(async {
        // What no name has would not pass as part of a path either.
        let named = zone.chars().all(|c| c.is_ascii_alphanumeric() || "-_.".contains(c));
        let path = format!("/dns/zone?name={zone}");
        let found = match named {
            true => client.json::<Vec<RecordRow>>(&path).await.map(Some),
            false => Ok(None),
        };
        let rows = match found {
            Ok(Some(rows)) => rows,
            Ok(None) | Err(ClientError::Refused { .. }) => {
                return unknown(&client, &zone, output).await;
            }
            Err(error) => return Err(error.into()),
        };
        if output.is_json() {
            output.json(&rows)?;
        } else {
            output.text(&written(&rows))?;
        }
        Ok(Verdict::Well)
    })
}

async fn unknown(client: &Client, zone: &str, output: &Output) -> anyhow::Result<Verdict> {
    let status: NamesStatus = client.json(PATH).await?;
    let known = || status.zones.iter().map(|row| row.zone.as_str());
    let error = output.paint_error(Paint::Bad, "error");
    let help = output.paint_error(Paint::Strong, "help");
    let mut text = format!("{error}: this node has no zone `{}`\n", plain(zone));
    match closest(zone, known()) {
        Some(meant) => text.push_str(&format!("  {help}: did you mean `{}`?\n", plain(meant))),
        None => text.push_str(&format!("  {help}: `headgate dns` lists those there are\n")),
    }
    output.error_text(&text);
    Ok(Verdict::Problem)
}

fn zones_text(status: &NamesStatus, output: &Output) -> String {
    if !status.enabled {
        return "This node answers no DNS. Add `zone` to node.yaml, or `dns` for the domains of projects alone.\n"
            .to_owned();
    }
    let mut text = match &status.listen[..] {
        [] => "Answered nowhere: `dns: {listen: …}` names no address.\n".to_owned(),
        addresses => {
            let addresses: Vec<_> = addresses.iter().map(ToString::to_string).collect();
            format!("Answered at {}\n", addresses.join(", "))
        }
    };
    if !status.tls.is_empty() {
        let addresses: Vec<_> = status.tls.iter().map(ToString::to_string).collect();
        text.push_str(&format!("Over TLS at {}\n", addresses.join(", ")));
    }
    if status.zones.is_empty() {
        text.push_str("\nThere is no zone yet: no project with a domain is served.\n");
    } else {
        let cells: Vec<_> = status.zones.iter().map(cells).collect();
        text.push('\n');
        text.push_str(&table(["ZONE", "SERIAL", "RECORDS", "QUERIES", "PROJECTS"], &cells));
    }
    let mark = output.paint(Paint::Bad, "✗");
    for problem in &status.problems {
        let whose = problem.project.as_ref().map(|project| format!(" of {project}"));
        let (zone, problem) = (plain(&problem.zone), plain(&problem.problem));
        text.push_str(&format!("\n{mark} {zone}{}: {problem}\n", whose.unwrap_or_default()));
    }
    let counts = status.unanswered;
    let queries = if counts.off_zone == 1 { "query" } else { "queries" };
    text.push_str(&format!(
        "\n{} {queries} of no zone here, {} malformed, {} limited ({} of them dropped)\n",
        counts.off_zone,
        counts.malformed,
        counts.slipped + counts.dropped,
        counts.dropped,
    ));
    text
}

fn cells(row: &ZoneRow) -> [String; 5] {
    let projects: Vec<_> = row.projects.iter().map(ProjectName::as_str).collect();
    let whose = if projects.is_empty() { "-".to_owned() } else { projects.join(", ") };
    [
        plain(&row.zone),
        row.serial.to_string(),
        row.records.to_string(),
        row.queries.to_string(),
        whose,
    ]
}

fn records_text(rows: &[RecordRow]) -> String {
    let cells: Vec<_> = rows
        .iter()
        .map(|row| [plain(&row.owner), row.ttl.to_string(), plain(&row.kind), plain(&row.data)])
        .collect();
    table(["NAME", "TTL", "TYPE", "DATA"], &cells)
}

fn file_text(rows: &[RecordRow]) -> String {
    let row = |row: &RecordRow| Row {
        owner: plain(&row.owner),
        ttl: row.ttl,
        kind: plain(&row.kind),
        data: plain(&row.data),
    };
    rows.iter().map(|record| format!("{}\n", row(record))).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        admin::wire::{UnansweredRow, ZoneProblemRow},
        cli::output::OutputFormat,
    };

    fn status() -> NamesStatus {
        NamesStatus {
            enabled: true,
            listen: vec!["192.0.2.1:53".parse().unwrap()],
            tls: Vec::new(),
            zones: vec![ZoneRow {
                zone: "edge.example.org".to_owned(),
                serial: 1_767_268_800,
                records: 9,
                projects: Vec::new(),
                queries: 12,
            }],
            problems: vec![ZoneProblemRow {
                zone: "shop.example.com".to_owned(),
                project: Some("shop".parse().unwrap()),
                problem: "x.shop.example.com.: an alias".to_owned(),
            }],
            unanswered: UnansweredRow { off_zone: 2, malformed: 1, slipped: 3, dropped: 4 },
        }
    }

    fn output() -> Output {
        Output::detect(OutputFormat::Json) // without colours, whatever the tests run on
    }

    #[test]
    fn zones_are_a_table_with_what_is_wrong_below() {
        let text = zones_text(&status(), &output());
        let lines: Vec<_> = text.lines().collect();
        assert_eq!(lines[0], "Answered at 192.0.2.1:53");
        assert_eq!(lines[3], "edge.example.org  1767268800  9        12       -");
        assert_eq!(lines[5], "✗ shop.example.com of shop: x.shop.example.com.: an alias");
        assert_eq!(
            lines[7],
            "2 queries of no zone here, 1 malformed, 7 limited (4 of them dropped)"
        );
    }

    #[test]
    fn a_node_without_dns_says_how_to_have_it() {
        let text = zones_text(&NamesStatus::default(), &output());
        assert!(text.contains("Add `zone` to node.yaml"), "{text}");
    }

    #[test]
    fn a_zone_file_has_a_line_for_each_record() {
        let row = RecordRow {
            owner: "example.com.".to_owned(),
            ttl: 300,
            kind: "TXT".to_owned(),
            data: r#""a b""#.to_owned(),
        };
        assert_eq!(file_text(&[row]), "example.com.\t300\tIN\tTXT\t\"a b\"\n");
    }
}
