//! Ingesting: artefacts and site files leave the tree and become blobs.
//!
//! What is known by its fingerprint is neither read nor compressed again, so the cost of a deploy is
//! that of what changed. Blocking; runs off the async threads.

mod cache;
mod certificate;
mod client_ca;
mod files;

use bytes::Bytes;
use headgate_project::{
    ArtefactFile, Diagnostic, Place, Project, SiteRoot, Source, Website,
    defaults::{MAX_ARTEFACT, MAX_SITE_ARCHIVE, MAX_WASM},
    diagnostic::codes,
    tree::{Entry, EntryKind, ReadError, Tree},
    unpack::{self, SiteLimits, UnpackError},
};
use headgate_store::{Batch, BlobStore, StoreError};
use headgate_types::{Chain, Digest, Timestamp};
use headgate_website::{Encoded, SiteFile, SiteTable, is_served};

pub use self::cache::IngestCache;
use self::files::{Files, StoreFileError};
use super::{DeployError, Progress, progress::Counter};
use crate::{
    event::Stage,
    manifest::{CertificateEntry, ClientsEntry},
};

/// What a project's files became.
#[derive(Debug, Default)]
pub(super) struct Ingested {
    /// One for each function, in order; `None` where a diagnostic says why.
    pub(super) artefacts: Vec<Option<Digest>>,
    /// One for each function that nothing calls, in order; `None` also where there is no artefact.
    pub(super) idle: Vec<Option<Digest>>,
    /// One for each library, in order; `None` also where there is no artefact.
    pub(super) libraries: Vec<Option<Digest>>,
    /// One for each website, in order.
    pub(super) sites: Vec<SiteTable>,
    /// One for each domain, in order.
    pub(super) tls: Vec<DomainTls>,
    pub(super) diagnostics: Vec<Diagnostic>,
}

/// What a domain's files say about its handshakes.
#[derive(Debug, Clone, Default)]
pub(super) struct DomainTls {
    /// `None` where the node comes by one itself.
    pub(super) certificate: Option<CertificateEntry>,
    /// `None` where everybody is let in.
    pub(super) clients: Option<ClientsEntry>,
}

/// Stores whatever `before` does not know. The cache that comes back holds what the project uses; after
/// an error it holds all that is known, so that the next attempt goes on from there.
pub(super) fn ingest(
    store: &BlobStore,
    tree: &dyn Tree,
    project: &Project,
    extent: Extent,
    mut before: IngestCache,
    now: Timestamp,
    progress: &Progress,
) -> (IngestCache, Result<Ingested, DeployError>) {
    let mut work = Ingest {
        batch: store.batch(),
        tree,
        now,
        before: &before,
        counter: Counter::new(Stage::Storing, items(tree, project), progress),
        cache: IngestCache::default(),
        done: Ingested::default(),
    };
    let result = work.project(project, extent);
    let Ingest { batch, cache, done, counter, .. } = work;
    let result = match result {
        // What was stored until the source changed is as good as ever.
        Ok(()) | Err(DeployError::SourceChanged) => {
            batch.commit().map_err(DeployError::from).and(result)
        }
        Err(error) => Err(error),
    };
    match result {
        Ok(()) => {
            counter.end();
            let after = match extent {
                Extent::Everything => before.followed_by(cache),
                Extent::Guests => {
                    before.extend(cache);
                    before
                }
            };
            (after, Ok(done))
        }
        Err(error) => {
            if let DeployError::SourceChanged = error {
                before.extend(cache);
            }
            (before, Err(error))
        }
    }
}

/// The diagnostic, with a note if the file is not in the repository of the configuration.
pub(super) fn of_repository(
    diagnostic: Diagnostic,
    path: &str,
    repository: Option<&str>,
) -> Diagnostic {
    match repository {
        Some(repository) => diagnostic.note(format!("{path} is of the repository {repository}")),
        None => diagnostic,
    }
}

/// How much of a project is ingested.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Extent {
    Everything,
    /// Of a project with errors: its guests may have some, too, its sites' files have none.
    Guests,
}

/// Functions and libraries, and the files of all sites; an archive counts as one.
fn items(tree: &dyn Tree, project: &Project) -> u64 {
    let sites = project.websites.iter().map(|website| match &website.root {
        SiteRoot::Folder { dir } => tree.under(dir).len(),
        SiteRoot::Archive { .. } => 1,
    });
    let guests = project.functions.len() + project.idle_functions.len() + project.libraries.len();
    (guests + sites.sum::<usize>()) as u64
}

