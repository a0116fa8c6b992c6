//! `MountedTree`: a project's tree with the files of its other repositories in their places.
//!
//! Taubyte keeps a project in several repositories: the configuration, the code, one for each website and
//! for each library. What reads a project wants one tree:
//!
//! ```text
//! configuration   as it is, but for what stands where another repository is mounted
//! code            laid under it: `functions/…`, `libraries/…` and `smartops/…`, in an application
//!                 as `<app>/functions/…` or `applications/<app>/functions/…`; never its YAML
//! website         at `websites/<name>/`, or `applications/<app>/websites/<name>/`
//! library         at `libraries/<name>/`, or `applications/<app>/libraries/<name>/`, from its root:
//!                 `source.path` is looked up below that
//! ```
//!
//! YAML means something only where the layout looks for it, which is never below a mounted folder; so
//! nothing but the configuration's own is ever taken for the project's.

use std::{collections::HashMap, fmt, sync::Arc};

use bytes::Bytes;

use super::{Entry, ReadError, Tree, TreeLimits, Unlisted};

/// Another repository's files, and where they are to appear.
#[derive(Clone, Debug)]
pub struct Mount {
    pub at: MountPoint,
    pub tree: Arc<dyn Tree>,
    /// What the repository is called in diagnostics.
    pub repository: Arc<str>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub enum MountPoint {
    /// Under the configuration, whose own files come first.
    Code,
    /// In place of whatever the configuration has there.
    Folder(Box<str>),
}

/// Together the repositories hold more than one project may.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the repositories have more than {limit} files together")]
pub struct TooManyFiles {
    pub limit: usize,
}

/// Several trees that look like one.
pub struct MountedTree {
    configuration: Arc<dyn Tree>,
    mounts: Vec<Mount>,
    /// Which mount is at a folder.
    folders: HashMap<Box<str>, usize>,
    entries: Vec<Entry>,
    origins: Vec<Origin>, // parallel to `entries`
    unlisted: Vec<Unlisted>,
}

/// Where an entry is read.
#[derive(Clone, Copy)]
struct Origin {
    /// Among the mounts; `None` is the configuration.
    mount: Option<usize>,
    /// Among the entries of that tree.
    index: usize,
}

impl MountedTree {
    /// No two mounts have the same folder, and none is inside another.
    ///
    /// # Errors
    /// If there are more files than `limits` allow for one tree.
    pub fn new(
        configuration: Arc<dyn Tree>,
        mounts: Vec<Mount>,
        limits: &TreeLimits,
    ) -> Result<Self, TooManyFiles> {
        let folders: HashMap<_, _> = mounts
            .iter()
            .enumerate()
            .filter_map(|(number, mount)| match &mount.at {
                MountPoint::Code => None,
                MountPoint::Folder(dir) => Some((dir.clone(), number)),
            })
            .collect();
        let mut found: Vec<(Entry, Origin)> = Vec::new();
        let mut unlisted = Vec::new();
        let hidden = |path: &str| covering(&folders, path).is_some();
        for (index, entry) in configuration.entries().iter().enumerate() {
            if !hidden(&entry.path) {
                found.push((entry.clone(), Origin { mount: None, index }));
            }
        }
        unlisted.extend(configuration.unlisted().iter().filter(|u| !hidden(&u.path)).cloned());
        for (number, mount) in mounts.iter().enumerate() {
            let origin = |index| Origin { mount: Some(number), index };
            let code = matches!(mount.at, MountPoint::Code);
            let wanted = |path: &str| !code || (is_code(path) && !hidden(path));
            for (index, entry) in mount.tree.entries().iter().enumerate() {
                if wanted(&entry.path) && !(code && configuration.find(&entry.path).is_some()) {
                    let path = mount.at.place(&entry.path).into();
                    found.push((Entry { path, ..entry.clone() }, origin(index)));
                }
            }
            let left_out = mount.tree.unlisted().iter().filter(|left_out| wanted(&left_out.path));
            unlisted.extend(left_out.map(|left_out| Unlisted {
                path: mount.at.place(&left_out.path),
                reason: left_out.reason,
            }));
            // At once: one repository may be mounted any number of times.
            if found.len().max(unlisted.len()) > limits.entries {
                return Err(TooManyFiles { limit: limits.entries });
            }
        }
        found.sort_unstable_by(|(a, _), (b, _)| a.path.cmp(&b.path));
        let (entries, origins) = found.into_iter().unzip();
        Ok(Self { configuration, mounts, folders, entries, origins, unlisted })
    }
}

impl Tree for MountedTree {
    fn entries(&self) -> &[Entry] {
        &self.entries
    }

