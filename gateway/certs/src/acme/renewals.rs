//! `Renewals`: the reconciler that sees to it that every wanted name has a certificate.
//!
//! One task. It is woken by what is wanted, by the end of an order, by the operator and by a timer;
//! each time it compares everything, begins what is due and publishes what is held. It can be
//! dropped at any instant: what an order needs to go on is on disk.

mod book;
mod handle;
mod held;

use std::{
    collections::{HashMap, HashSet},
    path::PathBuf,
    sync::Arc,
};

use arc_swap::ArcSwap;
use headgate_types::{Chain, Clock, HostPattern, Timestamp};
use tokio::{
    sync::{Notify, mpsc, oneshot, watch},
    task::{JoinError, JoinSet},
    time::sleep,
};
use tokio_util::sync::CancellationToken;
use tracing::{Instrument, error, info, info_span, warn};

use self::book::{Book, RenewalAnswer, Task};
pub use self::handle::{CertificatesByName, CommandError, RenewalsHandle};
use super::{
    Method,
    account::{Accounts, ExternalAccount},
    challenge::{AlpnChallenges, ChallengeZone, HttpTokens},
    client::{AcmeHttp, RootsError},
    defaults,
    driver::{Driver, Errand},
    lease::Lease,
    limits::{LimitUse, Limits},
    metrics::{LimitLabel, Metrics, NameLabel, ResultLabel},
    order::Failure,
    plan::Window,
    problem::OrderError,
    status::{CertificateState, CertificateStatus, NextStep},
    wanted::{CertificateId, Wanted},
};
use crate::{
    held::HeldCertificate,
    store::{CertificateStore, StoreError},
};

const LEDGER: &str = "ledger.json";

/// Which authority, and who we are to it.
#[derive(Debug, Clone)]
pub struct AcmeConfig {
    /// The URL of the authority's directory.
    pub directory: String,
    /// Mail addresses, with or without `mailto:`.
    pub contact: Vec<String>,
    /// A PEM file with the only roots that the authority may have; else those of this machine.
    pub roots: Option<PathBuf>,
    pub external_account: Option<ExternalAccount>,
    /// Sent only if the authority lists it.
    pub profile: Option<String>,
    pub limits: Limits,
    /// Where certificates are kept.
    pub folder: PathBuf,
}

/// What the engine needs from the rest of the program.
#[derive(Debug, Clone)]
pub struct AcmeServices {
    pub clock: Arc<dyn Clock>,
    /// Where TXT values are published.
    pub zone: Arc<dyn ChallengeZone>,
    /// Served over HTTP by whoever listens.
    pub tokens: HttpTokens,
    /// Asked at each handshake by whoever listens.
    pub alpn: AlpnChallenges,
    pub lease: Arc<dyn Lease>,
    pub metrics: Arc<Metrics>,
}

/// The reconciler, to be run.
#[derive(Debug)]
pub struct Renewals {
    driver: Arc<Driver>,
    lease: Arc<dyn Lease>,
    metrics: Arc<Metrics>,
    clock: Arc<dyn Clock>,
    wanted: watch::Receiver<Arc<[Wanted]>>,
    commands: mpsc::Receiver<Command>,
    shared: Arc<Shared>,
    book: Book,
    jobs: JoinSet<Done>,
    /// Which order each task drives, for the case that it ends with a panic.
    tasks: HashMap<tokio::task::Id, Subject>,
    /// Names whose certificate's end is told in a metric.
    measured: HashSet<NameLabel>,
}

#[derive(Debug)]
struct Shared {
    certificates: watch::Sender<Arc<CertificatesByName>>,
    statuses: watch::Sender<Arc<[CertificateStatus]>>,
    limits: ArcSwap<Vec<LimitUse>>,
    wake: Notify,
}

#[derive(Debug)]
enum Command {
    Renew(HostPattern, oneshot::Sender<usize>),
    Import(Arc<HeldCertificate>, oneshot::Sender<Result<(), StoreError>>),
}

#[derive(Debug, Clone, Copy)]
enum Subject {
    Order(CertificateId, Method),
    Question(CertificateId),
}

#[derive(Debug)]
enum Done {
    Order(CertificateId, Method, Result<Arc<HeldCertificate>, Failure>),
    Question(CertificateId, Option<RenewalAnswer>),
}

