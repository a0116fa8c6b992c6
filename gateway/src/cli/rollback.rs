//! `headgate rollback | pin | follow`: which kept revision of a branch a running node serves.

use clap::Args;
use headgate_types::{Branch, Clock, ProjectName, SystemClock, Timestamp};

use crate::{
    admin::{
        client::ClientError,
        wire::{DoneRow, Order, Refusal},
    },
    cli::{
        Verdict,
        ask::{MOST_PROBLEMS, NodeArguments, ago, block_on, problem_text},
        output::{Output, Paint, plain},
        revisions::changes_text,
    },
};

pub(super) const ROLLBACK_HELP: &str = "\
Serves a kept revision (`headgate revisions` lists them) from what the node has on disk: no
repository, no network, no build. Without COMMIT it is the one before what is served; once more,
the one before that. The branch is pinned there: its repository is still looked at and what is
new is shown, but not deployed, until `headgate follow` goes back to the newest.

Examples:
  headgate rollback shop
  headgate rollback shop 1a2b3c4
  headgate follow shop                    undoes it";

pub(super) const PIN_HELP: &str = "\
What is new in the repository is shown by `headgate status` and not deployed, until
`headgate follow`. With COMMIT, that kept revision is served first, as by `headgate rollback`.

Examples:
  headgate pin shop
  headgate follow shop                    undoes it";

pub(super) const FOLLOW_HELP: &str = "\
Serves the newest kept revision again, and then whatever the branch has.

Example:
  headgate follow shop";

#[derive(Debug, Args)]
pub(super) struct Arguments {
    /// The project, as `headgate status` names it
    project: ProjectName,

    /// The beginning of a commit
    commit: Option<String>,

    #[command(flatten)]
    branch: BranchArguments,
}

#[derive(Debug, Args)]
pub(super) struct FollowArguments {
    /// The project, as `headgate status` names it
    project: ProjectName,

    #[command(flatten)]
    branch: BranchArguments,
}

#[derive(Debug, Args)]
struct BranchArguments {
    /// Which branch, where several of the project are followed
    #[arg(long, value_name = "BRANCH")]
    branch: Option<String>,

    #[command(flatten)]
    node: NodeArguments,
}

pub(super) fn rollback(arguments: Arguments, output: &Output) -> anyhow::Result<Verdict> {
    let Arguments { project, commit, branch } = arguments;
    order("/rollback", project, commit, branch, output)
}

pub(super) fn pin(arguments: Arguments, output: &Output) -> anyhow::Result<Verdict> {
    let Arguments { project, commit, branch } = arguments;
    order("/pin", project, commit, branch, output)
}

pub(super) fn follow(arguments: FollowArguments, output: &Output) -> anyhow::Result<Verdict> {
    let FollowArguments { project, branch } = arguments;
    order("/follow", project, None, branch, output)
}

fn order(
    path: &str,
    project: ProjectName,
    commit: Option<String>,
    arguments: BranchArguments,
    output: &Output,
) -> anyhow::Result<Verdict> {
    let BranchArguments { branch, node } = arguments;
    let order = Order { project, branch: branch.as_deref().map(Branch::new), commit };
    let now = SystemClock.now();
    block_on(async {
        let answer = match node.client().order(path, &order).await {
            Err(ClientError::Refused { text, .. }) => return refused(&text, now, output),
            answer => answer?,
        };
        if output.is_json() {
            output.text(&String::from_utf8_lossy(&answer))?;
            return Ok(Verdict::Well);
        }
        let done: DoneRow =
            serde_json::from_slice(&answer).map_err(|error| ClientError::Answer(error.into()))?;
        output.text(&done_text(&done, output))?;
        Ok(Verdict::Well)
    })
}

/// Says why; scripts get it as the node said it.
///
/// # Errors
/// When the node says something else than why.
pub(super) fn refused(text: &str, now: Timestamp, output: &Output) -> anyhow::Result<Verdict> {
    let Ok(refusal) = serde_json::from_str::<Refusal>(text) else {
        anyhow::bail!("{}", plain(text));
    };
    if output.is_json() {
        output.json(&refusal)?;
    } else {
        let error = output.paint_error(Paint::Bad, "error");
        output.error_text(&format!("{error}: {}", refusal_text(&refusal, now)));
    }
    Ok(Verdict::Problem)
}

