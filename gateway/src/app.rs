//! `Gateway`: constructs every subsystem once, in order, and runs them until told to stop.
//!
//! The only file that names them all. What each does is its own affair; what is here is who is handed
//! what, what must exist before what, and the order in which it all ends.

mod followers;
mod listening;
mod name_server;
mod renewer;
mod rotation;
mod settings;
mod sweeper;

use std::{
    fmt,
    fs::DirBuilder,
    net::SocketAddr,
    os::unix::fs::DirBuilderExt,
    path::Path,
    sync::{Arc, atomic::AtomicBool},
};

use anyhow::Context as _;
use headgate_certs::acme::HttpTokens;
use headgate_dns::Challenges;
use headgate_edge::{Edge, Listener, Transport, h2_options};
use headgate_executor::Executor;
use headgate_outbound::Resolver;
use headgate_store::{BlobStore, Records};
use headgate_types::{Clock, SystemClock};
use pingora_core::apps::HttpServerApp;
use prometheus_client::registry::Registry;
use tokio::sync::{Semaphore, mpsc, watch};
use tokio_util::sync::CancellationToken;

use self::{
    followers::Followers,
    listening::{Bound, bind},
    name_server::{NameServer, NameSockets},
    renewer::Renewer,
    rotation::Rotation,
    settings::{aliases, edge, serve_options, server_options},
    sweeper::Sweeper,
};
pub(crate) use self::{
    followers::load_options,
    settings::{executor_config, function_limits},
};
use crate::{
    admin::{AdminListener, AdminState, Phase, Readiness},
    blob_cache::BlobCache,
    certificates::Certificates,
    deploy::{self, Deployer, UnderWay},
    domains::{AskingParts, Domains, Grants},
    event::{Event, Ready, Reporter},
    follow::{Looks, Shared},
    functions::Functions,
    globals::{GlobalsWriter, NodeGlobals},
    guest_log::HubLog,
    log_hub::LogHub,
    metrics::Metrics,
    node_config::NodeConfig,
    ordering::{self, Engine, EngineParts, Ordering},
    outbound::NodeOutbound,
    proxy::{AccessLog, Proxy, RequestIds},
    publisher::{Parts, Publisher},
    revisions::Revisions,
    snapshot::Aliases,
    status::StatusBoard,
    urls::Urls,
};

/// Site files kept in memory, in bytes: some hundred sites' worth of pages and scripts.
const BLOB_CACHE: u64 = 64 << 20;

/// A node, built and bound, not yet serving.
pub struct Gateway {
    config: NodeConfig,
    listeners: Vec<Listener>,
    bound: Bound,
    edge: Arc<Edge>,
    proxy: Proxy,
    admin: AdminListener,
    admin_state: AdminState,
    followers: Followers,
    sweeper: Sweeper,
    globals: GlobalsWriter,
    renewer: Renewer,
    name_server: Option<NameServer>,
    rotation: Rotation,
    /// `None` if the node's own authority is all there is.
    ordering: Option<Ordering>,
    domains: Arc<Domains>,
    grants: Arc<Grants>,
    reporter: Arc<dyn Reporter>,
    urls: Arc<Urls>,
    reload: (mpsc::Sender<NodeConfig>, mpsc::Receiver<NodeConfig>),
}

/// Hands a running gateway its configuration anew: which projects to follow and whether to trust them, and
/// the operator's certificates. The rest needs a restart.
#[derive(Debug, Clone)]
pub struct Reloader(mpsc::Sender<NodeConfig>);

impl Reloader {
    pub async fn reload(&self, config: NodeConfig) {
        // A gateway that is gone has nothing to reload.
        let _ = self.0.send(config).await;
    }
}

impl fmt::Debug for Gateway {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Gateway").field("bound", &self.bound).finish_non_exhaustive()
    }
}

