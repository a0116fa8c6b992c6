//! `Renewer`: keeps certificates young on a node where nobody deploys.

use std::{sync::Arc, time::Duration};

use headgate_types::Chain;
use tokio::task;
use tokio_util::sync::CancellationToken;
use tracing::error;

use crate::{node_config::CertificateFiles, publisher::Publisher};

/// Certificates are due a month before they expire; a day more or less, or a failure or two, is nothing.
const INTERVAL: Duration = Duration::from_secs(24 * 60 * 60);

pub(super) struct Renewer {
    pub(super) publisher: Arc<Publisher>,
}

impl Renewer {
    /// Reads the operator's certificates anew. One that cannot be used leaves those before in place.
    pub(super) async fn reload(publisher: &Arc<Publisher>, files: Vec<CertificateFiles>) {
        let publisher = publisher.clone();
        let reload = move || publisher.reload_certificates(&files);
        match task::spawn_blocking(reload).await {
            Ok(Ok(())) => {}
            Ok(Err(error)) => error!(error = %Chain(&error), "certificates not read anew"),
            Err(error) => error!(%error, "reading certificates panicked"),
        }
    }

    pub(super) async fn run(self, stop: CancellationToken) {
        while stop.run_until_cancelled(tokio::time::sleep(INTERVAL)).await.is_some() {
            let publisher = self.publisher.clone();
            match task::spawn_blocking(move || publisher.renew()).await {
                Ok(Ok(())) => {}
                Ok(Err(error)) => error!(error = %Chain(&error), "certificates not renewed"),
                Err(error) => error!(%error, "renewing certificates panicked"),
            }
        }
    }
}
