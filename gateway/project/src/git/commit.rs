//! `CommitInfo`: a commit as people see it.

use gix::{ObjectId, bstr::ByteSlice};
use headgate_types::Timestamp;

use super::{GitError, error::RemoteCause};

/// Longer subjects and names are cut: they end up in terminals and logs.
const MAX_TEXT: usize = 200;

/// Who made a commit, when, and what for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CommitInfo {
    /// The author's name, without the address.
    pub author: String,
    /// When it was committed, by the committer's clock.
    pub time: Timestamp,
    /// The first line of the message.
    pub subject: String,
}

impl CommitInfo {
    pub(super) fn read(
        repository: &gix::ThreadSafeRepository,
        id: ObjectId,
    ) -> Result<Self, GitError> {
        let repository = repository.to_thread_local();
        let read = || -> gix::Result<Self> {
            let commit = repository.find_commit(id)?;
            let seconds = u64::try_from(commit.time()?.seconds).unwrap_or(0);
            let subject = commit.message_raw()?.lines().next().unwrap_or_default();
            Ok(Self {
                author: plain(commit.author()?.name),
                time: Timestamp::from_millis(seconds.saturating_mul(1000)),
                subject: plain(subject),
            })
        };
        read().map_err(|error| GitError::Damaged { source: RemoteCause::of(&error) })
    }
}

/// Whatever the author wrote, as one printable line.
fn plain(text: &[u8]) -> String {
    let text = String::from_utf8_lossy(text);
    let tame = |c| if steers(c) { char::REPLACEMENT_CHARACTER } else { c };
    text.trim().chars().take(MAX_TEXT).map(tame).collect()
}

/// What would move a terminal's cursor, or let a line be read in another order than it was written.
fn steers(c: char) -> bool {
    c.is_control() || matches!(c, '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn control_characters_never_reach_a_terminal() {
        assert_eq!(plain(b" \x1b[31mred\x07 caf\xe9 \r\n"), "\u{fffd}[31mred\u{fffd} caf\u{fffd}");
        assert_eq!(plain("a\u{202e}b".as_bytes()), "a\u{fffd}b");
        assert_eq!(plain(&[b'x'; 999]).len(), MAX_TEXT);
    }
}
