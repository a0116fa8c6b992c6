//! What the operator sees of certificates, and may order.

use std::sync::Arc;

use arc_swap::ArcSwap;
use async_trait::async_trait;
use headgate_certs::acme::{
    CertificateState, CertificateStatus, CommandError, NextStep, Origin, RenewalsHandle,
};
use headgate_types::HostPattern;

use super::plan::Unordered;
use crate::admin::{
    CertificatesView,
    wire::{
        self, CertificateRow, CertificatesStatus, ImportedRow, LimitRow, RenewedRow, UnorderedRow,
    },
};

/// The engine, and what it was not asked for.
#[derive(Debug)]
pub(crate) struct Desk {
    pub(super) directory: String,
    pub(super) handle: RenewalsHandle,
    pub(super) unordered: ArcSwap<Vec<Unordered>>,
}

impl Desk {
    pub(super) fn new(directory: String, handle: RenewalsHandle) -> Arc<Self> {
        Arc::new(Self { directory, handle, unordered: ArcSwap::default() })
    }
}

#[async_trait]
impl CertificatesView for Desk {
    fn certificates(&self) -> CertificatesStatus {
        let limits = self.handle.limits();
        let limits = limits.iter().map(|limit| LimitRow {
            what: limit.what.clone(),
            used: limit.used,
            of: limit.of,
            within: limit.window.as_secs(),
        });
        let unordered = self.unordered.load();
        let unordered = unordered
            .iter()
            .map(|one| UnorderedRow { host: one.host.clone(), why: one.why.clone() });
        CertificatesStatus {
            directory: Some(self.directory.clone()),
            certificates: self.handle.statuses().iter().map(row).collect(),
            unordered: unordered.collect(),
            limits: limits.collect(),
        }
    }

    async fn renew(&self, host: HostPattern) -> Result<RenewedRow, CommandError> {
        Ok(RenewedRow { certificates: self.handle.renew(host).await? })
    }

    async fn import(&self, pem: &str) -> Result<ImportedRow, CommandError> {
        let certificate = self.handle.import(pem.as_bytes()).await?;
        Ok(ImportedRow {
            names: certificate.names().to_vec(),
            issuer: certificate.issuer().to_owned(),
            not_after: certificate.not_after(),
        })
    }
}

fn row(status: &CertificateStatus) -> CertificateRow {
    let (next, next_at) = match &status.next {
        NextStep::Ordering => ("being ordered".to_owned(), None),
        NextStep::Order { at, why } => (format!("order: {why}"), Some(*at)),
        NextStep::Renew { at } => ("renew".to_owned(), Some(*at)),
    };
    CertificateRow {
        names: status.names.clone(),
        state: match status.state {
            CertificateState::Valid => wire::CertificateState::Valid,
            CertificateState::Expired => wire::CertificateState::Expired,
            CertificateState::Missing => wire::CertificateState::Missing,
        },
        issuer: status.issuer.clone(),
        imported: status.origin == Some(Origin::Imported),
        not_before: status.not_before,
        not_after: status.not_after,
        next,
        next_at,
        last_error: status.last_error.clone(),
        advice: status.advice.clone(),
        failures: status.failures,
    }
}
