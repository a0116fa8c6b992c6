//! `headgate status | routes | logs`: questions to a running node, over its admin socket.

use std::{
    env,
    path::{Path, PathBuf},
    time::Duration,
};

use clap::Args;
use headgate_types::{Clock, ProjectName, SystemClock, Timestamp};
use serde_json::Value;

use crate::{
    admin::{
        Phase, RouteRow,
        client::{Client, ClientError},
        wire::{LogEntry, NodeStatus, ProjectRow, ProjectState, Skipped},
    },
    cli::{
        Verdict,
        output::{Output, Paint, Reader, count, plain},
        rollback::refused,
        serve,
        table::table,
    },
    log_hub::{LogLine, LogStream},
    node_config::DEFAULT_SOCKET,
};

/// Problems shown for one project; `headgate check` shows them all, with excerpts.
pub(super) const MOST_PROBLEMS: usize = 10;

#[derive(Debug, Args)]
pub(super) struct NodeArguments {
    /// The node's admin socket [default: the appliance's, else that of `headgate dev` in this folder]
    #[arg(long, value_name = "PATH", env = "HEADGATE_SOCKET", hide_env_values = true)]
    socket: Option<PathBuf>,
}

#[derive(Debug, Args)]
pub(super) struct LogsArguments {
    /// Go on with new lines as they come
    #[arg(short, long)]
    follow: bool,

    /// Only of this project
    #[arg(long, value_name = "NAME")]
    project: Option<ProjectName>,

    #[command(flatten)]
    node: NodeArguments,
}

pub(super) fn status(node: NodeArguments, output: &Output) -> anyhow::Result<Verdict> {
    let client = node.client();
    block_on(async {
        if output.is_json() {
            return passed_on(&client, "/status", output).await;
        }
        let status = client.json("/status").await?;
        output.text(&status_text(&status, SystemClock.now(), output))?;
        Ok(Verdict::Well)
    })
}

pub(super) fn routes(node: NodeArguments, output: &Output) -> anyhow::Result<Verdict> {
    let client = node.client();
    block_on(async {
        if output.is_json() {
            return passed_on(&client, "/routes", output).await;
        }
        let routes: Vec<RouteRow> = client.json("/routes").await?;
        output.text(&routes_text(&routes))?;
        Ok(Verdict::Well)
    })
}

pub(super) fn logs(arguments: LogsArguments, output: &Output) -> anyhow::Result<Verdict> {
    let client = arguments.node.client();
    let follow = if arguments.follow { "follow=1" } else { "follow=0" };
    let project = arguments.project.map(|name| format!("&project={name}")).unwrap_or_default();
    block_on(async {
        let mut lines = match client.lines(&format!("/logs?{follow}{project}")).await {
            Err(ClientError::Refused { text, .. }) => {
                return refused(&text, SystemClock.now(), output);
            }
            lines => lines?,
        };
        while let Some(line) = lines.next().await? {
            let written = if output.is_json() {
                output.try_text(&format!("{}\n", String::from_utf8_lossy(&line)))?
            } else {
                output.try_text(&log_text(&line, output))?
            };
            if written == Reader::Gone {
                break;
            }
        }
        Ok(Verdict::Well)
    })
}

impl NodeArguments {
    /// At the named socket, or the first of the usual places where a node answers.
    pub(super) fn client(self) -> Client {
        Client::any_of(self.socket.map_or_else(usual_sockets, |socket| vec![socket]))
    }
}

/// The appliance; the node whose state folder the environment names; the dev node of this folder or one above.
fn usual_sockets() -> Vec<PathBuf> {
    let mut sockets = vec![PathBuf::from(DEFAULT_SOCKET)];
    sockets.extend(env::var_os("HEADGATE_STATE").map(|state| Path::new(&state).join("admin.sock")));
    if let (Ok(homes), Ok(here)) = (serve::homes(), env::current_dir()) {
        sockets.extend(here.ancestors().map(|folder| homes.dev_socket(folder)));
    }
    sockets
}

