//! `Sweeper`: takes away blobs and native code that no kept revision needs, and values of projects that have none.

use std::{collections::HashSet, sync::Arc, time::Duration};

use headgate_executor::Executor;
use headgate_store::{BlobStore, Records, RevisionRecord, Swept, globals::Space};
use headgate_types::{Chain, Clock, Digest, Revision, Timestamp};
use tokio_util::sync::CancellationToken;
use tracing::{debug, error, warn};

use crate::{deploy::UnderWay, globals::NodeGlobals, manifest::Manifest, publisher::CONFIRMED_FOR};

/// Disk space is not urgent, and a sweep reads every manifest.
const INTERVAL: Duration = Duration::from_secs(600);

/// Between two deploys of a node that is always deploying is a moment now and then.
const RETRY: Duration = Duration::from_secs(5);

/// Longer than any deploy takes from its first blob to its record. Deploys under way keep sweeps out
/// anyway; this is for what they left behind and will use again.
const GRACE: Duration = Duration::from_secs(3600);
// A record may need blobs that were last touched this long before it.
const _: () = assert!(GRACE.as_secs() >= 2 * CONFIRMED_FOR.as_secs());

type Error = Box<dyn std::error::Error + Send + Sync>;

pub(super) struct Sweeper {
    pub(super) store: Arc<BlobStore>,
    pub(super) records: Arc<Records>,
    pub(super) executor: Executor,
    pub(super) globals: Arc<NodeGlobals>,
    pub(super) clock: Arc<dyn Clock>,
    pub(super) under_way: UnderWay,
}

impl Sweeper {
    pub(super) async fn run(self, stop: CancellationToken) {
        let sweeper = Arc::new(self);
        let mut pause = INTERVAL;
        while stop.run_until_cancelled(tokio::time::sleep(pause)).await.is_some() {
            let this = sweeper.clone();
            pause = INTERVAL;
            match tokio::task::spawn_blocking(move || this.sweep()).await {
                Ok(Ok(Some(swept))) => debug!(?swept, "blobs swept"),
                Ok(Ok(None)) => {
                    debug!("not swept, a deploy is under way");
                    pause = RETRY;
                }
                Ok(Err(error)) => warn!(error = %Chain(&*error), "blobs not swept"),
                Err(error) => error!(%error, "sweeping panicked"),
            }
        }
    }

    /// Keeps what any kept revision reaches. `None` while a deploy is under way, whose blobs no record
    /// names yet.
    fn sweep(&self) -> Result<Option<Swept>, Error> {
        let Some(_idle) = self.under_way.idle() else { return Ok(None) };
        let (mut keep, mut older_than) = (HashSet::new(), self.clock.now().before(GRACE));
        let mut known = HashSet::new();
        for record in self.records.all()? {
            let Revision { project, branch, .. } = record.revision.clone();
            known.insert(Space { project, branch });
            if let Err(error) = self.reach(&record, &mut keep) {
                let oldest = oldest_blob(&record);
                error!(
                    revision = %record.revision,
                    manifest = %record.manifest,
                    error = %Chain(&*error),
                    "a revision's manifest cannot be read, so blobs written since {oldest} are kept; \
                     commit something to the project until the revision has left the history, or take \
                     the project off the list for a while"
                );
                older_than = older_than.min(oldest);
            }
        }
        self.globals.retain(&known);
        self.executor.retain(&keep, older_than)?;
        Ok(Some(self.store.sweep(&keep, older_than)?))
    }

    fn reach(&self, record: &RevisionRecord, keep: &mut HashSet<Digest>) -> Result<(), Error> {
        keep.insert(record.manifest);
        let manifest = Manifest::decode(&self.store.read(&record.manifest)?)?;
        keep.extend(manifest.blobs());
        Ok(())
    }
}

/// No blob of a revision is older: its deploy wrote them, or they were all touched a while before or right
/// after it.
fn oldest_blob(record: &RevisionRecord) -> Timestamp {
    record.accepted_at.before(GRACE)
}

#[cfg(test)]
mod tests;
