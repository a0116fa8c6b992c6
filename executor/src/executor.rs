//! `Executor`: the engine, the artefacts and the pool that all functions share.

use std::{
    collections::HashSet,
    fmt, io,
    sync::Arc,
    time::{Duration, Instant},
};

use bytes::Bytes;
use headgate_types::{Branch, Chain, Commit, Digest, RequestId, Scope, Timestamp};
use moka::sync::Cache;
use prometheus_client::registry::Registry;
use tokio::sync::Semaphore;

use crate::{
    admission::{Gate, ProjectGate},
    artefact::{self, Artefacts, Needs, Opened},
    compile::{self, Compiled},
    component,
    compute::ComputeThreads,
    config::Config,
    core, defaults,
    engine::{self, Engines},
    error::{ArtefactError, CompileError, OpenError},
    function::{Entry, Function, FunctionLimits, FunctionSpec},
    globals::{Globals, NoGlobals},
    log::{GuestLog, Output},
    metrics::Metrics,
    native::{LoadError, Native, Natives},
    outbound::{NoWayOut, Outbound, Outside},
    pace::{Pace, Turns},
    running::GuestContext,
    start_up::{self, StartUp},
    warm::Warmer,
};

/// Runs guests. Cheap to clone; the last clone, and the last function made from it, take the engine down.
#[derive(Clone)]
pub struct Executor(Arc<Shared>);

/// What functions share.
pub(crate) struct Shared {
    pub(crate) config: Arc<Config>,
    pub(crate) engines: Engines,
    pub(crate) log: Arc<dyn GuestLog>,
    pub(crate) outbound: Arc<dyn Outbound>,
    pub(crate) globals: Arc<dyn Globals>,
    pub(crate) metrics: Arc<Metrics>,
    /// Sized to the engine's pool, whose exhaustion would be an error and not a wait.
    pub(crate) pool: Gate,
    /// Guests that compute at once; see [`pace`](crate::pace).
    pub(crate) turns: Arc<Semaphore>,
    /// Where they do.
    pub(crate) compute: ComputeThreads,
    /// Starts instances ahead.
    pub(crate) warmer: Warmer,
    /// Slots of the pool that instances started ahead may take.
    pub(crate) prepared: Arc<Semaphore>,
    artefacts: Arc<dyn Artefacts>,
    pub(crate) natives: Natives,
    open: Cache<Digest, Arc<Opened>>,
    compilations: Semaphore,
    components: component::Linkers,
    /// Shared with opened modules that are linked with others: what those import is resolved as they are
    /// instantiated.
    pub(crate) cores: Arc<wasmtime::Linker<core::State>>,
    signatures: core::Signatures,
    _ticker: engine::Ticker,
}

impl Executor {
    /// Reserves the pool's address space and starts the epoch thread.
    pub fn open(
        config: Config,
        artefacts: Arc<dyn Artefacts>,
        log: Arc<dyn GuestLog>,
        outbound: Arc<dyn Outbound>,
        globals: Arc<dyn Globals>,
        metrics: Arc<Metrics>,
    ) -> Result<Self, OpenError> {
        let failed = |error: wasmtime::Error| OpenError::Engine(error.into());
        let engines = Engines::open(&config).map_err(failed)?;
        let natives = Natives::open(&config.native_dir, &engines).map_err(|error| {
            OpenError::Folder { folder: config.native_dir.display().to_string(), error }
        })?;
        let running = metrics.clone();
        let busy = move || running.in_flight.get() > 0;
        let ticker =
            engine::Ticker::start(&engines, config.epoch_tick, busy).map_err(OpenError::Ticker)?;
        let cores = Arc::new(core::linker(&engines.plain).map_err(failed)?);
        let compute = ComputeThreads::start(config.turns()).map_err(OpenError::Threads)?;
        let config = Arc::new(config);
        let turns = Arc::new(Semaphore::new(config.turns()));
        let never = Turns { project: turns.clone(), node: turns.clone() };
        let never = Pace::new(Duration::ZERO, Instant::now(), Instant::now(), never);
        let nobody = nobody(&config, log.clone(), Arc::new(never));
        let signatures = core::Signatures::of(&cores, &nobody);
        Ok(Self(Arc::new(Shared {
            pool: Gate::new(config.instances, config.pool_queue),
            turns,
            compute,
            warmer: Warmer::new(config.prepared_idle),
            prepared: Arc::new(Semaphore::new(
                (config.instances / defaults::PREPARED_SHARE) as usize,
            )),
            open: artefact::cache(config.open_artefacts, config.artefact_idle, metrics.clone()),
            compilations: Semaphore::new(config.compilations.max(1)),
            components: component::Linkers::new(&engines).map_err(failed)?,
            cores,
            signatures,
            _ticker: ticker,
            config,
            engines,
            log,
            outbound,
            globals,
            metrics,
            artefacts,
            natives,
        })))
    }

