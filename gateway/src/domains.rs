//! `Domains`: every host of what is served, whether it is its project's, and what its owner enters in DNS.
//!
//! Nothing asks DNS yet, so that on a node every host is pending; that keeps none from being served to the
//! first project that names it.

mod key;

use std::{path::Path, sync::Arc};

use headgate_ownership::{Claim, Rules};

pub use self::key::KeyError;
use crate::{
    admin::{DomainRow, DomainsView},
    publisher::Publisher,
};

/// What is served, seen as claims on hosts.
#[derive(Debug)]
pub struct Domains {
    rules: Rules,
    publisher: Arc<Publisher>,
}

impl Domains {
    /// For a machine that serves whatever its developer names.
    pub fn trusting(publisher: Arc<Publisher>) -> Self {
        Self { rules: Rules::TrustAll, publisher }
    }

    /// With the key in the state folder, which is made the first time.
    ///
    /// # Errors
    /// If the key can neither be read nor made.
    pub fn asking(state: &Path, publisher: Arc<Publisher>) -> Result<Self, KeyError> {
        let rules = Rules::Ask { key: key::open(state)?, taubyte: None };
        Ok(Self { rules, publisher })
    }
}

impl DomainsView for Domains {
    fn domains(&self) -> Vec<DomainRow> {
        let mut rows = Vec::new();
        for manifest in self.publisher.manifests() {
            let revision = &manifest.revision;
            for domain in &manifest.domains {
                let claim = Claim {
                    host: &domain.host,
                    project: &revision.project,
                    project_id: &manifest.project_id,
                };
                rows.push(DomainRow {
                    host: domain.host.to_string(),
                    project: revision.project.clone(),
                    branch: revision.branch.clone(),
                    checked: false,
                    // Nothing was found, because nobody looked.
                    ownership: self.rules.pending(claim),
                });
            }
        }
        rows.sort_by(|a, b| (&a.host, &a.project).cmp(&(&b.host, &b.project)));
        rows.dedup_by(|a, b| (&a.host, &a.project, &a.branch) == (&b.host, &b.project, &b.branch));
        rows
    }
}

#[cfg(test)]
mod tests {
    use headgate_ownership::Ownership;

    use super::*;
    use crate::lab::{Lab, revision, site};

    #[tokio::test]
    async fn every_host_is_told_with_what_its_owner_enters() {
        let lab = Lab::following(&["one", "two"]);
        lab.deploy(revision("one", "1"), site(&["x.org", "*.x.org"], &[])).await;
        lab.deploy(revision("two", "1"), site(&["a.org"], &[])).await;
        let domains = Domains::asking(lab.folder.path(), lab.publisher().clone()).unwrap();
        let rows = domains.domains();
        let hosts: Vec<_> = rows.iter().map(|row| (&*row.host, row.project.as_str())).collect();
        assert_eq!(hosts, [("*.x.org", "one"), ("a.org", "two"), ("x.org", "one")]);
        assert!(rows.iter().all(|row| !row.checked));
        let enter = |row: &DomainRow| match &row.ownership {
            Ownership::Pending { enter } => enter[0].clone(),
            other => panic!("{other:?}"),
        };
        assert_eq!(enter(&rows[0]).name, "_headgate.x.org");
        assert_ne!(enter(&rows[0]).value, enter(&rows[2]).value);

        let again = Domains::asking(lab.folder.path(), lab.publisher().clone()).unwrap();
        assert_eq!(again.domains(), rows, "what was entered stays good after a restart");
        let trusting = Domains::trusting(lab.publisher().clone()).domains();
        assert!(trusting.iter().all(|row| row.ownership == Ownership::Trusted));
    }
}