/// Why the engine cannot start.
#[derive(Debug, thiserror::Error)]
pub enum OpenRenewalsError {
    #[error("the certificate folder cannot be used")]
    Store(#[from] StoreError),
    #[error("the authority cannot be trusted")]
    Roots(#[from] RootsError),
}

impl Renewals {
    /// Reads what is held. Asks nobody: the first order does.
    ///
    /// What is held is published at once, whatever is wanted of it.
    pub fn open(
        mut config: AcmeConfig,
        services: AcmeServices,
        wanted: watch::Receiver<Arc<[Wanted]>>,
    ) -> Result<(Self, RenewalsHandle), OpenRenewalsError> {
        let AcmeServices { clock, zone, tokens, alpn, lease, metrics } = services;
        for contact in &mut config.contact {
            if !contact.contains(':') {
                contact.insert_str(0, "mailto:");
            }
        }
        let config = Arc::new(config);
        let now = clock.now();
        let store = CertificateStore::open(&config.folder)?;
        store.sweep_drafts(now.before(defaults::DRAFT_LIFE));
        let certificates: Vec<_> = store.load()?.into_iter().map(|(_, held)| held).collect();
        info!(certificates = certificates.len(), "certificates loaded");
        let ledger = store.value(LEDGER).unwrap_or_default();
        let mut book = Book::new(config.limits, ledger, certificates, rand::random());
        book.adopt(&wanted.borrow(), now);
        let http = AcmeHttp::new(config.roots.as_deref(), Arc::clone(&clock))?;
        let driver = Arc::new(Driver {
            accounts: Accounts::new(Arc::clone(&config), http, store.clone()),
            directory: config.directory.clone(),
            profile: config.profile.clone(),
            store,
            clock: Arc::clone(&clock),
            zone,
            tokens,
            alpn,
        });
        let (send, commands) = mpsc::channel(defaults::COMMANDS);
        let first = CertificatesByName { names: book.by_name(now) };
        let shared = Arc::new(Shared {
            certificates: watch::channel(Arc::new(first)).0,
            statuses: watch::channel(book.statuses(now).into()).0,
            limits: ArcSwap::from_pointee(book.uses(now)),
            wake: Notify::new(),
        });
        let handle = RenewalsHandle { shared: Arc::clone(&shared), commands: send };
        let renewals = Self {
            driver,
            lease,
            metrics,
            clock,
            wanted,
            commands,
            shared,
            book,
            jobs: JoinSet::new(),
            tasks: HashMap::new(),
            measured: HashSet::new(),
        };
        Ok((renewals, handle))
    }

    /// Works until `shutdown`. Orders under way are dropped then, and gone on with at the next start.
    pub async fn run(mut self, shutdown: CancellationToken) {
        loop {
            let now = self.clock.now();
            if self.wanted.has_changed().unwrap_or(false) {
                let wanted = self.wanted.borrow_and_update().clone();
                self.book.adopt(&wanted, now);
            }
            self.begin_what_is_due(now).await;
            self.publish(now);
            let idle = self.book.idle(self.clock.now());
            tokio::select! {
                () = shutdown.cancelled() => break,
                // If nobody can want anything any more, what is wanted stays as it is.
                Ok(()) = self.wanted.changed() => self.wanted.mark_changed(),
                Some(done) = self.jobs.join_next_with_id() => self.end(done).await,
                Some(command) = self.commands.recv() => self.obey(command).await,
                () = self.shared.wake.notified() => {}
                () = sleep(idle) => {}
            }
        }
        self.jobs.shutdown().await;
    }

    async fn begin_what_is_due(&mut self, now: Timestamp) {
        let due = self.book.take_due(now);
        if !due.is_empty() {
            self.save().await; // an order counts before the authority hears of it
        }
        for Task { id, wanted, method, replaces, seed } in due {
            let driver = Arc::clone(&self.driver);
            let lease = Arc::clone(&self.lease);
            let span = info_span!("certificate", name = %wanted.title());
            let order = async move {
                let errand = Errand { wanted, method, replaces, seed };
                Done::Order(id, method, obtain(&driver, &*lease, &errand).await)
            };
            let task = self.jobs.spawn(order.instrument(span));
            self.tasks.insert(task.id(), Subject::Order(id, method));
        }
        for (id, certificate) in self.book.take_questions(&self.driver.directory, now) {
            let driver = Arc::clone(&self.driver);
            let task = self.jobs.spawn(async move {
                let answer = driver.renewal_info(&certificate).await.ok();
                Done::Question(
                    id,
                    answer.map(|info| info.map(|(info, pause)| (window(&info), pause))),
                )
            });
            self.tasks.insert(task.id(), Subject::Question(id));
        }
        for certificate in self.book.take_expired(now) {
            let store = self.driver.store.clone();
            let removed = blocking(move || store.remove(&certificate)).await;
            if let Err(error) = removed {
                warn!(error = %Chain(&error), "a certificate nobody wants cannot be removed");
            }
        }
    }

    async fn end(&mut self, done: Result<(tokio::task::Id, Done), JoinError>) {
        let now = self.clock.now();
        let done = match done {
            Ok((task, done)) => {
                self.tasks.remove(&task);
                done
            }
            Err(panic) => {
                error!(%panic, "a certificate order ended with a panic; this is a bug");
                let why = "a fault of this program".to_owned();
                let error = OrderError::Unusable { why };
                let failure = Failure { error, not_before: None, order_lives: true };
                match self.tasks.remove(&panic.id()) {
                    Some(Subject::Order(id, method)) => Done::Order(id, method, Err(failure)),
                    Some(Subject::Question(id)) => Done::Question(id, None),
                    None => return,
                }
            }
        };
        match done {
            Done::Question(id, answer) => return self.book.answered(id, answer, now),
            Done::Order(id, _, Ok(certificate)) => {
                self.count("issued");
                self.book.issued(id, certificate, now);
            }
            Done::Order(id, method, Err(failure)) => {
                self.count(failure.error.label());
                let name = self.book.title(id);
                warn!(name, error = %failure.error, "certificate order failed");
                self.book.failed(id, method, &failure, now);
            }
        }
        self.save().await;
    }

    async fn obey(&mut self, command: Command) {
        match command {
            Command::Renew(host, reply) => {
                let _ = reply.send(self.book.force(&host));
            }
            Command::Import(certificate, reply) => {
                let store = self.driver.store.clone();
                let kept = Arc::clone(&certificate);
                let stored = blocking(move || store.put(&kept)).await;
                if stored.is_ok() {
                    info!(names = ?certificate.names(), "certificate imported");
                    self.book.import(certificate);
                }
                self.publish(self.clock.now()); // before the operator hears of it
                let _ = reply.send(stored);
            }
        }
    }

    /// Tells what is held and what comes next, if it is not what was told before.
    fn publish(&mut self, now: Timestamp) {
        let names = self.book.by_name(now);
        self.shared.certificates.send_if_modified(|current| {
            let same = |(name, one): (&HostPattern, &Arc<HeldCertificate>)| {
                current.names.get(name).is_some_and(|other| Arc::ptr_eq(one, other))
            };
            if names.len() == current.names.len() && names.iter().all(same) {
                return false;
            }
            *current = Arc::new(CertificatesByName { names });
            true
        });
        let statuses = self.book.statuses(now);
        let limits = self.book.uses(now);
        self.measure(&statuses, &limits);
        self.shared.statuses.send_if_modified(|before| {
            let changed = **before != *statuses;
            if changed {
                *before = statuses.into();
            }
            changed
        });
        self.shared.limits.store(Arc::new(limits));
    }

    fn measure(&mut self, statuses: &[CertificateStatus], limits: &[LimitUse]) {
        let count = |test: &dyn Fn(&CertificateStatus) -> bool| {
            i64::try_from(statuses.iter().filter(|row| test(row)).count()).unwrap_or(i64::MAX)
        };
        let metrics = Arc::clone(&self.metrics);
        metrics.wanted.set(count(&|_| true));
        metrics.missing.set(count(&|row| row.state != CertificateState::Valid));
        metrics.failing.set(count(&|row| row.failures > 0));
        metrics.under_way.set(count(&|row| row.next == NextStep::Ordering));
        let mut gone = std::mem::take(&mut self.measured);
        for row in statuses {
            if let (Some(name), Some(at)) = (row.names.first(), row.not_after) {
                let name = NameLabel { name: name.to_string() };
                let seconds = i64::try_from(at.as_millis() / 1000).unwrap_or(i64::MAX);
                metrics.not_after.get_or_create(&name).set(seconds);
                gone.remove(&name);
                self.measured.insert(name);
            }
        }
        for name in gone {
            metrics.not_after.remove(&name);
        }
        let mut told = HashSet::new();
        for LimitUse { what, used, of, .. } in limits {
            let limit = if what == "new orders" { "orders" } else { "certificates_per_domain" };
            if told.insert(limit) {
                let percent = i64::try_from(used * 100 / of).unwrap_or(i64::MAX);
                metrics.limits.get_or_create(&LimitLabel { limit }).set(percent);
            }
        }
    }

    async fn save(&self) {
        let store = self.driver.store.clone();
        let text = serde_json::to_value(self.book.ledger()).expect("a ledger is JSON");
        if let Err(error) = blocking(move || store.put_value(LEDGER, &text)).await {
            warn!(error = %Chain(&error), "what was ordered cannot be written down");
        }
    }

    fn count(&self, result: &'static str) {
        self.metrics.orders.get_or_create(&ResultLabel { result }).inc();
    }
}

async fn obtain(
    driver: &Driver,
    lease: &dyn Lease,
    errand: &Errand,
) -> Result<Arc<HeldCertificate>, Failure> {
    let Some(_held) = lease.acquire(&errand.wanted.title()).await else {
        let error = OrderError::Elsewhere;
        return Err(Failure { error, not_before: None, order_lives: true });
    };
    driver.obtain(errand).await.map(Arc::new)
}

fn window(info: &instant_acme::RenewalInfo) -> Window {
    let millis = |time: i128| Timestamp::from_millis(u64::try_from(time / 1_000_000).unwrap_or(0));
    let window = &info.suggested_window;
    Window {
        start: millis(window.start.unix_timestamp_nanos()),
        end: millis(window.end.unix_timestamp_nanos()),
    }
}

async fn blocking<T: Send + 'static>(work: impl FnOnce() -> T + Send + 'static) -> T {
    tokio::task::spawn_blocking(work).await.expect("writing a file does not panic")
}