    fn read(&self, path: &str, limit: u64) -> Result<Bytes, ReadError> {
        let index = self.entries.binary_search_by(|entry| (*entry.path).cmp(path));
        let Ok(index) = index else { return Err(ReadError::NotFound { path: path.to_owned() }) };
        let Origin { mount, index } = self.origins[index];
        let tree = mount.map_or(&self.configuration, |mount| &self.mounts[mount].tree);
        let read = tree.read(&tree.entries()[index].path, limit);
        read.map_err(|error| error.at(path))
    }

    fn unlisted(&self) -> &[Unlisted] {
        &self.unlisted
    }

    fn repository_of(&self, path: &str) -> Option<&str> {
        let mount = covering(&self.folders, path).or_else(|| {
            let index = self.entries.binary_search_by(|entry| (*entry.path).cmp(path)).ok()?;
            self.origins[index].mount
        })?;
        Some(&self.mounts[mount].repository)
    }
}

impl fmt::Debug for MountedTree {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mounts: Vec<_> = self.mounts.iter().map(|m| (&m.at, &m.repository)).collect();
        f.debug_struct("MountedTree")
            .field("mounts", &mounts)
            .field("entries", &self.entries.len())
            .finish_non_exhaustive()
    }
}

impl MountPoint {
    /// Where a path of the mounted tree appears.
    fn place(&self, path: &str) -> String {
        match self {
            Self::Code => path.to_owned(),
            Self::Folder(dir) => format!("{dir}/{path}"),
        }
    }
}

/// The mount whose folder is this path or one above it.
fn covering(folders: &HashMap<Box<str>, usize>, path: &str) -> Option<usize> {
    let ends = path.match_indices('/').map(|(end, _)| end).chain([path.len()]);
    ends.map(|end| &path[..end]).find_map(|folder| folders.get(folder)).copied()
}

/// The folders of a code repository, under both of Taubyte's conventions for applications.
const CODE_FOLDERS: [&str; 3] = ["functions", "libraries", "smartops"];