struct Ingest<'a> {
    batch: Batch<'a>,
    tree: &'a dyn Tree,
    now: Timestamp,
    before: &'a IngestCache,
    counter: Counter<'a>,
    cache: IngestCache,
    done: Ingested,
}

impl Ingest<'_> {
    fn project(&mut self, project: &Project, extent: Extent) -> Result<(), DeployError> {
        for library in &project.libraries {
            let artefact = match &library.artefact {
                Some(file) => self.artefact(file, &library.place)?,
                None => None,
            };
            self.done.libraries.push(artefact);
            self.counter.advance();
        }
        for function in &project.functions {
            let artefact = match function.source {
                Source::Own => self.artefact(&function.artefact, &function.place)?,
                // What is wrong with it was told once.
                Source::Library(_) => {
                    self.cache.artefacts.get(&function.artefact.fingerprint).copied()
                }
            };
            self.done.artefacts.push(artefact);
            self.counter.advance();
        }
        for function in &project.idle_functions {
            let artefact = match (&function.source, &function.artefact) {
                (Source::Own, Some(file)) => self.artefact(file, &function.place)?,
                (Source::Library(_), Some(file)) => {
                    self.cache.artefacts.get(&file.fingerprint).copied()
                }
                (_, None) => None,
            };
            self.done.idle.push(artefact);
            self.counter.advance();
        }
        if extent == Extent::Guests {
            return Ok(());
        }
        for website in &project.websites {
            let site = match &website.root {
                SiteRoot::Folder { dir } => self.folder(website, dir)?,
                SiteRoot::Archive { path } => self.archive(website, path)?,
            };
            self.done.sites.push(site);
        }
        for domain in &project.domains {
            let (certificate, clients) = (self.certificate(domain)?, self.clients(domain)?);
            self.done.tls.push(DomainTls { certificate, clients });
        }
        Ok(())
    }

    fn artefact(
        &mut self,
        file: &ArtefactFile,
        place: &Place,
    ) -> Result<Option<Digest>, DeployError> {
        let fingerprint = file.fingerprint;
        if let Some(digest) = self.before.artefacts.get(&fingerprint).copied() {
            self.cache.artefacts.insert(fingerprint, digest);
            return Ok(Some(digest));
        }
        let Some(bytes) = self.read(&file.path, MAX_ARTEFACT, place)? else { return Ok(None) };
        match ArtefactFile::unpack(bytes, MAX_WASM) {
            Ok(wasm) => {
                let digest = self.batch.put(&wasm)?;
                self.cache.artefacts.insert(fingerprint, digest);
                Ok(Some(digest))
            }
            Err(error) => {
                let text = format!("{} cannot be used: {}", file.path, Chain(&error));
                let diagnostic = Diagnostic::error(codes::INVALID_ARTEFACT, text).at(place.clone());
                let hint = "build it again: raw wasm, a zip that holds `main.wasm`, or a `.zwasm`";
                self.report(&file.path, diagnostic.hint(hint));
                Ok(None)
            }
        }
    }

    fn folder(&mut self, website: &Website, dir: &str) -> Result<SiteTable, DeployError> {
        let mut table = SiteTable::default();
        let mut new: Vec<(&str, &Entry)> = Vec::new();
        for entry in self.tree.under(dir) {
            let path = entry.path[dir.len()..].trim_start_matches('/');
            if !is_served(path) {
                self.counter.advance();
            } else if entry.kind != EntryKind::File {
                self.counter.advance();
                let what = format!("{} is a {} and is not served", entry.path, entry.kind);
                let warning = Diagnostic::warning(codes::UNREADABLE_FILE, what)
                    .hint("put a copy of the file there instead");
                self.report(&entry.path, warning.at(website.place.clone()));
            } else if let Some(known) = self.before.file(path, entry) {
                self.counter.advance();
                self.cache.files.insert((path.into(), entry.fingerprint), known.clone());
                table.insert(path, known.clone());
            } else {
                new.push((path, entry));
            }
        }
        let files = Files { tree: self.tree, batch: &self.batch, counter: &self.counter };
        let mut failure = None;
        for ((path, entry), stored) in files.store(&new) {
            match stored {
                Ok(file) => {
                    self.cache.files.insert((path.into(), entry.fingerprint), file.clone());
                    table.insert(path, file);
                }
                Err(StoreFileError::Read(error)) => {
                    let outcome = self.unreadable(&entry.path, error, &website.place);
                    failure = failure.or_else(|| outcome.err());
                }
                Err(StoreFileError::Store(error)) => {
                    failure = failure.or_else(|| Some(error.into()));
                }
            }
        }
        failure.map_or(Ok(table), Err)
    }

    fn archive(&mut self, website: &Website, path: &str) -> Result<SiteTable, DeployError> {
        let fingerprint = self.tree.find(path).map(|entry| entry.fingerprint);
        let known = fingerprint.and_then(|fingerprint| self.before.archives.get(&fingerprint));
        let table = match known {
            Some(known) => known.clone(),
            None => {
                let read = self.read(path, MAX_SITE_ARCHIVE, &website.place)?;
                let Some(bytes) = read else { return Ok(SiteTable::default()) };
                match self.unpack(bytes)? {
                    Ok(table) => table,
                    Err(error) => {
                        let text = format!("{path} cannot be read: {}", Chain(&error));
                        let diagnostic = Diagnostic::error(codes::INVALID_SITE, text)
                            .at(website.place.clone())
                            .hint("make the archive again with an ordinary zip program");
                        self.report(path, diagnostic);
                        return Ok(SiteTable::default());
                    }
                }
            }
        };
        if let Some(fingerprint) = fingerprint {
            self.cache.archives.insert(fingerprint, table.clone());
        }
        self.counter.advance();
        Ok(table)
    }

    /// Entry by entry, so that what an archive unfolds to is never in memory together.
    fn unpack(&self, archive: Bytes) -> Result<Result<SiteTable, UnpackError>, StoreError> {
        let entries = match unpack::site(archive, SiteLimits::default()) {
            Ok(entries) => entries,
            Err(error) => return Ok(Err(error)),
        };
        let mut table = SiteTable::default();
        for entry in entries {
            match entry {
                Ok(entry) if is_served(&entry.path) => {
                    let file = store_file(&self.batch, &entry.path, entry.content)?;
                    table.insert(&entry.path, file);
                }
                Ok(_) => {}
                Err(error) => return Ok(Err(error)),
            }
        }
        Ok(Ok(table))
    }

    /// `None` if the file cannot be had; a diagnostic at `place` says why then.
    fn read(
        &mut self,
        path: &str,
        limit: u64,
        place: &Place,
    ) -> Result<Option<Bytes>, DeployError> {
        match self.tree.read(path, limit) {
            Ok(bytes) => Ok(Some(bytes)),
            Err(error) => self.unreadable(path, error, place).map(|()| None),
        }
    }

    /// What is wrong with the file at `path`, and in which repository it is.
    fn report(&mut self, path: &str, diagnostic: Diagnostic) {
        let repository = self.tree.repository_of(path);
        self.done.diagnostics.push(of_repository(diagnostic, path, repository));
    }

    fn unreadable(
        &mut self,
        path: &str,
        error: ReadError,
        place: &Place,
    ) -> Result<(), DeployError> {
        if let ReadError::Changed { .. } = error {
            return Err(DeployError::SourceChanged);
        }
        let text = format!("{path} cannot be read: {}", Chain(&error));
        let diagnostic = Diagnostic::error(codes::UNREADABLE_FILE, text)
            .hint("check that the file is there, and who may read it");
        self.report(path, diagnostic.at(place.clone()));
        Ok(())
    }
}

/// A file and its compressed forms.
fn store_file(batch: &Batch<'_>, path: &str, content: Bytes) -> Result<SiteFile, StoreError> {
    let prepared = headgate_website::prepare(path, content.clone());
    let digest = batch.put(&content)?;
    let mut encodings = Vec::with_capacity(prepared.variants.len());
    for (encoding, variant) in &prepared.variants {
        let digest = batch.put(variant)?;
        encodings.push(Encoded { encoding: *encoding, digest, size: variant.len() as u64 });
    }
    Ok(SiteFile {
        digest,
        size: content.len() as u64,
        mime: prepared.mime,
        encodings,
        immutable: prepared.immutable,
    })
}