    /// Checks an artefact and compiles it, unless that was done before. Seconds for a guest that carries an
    /// interpreter; others wait for their turn.
    ///
    /// # Errors
    /// All problems of its imports come at once. An artefact that fails here is not kept.
    pub async fn compile(&self, digest: Digest, wasm: Bytes) -> Result<Compiled, CompileError> {
        let shared = self.0.clone();
        let result = shared.compile(digest, wasm).await;
        let (label, took) = match &result {
            Ok((compiled, took)) => (if compiled.fresh { "compiled" } else { "cached" }, *took),
            Err(_) => ("failed", None),
        };
        self.0.metrics.compiled(label, took);
        result.map(|(compiled, _)| compiled)
    }

    /// A function to invoke. Opens nothing: ten thousand of them cost only their text.
    pub fn function(&self, spec: FunctionSpec) -> Function {
        Function::new(self.0.clone(), spec, None)
    }

    /// As [`function`](Self::function), bounded together with all others of its project.
    pub fn function_of(&self, spec: FunctionSpec, project: &ProjectGate) -> Function {
        Function::new(self.0.clone(), spec, Some(project.clone()))
    }

    /// A gate that lets `instances` of a project's guests run at once, with half of the pool's queue before it.
    pub fn project_gate(&self, instances: u32) -> ProjectGate {
        let config = &self.0.config;
        ProjectGate {
            instances: Arc::new(Gate::new(instances, config.pool_queue / 2)),
            turns: Arc::new(Semaphore::new(config.turns())),
        }
    }

    /// Whether the native form of an artefact is still there, so that it need not be compiled.
    pub fn has_native(&self, digest: Digest) -> bool {
        self.0.natives.contains(digest)
    }

    /// Removes all native artefacts but these and those written at `older_than` or later, which a deploy under
    /// way may be about to name. What is removed by mistake is compiled again when it is asked for.
    pub fn retain(&self, keep: &HashSet<Digest>, older_than: Timestamp) -> io::Result<()> {
        self.0.natives.retain(keep, older_than)
    }

    /// Removes the native artefact nobody needs any more; they are compiled again if that was wrong.
    pub fn forget(&self, digest: Digest) -> io::Result<()> {
        self.0.open.invalidate(&digest);
        self.0.natives.remove(digest)
    }
}

/// A context that acts in nobody's name: what linkers provide is told by stores only, and a start-up that is kept is
/// everybody's.
pub(crate) fn nobody(
    config: &Arc<Config>,
    log: Arc<dyn GuestLog>,
    pace: Arc<Pace>,
) -> GuestContext {
    let function = Arc::new(FunctionSpec {
        scope: Scope {
            project: "nobody".parse().expect("this is a name"),
            application: None,
            function: "nothing".into(),
            branch: Branch::new(""),
        },
        id: String::new(),
        artefact: Digest::of(b""),
        linked: Vec::new(),
        entry: Entry::Component,
        limits: FunctionLimits::default(),
        variables: Vec::new(),
        project_id: String::new(),
        commit: Commit::new(""),
    });
    let output = Output::new(config, log, function.clone(), RequestId::from_bytes([0; 16]));
    GuestContext {
        config: config.clone(),
        function,
        output,
        metrics: Arc::new(Metrics::new(&mut Registry::default())),
        outside: Arc::new(Outside::new(Arc::new(NoWayOut), Arc::new(NoGlobals), 0)),
        pace,
        compute: None,
        habit: Arc::default(),
    }
}

type Timed = (Compiled, Option<Duration>);

impl Shared {
    /// The artefact, if it is open.
    pub(crate) fn opened(&self, digest: Digest) -> Option<Arc<Opened>> {
        self.open.get(&digest)
    }

    /// Opens an artefact: mapped in place, or compiled again elsewhere if its native form was lost.
    pub(crate) async fn open_artefact(
        self: &Arc<Self>,
        digest: Digest,
    ) -> Result<Arc<Opened>, ArtefactError> {
        match self.open_native(digest) {
            Ok(opened) => return Ok(opened),
            Err(error) => self.discard(digest, &error),
        }
        let _turn = self.compilations.acquire().await.expect("this semaphore is never closed");
        let shared = self.clone();
        let recovery = tokio::task::spawn_blocking(move || shared.recover_blocking(digest));
        recovery.await.map_err(|error| ArtefactError::Open(error.into()))??;
        self.open_native(digest).map_err(|error| ArtefactError::Open(Box::new(error)))
    }

