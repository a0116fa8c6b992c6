//! Where the WebAssembly of a function or library and a website's files are found in a tree.
//!
//! Only paths are looked at. What the bytes are is told when they are unpacked and compiled; a file
//! that is too large, empty, or reached only through a link is explained here.

mod sources;

use std::sync::Arc;

use bytes::Bytes;
use headgate_types::ByteSize;

use crate::{
    defaults::{MAX_ARTEFACT, MAX_SITE_ARCHIVE},
    diagnostic::{Diagnostic, Place, codes},
    model::{Group, SiteRoot},
    tree::{EntryKind, Fingerprint, Tree},
    unpack::{self, UnpackError},
};

/// The artefact of a function or library as it lies in the tree.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ArtefactFile {
    pub path: Box<str>,
    /// Bytes, as listed.
    pub size: u64,
    pub fingerprint: Fingerprint,
    /// The repository it is in, if that is not the one of the configuration.
    pub repository: Option<Arc<str>>,
}

impl ArtefactFile {
    /// The raw WebAssembly in an artefact's bytes, whichever of the three formats they have.
    ///
    /// # Errors
    /// If they have none of them, are damaged, or unpack to more than `limit` bytes.
    pub fn unpack(bytes: Bytes, limit: u64) -> Result<Bytes, UnpackError> {
        unpack::wasm(bytes, limit)
    }
}

/// The names of a function, library or website that lead to its files.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Name<'a> {
    pub(crate) application: Option<&'a str>,
    pub(crate) name: &'a str,
}

impl Name<'_> {
    /// Whether there is anything of it in the tree: sources, something empty, a link that is not
    /// followed.
    pub(crate) fn has_files(self, tree: &dyn Tree, group: Group) -> bool {
        self.bases(group.folder()).iter().any(|base| {
            let beside = [base.clone(), format!("{base}.wasm")];
            !tree.under(base).is_empty() || beside.iter().any(|path| tree.find(path).is_some())
        })
    }

    /// `functions/<n>`, in an application under both layouts: Taubyte's builder and its command line
    /// disagree about them.
    pub(crate) fn bases(self, group: &str) -> Vec<String> {
        let name = self.name;
        match self.application {
            None => vec![format!("{group}/{name}")],
            Some(application) => vec![
                format!("applications/{application}/{group}/{name}"),
                format!("{application}/{group}/{name}"),
            ],
        }
    }
}

/// The artefact of a function or library, or what to tell its author, without a place. `path` is the
/// folder within its own that it says it is in; empty for none.
pub(crate) fn of_guest(
    tree: &dyn Tree,
    group: Group,
    name: Name<'_>,
    path: &str,
) -> Result<ArtefactFile, Box<Diagnostic>> {
    let mut search = Search::new(tree);
    let bases = name.bases(group.folder());
    for candidate in bases.iter().flat_map(|base| candidates(base, name.name, path)) {
        if let Some(found) = search.file(candidate) {
            return match found.size > MAX_ARTEFACT {
                true => Err(too_large(&found, MAX_ARTEFACT).into()),
                false => Ok(found),
            };
        }
    }
    let hint = match bases.iter().find(|base| !tree.under(base).is_empty()) {
        _ if search.linked => "put the file itself where the link is".to_owned(),
        Some(base) => format!(
            "`{base}/` holds no WebAssembly: {}; if this is a repository, commit the result \
             (`.gitignore` may leave it out)",
            sources::how_to_build(tree, base)
        ),
        None => format!(
            "put the {0}'s WebAssembly at `{1}.wasm`, or at `{1}/main.wasm`, beside its sources; \
             `headgate new` shows how in several languages",
            group.noun(),
            bases[0]
        ),
    };
    let message = format!("the {} `{}` has no WebAssembly file", group.noun(), name.name);
    let mut diagnostic = search.failed(Diagnostic::error(codes::ARTEFACT_NOT_FOUND, message));
    if let Some(code) = tree.repository_of(&bases[0]) {
        diagnostic = diagnostic.note(format!("code is also looked for in the repository {code}"));
    }
    Err(diagnostic.hint(hint).into())
}

/// Where a guest may be, in the order in which it is looked for.
fn candidates(base: &str, name: &str, path: &str) -> Vec<String> {
    let within = |folder: &str| {
        let files = ["main.wasm", "artifact.wasm", "artifact.zip"];
        let mut within: Vec<_> = files.iter().map(|file| format!("{folder}/{file}")).collect();
        within.push(format!("{folder}/{name}.zwasm"));
        within.push(format!("{folder}/out/main.wasm"));
        within
    };
    let mut all = if path.is_empty() { Vec::new() } else { within(&format!("{base}/{path}")) };
    all.push(format!("{base}.wasm"));
    all.extend(within(base));
    all
}

/// A site's root and what is to be said about it, or what to tell its author; without places.
pub(crate) fn of_website(
    tree: &dyn Tree,
    name: Name<'_>,
) -> Result<(SiteRoot, Option<Diagnostic>), Box<Diagnostic>> {
    let mut search = Search::new(tree);
    let bases = name.bases("websites");
    for base in &bases {
        if let Some(root) = search.site(base)? {
            return Ok((root, None));
        }
    }
    if let Some(base) = bases.iter().find(|base| !tree.under(base).is_empty()) {
        return Ok((SiteRoot::Folder { dir: base.as_str().into() }, doubtful(tree, base)));
    }
    search.tried.extend(bases.iter().map(|base| format!("{base}/")));
    let message = format!("the website `{}` has no files", name.name);
    let diagnostic = search.failed(Diagnostic::error(codes::SITE_NOT_FOUND, message));
    let (diagnostic, hint) = match tree.repository_of(&bases[0]) {
        Some(repository) => (
            diagnostic.note(format!("`{}/` is the repository {repository}", bases[0])),
            "commit its files there, beginning with `index.html`, or what its build puts out"
                .to_owned(),
        ),
        None => {
            (diagnostic, format!("put its files into `{}/`, beginning with `index.html`", bases[0]))
        }
    };
    Err(diagnostic.hint(hint).into())
}