pub(super) fn block_on<T>(work: impl Future<Output = anyhow::Result<T>>) -> anyhow::Result<T> {
    tokio::runtime::Builder::new_current_thread().enable_all().build()?.block_on(work)
}

/// What the node said, as it said it: scripts see new fields before this version knows them.
pub(super) async fn passed_on(
    client: &Client,
    path: &str,
    output: &Output,
) -> anyhow::Result<Verdict> {
    let bytes = client.bytes(path).await?;
    let _: Value =
        serde_json::from_slice(&bytes).map_err(|error| ClientError::Answer(error.into()))?;
    output.text(&String::from_utf8_lossy(&bytes))?;
    Ok(Verdict::Well)
}

fn status_text(status: &NodeStatus, now: Timestamp, output: &Output) -> String {
    let phase = match status.phase {
        Phase::Starting => output.paint(Paint::Attention, "starting"),
        Phase::Ready => output.paint(Paint::Good, "ready"),
        Phase::Draining => output.paint(Paint::Attention, "draining"),
    };
    let mut text = format!(
        "headgate {} · {phase} · generation {} · {}\n",
        plain(&status.version),
        status.generation,
        count(status.routes, "route")
    );
    if status.projects.is_empty() {
        text.push_str("\nNo project is followed. Add one to `projects` in node.yaml.\n");
        return text;
    }
    let rows: Vec<_> = status.projects.iter().map(|project| project_cells(project, now)).collect();
    let headings =
        ["PROJECT", "BRANCH", "STATE", "SERVING", "ACCEPTED", "FUNCTIONS", "WEBSITES", "SOURCE"];
    text.push('\n');
    text.push_str(&table(headings, &rows));
    for project in &status.projects {
        text.push_str(&trouble(project, output));
    }
    text
}

fn project_cells(project: &ProjectRow, now: Timestamp) -> [String; 8] {
    let nothing = || "-".to_owned();
    let serving = project.serving.as_ref();
    [
        project.project.to_string(),
        plain(project.branch.as_str()),
        match project.pinned_at {
            Some(_) => "pinned".to_owned(),
            None => project.state.as_str().to_owned(),
        },
        serving.map_or_else(nothing, |s| plain(s.commit.fmt_short())),
        serving.map_or_else(nothing, |s| ago(now.since(s.accepted_at))),
        serving.map_or_else(nothing, |s| s.functions.to_string()),
        serving.map_or_else(nothing, |s| s.websites.to_string()),
        plain(&project.source),
    ]
}

/// Why a project is not as it should be.
fn trouble(project: &ProjectRow, output: &Output) -> String {
    let name = &project.project;
    match project.state {
        ProjectState::Failed => {
            let error = project.error.as_deref().unwrap_or("no reason given");
            format!("\n{} {name}: {}\n", output.paint(Paint::Attention, "!"), plain(error))
        }
        ProjectState::Refused => {
            let commit = project.latest.as_ref().map_or("", |commit| commit.fmt_short());
            let mark = output.paint(Paint::Bad, "✗");
            let errors = count(project.errors, "error");
            let mut text = format!("\n{mark} {name}: {} refused, {errors}\n", plain(commit));
            let problems = project.diagnostics.as_ref().and_then(Value::as_array);
            let errors = problems.into_iter().flatten().filter(|p| p["severity"] == "error");
            for problem in errors.take(MOST_PROBLEMS) {
                text.push_str(&problem_text(problem));
            }
            if project.errors > MOST_PROBLEMS {
                text.push_str(&format!("  and {} more\n", project.errors - MOST_PROBLEMS));
            }
            text
        }
        ProjectState::Held => {
            let commit = project.latest.as_ref().map_or("", |commit| commit.fmt_short());
            let (mark, commit) = (output.paint(Paint::Attention, "!"), plain(commit));
            format!("\n{mark} {name}: {commit} is not deployed, {}\n", pinned(name))
        }
        ProjectState::Served if project.pinned_at.is_some() => {
            format!("\n{} {name}: {}\n", output.paint(Paint::Attention, "!"), pinned(name))
        }
        ProjectState::Waiting | ProjectState::Deploying | ProjectState::Served => String::new(),
    }
}

