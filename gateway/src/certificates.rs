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
    CertificateResolver, CertificateTable, HeldCertificate, LocalAuthority, Supplied,
    SuppliedError, Tickets,
    acme::{AlpnChallenges, CertificatesByName},
    local_authority::{IssueError, OpenError},
    tickets::NoRandomness,
};
use headgate_edge::{PickConfig, Picked};
use headgate_types::{Clock, DomainName, HostPattern, Timestamp};
use rustls::{ServerConfig, server::ClientHello};
use tokio::sync::watch;
use tracing::warn;

use self::clients::ClientPolicies;
use crate::{
    manifest::CertificateEntry,
    node_config::{CertificateFiles, TlsConfig},
    snapshot::HostRules,
};

/// The keys of session tickets, in the state folder.
const TICKET_KEYS: &str = "ticket.keys";

/// The local authority, what the operator supplied and what was ordered, the table they all fill, and the
/// tickets by which clients come back.
#[derive(Debug)]
pub struct Certificates {
    authority: LocalAuthority,
    /// `None` if nobody orders any.
    ordered: Option<Ordered>,
    /// The operator's zone; clients that name no host see its certificate.
    zone: Option<HostPattern>,
    /// The hosts for which nobody supplied a certificate.
    unsupplied: watch::Sender<Arc<[HostPattern]>>,
    clock: Arc<dyn Clock>,
    /// The operator's, in the order of `node.yaml`.
    supplied: ArcSwap<Vec<Supplied>>,
    /// The projects', parsed.
    brought: Mutex<HashMap<CertificateEntry, Arc<Supplied>>>,
    resolver: Arc<CertificateResolver>,
    tickets: Arc<Tickets>,
    clients: Arc<ArcSwap<ClientPolicies>>,
}

/// Certificates that come in while the node runs, and what proves on the way to them.
#[derive(Debug, Clone)]
pub struct Ordered {
    pub certificates: watch::Receiver<Arc<CertificatesByName>>,
    pub challenges: AlpnChallenges,
}

/// What a host is shown that need not be made here.
enum Found<'a> {
    Supplied(&'a Supplied),
    Ordered(Arc<HeldCertificate>),
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
        zone: Option<DomainName>,
        state: &Path,
        clock: Arc<dyn Clock>,
        ordered: Option<Ordered>,
    ) -> Result<Self, CertificatesError> {
        let authority = LocalAuthority::open(&config.local, clock.clone())?;
        let supplied = ArcSwap::from_pointee(read_all(&config.certificates)?);
        let resolver = CertificateResolver::new(CertificateTable::default());
        let tickets = Tickets::open(&state.join(TICKET_KEYS), clock.clone())?;
        Ok(Self {
            authority,
            ordered,
            zone: zone.map(HostPattern::Exact),
            unsupplied: watch::channel(Arc::from([])).0,
            clock,
            supplied,
            brought: Mutex::default(),
            resolver,
            tickets,
            clients: Arc::default(),
        })
    }

    /// The hosts for which neither project nor operator supplied a certificate that holds, now and whenever
    /// they change.
    pub fn unsupplied(&self) -> watch::Receiver<Arc<[HostPattern]>> {
        self.unsupplied.subscribe()
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
    /// the operator's, as long as it holds, else what was ordered, else one of the local authority. So a host
    /// answers over HTTPS from its first second on, with a certificate that few trust until a better one is
    /// there. Returns the hosts whose certificate is not of our own making, so that clients can be expected to
    /// trust it.
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
        let find_supplied = |host: &HostPattern| {
            let brought = brought.get(host).map(|brought| &**brought);
            let own = brought.filter(|brought| holds(host, brought));
            own.or_else(|| supplied.iter().find(|supplied| holds(host, supplied)))
        };
        let ordered = self.ordered.as_ref().map(|ordered| ordered.certificates.borrow().clone());
        let (mut found, mut unsupplied, mut others) = (Vec::new(), Vec::new(), Vec::new());
        for host in hosts {
            if let Some(supplied) = find_supplied(host) {
                found.push((host, Found::Supplied(supplied)));
                continue;
            }
            unsupplied.push(host.clone());
            match ordered.as_ref().and_then(|ordered| ordered.find(host)) {
                Some(certificate) => found.push((host, Found::Ordered(certificate.clone()))),
                None => others.push(host),
            }
        }
        let mut table = self.authority.table_for(others)?;
        let mut trusted = HashSet::with_capacity(found.len());
        for (host, found) in found {
            if found.show(host, &mut table, now) {
                trusted.insert(host.clone());
            }
        }
        if let Some(HostPattern::Exact(zone)) =
            self.zone.as_ref().filter(|zone| trusted.contains(*zone))
        {
            table.set_default_to(zone.as_str());
        }
        self.resolver.store(table);
        self.want(unsupplied);
        Ok(trusted)
    }

    /// From now on demands of clients what the rules say.
    pub fn demand(&self, rules: Arc<HostRules>) {
        let before = self.clients.load();
        let next = ClientPolicies::new(rules, &before, &self.resolver, &self.tickets);
        self.clients.store(Arc::new(next));
    }

    fn want(&self, hosts: Vec<HostPattern>) {
        self.unsupplied.send_if_modified(|before| {
            let changed = **before != *hosts;
            if changed {
                *before = hosts.into();
            }
            changed
        });
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
        let challenges = self.ordered.as_ref().map(|ordered| ordered.challenges.clone());
        let (resolver, clients) = (self.resolver.clone(), self.clients.clone());
        Ok(Arc::new(KnownNames { config, challenges, resolver, clients }))
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

impl Found<'_> {
    /// Puts it into the table; true if a client can be expected to trust it.
    fn show(self, host: &HostPattern, table: &mut CertificateTable, now: Timestamp) -> bool {
        match self {
            Self::Supplied(supplied) => {
                table.insert(host, supplied.key().clone());
                !supplied.is_self_signed()
            }
            Self::Ordered(certificate) => {
                let trusted = certificate.is_valid_at(now) && !certificate.is_self_signed();
                table.insert_lazy(host, certificate);
                trusted
            }
        }
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
    challenges: Option<AlpnChallenges>,
    resolver: Arc<CertificateResolver>,
    clients: Arc<ArcSwap<ClientPolicies>>,
}

impl PickConfig for KnownNames {
    fn pick(&self, hello: &ClientHello<'_>) -> Option<Picked> {
        if let Some(challenge) = self.challenges.as_ref().and_then(|all| all.pick(hello)) {
            return Some(challenge.into());
        }
        let name = hello.server_name();
        if !self.resolver.knows(name) {
            return None;
        }
        self.clients.load().pick(name, &self.config)
    }
}
