//! `RenewalsHandle`: the reconciler as others see it, and what it tells them.

use std::{collections::HashMap, sync::Arc};

use headgate_types::{HostPattern, Timestamp};
use tokio::sync::{mpsc, oneshot, watch};

use super::{Command, Shared};
use crate::{
    acme::{limits::LimitUse, status::CertificateStatus},
    held::{HeldCertificate, InvalidCertificate, Origin},
    store::StoreError,
};

/// The reconciler, as others see it. Cheap to clone.
#[derive(Debug, Clone)]
pub struct RenewalsHandle {
    pub(super) shared: Arc<Shared>,
    pub(super) commands: mpsc::Sender<Command>,
}

/// The certificate for each name, as far as there is one. Published whole.
#[derive(Debug, Default)]
pub struct CertificatesByName {
    pub(super) names: HashMap<HostPattern, Arc<HeldCertificate>>,
}

/// Why an order of the operator's was not carried out.
#[derive(Debug, thiserror::Error)]
pub enum CommandError {
    #[error("certificates are not looked after any more: the node is stopping")]
    Stopped,
    #[error("no certificate is wanted for {0}; `headgate certs` lists those that are")]
    Unknown(HostPattern),
    #[error("this is not a certificate with its key")]
    Invalid(#[source] InvalidCertificate),
    #[error("the certificate ended at {0}")]
    Expired(Timestamp),
    #[error("the certificate cannot be kept")]
    Store(#[source] StoreError),
}

impl RenewalsHandle {
    /// The certificates by name, now and whenever they change.
    pub fn certificates(&self) -> watch::Receiver<Arc<CertificatesByName>> {
        self.shared.certificates.subscribe()
    }

    /// A row for each certificate that is wanted.
    pub fn statuses(&self) -> Arc<[CertificateStatus]> {
        self.shared.statuses.borrow().clone()
    }

    /// The same now and whenever a row changes.
    pub fn changing_statuses(&self) -> watch::Receiver<Arc<[CertificateStatus]>> {
        self.shared.statuses.subscribe()
    }

    /// How much of the authority's limits is used, the fullest first.
    pub fn limits(&self) -> Arc<Vec<LimitUse>> {
        self.shared.limits.load_full()
    }

    /// Has the certificates for `host` ordered now, due or not. How many there are.
    pub async fn renew(&self, host: HostPattern) -> Result<usize, CommandError> {
        let (reply, answer) = oneshot::channel();
        self.send(Command::Renew(host.clone(), reply)).await?;
        match answer.await.map_err(|_| CommandError::Stopped)? {
            0 => Err(CommandError::Unknown(host)),
            renewed => Ok(renewed),
        }
    }

    /// Keeps and serves a certificate of the operator's: PEM with the chain, leaf first, and its key.
    ///
    /// It goes before ordered ones while it is valid. Where its names are wanted, one is ordered
    /// before it ends.
    pub async fn import(&self, pem: &[u8]) -> Result<Arc<HeldCertificate>, CommandError> {
        let certificate = HeldCertificate::from_pem(Origin::Imported, pem);
        let certificate = Arc::new(certificate.map_err(CommandError::Invalid)?);
        let (reply, answer) = oneshot::channel();
        self.send(Command::Import(Arc::clone(&certificate), reply)).await?;
        let stored = answer.await.map_err(|_| CommandError::Stopped)?;
        stored.map(|()| certificate).map_err(CommandError::Store)
    }

    /// Looks at everything again, for whoever moved the clock.
    pub fn wake(&self) {
        self.shared.wake.notify_one();
    }

    async fn send(&self, command: Command) -> Result<(), CommandError> {
        self.commands.send(command).await.map_err(|_| CommandError::Stopped)
    }
}

impl CertificatesByName {
    /// Each name that a certificate is shown for.
    pub fn iter(&self) -> impl Iterator<Item = (&HostPattern, &Arc<HeldCertificate>)> {
        self.names.iter()
    }

    pub fn get(&self, name: &HostPattern) -> Option<&Arc<HeldCertificate>> {
        self.names.get(name)
    }

    /// What is shown to who asks for `host`: the certificate of that very name, else of the wildcard one
    /// label up.
    pub fn find(&self, host: &HostPattern) -> Option<&Arc<HeldCertificate>> {
        self.names.get(host).or_else(|| {
            let HostPattern::Exact(name) = host else { return None };
            self.names.get(&HostPattern::Wildcard(name.parent()?.parse().ok()?))
        })
    }

    pub fn len(&self) -> usize {
        self.names.len()
    }

    pub fn is_empty(&self) -> bool {
        self.names.is_empty()
    }
}
