//! `Lab`: a name server, an authority that asks it, a proxy before that, and an engine with a folder.

use std::{
    collections::BTreeSet,
    path::PathBuf,
    str::FromStr,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering::SeqCst},
    },
    time::Duration,
};

use async_trait::async_trait;
use headgate_certs::{
    HeldCertificate,
    acme::{
        AcmeConfig, AcmeServices, AlpnChallenges, CertificateStatus, CertificatesByName,
        ChallengeZone, ExternalAccount, HttpTokens, Limits, Metrics, Prove, PublishError, Renewals,
        RenewalsHandle, SoleNode, Standing, Wanted,
    },
};
use headgate_dns::{
    Challenges, Cookies, Name, QueryLog, RData, RateLimiter, RateLimits, RecordType, Responder,
    Secret, Server, ZoneBuilder, Zones, bind,
};
use headgate_types::{Clock, DomainName, HostPattern, SystemClock, Timestamp};
use prometheus_client::registry::Registry;
use tempfile::TempDir;
use tokio::{sync::watch, task::JoinHandle};
use tokio_util::sync::CancellationToken;

use crate::{
    pebble::{Options, Pebble},
    proxy::Proxy,
};

/// Longer than anything takes here, on a machine that does much else.
pub(crate) const PATIENCE: Duration = Duration::from_secs(90);

/// All names there are. The zone is that of a resolver that has followed everything.
const ZONE: &str = "
    test. SOA ns.test. hostmaster.test. 1 3600 600 86400 60
    test. NS ns.test.
    ns.test. A 127.0.0.1
    shop.test. A 127.0.0.1
    other.test. A 127.0.0.1
    *.kill.test. A 127.0.0.1
    _acme-challenge.custom.test. CNAME _acme-challenge.custom-test.edge.test.
";

pub(crate) struct Lab {
    pub(crate) pebble: Option<Pebble>,
    pub(crate) proxy: Proxy,
    pub(crate) folder: TempDir,
    pub(crate) clock: Arc<MovedClock>,
    pub(crate) tokens: HttpTokens,
    pub(crate) alpn: AlpnChallenges,
    pub(crate) wanted: watch::Sender<Arc<[Wanted]>>,
    pub(crate) external_account: Option<ExternalAccount>,
    pub(crate) limits: Limits,
    zone: Arc<DnsZone>,
    roots: PathBuf,
    shutdown: CancellationToken,
}

/// An engine at work, until it is stopped or dropped.
pub(crate) struct Engine {
    pub(crate) handle: RenewalsHandle,
    clock: Arc<MovedClock>,
    task: JoinHandle<()>,
}

/// Real time, and as much more as a test likes.
#[derive(Debug, Default)]
pub(crate) struct MovedClock(AtomicU64);

#[derive(Debug)]
pub(crate) struct DnsZone(pub(crate) Challenges);

impl Lab {
    pub(crate) async fn new(options: Options) -> Self {
        let (challenges, dns, shutdown) = name_server();
        let pebble = Pebble::start(dns, options).await;
        let roots = pebble.config().authority.root();
        let proxy =
            Proxy::start(pebble.config().authority.folder.path(), pebble.config().acme).await;
        Self {
            pebble: Some(pebble),
            proxy,
            folder: tempfile::tempdir().unwrap(),
            clock: Arc::default(),
            tokens: HttpTokens::default(),
            alpn: AlpnChallenges::default(),
            wanted: watch::channel(Arc::from([])).0,
            external_account: None,
            limits: Limits::default(),
            zone: Arc::new(DnsZone(challenges)),
            roots,
            shutdown,
        }
    }

    pub(crate) fn want(&self, wanted: impl IntoIterator<Item = Wanted>) {
        self.wanted.send_replace(wanted.into_iter().collect());
    }

    pub(crate) fn start(&self) -> Engine {
        let (renewals, handle) =
            Renewals::open(self.config(), self.services(), self.wanted.subscribe()).unwrap();
        let task = tokio::spawn(renewals.run(self.shutdown.clone()));
        Engine { handle, clock: self.clock.clone(), task }
    }

    pub(crate) fn config(&self) -> AcmeConfig {
        AcmeConfig {
            directory: format!("https://localhost:{}/dir", self.proxy.port),
            contact: vec!["hostmaster@edge.test".to_owned()],
            roots: Some(self.roots.clone()),
            external_account: self.external_account.clone(),
            profile: Some("shortlived".to_owned()),
            limits: self.limits,
            folder: self.folder.path().join("certificates"),
        }
    }

    fn services(&self) -> AcmeServices {
        AcmeServices {
            clock: self.clock.clone(),
            zone: self.zone.clone(),
            tokens: self.tokens.clone(),
            alpn: self.alpn.clone(),
            lease: Arc::new(SoleNode),
            metrics: Metrics::register(&mut Registry::default()),
        }
    }

