//! `headgate revisions`: what a running node keeps of each branch.

use clap::Args;
use headgate_types::{Clock, ProjectName, SystemClock, Timestamp};

use crate::{
    admin::{
        client::ClientError,
        wire::{BranchRow, NewestRow, ProjectState, RevisionRow},
    },
    cli::{
        Verdict,
        ask::{NodeArguments, ago, block_on, passed_on},
        output::{Output, Paint, count, plain},
        rollback::refused,
        table::table,
    },
    manifest::SourceEntry,
    revisions::{Changed, Changes, KeptState},
};

/// Names shown for one kind of resource; JSON has more.
const MOST_NAMES: usize = 4;
/// Of a subject, so that what changed stays on the line.
const LONGEST_SUBJECT: usize = 40;

pub(super) const HELP: &str = "\
Every revision that can be served again without its repository, newest first. `+` was added,
`-` removed, `~` changed, each compared with the revision before. node.yaml says how many are
kept (`store: {keep_revisions: 10}`).

Examples:
  headgate revisions shop
  headgate revisions --output json";

#[derive(Debug, Args)]
pub(super) struct Arguments {
    /// Only of this project
    project: Option<ProjectName>,

    #[command(flatten)]
    node: NodeArguments,
}

pub(super) fn run(arguments: Arguments, output: &Output) -> anyhow::Result<Verdict> {
    let client = arguments.node.client();
    let query = arguments.project.map(|name| format!("?project={name}")).unwrap_or_default();
    let path = format!("/revisions{query}");
    block_on(async {
        if output.is_json() {
            return passed_on(&client, &path, output).await;
        }
        let rows: Vec<BranchRow> = match client.json(&path).await {
            Err(ClientError::Refused { text, .. }) => {
                return refused(&text, SystemClock.now(), output);
            }
            rows => rows?,
        };
        output.text(&text(&rows, SystemClock.now(), output))?;
        Ok(Verdict::Well)
    })
}

fn text(rows: &[BranchRow], now: Timestamp, output: &Output) -> String {
    if rows.is_empty() {
        return "No project is followed.\n".to_owned();
    }
    let parts: Vec<_> = rows.iter().map(|row| branch(row, now, output)).collect();
    parts.join("\n")
}

fn branch(row: &BranchRow, now: Timestamp, output: &Output) -> String {
    let mut head = format!("{} {}", row.project, plain(row.branch.as_str()));
    head = output.paint(Paint::Strong, &head);
    match &row.source {
        Some(source) => head.push_str(&format!(" · {}", plain(source))),
        None => head.push_str(" · no longer followed"),
    }
    if let Some(pinned_at) = row.pinned_at {
        let since = format!("pinned {}", ago(now.since(pinned_at)));
        head.push_str(&format!(" · {}", output.paint(Paint::Attention, &since)));
    }
    let mut lines: Vec<_> = row.newest.iter().map(newest).collect();
    lines.extend(row.revisions.iter().map(|revision| kept(revision, now)));
    if lines.is_empty() {
        return format!("{head}\nNothing was accepted yet. `headgate status` says why.\n");
    }
    let headings = ["COMMIT", "STATE", "ACCEPTED", "AUTHOR", "SUBJECT", "CHANGES"];
    format!("{head}\n{}", table(headings, &lines))
}

fn newest(newest: &NewestRow) -> [String; 6] {
    let commit = newest.commit.as_ref().map_or("-", |commit| commit.fmt_short());
    let why = match newest.state {
        ProjectState::Refused => count(newest.errors, "error"),
        ProjectState::Held => "the branch is pinned".to_owned(),
        _ => newest.error.as_deref().map(plain).unwrap_or_default(),
    };
    let dash = || "-".to_owned();
    [plain(commit), newest.state.as_str().to_owned(), dash(), dash(), dash(), why]
}

fn kept(revision: &RevisionRow, now: Timestamp) -> [String; 6] {
    let source = revision.sources.first();
    let of = |text: fn(&SourceEntry) -> Option<&String>| {
        source.and_then(text).map_or_else(|| "-".to_owned(), |text| plain(text))
    };
    [
        plain(revision.commit.fmt_short()),
        revision.state.as_str().to_owned(),
        ago(now.since(revision.accepted_at)),
        of(|source| source.author.as_ref()),
        shortened(&of(|source| source.subject.as_ref())),
        match (&revision.changes, revision.state) {
            (_, KeptState::Lost) => "its manifest is lost".to_owned(),
            (Some(changes), _) => changes_text(changes),
            (None, _) => String::new(),
        },
    ]
}

