//! What is told of certificates while they come and fail.

use std::{collections::HashMap, sync::Arc};

use headgate_certs::acme::{CertificateStatus, Origin, RenewalsHandle};
use headgate_types::{HostPattern, Timestamp};

use crate::event::{Event, Reporter};

/// What was told already.
#[derive(Debug, Default)]
struct Told {
    /// Until when the certificate for these names holds that is known, and its number.
    held: HashMap<Vec<HostPattern>, (Timestamp, String)>,
    /// Why the last try for them failed.
    failing: HashMap<Vec<HostPattern>, String>,
}

/// Tells `reporter` of every certificate that comes in, and once of each reason why one does not. Ends only with the
/// engine.
pub(super) async fn report(handle: &RenewalsHandle, reporter: &Arc<dyn Reporter>) {
    let mut told = Told::default();
    for (_, certificate) in handle.certificates().borrow().iter() {
        let known = (certificate.not_after(), certificate.serial().to_owned());
        told.held.insert(certificate.names().to_vec(), known);
    }
    let mut statuses = handle.changing_statuses();
    loop {
        let rows = statuses.borrow_and_update().clone();
        for event in rows.iter().filter_map(|row| told.news(row)) {
            reporter.report(event);
        }
        if statuses.changed().await.is_err() {
            return std::future::pending().await;
        }
    }
}

impl Told {
    fn news(&mut self, row: &CertificateStatus) -> Option<Event> {
        let names = row.names.clone();
        if let (Some(not_after), Some(Origin::Acme(_))) = (row.not_after, &row.origin) {
            let serial = row.serial.clone().unwrap_or_default();
            let before = self.held.insert(names.clone(), (not_after, serial.clone()));
            let is_newer =
                |(end, number): &(Timestamp, String)| *end <= not_after && *number != serial;
            if before.as_ref().is_none_or(is_newer) {
                self.failing.remove(&names);
                return Some(Event::Certificate {
                    names,
                    issuer: row.issuer.clone().unwrap_or_default(),
                    not_after,
                    renewed: before.is_some(),
                });
            }
        }
        let Some(why) = row.last_error.clone() else {
            self.failing.remove(&names);
            return None;
        };
        let before = self.failing.insert(names.clone(), why.clone());
        if before.as_ref() == Some(&why) {
            return None;
        }
        let (advice, next) = (row.advice.clone(), row.next.to_string());
        Some(Event::CertificateFailing { names, why, advice, next })
    }
}

#[cfg(test)]
mod tests {
    use headgate_certs::acme::{CertificateState, NextStep};

    use super::*;

    fn row(not_after: Option<u64>, error: Option<&str>) -> CertificateStatus {
        let at = |hour: u64| Timestamp::from_millis(hour * 3_600_000);
        CertificateStatus {
            names: vec!["x.org".parse().unwrap()],
            issuer: not_after.map(|_| "CA".to_owned()),
            serial: not_after.map(|hour| hour.to_string()),
            origin: not_after.map(|_| Origin::Acme("https://ca.test/dir".into())),
            not_before: not_after.map(|_| at(0)),
            not_after: not_after.map(at),
            state: CertificateState::Valid,
            next: NextStep::Renew { at: at(1) },
            last_error: error.map(str::to_owned),
            advice: None,
            failures: error.map_or(0, |_| 1),
        }
    }

    #[test]
    fn each_certificate_and_each_reason_is_told_once() {
        let mut told = Told::default();
        let failing = |event| matches!(event, Some(Event::CertificateFailing { .. }));
        assert!(told.news(&row(None, None)).is_none());
        assert!(failing(told.news(&row(None, Some("no answer")))));
        assert!(told.news(&row(None, Some("no answer"))).is_none());
        assert!(failing(told.news(&row(None, Some("refused")))));
        let issued = told.news(&row(Some(9), None));
        assert!(matches!(issued, Some(Event::Certificate { renewed: false, .. })), "{issued:?}");
        assert!(told.news(&row(Some(9), None)).is_none());
        assert!(failing(told.news(&row(Some(9), Some("refused")))));
        let renewed = told.news(&row(Some(20), None));
        assert!(matches!(renewed, Some(Event::Certificate { renewed: true, .. })), "{renewed:?}");
        // Another one of the same second.
        let twin = CertificateStatus { serial: Some("21".to_owned()), ..row(Some(20), None) };
        assert!(matches!(told.news(&twin), Some(Event::Certificate { renewed: true, .. })));
        assert!(told.news(&twin).is_none());
    }
}