impl Gateway {
    /// Opens the state folder, binds every address and publishes what was accepted before. To be called
    /// inside a tokio runtime; it blocks.
    ///
    /// # Errors
    /// Whatever keeps the node from serving: an address in use, a state folder that is not ours.
    pub fn build(config: NodeConfig, reporter: Arc<dyn Reporter>) -> anyhow::Result<Self> {
        let clock: Arc<dyn Clock> = Arc::new(SystemClock);
        let mut registry = Registry::with_prefix("headgate");
        let metrics = Metrics::register(&mut registry);

        // Before admission counts descriptors. With fewer of them a node serves all the same.
        if let Err(error) = headgate_edge::raise_descriptor_limit() {
            tracing::warn!(%error, "the limit of open files stays as it is");
        }

        // Addresses first: a port in use is the most common mistake and the cheapest to find.
        let (listeners, mut bound) = bind(&config)?;
        let name_sockets = NameSockets::bind(&config)?;
        bound.dns = name_sockets.addresses();
        bound.dns_over_tls.clone_from(&name_sockets.tls_addresses);
        bound.dns_taken.clone_from(&name_sockets.taken);

        make_state_folder(&config.state)?;
        let admin = AdminListener::bind(&config.admin).context("opening the admin socket")?;

        let logs = Arc::new(LogHub::new());
        let guest_log = Arc::new(HubLog { hub: logs.clone(), clock: clock.clone() });
        // Records before blobs: their lock keeps a second node out of the folder.
        let keep = config.store.keep_revisions.get();
        let records = Records::open_keeping(&config.state, keep).context("opening the records")?;
        let records = Arc::new(records);
        let store =
            BlobStore::open(&config.state.join("blobs")).context("opening the blob store")?;
        let store = Arc::new(store);
        let calls = headgate_outbound::Metrics::new(registry.sub_registry_with_prefix("outbound"));
        let outbound =
            NodeOutbound::open(&config, calls).context("preparing calls of functions")?;
        let (globals, globals_writer) = NodeGlobals::open(&config.state, metrics.clone())
            .context("opening the values of functions")?;
        let executor = Executor::open(
            executor_config(&config),
            Arc::new(Artefacts(store.clone())),
            guest_log,
            Arc::new(outbound),
            globals.clone(),
            Arc::new(headgate_executor::Metrics::new(
                registry.sub_registry_with_prefix("executor"),
            )),
        )
        .context("starting the executor")?;
        // Values of orders under way, answered by the name server, the proxy and the listeners.
        let (challenges, tokens) = (Challenges::default(), HttpTokens::default());
        let engine_parts = EngineParts {
            clock: clock.clone(),
            texts: challenges.clone(),
            tokens: tokens.clone(),
            metrics: headgate_certs::acme::Metrics::register(&mut registry),
        };
        let engine = Engine::open(&config, engine_parts)?;
        let certificates = Certificates::open(
            &config.tls,
            config.zone.as_ref().map(|zone| zone.name.clone()),
            &config.state,
            clock.clone(),
            engine.as_ref().map(Engine::ordered),
        )?;
        let unsupplied = certificates.unsupplied();
        let desk = engine.as_ref().map(Engine::desk);
        let tls = certificates.pick_config()?;
        let name_tls = certificates.name_server_config()?;
        let rotation = Rotation { tickets: certificates.tickets().clone() };

        let aliases = aliases(&config);
        let grants = Arc::new(Grants::of(&config.projects, aliases.clone()));
        let publisher = Arc::new(Publisher::new(Parts {
            store: store.clone(),
            records: records.clone(),
            executor: executor.clone(),
            certificates,
            clock: clock.clone(),
            metrics: metrics.clone(),
            options: serve_options(&config, aliases.clone()),
            grants: grants.clone(),
            followed: followers::followed(&config.projects),
        }));
        let domains = match aliases {
            Aliases::Localhost => Domains::trusting(publisher.clone()),
            Aliases::None | Aliases::Zone(_) => {
                let resolver = Resolver::afresh(config.resolver);
                let (clock, reporter) = (clock.clone(), reporter.clone());
                let parts = AskingParts { grants: grants.clone(), resolver, clock, reporter };
                Domains::asking(&config.state, publisher.clone(), parts)?
            }
        };
        let domains = Arc::new(domains);
        // What was verified before is granted now, so that it is served at once.
        publisher.reconcile(None).context("serving what was accepted before")?;

        let name_server = NameServer::open(
            &config,
            name_sockets,
            name_server::Parts {
                aliases: aliases.clone(),
                publisher: publisher.clone(),
                challenges,
                metrics: headgate_dns::Metrics::register(&mut registry),
                tls: name_tls,
                clock: clock.clone(),
            },
        )?;

        let ordering = engine.map(|engine| {
            let answers = config.dns.as_ref().is_some_and(|dns| !dns.listen.addresses.is_empty());
            let parts = ordering::Parts {
                publisher: publisher.clone(),
                keeper: name_server
                    .as_ref()
                    .filter(|_| answers)
                    .map(|server| server.keeper.clone()),
                zone: config.zone.as_ref().filter(|_| answers).map(|zone| zone.name.clone()),
                unsupplied,
                resolver: Resolver::afresh(config.resolver),
                clock: clock.clone(),
                reporter: reporter.clone(),
            };
            Ordering::new(engine, parts)
        });

        let urls = Arc::new(Urls::new(&bound.http, &bound.https, aliases.clone()));
        let board = Arc::new(StatusBoard::default());
        let under_way = UnderWay::default();
        let deployer = Deployer {
            store: store.clone(),
            executor: executor.clone(),
            publisher: publisher.clone(),
            ingests: Arc::new(Semaphore::new(deploy::limits::INGESTS)),
            under_way: under_way.clone(),
        };
        let shared = Shared {
            deployer,
            board: board.clone(),
            reporter: reporter.clone(),
            logs: logs.clone(),
            clock: clock.clone(),
            metrics: metrics.clone(),
            urls: urls.clone(),
            options: load_options(&config),
            looks: Looks::default(),
        };
        let revisions = Revisions::new(shared.clone());
        let followers = Followers::new(shared, config.state.join("repositories"));
        let sweeper =
            Sweeper { store: store.clone(), records, executor, globals, clock, under_way };
        let renewer = Renewer { publisher: publisher.clone() };

        let edge = Arc::new(edge(&config, headgate_edge::Metrics::register(&mut registry)));
        let functions = Functions::new(publisher.cell().clone(), store.clone());
        let proxy = Proxy {
            snapshot: publisher.cell().clone(),
            blobs: Arc::new(BlobCache::new(store, BLOB_CACHE)),
            names: name_server.as_ref().map(|server| server.queries(&config)),
            ids: RequestIds::new(&mut rand::rng()),
            access: AccessLog::new(config.log.access),
            metrics,
            board: config.aids.error_page.then(|| board.clone()),
            server_options: server_options(&edge),
            h2_options: h2_options(&edge.limits),
            draining: AtomicBool::new(false),
            https: bound.https.first().map(SocketAddr::port),
            challenges: tokens,
        };
        let admin_state = AdminState {
            board,
            registry: Arc::new(registry),
            logs,
            view: publisher.cell().clone(),
            readiness: Arc::new(Readiness::default()),
            domains: domains.clone(),
            functions: Arc::new(functions),
            certificates: desk.map(|desk| desk as _),
            names: name_server.as_ref().map(|server| server.nameplate() as _),
            operations: Arc::new(revisions),
        };
        Ok(Self {
            proxy,
            listeners: listeners
                .into_iter()
                .map(|(socket, secure)| Listener {
                    socket,
                    transport: if secure { Transport::Tls(tls.clone()) } else { Transport::Plain },
                })
                .collect(),
            bound,
            edge,
            admin,
            admin_state,
            followers,
            sweeper,
            globals: globals_writer,
            renewer,
            name_server,
            rotation,
            ordering,
            domains,
            grants,
            reporter,
            urls,
            reload: mpsc::channel(1),
            config,
        })
    }

