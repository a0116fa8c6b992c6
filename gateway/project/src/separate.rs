//! Which websites and libraries say that their files are in a repository of their own.
//!
//! Read before the project is: their repositories have to be fetched before there is a tree to load. So
//! nothing is reported here; whatever is wrong with a file, [`load`](crate::load()) says afterwards.

use headgate_types::Branch;

use crate::{
    artefact,
    diagnostic::Diagnostics,
    git::is_branch_name,
    layout::{self, ResourceFile},
    load::read_fields,
    model::Group,
    schema::{Fields, Text},
    tree::Tree,
};

/// A website or library with a `source.github.fullname`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Separate {
    pub group: Group,
    /// Where the project's tree wants its files; see [`MountedTree`](crate::tree::MountedTree).
    pub folder: Box<str>,
    /// `acme/site`, by which a node knows where it is.
    pub full_name: Text,
    /// `source.branch`; without it, that of the project.
    pub branch: Option<Branch>,
}

/// All of a configuration, in order of their paths.
pub fn separate(configuration: &dyn Tree) -> Vec<Separate> {
    let mut unheard = Diagnostics::default();
    let Some(layout) = layout::scan(configuration, &mut unheard) else { return Vec::new() };
    let resources = layout.resources.iter();
    resources.filter_map(|file| read(configuration, file, &mut unheard)).collect()
}

fn read(tree: &dyn Tree, file: &ResourceFile<'_>, unheard: &mut Diagnostics) -> Option<Separate> {
    if !matches!(file.group, Group::Websites | Group::Libraries) {
        return None;
    }
    let fields = read_fields(tree, file.path, file.group.document(), unheard)?;
    let Source { full_name, branch } = Source::read(&fields)?;
    let name = artefact::Name { application: file.application, name: file.name };
    let folder = name.bases(file.group.folder()).into_iter().next()?.into();
    Some(Separate { group: file.group, folder, full_name, branch })
}

struct Source {
    full_name: Text,
    branch: Option<Branch>,
}

impl Source {
    /// `None` for one that names no repository, or no possible branch of it.
    fn read(fields: &Fields) -> Option<Self> {
        let source = fields.table("source");
        let full_name = source.table("github").text("fullname").value()?.value;
        let branch = source.text("branch").value().map(|at| at.value);
        if branch.as_ref().is_some_and(|branch| !is_branch_name(branch)) {
            return None;
        }
        Some(Self { full_name, branch: branch.map(|branch| Branch::new(&branch)) })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tree::MemoryTree;

    fn of(files: &[(&'static str, &'static str)]) -> Vec<Separate> {
        separate(&MemoryTree::new(files.iter().copied()))
    }

    #[test]
    fn websites_and_libraries_name_repository_branch_and_place() {
        let found = of(&[
            ("applications/blog/websites/site.yaml", "source: {github: {fullname: acme/blog}}"),
            ("libraries/l.yaml", "source: {path: /x, branch: dev, github: {fullname: acme/l}}"),
            ("websites/main.yaml", "source: {branch: live, github: {id: 1, fullname: acme/main}}"),
            ("websites/main/index.html", ""),
            ("websites/own.yaml", "paths: [/]"),
            ("functions/f.yaml", "source: ."),
        ]);
        let shown: Vec<_> = found
            .iter()
            .map(|s| (&*s.folder, &*s.full_name, s.branch.as_ref().map(Branch::as_str)))
            .collect();
        assert_eq!(
            shown,
            [
                ("applications/blog/websites/site", "acme/blog", None),
                ("libraries/l", "acme/l", Some("dev")),
                ("websites/main", "acme/main", Some("live")),
            ]
        );
    }

    #[test]
    fn what_cannot_be_read_or_followed_is_left_to_those_who_report_it() {
        let found = of(&[
            ("websites/a.yaml", "source: ["),
            ("websites/b.yaml", "source: {github: {fullname: ''}}"),
            ("websites/c.yaml", "source: {branch: 'a..b', github: {fullname: acme/c}}"),
            ("websites/d.yaml", "source: {github: acme/d}"),
        ]);
        assert_eq!(found, []);
    }
}
