//! `Settling`: which folders may hold names that a power failure would still take.

use std::sync::atomic::{AtomicBool, AtomicU32, Ordering::SeqCst};

use headgate_types::Digest;

const SHARDS: usize = 256;

/// A blob that is found in place is durable only once its folder was synced after the renaming. Whoever
/// renames syncs; whoever finds has to, if the other may not have come so far.
#[derive(Debug)]
pub(super) struct Settling {
    /// Renamings not yet synced by those who made them.
    pending: [AtomicU32; SHARDS],
    /// Not synced since the store was opened: the process before may have died at the wrong moment.
    unknown: [AtomicBool; SHARDS],
}

impl Settling {
    pub(super) fn new() -> Self {
        Self {
            pending: [const { AtomicU32::new(0) }; SHARDS],
            unknown: [const { AtomicBool::new(true) }; SHARDS],
        }
    }

    /// To be called before a blob is renamed into place.
    pub(super) fn begin(&self, digest: &Digest) {
        self.pending[shard(digest)].fetch_add(1, SeqCst);
    }

    /// To be called once after each [`begin`](Self::begin), when the folder is synced. Without it the
    /// folder stays suspect, which is right if syncing failed.
    pub(super) fn end(&self, digest: &Digest) {
        self.unknown[shard(digest)].store(false, SeqCst);
        self.pending[shard(digest)].fetch_sub(1, SeqCst);
    }

    /// Whether the folder of a blob found in place has to be synced.
    pub(super) fn is_suspect(&self, digest: &Digest) -> bool {
        let shard = shard(digest);
        self.pending[shard].load(SeqCst) > 0 || self.unknown[shard].load(SeqCst)
    }
}

fn shard(digest: &Digest) -> usize {
    usize::from(digest.as_bytes()[0])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_folder_is_suspect_until_everyone_who_renamed_has_synced() {
        let (settling, digest) = (Settling::new(), Digest::of(b"x"));
        assert!(settling.is_suspect(&digest), "who knows what happened before");
        settling.begin(&digest);
        settling.end(&digest);
        assert!(!settling.is_suspect(&digest));
        settling.begin(&digest);
        settling.begin(&digest);
        settling.end(&digest);
        assert!(settling.is_suspect(&digest), "one has not synced");
        settling.end(&digest);
        assert!(!settling.is_suspect(&digest));
    }
}
