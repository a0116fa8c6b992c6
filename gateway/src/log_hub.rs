//! `LogHub`: what guests print and deploys say, for `headgate logs -f`.
//!
//! The last lines are kept in memory and new ones are handed to whoever follows. A writer never waits: who
//! reads too slowly loses lines and is told how many. Nothing is written to disk; a node's own log and the
//! access log go elsewhere (`logging`).

use std::{
    collections::VecDeque,
    sync::{Arc, Mutex, PoisonError},
};

use headgate_types::{ProjectName, RequestId, Timestamp};
use serde::{Deserialize, Serialize};
use tokio::sync::broadcast::{self, error::RecvError};

/// Lines kept for who asks later: the last minutes of a busy function, about a megabyte of usual lines.
const KEPT_LINES: usize = 1000;
/// Lines a follower may be behind before it loses some: a burst of output between two reads of a socket.
const FOLLOWER_LAG: usize = 1024;
/// Longer lines are cut, so that a thousand of them stay within 8 MiB.
const LONGEST_TEXT: usize = 8 << 10;

/// One line.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct LogLine {
    pub time: Timestamp,
    pub project: ProjectName,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub application: Option<String>,
    /// `None` for what concerns the whole project.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub function: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none", with = "request_id_text")]
    pub request_id: Option<RequestId>,
    pub stream: LogStream,
    /// Without the line's end.
    pub text: String,
}

/// Who said it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum LogStream {
    /// The guest, on its standard output.
    Stdout,
    /// The guest, on its standard error.
    Stderr,
    /// The node, about the guest: a trap, a deadline.
    Host,
    /// The node, about a revision.
    Deploy,
}

/// Which lines are wanted.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct LogFilter {
    pub project: Option<ProjectName>,
}

impl LogFilter {
    fn takes(&self, line: &LogLine) -> bool {
        self.project.as_ref().is_none_or(|project| *project == line.project)
    }
}

/// The meeting place of writers and followers. Cheap to write to, whether or not somebody reads.
#[derive(Debug)]
pub struct LogHub {
    recent: Mutex<VecDeque<Arc<LogLine>>>,
    live: broadcast::Sender<Arc<LogLine>>,
}

impl Default for LogHub {
    fn default() -> Self {
        Self::new()
    }
}

impl LogHub {
    pub fn new() -> Self {
        let recent = Mutex::new(VecDeque::with_capacity(KEPT_LINES));
        Self { recent, live: broadcast::Sender::new(FOLLOWER_LAG) }
    }

    /// Never blocks on a reader. Text behind the first 8 KiB is cut off.
    pub fn publish(&self, mut line: LogLine) {
        if line.text.len() > LONGEST_TEXT {
            let end = line.text.floor_char_boundary(LONGEST_TEXT);
            line.text.truncate(end);
            line.text.push('…');
        }
        let line = Arc::new(line);
        let mut recent = self.recent.lock().unwrap_or_else(PoisonError::into_inner);
        if recent.len() == KEPT_LINES {
            recent.pop_front();
        }
        recent.push_back(Arc::clone(&line));
        // Sent under the same lock, so that `follow` neither misses a line nor sees one twice. Sending
        // fails only when nobody follows.
        let _ = self.live.send(line);
    }

    /// The kept lines, oldest first.
    pub fn recent(&self, filter: &LogFilter) -> Vec<Arc<LogLine>> {
        let recent = self.recent.lock().unwrap_or_else(PoisonError::into_inner);
        recent.iter().filter(|line| filter.takes(line)).cloned().collect()
    }

    /// The kept lines, and a follower that goes on exactly behind them.
    pub fn follow(&self, filter: LogFilter) -> (Vec<Arc<LogLine>>, Follower) {
        let recent = self.recent.lock().unwrap_or_else(PoisonError::into_inner);
        let lines = recent.iter().filter(|line| filter.takes(line)).cloned().collect();
        (lines, Follower { live: self.live.subscribe(), filter })
    }
}

/// Waits for new lines.
#[derive(Debug)]
pub struct Follower {
    live: broadcast::Receiver<Arc<LogLine>>,
    filter: LogFilter,
}

/// What a follower gets.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Followed {
    Line(Arc<LogLine>),
    /// So many lines went by unread, of all projects.
    Skipped(u64),
}

