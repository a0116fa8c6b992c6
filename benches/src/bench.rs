//! `Bench`: how long, how often, on which cores, and where the files of a run lie.

use std::{
    ffi::OsStr,
    fs,
    path::{Path, PathBuf},
    process::{Command, Stdio},
    sync::atomic::{AtomicUsize, Ordering},
};

use anyhow::{Context as _, ensure};
use tempfile::TempDir;

use crate::{measure::Samples, pressure::Pressure};

/// What every row is given.
#[derive(Debug)]
pub struct Bench {
    /// One turn of one contender. wrk counts in whole seconds.
    pub seconds: u64,
    /// Turns of each contender.
    pub rounds: usize,
    /// Only to see that everything still runs: figures are not judged, and what takes long is left out.
    pub quick: bool,
    cores: Option<Cores>,
    scratch: TempDir,
    /// Turns that count although others wanted the cores.
    disturbed: AtomicUsize,
}

/// More waiting than a server and its client cause between themselves, about four percent.
const DISTURBED: f64 = 0.15;
/// So often a disturbed turn is taken again.
const RETRIES: usize = 2;

/// Which cores a process may use.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum On {
    /// The one core of the server under load.
    Server,
    /// The one core of its client.
    Client,
    /// Every core, for work that has no client.
    All,
}

/// Lists in the words of `taskset -c`.
#[derive(Debug, PartialEq, Eq)]
struct Cores {
    server: String,
    client: String,
    all: String,
}

impl Bench {
    /// Keeps this process, which is a client too, on the client's core; call it before any thread starts.
    pub fn new(seconds: u64, rounds: usize, quick: bool) -> anyhow::Result<Self> {
        let scratch = TempDir::with_prefix("headgate-bench-").context("making a folder")?;
        let cores = pinnable_cores();
        let disturbed = AtomicUsize::new(0);
        let bench = Self { seconds, rounds, quick, cores, scratch, disturbed };
        if let Some(cores) = &bench.cores {
            let pid = std::process::id().to_string();
            let pin = Command::new("taskset")
                .args(["-pc", &cores.client, &pid])
                .stdout(Stdio::null())
                .status();
            ensure!(pin.context("running taskset")?.success(), "taskset refused {cores:?}");
        }
        Ok(bench)
    }

    /// Whether server and client have a core each.
    pub fn pinned(&self) -> bool {
        self.cores.is_some()
    }

    /// A command that will run on those cores.
    pub fn command(&self, on: On, program: impl AsRef<OsStr>) -> Command {
        let Some(cores) = &self.cores else { return Command::new(program) };
        let list = match on {
            On::Server => &cores.server,
            On::Client => &cores.client,
            On::All => &cores.all,
        };
        let mut command = Command::new("taskset");
        command.args(["-c", list]).arg(program);
        command
    }

    /// A new, empty folder that goes with the run.
    pub fn folder(&self, name: &str) -> anyhow::Result<PathBuf> {
        let folder = tempfile::Builder::new().prefix(name).tempdir_in(self.scratch.path())?;
        Ok(folder.keep())
    }

    pub fn scratch(&self) -> &Path {
        self.scratch.path()
    }

