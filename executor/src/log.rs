//! What guests print, cut into lines and kept within bounds.

use std::{
    pin::Pin,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    task::{Context, Poll},
};

use bytes::Bytes;
use headgate_types::{RequestId, Scope};
use tokio::io::AsyncWrite;
use wasmtime_wasi::{
    cli::{IsTerminal, StdoutStream},
    p2::{OutputStream, Pollable, StreamError},
};

use crate::{config::Config, defaults, function::FunctionSpec};

/// Where guests' lines go. Called on the request's own task, so it must not block.
pub trait GuestLog: Send + Sync + 'static {
    fn line(&self, line: GuestLine<'_>);
}

/// One line of one request, without its line end.
#[derive(Debug, Clone, Copy)]
pub struct GuestLine<'a> {
    pub scope: &'a Scope,
    pub request_id: RequestId,
    pub stream: GuestStream,
    /// At most [`Config::log_line`] bytes. Control characters are as the guest wrote them.
    pub text: &'a str,
}

/// Who wrote a line: the guest, or the host about the guest.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum GuestStream {
    Stdout,
    Stderr,
    Host,
}

/// The output of one request; clones share its bounds. What was printed without a line end is written when the
/// last clone is dropped.
#[derive(Clone)]
pub(crate) struct Output(Arc<Shared>);

struct Shared {
    log: Arc<dyn GuestLog>,
    function: Arc<FunctionSpec>,
    line_limit: usize,
    state: Mutex<State>,
}

struct State {
    request_id: RequestId,
    stdout: Vec<u8>,
    stderr: Vec<u8>,
    /// Bytes this request may still log.
    left: usize,
}

impl Output {
    pub(crate) fn new(
        config: &Config,
        log: Arc<dyn GuestLog>,
        function: Arc<FunctionSpec>,
        request_id: RequestId,
    ) -> Self {
        let state =
            State { request_id, stdout: Vec::new(), stderr: Vec::new(), left: config.log_request };
        let line_limit = config.log_line.max(1);
        Self(Arc::new(Shared { log, function, line_limit, state: Mutex::new(state) }))
    }

    /// From here on it is the output of this request, with all that one may print.
    pub(crate) fn begin(&self, config: &Config, request_id: RequestId) {
        let mut state = self.0.state();
        self.0.emit_rest(&mut state);
        (state.request_id, state.left) = (request_id, config.log_request);
    }

    /// Says something about the guest. Not counted against its bounds.
    pub(crate) fn host(&self, text: &str) {
        let request_id = self.0.state().request_id;
        self.0.emit(request_id, GuestStream::Host, text);
    }

    /// Takes what the guest printed; whole lines leave at once.
    pub(crate) fn write(&self, stream: GuestStream, bytes: &[u8]) {
        self.0.write(stream, bytes);
    }

    /// `stream` as WASI wants it.
    pub(crate) fn stream(&self, stream: GuestStream) -> Printer {
        Printer { output: self.clone(), stream }
    }
}

impl Shared {
    fn write(&self, stream: GuestStream, bytes: &[u8]) {
        let mut state = self.state();
        if state.left == 0 {
            return;
        }
        let kept = &bytes[..bytes.len().min(state.left)];
        state.left -= kept.len();
        let (exhausted, id) = (state.left == 0, state.request_id);
        let pending = match stream {
            GuestStream::Stderr => &mut state.stderr,
            GuestStream::Stdout | GuestStream::Host => &mut state.stdout,
        };
        for part in kept.split_inclusive(|byte| *byte == b'\n') {
            pending.extend_from_slice(part);
            self.emit_full(id, stream, pending);
        }
        if exhausted {
            self.emit_rest(&mut state);
            self.emit(id, GuestStream::Host, "… truncated: this request printed all it may");
        }
    }

    /// Emits `pending` if its line is complete, and pieces of it while it is too long.
    fn emit_full(&self, id: RequestId, stream: GuestStream, pending: &mut Vec<u8>) {
        if pending.last() == Some(&b'\n') {
            pending.pop();
            if pending.last() == Some(&b'\r') {
                pending.pop();
            }
            while pending.len() > self.line_limit {
                self.emit_piece(id, stream, pending);
            }
            self.emit(id, stream, &String::from_utf8_lossy(pending));
            pending.clear();
        }
        while pending.len() >= self.line_limit {
            self.emit_piece(id, stream, pending);
        }
    }

