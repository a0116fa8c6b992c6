//! `Changes`: what a revision has that another had not, told from their manifests alone.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::manifest::{FunctionEntry, Manifest, WebsiteEntry};

/// Names told of each kind of change; all are counted.
const MOST_NAMES: usize = 20;

/// What became of each kind of resource.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Changes {
    pub functions: Changed,
    pub websites: Changed,
    pub domains: Changed,
}

#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Changed {
    pub added: Names,
    pub removed: Names,
    pub changed: Names,
}

/// Resources as `name` or `application/name`, in order of name.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Names {
    pub count: usize,
    /// The first of them.
    pub names: Vec<String>,
}

impl Changes {
    pub fn between(before: &Manifest, after: &Manifest) -> Self {
        Self {
            functions: Changed::between(
                by_name(&before.functions, |f| qualified(&f.application, &f.name)),
                by_name(&after.functions, |f| qualified(&f.application, &f.name)),
                is_same_function,
            ),
            websites: Changed::between(
                by_name(&before.websites, |w| qualified(&w.application, &w.name)),
                by_name(&after.websites, |w| qualified(&w.application, &w.name)),
                is_same_website,
            ),
            domains: Changed::between(
                by_name(&before.domains, |d| d.name.clone()),
                by_name(&after.domains, |d| d.name.clone()),
                |before, after| (&before.host, &before.records) == (&after.host, &after.records),
            ),
        }
    }

    pub fn is_empty(&self) -> bool {
        *self == Self::default()
    }
}

/// Each name has mostly one entry, but domains of two applications may be called alike.
type ByName<'a, T> = BTreeMap<String, Vec<&'a T>>;

fn by_name<T>(entries: &[T], name: impl Fn(&T) -> String) -> ByName<'_, T> {
    let mut named = ByName::new();
    for entry in entries {
        named.entry(name(entry)).or_default().push(entry);
    }
    named
}

impl Changed {
    fn between<T>(
        before: ByName<'_, T>,
        after: ByName<'_, T>,
        is_same: impl Fn(&T, &T) -> bool,
    ) -> Self {
        let mut changed = Self::default();
        for name in before.keys().filter(|name| !after.contains_key(*name)) {
            changed.removed.push(name);
        }
        for (name, entries) in &after {
            match before.get(name) {
                None => changed.added.push(name),
                Some(old) => {
                    let pairs = old.iter().zip(entries);
                    if old.len() != entries.len() || !pairs.into_iter().all(|(a, b)| is_same(a, b))
                    {
                        changed.changed.push(name);
                    }
                }
            }
        }
        changed
    }
}

impl Names {
    fn push(&mut self, name: &str) {
        self.count += 1;
        if self.names.len() < MOST_NAMES {
            self.names.push(name.to_owned());
        }
    }
}

fn qualified(application: &Option<String>, name: &str) -> String {
    match application {
        Some(application) => format!("{application}/{name}"),
        None => name.to_owned(),
    }
}

/// Hosts follow from the domains, which are told themselves. Taken apart field by field, so that a new one
/// is not forgotten here.
fn is_same_function(before: &FunctionEntry, after: &FunctionEntry) -> bool {
    let FunctionEntry {
        application: _,
        name: _,
        hosts: _,
        id,
        domains,
        paths,
        methods,
        artefact,
        linked,
        entry,
        deadline,
        memory,
        variables,
    } = before;
    *id == after.id
        && *domains == after.domains
        && *paths == after.paths
        && *methods == after.methods
        && *artefact == after.artefact
        && *linked == after.linked
        && *entry == after.entry
        && *deadline == after.deadline
        && *memory == after.memory
        && *variables == after.variables
}