fn pinned(project: &ProjectName) -> String {
    format!("the branch is pinned; `headgate follow {project}` goes back to the newest")
}

/// `functions/ping.yaml:3:5: message [code]`, and below it what to do.
pub(super) fn problem_text(problem: &Value) -> String {
    let text = |key: &str| plain(problem[key].as_str().unwrap_or_default());
    let mut place = text("file");
    if let (Some(line), Some(column)) = (problem["line"].as_u64(), problem["column"].as_u64()) {
        place.push_str(&format!(":{line}:{column}"));
    }
    let separator = if place.is_empty() { "" } else { ": " };
    let mut lines = format!("  {place}{separator}{} [{}]\n", text("message"), text("code"));
    if problem["hint"].is_string() {
        lines.push_str(&format!("    help: {}\n", text("hint")));
    }
    lines
}

fn routes_text(routes: &[RouteRow]) -> String {
    if routes.is_empty() {
        return "Nothing is served yet. `headgate status` says why.\n".to_owned();
    }
    let rows: Vec<_> = routes
        .iter()
        .map(|route| {
            let application = route.application.as_ref().map(|name| format!("{}/", plain(name)));
            let target = format!("{}{}", application.unwrap_or_default(), plain(&route.name));
            [
                plain(&route.host),
                plain(&route.path),
                route.methods.to_string(),
                format!("{} {target}", route.kind.as_str()),
                route.project.to_string(),
            ]
        })
        .collect();
    table(["HOST", "PATH", "METHODS", "TARGET", "PROJECT"], &rows)
}

/// A line of the log for a person; what is not understood is shown as it came.
fn log_text(json: &[u8], output: &Output) -> String {
    match serde_json::from_slice(json) {
        Ok(LogEntry::Line(line)) => line_text(&line, output),
        Ok(LogEntry::Skipped(Skipped { skipped })) => {
            output.paint(Paint::Attention, &format!("… {skipped} lines skipped")) + "\n"
        }
        Err(_) => plain(&String::from_utf8_lossy(json)) + "\n",
    }
}

fn line_text(line: &LogLine, output: &Output) -> String {
    let time = line.time.to_string();
    let time = time.split_once('T').map_or(time.as_str(), |(_, time)| time);
    let mut who = line.project.to_string();
    for part in [&line.application, &line.function].into_iter().flatten() {
        who.push('/');
        who.push_str(&plain(part));
    }
    let text = plain(&line.text);
    let text = match line.stream {
        LogStream::Stdout => text,
        LogStream::Stderr => output.paint(Paint::Attention, &text),
        LogStream::Host => output.paint(Paint::Bad, &text),
        LogStream::Deploy => output.paint(Paint::Faint, &text),
    };
    format!("{} {} {text}\n", output.paint(Paint::Faint, time), output.paint(Paint::Strong, &who))
}

/// `12 s ago`, in the largest unit that fits.
pub(super) fn ago(duration: Duration) -> String {
    let seconds = duration.as_secs();
    match seconds {
        0..60 => format!("{seconds} s ago"),
        60..3600 => format!("{} min ago", seconds / 60),
        3600..86_400 => format!("{} h ago", seconds / 3600),
        _ => format!("{} d ago", seconds / 86_400),
    }
}

#[cfg(test)]
mod tests {
    use headgate_types::{Branch, Commit, Generation, MethodSet};
    use serde_json::json;

    use super::*;
    use crate::{
        admin::{RouteKind, wire::ServingRow},
        cli::output::OutputFormat,
    };

    fn output() -> Output {
        Output::detect(OutputFormat::Json) // without colours, whatever the tests run on
    }

