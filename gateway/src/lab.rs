//! A node's writing half in a temporary folder, for tests: no sockets, time stands where it is put.

use std::{
    io,
    sync::{
        Arc, Mutex,
        atomic::{AtomicU64, Ordering::Relaxed},
    },
    time::Duration,
};

use headgate_executor::{Executor, FunctionLimits, GuestLine, GuestLog, NoWayOut};
use headgate_project::{
    LoadOptions,
    tree::{MemoryTree, Tree},
};
use headgate_store::{BlobStore, Records};
use headgate_types::{Branch, ByteSize, Clock, Commit, Revision, Timestamp};
use prometheus_client::registry::Registry;
use tokio::sync::Semaphore;

use crate::{
    app::Artefacts,
    certificates::Certificates,
    deploy::{Candidate, DeployError, Deployer, IngestCache, Outcome, UnderWay, limits},
    domains::Grants,
    event::{Event, Reporter},
    follow::{Looks, Shared},
    globals::NodeGlobals,
    log_hub::LogHub,
    manifest::SourceEntry,
    metrics::Metrics,
    node_config::TlsConfig,
    publisher::{Followed, Parts, Publisher},
    snapshot::{Aliases, ServeOptions},
    status::StatusBoard,
    urls::Urls,
};

pub(crate) struct Lab {
    pub(crate) folder: tempfile::TempDir,
    pub(crate) store: Arc<BlobStore>,
    pub(crate) records: Arc<Records>,
    pub(crate) executor: Executor,
    pub(crate) globals: Arc<NodeGlobals>,
    pub(crate) clock: Arc<TestClock>,
    pub(crate) deployer: Deployer,
    pub(crate) under_way: UnderWay,
    pub(crate) grants: Arc<Grants>,
}

/// Some day in 2026.
const NOON: u64 = 1_767_268_800_000;

#[derive(Debug)]
pub(crate) struct TestClock(AtomicU64);

impl TestClock {
    pub(crate) fn set(&self, now: Timestamp) {
        self.0.store(now.as_millis(), Relaxed);
    }

    pub(crate) fn advance(&self, by: Duration) {
        self.0.fetch_add(by.as_millis().try_into().unwrap(), Relaxed);
    }
}

impl Clock for TestClock {
    fn now(&self) -> Timestamp {
        Timestamp::from_millis(self.0.load(Relaxed))
    }
}

struct Silence;

impl GuestLog for Silence {
    fn line(&self, _: GuestLine<'_>) {}
}

/// Keeps what it is told.
#[derive(Default)]
pub(crate) struct Events(pub(crate) Mutex<Vec<Event>>);

impl Reporter for Events {
    fn report(&self, event: Event) {
        self.0.lock().unwrap().push(event);
    }
}

impl Lab {
    /// A node that follows the branch `main` of these.
    pub(crate) fn following(projects: &[&str]) -> Self {
        Self::with_aliases(projects, Aliases::None)
    }

    pub(crate) fn with_aliases(projects: &[&str], aliases: Aliases) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let store = Arc::new(BlobStore::open(&folder.path().join("blobs")).unwrap());
        let records = Arc::new(Records::open(folder.path()).unwrap());
        let mut config = headgate_executor::Config::new(folder.path().join("native"));
        config.instances = 4;
        let metrics = Arc::new(headgate_executor::Metrics::new(&mut Registry::default()));
        let artefacts = Arc::new(Artefacts(store.clone()));
        let (silence, no_way_out) = (Arc::new(Silence), Arc::new(NoWayOut));
        let globals = Arc::new(NodeGlobals::in_memory());
        let executor =
            Executor::open(config, artefacts, silence, no_way_out, globals.clone(), metrics)
                .unwrap();
        let clock = Arc::new(TestClock(AtomicU64::new(NOON)));
        let local = folder.path().join("ca");
        let tls = TlsConfig { local, acme: None, certificates: Vec::new() };
        let grants = Arc::new(Grants::of(&[], aliases.clone()));
        let publisher = Arc::new(Publisher::new(Parts {
            store: store.clone(),
            records: records.clone(),
            executor: executor.clone(),
            certificates: Certificates::open(&tls, None, folder.path(), clock.clone(), None)
                .unwrap(),
            clock: clock.clone(),
            metrics: Metrics::register(&mut Registry::default()),
            options: ServeOptions {
                aliases,
                limits: FunctionLimits::default(),
                project_instances: 2,
                max_body: ByteSize::from_mib(1),
            },
            grants: grants.clone(),
            followed: followed(projects),
        }));
        publisher.reconcile(None).unwrap();
        let under_way = UnderWay::default();
        let deployer = Deployer {
            store: store.clone(),
            executor: executor.clone(),
            publisher,
            ingests: Arc::new(Semaphore::new(limits::INGESTS)),
            under_way: under_way.clone(),
        };
        Self { folder, store, records, executor, globals, clock, deployer, under_way, grants }
    }

