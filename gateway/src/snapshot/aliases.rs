//! `Aliases`: further names a node answers to, beside those that the projects claim.
//!
//! In the operator's zone a project's host is its name: `<project>.<zone>` answers for the whole
//! project. Where a project has several domain resources, each has a host of its own as well,
//! `<domain>.<project>.<zone>`, at which it is alone. Names become labels by [`host_label`]; that two
//! projects of a node come to one label is a mistake in `node.yaml`, two domains of a project share it.

use std::{collections::BTreeSet, sync::Arc};

use headgate_types::{DomainName, HostPattern, ProjectName};

use crate::manifest::Manifest;

#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub enum Aliases {
    #[default]
    None,
    /// `localhost`, and `<domain>.localhost` for each domain resource.
    /// RFC 6761 §6.3 keeps `localhost.` and what is below it on this machine.
    Localhost,
    /// Hosts in the operator's zone.
    Zone(Arc<DomainName>),
}

impl Aliases {
    /// Where what answers under these domain resources of a project is found, too. A domain that lets in
    /// only clients with a certificate has no other name, for there anybody could come in.
    pub fn hosts(&self, manifest: &Manifest, domains: &[String]) -> BTreeSet<HostPattern> {
        let closed = |name: &String| {
            manifest.domains.iter().any(|domain| domain.name == *name && domain.clients.is_some())
        };
        let (closed, domains): (Vec<_>, Vec<_>) = domains.iter().partition(|name| closed(name));
        if domains.is_empty() && !closed.is_empty() {
            return BTreeSet::new();
        }
        let mut names = Vec::new();
        match self {
            Self::None => {}
            Self::Localhost => {
                names.extend(domains.iter().map(|domain| format!("{domain}.localhost")));
                names.push("localhost".to_owned());
            }
            Self::Zone(zone) => {
                let Some(project) = host_label(manifest.revision.project.as_str()) else {
                    return BTreeSet::new();
                };
                if has_several_domains(manifest) {
                    let labels = domains.into_iter().filter_map(|domain| host_label(domain));
                    names.extend(labels.map(|domain| format!("{domain}.{project}.{zone}")));
                }
                names.push(format!("{project}.{zone}"));
            }
        }
        names.into_iter().filter_map(|name| name.parse().ok()).collect()
    }

    /// Every such host of a project.
    pub fn hosts_of(&self, manifest: &Manifest) -> BTreeSet<HostPattern> {
        let domains: Vec<_> = manifest.domains.iter().map(|domain| domain.name.clone()).collect();
        self.hosts(manifest, &domains)
    }

    /// The host that answers for a whole project, whatever it serves; nobody else may claim it.
    pub fn host_of(&self, project: &ProjectName) -> Option<DomainName> {
        let Self::Zone(zone) = self else { return None };
        format!("{}.{zone}", host_label(project.as_str())?).parse().ok()
    }

    /// What a certificate for the alias is made out to. In a zone it is a wildcard, so that a project
    /// that is added waits for no certificate.
    pub(crate) fn certified(&self, alias: &HostPattern) -> HostPattern {
        match (self, alias) {
            (Self::Zone(_), HostPattern::Exact(name)) => name
                .parent()
                .and_then(|parent| parent.parse().ok())
                .map_or_else(|| alias.clone(), HostPattern::Wildcard),
            _ => alias.clone(),
        }
    }

    /// What is certified whether or not a project is served: the zone itself, and what is right below it.
    pub(super) fn always_certified(&self) -> Vec<HostPattern> {
        match self {
            Self::Zone(zone) => {
                let zone = DomainName::clone(zone);
                vec![HostPattern::Exact(zone.clone()), HostPattern::Wildcard(zone)]
            }
            Self::None | Self::Localhost => Vec::new(),
        }
    }
}

fn has_several_domains(manifest: &Manifest) -> bool {
    let names: BTreeSet<_> = manifest.domains.iter().map(|domain| &domain.name).collect();
    names.len() > 1
}

