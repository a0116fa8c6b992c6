//! `Rotation`: replaces the keys of session tickets when their time has come.

use std::sync::Arc;

use headgate_certs::{Tickets, tickets::ROTATE_EVERY};
use tokio::task;
use tokio_util::sync::CancellationToken;
use tracing::error;

pub(super) struct Rotation {
    pub(super) tickets: Arc<Tickets>,
}

impl Rotation {
    pub(super) async fn run(self, stop: CancellationToken) {
        while stop.run_until_cancelled(tokio::time::sleep(ROTATE_EVERY)).await.is_some() {
            let tickets = self.tickets.clone();
            match task::spawn_blocking(move || tickets.rotate()).await {
                Ok(Ok(())) => {}
                Ok(Err(error)) => error!(%error, "ticket keys not rotated"),
                Err(error) => error!(%error, "rotating ticket keys panicked"),
            }
        }
    }
}