impl Follower {
    /// The next line that passes the filter; `None` once the hub is gone. Cancel-safe.
    pub async fn next(&mut self) -> Option<Followed> {
        loop {
            match self.live.recv().await {
                Ok(line) if self.filter.takes(&line) => return Some(Followed::Line(line)),
                Ok(_) => {}
                Err(RecvError::Lagged(skipped)) => return Some(Followed::Skipped(skipped)),
                Err(RecvError::Closed) => return None,
            }
        }
    }
}

/// A request's id as the 32 hex digits that answers and the access log show.
mod request_id_text {
    use headgate_types::RequestId;
    use serde::{Deserialize, Deserializer, Serializer, de::Error};

    #[expect(clippy::ref_option, reason = "the signature serde calls")]
    pub(super) fn serialize<S: Serializer>(
        id: &Option<RequestId>,
        serializer: S,
    ) -> Result<S::Ok, S::Error> {
        match id {
            Some(id) => serializer.collect_str(id),
            None => serializer.serialize_none(),
        }
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(
        deserializer: D,
    ) -> Result<Option<RequestId>, D::Error> {
        let Some(text) = Option::<String>::deserialize(deserializer)? else { return Ok(None) };
        parse(&text).map(Some).ok_or_else(|| D::Error::custom("a request id is 32 hex digits"))
    }

    fn parse(text: &str) -> Option<RequestId> {
        let plain = text.len() == 32 && text.bytes().all(|b| b.is_ascii_hexdigit());
        let bits = plain.then(|| u128::from_str_radix(text, 16).ok())??;
        Some(RequestId::from_bytes(bits.to_be_bytes()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn line(project: &str, text: &str) -> LogLine {
        LogLine {
            time: Timestamp::from_millis(1),
            project: project.parse().unwrap(),
            application: None,
            function: Some("hello".into()),
            request_id: Some(RequestId::from_bytes([0xab; 16])),
            stream: LogStream::Stdout,
            text: text.into(),
        }
    }

    fn texts(lines: &[Arc<LogLine>]) -> Vec<&str> {
        lines.iter().map(|line| line.text.as_str()).collect()
    }

    #[test]
    fn only_the_last_lines_are_kept() {
        let hub = LogHub::new();
        for n in 0..KEPT_LINES + 2 {
            hub.publish(line("shop", &n.to_string()));
        }
        let lines = hub.recent(&LogFilter::default());
        assert_eq!(lines.len(), KEPT_LINES);
        assert_eq!(lines[0].text, "2");
    }

    #[tokio::test]
    async fn a_follower_gets_what_was_and_what_comes_of_its_project() {
        let hub = LogHub::new();
        hub.publish(line("shop", "old"));
        hub.publish(line("blog", "other"));
        let filter = LogFilter { project: Some("shop".parse().unwrap()) };
        let (lines, mut follower) = hub.follow(filter);
        assert_eq!(texts(&lines), ["old"]);
        hub.publish(line("blog", "other"));
        hub.publish(line("shop", "new"));
        drop(hub);
        assert_eq!(follower.next().await, Some(Followed::Line(Arc::new(line("shop", "new")))));
        assert_eq!(follower.next().await, None);
    }

    #[tokio::test]
    async fn a_slow_follower_learns_how_much_it_missed() {
        let hub = LogHub::new();
        let (_, mut follower) = hub.follow(LogFilter::default());
        for n in 0..FOLLOWER_LAG + 3 {
            hub.publish(line("shop", &n.to_string()));
        }
        assert_eq!(follower.next().await, Some(Followed::Skipped(3)));
        assert_eq!(follower.next().await, Some(Followed::Line(Arc::new(line("shop", "3")))));
    }

    #[test]
    fn a_long_line_is_cut_between_characters() {
        let hub = LogHub::new();
        hub.publish(line("shop", &"ä".repeat(LONGEST_TEXT)));
        let lines = hub.recent(&LogFilter::default());
        assert_eq!(lines[0].text.len(), LONGEST_TEXT + '…'.len_utf8());
    }

    #[test]
    fn lines_survive_json() {
        let json = serde_json::to_string(&line("shop", "hi")).unwrap();
        assert_eq!(
            json,
            format!(
                r#"{{"time":1,"project":"shop","function":"hello","request_id":"{}","stream":"stdout","text":"hi"}}"#,
                "ab".repeat(16)
            )
        );
        assert_eq!(serde_json::from_str::<LogLine>(&json).unwrap(), line("shop", "hi"));
    }
}
