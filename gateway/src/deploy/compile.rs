//! Compiling: every guest that is new, and what is to be said of each.

use std::collections::{HashMap, HashSet};

use headgate_executor::{CompileError, Compiled};
use headgate_project::{
    ArtefactFile, Diagnostic, Diagnostics, Function, Library, Place, Project, Source,
};
use headgate_types::Digest;
use tokio::task;

use super::{
    DeployError, Guest, IngestCache, Preparing, Reach,
    guest::{entry_point, guest_refused, too_little_memory, unserved_imports},
    ingest::{Extent, Ingested},
    link::{Artefacts, Modules},
    progress::Counter,
};
use crate::event::Stage;

impl Preparing<'_> {
    /// Compiles every artefact that is new, checks how each function wants to be called, and links.
    pub(super) async fn compile(
        &self,
        project: &Project,
        ingested: &Ingested,
        extent: Extent,
        cache: &mut IngestCache,
        diagnostics: &mut Diagnostics,
    ) -> Result<Vec<Guest>, DeployError> {
        let Ingested { artefacts, idle, libraries, .. } = ingested;
        let total = artefacts.len() + libraries.len();
        let counter = Counter::new(Stage::Compiling, total as u64, self.progress);
        let mut used = HashMap::new();
        for (library, digest) in project.libraries.iter().zip(libraries) {
            counter.advance();
            let run = || project.functions.iter().any(|function| runs(function, library));
            if self.reach == Reach::FromFunctions && !run() {
                continue;
            }
            if let (Some(file), Some(digest)) = (&library.artefact, digest) {
                let found = self.found(file, &library.place, *digest, cache, &mut used);
                found.await?.into_iter().for_each(|problem| diagnostics.push(problem));
            }
        }
        let mut entries = Vec::with_capacity(artefacts.len());
        for (function, digest) in project.functions.iter().zip(artefacts) {
            counter.advance();
            let Some(digest) = *digest else { continue };
            if function.source == Source::Own {
                let file = &function.artefact;
                let found = self.found(file, &function.place, digest, cache, &mut used);
                found.await?.into_iter().for_each(|problem| diagnostics.push(problem));
            }
            let Some(compiled) = used.get(&digest) else { continue };
            match entry_point(function, compiled) {
                Ok(entry) => entries.push((digest, entry)),
                Err(diagnostic) => diagnostics.push(*diagnostic),
            }
        }
        let candidates = self.candidates(project, ingested);
        self.imported(candidates, cache, &mut used, diagnostics).await?;
        let known = Artefacts { functions: artefacts, idle, libraries, compiled: &used };
        let linked = Modules::of(project, &known).link(extent, diagnostics);
        for ((function, digest), linked) in project.functions.iter().zip(artefacts).zip(&linked) {
            let modules = digest.iter().chain(linked.iter().map(|linked| &linked.artefact));
            let compiled = modules.filter_map(|module| used.get(module));
            let error = too_little_memory(function, compiled, self.limits.memory);
            error.into_iter().for_each(|error| diagnostics.push(error));
        }
        let guests = entries.into_iter().zip(linked);
        let guests =
            guests.map(|((artefact, entry), linked)| Guest { artefact, entry, linked }).collect();
        cache.compiled = used;
        counter.end();
        Ok(guests)
    }

    /// What is compiled only if others import from it: functions that nothing calls and, if only what
    /// functions reach is wanted, libraries. A function with a library's code is compiled as that library.
    fn candidates<'p>(&self, project: &'p Project, ingested: &Ingested) -> Vec<Importable<'p>> {
        let idle =
            project.idle_functions.iter().zip(&ingested.idle).filter_map(|(function, digest)| {
                let own = function.source == Source::Own || self.reach == Reach::FromFunctions;
                Some(Importable {
                    name: format!("functions/{}", function.name),
                    file: function.artefact.as_ref().filter(|_| own)?,
                    place: &function.place,
                    digest: (*digest)?,
                })
            });
        let libraries = project.libraries.iter().zip(&ingested.libraries);
        let libraries = libraries.filter_map(|(library, digest)| {
            Some(Importable {
                name: format!("libraries/{}", library.name),
                file: library.artefact.as_ref()?,
                place: &library.place,
                digest: (*digest)?,
            })
        });
        match self.reach {
            Reach::Everything => idle.collect(),
            Reach::FromFunctions => idle.chain(libraries).collect(),
        }
    }

    /// Compiles those that others import from, and what those import from in turn. The code of a function
    /// that nobody needs is not looked into: who will call it, and how, is not known.
    async fn imported(
        &self,
        mut left: Vec<Importable<'_>>,
        cache: &mut IngestCache,
        used: &mut HashMap<Digest, Compiled>,
        diagnostics: &mut Diagnostics,
    ) -> Result<(), DeployError> {
        loop {
            let names: HashSet<String> = used
                .values()
                .flat_map(|compiled| compiled.linkage.modules())
                .map(str::to_owned)
                .collect();
            let (wanted, rest): (Vec<_>, Vec<_>) =
                left.into_iter().partition(|importable| names.contains(&importable.name));
            if wanted.is_empty() {
                return Ok(());
            }
            left = rest;
            for Importable { file, place, digest, .. } in wanted {
                let found = self.found(file, place, digest, cache, used);
                found.await?.into_iter().for_each(|problem| diagnostics.push(problem));
            }
        }
    }

    /// Learns what an artefact is and wants, and what is to be said about that.
    async fn found(
        &self,
        file: &ArtefactFile,
        place: &Place,
        digest: Digest,
        cache: &mut IngestCache,
        used: &mut HashMap<Digest, Compiled>,
    ) -> Result<Vec<Diagnostic>, DeployError> {
        match self.compiled(digest, cache).await {
            Ok(compiled) => {
                let warning = unserved_imports(file, place, &compiled);
                used.insert(digest, compiled);
                Ok(warning.into_iter().collect())
            }
            Err(Uncompiled::Node(error)) => Err(error),
            Err(Uncompiled::Guest(error)) => Ok(guest_refused(file, place, &error)),
        }
    }

    /// What is known of an artefact. One that was compiled before, and still is, is not even read.
    async fn compiled(
        &self,
        digest: Digest,
        cache: &mut IngestCache,
    ) -> Result<Compiled, Uncompiled> {
        if let Some(compiled) = cache.compiled.get(&digest)
            && self.executor.has_native(digest)
        {
            return Ok(compiled.clone());
        }
        let store = self.store.clone();
        let read = task::spawn_blocking(move || store.read(&digest)).await;
        let wasm = read.map_err(DeployError::from).and_then(|read| Ok(read?));
        let compiled = self.executor.compile(digest, wasm.map_err(Uncompiled::Node)?).await;
        let compiled = compiled.map_err(|error| match error {
            CompileError::Native(_) | CompileError::Interrupted => {
                Uncompiled::Node(DeployError::Executor(error))
            }
            error => Uncompiled::Guest(error),
        })?;
        cache.compiled.insert(digest, compiled.clone());
        Ok(compiled)
    }
}

/// Code that is compiled once somebody imports from it.
struct Importable<'p> {
    /// As it is imported: `libraries/words`.
    name: String,
    file: &'p ArtefactFile,
    place: &'p Place,
    digest: Digest,
}

/// Whether a function's code is this library's.
fn runs(function: &Function, library: &Library) -> bool {
    matches!(&function.source, Source::Library(source)
        if source.name == library.name && source.application == library.application)
}

/// Whose fault it is that an artefact was not compiled.
enum Uncompiled {
    Node(DeployError),
    Guest(CompileError),
}
