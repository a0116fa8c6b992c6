//! Loops: processes that do one thing over and over, for as long as they are told.
//!
//! A loop compiles its guest once and says `ready`. Then each line on its stdin is a number of seconds, and
//! each line on its stdout a [`Round`]. So it can take turns with servers.

use std::{
    io::{self, BufRead, Write},
    process::Command,
    time::{Duration, Instant},
};

use anyhow::Context as _;
use rustix::time::{ClockId, clock_gettime};
use serde::{Deserialize, Serialize};

use crate::{
    child::{Child, Stderr},
    measure::{Samples, micros},
};

/// What happened in one turn of a loop.
#[derive(Debug, Clone, Copy, Serialize, Deserialize)]
pub struct Round {
    /// Per call, of the whole process.
    pub cpu_us: f64,
    /// Time of one call.
    pub p50_us: f64,
    pub p99_us: f64,
}

/// A loop seen from outside.
#[derive(Debug)]
pub struct Loop {
    child: Child,
    /// The last round, for what is said beside its CPU time.
    pub last: Option<Round>,
}

/// A guest of thirteen megabytes is compiled before the first word.
const PATIENCE: Duration = Duration::from_secs(600);
const READY: &str = "ready";

impl Loop {
    pub fn spawn(name: &str, command: &mut Command, stderr: Stderr) -> anyhow::Result<Self> {
        let child = Child::spawn(name, command, stderr)?;
        let line = child.line(PATIENCE)?;
        anyhow::ensure!(line == READY, "{name} said {line:?}");
        Ok(Self { child, last: None })
    }

    /// One turn; returns CPU time per call.
    pub fn turn(&mut self, seconds: u64) -> anyhow::Result<f64> {
        self.child.say(&seconds.to_string())?;
        let line = self.child.line(Duration::from_secs(seconds) + PATIENCE)?;
        let round: Round =
            serde_json::from_str(&line).with_context(|| format!("reading {line}"))?;
        self.last = Some(round);
        Ok(round.cpu_us)
    }
}

/// The main part of a loop: takes turns until stdin ends.
pub fn take_turns(mut turn: impl FnMut(Duration) -> anyhow::Result<Round>) -> anyhow::Result<()> {
    let mut stdout = io::stdout().lock();
    writeln!(stdout, "{READY}")?;
    for line in io::stdin().lock().lines() {
        let seconds = line?.trim().parse().context("a turn is a number of seconds")?;
        let round = turn(Duration::from_secs(seconds))?;
        writeln!(stdout, "{}", serde_json::to_string(&round)?)?;
    }
    Ok(())
}

/// Counts one turn: ask [`Self::running`] before each call, and tell how long it took.
#[derive(Debug)]
pub struct Counting {
    end: Instant,
    cpu: Duration,
    times: Samples,
}

impl Counting {
    pub fn start(duration: Duration) -> Self {
        Self { end: Instant::now() + duration, cpu: cpu_time(), times: Samples::default() }
    }

    pub fn running(&self) -> bool {
        Instant::now() < self.end
    }

    pub fn called(&mut self, since: Instant) {
        self.times.push(micros(since.elapsed()));
    }

    pub fn end(self) -> Round {
        let used = cpu_time().saturating_sub(self.cpu);
        Round {
            cpu_us: micros(used) / self.times.len() as f64,
            p50_us: self.times.percentile(50.0),
            p99_us: self.times.percentile(99.0),
        }
    }
}

/// CPU time of this process, to the nanosecond.
fn cpu_time() -> Duration {
    let now = clock_gettime(ClockId::ProcessCPUTime);
    Duration::try_from(now).unwrap_or_default()
}
