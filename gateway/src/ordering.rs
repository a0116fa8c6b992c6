//! Ordering: sees to it that every host of what is served has a certificate that everybody trusts.
//!
//! ```text
//! Certificates ── hosts nobody supplied one for ──► Proofs ──► plan ──► acme::Renewals ──► the authority
//!      ▲                                     (lookups: is the host's zone ours?)   │
//!      └───────── Publisher::renew ◄───────────── certificates by name ◄───────────┘
//! ```
//!
//! Nobody orders a certificate: a host that is served wants one. Names in the operator's zone are proved by
//! TXT records there, as are those of a project's domain whose zone is delegated to this node; all others
//! answer for themselves. No handshake and no request waits for any of it, and a name that is asked for and
//! not served is nothing to it.

mod desk;
mod news;
mod plan;
mod proofs;

use std::{fs, str::FromStr, sync::Arc, time::Duration};

use anyhow::Context as _;
use async_trait::async_trait;
use headgate_certs::acme::{
    AcmeConfig, AcmeServices, AlpnChallenges, ChallengeZone, ExternalAccount, HttpTokens, Limits,
    Metrics, PublishError, Renewals, RenewalsHandle, SoleNode, Standing, Wanted,
};
use headgate_dns::{Challenges, Name};
use headgate_outbound::Resolver;
use headgate_types::{Chain, Clock, DomainName, HostPattern};
use tokio::{sync::watch, task};
use tokio_util::sync::CancellationToken;
use tracing::error;

pub(crate) use self::desk::Desk;
use self::{
    plan::{Plan, plan},
    proofs::Proofs,
};
use crate::{
    certificates::Ordered,
    event::Reporter,
    node_config::{AcmeSettings, NodeConfig},
    publisher::Publisher,
    zones::ZoneKeeper,
};

/// Certificates and the account, in the state folder.
const FOLDER: &str = "certificates";

/// The wall clock may be set; nothing is slept through for longer.
const LONGEST_REST: Duration = Duration::from_secs(60);

/// The engine, opened: it has read what is held and asked nobody yet.
pub(crate) struct Engine {
    renewals: Renewals,
    handle: RenewalsHandle,
    want: watch::Sender<Arc<[Wanted]>>,
    challenges: AlpnChallenges,
    desk: Arc<Desk>,
}

/// What the engine shares with the node's other parts.
pub(crate) struct EngineParts {
    pub(crate) clock: Arc<dyn Clock>,
    /// Answered by the name server.
    pub(crate) texts: Challenges,
    /// Answered by the proxy.
    pub(crate) tokens: HttpTokens,
    pub(crate) metrics: Arc<Metrics>,
}

impl Engine {
    /// Reads what is held. `None` if the node's own authority is all there is.
    ///
    /// # Errors
    /// If the folder or a file that `node.yaml` names cannot be used.
    pub(crate) fn open(config: &NodeConfig, parts: EngineParts) -> anyhow::Result<Option<Self>> {
        let Some(settings) = &config.tls.acme else { return Ok(None) };
        let EngineParts { clock, texts, tokens, metrics } = parts;
        let challenges = AlpnChallenges::default();
        let (want, wanted) = watch::channel(Arc::from([]));
        let services = AcmeServices {
            clock,
            zone: Arc::new(Texts(texts)),
            tokens,
            alpn: challenges.clone(),
            lease: Arc::new(SoleNode),
            metrics,
        };
        let config = AcmeConfig {
            directory: settings.directory.clone(),
            contact: settings.contact.clone(),
            roots: settings.roots.clone(),
            external_account: external_account(settings)?,
            profile: settings.profile.clone(),
            limits: Limits::of(&settings.directory),
            folder: config.state.join(FOLDER),
        };
        let (renewals, handle) =
            Renewals::open(config, services, wanted).context("preparing to order certificates")?;
        let desk = Desk::new(settings.directory.clone(), handle.clone());
        Ok(Some(Self { renewals, handle, want, challenges, desk }))
    }

    /// What the operator is told.
    pub(crate) fn desk(&self) -> Arc<Desk> {
        self.desk.clone()
    }

    /// What the listeners need of it.
    pub(crate) fn ordered(&self) -> Ordered {
        Ordered { certificates: self.handle.certificates(), challenges: self.challenges.clone() }
    }
}