    /// Cuts one piece off, between characters if the guest prints UTF-8.
    fn emit_piece(&self, id: RequestId, stream: GuestStream, pending: &mut Vec<u8>) {
        let limit = self.line_limit.min(pending.len());
        let inside = |at: usize| pending.get(at).is_some_and(|byte| byte & 0xc0 == 0x80);
        let cut = (limit.saturating_sub(3).max(1)..=limit).rev().find(|at| !inside(*at));
        let rest = pending.split_off(cut.unwrap_or(limit));
        self.emit(id, stream, &String::from_utf8_lossy(pending));
        *pending = rest;
    }

    fn emit_rest(&self, state: &mut State) {
        let id = state.request_id;
        for (stream, pending) in
            [(GuestStream::Stdout, &mut state.stdout), (GuestStream::Stderr, &mut state.stderr)]
        {
            if !pending.is_empty() {
                self.emit(id, stream, &String::from_utf8_lossy(pending));
                pending.clear();
            }
        }
    }

    fn emit(&self, request_id: RequestId, stream: GuestStream, text: &str) {
        let scope = &self.function.scope;
        self.log.line(GuestLine { scope, request_id, stream, text });
    }

    /// A log that panicked leaves whole lines behind, so the state stays usable.
    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Shared {
    fn drop(&mut self) {
        let state = self.state.get_mut().unwrap_or_else(PoisonError::into_inner);
        let (stdout, stderr) =
            (std::mem::take(&mut state.stdout), std::mem::take(&mut state.stderr));
        let mut state = State { request_id: state.request_id, stdout, stderr, left: 0 };
        self.emit_rest(&mut state);
    }
}

/// What was said of a request's failures. A guest that tries the same again and again fills no log.
#[derive(Default)]
pub(crate) struct Told(Vec<String>);

impl Told {
    /// Says what was not said before.
    pub(crate) fn once(&mut self, output: &Output, text: &str) {
        let more = self.0.len() < defaults::FAILURES_LOGGED;
        if more && !self.0.iter().any(|known| known == text) {
            output.host(text);
            self.0.push(text.to_owned());
        }
    }
}

/// A name as it may stand in a line of the log.
pub(crate) fn shown(name: &str) -> String {
    name.chars().take(255).flat_map(char::escape_debug).collect()
}

/// One of a guest's output streams. Never full, never slow: what exceeds the bounds is dropped.
#[derive(Clone)]
pub(crate) struct Printer {
    output: Output,
    stream: GuestStream,
}

impl StdoutStream for Printer {
    fn p2_stream(&self) -> Box<dyn OutputStream> {
        Box::new(self.clone())
    }

    /// For guests of 0.3.
    fn async_stream(&self) -> Box<dyn AsyncWrite + Send + Sync> {
        Box::new(self.clone())
    }
}

impl AsyncWrite for Printer {
    fn poll_write(
        self: Pin<&mut Self>,
        _: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<std::io::Result<usize>> {
        self.output.write(self.stream, bytes);
        Poll::Ready(Ok(bytes.len()))
    }

    fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<std::io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<std::io::Result<()>> {
        Poll::Ready(Ok(()))
    }
}

impl IsTerminal for Printer {
    fn is_terminal(&self) -> bool {
        false
    }
}

#[async_trait::async_trait]
impl Pollable for Printer {
    async fn ready(&mut self) {}
}

#[async_trait::async_trait]
impl OutputStream for Printer {
    fn write(&mut self, bytes: Bytes) -> Result<(), StreamError> {
        self.output.write(self.stream, &bytes);
        Ok(())
    }

    fn flush(&mut self) -> Result<(), StreamError> {
        Ok(())
    }

    fn check_write(&mut self) -> Result<usize, StreamError> {
        Ok(defaults::LOG_REQUEST)
    }
}
