//! Ingesting: artefacts and site files leave the tree and become blobs.
//!
//! What is known by its fingerprint is neither read nor compressed again, so the cost of a deploy is
//! that of what changed. Blocking; runs off the async threads.

use std::collections::HashMap;

use bytes::Bytes;
use headgate_project::{
    ArtefactFile, Diagnostic, Function, Project, SiteRoot, Website,
    diagnostic::codes,
    tree::{Entry, EntryKind, Fingerprint, ReadError, Tree},
    unpack::{self, SiteEntry},
};
use headgate_store::{Batch, BlobStore, StoreError};
use headgate_types::{Chain, Digest};
use headgate_website::{Encoded, SiteFile, SiteTable, is_served};

use super::{Progress, limits};
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
) -> Result<Ingested, StoreError> {
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
    fn artefact(&mut self, function: &Function) -> Result<Option<Digest>, StoreError> {
        let file = &function.artefact;
        let fingerprint = file.fingerprint;
        if let Some(digest) = self.before.artefacts.get(&fingerprint).copied()
            && self.store.touch(&digest)
        {
            self.done.cache.artefacts.insert(fingerprint, digest);
            return Ok(Some(digest));
        }
        let unpacked = self
            .tree
            .read(&file.path, limits::MAX_ARTEFACT)
            .map_err(|error| unreadable(&file.path, &error))
            .and_then(|bytes| {
                ArtefactFile::unpack(bytes, limits::MAX_ARTEFACT).map_err(|error| {
                    let text = format!("{} cannot be used: {}", file.path, Chain(&error));
                    Diagnostic::error(codes::INVALID_ARTEFACT, text).hint(
                        "build it again: raw wasm, a zip that holds `main.wasm`, or a `.zwasm`",
                    )
                })
            });
        match unpacked {
            Ok(wasm) => {
                let digest = self.batch.put(&wasm)?;
                self.done.cache.artefacts.insert(fingerprint, digest);
                Ok(Some(digest))
            }
            Err(diagnostic) => {
                self.done.diagnostics.push(diagnostic.at(function.place.clone()));
                Ok(None)
            }
        }
    }

    fn site(&mut self, website: &Website) -> Result<SiteTable, StoreError> {
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
            SiteRoot::Archive { path } => match self.archive(path) {
                Ok(files) => {
                    for SiteEntry { path, content } in files {
                        if is_served(&path) {
                            let file = self.store_file(&path, content)?;
                            table.insert(&path, file);
                        }
                    }
                }
                Err(diagnostic) => {
                    self.done.diagnostics.push(diagnostic.at(website.place.clone()));
                }
            },
        }
        Ok(table)
    }

    fn archive(&self, path: &str) -> Result<Vec<SiteEntry>, Diagnostic> {
        let bytes =
            self.tree.read(path, limits::MAX_ARCHIVE).map_err(|error| unreadable(path, &error))?;
        unpack::site(bytes, limits::SITE).map_err(|error| {
            let text = format!("{path} cannot be read: {}", Chain(&error));
            Diagnostic::error(codes::INVALID_SITE, text)
                .hint("make the archive again with an ordinary zip program")
        })
    }

    /// `None` for what a site does not serve: links and submodules, each with a warning.
    fn file(
        &mut self,
        website: &Website,
        entry: &Entry,
        path: &str,
    ) -> Result<Option<SiteFile>, StoreError> {
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
        match self.tree.read(&entry.path, limits::MAX_SITE_FILE) {
            Ok(content) => {
                let file = self.store_file(path, content)?;
                self.done.cache.files.insert(key, file.clone());
                Ok(Some(file))
            }
            Err(error) => {
                let diagnostic = unreadable(&entry.path, &error);
                self.done.diagnostics.push(diagnostic.at(website.place.clone()));
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

fn unreadable(path: &str, error: &ReadError) -> Diagnostic {
    Diagnostic::error(codes::UNREADABLE_FILE, format!("{path} cannot be read: {}", Chain(error)))
}
