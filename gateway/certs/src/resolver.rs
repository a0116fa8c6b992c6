//! `CertificateResolver`: which certificate a client is shown, by the server name it asks for.

use std::{borrow::Cow, collections::HashMap, sync::Arc};

use arc_swap::ArcSwap;
use headgate_types::HostPattern;
use rustls::{
    server::{ClientHello, ResolvesServerCert},
    sign::CertifiedKey,
};

use crate::HeldCertificate;

/// Names and their certificates. Built whole, then published with [`CertificateResolver::store`].
#[derive(Debug, Clone, Default)]
pub struct CertificateTable {
    exact: HashMap<Box<str>, Shown>,
    /// By the part behind `*.`.
    wildcard: HashMap<Box<str>, Shown>,
    default: Option<Shown>,
}

/// What a client is shown, parsed or yet to be.
#[derive(Debug, Clone)]
enum Shown {
    Key(Arc<CertifiedKey>),
    Held(Arc<HeldCertificate>),
}

impl Shown {
    fn key(&self) -> Option<Arc<CertifiedKey>> {
        match self {
            Self::Key(key) => Some(Arc::clone(key)),
            Self::Held(held) => held.certified_key(),
        }
    }
}

impl CertificateTable {
    /// Shows `key` to who asks for `host`. The caller sees to it that the certificate covers it.
    pub fn insert(&mut self, host: &HostPattern, key: Arc<CertifiedKey>) {
        self.show(host, Shown::Key(key));
    }

    /// The same with one whose key is parsed when the first client asks for it.
    pub fn insert_lazy(&mut self, host: &HostPattern, certificate: Arc<HeldCertificate>) {
        self.show(host, Shown::Held(certificate));
    }

    fn show(&mut self, host: &HostPattern, shown: Shown) {
        match host {
            HostPattern::Exact(name) => self.exact.insert(name.as_str().into(), shown),
            HostPattern::Wildcard(base) => self.wildcard.insert(base.as_str().into(), shown),
        };
    }

    /// Shows `key` to who asks for no name at all: a client that connected by address.
    pub fn set_default(&mut self, key: Arc<CertifiedKey>) {
        self.default = Some(Shown::Key(key));
    }

    /// Shows them what is shown for `host`, if anything is.
    pub fn set_default_to(&mut self, host: &str) {
        if let Some(shown) = self.shown(Some(host)).cloned() {
            self.default = Some(shown);
        }
    }

    /// The exact name, else the wildcard one label up; the default only without a name. Allocates
    /// only for a name that is not in lower case.
    pub fn find(&self, server_name: Option<&str>) -> Option<Arc<CertifiedKey>> {
        self.shown(server_name)?.key()
    }

    fn shown(&self, server_name: Option<&str>) -> Option<&Shown> {
        let Some(name) = server_name else { return self.default.as_ref() };
        let name = lower(name);
        self.exact.get(&*name).or_else(|| {
            let (label, base) = name.split_once('.')?;
            if label.is_empty() { None } else { self.wildcard.get(base) }
        })
    }

    /// Number of names.
    pub fn len(&self) -> usize {
        self.exact.len() + self.wildcard.len()
    }

    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }
}

fn lower(name: &str) -> Cow<'_, str> {
    if name.bytes().any(|byte| byte.is_ascii_uppercase()) {
        Cow::Owned(name.to_ascii_lowercase())
    } else {
        Cow::Borrowed(name)
    }
}

/// The current table, for rustls. An unknown name finds nothing, and rustls refuses the client with
/// an alert.
#[derive(Debug, Default)]
pub struct CertificateResolver {
    table: ArcSwap<CertificateTable>,
}

impl CertificateResolver {
    pub fn new(table: CertificateTable) -> Arc<Self> {
        Arc::new(Self { table: ArcSwap::from_pointee(table) })
    }

    /// Publishes the next table. Handshakes under way keep the one they began with.
    pub fn store(&self, table: CertificateTable) {
        self.table.store(Arc::new(table));
    }

    /// Whether a client that asks for `server_name` is shown a certificate.
    pub fn knows(&self, server_name: Option<&str>) -> bool {
        self.table.load().shown(server_name).is_some()
    }
}

impl ResolvesServerCert for CertificateResolver {
    fn resolve(&self, hello: ClientHello<'_>) -> Option<Arc<CertifiedKey>> {
        self.table.load().find(hello.server_name())
    }
}
