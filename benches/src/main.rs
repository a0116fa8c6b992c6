//! Runs the comparisons and prints them as one table; `summary.json` keeps them for machines.

use std::{fs, io::Write, path::PathBuf, process::ExitCode};

use anyhow::Context as _;
use clap::Parser;
use headgate_benches::{
    bench::Bench,
    binary,
    machine::Machine,
    report::{self, Line, Summary},
    rows::{ROWS, Row},
};

/// Headgate beside the tools a user would pick instead: CPU per operation, in one run.
#[derive(Debug, Parser)]
struct Arguments {
    /// Only see that everything still runs: one short turn each, no verdicts.
    #[arg(long)]
    quick: bool,
    /// Only rows whose name holds this.
    #[arg(long, value_name = "SUBSTRING", default_value = "")]
    only: String,
    /// Name the rows and what each asks.
    #[arg(long)]
    list: bool,
    /// Length of one turn of one contender.
    #[arg(long, value_name = "N", default_value_t = 3, value_parser = clap::value_parser!(u64).range(1..=600))]
    seconds: u64,
    /// Turns of each contender; the median counts.
    #[arg(long, value_name = "N", default_value_t = 5, value_parser = clap::value_parser!(u16).range(1..=100))]
    rounds: u16,
    /// Where the summary goes; `bench/summary.json` in the target folder unless said otherwise.
    #[arg(long, value_name = "FILE")]
    summary: Option<PathBuf>,
}

fn main() -> anyhow::Result<ExitCode> {
    let arguments = Arguments::parse();
    if arguments.list {
        list()?;
        return Ok(ExitCode::SUCCESS);
    }
    binary::bring_up_to_date()?;
    let (seconds, rounds) =
        if arguments.quick { (1, 1) } else { (arguments.seconds, arguments.rounds.into()) };
    let bench = Bench::new(seconds, rounds, arguments.quick)?;
    let machine = Machine::describe(&bench);
    say(&machine.line())?;

    let selected = ROWS.iter().filter(|row| row.name.contains(&arguments.only));
    let mut rows = Vec::new();
    for row in selected {
        say(&format!("{}: {}", row.name, row.question))?;
        rows.extend(lines_of(row, &bench));
    }
    anyhow::ensure!(!rows.is_empty(), "no row is called {:?}; --list names them", arguments.only);

    say("")?;
    report::print(&rows)?;
    let failed = rows.iter().any(Line::has_failed);
    let path = match arguments.summary {
        Some(path) => path,
        None => binary::target()?.join("bench/summary.json"),
    };
    write_summary(&path, &Summary { machine, seconds, rounds, rows })?;
    say(&format!("written to {}", path.display()))?;
    Ok(if failed { ExitCode::FAILURE } else { ExitCode::SUCCESS })
}

/// A row that fails is a line too: the others are still worth having.
fn lines_of(row: &Row, bench: &Bench) -> Vec<Line> {
    let mut lines = (row.run)(bench).unwrap_or_else(|error| vec![Line::failed(row.name, &error)]);
    let disturbed = bench.take_disturbed();
    if disturbed > 0 {
        let note = format!("others wanted the cores during {disturbed} turns of this row");
        lines = lines.into_iter().map(|line| line.note(note.clone())).collect();
    }
    match bench.quick || cfg!(debug_assertions) {
        true => lines.into_iter().map(Line::not_judged).collect(),
        false => lines,
    }
}

fn list() -> anyhow::Result<()> {
    ROWS.iter().try_for_each(|row| say(&format!("{:14}{}", row.name, row.question)))
}

fn write_summary(path: &PathBuf, summary: &Summary) -> anyhow::Result<()> {
    let folder = path.parent().context("a file lies in a folder")?;
    fs::create_dir_all(folder).with_context(|| format!("making {}", folder.display()))?;
    let json = serde_json::to_string_pretty(summary)?;
    fs::write(path, json + "\n").with_context(|| format!("writing {}", path.display()))
}

/// Progress, and what people read.
fn say(text: &str) -> anyhow::Result<()> {
    Ok(writeln!(std::io::stdout().lock(), "{text}")?)
}