fn shortened(text: &str) -> String {
    if text.chars().count() <= LONGEST_SUBJECT {
        return text.to_owned();
    }
    text.chars().take(LONGEST_SUBJECT - 1).chain(['…']).collect()
}

/// `functions +hello ~api, websites ~main`.
pub(super) fn changes_text(changes: &Changes) -> String {
    let kinds = [
        ("functions", &changes.functions),
        ("websites", &changes.websites),
        ("domains", &changes.domains),
    ];
    let told: Vec<_> = kinds.iter().filter_map(|(kind, of)| kind_text(kind, of)).collect();
    if told.is_empty() { "nothing".to_owned() } else { told.join(", ") }
}

fn kind_text(kind: &str, changed: &Changed) -> Option<String> {
    let signs = [("+", &changed.added), ("-", &changed.removed), ("~", &changed.changed)];
    let total: usize = signs.iter().map(|(_, names)| names.count).sum();
    if total == 0 {
        return None;
    }
    let names = signs
        .iter()
        .flat_map(|(sign, of)| of.names.iter().map(move |name| format!("{sign}{}", plain(name))));
    let shown: Vec<_> = names.take(MOST_NAMES).collect();
    let more = total.saturating_sub(shown.len());
    let more = if more > 0 { format!(" and {more} more") } else { String::new() };
    Some(format!("{kind} {}{more}", shown.join(" ")))
}

#[cfg(test)]
mod tests {
    use headgate_types::{Branch, Commit};

    use super::*;
    use crate::{cli::output::OutputFormat, revisions::Names};

    fn names(names: &[&str]) -> Names {
        Names { count: names.len(), names: names.iter().map(|name| (*name).to_owned()).collect() }
    }

    fn revision(commit: &str, state: KeptState, changes: Option<Changes>) -> RevisionRow {
        RevisionRow {
            commit: Commit::new(commit),
            accepted_at: Timestamp::from_millis(0),
            state,
            sources: vec![SourceEntry {
                repository: "/srv/shop".to_owned(),
                commit: Commit::new(commit),
                author: Some("Ada".to_owned()),
                committed_at: None,
                subject: Some(format!("Say \u{1b}[2J{}", "hello ".repeat(9))),
            }],
            functions: 1,
            websites: 0,
            changes,
        }
    }

    #[test]
    fn revisions_are_a_table_under_their_branch() {
        let mut changes = Changes::default();
        changes.functions.added = names(&["a", "b", "c", "d", "e"]);
        changes.websites.changed = names(&["main"]);
        let row = BranchRow {
            project: "shop".parse().unwrap(),
            branch: Branch::new("main"),
            source: Some("/srv/shop".to_owned()),
            pinned_at: Some(Timestamp::from_millis(60_000)),
            newest: Some(NewestRow {
                state: ProjectState::Refused,
                commit: Some(Commit::new("cccccccccccc")),
                errors: 2,
                error: None,
            }),
            revisions: vec![
                revision("bbbbbbbbbbbb", KeptState::Kept, Some(changes)),
                revision("aaaaaaaaaaaa", KeptState::Pinned, None),
            ],
        };
        let output = Output::detect(OutputFormat::Json); // without colours, whatever the tests run on
        let text = text(&[row], Timestamp::from_millis(120_000), &output);
        let lines: Vec<_> = text.lines().collect();
        assert_eq!(lines[0], "shop main · /srv/shop · pinned 1 min ago");
        let cells = |line: &str| -> Vec<String> {
            let cells = line.split("  ").map(str::trim).filter(|cell| !cell.is_empty());
            cells.map(str::to_owned).collect()
        };
        assert_eq!(cells(lines[2]), ["cccccccccc", "refused", "-", "-", "-", "2 errors"]);
        let kept = cells(lines[3]);
        assert_eq!(kept[..4], ["bbbbbbbbbb", "kept", "2 min ago", "Ada"]);
        assert!(kept[4].starts_with("Say \\u{1b}[2Jhello") && kept[4].ends_with('…'), "{kept:?}");
        assert_eq!(kept[5], "functions +a +b +c +d and 1 more, websites ~main");
        assert_eq!(cells(lines[4])[1], "pinned");
    }

    #[test]
    fn no_change_is_told_as_such() {
        assert_eq!(changes_text(&Changes::default()), "nothing");
    }
}
