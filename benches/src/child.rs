//! `Child`: a process of this run, which ends with the value that stands for it.

use std::{
    collections::VecDeque,
    fs::File,
    io::{BufRead, BufReader, Write},
    net::{SocketAddr, TcpListener, TcpStream},
    path::{Path, PathBuf},
    process::{Command, Stdio},
    sync::mpsc::{Receiver, RecvTimeoutError, sync_channel},
    thread,
    time::{Duration, Instant},
};

use anyhow::{Context as _, bail};
use rustix::process::{Pid, Signal, kill_process};

/// A running process: its lines on stdout are read here, its stderr goes to a file.
#[derive(Debug)]
pub struct Child {
    name: String,
    process: std::process::Child,
    lines: Receiver<String>,
    stderr: Stderr,
}

/// Where a process complains.
#[derive(Debug, Clone)]
pub enum Stderr {
    /// Into a file, whose end is shown if the process fails.
    File(PathBuf),
    /// Nowhere, for a server that writes a line per request.
    Nowhere,
}

/// Lines of stdout that may wait here. Servers say little; then the pipe fills, and then they wait.
const LINES: usize = 1024;
/// A process that was asked to end may take this long before it is ended.
const GRACE: Duration = Duration::from_secs(10);
/// Between two attempts to reach a server that is starting.
const RETRY: Duration = Duration::from_millis(20);
/// Of a failed process's stderr, as many lines are shown.
const SHOWN_LINES: usize = 20;

impl Child {
    pub fn spawn(name: &str, command: &mut Command, stderr: Stderr) -> anyhow::Result<Self> {
        let complaints = match &stderr {
            Stderr::File(path) => File::create(path)?.into(),
            Stderr::Nowhere => Stdio::null(),
        };
        let mut process = command
            .env_remove("RUST_BACKTRACE") // it would push the message out of the lines shown
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(complaints)
            .spawn()
            .with_context(|| format!("starting {name}"))?;
        let stdout = BufReader::new(process.stdout.take().expect("stdout was piped above"));
        let (sender, lines) = sync_channel(LINES);
        thread::spawn(move || {
            for line in stdout.lines().map_while(Result::ok) {
                if sender.send(line).is_err() {
                    return;
                }
            }
        });
        Ok(Self { name: name.to_owned(), process, lines, stderr })
    }

    pub fn pid(&self) -> u32 {
        self.process.id()
    }

    /// Its next line on stdout.
    ///
    /// # Errors
    /// If it ended, with what it complained of, or says nothing until `patience` ends.
    pub fn line(&self, patience: Duration) -> anyhow::Result<String> {
        match self.lines.recv_timeout(patience) {
            Ok(line) => Ok(line),
            Err(RecvTimeoutError::Timeout) => bail!("{} said nothing for {patience:?}", self.name),
            Err(RecvTimeoutError::Disconnected) => {
                bail!("{} ended{}", self.name, self.complaints())
            }
        }
    }

    /// Writes a line to its stdin.
    pub fn say(&mut self, line: &str) -> anyhow::Result<()> {
        let stdin = self.process.stdin.as_mut().expect("stdin was piped at the start");
        writeln!(stdin, "{line}").with_context(|| format!("talking to {}", self.name))
    }

    /// Waits until it accepts connections at `address`.
    pub fn await_listening(&self, address: SocketAddr, patience: Duration) -> anyhow::Result<()> {
        let deadline = Instant::now() + patience;
        while TcpStream::connect(address).is_err() {
            match self.lines.recv_timeout(RETRY) {
                Err(RecvTimeoutError::Disconnected) => {
                    bail!("{} ended{}", self.name, self.complaints())
                }
                _ if Instant::now() > deadline => {
                    bail!("{} does not listen on {address}{}", self.name, self.complaints())
                }
                _ => {}
            }
        }
        Ok(())
    }

    fn complaints(&self) -> String {
        let Stderr::File(path) = &self.stderr else { return String::new() };
        let mut last = VecDeque::new();
        for line in File::open(path).into_iter().flat_map(|file| BufReader::new(file).lines()) {
            last.extend(line);
            if last.len() > SHOWN_LINES {
                last.pop_front();
            }
        }
        last.iter().map(|line| format!("\n    {line}")).collect()
    }

    /// Asks it to end and waits until it did.
    pub fn stop(self) {
        drop(self);
    }
}

impl Drop for Child {
    fn drop(&mut self) {
        drop(self.process.stdin.take());
        if let Some(pid) = i32::try_from(self.process.id()).ok().and_then(Pid::from_raw) {
            // It may have ended already; `wait` below has not been called, so the number is still its own.
            let _ = kill_process(pid, Signal::TERM);
        }
        let deadline = Instant::now() + GRACE;
        while let Some(left) = deadline.checked_duration_since(Instant::now()) {
            // stdout closes when the process ends.
            if let Err(RecvTimeoutError::Disconnected) = self.lines.recv_timeout(left) {
                break;
            }
        }
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

/// An address nobody listens on. Only for servers that cannot say which port they were given; a stranger
/// could take it meanwhile, and then the server fails to start.
pub fn free_address() -> anyhow::Result<SocketAddr> {
    Ok(TcpListener::bind("127.0.0.1:0")?.local_addr()?)
}

/// A file for the complaints of `name`.
pub fn stderr_file(scratch: &Path, name: &str) -> Stderr {
    Stderr::File(scratch.join(format!("{name}.log")))
}

#[cfg(test)]
mod tests {
    use super::*;

    const PATIENCE: Duration = Duration::from_secs(10);

    fn shell(script: &str, stderr: Stderr) -> Child {
        Child::spawn("sh", Command::new("sh").args(["-c", script]), stderr).unwrap()
    }

    #[test]
    fn a_child_is_talked_to_line_by_line_and_ends_with_its_value() {
        let mut child = shell("read x; echo got $x; exec sleep 1000", Stderr::Nowhere);
        child.say("it").unwrap();
        assert_eq!(child.line(PATIENCE).unwrap(), "got it");
        let process = format!("/proc/{}", child.pid());
        child.stop();
        assert!(!Path::new(&process).exists());
    }

    #[test]
    fn a_child_that_fails_is_quoted() {
        let scratch = tempfile::tempdir().unwrap();
        let child = shell("echo no luck >&2; exit 1", stderr_file(scratch.path(), "sh"));
        let error = child.line(PATIENCE).unwrap_err().to_string();
        assert_eq!(error, "sh ended\n    no luck");
    }
}
