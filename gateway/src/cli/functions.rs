//! `headgate functions`: what each function of a running node runs, how it starts, and how it stands.

use std::time::Duration;

use clap::Args;
use headgate_project::diagnostic::closest;

use crate::{
    admin::wire::{FunctionKind, FunctionRow, StartUpKind, StartUpRow},
    cli::{
        Verdict,
        ask::{NodeArguments, block_on, passed_on},
        output::{Output, Paint, count, plain},
        table::table,
    },
    deploy::single::called,
};

pub(super) const HELP: &str = "\
START-UP says what is done about the code that runs before a request: `none` if there is nothing to
run, `snapshot` if it ran once, at deploy, or that each instance runs it and why. A function that only
traps `rests` for some seconds, in which its requests are refused. With a name,
everything is told of that function, and what can be done about its start-up.

Examples:
  headgate functions
  headgate functions admin/health         one of an application
  headgate functions --output json";

#[derive(Debug, Args)]
pub(super) struct Arguments {
    /// Only this one, as `name` or `application/name`, the project before it if need be
    name: Option<String>,

    #[command(flatten)]
    node: NodeArguments,
}

pub(super) fn run(arguments: Arguments, output: &Output) -> anyhow::Result<Verdict> {
    let Arguments { name, node } = arguments;
    let client = node.client();
    block_on(async {
        let Some(name) = name else {
            if output.is_json() {
                return passed_on(&client, PATH, output).await;
            }
            let rows: Vec<FunctionRow> = client.json(PATH).await?;
            output.text(&all_text(&rows))?;
            return Ok(Verdict::Well);
        };
        let rows: Vec<FunctionRow> = client.json(PATH).await?;
        let meant: Vec<_> = rows.iter().filter(|row| is_called(row, &name)).collect();
        if output.is_json() {
            output.json(&meant)?;
        }
        if meant.is_empty() {
            output.error_text(&unknown_text(&name, &rows, output));
            return Ok(Verdict::Problem);
        }
        if !output.is_json() {
            let texts: Vec<_> = meant.into_iter().map(|row| one_text(row, output)).collect();
            output.text(&texts.join("\n"))?;
        }
        Ok(Verdict::Well)
    })
}

const PATH: &str = "/functions";

/// `admin/health`.
fn short_name(row: &FunctionRow) -> String {
    called(row.application.as_deref(), &row.name)
}

fn is_called(row: &FunctionRow, name: &str) -> bool {
    let short = short_name(row);
    name == short || name == row.name || name == format!("{}/{short}", row.project)
}

fn unknown_text(name: &str, rows: &[FunctionRow], output: &Output) -> String {
    let mut known: Vec<_> = rows.iter().map(short_name).collect();
    known.dedup();
    let error = output.paint_error(Paint::Bad, "error");
    let help = output.paint_error(Paint::Strong, "help");
    let mut text = format!("{error}: no function `{}` is served\n", plain(name));
    if let Some(meant) = closest(name, known.iter().map(String::as_str)) {
        text.push_str(&format!("  {help}: did you mean `{}`?\n", plain(meant)));
    } else if !known.is_empty() {
        let known: Vec<_> = known.iter().map(|name| plain(name)).collect();
        text.push_str(&format!("  {help}: there is {}\n", known.join(", ")));
    }
    text
}

fn all_text(rows: &[FunctionRow]) -> String {
    if rows.is_empty() {
        return "No function is served yet. `headgate status` says why.\n".to_owned();
    }
    let cells: Vec<_> = rows.iter().map(cells).collect();
    let headings = [
        "FUNCTION", "PROJECT", "KIND", "ARTEFACT", "SIZE", "RUNNING", "WAITING", "PREPARED",
        "MEMORY", "TIMEOUT", "START-UP",
    ];
    table(headings, &cells)
}

fn cells(row: &FunctionRow) -> [String; 11] {
    [
        plain(&short_name(row)),
        row.project.to_string(),
        kind(row).to_owned(),
        row.artefact.fmt_short().to_string(),
        row.size.map_or_else(|| "lost".to_owned(), size),
        match row.now.resting_ms {
            Some(_) => "rests".to_owned(),
            None => format!("{}/{}", row.now.in_flight, row.limits.concurrency),
        },
        row.now.waiting.to_string(),
        row.now.prepared.to_string(),
        row.limits.memory.to_string(),
        timeout(row),
        start_up(&row.start_up),
    ]
}

