//! Lines: what was found, what it is held against, and whether that is enough.

use std::io::{self, Write};

use serde::Serialize;

use crate::{machine::Machine, measure::Samples};

/// One line of the table.
#[derive(Debug, Clone, Serialize)]
pub struct Line {
    name: String,
    /// The median of all rounds; none if it could not be measured.
    value: Option<f64>,
    /// The least of all rounds.
    min: Option<f64>,
    unit: &'static str,
    peer: Option<String>,
    peer_value: Option<f64>,
    /// `value` by `peer_value`.
    ratio: Option<f64>,
    aim: String,
    verdict: Verdict,
    note: String,
    #[serde(skip)]
    wanted: Aim,
}

/// What the design promises: at most so much, at most so many times the peer, or both.
#[derive(Debug, Clone, Copy, Default)]
pub struct Aim {
    pub value: Option<f64>,
    pub ratio: Option<f64>,
}

impl Aim {
    pub const fn at_most(value: f64) -> Self {
        Self { value: Some(value), ratio: None }
    }

    pub const fn times_peer(ratio: f64) -> Self {
        Self { value: None, ratio: Some(ratio) }
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Verdict {
    Met,
    Missed,
    /// No aim: a figure to know.
    Plain,
    /// There is an aim, but this run is not fit to judge it, or the peer is missing.
    NotJudged,
    /// The row could not be measured.
    Failed,
}

impl Line {
    pub fn new(name: impl Into<String>, unit: &'static str, samples: &Samples) -> Self {
        let found = |value: f64| value.is_finite().then_some(value);
        Self {
            name: name.into(),
            value: found(samples.median()),
            min: found(samples.min()),
            unit,
            peer: None,
            peer_value: None,
            ratio: None,
            aim: String::new(),
            verdict: Verdict::Plain,
            note: String::new(),
            wanted: Aim::default(),
        }
    }

    /// A figure that was taken once.
    pub fn single(name: impl Into<String>, unit: &'static str, value: f64) -> Self {
        Self::new(name, unit, &Samples::from(vec![value]))
    }

    /// A row that could not be measured, and why.
    pub fn failed(name: impl Into<String>, error: &anyhow::Error) -> Self {
        let line = Self::new(name, "", &Samples::default()).note(format!("{error:#}"));
        Self { verdict: Verdict::Failed, ..line }
    }

    pub fn against(mut self, peer: impl Into<String>, value: Option<f64>) -> Self {
        self.peer = Some(peer.into());
        self.peer_value = value;
        self.ratio = self.value.zip(value).map(|(ours, theirs)| ours / theirs);
        if value.is_none() {
            self = self.note("peer not installed");
        }
        self.judged()
    }

    pub fn aim(mut self, aim: Aim) -> Self {
        let value = aim.value.map(|most| format!("≤ {most} {}", self.unit));
        let ratio = aim.ratio.map(|most| format!("≤ {most} × peer"));
        self.aim = [ratio, value].into_iter().flatten().collect::<Vec<_>>().join(", ");
        self.wanted = aim;
        self.judged()
    }

    pub fn note(mut self, note: impl Into<String>) -> Self {
        if !self.note.is_empty() {
            self.note.push_str("; ");
        }
        self.note.push_str(&note.into());
        self
    }

    /// Figures of quick runs and of builds without optimisation are no figures.
    pub fn not_judged(mut self) -> Self {
        if matches!(self.verdict, Verdict::Met | Verdict::Missed) {
            self.verdict = Verdict::NotJudged;
        }
        self
    }

    pub fn has_failed(&self) -> bool {
        self.verdict == Verdict::Failed
    }

    fn judged(mut self) -> Self {
        let pairs = [(self.wanted.value, self.value), (self.wanted.ratio, self.ratio)];
        let wanted = || pairs.iter().filter_map(|(most, found)| Some((most.as_ref()?, found)));
        self.verdict = if wanted().next().is_none() {
            Verdict::Plain
        } else if wanted().any(|(most, found)| found.is_some_and(|found| found > *most)) {
            Verdict::Missed
        } else if wanted().all(|(_, found)| found.is_some()) {
            Verdict::Met
        } else {
            Verdict::NotJudged
        };
        self
    }

    fn cells(&self) -> [String; 9] {
        [
            self.name.clone(),
            number(self.value),
            number(self.min),
            self.unit.to_owned(),
            self.peer.clone().unwrap_or_default(),
            number(self.peer_value),
            self.ratio.map(|ratio| format!("{ratio:.2}")).unwrap_or_default(),
            self.aim.clone(),
            match self.verdict {
                Verdict::Met => "met",
                Verdict::Missed => "MISSED",
                Verdict::Plain => "",
                Verdict::NotJudged => "not judged",
                Verdict::Failed => "FAILED",
            }
            .to_owned(),
        ]
    }
}

/// Three digits tell all that a noisy machine can.
fn number(value: Option<f64>) -> String {
    match value {
        None => String::new(),
        Some(value) if value.abs() >= 100.0 => format!("{value:.0}"),
        Some(value) if value.abs() >= 10.0 => format!("{value:.1}"),
        Some(value) => format!("{value:.2}"),
    }
}

/// The document of `summary.json`.
#[derive(Debug, Serialize)]
pub struct Summary {
    pub machine: Machine,
    /// Seconds of one turn, and how many turns each contender had.
    pub seconds: u64,
    pub rounds: usize,
    pub rows: Vec<Line>,
}

const TITLES: [&str; 9] =
    ["what", "median", "least", "unit", "peer", "its median", "ratio", "aim", "verdict"];
/// Columns of text; the others are numbers and stand on the right.
const TEXT: [bool; 9] = [true, false, false, true, true, false, false, true, true];

/// Prints lines as a table, with the notes below.
pub fn print(lines: &[Line]) -> io::Result<()> {
    let mut rows = vec![TITLES.map(str::to_owned)];
    rows.extend(lines.iter().map(Line::cells));
    let widths: [usize; 9] = std::array::from_fn(|column| {
        rows.iter().map(|row| row[column].chars().count()).max().unwrap_or(0)
    });
    let mut out = io::stdout().lock();
    for row in &rows {
        for ((cell, width), text) in row.iter().zip(widths).zip(TEXT) {
            match text {
                true => write!(out, "{cell:<width$}  ")?,
                false => write!(out, "{cell:>width$}  ")?,
            }
        }
        writeln!(out)?;
    }
    for group in lines.chunk_by(|a, b| a.note == b.note).filter(|group| !group[0].note.is_empty()) {
        let mut names: Vec<&str> = group.iter().map(|line| &*line.name).collect();
        names.dedup();
        writeln!(out, "- {}: {}", names.join(" · "), group[0].note)?;
    }
    out.flush()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn line(value: f64) -> Line {
        Line::single("x", "µs", value)
    }

    #[test]
    fn every_part_of_an_aim_counts() {
        let aim = Aim { value: Some(25.0), ratio: Some(1.0) };
        let verdict = |value, peer| line(value).against("p", peer).aim(aim).verdict;
        assert_eq!(verdict(20.0, Some(21.0)), Verdict::Met);
        assert_eq!(verdict(20.0, Some(19.0)), Verdict::Missed);
        assert_eq!(verdict(26.0, Some(30.0)), Verdict::Missed);
        assert_eq!(verdict(20.0, None), Verdict::NotJudged);
        assert_eq!(verdict(26.0, None), Verdict::Missed);
        assert_eq!(line(1.0).verdict, Verdict::Plain);
    }

    #[test]
    fn a_quick_run_judges_nothing_but_still_fails() {
        assert_eq!(line(2.0).aim(Aim::at_most(1.0)).not_judged().verdict, Verdict::NotJudged);
        assert!(Line::failed("x", &anyhow::anyhow!("no")).not_judged().has_failed());
    }
}
