//! `headgate domains`: whose the hosts of a running node are, and what their owners enter in DNS.

use headgate_ownership::{Ownership, Proof, Record, Value};

use crate::{
    admin::DomainRow,
    cli::{
        Verdict,
        ask::{NodeArguments, block_on, passed_on},
        output::{Output, plain},
        table::table,
    },
};

pub(super) const HELP: &str = "\
A host is shown to be a project's by a TXT record that only this node's key can make for the two
of them; the owner of the host enters it. Nothing is looked up yet: until DNS is served here, a
host goes to the first project that names it.

Example:
  headgate domains --output json";

pub(super) fn run(node: NodeArguments, output: &Output) -> anyhow::Result<Verdict> {
    let client = node.client();
    block_on(async {
        if output.is_json() {
            return passed_on(&client, "/domains", output).await;
        }
        let rows: Vec<DomainRow> = client.json("/domains").await?;
        output.text(&text(&rows))?;
        Ok(Verdict::Well)
    })
}

fn text(rows: &[DomainRow]) -> String {
    if rows.is_empty() {
        return "No host is served yet. `headgate status` says why.\n".to_owned();
    }
    let cells: Vec<_> = rows
        .iter()
        .map(|row| {
            let state = match &row.ownership {
                Ownership::Trusted => "trusted",
                Ownership::Verified { by: Proof::Token } => "verified by a record",
                Ownership::Verified { by: Proof::Taubyte } => "verified by Taubyte",
                Ownership::Verified { by: Proof::Generated } => "generated",
                Ownership::Pending { .. } => "pending",
            };
            let record = match &row.ownership {
                Ownership::Pending { enter } => enter.first().map(record_text),
                _ => None,
            };
            let (host, project) = (plain(&row.host), row.project.to_string());
            [host, project, state.to_owned(), record.unwrap_or_default()]
        })
        .collect();
    let mut text = table(["HOST", "PROJECT", "STATE", "ENTER IN DNS"], &cells);
    if rows.iter().any(|row| !row.checked && row.ownership != Ownership::Trusted) {
        text.push_str(
            "\nNot checked yet, and served all the same: enforcement comes with DNS. Records that are\n\
             entered now will do then.\n",
        );
    }
    text
}

/// As it stands in a zone file.
fn record_text(record: &Record) -> String {
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

    #[test]
    fn a_pending_host_is_shown_with_its_record_and_the_truth() {
        let row = |ownership: Ownership| DomainRow {
            host: "x.org".to_owned(),
            project: "shop".parse().unwrap(),
            branch: Branch::new("main"),
            checked: false,
            ownership,
        };
        let record = Record {
            kind: RecordKind::Txt,
            name: "_headgate.x.org".to_owned(),
            value: Value::Text("headgate-v1=abc".to_owned()),
        };
        let pending = text(&[row(Ownership::Pending { enter: vec![record] })]);
        let line = "x.org  shop     pending  _headgate.x.org. TXT \"headgate-v1=abc\"";
        assert_eq!(pending.lines().nth(1), Some(line));
        assert!(pending.contains("Not checked yet"), "{pending}");
        let trusted = text(&[row(Ownership::Trusted)]);
        assert!(trusted.contains("trusted") && !trusted.contains("Not checked"), "{trusted}");
    }
}