fn kind(row: &FunctionRow) -> &'static str {
    match row.kind {
        FunctionKind::Component => "component",
        FunctionKind::Core => "core",
    }
}

fn start_up(row: &StartUpRow) -> String {
    match (row.kind, &row.because) {
        (StartUpKind::Unknown, _) => "unknown".to_owned(),
        (StartUpKind::None, _) => "none".to_owned(),
        (StartUpKind::Snapshot, _) => "snapshot".to_owned(),
        (StartUpKind::Each, None) => "each instance".to_owned(),
        (StartUpKind::Each, Some(why)) => format!("each instance, because {}", plain(why)),
    }
}

/// Of a file, in three digits or so; limits are written as they were given.
fn size(bytes: u64) -> String {
    const UNITS: [(&str, u64); 2] = [("MiB", 1 << 20), ("KiB", 1 << 10)];
    for (unit, scale) in UNITS {
        if bytes >= scale {
            let tenths = bytes * 10 / scale;
            return format!("{}.{} {unit}", tenths / 10, tenths % 10);
        }
    }
    format!("{bytes} B")
}

fn timeout(row: &FunctionRow) -> String {
    let millis = row.limits.timeout_ms;
    if millis.is_multiple_of(1000) { format!("{}s", millis / 1000) } else { format!("{millis}ms") }
}

fn one_text(row: &FunctionRow, output: &Output) -> String {
    let kind = match (row.kind, &row.call) {
        (FunctionKind::Component, _) => "a component".to_owned(),
        (FunctionKind::Core, None) => "a core module".to_owned(),
        (FunctionKind::Core, Some(call)) => {
            format!("a core module, called by its export `{}`", plain(call))
        }
    };
    let size = row.size.map_or_else(|| "which is lost".to_owned(), size);
    let (now, limits) = (row.now, row.limits);
    let mut lines = vec![
        ("project", format!("{}, branch {}", row.project, plain(row.branch.as_str()))),
        ("revision", plain(row.commit.fmt_short())),
        ("code", format!("{kind}; artefact {}, {size}", row.artefact.fmt_short())),
    ];
    if !row.linked.is_empty() {
        let names: Vec<_> = row.linked.iter().map(|linked| plain(&linked.module)).collect();
        lines.push(("linked", format!("with {}", names.join(", "))));
    }
    let prepared = match now.prepared {
        0 => String::new(),
        prepared => format!(", {} started ahead", count(prepared, "instance")),
    };
    let rests = match now.resting_ms {
        None => String::new(),
        Some(left) => format!(
            "; rests {:.1} s more, because it only traps: `headgate logs` says how",
            Duration::from_millis(left).as_secs_f32()
        ),
    };
    lines.extend([
        ("start-up", start_up_words(&row.start_up)),
        (
            "now",
            format!(
                "{} running, {} waiting{prepared}{rests}",
                count(now.in_flight as usize, "request"),
                now.waiting
            ),
        ),
        (
            "limits",
            format!(
                "{} of memory, {} until it answers, {} at once, {} waiting",
                limits.memory,
                timeout(row),
                limits.concurrency,
                limits.queue
            ),
        ),
    ]);
    let mut text = output.paint(Paint::Strong, &plain(&short_name(row))) + "\n";
    for (what, words) in lines {
        text.push_str(&format!("  {what:<9} {words}\n"));
    }
    if let Some(advice) = row.start_up.because.as_deref().map(advice) {
        text.push_str(&format!("  {:<9} {}: {advice}\n", "", output.paint(Paint::Strong, "help")));
    }
    text
}

fn start_up_words(row: &StartUpRow) -> String {
    match (row.kind, &row.because) {
        (StartUpKind::Unknown, _) => {
            "not known: its artefact is compiled by its next request".to_owned()
        }
        (StartUpKind::None, _) => "none: nothing runs before a request".to_owned(),
        (StartUpKind::Snapshot, _) => {
            "snapshot: it ran once, at deploy, and each instance begins where it ended".to_owned()
        }
        (StartUpKind::Each, because) => {
            let because = because.as_deref().unwrap_or("the node does not say why");
            format!("run by each instance, because {}", plain(because))
        }
    }
}