    pub(crate) fn publisher(&self) -> &Arc<Publisher> {
        &self.deployer.publisher
    }

    pub(crate) fn shared(&self, reporter: Arc<dyn Reporter>) -> Shared {
        Shared {
            deployer: self.deployer.clone(),
            board: Arc::new(StatusBoard::default()),
            reporter,
            logs: Arc::new(LogHub::new()),
            clock: self.clock.clone(),
            metrics: Metrics::register(&mut Registry::default()),
            urls: Arc::new(Urls::new(&[], &[], Aliases::None)),
            options: LoadOptions::default(),
            looks: Looks::default(),
        }
    }

    /// Deploys with a cache of its own.
    pub(crate) async fn deploy(&self, revision: Revision, tree: impl Tree + 'static) -> Outcome {
        self.deploy_cached(revision, tree, &mut IngestCache::default()).await.unwrap()
    }

    pub(crate) async fn deploy_cached(
        &self,
        revision: Revision,
        tree: impl Tree + 'static,
        cache: &mut IngestCache,
    ) -> Result<Outcome, DeployError> {
        let sources = vec![SourceEntry {
            repository: "/lab".to_owned(),
            commit: revision.commit.clone(),
            author: None,
            committed_at: None,
            subject: None,
        }];
        let (tree, options) = (Arc::new(tree), LoadOptions::default());
        let candidate = Candidate { revision, sources, tree, options };
        self.deployer.deploy(candidate, cache, &(Arc::new(|_, _, _| {}) as _)).await
    }
}

pub(crate) fn followed(projects: &[&str]) -> Followed {
    projects.iter().map(|project| (project.parse().unwrap(), Branch::new("main"))).collect()
}

pub(crate) fn revision(project: &str, commit: &str) -> Revision {
    Revision {
        project: project.parse().unwrap(),
        branch: Branch::new("main"),
        commit: Commit::new(commit),
    }
}

/// A site of one page under these hosts, and further files.
pub(crate) fn site(hosts: &[&str], more: &[(&str, &[u8])]) -> MemoryTree {
    let names: Vec<_> = (0..hosts.len()).map(|n| format!("d{n}")).collect();
    let domains = hosts.iter().zip(&names).map(|(host, name)| {
        (format!("domains/{name}.yaml"), format!("id: {name}\nfqdn: '{host}'\n").into_bytes())
    });
    let website = format!("id: w\ndomains: [{}]\npaths: [/]\n", names.join(", "));
    let fixed = [
        ("config.yaml", b"id: p\nname: p\n".to_vec()),
        ("websites/main.yaml", website.into_bytes()),
        ("websites/main/index.html", hosts.join(" ").into_bytes()),
    ];
    let fixed = fixed.map(|(path, content)| (path.to_owned(), content));
    let more = more.iter().map(|(path, content)| ((*path).to_owned(), content.to_vec()));
    MemoryTree::new(domains.chain(fixed).chain(more))
}

/// The folder of a project that is followed.
pub(crate) fn write(folder: &std::path::Path, tree: &dyn Tree) -> io::Result<()> {
    for entry in tree.entries() {
        let path = folder.join(&*entry.path);
        std::fs::create_dir_all(path.parent().unwrap_or(folder))?;
        std::fs::write(path, tree.read(&entry.path, u64::MAX).map_err(io::Error::other)?)?;
    }
    Ok(())
}

/// Waits for a condition that another task or thread brings about.
pub(crate) async fn eventually<T>(mut condition: impl FnMut() -> Option<T>) -> T {
    let deadline = std::time::Instant::now() + Duration::from_secs(20);
    loop {
        if let Some(found) = condition() {
            return found;
        }
        assert!(std::time::Instant::now() < deadline, "this never came");
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
}