fn is_same_website(before: &WebsiteEntry, after: &WebsiteEntry) -> bool {
    let WebsiteEntry { application: _, name: _, hosts: _, id, domains, prefixes, files } = before;
    *id == after.id
        && *domains == after.domains
        && *prefixes == after.prefixes
        && *files == after.files
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use headgate_types::{Branch, ByteSize, Commit, Digest, MethodSet, RecordData, Revision};
    use headgate_website::SiteTable;

    use super::*;
    use crate::manifest::{DomainEntry, EntryPoint, FORMAT, HttpsEntry, RecordEntry};

    fn manifest(functions: &[(&str, &[u8])], hosts: &[(&str, &str)]) -> Manifest {
        let function = |(name, wasm): &(&str, &[u8])| FunctionEntry {
            application: name.split_once('/').map(|(application, _)| application.to_owned()),
            name: name.rsplit('/').next().unwrap().to_owned(),
            id: "f".to_owned(),
            domains: vec!["main".to_owned()],
            hosts: hosts.iter().map(|(_, host)| host.parse().unwrap()).collect(),
            paths: vec!["/".parse().unwrap()],
            methods: MethodSet::GET_HEAD,
            artefact: Digest::of(wasm),
            linked: Vec::new(),
            entry: EntryPoint::Component,
            deadline: Duration::from_secs(1),
            memory: ByteSize::from_mib(1),
            variables: BTreeMap::new(),
        };
        let domain = |(name, host): &(&str, &str)| DomainEntry {
            name: (*name).to_owned(),
            host: host.parse().unwrap(),
            https: HttpsEntry::default(),
            records: Vec::new(),
            certificate: None,
            clients: None,
        };
        let website = WebsiteEntry {
            application: None,
            name: "site".to_owned(),
            id: "w".to_owned(),
            domains: vec!["main".to_owned()],
            hosts: Vec::new(),
            prefixes: vec!["/".into()],
            files: SiteTable::default(),
        };
        Manifest {
            format: FORMAT,
            made_by: String::new(),
            revision: Revision {
                project: "shop".parse().unwrap(),
                branch: Branch::new("main"),
                commit: Commit::new("1"),
            },
            sources: Vec::new(),
            project_id: String::new(),
            domains: hosts.iter().map(domain).collect(),
            functions: functions.iter().map(function).collect(),
            websites: vec![website],
        }
    }

    fn names(names: &[&str]) -> Names {
        Names { count: names.len(), names: names.iter().map(|name| (*name).to_owned()).collect() }
    }

    #[test]
    fn a_change_is_told_by_name_and_kind() {
        let before = manifest(&[("a", b"1"), ("b", b"1"), ("admin/b", b"1")], &[("main", "x.org")]);
        let after = manifest(&[("b", b"2"), ("admin/b", b"1"), ("c", b"1")], &[("main", "y.org")]);
        let changes = Changes::between(&before, &after);
        let functions =
            Changed { added: names(&["c"]), removed: names(&["a"]), changed: names(&["b"]) };
        assert_eq!(changes.functions, functions, "another host does not make another function");
        assert_eq!(changes.domains.changed, names(&["main"]));
        assert_eq!(changes.websites, Changed::default());

        let back = Changes::between(&after, &before);
        assert_eq!((back.functions.added, back.functions.removed), (names(&["a"]), names(&["c"])));
    }

    #[test]
    fn another_record_is_a_change_of_its_domain() {
        let before = manifest(&[], &[("main", "x.org"), ("other", "y.org")]);
        let mut after = before.clone();
        let (name, data) = (after.domains[0].host.clone(), RecordData::Txt("a".into()));
        after.domains[0].records.push(RecordEntry { name, ttl: 300, data });
        assert_eq!(Changes::between(&before, &after).domains.changed, names(&["main"]));
    }

    #[test]
    fn what_is_the_same_is_no_change_in_any_order() {
        let one = manifest(&[("a", b"1"), ("b", b"1")], &[("main", "x.org")]);
        let other = manifest(&[("b", b"1"), ("a", b"1")], &[("main", "x.org")]);
        assert!(Changes::between(&one, &other).is_empty());
    }

    #[test]
    fn domains_that_are_called_alike_are_told_together() {
        let before = manifest(&[], &[("main", "x.org"), ("main", "y.org")]);
        let after = manifest(&[], &[("main", "x.org")]);
        assert_eq!(Changes::between(&before, &after).domains.changed, names(&["main"]));
    }

    #[test]
    fn many_names_are_counted_and_some_are_told() {
        let functions: Vec<_> = (0..1000).map(|n| format!("f{n:04}")).collect();
        let functions: Vec<_> = functions.iter().map(|name| (name.as_str(), &b"1"[..])).collect();
        let changes = Changes::between(&manifest(&[], &[]), &manifest(&functions, &[]));
        assert_eq!(changes.functions.added.count, 1000);
        assert_eq!(changes.functions.added.names.len(), MOST_NAMES);
        assert_eq!(changes.functions.added.names[19], "f0019");
    }
}
