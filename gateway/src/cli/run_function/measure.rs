//! What runs of a function took: the first, and those after it by how their instance was started.

use std::time::Duration;

use headgate_executor::{Phases, Start};
use serde_json::{Value, json};

use crate::cli::table::table;

/// One run.
#[derive(Debug, Clone, Copy)]
pub(super) struct Measurement {
    /// Until the answer was there, body included.
    pub(super) whole: Duration,
    pub(super) first_byte: Duration,
    pub(super) phases: Phases,
    pub(super) failed: bool,
}

/// All of them.
#[derive(Debug)]
pub(super) struct Measured {
    pub(super) first: Measurement,
    others: Vec<Measurement>,
}

impl Measured {
    pub(super) fn new(first: Measurement) -> Self {
        Self { first, others: Vec::new() }
    }

    pub(super) fn add(&mut self, other: Measurement) {
        self.others.push(other);
    }

    /// Of the runs after the first one.
    pub(super) fn failed(&self) -> usize {
        self.others.iter().filter(|run| run.failed).count()
    }

    /// One line for one run, a table for several.
    pub(super) fn text(&self) -> String {
        let one = format!("{}\n", line(&self.first));
        if self.others.is_empty() {
            return one;
        }
        let rows: Vec<_> =
            self.groups().into_iter().flat_map(|(start, runs)| rows(start, &runs)).collect();
        format!("first run: {one}\n{}", table(["THEN", "RUNS", "MIN", "MEDIAN", "P99"], &rows))
    }

    pub(super) fn json(&self) -> Value {
        let groups = self.groups().into_iter().map(|(start, runs)| {
            json!({
                "start": start.map(Start::label),
                "runs": runs.len(),
                "whole_us": spread(&runs, |run| run.whole).json(),
                "starting_us": spread(&runs, |run| run.phases.starting).json(),
                "computed_us": spread(&runs, |run| run.phases.computed).json(),
            })
        });
        json!({
            "first": run_json(&self.first),
            "then": groups.collect::<Vec<_>>(),
            "failed": self.failed(),
        })
    }

    fn groups(&self) -> Vec<(Option<Start>, Vec<Measurement>)> {
        let order =
            [Some(Start::None), Some(Start::Snapshot), Some(Start::Warm), Some(Start::Cold), None];
        let of = |start| {
            let runs = self.others.iter().filter(move |run| run.phases.start == start);
            (start, runs.copied().collect::<Vec<_>>())
        };
        order.into_iter().map(of).filter(|(_, runs)| !runs.is_empty()).collect()
    }
}

fn line(run: &Measurement) -> String {
    let phases = run.phases;
    let start = phases.start.map_or("not started", Start::label);
    format!(
        "{} in all: opening {}, start {start} {}, computing {}",
        shown(run.whole),
        shown(phases.opening),
        shown(phases.starting),
        shown(phases.computed),
    )
}

fn run_json(run: &Measurement) -> Value {
    let phases = run.phases;
    json!({
        "whole_us": micros(run.whole),
        "first_byte_us": micros(run.first_byte),
        "opening_us": micros(phases.opening),
        "start": phases.start.map(Start::label),
        "starting_us": micros(phases.starting),
        "computed_us": micros(phases.computed),
    })
}

fn rows(start: Option<Start>, runs: &[Measurement]) -> Vec<[String; 5]> {
    let start = start.map_or("not started", Start::label);
    let row = |what: String, spread: Spread| {
        let [min, median, p99] = [spread.min, spread.median, spread.p99].map(shown);
        [what, runs.len().to_string(), min, median, p99]
    };
    vec![
        row(format!("in all, start {start}"), spread(runs, |run| run.whole)),
        row("  starting".to_owned(), spread(runs, |run| run.phases.starting)),
        row("  computing".to_owned(), spread(runs, |run| run.phases.computed)),
    ]
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Spread {
    min: Duration,
    median: Duration,
    p99: Duration,
}

impl Spread {
    fn json(self) -> Value {
        let Self { min, median, p99 } = self;
        json!({"min": micros(min), "median": micros(median), "p99": micros(p99)})
    }
}

/// By nearest rank, so that each is one that happened. `runs` is not empty.
fn spread(runs: &[Measurement], of: impl Fn(&Measurement) -> Duration) -> Spread {
    let mut times: Vec<_> = runs.iter().map(of).collect();
    times.sort_unstable();
    let rank = |percent: usize| times[(times.len() * percent).div_ceil(100).max(1) - 1];
    Spread { min: times[0], median: rank(50), p99: rank(99) }
}

/// In milliseconds to a microsecond: one unit, so that columns can be compared.
fn shown(duration: Duration) -> String {
    format!("{:.3} ms", duration.as_secs_f64() * 1e3)
}

fn micros(duration: Duration) -> u64 {
    u64::try_from(duration.as_micros()).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn run(millis: u64, start: Start) -> Measurement {
        let whole = Duration::from_millis(millis);
        let phases = Phases { start: Some(start), ..Phases::default() };
        Measurement { whole, first_byte: whole, phases, failed: false }
    }

    #[test]
    fn ranks_are_of_runs_that_happened() {
        let runs: Vec<_> = (1..=100).map(|millis| run(millis, Start::None)).collect();
        let all = spread(&runs, |run| run.whole);
        let [min, median, p99] = [1, 50, 99].map(Duration::from_millis);
        assert_eq!(all, Spread { min, median, p99 });
        let one = spread(&runs[6..7], |run| run.whole);
        assert_eq!((one.min, one.p99), (Duration::from_millis(7), Duration::from_millis(7)));
    }

    #[test]
    fn runs_are_told_apart_by_how_they_were_started() {
        let mut measured = Measured::new(run(9, Start::Cold));
        for start in [Start::Cold, Start::Warm, Start::Warm] {
            measured.add(run(1, start));
        }
        let text = measured.text();
        assert!(
            text.starts_with("first run: 9.000 ms in all: opening 0.000 ms, start cold "),
            "{text}"
        );
        let runs = |start: &str| {
            let line =
                text.lines().find(|line| line.starts_with(&format!("in all, start {start}")));
            line.unwrap().split_whitespace().nth(4).map(str::to_owned)
        };
        assert_eq!((runs("warm").as_deref(), runs("cold").as_deref()), (Some("2"), Some("1")));
        assert_eq!(measured.json()["then"][0]["start"], "warm");
    }
}