/// What can be done about a start-up that cannot be kept. Goes by the executor's words for why.
fn advice(because: &str) -> &'static str {
    let is = |words: &[&str]| words.iter().any(|word| because.contains(word));
    if is(&["random_get", "clock_time_get", "clock_res_get"]) {
        "a snapshot would give every request the same seed or time, so instances are started ahead of \
         their requests. Nothing needs to be done; read the clock and randomness only while a request is \
         handled, and it is kept. Go's runtime reads both, and cannot be told not to"
    } else if is(&["taubyte/sdk", "environ_", "args_"]) {
        "what it asks for differs from function to function; ask while a request is handled, and its \
         start-up is kept"
    } else if is(&["it calls"]) {
        "call this only while a request is handled, and its start-up is kept"
    } else if is(&["imports from other modules"]) {
        "put what takes long at its start into a module that imports from no other"
    } else if is(&["reactor and a command"]) {
        "build it with either `_initialize` or `_start`, not both"
    } else if is(&["takes longer"]) {
        "do less before the first request; tables can be computed at build time"
    } else if is(&["too busy"]) {
        "it is tried again when its artefact changes or the node's native artefacts are removed"
    } else {
        "`headgate run-function NAME --repeat 20` shows what its start-up costs"
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::cli::output::OutputFormat;

    fn row(start_up: &serde_json::Value) -> FunctionRow {
        serde_json::from_value(json!({
            "project": "shop", "branch": "main", "commit": "1a2b3c4d5e6f", "application": "admin",
            "name": "health", "kind": "core", "call": "health",
            "artefact": headgate_types::Digest::of(b"wasm"), "size": 1_600_000,
            "linked": [{"module": "libraries/tax", "artefact": headgate_types::Digest::of(b"tax")}],
            "start_up": start_up,
            "now": {"in_flight": 1, "waiting": 0, "prepared": 2},
            "limits": {"memory": "64MiB", "timeout_ms": 1500, "concurrency": 100, "queue": 50},
        }))
        .unwrap()
    }

    fn output() -> Output {
        Output::detect(OutputFormat::Json) // without colours, whatever the tests run on
    }

    #[test]
    fn functions_are_a_table() {
        let text = all_text(&[row(&json!({"kind": "snapshot", "because": null}))]);
        let line = text.lines().nth(1).unwrap();
        for cell in ["admin/health  shop", "core", "1.5 MiB  1/100", "64MiB   1500ms   snapshot"] {
            assert!(line.contains(cell), "{cell}: {text}");
        }
        assert!(all_text(&[]).starts_with("No function is served yet."));
    }

    #[test]
    fn a_start_up_that_cannot_be_kept_is_told_with_what_to_do() {
        let because = "it calls `wasi_snapshot_preview1.random_get`";
        let text = one_text(&row(&json!({"kind": "each", "because": because})), &output());
        assert!(
            text.contains(&format!("start-up  run by each instance, because {because}\n")),
            "{text}"
        );
        assert!(text.contains("help: a snapshot would give every request the same seed"), "{text}");
        assert!(text.contains("1 request running, 0 waiting, 2 instances started ahead"), "{text}");
        assert!(text.contains("linked    with libraries/tax"), "{text}");
    }

    #[test]
    fn a_function_that_rests_says_for_how_long() {
        let mut row = row(&json!({"kind": "none", "because": null}));
        row.now.resting_ms = Some(2_500);
        assert!(all_text(std::slice::from_ref(&row)).contains("1.5 MiB  rests"));
        let text = one_text(&row, &output());
        assert!(text.contains("; rests 2.5 s more, because it only traps"), "{text}");
    }

    #[test]
    fn a_function_is_found_by_each_of_its_names() {
        let row = row(&json!({"kind": "none", "because": null}));
        for name in ["health", "admin/health", "shop/admin/health"] {
            assert!(is_called(&row, name), "{name}");
        }
        assert!(!is_called(&row, "shop/health"));
        let text = unknown_text("admin/heatlh", &[row], &output());
        assert!(text.contains("did you mean `admin/health`?"), "{text}");
    }
}
