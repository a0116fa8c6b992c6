//! `Sweeper`: takes away blobs and native code that no kept revision needs.

use std::{collections::HashSet, sync::Arc, time::Duration};

use headgate_executor::Executor;
use headgate_store::{BlobStore, Records};
use headgate_types::{Chain, Clock, Digest};
use tokio_util::sync::CancellationToken;
use tracing::{debug, warn};

use crate::manifest::Manifest;

/// Disk space is not urgent, and a sweep reads every manifest.
const INTERVAL: Duration = Duration::from_secs(600);

/// Longer than any deploy takes from its first blob to its record.
const GRACE: Duration = Duration::from_secs(3600);

pub(super) struct Sweeper {
    pub(super) store: Arc<BlobStore>,
    pub(super) records: Arc<Records>,
    pub(super) executor: Executor,
    pub(super) clock: Arc<dyn Clock>,
}

impl Sweeper {
    pub(super) async fn run(self, stop: CancellationToken) {
        let sweeper = Arc::new(self);
        while stop.run_until_cancelled(tokio::time::sleep(INTERVAL)).await.is_some() {
            let this = sweeper.clone();
            let swept = tokio::task::spawn_blocking(move || this.sweep()).await;
            match swept.expect("sweeping does not panic") {
                Ok(swept) => debug!(?swept, "blobs swept"),
                Err(error) => warn!(error = %Chain(&*error), "blobs not swept"),
            }
        }
    }

    /// Keeps what any kept revision reaches. A manifest that cannot be read stops the sweep, because
    /// what it reaches cannot be known.
    fn sweep(&self) -> Result<headgate_store::Swept, Box<dyn std::error::Error + Send + Sync>> {
        let mut keep: HashSet<Digest> = HashSet::new();
        for digest in self.records.manifests()? {
            let manifest = Manifest::decode(&self.store.read(&digest)?)?;
            keep.extend(manifest.blobs());
            keep.insert(digest);
        }
        let older_than = self.clock.now().before(GRACE);
        self.executor.retain(&keep, older_than)?;
        Ok(self.store.sweep(&keep, older_than)?)
    }
}
