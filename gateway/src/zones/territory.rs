//! `Territory`: whose each name of a zone is, where several have names in it.
//!
//! A name belongs to whoever has the closest host at or above it, as hosts are claimed: who has
//! `*.example.com` has what is right below `example.com`. So a project's records end where the names of others
//! begin, and none of them takes a name server's address, whatever domain the project was given.

use std::{collections::BTreeMap, fmt, ops::Bound};

use headgate_dns::Name;
use headgate_types::ProjectName;

/// Whose a name is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Holder<'n> {
    Node,
    Project(&'n ProjectName),
}

#[derive(Debug, Default)]
pub(super) struct Territory<'n> {
    /// Hosts, wildcards included, in DNS's own order: a name stands right before all below it.
    hosts: BTreeMap<Name, Holder<'n>>,
}

/// Why a record of a project is left out.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Trespass<'n> {
    /// The name is another's.
    Name(Holder<'n>),
    /// The record would give names of another to a server that is not this node.
    Below(Name, Holder<'n>),
}

impl<'n> Territory<'n> {
    /// Notes a host. Of two who have the same the first one counts.
    pub(super) fn note(&mut self, host: &Name, holder: Holder<'n>) {
        self.hosts.entry(host.to_lowercase()).or_insert(holder);
    }

    /// Whose a name is; nobody's if there is no host above it either.
    pub(super) fn holder(&self, name: &Name) -> Option<Holder<'n>> {
        if let Some(holder) = self.hosts.get(name) {
            return Some(*holder);
        }
        // Names such as `_dmarc` are no hosts, so that a wildcard of hosts does not mean them.
        let is_host = name.iter().next().is_some_and(|label| !label.starts_with(b"_"));
        if is_host
            && let Ok(wildcard) = name.base_name().prepend_label(&b"*"[..])
            && let Some(holder @ Holder::Project(_)) = self.hosts.get(&wildcard)
        {
            return Some(*holder);
        }
        if name.is_root() { None } else { self.holder(&name.base_name()) }
    }

    /// Whether a record of `project` may not stand at a name; `delegates` if it leads to another server for
    /// all that is below.
    pub(super) fn trespass(
        &self,
        project: &'n ProjectName,
        name: &Name,
        delegates: bool,
    ) -> Option<Trespass<'n>> {
        let own = Holder::Project(project);
        match self.holder(name) {
            Some(holder) if holder != own => Some(Trespass::Name(holder)),
            _ if delegates => {
                let mut below = self.below(name).filter(|(_, holder)| **holder != own);
                below.next().map(|(host, holder)| Trespass::Below(host.clone(), *holder))
            }
            _ => None,
        }
    }

    fn below<'t>(&'t self, name: &'t Name) -> impl Iterator<Item = (&'t Name, &'t Holder<'n>)> {
        let after = (Bound::Excluded(name.clone()), Bound::Unbounded);
        self.hosts.range(after).take_while(move |(host, _)| name.zone_of(host))
    }
}

impl fmt::Display for Holder<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Node => f.write_str("the node itself"),
            Self::Project(project) => write!(f, "the project {project}"),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::str::FromStr as _;

    use super::*;

    fn name(text: &str) -> Name {
        Name::from_str(text).unwrap()
    }

    #[test]
    fn a_name_belongs_to_whoever_has_the_closest_host_above_it() {
        let [one, two] = ["one", "two"].map(|project| project.parse().unwrap());
        let mut territory = Territory::default();
        for (host, holder) in [
            ("a.test.", Holder::Project(&one)),
            ("b.a.test.", Holder::Project(&two)),
            ("*.c.a.test.", Holder::Project(&two)),
            ("ns1.test.", Holder::Node),
            ("*.test.", Holder::Node),
        ] {
            territory.note(&name(host), holder);
        }
        for (asked, holder) in [
            ("A.test.", Some(Holder::Project(&one))),
            ("x.a.test.", Some(Holder::Project(&one))),
            ("x.b.a.test.", Some(Holder::Project(&two))),
            ("c.a.test.", Some(Holder::Project(&one))),
            ("x.c.a.test.", Some(Holder::Project(&two))),
            ("_dmarc.c.a.test.", Some(Holder::Project(&one))),
            ("x.ns1.test.", Some(Holder::Node)),
            ("*.test.", Some(Holder::Node)),
            ("other.test.", None),
        ] {
            assert_eq!(territory.holder(&name(asked)), holder, "{asked}");
        }
    }

    #[test]
    fn what_is_given_away_may_have_no_names_of_others_in_it() {
        let [one, two] = ["one", "two"].map(|project| project.parse().unwrap());
        let mut territory = Territory::default();
        territory.note(&name("a.test."), Holder::Project(&one));
        territory.note(&name("www.x.a.test."), Holder::Project(&one));
        territory.note(&name("deep.y.a.test."), Holder::Project(&two));
        territory.note(&name("z.test."), Holder::Project(&two));
        let trespass = |at: &str, delegates| territory.trespass(&one, &name(at), delegates);
        assert_eq!(trespass("x.a.test.", true), None);
        assert_eq!(trespass("y.a.test.", false), None);
        let below = Trespass::Below(name("deep.y.a.test."), Holder::Project(&two));
        assert_eq!(trespass("y.a.test.", true), Some(below));
        assert_eq!(trespass("z.test.", false), Some(Trespass::Name(Holder::Project(&two))));
    }
}
