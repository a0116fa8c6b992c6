//! Linking: which modules each function runs with, and why some do not fit.
//!
//! A core module may import from others of its project by name, `libraries/x` or `functions/x`. A name
//! means the module of the function's own application first, and the project's otherwise; so one library
//! may be linked with different ones in different applications, and only a function settles it.

use std::collections::{HashMap, HashSet};

use headgate_executor::{Compiled, GuestKind, Linkage, Misfit, defaults::LINKED_MODULES};
use headgate_project::{
    ArtefactFile, Diagnostic, Diagnostics, Function, Place, Project, Source,
    diagnostic::{closest, codes, listed, quoted},
    model::Trigger,
};
use headgate_types::Digest;

use super::ingest::{Extent, of_repository};
use crate::manifest::LinkedEntry;

/// Everything in a project that can be linked.
pub(super) struct Modules<'a> {
    project: &'a Project,
    known: HashMap<(Option<&'a str>, String), Module<'a>>,
}

struct Module<'a> {
    /// As it is imported: `libraries/words`.
    name: String,
    code: Code<'a>,
    /// Its YAML.
    place: &'a Place,
}

enum Code<'a> {
    Compiled {
        file: &'a ArtefactFile,
        digest: Digest,
        compiled: &'a Compiled,
    },
    /// There is some, and what is wrong with it is told elsewhere.
    Broken,
    /// There is none.
    Missing,
}

/// What became of a project's artefacts: the digest of each, as ingested, and what is known of them.
pub(super) struct Artefacts<'a> {
    /// One for each function, in order.
    pub(super) functions: &'a [Option<Digest>],
    /// One for each function that nothing calls, in order.
    pub(super) idle: &'a [Option<Digest>],
    /// One for each library, in order.
    pub(super) libraries: &'a [Option<Digest>],
    pub(super) compiled: &'a HashMap<Digest, Compiled>,
}

