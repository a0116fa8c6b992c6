//! `Functions`: every function of what is served, as an operator wants to see it.

use std::{
    collections::{BTreeMap, HashMap},
    sync::Arc,
    time::Duration,
};

use async_trait::async_trait;
use headgate_executor::{Entry, Function, StartUp};
use headgate_store::BlobStore;
use headgate_types::Digest;
use tokio::task;

use crate::{
    admin::{
        FunctionsView,
        wire::{FunctionKind, FunctionRow, LimitsRow, NowRow, StartUpKind, StartUpRow},
    },
    manifest::LinkedEntry,
    snapshot::{SnapshotCell, Target},
};

/// The current snapshot's functions, and where their artefacts are.
#[derive(Debug)]
pub struct Functions {
    cell: Arc<SnapshotCell>,
    store: Arc<BlobStore>,
}

impl Functions {
    pub fn new(cell: Arc<SnapshotCell>, store: Arc<BlobStore>) -> Self {
        Self { cell, store }
    }

    /// Each once, however many routes lead to it.
    fn served(&self) -> BTreeMap<Key, Function> {
        let snapshot = self.cell.load();
        let routes = snapshot.routes().routes();
        let functions = routes.filter_map(|(_, route)| match &route.target {
            Target::Function(function) => Some((key(function), function.clone())),
            Target::Website(_) => None,
        });
        functions.collect()
    }
}

/// Project, branch, application and name: the order in which people look for one.
type Key = (String, String, Option<Arc<str>>, Arc<str>);

fn key(function: &Function) -> Key {
    let scope = function.scope();
    let branch = scope.branch.as_str().to_owned();
    (scope.project.to_string(), branch, scope.application.clone(), scope.function.clone())
}

#[async_trait]
impl FunctionsView for Functions {
    /// Looks at files, so it leaves the thread that answers.
    async fn functions(&self) -> Vec<FunctionRow> {
        let (functions, store) = (self.served(), self.store.clone());
        let rows = task::spawn_blocking(move || {
            let mut sizes = HashMap::new();
            functions.values().map(|function| row(function, &store, &mut sizes)).collect()
        });
        rows.await.expect("nothing in there panics")
    }
}

fn row(
    function: &Function,
    store: &BlobStore,
    sizes: &mut HashMap<Digest, Option<u64>>,
) -> FunctionRow {
    let spec = function.spec();
    let (kind, call) = match &spec.entry {
        Entry::Component => (FunctionKind::Component, None),
        Entry::Core { export } => (FunctionKind::Core, Some(export.to_string())),
    };
    let size = sizes.entry(spec.artefact).or_insert_with(|| store.len(&spec.artefact).ok());
    let linked = spec
        .linked
        .iter()
        .map(|linked| LinkedEntry { module: linked.name.to_string(), artefact: linked.artefact });
    FunctionRow {
        project: spec.scope.project.clone(),
        branch: spec.scope.branch.clone(),
        commit: spec.commit.clone(),
        application: spec.scope.application.as_deref().map(str::to_owned),
        name: spec.scope.function.to_string(),
        kind,
        call,
        artefact: spec.artefact,
        size: *size,
        linked: linked.collect(),
        start_up: start_up(function.start_up()),
        now: NowRow {
            in_flight: function.in_flight(),
            waiting: function.waiting(),
            prepared: function.prepared(),
            resting_ms: function.resting().map(millis),
        },
        limits: LimitsRow {
            memory: spec.limits.memory,
            timeout_ms: millis(spec.limits.deadline),
            concurrency: spec.limits.concurrency,
            queue: spec.limits.queue,
        },
    }
}

fn start_up(known: Option<StartUp>) -> StartUpRow {
    let (kind, because) = match known {
        None => (StartUpKind::Unknown, None),
        Some(StartUp::None) => (StartUpKind::None, None),
        Some(StartUp::Snapshot) => (StartUpKind::Snapshot, None),
        Some(StartUp::Each { because }) => (StartUpKind::Each, Some(because)),
    };
    StartUpRow { kind, because }
}

fn millis(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}