    fn status(state: ProjectState) -> NodeStatus {
        NodeStatus {
            version: "0.1.0".into(),
            phase: Phase::Ready,
            generation: Generation(4),
            routes: 1,
            functions: 2,
            websites: 1,
            projects: vec![ProjectRow {
                project: "shop".parse().unwrap(),
                branch: Branch::new("main"),
                source: "/srv/shop".into(),
                state,
                serving: Some(ServingRow {
                    commit: Commit::new("1a2b3c4d5e6f"),
                    accepted_at: Timestamp::from_millis(0),
                    functions: 2,
                    websites: 1,
                }),
                pinned_at: None,
                latest: Some(Commit::new("ffffffffffff")),
                error: Some("no route to \x1b[31mhost".into()),
                errors: 1,
                warnings: 0,
                diagnostics: Some(json!([{
                    "code": "unknown-domain", "severity": "error", "message": "no such domain",
                    "file": "functions/a.yaml", "line": 3, "column": 5
                }])),
            }],
        }
    }

    #[test]
    fn a_status_is_one_line_and_a_table() {
        let now = Timestamp::from_millis(125_000);
        let text = status_text(&status(ProjectState::Served), now, &output());
        let lines: Vec<_> = text.lines().collect();
        assert_eq!(lines[0], "headgate 0.1.0 · ready · generation 4 · 1 route");
        let cells: Vec<_> = lines[3].split("  ").filter(|cell| !cell.is_empty()).collect();
        let cells: Vec<_> = cells.iter().map(|cell| cell.trim()).collect();
        assert_eq!(
            cells,
            ["shop", "main", "served", "1a2b3c4d5e", "2 min ago", "2", "1", "/srv/shop"]
        );
    }

    #[test]
    fn trouble_is_explained_below_the_table() {
        let now = Timestamp::from_millis(0);
        let text = status_text(&status(ProjectState::Refused), now, &output());
        assert!(text.contains("✗ shop: ffffffffff refused, 1 error\n"), "{text}");
        let line = "  functions/a.yaml:3:5: no such domain [unknown-domain]\n";
        assert!(text.ends_with(line), "{text}");
        let text = status_text(&status(ProjectState::Failed), now, &output());
        assert!(text.ends_with("! shop: no route to \\u{1b}[31mhost\n"), "{text}");
    }

    #[test]
    fn a_pinned_branch_is_named_with_the_way_back() {
        let mut status = status(ProjectState::Held);
        status.projects[0].pinned_at = Some(Timestamp::from_millis(0));
        let text = status_text(&status, Timestamp::from_millis(0), &output());
        assert!(text.lines().nth(3).unwrap().contains("  pinned  "), "{text}");
        let told =
            "! shop: ffffffffff is not deployed, the branch is pinned; `headgate follow shop`";
        assert!(text.contains(told), "{text}");
    }

    #[test]
    fn routes_are_a_table() {
        let route = RouteRow {
            host: "shop.localhost".into(),
            path: "/users/{id}".into(),
            methods: MethodSet::GET_HEAD,
            kind: RouteKind::Function,
            name: "users".into(),
            project: "shop".parse().unwrap(),
            application: Some("admin".into()),
        };
        let text = routes_text(&[route]);
        assert_eq!(
            text.lines().nth(1),
            Some("shop.localhost  /users/{id}  GET, HEAD  function admin/users  shop")
        );
    }

    #[test]
    fn log_lines_are_short_and_tame() {
        let line = br#"{"time":0,"project":"shop","function":"hello","stream":"stdout","text":"a\u001b[2J"}"#;
        assert_eq!(log_text(line, &output()), "00:00:00.000Z shop/hello a\\u{1b}[2J\n");
        assert_eq!(log_text(br#"{"skipped":3}"#, &output()), "… 3 lines skipped\n");
        assert_eq!(log_text(b"odd", &output()), "odd\n");
    }
}