    /// Opens once, however many ask.
    fn open_native(&self, digest: Digest) -> Result<Arc<Opened>, Arc<LoadError>> {
        self.open.try_get_with(digest, || {
            let broken = |error: wasmtime::Error| LoadError::Broken(error.into());
            let opened = match self.natives.load(digest)? {
                Native::Component(component) => Opened::Component {
                    needs: component.resources_required().map_or(Needs::UNKNOWN, Needs::from),
                    pre: component::entry(&self.components, &component).map_err(broken)?,
                },
                Native::Core(module) => {
                    let start_up = self.natives.start_up(digest).unwrap_or(StartUp::None);
                    let module = core::CoreModule::new(&self.cores, &module, &start_up);
                    Opened::Core(module.map_err(broken)?)
                }
            };
            self.metrics.open_artefacts.inc();
            Ok(Arc::new(opened))
        })
    }

    async fn compile(self: Arc<Self>, digest: Digest, wasm: Bytes) -> Result<Timed, CompileError> {
        compile::accept(&wasm, self.config.artefact_size.as_bytes())?;
        let _turn = self.compilations.acquire().await.expect("this semaphore is never closed");
        let shared = self.clone();
        let work = tokio::task::spawn_blocking(move || shared.compile_blocking(digest, &wasm));
        work.await.map_err(|_| CompileError::Interrupted)?
    }

    /// Compiles from the raw artefact, unless another request did that meanwhile.
    fn recover_blocking(self: &Arc<Self>, digest: Digest) -> Result<(), ArtefactError> {
        if self.natives.load(digest).is_ok() {
            return Ok(());
        }
        let wasm = self.artefacts.read(digest).map_err(ArtefactError::Read)?;
        if Digest::of(&wasm) != digest {
            return Err(ArtefactError::Read(io::ErrorKind::InvalidData.into()));
        }
        let compiled = self.compile_blocking(digest, &wasm);
        compiled.map(drop).map_err(|error| ArtefactError::Compile(Box::new(error)))
    }

    /// Compiles unless that was done before, and sees to the guest's start-up.
    fn compile_blocking(
        self: &Arc<Self>,
        digest: Digest,
        wasm: &[u8],
    ) -> Result<Timed, CompileError> {
        let compiled = self.compile_as_it_is(digest, wasm)?;
        start_up::settle_blocking(self, digest, wasm);
        Ok(compiled)
    }

    fn compile_as_it_is(&self, digest: Digest, wasm: &[u8]) -> Result<Timed, CompileError> {
        match self.natives.load(digest) {
            Ok(native) => return Ok((self.inspect(&native, false)?, None)),
            Err(error) => self.discard(digest, &error),
        }
        let start = Instant::now();
        let native = self
            .natives
            .compile(wasm, compile::kind(wasm)?)
            .map_err(|error| CompileError::Invalid(error.into()))?;
        let took = start.elapsed();
        let failed = |error: Box<dyn std::error::Error + Send + Sync>| CompileError::Native(error);
        self.natives.store(digest, &native).map_err(|error| failed(error.into()))?;
        let inspected = match self.natives.load(digest) {
            Ok(native) => self.inspect(&native, true),
            // This engine made it just now, so it is what the guest wants that is refused.
            Err(LoadError::Refused(cause)) => Err(CompileError::TooDemanding(cause)),
            Err(error) => Err(failed(error.into())),
        };
        match inspected {
            Ok(compiled) => Ok((compiled, Some(took))),
            Err(error) => {
                self.natives.remove(digest).map_err(|error| failed(error.into()))?;
                Err(error)
            }
        }
    }

    fn inspect(&self, native: &Native, fresh: bool) -> Result<Compiled, CompileError> {
        match native {
            Native::Component(component) => compile::component(component, &self.components, fresh),
            Native::Core(module) => {
                compile::core_module(module, &self.signatures, &self.cores, fresh)
            }
        }
    }

    /// Removes what cannot be loaded, so that the next compilation writes it anew.
    fn discard(&self, digest: Digest, error: &LoadError) {
        if let LoadError::Absent = error {
            return;
        }
        let artefact = digest.fmt_short();
        tracing::warn!(digest = %artefact, error = %Chain(error), "native artefact discarded");
        if let Err(error) = self.natives.remove(digest) {
            tracing::warn!(digest = %artefact, %error, "failed to remove native artefact");
        }
    }
}

impl fmt::Debug for Executor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Executor").field("config", &self.0.config).finish_non_exhaustive()
    }
}
