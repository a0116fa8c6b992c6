//! Ingesting: artefacts and site files leave the tree and become blobs.
//!
//! What is known by its fingerprint is neither read nor compressed again, so the cost of a deploy is
//! that of what changed. Blocking; runs off the async threads.

use std::collections::HashMap;

use bytes::Bytes;
use headgate_project::{
    ArtefactFile, Diagnostic, Function, Place, Project, SiteRoot, Website,
    diagnostic::codes,
    tree::{Entry, EntryKind, Fingerprint, ReadError, Tree},
    unpack::{self, SiteEntry},
};
use headgate_store::{Batch, BlobStore, StoreError};
use headgate_types::{Chain, Digest};
use headgate_website::{Encoded, SiteFile, SiteTable, is_served};

use super::{DeployError, Progress, limits};
use crate::event::Stage;

/// What the previous deploy of the same source stored, by fingerprint. Holds only what that deploy used.
#[derive(Debug, Default)]
pub struct IngestCache {
    artefacts: HashMap<Fingerprint, Digest>,
    /// By path too, because a file's name decides its type and lifetime.
    files: HashMap<(Box<str>, Fingerprint), SiteFile>,
}

/// What a project's files became.
#[derive(Debug, Default)]
pub(super) struct Ingested {
    /// One for each function, in order; `None` where a diagnostic says why.
    pub(super) artefacts: Vec<Option<Digest>>,
    /// One for each website, in order.
    pub(super) sites: Vec<SiteTable>,
    pub(super) diagnostics: Vec<Diagnostic>,
    pub(super) cache: IngestCache,
}

pub(super) fn ingest(
    store: &BlobStore,
    tree: &dyn Tree,
    project: &Project,
    before: &IngestCache,
    progress: &Progress,
) -> Result<Ingested, DeployError> {
    let mut work = Ingest { batch: store.batch(), store, tree, before, done: Ingested::default() };
    let total = (project.functions.len() + project.websites.len()) as u64;
    for (i, function) in project.functions.iter().enumerate() {
        progress(Stage::Storing, i as u64, total);
        let artefact = work.artefact(function)?;
        work.done.artefacts.push(artefact);
    }
    for (i, website) in project.websites.iter().enumerate() {
        progress(Stage::Storing, (project.functions.len() + i) as u64, total);
        let site = work.site(website)?;
        work.done.sites.push(site);
    }
    work.batch.commit()?;
    progress(Stage::Storing, total, total);
    Ok(work.done)
}

struct Ingest<'a> {
    store: &'a BlobStore,
    batch: Batch<'a>,
    tree: &'a dyn Tree,
    before: &'a IngestCache,
    done: Ingested,
}

impl Ingest<'_> {
    fn artefact(&mut self, function: &Function) -> Result<Option<Digest>, DeployError> {
        let file = &function.artefact;
        let fingerprint = file.fingerprint;
        if let Some(digest) = self.before.artefacts.get(&fingerprint).copied()
            && self.store.touch(&digest)
        {
            self.done.cache.artefacts.insert(fingerprint, digest);
            return Ok(Some(digest));
        }
        let place = &function.place;
        let Some(bytes) = self.read(&file.path, limits::MAX_ARTEFACT, place)? else {
            return Ok(None);
        };
        match ArtefactFile::unpack(bytes, limits::MAX_ARTEFACT) {
            Ok(wasm) => {
                let digest = self.batch.put(&wasm)?;
                self.done.cache.artefacts.insert(fingerprint, digest);
                Ok(Some(digest))
            }
            Err(error) => {
                let text = format!("{} cannot be used: {}", file.path, Chain(&error));
                let diagnostic = Diagnostic::error(codes::INVALID_ARTEFACT, text).at(place.clone());
                self.done.diagnostics.push(
                    diagnostic.hint(
                        "build it again: raw wasm, a zip that holds `main.wasm`, or a `.zwasm`",
                    ),
                );
                Ok(None)
            }
        }
    }

    fn site(&mut self, website: &Website) -> Result<SiteTable, DeployError> {
        let mut table = SiteTable::default();
        match &website.root {
            SiteRoot::Folder { dir } => {
                for entry in self.tree.under(dir) {
                    let path = entry.path[dir.len()..].trim_start_matches('/');
                    if !is_served(path) {
                        continue;
                    }
                    if let Some(file) = self.file(website, entry, path)? {
                        table.insert(path, file);
                    }
                }
            }
            SiteRoot::Archive { path } => {
                for SiteEntry { path, content } in self.archive(website, path)? {
                    if is_served(&path) {
                        let file = self.store_file(&path, content)?;
                        table.insert(&path, file);
                    }
                }
            }
        }
        Ok(table)
    }

    fn archive(&mut self, website: &Website, path: &str) -> Result<Vec<SiteEntry>, DeployError> {
        let Some(bytes) = self.read(path, limits::MAX_ARCHIVE, &website.place)? else {
            return Ok(Vec::new());
        };
        unpack::site(bytes, limits::SITE).or_else(|error| {
            let text = format!("{path} cannot be read: {}", Chain(&error));
            let diagnostic = Diagnostic::error(codes::INVALID_SITE, text)
                .at(website.place.clone())
                .hint("make the archive again with an ordinary zip program");
            self.done.diagnostics.push(diagnostic);
            Ok(Vec::new())
        })
    }

    /// `None` for what a site does not serve: links and submodules, each with a warning.
    fn file(
        &mut self,
        website: &Website,
        entry: &Entry,
        path: &str,
    ) -> Result<Option<SiteFile>, DeployError> {
        if entry.kind != EntryKind::File {
            let what = format!("{} is a {} and is not served", entry.path, entry.kind);
            let warning = Diagnostic::warning(codes::UNREADABLE_FILE, what)
                .hint("put a copy of the file there instead");
            self.done.diagnostics.push(warning.at(website.place.clone()));
            return Ok(None);
        }
        let key = (Box::from(path), entry.fingerprint);
        if let Some(known) = self.before.files.get(&key)
            && blobs(known).all(|digest| self.store.touch(digest))
        {
            self.done.cache.files.insert(key, known.clone());
            return Ok(Some(known.clone()));
        }
        let Some(content) = self.read(&entry.path, limits::MAX_SITE_FILE, &website.place)? else {
            return Ok(None);
        };
        let file = self.store_file(path, content)?;
        self.done.cache.files.insert(key, file.clone());
        Ok(Some(file))
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
            Err(ReadError::Changed { .. }) => Err(DeployError::SourceChanged),
            Err(error) => {
                let text = format!("{path} cannot be read: {}", Chain(&error));
                let diagnostic = Diagnostic::error(codes::UNREADABLE_FILE, text);
                self.done.diagnostics.push(diagnostic.at(place.clone()));
                Ok(None)
            }
        }
    }

    fn store_file(&mut self, path: &str, content: Bytes) -> Result<SiteFile, StoreError> {
        let prepared = headgate_website::prepare(path, content.clone());
        let digest = self.batch.put(&content)?;
        let mut encodings = Vec::with_capacity(prepared.variants.len());
        for (encoding, variant) in &prepared.variants {
            let digest = self.batch.put(variant)?;
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
}

fn blobs(file: &SiteFile) -> impl Iterator<Item = &Digest> {
    std::iter::once(&file.digest).chain(file.encodings.iter().map(|encoded| &encoded.digest))
}