fn refusal_text(refusal: &Refusal, now: Timestamp) -> String {
    let mut text = format!("{}\n", plain(&refusal.error));
    for problem in refusal.diagnostics.as_array().into_iter().flatten().take(MOST_PROBLEMS) {
        text.push_str(&problem_text(problem));
    }
    if !refusal.candidates.is_empty() {
        text.push_str("  these are kept:\n");
    }
    for candidate in &refusal.candidates {
        let when = ago(now.since(candidate.accepted_at));
        let commit = plain(candidate.commit.fmt_short());
        text.push_str(&format!("    {commit}  accepted {when}\n"));
    }
    text
}

fn done_text(done: &DoneRow, output: &Output) -> String {
    let branch = plain(done.branch.as_str());
    let (name, commit) = (&done.project, plain(done.commit.fmt_short()));
    let mark = output.paint(Paint::Good, "✓");
    let moved = done.commit != done.before;
    let mut text = match (done.pinned, moved) {
        (true, true) => {
            let before = plain(done.before.fmt_short());
            let took = done.elapsed_ms.round();
            format!(
                "{mark} {name} {branch}@{commit} is served again after {took} ms, in place of {before}\n"
            )
        }
        (true, false) => format!("{mark} {name} stays at {branch}@{commit}\n"),
        (false, _) => format!("{mark} {name} follows {branch} again, from {commit}\n"),
    };
    if moved {
        text.push_str(&format!("  what that changes: {}\n", changes_text(&done.changes)));
    }
    if let Some(obstacle) = &done.obstacle {
        let mark = output.paint(Paint::Attention, "!");
        let why = refusal_text(obstacle, SystemClock.now());
        text.push_str(&format!("{mark} its newest kept revision is not served yet: {why}"));
    }
    if done.pinned {
        text.push_str(&format!(
            "  nothing new is deployed until `headgate follow {name}` goes back to the newest\n"
        ));
    }
    text
}

#[cfg(test)]
mod tests {
    use headgate_types::{Commit, Generation};
    use serde_json::json;

    use super::*;
    use crate::{admin::wire::Candidate, cli::output::OutputFormat, revisions::Changes};

    #[test]
    fn what_is_served_again_is_told_with_the_way_back() {
        let done = DoneRow {
            project: "shop".parse().unwrap(),
            branch: Branch::new("main"),
            commit: Commit::new("aaaaaaaaaaaa"),
            before: Commit::new("bbbbbbbbbbbb"),
            pinned: true,
            generation: Generation(3),
            elapsed_ms: 12.34,
            functions: 1,
            websites: 0,
            urls: Vec::new(),
            sources: Vec::new(),
            changes: Changes::default(),
            obstacle: None,
        };
        let output = Output::detect(OutputFormat::Json); // without colours, whatever the tests run on
        assert_eq!(
            done_text(&done, &output),
            "✓ shop main@aaaaaaaaaa is served again after 12 ms, in place of bbbbbbbbbb\n  \
             what that changes: nothing\n  \
             nothing new is deployed until `headgate follow shop` goes back to the newest\n"
        );
        let stayed = DoneRow { commit: done.before.clone(), ..done.clone() };
        assert!(done_text(&stayed, &output).starts_with("✓ shop stays at main@bbbbbbbbbb\n"));
        let free = DoneRow { pinned: false, ..done };
        assert!(done_text(&free, &output).starts_with("✓ shop follows main again, from aaaaaa"));
    }

    #[test]
    fn a_refusal_lists_what_could_have_been_meant_and_what_is_in_the_way() {
        let refusal = Refusal {
            error: "several kept revisions begin with `a`".to_owned(),
            candidates: vec![Candidate {
                commit: Commit::new("aaaaaaaaaaaa"),
                accepted_at: Timestamp::from_millis(0),
            }],
            diagnostics: json!([{
                "code": "host-taken", "message": "`x.org` is taken", "file": null, "hint": "choose another"
            }]),
        };
        assert_eq!(
            refusal_text(&refusal, Timestamp::from_millis(5000)),
            "several kept revisions begin with `a`\n  \
             `x.org` is taken [host-taken]\n    \
             help: choose another\n  \
             these are kept:\n    \
             aaaaaaaaaa  accepted 5 s ago\n"
        );
    }
}
