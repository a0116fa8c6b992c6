//! The certificates that are held, found by the names they cover.

use std::{collections::HashMap, sync::Arc};

use headgate_types::{HostPattern, Timestamp};

use crate::{
    acme::wanted::CertificateId,
    held::{HeldCertificate, Origin},
};

/// One for each set of names and origin.
#[derive(Debug, Default)]
pub(super) struct Held {
    by_id: HashMap<(CertificateId, Kind), Arc<HeldCertificate>>,
    by_name: HashMap<HostPattern, Vec<Arc<HeldCertificate>>>,
}

/// An imported certificate stands beside an ordered one, so that neither replaces the other.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
enum Kind {
    Ordered,
    Imported,
}

impl Held {
    pub(super) fn insert(&mut self, certificate: Arc<HeldCertificate>) {
        self.remove(&certificate);
        self.by_id.insert(key(&certificate), Arc::clone(&certificate));
        for name in certificate.names() {
            self.by_name.entry(name.clone()).or_default().push(Arc::clone(&certificate));
        }
    }

    /// Removes whatever has the same names and origin.
    pub(super) fn remove(&mut self, certificate: &HeldCertificate) {
        let Some(old) = self.by_id.remove(&key(certificate)) else { return };
        for name in old.names() {
            if let Some(those) = self.by_name.get_mut(name) {
                those.retain(|one| !Arc::ptr_eq(one, &old));
                if those.is_empty() {
                    self.by_name.remove(name);
                }
            }
        }
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = &Arc<HeldCertificate>> {
        self.by_id.values()
    }

    /// The one that was ordered for exactly these names.
    pub(super) fn ordered(&self, id: CertificateId) -> Option<&Arc<HeldCertificate>> {
        self.by_id.get(&(id, Kind::Ordered))
    }

    /// The best that covers all of `names`.
    pub(super) fn best<'a>(
        &self,
        names: impl IntoIterator<Item = &'a HostPattern>,
        now: Timestamp,
    ) -> Option<&Arc<HeldCertificate>> {
        let mut names = names.into_iter();
        let candidates = self.candidates(names.next()?);
        let rest: Vec<_> = names.collect();
        let covering = candidates.filter(|one| rest.iter().all(|name| one.covers(name)));
        covering.max_by_key(|one| rank(one, now))
    }

    fn candidates(&self, name: &HostPattern) -> impl Iterator<Item = &Arc<HeldCertificate>> {
        let parent = match name {
            HostPattern::Exact(name) => name.parent().and_then(|parent| parent.parse().ok()),
            HostPattern::Wildcard(_) => None,
        };
        let wildcard = parent.and_then(|parent| self.by_name.get(&HostPattern::Wildcard(parent)));
        self.by_name.get(name).into_iter().chain(wildcard).flatten()
    }
}

/// A valid one, then the operator's own, then the one that lasts.
fn rank(certificate: &HeldCertificate, now: Timestamp) -> (bool, bool, Timestamp) {
    let valid = certificate.not_before() <= now && now < certificate.not_after();
    (valid, *certificate.origin() == Origin::Imported, certificate.not_after())
}

fn key(certificate: &HeldCertificate) -> (CertificateId, Kind) {
    let kind = match certificate.origin() {
        Origin::Acme(_) => Kind::Ordered,
        Origin::Imported => Kind::Imported,
    };
    (CertificateId::of(certificate.names()), kind)
}
