//! `IngestCache`: what is known of a source's files, so that a deploy costs what changed.

use std::collections::HashMap;

use headgate_executor::Compiled;
use headgate_project::tree::{Entry, Fingerprint};
use headgate_types::Digest;
use headgate_website::{SiteFile, SiteTable};

/// What the previous deploy of the same source stored and compiled. Holds only what that deploy used.
#[derive(Debug, Default)]
pub struct IngestCache {
    pub(super) artefacts: HashMap<Fingerprint, Digest>,
    /// By path too, because a file's name decides its type and lifetime.
    pub(super) files: HashMap<(Box<str>, Fingerprint), SiteFile>,
    pub(super) archives: HashMap<Fingerprint, SiteTable>,
    pub(in crate::deploy) compiled: HashMap<Digest, Compiled>,
}

impl IngestCache {
    /// What is known of a site's file. Its blobs were there once; whether they still are,
    /// [`Publisher`](crate::publisher::Publisher) sees, before the revision is accepted or after.
    pub(super) fn file(&self, path: &str, entry: &Entry) -> Option<&SiteFile> {
        self.files.get(&(Box::from(path), entry.fingerprint))
    }

    /// What a later deploy used, in the place of what this one did. What was compiled is not known
    /// anew before it is compiled.
    pub(super) fn followed_by(self, files: Self) -> Self {
        Self { compiled: self.compiled, ..files }
    }

    pub(super) fn extend(&mut self, more: Self) {
        self.artefacts.extend(more.artefacts);
        self.files.extend(more.files);
        self.archives.extend(more.archives);
    }
}