    /// How many challenge values stand in DNS.
    pub(crate) fn values(&self) -> usize {
        self.zone.0.len()
    }

    pub(crate) fn pebble(&self) -> &Pebble {
        self.pebble.as_ref().unwrap()
    }
}

impl Drop for Lab {
    fn drop(&mut self) {
        self.shutdown.cancel();
    }
}

impl Engine {
    /// Waits until `name` has a certificate, and returns it.
    pub(crate) async fn certificate(&self, name: &str) -> Arc<HeldCertificate> {
        self.certificate_where(name, |_| true).await
    }

    pub(crate) async fn certificate_where(
        &self,
        name: &str,
        test: impl Fn(&HeldCertificate) -> bool,
    ) -> Arc<HeldCertificate> {
        let name: HostPattern = name.parse().unwrap();
        let mut certificates = self.handle.certificates();
        let there = |all: &Arc<CertificatesByName>| all.get(&name).is_some_and(|one| test(one));
        let waiting = tokio::time::timeout(PATIENCE, certificates.wait_for(there));
        match waiting.await {
            Ok(found) => found.unwrap().get(&name).unwrap().clone(),
            Err(_) => panic!("no certificate for {name}: {:#?}", self.handle.statuses()),
        }
    }

    /// Waits until the row of a name is as the test wants it.
    pub(crate) async fn status(
        &self,
        name: &str,
        test: impl Fn(&CertificateStatus) -> bool,
    ) -> CertificateStatus {
        let name: HostPattern = name.parse().unwrap();
        let begun = std::time::Instant::now();
        loop {
            let rows = self.handle.statuses();
            if let Some(row) = rows.iter().find(|row| row.names.contains(&name) && test(row)) {
                return row.clone();
            }
            assert!(begun.elapsed() < PATIENCE, "{rows:#?}");
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    }

    pub(crate) fn advance(&self, time: Duration) {
        self.clock.advance(time);
        self.handle.wake();
    }

    /// As a killed process: nothing of it runs on.
    pub(crate) async fn kill(self) {
        self.task.abort();
        let _ = self.task.await;
    }
}

impl MovedClock {
    pub(crate) fn advance(&self, time: Duration) {
        self.0.fetch_add(u64::try_from(time.as_millis()).unwrap(), SeqCst);
    }
}

impl Clock for MovedClock {
    fn now(&self) -> Timestamp {
        SystemClock.now().after(Duration::from_millis(self.0.load(SeqCst)))
    }
}

#[async_trait]
impl ChallengeZone for DnsZone {
    async fn publish(&self, owner: &DomainName, value: &str) -> Result<Standing, PublishError> {
        let refused = |error: &dyn std::fmt::Display| PublishError(error.to_string());
        let owner = Name::from_str(&format!("{owner}.")).map_err(|error| refused(&error))?;
        let standing = self.0.publish(&owner, value).map_err(|error| refused(&error))?;
        Ok(Standing::new(standing))
    }
}

/// A name server of ours on loopback, as the authority's resolver.
fn name_server() -> (Challenges, std::net::SocketAddr, CancellationToken) {
    let origin = Name::from_str("test.").unwrap();
    let mut zone = ZoneBuilder::new(&origin);
    for line in ZONE.lines().map(str::trim).filter(|line| !line.is_empty()) {
        let (owner, rest) = line.split_once(' ').unwrap();
        let (kind, data) = rest.split_once(' ').unwrap();
        let kind = RecordType::from_str(kind).unwrap();
        let owner = Name::from_str(owner).unwrap();
        zone.add(&owner, 300, &RData::try_from_str(kind, data).unwrap());
    }
    let metrics = headgate_dns::Metrics::register(&mut Registry::default());
    let zones = Zones::new(Arc::clone(&metrics));
    zones.publish([Arc::new(zone.build().unwrap())]);
    let challenges = Challenges::default();
    let responder = Responder {
        zones,
        challenges: challenges.clone(),
        cookies: Cookies::new(Secret::random()),
        rate_limiter: RateLimiter::new(RateLimits::default()),
        metrics,
        query_log: QueryLog::off(),
    };
    let sockets = bind("127.0.0.1:0".parse().unwrap(), 1).unwrap();
    let address = sockets.address();
    let server = Server {
        responder: Arc::new(responder),
        clock: Arc::new(SystemClock),
        udp: sockets.udp,
        tcp: sockets.tcp,
        tls: None,
    };
    let shutdown = CancellationToken::new();
    tokio::spawn(server.run(shutdown.clone()));
    (challenges, address, shutdown)
}

/// Names proved by DNS, none of them elsewhere.
pub(crate) fn by_dns(names: &[&str]) -> Wanted {
    Wanted { names: parse(names), prove: Prove::dns() }
}

pub(crate) fn parse(names: &[&str]) -> BTreeSet<HostPattern> {
    names.iter().map(|name| name.parse().unwrap()).collect()
}
