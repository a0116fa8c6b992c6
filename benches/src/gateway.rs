//! `Gateway`: the real binary, serving a generated project.

use std::{
    fs,
    net::SocketAddr,
    path::{Path, PathBuf},
    time::{Duration, Instant},
};

use anyhow::{Context as _, bail};
use serde_json::Value;

use crate::{
    bench::{Bench, On},
    binary::sibling,
    child::{Child, Stderr, stderr_file},
    identity::HOST,
    load::Target,
    project::Project,
};

#[derive(Debug)]
pub struct Gateway {
    child: Child,
    pub http: SocketAddr,
    pub https: SocketAddr,
    /// From starting the process to its saying that it is ready.
    pub started_in: Duration,
}

/// What differs between the gateways that are measured.
#[derive(Debug, Clone, Copy)]
pub struct Options {
    pub on: On,
    /// One line per request, thrown away.
    pub access_log: bool,
}

pub const QUIET: Options = Options { on: On::Server, access_log: false };

/// A thousand functions compile, or one of thirteen megabytes, in a build without optimisation too.
const PATIENCE: Duration = Duration::from_secs(600);
/// A change is live long before.
const DEPLOY_PATIENCE: Duration = Duration::from_secs(60);

impl Gateway {
    /// `headgate run`, serving the folder of `project` and keeping state in `state`.
    pub fn run(
        bench: &Bench,
        project: &Project,
        state: &Path,
        options: Options,
    ) -> anyhow::Result<Self> {
        Self::run_all(bench, &[project], state, options)
    }

    /// The same for several projects.
    pub fn run_all(
        bench: &Bench,
        projects: &[&Project],
        state: &Path,
        options: Options,
    ) -> anyhow::Result<Self> {
        let config = state.join("node.yaml");
        fs::write(&config, node_yaml(projects, state, options))?;
        let mut command = bench.command(options.on, sibling("headgate")?);
        command.arg("run").arg("--config").arg(&config).args(["--output", "json"]);
        let stderr = match options.access_log {
            true => Stderr::Nowhere,
            false => stderr_file(state, "headgate"),
        };
        Self::ready(|| Child::spawn("headgate run", &mut command, stderr))
    }

    /// `headgate dev`, on every core, as on a developer's machine.
    pub fn dev(bench: &Bench, project: &Project, home: &Path) -> anyhow::Result<Self> {
        let mut command = bench.command(On::All, sibling("headgate")?);
        command
            .arg("dev")
            .arg(project.folder())
            .args(["--http", "127.0.0.1:0", "--https", "127.0.0.1:0", "--output", "json"])
            .env("HOME", home)
            .env("XDG_STATE_HOME", home.join("state"))
            .env("XDG_DATA_HOME", home.join("data"));
        let stderr = stderr_file(home, "headgate");
        Self::ready(|| Child::spawn("headgate dev", &mut command, stderr))
    }

    fn ready(spawn: impl FnOnce() -> anyhow::Result<Child>) -> anyhow::Result<Self> {
        let start = Instant::now();
        let child = spawn()?;
        let ready = await_event(&child, "ready", PATIENCE)?;
        let address = |key: &str| {
            let first = ready[key][0].as_str().with_context(|| format!("no `{key}` in {ready}"))?;
            first.parse().with_context(|| format!("`{first}` in {ready}"))
        };
        let (http, https) = (address("http")?, address("https")?);
        Ok(Self { http, https, started_in: start.elapsed(), child })
    }

    pub fn pid(&self) -> u32 {
        self.child.pid()
    }

    /// Waits until a revision is served that was not before.
    pub fn await_deployed(&self) -> anyhow::Result<Value> {
        await_event(&self.child, "deployed", DEPLOY_PATIENCE)
    }

    pub fn target(&self, path: impl Into<String>) -> Target {
        Target { address: self.http, host: HOST, path: path.into() }
    }

    /// Of a project that is not on the usual host.
    pub fn target_of(&self, project: &Project, path: impl Into<String>) -> Target {
        Target { host: project.host, ..self.target(path) }
    }

    pub fn tls_target(&self, path: impl Into<String>) -> Target {
        Target { address: self.https, ..self.target(path) }
    }

    pub fn stop(self) {
        self.child.stop();
    }
}

/// A folder for the state of a gateway.
pub fn state_folder(bench: &Bench) -> anyhow::Result<PathBuf> {
    bench.folder("state-")
}

/// New connections a second of one address: here all come from one.
const ANY_RATE: u32 = 1_000_000;

fn node_yaml(projects: &[&Project], state: &Path, options: Options) -> String {
    let project = |project: &&Project| {
        format!("  - name: {}\n    config: {}\n", project.name(), project.folder().display())
    };
    format!(
        "version: 1\n\
         state: {state}\n\
         http: [\"127.0.0.1:0\"]\n\
         https: [\"127.0.0.1:0\"]\n\
         projects:\n{projects}\
         outbound:\n  allow: [127.0.0.0/8]\n\
         drain: 1s\n\
         limits:\n  per_address_rate: {ANY_RATE}\n\
         log:\n  access: {access}\n",
        state = state.display(),
        projects = projects.iter().map(project).collect::<String>(),
        access = options.access_log,
    )
}

/// Reads one JSON object a line until the event comes.
fn await_event(child: &Child, wanted: &str, patience: Duration) -> anyhow::Result<Value> {
    let deadline = Instant::now() + patience;
    loop {
        let line = child.line(deadline.saturating_duration_since(Instant::now()))?;
        let event: Value =
            serde_json::from_str(&line).with_context(|| format!("reading {line}"))?;
        match event["event"].as_str() {
            Some(name) if name == wanted => return Ok(event),
            Some("refused" | "failed") => bail!("the gateway does not take the project: {line}"),
            _ => {}
        }
    }
}
