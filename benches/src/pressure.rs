//! Who else wanted the cores while something was measured.
//!
//! On a core that is shared, a server is cut off between requests, its caches are someone else's, and CPU
//! time per request doubles. The kernel counts the time in which some task was ready and had to wait.

use std::{fs, time::Instant};

/// Begun when a measurement begins.
#[derive(Debug)]
pub struct Pressure {
    start: Instant,
    /// Microseconds so far; none where the kernel does not count (`CONFIG_PSI`).
    waited: Option<u64>,
}

impl Pressure {
    pub fn start() -> Self {
        Self { start: Instant::now(), waited: waited() }
    }

    /// The share of the time since then in which some task waited for a core.
    pub fn share(&self) -> Option<f64> {
        let waited = waited()?.saturating_sub(self.waited?);
        Some(waited as f64 / 1e6 / self.start.elapsed().as_secs_f64())
    }
}

fn waited() -> Option<u64> {
    total(&fs::read_to_string("/proc/pressure/cpu").ok()?)
}

/// `some avg10=… avg60=… avg300=… total=<microseconds>`.
fn total(pressure: &str) -> Option<u64> {
    let some = pressure.lines().find(|line| line.starts_with("some "))?;
    some.rsplit_once("total=")?.1.trim().parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_total_of_some_counts() {
        let pressure = "some avg10=8.52 avg60=29.03 avg300=30.46 total=2301688828\n\
                        full avg10=0.00 avg60=0.00 avg300=0.00 total=7\n";
        assert_eq!(total(pressure), Some(2_301_688_828));
        assert_eq!(total(""), None);
    }
}