impl<'a> Modules<'a> {
    pub(super) fn of(project: &'a Project, artefacts: &Artefacts<'a>) -> Self {
        let mut known = HashMap::new();
        let mut insert = |application: &'a Option<_>, name, code, place| {
            let application = Option::as_deref(application);
            known.insert((application, String::clone(&name)), Module { name, code, place });
        };
        let code = |file, digest: Option<Digest>| {
            let known = digest.and_then(|digest| Some((digest, artefacts.compiled.get(&digest)?)));
            known.map_or(Code::Broken, |(digest, compiled)| Code::Compiled {
                file,
                digest,
                compiled,
            })
        };
        for (function, digest) in project.functions.iter().zip(artefacts.functions) {
            let name = format!("functions/{}", function.name);
            let code = code(&function.artefact, *digest);
            insert(&function.application, name, code, &function.place);
        }
        for (function, digest) in project.idle_functions.iter().zip(artefacts.idle) {
            let name = format!("functions/{}", function.name);
            let code = match (&function.artefact, &function.trigger) {
                (Some(file), _) => code(file, *digest),
                // It cannot be called without, which was told.
                (None, Trigger::Http(_)) => Code::Broken,
                (None, _) => Code::Missing,
            };
            insert(&function.application, name, code, &function.place);
        }
        for (library, digest) in project.libraries.iter().zip(artefacts.libraries) {
            let name = format!("libraries/{}", library.name);
            let code = library.artefact.as_ref().map_or(Code::Missing, |file| code(file, *digest));
            insert(&library.application, name, code, &library.place);
        }
        Self { project, known }
    }

    /// For each function the modules it runs with, each after what it imports from. Problems that
    /// several functions have in common are told once; libraries that no function reaches are looked at,
    /// too.
    pub(super) fn link(
        &self,
        extent: Extent,
        diagnostics: &mut Diagnostics,
    ) -> Vec<Vec<LinkedEntry>> {
        let mut seen = Seen { extent, told: HashSet::new(), reached: HashSet::new() };
        let mut linked = Vec::with_capacity(self.project.functions.len());
        for function in &self.project.functions {
            linked.push(self.root(function).map_or_else(Vec::new, |root| {
                let subject = format!("function {}", quoted(&function.name));
                self.walk(function.application.as_deref(), root, &subject, &mut seen, diagnostics)
            }));
        }
        for library in &self.project.libraries {
            let application = library.application.as_deref();
            let root = self.known.get(&(application, format!("libraries/{}", library.name)));
            if let Some(root) = root
                && !seen.reached.contains(&std::ptr::from_ref(root))
            {
                let subject = format!("library {}", quoted(&library.name));
                self.walk(application, root, &subject, &mut seen, diagnostics);
            }
        }
        linked
    }

    fn walk<'m>(
        &'m self,
        application: Option<&'a str>,
        root: &'m Module<'a>,
        subject: &str,
        seen: &mut Seen<'a>,
        diagnostics: &mut Diagnostics,
    ) -> Vec<LinkedEntry> {
        let mut walk = Walk::new(self, application, subject, seen);
        walk.visit(root);
        let Walked { modules, problems } = walk.finish();
        problems.into_iter().for_each(|problem| diagnostics.push(problem));
        seen.reached.extend(modules.iter().map(|module| std::ptr::from_ref(*module)));
        let others = modules.iter().filter(|module| !std::ptr::eq(**module, root));
        let entries = others.filter_map(|module| {
            let Code::Compiled { digest, .. } = module.code else { return None };
            Some(LinkedEntry { module: module.name.clone(), artefact: digest })
        });
        entries.collect()
    }

    /// The module a function runs: its own, or a library.
    fn root(&self, function: &'a Function) -> Option<&Module<'a>> {
        let (application, name) = match &function.source {
            Source::Own => (&function.application, format!("functions/{}", function.name)),
            Source::Library(library) => {
                (&library.application, format!("libraries/{}", library.name))
            }
        };
        self.known.get(&(application.as_deref(), name))
    }

    fn find(&self, application: Option<&'a str>, name: &str) -> Option<&Module<'a>> {
        let own = application.map(Some);
        own.into_iter()
            .chain([None])
            .find_map(|application| self.known.get(&(application, name.to_owned())))
    }

    /// What can be imported in an application, by name.
    fn visible(&self, application: Option<&str>) -> Vec<&str> {
        let keys = self.known.keys().filter(|(of, _)| of.is_none() || *of == application);
        let mut names: Vec<_> = keys.map(|(_, name)| &**name).collect();
        names.sort_unstable();
        names.dedup();
        names
    }

    /// An application other than this one that has such a module.
    fn owner(&self, name: &str) -> Option<&'a str> {
        self.known.keys().filter(|(_, known)| *known == name).filter_map(|(of, _)| *of).min()
    }
}

/// What the walks of a project have in common.
struct Seen<'a> {
    extent: Extent,
    /// Messages, each of which is told once.
    told: HashSet<String>,
    reached: HashSet<*const Module<'a>>,
}

impl Seen<'_> {
    /// Whether a message is to be told: not twice, and not for ever.
    fn is_news(&mut self, message: &str) -> bool {
        self.told.len() < MOST_TOLD && self.told.insert(message.to_owned())
    }
}

/// Of one revision. Nobody reads more, and each takes a search through all that is there.
const MOST_TOLD: usize = 200;

/// A walk through all that one function is linked with, depth first.
struct Walk<'m, 'a, 's> {
    modules: &'m Modules<'a>,
    application: Option<&'a str>,
    /// For whom: "function `f`".
    subject: &'s str,
    /// From the function's module to the one that is looked at.
    path: Vec<&'m Module<'a>>,
    /// Those that were looked at, each after what it imports from.
    done: Vec<&'m Module<'a>>,
    too_many: bool,
    problems: Vec<Diagnostic>,
    seen: &'s mut Seen<'a>,
}

struct Walked<'m, 'a> {
    modules: Vec<&'m Module<'a>>,
    problems: Vec<Diagnostic>,
}

