//! `Certificates`: what the node's listeners prove themselves with, kept in step with what is served.

mod clients;

use std::{
    collections::{HashMap, HashSet},
    fs, io,
    path::{Path, PathBuf},
    sync::{Arc, Mutex, PoisonError},
};

use arc_swap::ArcSwap;
use headgate_certs::{
    CertificateResolver, CertificateTable, LocalAuthority, Supplied, SuppliedError, Tickets,
    local_authority::{IssueError, OpenError},
    tickets::NoRandomness,
};
use headgate_edge::{PickConfig, Picked};
use headgate_types::{Clock, HostPattern};
use rustls::{ServerConfig, server::ClientHello};
use tracing::warn;

use self::clients::ClientPolicies;
use crate::{
    manifest::CertificateEntry,
    node_config::{Authority, CertificateFiles, TlsConfig},
    snapshot::HostRules,
};

/// The keys of session tickets, in the state folder.
const TICKET_KEYS: &str = "ticket.keys";

/// The local authority, what the operator supplied, the table both fill, and the tickets by which clients
/// come back.
#[derive(Debug)]
pub struct Certificates {
    authority: LocalAuthority,
    clock: Arc<dyn Clock>,
    /// The operator's, in the order of `node.yaml`.
    supplied: ArcSwap<Vec<Supplied>>,
    /// The projects', parsed.
    brought: Mutex<HashMap<CertificateEntry, Arc<Supplied>>>,
    resolver: Arc<CertificateResolver>,
    tickets: Arc<Tickets>,
    clients: Arc<ArcSwap<ClientPolicies>>,
}

