//! One process of a node: started, ready, and explained when a test fails.

use std::{
    net::SocketAddr,
    path::PathBuf,
    process::{ExitStatus, Stdio},
    time::Duration,
};

use rustix::process::{Pid, Signal, kill_process};
use serde_json::Value;
use tokio::{
    process::{Child, Command},
    time::timeout,
};

use crate::{PATIENCE, events::Events, home, home::Home, log::Log, natives::Natives};

/// How long a node may take to be ready: the first one of all compiles every guest of the fixtures.
const START: Duration = Duration::from_secs(300);

/// What a node is started as, again after each restart.
#[derive(Debug)]
pub(crate) enum Start {
    Dev { folder: PathBuf, arguments: Vec<String> },
    Run,
}

/// Killed when it is dropped.
#[derive(Debug)]
pub(crate) struct Process {
    child: Child,
    pub(crate) events: Events,
    pub(crate) log: Log,
    pub(crate) http: SocketAddr,
    pub(crate) https: SocketAddr,
    /// If it answers DNS.
    pub(crate) dns: Option<SocketAddr>,
}

impl Process {
    /// Starts it and waits until it is ready.
    pub(crate) async fn launch(home: &Home, start: &Start) -> Self {
        Natives::open(&home::target()).lend(&home.state());
        let mut command = command(home);
        match start {
            Start::Dev { folder, arguments } => {
                let state = home.state();
                let any = "127.0.0.1:0";
                command.args(["dev", "--http", any, "--https", any, "--dns", any, "--state"]);
                command.arg(state).args(arguments).arg(folder);
            }
            Start::Run => {
                command.args(["run", "--config"]).arg(home.config());
            }
        }
        let mut child = command
            .args(["--output", "json", "--workers", "2"])
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .expect("the binary can be run");
        let events = Events::read(child.stdout.take().expect("it is piped"));
        let mut log = Log::read(child.stderr.take().expect("it is piped"));
        let Some(ready) = events.first("ready", START).await else {
            let _ = child.start_kill();
            log.finish();
            show(&log, &events);
            panic!("the node does not become ready");
        };
        let address = |key: &str| {
            let text = ready[key][0].as_str().unwrap_or_else(|| panic!("no `{key}` in {ready}"));
            text.parse().unwrap_or_else(|error| panic!("{text}: {error}"))
        };
        let (http, https) = (address("http"), address("https"));
        let dns = ready["dns"].get(0).map(|_| address("dns"));
        Self { child, events, log, http, https, dns }
    }

    pub(crate) async fn ready(&self) -> Value {
        self.events.first("ready", PATIENCE).await.expect("a node that started was ready")
    }

    pub(crate) fn signal(&self, signal: Signal) {
        let pid = i32::try_from(self.id()).ok().and_then(Pid::from_raw);
        kill_process(pid.expect("a process has an id"), signal)
            .expect("our own process takes signals");
    }

    pub(crate) fn id(&self) -> u32 {
        self.child.id().expect("the node runs")
    }

    pub(crate) async fn exited(&mut self) -> ExitStatus {
        let ended = timeout(PATIENCE, self.child.wait()).await;
        ended.expect("the node ends in time").expect("a child can be waited for")
    }
}

/// A test that fails shows what the node said.
impl Drop for Process {
    fn drop(&mut self) {
        if std::thread::panicking() {
            let _ = self.child.start_kill();
            self.log.finish();
            show(&self.log, &self.events);
        }
    }
}

/// The binary with an environment of its own, so that nobody's settings change a test.
pub(crate) fn command(home: &Home) -> Command {
    let mut command = Command::new(home::binary());
    let path = std::env::var_os("PATH").unwrap_or_default();
    command.env_clear().env("PATH", path).env("HOME", home.path());
    command.env("XDG_DATA_HOME", home.data()).env("XDG_STATE_HOME", home.path().join("xdg-state"));
    command.current_dir(home.path()).stdin(Stdio::null()).kill_on_drop(true);
    command
}

#[expect(clippy::print_stderr, reason = "the test runner shows it for a failed test alone")]
fn show(log: &Log, events: &Events) {
    eprintln!("the node said:");
    for event in events.all().iter().filter(|event| event["event"] != "progress") {
        eprintln!("  {event}");
    }
    eprintln!("and its log ends with:\n{log}");
}