impl<'m, 'a, 's> Walk<'m, 'a, 's> {
    fn new(
        modules: &'m Modules<'a>,
        application: Option<&'a str>,
        subject: &'s str,
        seen: &'s mut Seen<'a>,
    ) -> Self {
        let (path, done, problems) = (Vec::new(), Vec::new(), Vec::new());
        Self { modules, application, subject, path, done, too_many: false, problems, seen }
    }

    fn visit(&mut self, module: &'m Module<'a>) {
        let Code::Compiled { file, compiled, .. } = module.code else { return };
        if self.path.len() + self.done.len() == LINKED_MODULES as usize {
            self.too_many = true;
            return;
        }
        self.path.push(module);
        let names = compiled.linkage.modules();
        self.too_many |= names.len() >= LINKED_MODULES as usize;
        for name in names.into_iter().take(LINKED_MODULES as usize) {
            let importer = Importer { module, file, linkage: &compiled.linkage };
            let Some(found) = self.modules.find(self.application, name) else {
                self.undefined(&importer, name);
                continue;
            };
            if let Some(start) = self.path.iter().position(|on| std::ptr::eq(*on, found)) {
                self.cycle(start);
                continue;
            }
            self.check(&importer, found);
            if !self.done.iter().any(|done| std::ptr::eq(*done, found)) {
                self.visit(found);
            }
        }
        self.path.pop();
        self.done.push(module);
    }

    fn finish(mut self) -> Walked<'m, 'a> {
        let linkages = self.done.iter().filter_map(|module| match module.code {
            Code::Compiled { compiled, .. } => Some(&compiled.linkage),
            _ => None,
        });
        let excess = match self.too_many {
            true => Some(format!("more than {LINKED_MODULES} modules")),
            false => Linkage::fit_together(linkages).err().map(|excess| {
                format!("{} {}, and {} fit", excess.count, excess.what, excess.limit)
            }),
        };
        if let (Some(excess), Some(root)) = (excess, self.root()) {
            let message = format!("the {} is made of {excess}", self.subject);
            let error = Diagnostic::error(codes::TOO_MANY_MODULES, message).at(root.place.clone());
            self.push(error.hint("join some of them into one library"));
        }
        Walked { modules: self.done, problems: self.problems }
    }

    /// The module of the function itself: the first on the way, the last to be done.
    fn root(&self) -> Option<&'m Module<'a>> {
        self.path.first().or_else(|| self.done.last()).copied()
    }

    fn check(&mut self, importer: &Importer<'_, 'a>, found: &Module<'a>) {
        let name = quoted(&found.name);
        match found.code {
            Code::Broken => {}
            Code::Missing => {
                let message = format!("{importer} imports from {name}, which has no WebAssembly");
                let error = Diagnostic::error(codes::ARTEFACT_NOT_FOUND, message)
                    .related(found.place.clone(), "described here");
                let hint = format!("put it at `{}.wasm`", found.name);
                self.tell(importer, error.hint(hint));
            }
            Code::Compiled { compiled, .. } if compiled.kind == GuestKind::Component => {
                let message = format!("{importer} imports from {name}, which is a component");
                let error = Diagnostic::error(codes::NOT_LINKABLE, message)
                    .related(found.place.clone(), "the component")
                    .note(
                        "modules share one event and call each other directly; components do not",
                    );
                self.tell(importer, error.hint("build it as a core module for Taubyte"));
            }
            Code::Compiled { compiled, .. } => {
                let misfits = importer.linkage.misfits(&found.name, &compiled.linkage);
                for misfit in misfits.iter().take(MOST_MISFITS) {
                    let error = mismatch(importer, found, &compiled.linkage, misfit);
                    self.tell(importer, error);
                }
            }
        }
    }