fn is_code(path: &str) -> bool {
    if path.ends_with(".yaml") || path.ends_with(".yml") {
        return false;
    }
    let is_folder = |part: Option<&str>| part.is_some_and(|part| CODE_FOLDERS.contains(&part));
    let mut parts = path.rsplit_once('/').map_or("", |(folders, _)| folders).split('/');
    let (first, second, third) = (parts.next(), parts.next(), parts.next());
    is_folder(first) || is_folder(second) || (first == Some("applications") && is_folder(third))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        LoadOptions, load,
        tree::{EntryKind, MemoryTree, UnlistedReason},
    };

    fn at(folder: &str, tree: MemoryTree) -> Mount {
        let (at, tree) = (MountPoint::Folder(folder.into()), Arc::new(tree));
        Mount { at, tree, repository: "acme/site".into() }
    }

    fn code(files: &[(&'static str, &'static str)]) -> Mount {
        let tree = Arc::new(MemoryTree::new(files.iter().copied()));
        Mount { at: MountPoint::Code, tree, repository: "acme/code".into() }
    }

    fn compose(configuration: MemoryTree, mounts: Vec<Mount>) -> MountedTree {
        MountedTree::new(Arc::new(configuration), mounts, &TreeLimits::default()).unwrap()
    }

    fn paths(tree: &MountedTree) -> Vec<&str> {
        tree.entries().iter().map(|entry| &*entry.path).collect()
    }

    #[test]
    fn a_mounted_folder_replaces_what_was_there_and_nothing_beside_it() {
        let configuration = MemoryTree::new([
            ("config.yaml", "name: shop"),
            ("websites/main.yaml", "paths: [/]"),
            ("websites/main/old.html", "old"),
            ("websites/main-2/index.html", "two"),
        ]);
        let site = MemoryTree::new([("index.html", "new"), ("css/a.css", "a")]);
        let tree = compose(configuration, vec![at("websites/main", site)]);
        assert_eq!(
            paths(&tree),
            [
                "config.yaml",
                "websites/main-2/index.html",
                "websites/main.yaml",
                "websites/main/css/a.css",
                "websites/main/index.html",
            ]
        );
        assert_eq!(tree.read("websites/main/index.html", 9).unwrap(), "new");
        assert_eq!(tree.read("websites/main-2/index.html", 9).unwrap(), "two");
        assert_eq!(tree.under("websites/main").len(), 2);
        assert_eq!(tree.repository_of("websites/main/css/a.css"), Some("acme/site"));
        assert_eq!(tree.repository_of("websites/main"), Some("acme/site"));
        assert_eq!(tree.repository_of("websites/main.yaml"), None);
    }

    #[test]
    fn code_comes_under_both_conventions_and_after_the_configurations_own() {
        let configuration = MemoryTree::new([("functions/a.wasm", "own")]);
        let code = code(&[
            ("functions/a.wasm", "code"),
            ("functions/b/main.wasm", "b"),
            ("shop/functions/c/main.wasm", "c"),
            ("applications/shop/functions/d.wasm", "d"),
            ("libraries/e/main.wasm", "e"),
            ("README.md", "not code"),
            ("functions", "a file"),
            ("a/b/functions/x.wasm", "nowhere"),
        ]);
        let tree = compose(configuration, vec![code]);
        assert_eq!(
            paths(&tree),
            [
                "applications/shop/functions/d.wasm",
                "functions/a.wasm",
                "functions/b/main.wasm",
                "libraries/e/main.wasm",
                "shop/functions/c/main.wasm",
            ]
        );
        assert_eq!(tree.read("functions/a.wasm", 9).unwrap(), "own");
        assert_eq!(tree.repository_of("functions/a.wasm"), None);
        assert_eq!(tree.repository_of("functions/b/main.wasm"), Some("acme/code"));
    }

    #[test]
    fn yaml_of_other_repositories_is_never_the_projects() {
        let traps = [
            ("config.yaml", "name: trap"),
            ("functions/trap.yaml", "x: ["),
            ("domains/trap.yaml", "x: ["),
            ("applications/trap/config.yaml", "x: ["),
            ("applications/trap/functions/trap.yaml", "x: ["),
            ("trap/functions/trap.yml", "x: ["),
            ("function/trap.yaml", "x: ["),
        ];
        let places = ["websites/w", "applications/a/websites/w", "libraries/l"];
        let mut mounts: Vec<_> =
            places.into_iter().map(|place| at(place, MemoryTree::new(traps))).collect();
        mounts.push(code(&traps));
        let configuration = || MemoryTree::new([("config.yaml", "name: shop")]);
        let composed = load(&compose(configuration(), mounts), &LoadOptions::default());
        let alone = load(&configuration(), &LoadOptions::default());
        assert_eq!(composed.project, alone.project);
        assert_eq!(composed.diagnostics.to_json(), alone.diagnostics.to_json());
    }

    #[test]
    fn the_limit_holds_over_all_repositories_together() {
        let files = |n: usize| MemoryTree::new((0..n).map(|n| (n.to_string(), "")));
        let limits = TreeLimits { entries: 10, ..TreeLimits::default() };
        let compose = |own, mounted| {
            let mounts = vec![at("websites/w", files(mounted))];
            MountedTree::new(Arc::new(files(own)), mounts, &limits).map(|tree| tree.entries.len())
        };
        assert_eq!(compose(4, 6), Ok(10));
        assert_eq!(compose(5, 6), Err(TooManyFiles { limit: 10 }));
    }

    #[test]
    fn one_repository_mounted_without_end_is_refused_before_it_is_unfolded() {
        let site: Arc<dyn Tree> = Arc::new(MemoryTree::new((0..1000).map(|n| (n.to_string(), ""))));
        let mount = |n| {
            let at = MountPoint::Folder(format!("websites/w{n}").into());
            Mount { at, tree: site.clone(), repository: "acme/site".into() }
        };
        let limits = TreeLimits { entries: 10_000, ..TreeLimits::default() };
        let mounts = (0..20_000).map(mount).collect(); // twenty million files
        let composed = MountedTree::new(Arc::new(MemoryTree::default()), mounts, &limits);
        assert_eq!(composed.unwrap_err(), TooManyFiles { limit: 10_000 });
    }

    #[test]
    fn what_cannot_be_read_is_named_by_its_place_in_the_whole() {
        let site = MemoryTree::new([("big", "12345")]).with("link", EntryKind::Symlink);
        let tree = compose(MemoryTree::default(), vec![at("websites/w", site)]);
        for (path, refused) in [
            ("websites/w/big", "`websites/w/big` has 5B, over the limit of 4B"),
            ("websites/w/none", "`websites/w/none` is not a file of this project"),
            (
                "websites/w/link",
                "`websites/w/link` is a symbolic link, and only plain files are read",
            ),
        ] {
            assert_eq!(tree.read(path, 4).unwrap_err().to_string(), refused);
        }
    }

    #[derive(Debug)]
    struct WithUnlisted(Vec<Unlisted>);

    impl Tree for WithUnlisted {
        fn entries(&self) -> &[Entry] {
            &[]
        }

        fn read(&self, path: &str, _limit: u64) -> Result<Bytes, ReadError> {
            Err(ReadError::NotFound { path: path.to_owned() })
        }

        fn unlisted(&self) -> &[Unlisted] {
            &self.0
        }
    }

    #[test]
    fn what_a_mounted_tree_could_not_list_is_not_forgotten() {
        let left_out = Unlisted { path: "\u{fffd}".to_owned(), reason: UnlistedReason::NotUtf8 };
        let (at, tree) =
            (MountPoint::Folder("websites/w".into()), Arc::new(WithUnlisted(vec![left_out])));
        let mount = Mount { at, tree, repository: "acme/site".into() };
        let tree = compose(MemoryTree::default(), vec![mount]);
        assert_eq!(tree.unlisted()[0].path, "websites/w/\u{fffd}");
    }
}
