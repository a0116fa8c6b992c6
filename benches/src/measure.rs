//! What the kernel knows of a process, and what may be said of many figures.

use std::{fs, time::Duration};

use anyhow::Context as _;

/// CPU time all threads of `pid` have used so far, in user and kernel mode. It counts in ticks of 10 ms,
/// which over a turn of a second is one percent.
pub fn cpu_time(pid: u32) -> anyhow::Result<Duration> {
    let path = format!("/proc/{pid}/stat");
    let stat = fs::read_to_string(&path).with_context(|| format!("reading {path}"))?;
    let ticks = cpu_ticks(&stat).with_context(|| format!("understanding {path}"))?;
    Ok(Duration::from_secs(ticks) / u32::try_from(rustix::param::clock_ticks_per_second())?)
}

/// `utime` and `stime`, fields 14 and 15 of proc_pid_stat(5).
fn cpu_ticks(stat: &str) -> Option<u64> {
    // The second field is a name in parentheses and may hold anything, parentheses and spaces too.
    let (_, fields) = stat.rsplit_once(')')?;
    let mut fields = fields.split_ascii_whitespace().skip(11);
    let utime: u64 = fields.next()?.parse().ok()?;
    let stime: u64 = fields.next()?.parse().ok()?;
    Some(utime + stime)
}

/// Memory only this process holds, in bytes, and what else an idle thing may cost.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Footprint {
    /// `Private_Dirty` and `Private_Clean`: what would be free if the process ended.
    pub private: u64,
    /// The part of it that no file can bring back.
    pub anonymous: u64,
    pub descriptors: usize,
    pub mappings: usize,
}

impl Footprint {
    pub fn of(pid: u32) -> anyhow::Result<Self> {
        let path = format!("/proc/{pid}/smaps_rollup");
        let rollup = fs::read_to_string(&path).with_context(|| format!("reading {path}"))?;
        let bytes = |key| kibibytes(&rollup, key).with_context(|| format!("{key} in {path}"));
        Ok(Self {
            private: bytes("Private_Dirty:")? + bytes("Private_Clean:")?,
            anonymous: bytes("Anonymous:")?,
            descriptors: fs::read_dir(format!("/proc/{pid}/fd"))?.count(),
            mappings: fs::read_to_string(format!("/proc/{pid}/maps"))?.lines().count(),
        })
    }
}

fn kibibytes(rollup: &str, key: &str) -> Option<u64> {
    let value = rollup.lines().find_map(|line| line.strip_prefix(key))?;
    Some(value.split_ascii_whitespace().next()?.parse::<u64>().ok()? * 1024)
}

/// The figures of several turns.
#[derive(Debug, Clone, Default)]
pub struct Samples(Vec<f64>);

impl Samples {
    pub fn push(&mut self, value: f64) {
        self.0.push(value);
    }

    pub fn len(&self) -> usize {
        self.0.len()
    }

    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    pub fn median(&self) -> f64 {
        self.percentile(50.0)
    }

    pub fn min(&self) -> f64 {
        self.percentile(0.0)
    }

    /// The same in another unit.
    pub fn scaled(&self, factor: f64) -> Self {
        Self(self.0.iter().map(|value| value * factor).collect())
    }

    /// The smallest figure that `percent` of all do not exceed (nearest rank); not a number if there are none.
    pub fn percentile(&self, percent: f64) -> f64 {
        let mut sorted = self.0.clone();
        sorted.sort_by(f64::total_cmp);
        let rank = (percent / 100.0 * sorted.len() as f64).ceil() as usize;
        sorted.get(rank.saturating_sub(1)).copied().unwrap_or(f64::NAN)
    }
}

impl From<Vec<f64>> for Samples {
    fn from(values: Vec<f64>) -> Self {
        Self(values)
    }
}

/// In microseconds, the unit of most rows.
pub fn micros(duration: Duration) -> f64 {
    duration.as_secs_f64() * 1e6
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_with_parentheses_does_not_shift_the_fields() {
        let stat = "7 (a) b (c) S 1 7 7 0 -1 4194304 9 0 0 0 150 25 0 0 20 0 1 0 3 0 0";
        assert_eq!(cpu_ticks(stat), Some(175));
    }

    #[test]
    fn this_process_has_a_footprint() {
        let footprint = Footprint::of(std::process::id()).unwrap();
        assert!(footprint.private > 0 && footprint.mappings > 0 && footprint.descriptors > 0);
    }

    #[test]
    fn percentiles_are_figures_that_were_measured() {
        let samples = Samples::from(vec![4.0, 1.0, 3.0, 2.0]);
        assert_eq!((samples.min(), samples.median(), samples.percentile(99.0)), (1.0, 2.0, 4.0));
        assert!(Samples::default().median().is_nan());
    }
}