/// The label a name becomes in a host: lower case, and a hyphen for whatever is neither letter nor digit,
/// one for several, none at the ends. So no label has an underscore, which public authorities do not
/// certify, or `--` in its third place, which announces Punycode. `None` if nothing is left.
pub fn host_label(name: &str) -> Option<String> {
    let parts = name.split(|c: char| !c.is_ascii_alphanumeric()).filter(|part| !part.is_empty());
    let label = parts.collect::<Vec<_>>().join("-").to_ascii_lowercase();
    (1..=63).contains(&label.len()).then_some(label)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        lab::revision,
        manifest::{ClientsEntry, DomainEntry, FORMAT, HttpsEntry, VERSION},
    };

    fn manifest(project: &str, domains: &[&str]) -> Manifest {
        let domain = |name: &&str| DomainEntry {
            name: (*name).to_owned(),
            host: format!("{}.example.com", name.to_lowercase()).parse().unwrap(),
            https: HttpsEntry::default(),
            certificate: None,
            clients: None,
            records: Vec::new(),
        };
        Manifest {
            format: FORMAT,
            made_by: VERSION.to_owned(),
            revision: revision(project, "1"),
            sources: Vec::new(),
            project_id: String::new(),
            domains: domains.iter().map(domain).collect(),
            functions: Vec::new(),
            websites: Vec::new(),
        }
    }

    fn zone() -> Aliases {
        Aliases::Zone(Arc::new("edge.example.org".parse().unwrap()))
    }

    fn texts(hosts: BTreeSet<HostPattern>) -> Vec<String> {
        hosts.iter().map(ToString::to_string).collect()
    }

    #[test]
    fn a_name_becomes_a_label_that_certificates_can_hold() {
        for (name, label) in [
            ("shop", "shop"),
            ("My_Shop", "my-shop"),
            ("_a__b-", "a-b"),
            ("xn--bcher-kva", "xn-bcher-kva"),
            ("9", "9"),
        ] {
            assert_eq!(host_label(name).as_deref(), Some(label), "{name}");
        }
        assert_eq!(host_label("_-"), None);
        assert_eq!(host_label(&"a".repeat(64)), None);
    }

    #[test]
    fn a_project_has_a_host_and_each_of_several_domains_one_below_it() {
        let one = manifest("Shop", &["main"]);
        assert_eq!(texts(zone().hosts_of(&one)), ["shop.edge.example.org"]);
        let two = manifest("Shop", &["main", "the_api"]);
        assert_eq!(
            texts(zone().hosts_of(&two)),
            [
                "main.shop.edge.example.org",
                "shop.edge.example.org",
                "the-api.shop.edge.example.org"
            ]
        );
        assert_eq!(
            texts(zone().hosts(&two, &["main".to_owned()])),
            ["main.shop.edge.example.org", "shop.edge.example.org"]
        );
        assert_eq!(
            texts(Aliases::Localhost.hosts_of(&two)),
            ["localhost", "main.localhost", "the_api.localhost"]
        );
        assert!(zone().hosts_of(&manifest("_", &["main"])).is_empty());
    }

    #[test]
    fn a_domain_for_some_clients_alone_has_no_other_name() {
        let mut two = manifest("Shop", &["main", "desk"]);
        two.domains[1].clients = Some(ClientsEntry { authorities: Vec::new() });
        let both = ["main".to_owned(), "desk".to_owned()];
        for aliases in [zone(), Aliases::Localhost] {
            assert_eq!(aliases.hosts(&two, &both), aliases.hosts(&two, &both[..1]));
            assert!(aliases.hosts(&two, &both[1..]).is_empty());
        }
        assert_eq!(
            texts(zone().hosts_of(&two)),
            ["main.shop.edge.example.org", "shop.edge.example.org"]
        );
    }

    #[test]
    fn aliases_in_a_zone_are_certified_by_wildcards() {
        let certified = |host: &str| zone().certified(&host.parse().unwrap()).to_string();
        assert_eq!(certified("shop.edge.example.org"), "*.edge.example.org");
        assert_eq!(certified("api.shop.edge.example.org"), "*.shop.edge.example.org");
        let localhost = "shop.localhost".parse().unwrap();
        assert_eq!(Aliases::Localhost.certified(&localhost), localhost);
    }
}
