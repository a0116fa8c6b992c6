//! Load: wrk for HTTP/1.1, h2load for HTTP/2, and what they say.

use std::{
    net::SocketAddr,
    process::{Command, Output},
    time::Duration,
};

use anyhow::{Context as _, bail, ensure};

use crate::{
    bench::{Bench, On},
    measure::{cpu_time, micros},
};

/// What is asked, and of whom.
#[derive(Debug, Clone)]
pub struct Target {
    pub address: SocketAddr,
    pub host: &'static str,
    pub path: String,
}

/// How it is asked.
#[derive(Debug, Clone, Copy)]
pub enum Wire {
    /// HTTP/1.1, keep-alive, no TLS.
    H1 { connections: u32 },
    /// HTTP/2 over TLS.
    H2 { connections: u32, streams: u32 },
}

/// The load of the comparisons that stood at the beginning of Headgate, so that figures stay comparable.
pub const H1: Wire = Wire::H1 { connections: 32 };
pub const H2: Wire = Wire::H2 { connections: 8, streams: 16 };

/// What came of it.
#[derive(Debug, Clone, PartialEq)]
pub struct Load {
    /// Answered with 2xx.
    pub requests: u64,
    /// Median and 99th percentile of the time to an answer, where the tool tells.
    pub latency: Option<(Duration, Duration)>,
}

impl Target {
    /// Asks over and over, for whole seconds.
    ///
    /// # Errors
    /// If a single answer is not 2xx: a server that refuses is quick, and its figure worth nothing.
    pub fn load(&self, bench: &Bench, wire: Wire, seconds: u64) -> anyhow::Result<Load> {
        match wire {
            Wire::H1 { connections } => {
                let mut command = self.wrk(bench, connections, seconds);
                read_wrk(&text_of("wrk", command.output())?)
            }
            Wire::H2 { connections, streams } => {
                let mut command = bench.command(On::Client, "h2load");
                command.arg(format!("--connect-to={}", self.address));
                command.args(["-t1", "-c", &connections.to_string(), "-m", &streams.to_string()]);
                command.args(["-D", &seconds.to_string()]);
                command.arg(format!("https://{}{}", self.host, self.path));
                read_h2load(&text_of("h2load", command.output())?)
            }
        }
    }

    /// Asks `requests` times at once, in cleartext HTTP/2; gives the time until the last answer.
    ///
    /// # Errors
    /// If a single answer is not 2xx, or one is missing.
    pub fn burst(
        &self,
        bench: &Bench,
        requests: u32,
        connections: u32,
    ) -> anyhow::Result<Duration> {
        let streams = requests.div_ceil(connections);
        let mut command = bench.command(On::Client, "h2load");
        command.arg(format!("--connect-to={}", self.address));
        command.args(["-t1", "-c", &connections.to_string(), "-m", &streams.to_string()]);
        command.args(["-n", &requests.to_string()]);
        command.arg(format!("http://{}{}", self.host, self.path));
        let text = text_of("h2load", command.output())?;
        let answered = read_h2load(&text)?.requests;
        ensure!(answered == u64::from(requests), "{answered} of {requests} were answered");
        let took = text.lines().find_map(|line| line.strip_prefix("finished in "));
        let took = took.and_then(|rest| read_duration(rest.split(',').next()?));
        took.with_context(|| format!("h2load told no time: {text}"))
    }

    /// wrk as it is run for HTTP/1.1 load; one that runs aside can be started from here.
    pub fn wrk(&self, bench: &Bench, connections: u32, seconds: u64) -> Command {
        let mut command = bench.command(On::Client, "wrk");
        command.args(["-t1", "--latency", "--timeout", "10s"]);
        command.args(["-c", &connections.to_string(), "-d", &format!("{seconds}s")]);
        command.args(["-H", &format!("Host: {}", self.host)]);
        command.arg(format!("http://{}{}", self.address, self.path));
        command
    }

    /// CPU time of the server `pid` for one request, in microseconds.
    pub fn cpu_per_request(
        &self,
        bench: &Bench,
        pid: u32,
        wire: Wire,
        seconds: u64,
    ) -> anyhow::Result<f64> {
        let before = cpu_time(pid)?;
        let load = self.load(bench, wire, seconds)?;
        let used = cpu_time(pid)?.saturating_sub(before);
        ensure!(load.requests > 0, "not one request was answered");
        Ok(micros(used) / load.requests as f64)
    }
}

