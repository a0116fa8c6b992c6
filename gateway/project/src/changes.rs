//! `Changes`: what differs between two states of a project, in the words of its layout.
//!
//! Only listings are compared, so it costs no reading; and it is bounded, whatever was switched to. The files of a
//! website or of a function are counted together, since nobody wants to read a build's output name by name.

use std::{cmp::Ordering, fmt};

use crate::{
    model::Group,
    tree::{Entry, Tree},
};

/// Named at most. A terminal shows fewer; who wants all of them asks Git.
const MOST_THINGS: usize = 20;

/// What differs between two listings.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Changes {
    /// Files that were added, changed or removed.
    pub files: usize,
    /// In order of their paths, the first few.
    pub things: Vec<Change>,
    /// Things that are not named.
    pub more: usize,
}

/// A file, or several of one resource.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Change {
    File { path: String, how: How },
    Files { of: Owner, count: usize },
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum How {
    Added,
    Changed,
    Removed,
}

/// The resource whose folder files lie in.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Owner {
    pub application: Option<String>,
    pub group: Group,
    pub name: String,
}

/// What was listed of a project at one time, to be compared later.
#[derive(Clone, Debug, Default)]
pub struct Listing(Vec<Entry>);

impl Listing {
    pub fn of(tree: &dyn Tree) -> Self {
        Self(tree.entries().to_vec())
    }

    /// What is different in `tree`, which has to be of the same source: a file counts as changed if its
    /// fingerprint is another one. In a folder, a file that was written while it was listed may be named
    /// once more than it changed.
    pub fn changes(&self, tree: &dyn Tree) -> Changes {
        let mut changes = Changes::default();
        let mut run: Option<Run<'_>> = None;
        let differences = Differences { before: &self.0, after: tree.entries() };
        for (path, how) in differences {
            changes.files += 1;
            let owner = owner(path);
            match &mut run {
                Some(run) if run.owner == owner && owner.is_some() => run.count += 1,
                _ => {
                    let next = Run { owner, path, how, count: 1 };
                    run.replace(next).into_iter().for_each(|run| changes.push(run));
                }
            }
        }
        run.into_iter().for_each(|run| changes.push(run));
        changes
    }
}

impl Changes {
    pub fn is_empty(&self) -> bool {
        self.files == 0
    }

    fn push(&mut self, run: Run<'_>) {
        if self.things.len() == MOST_THINGS {
            self.more += 1;
            return;
        }
        self.things.push(match run {
            Run { owner: Some((application, group, name)), count: count @ 2.., .. } => {
                let of = Owner {
                    application: application.map(str::to_owned),
                    group,
                    name: name.to_owned(),
                };
                Change::Files { of, count }
            }
            Run { path, how, .. } => Change::File { path: path.to_owned(), how },
        });
    }
}

impl fmt::Display for Change {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::File { path, how: How::Changed } => f.write_str(path),
            Self::File { path, how: How::Added } => write!(f, "new {path}"),
            Self::File { path, how: How::Removed } => write!(f, "{path} removed"),
            Self::Files { of, count } => write!(f, "{count} files of {of}"),
        }
    }
}

impl fmt::Display for Owner {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} ", self.group.noun())?;
        if let Some(application) = &self.application {
            write!(f, "{application}/")?;
        }
        f.write_str(&self.name)
    }
}

/// Changed files of one resource that follow each other.
struct Run<'a> {
    owner: Option<BorrowedOwner<'a>>,
    path: &'a str,
    how: How,
    count: usize,
}

type BorrowedOwner<'a> = (Option<&'a str>, Group, &'a str);

/// Whose file this is, if it lies in a resource's folder: `websites/main/index.html`.
fn owner(path: &str) -> Option<BorrowedOwner<'_>> {
    let (application, rest) = match path.strip_prefix("applications/") {
        Some(rest) => {
            let (application, rest) = rest.split_once('/')?;
            (Some(application), rest)
        }
        None => (None, path),
    };
    let mut parts = rest.splitn(3, '/');
    let (folder, name, _file) = (parts.next()?, parts.next()?, parts.next()?);
    let group = Group::ALL.into_iter().find(|group| group.folder() == folder)?;
    Some((application, group, name))
}

/// Walks two listings, each in order of its paths, side by side.
struct Differences<'a> {
    before: &'a [Entry],
    after: &'a [Entry],
}

impl<'a> Iterator for Differences<'a> {
    type Item = (&'a str, How);

    fn next(&mut self) -> Option<Self::Item> {
        loop {
            let order = match (self.before.first(), self.after.first()) {
                (None, None) => return None,
                (Some(_), None) => Ordering::Less,
                (None, Some(_)) => Ordering::Greater,
                (Some(before), Some(after)) => before.path.cmp(&after.path),
            };
            let was = if order.is_le() { self.before.split_off_first() } else { None };
            let is = if order.is_ge() { self.after.split_off_first() } else { None };
            match (was, is) {
                (Some(was), None) => return Some((&was.path, How::Removed)),
                (None, Some(is)) => return Some((&is.path, How::Added)),
                (Some(was), Some(is)) if was != is => return Some((&is.path, How::Changed)),
                _ => {}
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tree::MemoryTree;

    fn told(before: &[(&str, &str)], after: &[(&str, &str)]) -> (usize, String) {
        let tree = |files: &[(&str, &str)]| {
            MemoryTree::new(files.iter().map(|(path, content)| (*path, (*content).to_owned())))
        };
        let changes = Listing::of(&tree(before)).changes(&tree(after));
        let things: Vec<_> = changes.things.iter().map(ToString::to_string).collect();
        (changes.files, things.join(", "))
    }

    #[test]
    fn nothing_differs_between_a_state_and_itself() {
        let files = [("config.yaml", "1"), ("websites/main/index.html", "2")];
        assert_eq!(told(&files, &files), (0, String::new()));
        assert!(Listing::default().changes(&MemoryTree::default()).is_empty());
    }

    #[test]
    fn files_are_named_with_what_became_of_them() {
        let before = [("a.yaml", "1"), ("b.yaml", "1"), ("d.yaml", "1")];
        let after = [("b.yaml", "2"), ("c.yaml", "1"), ("d.yaml", "1")];
        assert_eq!(told(&before, &after), (3, "a.yaml removed, b.yaml, new c.yaml".into()));
    }

    #[test]
    fn files_of_one_resource_are_counted_together() {
        let before = [
            ("applications/admin/functions/report/main.wasm", "1"),
            ("applications/admin/functions/report/src/lib.rs", "1"),
            ("functions/hello.yaml", "1"),
            ("functions/hello/main.wasm", "1"),
            ("websites/main.yaml", "1"),
            ("websites/main/css/a.css", "1"),
            ("websites/main/index.html", "1"),
            ("websites/other/index.html", "1"),
        ];
        let after = before.map(|(path, _)| (path, "2"));
        assert_eq!(
            told(&before, &after),
            (
                8,
                "2 files of function admin/report, functions/hello.yaml, functions/hello/main.wasm, \
                 websites/main.yaml, 2 files of website main, websites/other/index.html"
                    .into()
            )
        );
    }

    #[test]
    fn a_switch_of_everything_is_told_in_few_words() {
        let paths: Vec<_> = (0..1000).map(|n| format!("functions/f{n:04}.yaml")).collect();
        let tree = MemoryTree::new(paths.iter().map(|path| (path.as_str(), "1")));
        let changes = Listing::default().changes(&tree);
        assert_eq!((changes.files, changes.things.len(), changes.more), (1000, 20, 980));
    }
}
