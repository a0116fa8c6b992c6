//! The machine of a run: figures without it say nothing.

use std::{fs, process::Command, thread};

use serde::Serialize;

use crate::{bench::Bench, binary::workspace};

#[derive(Debug, Serialize)]
pub struct Machine {
    cpu: String,
    cores: usize,
    kernel: String,
    rustc: String,
    commit: String,
    build: &'static str,
    /// Server and client on a core each.
    pinned: bool,
    /// Who else was busy when the run began: the load average of the last minute.
    load: String,
    tools: Vec<String>,
}

impl Machine {
    pub fn describe(bench: &Bench) -> Self {
        let read = |path| fs::read_to_string(path).unwrap_or_default();
        let cpuinfo = read("/proc/cpuinfo");
        let cpu =
            cpuinfo.lines().find_map(|line| line.strip_prefix("model name")?.split_once(": "));
        let cores = cpuinfo.lines().filter(|line| line.starts_with("processor")).count();
        Self {
            cpu: cpu.map_or("unknown", |(_, name)| name).to_owned(),
            cores: cores.max(thread::available_parallelism().map_or(1, usize::from)),
            kernel: read("/proc/sys/kernel/osrelease").trim().to_owned(),
            rustc: first_line("rustc", &["--version"]),
            commit: first_line("git", &["describe", "--always", "--dirty", "--exclude", "*"]),
            build: if cfg!(debug_assertions) { "dev" } else { "release" },
            pinned: bench.pinned(),
            load: read("/proc/loadavg").split(' ').next().unwrap_or_default().to_owned(),
            tools: vec![
                first_line("wrk", &["-v"]),
                first_line("h2load", &["--version"]),
                first_line("nginx", &["-v"]),
            ],
        }
    }

    pub fn line(&self) -> String {
        format!(
            "{cpu}, {cores} cores, Linux {kernel}, {rustc}, commit {commit}, {build} build, {pinned}, load {load}",
            cpu = self.cpu,
            cores = self.cores,
            kernel = self.kernel,
            rustc = self.rustc,
            commit = self.commit,
            build = self.build,
            pinned = if self.pinned { "server and client pinned" } else { "not pinned" },
            load = self.load,
        )
    }
}

/// What a tool says of itself; some say it on stderr, and wrk calls it a failure.
fn first_line(program: &str, arguments: &[&str]) -> String {
    let output = Command::new(program).args(arguments).current_dir(workspace()).output();
    let Ok(output) = output else { return format!("{program} is not installed") };
    let both = [output.stdout, output.stderr].concat();
    String::from_utf8_lossy(&both).lines().next().unwrap_or("unknown").to_owned()
}