fn external_account(settings: &AcmeSettings) -> anyhow::Result<Option<ExternalAccount>> {
    let Some(account) = &settings.external_account else { return Ok(None) };
    let file = &account.key_file;
    let key = fs::read_to_string(file).with_context(|| format!("reading {}", file.display()))?;
    let account = ExternalAccount::new(account.id.clone(), &key);
    Ok(Some(account.with_context(|| format!("reading {}", file.display()))?))
}

/// What decides which certificates are wanted.
pub(crate) struct Parts {
    pub(crate) publisher: Arc<Publisher>,
    /// `None` if the node answers no DNS.
    pub(crate) keeper: Option<Arc<ZoneKeeper>>,
    /// The operator's, if this node answers for it.
    pub(crate) zone: Option<DomainName>,
    pub(crate) unsupplied: watch::Receiver<Arc<[HostPattern]>>,
    pub(crate) resolver: Resolver,
    pub(crate) clock: Arc<dyn Clock>,
    pub(crate) reporter: Arc<dyn Reporter>,
}

/// The engine at work, and who tells it what is wanted.
pub(crate) struct Ordering {
    engine: Engine,
    parts: Parts,
}

impl Ordering {
    pub(crate) fn new(engine: Engine, parts: Parts) -> Self {
        Self { engine, parts }
    }

    /// Works until `stop`; ends before only with a fault of the engine's.
    pub(crate) async fn run(self, stop: CancellationToken) {
        let Self { engine: Engine { renewals, handle, want, desk, .. }, parts } = self;
        let ordering = renewals.run(stop.clone());
        let wanting = wanting(&parts, &want, &desk);
        let showing = showing(&parts.publisher, &handle);
        let telling = news::report(&handle, &parts.reporter);
        tokio::pin!(ordering);
        tokio::select! {
            () = &mut ordering => return,
            () = wanting => {}
            () = showing => {}
            () = telling => {}
            () = stop.cancelled() => {}
        }
        // What it was about is written down.
        ordering.await;
    }
}

/// Tells the engine what is wanted, whenever that changes. Ends only with the publisher.
async fn wanting(parts: &Parts, want: &watch::Sender<Arc<[Wanted]>>, desk: &Desk) {
    let mut unsupplied = parts.unsupplied.clone();
    let mut generations = parts.publisher.generations();
    let mut proofs = Proofs::new(parts.zone.clone());
    loop {
        if let Some(keeper) = &parts.keeper {
            keeper.settled().await; // a host's zone is made right after the host is served
        }
        let hosts = unsupplied.borrow_and_update().clone();
        generations.mark_unchanged();
        let due = proofs.due(&hosts, parts);
        tell(plan(&hosts, &proofs, &parts.publisher.holders()), want, desk);
        if !due.is_empty() {
            proofs.look(due, parts).await;
            continue;
        }
        let rest = proofs.rest(parts.clock.now()).min(LONGEST_REST);
        tokio::select! {
            // The publisher is there as long as this is.
            _ = unsupplied.changed() => {}
            _ = generations.changed() => {}
            () = tokio::time::sleep(rest) => {}
        }
    }
}

fn tell(plan: Plan, want: &watch::Sender<Arc<[Wanted]>>, desk: &Desk) {
    let Plan { wanted, unordered } = plan;
    desk.unordered.store(Arc::new(unordered));
    want.send_if_modified(|before| {
        let changed = **before != *wanted;
        if changed {
            *before = wanted.into();
        }
        changed
    });
}

/// Has the listeners show what came in.
async fn showing(publisher: &Arc<Publisher>, handle: &RenewalsHandle) {
    let mut certificates = handle.certificates();
    while certificates.changed().await.is_ok() {
        let publisher = publisher.clone();
        match task::spawn_blocking(move || publisher.renew()).await {
            Ok(Ok(())) => {}
            Ok(Err(error)) => error!(error = %Chain(&error), "new certificates not shown yet"),
            Err(error) => error!(%error, "showing new certificates panicked"),
        }
    }
    std::future::pending().await
}

/// The name server, as somebody who proves names sees it.
#[derive(Debug)]
struct Texts(Challenges);

#[async_trait]
impl ChallengeZone for Texts {
    async fn publish(&self, owner: &DomainName, value: &str) -> Result<Standing, PublishError> {
        let refused = |error: &dyn std::fmt::Display| PublishError(error.to_string());
        let owner = Name::from_str(&format!("{owner}.")).map_err(|error| refused(&error))?;
        let standing = self.0.publish(&owner, value).map_err(|error| refused(&error))?;
        Ok(Standing::new(standing))
    }
}