/// The site of a folder that is no project: what it was built to or, if nothing, itself.
pub(crate) fn of_plain_folder(tree: &dyn Tree) -> Option<SiteRoot> {
    let built = Search::new(tree).site("").ok().flatten();
    built.or_else(|| {
        let itself = SiteRoot::Folder { dir: "".into() };
        tree.find(INDEX).map(|_| itself)
    })
}

const INDEX: &str = "index.html";

/// Looks at paths and remembers which, for the message if all fail.
struct Search<'a> {
    tree: &'a dyn Tree,
    tried: Vec<String>,
    notes: Vec<String>,
    /// A link is where the file could be.
    linked: bool,
}

impl<'a> Search<'a> {
    fn new(tree: &'a dyn Tree) -> Self {
        Self { tree, tried: Vec::new(), notes: Vec::new(), linked: false }
    }

    /// A plain file with something in it.
    fn file(&mut self, path: String) -> Option<ArtefactFile> {
        match self.tree.find(&path) {
            Some(entry) if entry.kind == EntryKind::File && entry.size > 0 => {
                let repository = self.tree.repository_of(&path).map(Into::into);
                let (path, size, fingerprint) = (path.into(), entry.size, entry.fingerprint);
                return Some(ArtefactFile { path, size, fingerprint, repository });
            }
            Some(entry) if entry.kind == EntryKind::File => {
                self.notes.push(format!("`{path}` is empty"));
            }
            Some(_) | None => self.explain_links(&path),
        }
        self.tried.push(path);
        None
    }

    /// The built site below a folder: an archive, or the first output folder with an index.
    fn site(&mut self, base: &str) -> Result<Option<SiteRoot>, Box<Diagnostic>> {
        let below = |name: &str| match base {
            "" => name.to_owned(),
            base => format!("{base}/{name}"),
        };
        if let Some(archive) = self.file(below("build.zip")) {
            return match archive.size > MAX_SITE_ARCHIVE {
                true => Err(too_large(&archive, MAX_SITE_ARCHIVE).into()),
                false => Ok(Some(SiteRoot::Archive { path: archive.path })),
            };
        }
        for folder in ["out", "dist", "build"] {
            let dir = below(folder);
            if self.file(format!("{dir}/{INDEX}")).is_some() {
                return Ok(Some(SiteRoot::Folder { dir: dir.into() }));
            }
        }
        Ok(None)
    }

    /// Says so if the path, or a folder on the way to it, is there but is not followed.
    fn explain_links(&mut self, path: &str) {
        let ends = path.match_indices('/').map(|(end, _)| end).chain([path.len()]);
        for step in ends.map(|end| &path[..end]) {
            let Some(entry) = self.tree.find(step) else { continue };
            let note = match entry.kind {
                EntryKind::File => continue,
                EntryKind::Submodule => format!(
                    "`{step}` is a Git submodule: its files belong to another repository, and are \
                     not part of this project"
                ),
                kind => {
                    self.linked |= kind == EntryKind::Symlink;
                    format!("`{step}` is a {kind}, which is not followed")
                }
            };
            if !self.notes.contains(&note) {
                self.notes.push(note);
            }
        }
    }

    fn failed(self, diagnostic: Diagnostic) -> Diagnostic {
        let tried = self.tried.iter().map(|path| format!("\n{path}")).collect::<String>();
        let diagnostic = self.notes.into_iter().fold(diagnostic, Diagnostic::note);
        diagnostic.note(format!("looked for, in this order:{tried}"))
    }
}

/// What a site without built output may have got wrong.
fn doubtful(tree: &dyn Tree, base: &str) -> Option<Diagnostic> {
    if tree.find(&format!("{base}/package.json")).is_some() {
        let message = format!("`{base}/` looks like sources, and is served as it is");
        return Some(
            Diagnostic::warning(codes::SITE_NOT_BUILT, message)
                .note("it holds a `package.json`, and no `out/`, `dist/` or `build/` with an index")
                .hint("run the site's build, `npm run build` as a rule; its output is then served instead. In a repository, \
                     commit the output (`.gitignore` may leave it out)"),
        );
    }
    if tree.find(&format!("{base}/{INDEX}")).is_some() {
        return None;
    }
    let message = format!("`{base}/` has no `{INDEX}`");
    Some(
        Diagnostic::warning(codes::SITE_WITHOUT_INDEX, message)
            .note("the site's first page will answer 404")
            .hint(format!("add `{base}/{INDEX}`")),
    )
}

fn too_large(file: &ArtefactFile, limit: u64) -> Diagnostic {
    let (size, limit) = (ByteSize::from_bytes(file.size), ByteSize::from_bytes(limit));
    Diagnostic::error(codes::FILE_TOO_LARGE, format!("`{}` has {size}", file.path))
        .at(Place::file(&*file.path))
        .note(format!("at most {limit} are read"))
        .hint("strip debug information, or leave out what is not needed at run time")
}
