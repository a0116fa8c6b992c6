//! What a node says on standard output: one JSON object a line.

use std::{
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use serde_json::Value;
use tokio::{
    io::{AsyncBufReadExt, AsyncRead, BufReader},
    sync::Notify,
    time::timeout,
};

use crate::PATIENCE;

/// Events kept of one run; no story has a hundredth of them.
const MOST: usize = 10_000;

/// The events of one run of a node, as they come.
#[derive(Debug)]
pub(crate) struct Events(Arc<Shared>);

#[derive(Debug, Default)]
struct Shared {
    state: Mutex<State>,
    changed: Notify,
}

#[derive(Debug, Default)]
struct State {
    events: Vec<Value>,
    /// Those before were waited for already.
    cursor: usize,
    /// Standard output is closed: no more will come.
    ended: bool,
}

impl Events {
    pub(crate) fn read(stdout: impl AsyncRead + Send + Unpin + 'static) -> Self {
        let shared = Arc::new(Shared::default());
        let writer = Arc::clone(&shared);
        tokio::spawn(async move {
            let mut lines = BufReader::new(stdout).lines();
            while let Ok(Some(line)) = lines.next_line().await {
                let event = serde_json::from_str(&line)
                    .unwrap_or_else(|error| panic!("{error} in the event {line}"));
                writer.change(|state| {
                    assert!(state.events.len() < MOST, "a node without end of words");
                    state.events.push(event);
                });
            }
            writer.change(|state| state.ended = true);
        });
        Self(shared)
    }

    /// The next event of this name behind the last one that was waited for, or `None` when the node ended
    /// or nothing came in time.
    pub(crate) async fn next(&self, name: &str) -> Option<Value> {
        self.find(PATIENCE, |state| {
            let found =
                state.events[state.cursor..].iter().position(|event| event["event"] == name)?;
            state.cursor += found + 1;
            Some(state.events[state.cursor - 1].clone())
        })
        .await
    }

    /// The first event of this name, whatever was waited for before.
    pub(crate) async fn first(&self, name: &str, patience: Duration) -> Option<Value> {
        let look =
            |state: &mut State| state.events.iter().find(|event| event["event"] == name).cloned();
        self.find(patience, look).await
    }

    /// Everything that was said.
    pub(crate) fn all(&self) -> Vec<Value> {
        self.0.lock().events.clone()
    }

    async fn find(
        &self,
        patience: Duration,
        mut look: impl FnMut(&mut State) -> Option<Value>,
    ) -> Option<Value> {
        let waiting = async {
            loop {
                let changed = self.0.changed.notified();
                {
                    let mut state = self.0.lock();
                    let found = look(&mut state);
                    if found.is_some() || state.ended {
                        return found;
                    }
                }
                changed.await;
            }
        };
        timeout(patience, waiting).await.ok().flatten()
    }
}

impl Shared {
    fn change(&self, change: impl FnOnce(&mut State)) {
        change(&mut self.lock());
        self.changed.notify_waiters();
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