    /// Lets contenders take turns, so that what disturbs the machine disturbs all of them alike. Every
    /// other round goes backwards: nobody always runs after the same neighbour.
    pub fn interleave(&self, contenders: &mut [Contender<'_>]) -> anyhow::Result<()> {
        let mut order: Vec<usize> = (0..contenders.len()).collect();
        if !self.quick {
            for contender in &mut *contenders {
                contender.turn(WARM_UP_SECONDS)?; // first connections, caches, allocators
            }
        }
        for _ in 0..self.rounds {
            for &index in &order {
                let contender = &mut contenders[index];
                let value = self.calm_turn(contender)?;
                contender.samples.push(value);
            }
            order.reverse();
        }
        Ok(())
    }

    fn calm_turn(&self, contender: &mut Contender<'_>) -> anyhow::Result<f64> {
        let mut left = if self.quick { 0 } else { RETRIES };
        loop {
            let pressure = Pressure::start();
            let value = contender.turn(self.seconds)?;
            if pressure.share().is_none_or(|share| share <= DISTURBED) {
                return Ok(value);
            }
            if left == 0 {
                self.disturbed.fetch_add(1, Ordering::Relaxed);
                return Ok(value);
            }
            left -= 1;
        }
    }

    /// How many turns were disturbed since this was last asked.
    pub fn take_disturbed(&self) -> usize {
        self.disturbed.swap(0, Ordering::Relaxed)
    }

    /// The same for one thing that has nobody to take turns with.
    pub fn repeat(&self, mut turn: impl FnMut() -> anyhow::Result<f64>) -> anyhow::Result<Samples> {
        (0..self.rounds).map(|_| turn()).collect::<anyhow::Result<Vec<_>>>().map(Samples::from)
    }
}

const WARM_UP_SECONDS: u64 = 1;

/// Something that is measured, turn by turn.
pub struct Contender<'a> {
    pub name: String,
    pub samples: Samples,
    turn: Box<dyn FnMut(u64) -> anyhow::Result<f64> + 'a>,
}

impl<'a> Contender<'a> {
    /// `turn` is told how many seconds to take and returns its figure.
    pub fn new(name: impl Into<String>, turn: impl FnMut(u64) -> anyhow::Result<f64> + 'a) -> Self {
        Self { name: name.into(), samples: Samples::default(), turn: Box::new(turn) }
    }

    fn turn(&mut self, seconds: u64) -> anyhow::Result<f64> {
        (self.turn)(seconds).with_context(|| format!("measuring {}", self.name))
    }
}

impl std::fmt::Debug for Contender<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Contender").field("name", &self.name).finish_non_exhaustive()
    }
}

fn pinnable_cores() -> Option<Cores> {
    let status = fs::read_to_string("/proc/self/status").ok()?;
    let allowed = status.lines().find_map(|line| line.strip_prefix("Cpus_allowed_list:"))?.trim();
    binary_exists("taskset").then(|| Cores::of(allowed))?
}

impl Cores {
    /// The first two of a list such as `0-3,8`; none if there is only one.
    fn of(allowed: &str) -> Option<Self> {
        let mut cores = allowed.split(',').flat_map(|range| {
            let (first, last) = range.split_once('-').unwrap_or((range, range));
            let number = |text: &str| text.parse::<u32>().ok();
            number(first).zip(number(last)).map_or(0..0, |(first, last)| first..last + 1)
        });
        let (server, client) = (cores.next()?.to_string(), cores.next()?.to_string());
        Some(Self { server, client, all: allowed.to_owned() })
    }
}

/// Whether a shell would find this program.
pub fn binary_exists(name: &str) -> bool {
    // Debian keeps servers in a folder that users do not search.
    let path = std::env::var_os("PATH").unwrap_or_default();
    std::env::split_paths(&path).chain(["/usr/sbin".into()]).any(|dir| dir.join(name).is_file())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn server_and_client_get_the_first_cores_of_those_allowed() {
        let cores = |server: &str, client: &str, all: &str| Cores {
            server: server.to_owned(),
            client: client.to_owned(),
            all: all.to_owned(),
        };
        assert_eq!(Cores::of("0-3,8"), Some(cores("0", "1", "0-3,8")));
        assert_eq!(Cores::of("2,5"), Some(cores("2", "5", "2,5")));
        assert_eq!(Cores::of("7"), None);
    }

    #[test]
    fn contenders_take_turns_back_and_forth() {
        let bench = Bench {
            seconds: 1,
            rounds: 2,
            quick: true,
            cores: None,
            scratch: TempDir::new().unwrap(),
            disturbed: AtomicUsize::new(0),
        };
        let order = std::cell::RefCell::new(String::new());
        let mut contenders = ["a", "b"].map(|name| {
            Contender::new(name, |_| {
                order.borrow_mut().push_str(name);
                Ok(1.0)
            })
        });
        bench.interleave(&mut contenders).unwrap();
        assert!(contenders.iter().all(|contender| contender.samples.len() == 2));
        drop(contenders);
        assert_eq!(order.into_inner(), "abba");
    }
}