fn text_of(tool: &str, output: std::io::Result<Output>) -> anyhow::Result<String> {
    let output = output.with_context(|| format!("running {tool}; benches/run installs it"))?;
    if !output.status.success() {
        bail!("{tool} failed: {}", String::from_utf8_lossy(&output.stderr).trim());
    }
    Ok(String::from_utf8_lossy(&output.stdout).into_owned())
}

fn read_wrk(text: &str) -> anyhow::Result<Load> {
    let line = |start: &str| text.lines().find_map(|line| line.trim().strip_prefix(start));
    if let Some(bad) = line("Non-2xx or 3xx responses:") {
        bail!("{} answers were not 2xx or 3xx", bad.trim());
    }
    // Timeouts end nothing: the requests counted were answered all the same.
    if let Some(errors) = line("Socket errors:") {
        let clean = errors.contains("connect 0, read 0, write 0");
        ensure!(clean, "wrk had socket errors:{errors}");
    }
    let requests = text.lines().find_map(|line| line.trim().split_once(" requests in "));
    let requests = requests.and_then(|(count, _)| count.parse().ok());
    let percentile = |percent| line(percent).and_then(read_duration);
    Ok(Load {
        requests: requests.with_context(|| format!("wrk did not count: {text}"))?,
        latency: percentile("50%").zip(percentile("99%")),
    })
}

fn read_h2load(text: &str) -> anyhow::Result<Load> {
    let codes = text.lines().find_map(|line| line.strip_prefix("status codes: "));
    let codes = codes.with_context(|| format!("h2load did not count: {text}"))?;
    let counts: Vec<u64> =
        codes.split(", ").filter_map(|code| code.split(' ').next()?.parse().ok()).collect();
    let [requests, others @ ..] = &counts[..] else { bail!("h2load counted no 2xx: {codes}") };
    ensure!(others.iter().all(|count| *count == 0), "some answers were not 2xx: {codes}");
    Ok(Load { requests: *requests, latency: None })
}

/// wrk's `123.45us`, `1.50ms`, `2.00s`, `1.00m`.
fn read_duration(text: &str) -> Option<Duration> {
    let text = text.trim();
    let unit = text.find(|c: char| c.is_ascii_alphabetic())?;
    let value: f64 = text[..unit].parse().ok()?;
    let scale = match &text[unit..] {
        "us" => 1e-6,
        "ms" => 1e-3,
        "s" => 1.0,
        "m" => 60.0,
        _ => return None,
    };
    Duration::try_from_secs_f64(value * scale).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    const WRK: &str = "Running 1s test @ http://127.0.0.1:1/\n  1 threads and 2 connections\n  \
        Thread Stats   Avg      Stdev     Max   +/- Stdev\n    Latency    87.45us\n  \
        Latency Distribution\n     50%   60.00us\n     75%   70.00us\n     90%    1.00ms\n     \
        99%    1.50ms\n  23456 requests in 1.10s, 4.12MB read\nRequests/sec:  21323.64\n";

    #[test]
    fn wrk_is_understood() {
        let load = read_wrk(WRK).unwrap();
        let latency = (Duration::from_micros(60), Duration::from_micros(1500));
        assert_eq!(load, Load { requests: 23456, latency: Some(latency) });
    }

    #[test]
    fn a_refusing_server_gets_no_figure() {
        let refused = format!("{WRK}  Non-2xx or 3xx responses: 7\n");
        assert!(read_wrk(&refused).unwrap_err().to_string().starts_with("7 answers"));
        let codes = "status codes: 10 2xx, 0 3xx, 3 4xx, 0 5xx\n";
        assert!(read_h2load(codes).is_err());
    }

    #[test]
    fn h2load_is_understood() {
        let codes = "\nstatus codes: 48730 2xx, 0 3xx, 0 4xx, 0 5xx\ntraffic: 1MB\n";
        assert_eq!(read_h2load(codes).unwrap().requests, 48730);
        assert_eq!(read_duration("45.12ms"), Some(Duration::from_micros(45_120)));
    }
}