    fn undefined(&mut self, importer: &Importer<'_, 'a>, name: &str) {
        let imports = importer.linkage.imports.iter().filter(|import| *import.module == *name);
        let wanted = listed(imports.map(|import| &*import.name));
        let message = format!("{importer} imports from {}, which is not defined", quoted(name));
        // Of a project with errors, some parts are not known.
        if self.seen.extent == Extent::Guests || !self.seen.is_news(&message) {
            return;
        }
        let mut error = Diagnostic::error(codes::UNKNOWN_MODULE, message)
            .note(format!("it wants {wanted} from there"));
        if let Some(owner) = self.modules.owner(name) {
            let owner = quoted(owner);
            error = error.note(format!(
                "the application {owner} has one, which only its own functions can be linked with"
            ));
        }
        let root = self.root().map(|root| &*root.name);
        let mut visible = self.modules.visible(self.application);
        visible.retain(|known| Some(*known) != root);
        let remedy = format!("add {}", quoted(&format!("{name}.yaml")));
        let hint = match (closest(name, visible.iter().copied()), visible.as_slice()) {
            (Some(meant), _) => format!("did you mean {}? or {remedy}", quoted(meant)),
            (None, []) => remedy,
            (None, names) => {
                format!("known here: {}; or {remedy}", listed(names.iter().copied()))
            }
        };
        let error = self.placed(importer, error.hint(hint));
        self.problems.push(error);
    }

    /// Names all of them, beginning with the same wherever it was entered.
    fn cycle(&mut self, start: usize) {
        let mut members = self.path[start..].to_vec();
        let first = (0..members.len()).min_by_key(|at| &members[*at].name).unwrap_or_default();
        members.rotate_left(first);
        let names: Vec<_> = members.iter().map(|module| &*module.name).collect();
        let way = format!("{} → {}", names.join(" → "), names[0]);
        let mut error = Diagnostic::error(
            codes::MODULE_CYCLE,
            format!("modules need each other: {way}"),
        )
        .at(members[0].place.clone())
        .note("a module is there before what imports from it, so none of these could be the first")
        .hint("put what both sides need into a library of its own");
        for member in &members[1..] {
            error = error.related(member.place.clone(), "part of the circle");
        }
        self.push(error);
    }

    fn tell(&mut self, importer: &Importer<'_, 'a>, error: Diagnostic) {
        let error = self.placed(importer, error);
        self.push(error);
    }

    fn push(&mut self, problem: Diagnostic) {
        if self.seen.is_news(&problem.message) {
            self.problems.push(problem);
        }
    }

    /// At the importer's YAML, with whom it matters to.
    fn placed(&self, importer: &Importer<'_, 'a>, error: Diagnostic) -> Diagnostic {
        let mut error = error.at(importer.module.place.clone());
        if self.path.len() > 1 {
            let way: Vec<_> = self.path.iter().map(|module| &*module.name).collect();
            error = error.note(format!("the {} runs with it: {}", self.subject, way.join(" → ")));
        }
        let file = importer.file;
        of_repository(error, &file.path, file.repository.as_deref())
    }
}

/// Of one module with another. What was built against something else altogether is seen by these.
const MOST_MISFITS: usize = 10;

/// A module that imports from others; shown by its file.
struct Importer<'m, 'a> {
    module: &'m Module<'a>,
    file: &'a ArtefactFile,
    linkage: &'a Linkage,
}

impl std::fmt::Display for Importer<'_, '_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.file.path)
    }
}

fn mismatch(
    importer: &Importer<'_, '_>,
    from: &Module<'_>,
    gives: &Linkage,
    misfit: &Misfit,
) -> Diagnostic {
    let (item, module) = (quoted(&misfit.name), quoted(&from.name));
    let wanted = &misfit.wanted;
    let (message, hint) = match &misfit.given {
        Some(given) => (
            format!("{importer} imports {item} of {module} as {wanted}; there it is {given}"),
            "build both against the same declaration".to_owned(),
        ),
        None => {
            let exports = listed(gives.exports.iter().map(|export| &*export.name));
            let exports = if exports.is_empty() { "nothing".to_owned() } else { exports };
            (
                format!("{importer} imports {item} of {module}, which exports no such thing"),
                format!("export {wanted} there; it exports {exports}"),
            )
        }
    };
    Diagnostic::error(codes::IMPORT_MISMATCH, message)
        .related(from.place.clone(), "imported from here")
        .hint(hint)
}

#[cfg(test)]
mod tests;
