//! `Client`: one keep-alive connection, one request at a time, for what happens only once.

use std::{
    io::{Read, Write},
    net::{SocketAddr, TcpStream},
    time::{Duration, Instant},
};

use anyhow::{Context as _, ensure};

use crate::identity::HOST;

#[derive(Debug)]
pub struct Client {
    stream: TcpStream,
    buffer: Vec<u8>,
}

#[derive(Debug)]
pub struct Answer {
    /// From the first byte sent to the last one received.
    pub elapsed: Duration,
    /// Head and body as they came.
    pub text: String,
}

/// A guest's own deadline is shorter.
const PATIENCE: Duration = Duration::from_secs(60);
/// Answers asked for in this way are short.
const LARGEST: usize = 1 << 20;

impl Client {
    pub fn connect(address: SocketAddr) -> anyhow::Result<Self> {
        let stream = TcpStream::connect(address).context("connecting")?;
        stream.set_nodelay(true)?;
        stream.set_read_timeout(Some(PATIENCE))?;
        Ok(Self { stream, buffer: Vec::new() })
    }

    /// # Errors
    /// If the answer is not 200.
    pub fn get(&mut self, path: &str) -> anyhow::Result<Answer> {
        let request = format!("GET {path} HTTP/1.1\r\nhost: {HOST}\r\n\r\n");
        self.buffer.clear();
        let start = Instant::now();
        self.stream.write_all(request.as_bytes())?;
        while !complete(&self.buffer) {
            let mut chunk = [0; 4096];
            let count = self.stream.read(&mut chunk).context("reading an answer")?;
            ensure!(count > 0, "the connection ended within an answer to {path}");
            self.buffer.extend_from_slice(&chunk[..count]);
            ensure!(self.buffer.len() < LARGEST, "the answer to {path} is too long");
        }
        let elapsed = start.elapsed();
        let text = String::from_utf8_lossy(&self.buffer).into_owned();
        ensure!(text.starts_with("HTTP/1.1 200"), "{path} was answered {text}");
        Ok(Answer { elapsed, text })
    }
}

/// Whether an answer has arrived whole: by its length, or by the last chunk.
fn complete(answer: &[u8]) -> bool {
    let Some(end) = answer.windows(4).position(|w| w == b"\r\n\r\n") else { return false };
    let head = String::from_utf8_lossy(&answer[..end]).to_ascii_lowercase();
    let body = &answer[end + 4..];
    let length = head.lines().find_map(|line| line.strip_prefix("content-length:"));
    match length.and_then(|length| length.trim().parse().ok()) {
        Some(length) => body.len() >= length,
        None => body.ends_with(b"0\r\n\r\n"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_answer_is_complete_by_length_or_last_chunk() {
        let by_length = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n";
        assert!(!complete(by_length));
        assert!(complete(&[by_length, &b"ab"[..]].concat()));
        let chunked = b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n1\r\na\r\n";
        assert!(!complete(chunked));
        assert!(complete(&[chunked, &b"0\r\n\r\n"[..]].concat()));
    }
}