    pub fn reloader(&self) -> Reloader {
        Reloader(self.reload.0.clone())
    }

    /// Serves until `shutdown` ends, then drains: no new connections, requests under way are finished
    /// until the deadline of the configuration.
    ///
    /// # Errors
    /// If a listener stops for another reason.
    pub async fn run_until(self, shutdown: impl Future<Output = ()>) -> anyhow::Result<()> {
        let Self { config, listeners, bound, edge, proxy, admin, admin_state, .. } = self;
        let Self { mut followers, sweeper, globals, renewer, rotation, name_server, .. } = self;
        let Self { reporter, urls, domains, grants, ordering, .. } = self;
        let (_keep, mut reload) = self.reload;
        let (stop_edge, edge_stops) = watch::channel(false);
        let stop = CancellationToken::new();
        let proxy = Arc::new(proxy);
        let admin_listen = admin.tcp_address();
        let readiness = admin_state.readiness.clone();
        let board = admin_state.board.clone();

        let mut serving =
            tokio::spawn(headgate_edge::serve(listeners, proxy.clone(), edge.clone(), edge_stops));
        let admin = tokio::spawn(admin.serve(admin_state, stop.child_token()));
        let publisher = renewer.publisher.clone();
        let sweeping = tokio::spawn(sweeper.run(stop.child_token()));
        // Ends after the last request, so that what that one put is durable.
        let writing = tokio::spawn(globals.run(stop.child_token()));
        let renewing = tokio::spawn(renewer.run(stop.child_token()));
        let keeper = name_server.as_ref().map(|server| server.keeper.clone());
        let naming_stop = stop.child_token();
        let mut naming = tokio::spawn(async move {
            match name_server {
                Some(name_server) => name_server.run(naming_stop).await,
                None => {
                    naming_stop.cancelled().await;
                    Ok(())
                }
            }
        });
        let ordering_stop = stop.child_token();
        let mut ordering = tokio::spawn(async move {
            match ordering {
                Some(ordering) => ordering.run(ordering_stop).await,
                None => ordering_stop.cancelled().await,
            }
        });
        let rotating = tokio::spawn(rotation.run(stop.child_token()));
        let asking = tokio::spawn(domains.clone().run(stop.child_token()));
        followers.follow(&config.projects);

        let ready = Event::Ready(Ready {
            http: bound.http,
            https: bound.https,
            dns: bound.dns,
            dns_over_tls: bound.dns_over_tls,
            dns_taken: bound.dns_taken,
            admin_socket: config.admin.socket.clone(),
            admin_listen,
            projects: config.projects.len(),
            urls: urls.bases(),
        });
        let announce = async {
            board.settled().await;
            if let Some(keeper) = keeper {
                keeper.settled().await;
            }
            readiness.set(Phase::Ready);
            reporter.report(ready);
            std::future::pending::<()>().await
        };
        let following = async {
            loop {
                tokio::select! {
                    Some(config) = reload.recv() => {
                        grants.ask(&config.projects);
                        followers.refollow(&config).await;
                        domains.reconfigured();
                        Renewer::reload(&publisher, config.tls.certificates).await;
                    }
                    () = followers.supervise() => {}
                }
            }
        };
        tokio::select! {
            () = shutdown => {}
            () = announce => {}
            () = following => {}
            ended = &mut serving => {
                ended.context("the listeners' task ended")?.context("listening")?;
                anyhow::bail!("the listeners ended by themselves");
            }
            ended = &mut naming => {
                ended.context("the name server's task ended")??;
                anyhow::bail!("the name server ended by itself");
            }
            ended = &mut ordering => {
                ended.context("the task that orders certificates ended")?;
                anyhow::bail!("whoever orders certificates ended by itself");
            }
        }

        readiness.set(Phase::Draining);
        reporter.report(Event::Draining { connections: edge.admission.open() as u64 });
        stop_edge.send_replace(true);
        proxy.http_cleanup().await;
        let drained = serving.await.context("the listeners' task ended")?.context("draining")?;
        stop.cancel();
        followers.stop().await;
        let _ =
            tokio::join!(admin, sweeping, writing, renewing, naming, ordering, rotating, asking);
        reporter.report(Event::Stopped { cut: drained.cut as u64 });
        Ok(())
    }
}

/// The node's blobs, as the executor asks for them.
#[derive(Debug)]
pub(crate) struct Artefacts(pub(crate) Arc<BlobStore>);

impl headgate_executor::Artefacts for Artefacts {
    fn read(&self, digest: headgate_types::Digest) -> std::io::Result<bytes::Bytes> {
        self.0.read(&digest).map_err(std::io::Error::other)
    }
}

/// For its owner only: it holds keys, and what guests were compiled to.
fn make_state_folder(state: &Path) -> anyhow::Result<()> {
    DirBuilder::new()
        .recursive(true)
        .mode(0o700)
        .create(state)
        .with_context(|| format!("making the state folder {}", state.display()))
}
