//! `UnderWay`: keeps a sweep out while a deploy has blobs that no record names yet.

use std::sync::Arc;

use tokio::sync::{OwnedRwLockReadGuard, OwnedRwLockWriteGuard, RwLock};

/// One for the node. Deploys run beside each other, a sweep runs alone.
#[derive(Debug, Clone, Default)]
pub(crate) struct UnderWay(Arc<RwLock<()>>);

/// A deploy, from its first blob to its record. Clones go wherever it works, so that it counts as under
/// way until the last of its threads has ended, even if nobody waits for it any more.
#[derive(Debug, Clone)]
pub(crate) struct Deploying {
    _shared: Arc<OwnedRwLockReadGuard<()>>,
}

/// No deploy is under way, and none begins before this is dropped.
#[derive(Debug)]
pub(crate) struct Idle {
    _alone: OwnedRwLockWriteGuard<()>,
}

impl UnderWay {
    /// Waits for a sweep.
    pub(crate) async fn begin(&self) -> Deploying {
        Deploying { _shared: Arc::new(self.0.clone().read_owned().await) }
    }

    /// `None` if a deploy is under way; it is not waited for, since deploys wait for those who wait.
    pub(crate) fn idle(&self) -> Option<Idle> {
        Some(Idle { _alone: self.0.clone().try_write_owned().ok()? })
    }
}
