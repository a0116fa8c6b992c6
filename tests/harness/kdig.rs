//! What a real client of DNS makes of an answer.

use std::{net::SocketAddr, process::Stdio};

use tokio::{process::Command, time::timeout};

use crate::PATIENCE;

/// An answer as `kdig` shows it.
#[derive(Debug, Clone)]
pub struct Dug {
    text: String,
}

/// Asks `server`; `arguments` as on kdig's command line. `None`, with a loud word, if there is no kdig here.
pub async fn kdig(server: SocketAddr, arguments: &[&str]) -> Option<Dug> {
    let mut command = Command::new("kdig");
    command.arg(format!("@{}", server.ip())).args(["-p", &server.port().to_string()]);
    command.args(["+retry=0", "+timeout=10", "+nocrypto"]).args(arguments);
    command.stdin(Stdio::null()).kill_on_drop(true);
    let output = match timeout(PATIENCE, command.output()).await.expect("kdig ends in time") {
        Ok(output) => output,
        Err(error) => {
            skip(&error);
            return None;
        }
    };
    let text = String::from_utf8(output.stdout).expect("kdig writes text");
    Some(Dug { text })
}

#[expect(clippy::print_stderr, reason = "a test that proves nothing must be heard of")]
fn skip(error: &std::io::Error) {
    eprintln!(
        "SKIPPED: DNS is not asked, because kdig cannot be run: {error}; install knot-dnsutils"
    );
}

impl Dug {
    pub fn status(&self) -> &str {
        let (_, rest) = self.text.split_once("status: ").unwrap_or_default();
        rest.split(';').next().unwrap_or_default()
    }

    /// The data of the answer's records of a type, sorted.
    pub fn data(&self, kind: &str) -> Vec<String> {
        self.section("ANSWER", kind)
    }

    /// The data of the records of a type in a section: `ANSWER`, `AUTHORITY` or `ADDITIONAL`.
    pub fn section(&self, section: &str, kind: &str) -> Vec<String> {
        let lines = self.text.lines().skip_while(|line| *line != format!(";; {section} SECTION:"));
        let lines = lines.skip(1).take_while(|line| !line.is_empty());
        let mut data: Vec<_> = lines
            .filter_map(|line| {
                // Owner, TTL, class and type, apart by any number of blanks, then the data.
                let mut rest = line;
                let mut cell = || {
                    let (cell, after) = rest.split_once(char::is_whitespace)?;
                    rest = after.trim_start();
                    Some(cell)
                };
                let found = [cell()?, cell()?, cell()?, cell()?][3];
                (found == kind).then(|| rest.trim_end().to_owned())
            })
            .collect();
        data.sort();
        data
    }

    /// The serial of the SOA in the answer.
    pub fn serial(&self) -> u32 {
        let soa = self.data("SOA");
        let serial = soa.first().and_then(|soa| soa.split(' ').nth(2)?.parse().ok());
        serial.unwrap_or_else(|| panic!("no SOA in {}", self.text))
    }

    pub fn text(&self) -> &str {
        &self.text
    }
}
