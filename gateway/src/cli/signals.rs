//! Signals of a running node: TERM and INT end it, HUP reads its configuration again.

use std::{io, process};

use tokio::signal::unix::{Signal, SignalKind, signal};

/// The signals that end a node, taken over from now on.
#[derive(Debug)]
pub(super) struct EndSignals {
    terminate: Signal,
    interrupt: Signal,
    /// A node without a file to read again ends when its terminal is closed.
    hangup: Option<Signal>,
}

impl EndSignals {
    pub(super) fn listen(hangup_reloads: bool) -> io::Result<Self> {
        Ok(Self {
            terminate: signal(SignalKind::terminate())?,
            interrupt: signal(SignalKind::interrupt())?,
            hangup: if hangup_reloads { None } else { Some(hangup()?) },
        })
    }

    /// Waits for the first. A second one ends the process at once, without draining.
    pub(super) async fn first(mut self) {
        self.next().await;
        tokio::spawn(async move {
            let number = self.next().await;
            // What a shell reports for a process that a signal ended.
            process::exit(128 + number.as_raw_value());
        });
    }

    async fn next(&mut self) -> SignalKind {
        tokio::select! {
            _ = self.terminate.recv() => SignalKind::terminate(),
            _ = self.interrupt.recv() => SignalKind::interrupt(),
            () = received(self.hangup.as_mut()) => SignalKind::hangup(),
        }
    }
}

async fn received(signal: Option<&mut Signal>) {
    match signal {
        Some(signal) => {
            signal.recv().await;
        }
        None => std::future::pending().await,
    }
}

pub(super) fn hangup() -> io::Result<Signal> {
    signal(SignalKind::hangup())
}
