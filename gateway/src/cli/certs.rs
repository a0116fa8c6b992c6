//! `headgate certs`: the certificates of a running node, and what comes next for each.

use std::{fs, path::PathBuf, time::Duration};

use anyhow::Context as _;
use clap::{Args, Subcommand};
use headgate_types::{Clock, HostPattern, SystemClock, Timestamp};

use crate::{
    admin::{
        client::ClientError,
        wire::{
            CertificateRow, CertificateState, CertificatesStatus, ImportPem, ImportedRow, LimitRow,
            RenewHost, RenewedRow,
        },
    },
    cli::{
        Verdict,
        ask::{NodeArguments, ago, block_on, passed_on},
        output::{Output, count, plain},
        table::table,
    },
};

pub(super) const HELP: &str = "\
With `tls: {authority: acme}` in node.yaml, every host that is served gets a certificate of an
authority that everybody trusts (Let's Encrypt, unless `tls.acme.directory` names another), and
whoever writes that agrees to the authority's terms. Nobody orders or renews one. Names in the
zone of node.yaml, and in domains that are delegated to this node, are proved by DNS, together
with their wildcard; other hosts prove themselves, over port 443 or 80. Until its certificate is
there, a host answers over HTTPS with one of the node's own authority, and nobody is sent there.

Examples:
  headgate certs
  headgate certs --output json
  headgate certs renew shop.example.com   now, due or not
  headgate certs import shop.pem          one that you have: chain and key";

const RENEW_HELP: &str = "\
Authorities count: a certificate with the same names is given a few times a week.

Example:
  headgate certs renew '*.edge.example.org'";

const IMPORT_HELP: &str = "\
The file holds the chain, the host's own certificate first, and its private key, as PEM. It is
shown while it is valid, before one that was ordered, and is replaced in time by one.

Example:
  headgate certs import shop.pem";

#[derive(Debug, Args)]
pub(super) struct Arguments {
    #[command(subcommand)]
    command: Option<Command>,

    #[command(flatten)]
    node: NodeArguments,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Order the certificate of a host anew, now
    #[command(after_help = RENEW_HELP)]
    Renew {
        /// A host, or the wildcard it is for
        name: HostPattern,

        #[command(flatten)]
        node: NodeArguments,
    },
    /// Have the node keep and show a certificate of yours
    #[command(after_help = IMPORT_HELP)]
    Import {
        /// PEM: the chain and the private key
        file: PathBuf,

        #[command(flatten)]
        node: NodeArguments,
    },
}

pub(super) fn run(arguments: Arguments, output: &Output) -> anyhow::Result<Verdict> {
    match arguments.command {
        None => list(arguments.node, output),
        Some(Command::Renew { name, node }) => renew(name, node, output),
        Some(Command::Import { file, node }) => import(file, node, output),
    }
}

fn list(node: NodeArguments, output: &Output) -> anyhow::Result<Verdict> {
    let client = node.client();
    block_on(async {
        if output.is_json() {
            return passed_on(&client, "/certs", output).await;
        }
        let status: CertificatesStatus = client.json("/certs").await?;
        output.text(&text(&status, SystemClock.now()))?;
        Ok(Verdict::Well)
    })
}

fn renew(host: HostPattern, node: NodeArguments, output: &Output) -> anyhow::Result<Verdict> {
    let client = node.client();
    block_on(async {
        let answer = client.order("/certs/renew", &RenewHost { host }).await?;
        let RenewedRow { certificates } = parsed(&answer)?;
        match output.is_json() {
            true => output.text(&String::from_utf8_lossy(&answer))?,
            false => output.text(&format!(
                "{} ordered anew; `headgate certs` shows what becomes of it.\n",
                count(certificates, "certificate")
            ))?,
        }
        Ok(Verdict::Well)
    })
}

fn import(file: PathBuf, node: NodeArguments, output: &Output) -> anyhow::Result<Verdict> {
    let pem = fs::read_to_string(&file).with_context(|| format!("reading {}", file.display()))?;
    let client = node.client();
    block_on(async {
        let answer = client.order("/certs/import", &ImportPem { pem }).await?;
        let imported: ImportedRow = parsed(&answer)?;
        match output.is_json() {
            true => output.text(&String::from_utf8_lossy(&answer))?,
            false => output.text(&format!(
                "The certificate for {} is kept and shown, until {}.\n",
                names(&imported.names),
                imported.not_after
            ))?,
        }
        Ok(Verdict::Well)
    })
}

fn parsed<T: serde::de::DeserializeOwned>(answer: &[u8]) -> Result<T, ClientError> {
    serde_json::from_slice(answer).map_err(|error| ClientError::Answer(error.into()))
}

fn text(status: &CertificatesStatus, now: Timestamp) -> String {
    let Some(directory) = &status.directory else {
        return "This node's own authority signs every certificate. `tls: {authority: acme}` in \
                node.yaml has them\nordered from one that everybody trusts.\n"
            .to_owned();
    };
    let mut text = match status.certificates.is_empty() {
        true => format!("No host wants a certificate of {} yet.\n", plain(directory)),
        false => {
            let cells: Vec<_> = status.certificates.iter().map(|row| cells(row, now)).collect();
            table(["NAMES", "STATE", "ISSUER", "ENDS", "NEXT"], &cells)
        }
    };
    let mut trouble = String::new();
    for row in &status.certificates {
        let Some(error) = &row.last_error else { continue };
        trouble.push_str(&format!("{}: {}\n", names(&row.names), plain(error)));
        if let Some(advice) = &row.advice {
            trouble.push_str(&format!("  {}\n", plain(advice)));
        }
    }
    for one in &status.unordered {
        trouble.push_str(&format!("{}: not ordered: {}\n", one.host, plain(&one.why)));
    }
    if !trouble.is_empty() {
        text.push_str(&format!("\n{trouble}"));
    }
    let limits: Vec<_> = status.limits.iter().filter(|limit| limit.used > 0).map(limit).collect();
    if !limits.is_empty() {
        text.push_str(&format!("\nUsed of what {} allows:\n", plain(directory)));
        text.push_str(&limits.concat());
    }
    text
}

fn cells(row: &CertificateRow, now: Timestamp) -> [String; 5] {
    let state = match row.state {
        CertificateState::Valid if row.imported => "valid, imported",
        CertificateState::Valid => "valid",
        CertificateState::Expired => "expired",
        CertificateState::Missing => "none yet",
    };
    let next = match row.next_at.map(|at| at.since(now)) {
        None => plain(&row.next),
        Some(soon) if soon.is_zero() => format!("{}, now", plain(&row.next)),
        Some(later) => format!("{} in {}", plain(&row.next), span(later)),
    };
    [
        names(&row.names),
        state.to_owned(),
        row.issuer.as_deref().map_or_else(|| "-".to_owned(), plain),
        row.not_after.map_or_else(
            || "-".to_owned(),
            |end| match end.since(now) {
                over if over.is_zero() => "over".to_owned(),
                later => format!("in {}", span(later)),
            },
        ),
        next,
    ]
}

fn names(names: &[HostPattern]) -> String {
    let names: Vec<_> = names.iter().map(|name| plain(&name.to_string())).collect();
    names.join(" ")
}

fn span(duration: Duration) -> String {
    ago(duration).trim_end_matches(" ago").to_owned()
}

fn limit(limit: &LimitRow) -> String {
    let LimitRow { what, used, of, within } = limit;
    format!("  {} of {of} {} in {}\n", used, plain(what), span(Duration::from_secs(*within)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::admin::wire::UnorderedRow;

    const NOW: Timestamp = Timestamp::from_millis(1_767_268_800_000);
    const DAY: Duration = Duration::from_secs(24 * 60 * 60);

    fn row() -> CertificateRow {
        CertificateRow {
            names: vec!["x.org".parse().unwrap(), "*.x.org".parse().unwrap()],
            state: CertificateState::Valid,
            issuer: Some("Some CA".to_owned()),
            imported: false,
            not_before: Some(NOW),
            not_after: Some(NOW.after(DAY * 90)),
            next: "renew".to_owned(),
            next_at: Some(NOW.after(DAY * 60)),
            last_error: None,
            advice: None,
            failures: 0,
        }
    }

    #[test]
    fn certificates_limits_and_what_is_wrong_are_shown() {
        let missing = CertificateRow {
            names: vec!["y.org".parse().unwrap()],
            state: CertificateState::Missing,
            issuer: None,
            not_before: None,
            not_after: None,
            next: "order: the last try failed".to_owned(),
            next_at: Some(NOW.after(DAY / 24)),
            last_error: Some("the authority does not answer".to_owned()),
            advice: Some("look at its status page".to_owned()),
            failures: 1,
            ..row()
        };
        let status = CertificatesStatus {
            directory: Some("https://ca.test/dir".to_owned()),
            certificates: vec![row(), missing],
            unordered: vec![UnorderedRow {
                host: "*.z.org".parse().unwrap(),
                why: "a wildcard is proved by DNS".to_owned(),
            }],
            limits: vec![LimitRow {
                what: "new orders".to_owned(),
                used: 3,
                of: 300,
                within: 3 * 3600,
            }],
        };
        let expected = "\
NAMES          STATE     ISSUER   ENDS     NEXT
x.org *.x.org  valid     Some CA  in 90 d  renew in 60 d
y.org          none yet  -        -        order: the last try failed in 1 h

y.org: the authority does not answer
  look at its status page
*.z.org: not ordered: a wildcard is proved by DNS

Used of what https://ca.test/dir allows:
  3 of 300 new orders in 3 h
";
        assert_eq!(text(&status, NOW), expected);
        assert!(text(&CertificatesStatus::default(), NOW).starts_with("This node's own authority"));
    }
}