#[derive(Debug, thiserror::Error)]
pub enum CertificatesError {
    #[error("the local authority cannot be opened")]
    Open(#[from] OpenError),
    #[error("the local authority cannot issue")]
    Issue(#[from] IssueError),
    #[error("TLS cannot be set up")]
    Tls(#[from] rustls::Error),
    #[error("session tickets cannot be made")]
    Tickets(#[from] NoRandomness),
    #[error("cannot read {}", path.display())]
    Read { path: PathBuf, source: io::Error },
    #[error("the certificate {} cannot be used with the key {}", cert.display(), key.display())]
    Supplied { cert: PathBuf, key: PathBuf, source: SuppliedError },
}

impl Certificates {
    pub fn open(
        config: &TlsConfig,
        state: &Path,
        clock: Arc<dyn Clock>,
    ) -> Result<Self, CertificatesError> {
        let Authority::Local { folder } = &config.authority;
        let authority = LocalAuthority::open(folder, clock.clone())?;
        let supplied = ArcSwap::from_pointee(read_all(&config.certificates)?);
        let resolver = CertificateResolver::new(CertificateTable::default());
        let tickets = Tickets::open(&state.join(TICKET_KEYS), clock.clone())?;
        let (brought, clients) = (Mutex::default(), Arc::default());
        Ok(Self { authority, clock, supplied, brought, resolver, tickets, clients })
    }

    /// Reads the operator's certificates anew; they are shown from the next [`cover`](Self::cover) on.
    ///
    /// # Errors
    /// If one of them cannot be used. Those before stay, all of them.
    pub fn reload(&self, files: &[CertificateFiles]) -> Result<(), CertificatesError> {
        self.supplied.store(Arc::new(read_all(files)?));
        Ok(())
    }

    /// For whoever has their keys rotated.
    pub fn tickets(&self) -> &Arc<Tickets> {
        &self.tickets
    }

    /// Has a certificate ready for every one of these hosts and for none else: what its project brings, else
    /// the operator's, as long as it holds, else one of the local authority. Returns the hosts whose certificate is not of
    /// our own making, so that clients can be expected to trust it.
    pub fn cover(
        &self,
        hosts: &[HostPattern],
        brought: &HashMap<&HostPattern, &CertificateEntry>,
    ) -> Result<HashSet<HostPattern>, CertificatesError> {
        let (now, supplied) = (self.clock.now(), self.supplied.load());
        let brought = self.read_brought(brought);
        let holds = |host: &HostPattern, supplied: &Supplied| {
            supplied.covers(host) && supplied.is_valid_at(now)
        };
        let find = |host: &HostPattern| {
            let brought = brought.get(host).map(|brought| &**brought);
            let own = brought.filter(|brought| holds(host, brought));
            own.or_else(|| supplied.iter().find(|supplied| holds(host, supplied)))
        };
        let (found, others): (Vec<_>, Vec<_>) =
            hosts.iter().map(|host| (host, find(host))).partition(|(_, found)| found.is_some());
        let mut table = self.authority.table_for(others.into_iter().map(|(host, _)| host))?;
        let mut trusted = HashSet::with_capacity(found.len());
        for (host, supplied) in found.into_iter().filter_map(|(h, found)| Some((h, found?))) {
            table.insert(host, supplied.key().clone());
            if !supplied.is_self_signed() {
                trusted.insert(host.clone());
            }
        }
        self.resolver.store(table);
        Ok(trusted)
    }

    /// From now on demands of clients what the rules say.
    pub fn demand(&self, rules: Arc<HostRules>) {
        let before = self.clients.load();
        let next = ClientPolicies::new(rules, &before, &self.resolver, &self.tickets);
        self.clients.store(Arc::new(next));
    }

    /// Each is parsed once, as long as it is served.
    fn read_brought<'h>(
        &self,
        brought: &HashMap<&'h HostPattern, &CertificateEntry>,
    ) -> HashMap<&'h HostPattern, Arc<Supplied>> {
        let mut known = self.brought.lock().unwrap_or_else(PoisonError::into_inner);
        known.retain(|entry, _| brought.values().any(|wanted| *wanted == entry));
        let mut read = HashMap::with_capacity(brought.len());
        for (host, entry) in brought {
            if let Some(supplied) = known.get(*entry) {
                read.insert(*host, supplied.clone());
                continue;
            }
            match Supplied::from_pem(entry.chain.as_bytes(), entry.key.as_bytes()) {
                Ok(supplied) => {
                    let supplied = Arc::new(supplied);
                    known.insert(CertificateEntry::clone(entry), supplied.clone());
                    read.insert(*host, supplied);
                }
                // It was judged when it was deployed, by another version of us perhaps.
                Err(error) => warn!(%host, %error, "certificate of a project cannot be used"),
            }
        }
        read
    }

    /// One configuration for every name in the table that lets everybody in, and one for each policy for
    /// clients. Other names are refused before a key is touched.
    pub fn pick_config(&self) -> Result<Arc<dyn PickConfig>, CertificatesError> {
        let config = headgate_certs::server_config(self.resolver.clone(), self.tickets.scoped([]))?;
        let (resolver, clients) = (self.resolver.clone(), self.clients.clone());
        Ok(Arc::new(KnownNames { config, resolver, clients }))
    }

    /// For DNS over TLS, with the same certificates: nothing but DNS is spoken there (RFC 7858 §3.2), and no
    /// session of HTTPS goes on in it.
    pub fn name_server_config(&self) -> Result<Arc<ServerConfig>, CertificatesError> {
        const PROTOCOL: &[u8] = b"dot";
        let tickets = self.tickets.scoped(PROTOCOL);
        let mut config =
            Arc::unwrap_or_clone(headgate_certs::server_config(self.resolver.clone(), tickets)?);
        config.alpn_protocols = vec![PROTOCOL.to_vec()];
        Ok(Arc::new(config))
    }
}

fn read_all(files: &[CertificateFiles]) -> Result<Vec<Supplied>, CertificatesError> {
    let read = |path: &PathBuf| {
        fs::read(path).map_err(|source| CertificatesError::Read { path: path.clone(), source })
    };
    let supplied = files.iter().map(|CertificateFiles { cert, key }| {
        Supplied::from_pem(&read(cert)?, &read(key)?).map_err(|source| {
            CertificatesError::Supplied { cert: cert.clone(), key: key.clone(), source }
        })
    });
    supplied.collect()
}

#[derive(Debug)]
struct KnownNames {
    config: Arc<ServerConfig>,
    resolver: Arc<CertificateResolver>,
    clients: Arc<ArcSwap<ClientPolicies>>,
}

impl PickConfig for KnownNames {
    fn pick(&self, hello: &ClientHello<'_>) -> Option<Picked> {
        let name = hello.server_name();
        if !self.resolver.knows(name) {
            return None;
        }
        self.clients.load().pick(name, &self.config)
    }
}
