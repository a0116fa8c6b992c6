//! `Scene`: the script `tests/scene`, as somebody starts it.

use std::{path::Path, process::Stdio};

use rustix::process::{Pid, Signal, kill_process};
use tokio::{
    io::{AsyncBufReadExt, BufReader},
    process::{Child, Command},
    time::timeout,
};

use crate::{PATIENCE, Ports, home, tests};

/// Ended when it is dropped, as by Ctrl-C.
#[derive(Debug)]
pub struct Scene {
    child: Child,
    lines: Vec<String>,
}

impl Scene {
    /// Whether what it needs is here; says loudly what is missing.
    #[expect(clippy::print_stderr, reason = "a test that is skipped says so")]
    pub fn can_be_shown() -> bool {
        let path = std::env::var_os("PATH").unwrap_or_default();
        let has = |name: &str| std::env::split_paths(&path).any(|dir| dir.join(name).is_file());
        let missing = ["pebble", "openssl", "curl"].into_iter().find(|name| !has(name));
        let missing = missing.or_else(|| (!has("dig") && !has("kdig")).then_some("dig"));
        if let Some(missing) = missing {
            eprintln!("SKIPPED: there is no {missing} here; tests/prepare installs it");
        }
        missing.is_none()
    }

    /// Waits until it says what to try.
    pub async fn start(ports: Ports) -> Self {
        let mut child = Command::new(tests().join("scene"))
            .env("HEADGATE_BIN", home::binary())
            .env("SCENE_HTTP", ports.http.to_string())
            .env("SCENE_HTTPS", ports.https.to_string())
            .env("SCENE_DNS", ports.dns.to_string())
            .env("SCENE_ACME", ports.acme.to_string())
            .env("SCENE_ROOTS", ports.management.to_string())
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .spawn()
            .expect("the script can be run");
        let mut told = BufReader::new(child.stdout.take().expect("it is piped")).lines();
        let reading = async {
            let mut lines = Vec::new();
            while let Some(line) = told.next_line().await.expect("it writes text") {
                if line.starts_with("Ctrl-C") {
                    return lines;
                }
                lines.push(line);
            }
            panic!("the scene ended: {lines:#?}");
        };
        let lines = timeout(PATIENCE * 2, reading).await.expect("the scene is set in time");
        let is_command = |line: &String| {
            let first = line.split(' ').next().unwrap_or_default();
            matches!(first, "curl" | "dig" | "kdig" | "openssl") || first.contains('=')
        };
        Self { child, lines: lines.into_iter().filter(is_command).collect() }
    }

    /// Each command that it tells to try.
    pub fn lines(&self) -> &[String] {
        &self.lines
    }

    /// Ctrl-C; and nothing is left.
    pub async fn end(mut self) {
        let folder = self.lines.iter().find_map(|line| {
            let (_, after) = line.split_once("--cacert ")?;
            Path::new(after.split(' ').next()?).parent().map(Path::to_owned)
        });
        self.interrupt();
        let ended = timeout(PATIENCE, self.child.wait()).await.expect("it ends in time");
        assert!(ended.expect("a child can be waited for").success());
        assert!(!folder.expect("it names its folder").exists(), "it leaves nothing behind");
    }

    fn interrupt(&self) {
        let pid = self.child.id().and_then(|id| Pid::from_raw(i32::try_from(id).ok()?));
        if let Some(pid) = pid {
            let _ = kill_process(pid, Signal::TERM);
        }
    }
}

impl Drop for Scene {
    fn drop(&mut self) {
        self.interrupt();
    }
}
