//! A function: an artefact, the limits it runs under, and in whose name.

use std::{
    fmt,
    sync::Arc,
    time::{Duration, Instant},
};

use headgate_types::{ByteSize, Commit, Digest, RequestId, Scope};
use http::Response;
use tokio::sync::Semaphore;

use crate::{
    admission::{Flight, Gate, ProjectGate, Refused},
    artefact::Opened,
    backoff::Backoff,
    component,
    compute::Habit,
    core, defaults,
    error::{ArtefactError, InvokeError},
    executor::Shared,
    invocation::{HttpInvocation, Invocation},
    link::LinkedModule,
    log::Output,
    metrics::{Outcome, Start},
    outbound::Outside,
    pace::{Pace, Turns},
    phases::Phases,
    response::{ResponseBody, respond},
    running::{GuestContext, Running},
    start_up::StartUp,
    warm::{Counted, Ready, Warm},
};

/// What a function is.
#[derive(Debug, Clone)]
pub struct FunctionSpec {
    /// In whose name it acts; its log lines carry it.
    pub scope: Scope,
    /// Its resource id.
    pub id: String,
    /// The wasm it runs.
    pub artefact: Digest,
    /// The modules it is linked with: all that it imports from, and all that those import from, each after what
    /// it imports from itself.
    pub linked: Vec<LinkedModule>,
    pub entry: Entry,
    pub limits: FunctionLimits,
    /// Its environment.
    pub variables: Vec<(String, String)>,
    pub project_id: String,
    /// The revision it was deployed with.
    pub commit: Commit,
}

/// Where an event goes in.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Entry {
    /// `wasi:http/incoming-handler`.
    Component,
    /// An export of a core module that takes an event's id.
    Core { export: Box<str> },
}

/// What one function may use. Each has a default with its reason.
#[derive(Debug, Clone, Copy)]
pub struct FunctionLimits {
    /// All linear memories of one instance.
    pub memory: ByteSize,
    /// From arrival to the first byte of the answer, waiting included, and then from one part of it to the next.
    /// Also what a guest may compute in all.
    pub deadline: Duration,
    /// Instances at once.
    pub concurrency: u32,
    /// Requests waiting for one of them.
    pub queue: u32,
}

impl Default for FunctionLimits {
    fn default() -> Self {
        Self {
            memory: defaults::MEMORY,
            deadline: defaults::DEADLINE,
            concurrency: defaults::CONCURRENCY,
            queue: defaults::QUEUE,
        }
    }
}

/// A function that can be invoked. Cheap to clone, and cheap to have: it opens nothing until it is called.
#[derive(Clone)]
pub struct Function(Arc<Inner>);

pub(crate) struct Inner {
    executor: Arc<Shared>,
    spec: Arc<FunctionSpec>,
    gate: Gate,
    outside: Arc<Outside>,
    project: Option<ProjectGate>,
    backoff: Arc<Backoff>,
    habit: Arc<Habit>,
    turns: Turns,
    pub(crate) warm: Warm,
}

impl Function {
    pub(crate) fn new(
        executor: Arc<Shared>,
        spec: FunctionSpec,
        project: Option<ProjectGate>,
    ) -> Self {
        let gate = Gate::new(spec.limits.concurrency, spec.limits.queue);
        let turns = Turns {
            project: match &project {
                Some(project) => project.turns.clone(),
                None => Arc::new(Semaphore::new(executor.config.turns())),
            },
            node: executor.turns.clone(),
        };
        let at_once = executor.config.function_calls_at_once;
        let (way, globals) = (executor.outbound.clone(), executor.globals.clone());
        let outside = Arc::new(Outside::new(way, globals, at_once));
        let (spec, warm) = (Arc::new(spec), Warm::default());
        let (backoff, habit) = (Arc::default(), Arc::default());
        Self(Arc::new(Inner {
            executor,
            spec,
            gate,
            outside,
            project,
            backoff,
            habit,
            turns,
            warm,
        }))
    }

    pub fn scope(&self) -> &Scope {
        &self.0.spec.scope
    }

    pub fn spec(&self) -> &FunctionSpec {
        &self.0.spec
    }

    /// Requests that hold one of its slots.
    pub fn in_flight(&self) -> u32 {
        self.0.gate.taken()
    }

    /// Requests that wait for one of its slots.
    pub fn waiting(&self) -> u32 {
        self.0.gate.waiting()
    }

    /// Instances that are started and wait for a request.
    pub fn prepared(&self) -> usize {
        self.0.warm.len()
    }

    /// How much longer it is left alone, because its latest calls all trapped.
    pub fn resting(&self) -> Option<Duration> {
        self.0.backoff.resting(Instant::now())
    }

    /// What is done about its start-up; nothing if its artefact was not compiled here.
    pub fn start_up(&self) -> Option<StartUp> {
        self.0.executor.natives.start_up(self.0.spec.artefact)
    }

    /// Runs a fresh instance on one event, inside the caller's task: dropping this future, or the body of the
    /// response, ends the guest at once.
    ///
    /// # Errors
    /// See [`InvokeError`]; nothing of the response was sent then.
    pub async fn invoke(
        &self,
        invocation: Invocation,
    ) -> Result<Response<ResponseBody>, InvokeError> {
        self.invoke_noting(invocation, &mut Phases::default()).await
    }

    /// As [`invoke`](Self::invoke), and says in `phases` what its time went into until there was an answer or an
    /// error. From then on the body knows ([`ResponseBody::phases`]).
    ///
    /// # Errors
    /// As [`invoke`](Self::invoke).
    pub async fn invoke_noting(
        &self,
        invocation: Invocation,
        phases: &mut Phases,
    ) -> Result<Response<ResponseBody>, InvokeError> {
        let Invocation::Http(http) = invocation;
        let function = &self.0;
        let arrival = Instant::now();
        let metrics = &function.executor.metrics;
        let backoff = function.backoff.clone();
        let mut flight = Flight::begin(metrics.clone(), function.spec.clone(), backoff)
            .map_err(|retry_after| InvokeError::Resting { retry_after })?;
        let admitted = function.admit(arrival, &mut flight).await;
        let Admitted { modules, ready } = admitted.inspect_err(|error| {
            *phases = flight.phases;
            phases.queue = arrival.elapsed().saturating_sub(phases.opening);
            flight.ended(refusal(error));
        })?;
        let (started, output) = match ready {
            Some((started, output)) => {
                output.begin(&function.executor.config, http.request_id);
                (Some(started), output)
            }
            None => (None, function.output(http.request_id)),
        };
        let start = match &started {
            Some(_) => Start::Warm,
            None if modules.have_start() => Start::Cold,
            None if modules.is_snapshot() => Start::Snapshot,
            None => Start::None,
        };
        metrics.start(start);
        let context = function.context(output, arrival, function.spec.limits.deadline);
        let admission = context.pace.begun().saturating_duration_since(arrival);
        flight.phases.queue = admission.saturating_sub(flight.phases.opening);
        flight.phases.start = Some(start);
        *phases = flight.phases;
        function.run(http, context, flight, (modules, started), phases).await
    }
}

/// What an admitted request runs with.
struct Admitted {
    modules: core::Modules,
    /// An instance that was started for it, and its output.
    ready: Option<(core::Started, Output)>,
}

impl Inner {
    async fn run(
        &self,
        http: HttpInvocation,
        context: GuestContext,
        mut flight: Flight,
        (modules, started): (core::Modules, Option<core::Started>),
        phases: &mut Phases,
    ) -> Result<Response<ResponseBody>, InvokeError> {
        let method = http.request.method().clone();
        let engine = &self.executor.engines.plain;
        let artefact = self.spec.artefact;
        let guest = match (&*modules.own, &self.spec.entry) {
            (Opened::Component { .. }, Entry::Component) => {
                component::start(modules.own, &context, http)
            }
            (Opened::Core(module), Entry::Core { export }) => match module.entry(export) {
                Some(entry) => core::start(modules, entry, engine, &context, http, started),
                None => Err(unusable(artefact, ArtefactError::NoExport(export.clone()))),
            },
            _ => Err(unusable(artefact, ArtefactError::Kind)),
        };
        let (guest, head) = guest.inspect_err(|error| flight.ended(refusal(error)))?;
        let running = Running::new(guest, &context, flight);
        let config = context.config.clone();
        drop(context);
        respond(running, head, method, &config, phases).await
    }

    /// Waits for the function's slot, the artefacts, the project's slots and the pool's, in that order.
    async fn admit(
        self: &Arc<Self>,
        arrival: Instant,
        flight: &mut Flight,
    ) -> Result<Admitted, InvokeError> {
        let metrics = &self.executor.metrics;
        let deadline = arrival + self.spec.limits.deadline;
        let own = self.gate.enter(1, deadline, metrics).await.map_err(|why| self.refused(why))?;
        let modules = self.open_all(deadline, &mut flight.phases.opening).await?;
        let weight = modules.needs().slots();
        let project = match &self.project {
            Some(project) => {
                let slots = project.instances.enter(weight, deadline, metrics).await;
                Some(slots.map_err(|why| self.refused(why))?)
            }
            None => None,
        };
        let ready = if modules.have_start() { self.take_prepared(arrival) } else { None };
        let (pool, ready) = match ready {
            Some(Ready { started, output, pool, .. }) => (pool, Some((started, output))),
            None => {
                let pool = self.executor.pool.enter(weight, deadline, metrics);
                (pool.await.map_err(|why| self.refused(why))?, None)
            }
        };
        flight.admitted((own, project, pool));
        Ok(Admitted { modules, ready })
    }

    /// Adds to `took` what it takes if one is not open yet.
    async fn open_all(
        &self,
        deadline: Instant,
        took: &mut Duration,
    ) -> Result<core::Modules, InvokeError> {
        let own = self.open(self.spec.artefact, deadline, took).await?;
        let mut linked = Vec::with_capacity(self.spec.linked.len());
        for module in &self.spec.linked {
            linked.push(self.open(module.artefact, deadline, took).await?);
        }
        Ok(core::Modules { own, linked: linked.into() })
    }

    async fn open(
        &self,
        artefact: Digest,
        deadline: Instant,
        took: &mut Duration,
    ) -> Result<Arc<Opened>, InvokeError> {
        if let Some(opened) = self.executor.opened(artefact) {
            return Ok(opened);
        }
        let begin = Instant::now();
        let opening = self.executor.open_artefact(artefact);
        let opened = tokio::time::timeout_at(deadline.into(), opening).await;
        *took += begin.elapsed();
        opened
            .map_err(|_| self.refused(Refused::Deadline))?
            .map_err(|error| unusable(artefact, error))
    }

    fn refused(&self, why: Refused) -> InvokeError {
        match why {
            Refused::QueueFull => {
                InvokeError::Busy { retry_after: self.executor.config.retry_after }
            }
            Refused::Deadline => InvokeError::Deadline { limit: self.spec.limits.deadline },
        }
    }

    fn output(&self, request_id: RequestId) -> Output {
        let log = self.executor.log.clone();
        Output::new(&self.executor.config, log, self.spec.clone(), request_id)
    }

    fn context(&self, output: Output, arrival: Instant, limit: Duration) -> GuestContext {
        let pace = Pace::new(limit, arrival, Instant::now(), self.turns.clone());
        GuestContext {
            config: self.executor.config.clone(),
            function: self.spec.clone(),
            output,
            metrics: self.executor.metrics.clone(),
            outside: self.outside.clone(),
            pace: Arc::new(pace),
            compute: self.executor.compute.handle(),
            habit: self.habit.clone(),
        }
    }

    /// An instance that waits for this request, and an order for the next ones.
    fn take_prepared(self: &Arc<Self>, now: Instant) -> Option<Ready> {
        let (ready, order) = self.warm.take(now, self.most_prepared());
        if order {
            self.executor.warmer.order(self);
        }
        ready
    }

    /// More than run at once are of no use.
    pub(crate) fn most_prepared(&self) -> usize {
        self.spec.limits.concurrency as usize
    }

    /// Starts an instance ahead, if there is room for one: nobody waits for this, so neither does it.
    pub(crate) async fn prepare(&self) -> Option<wasmtime::Result<Ready>> {
        let now = Instant::now();
        let (deadline, mut opening) = (now + defaults::PREPARE_TIME, Duration::ZERO);
        let modules = self.open_all(deadline, &mut opening).await.ok()?;
        let weight = modules.needs().slots();
        let share = self.executor.prepared.clone().try_acquire_many_owned(weight).ok()?;
        let pool = self.executor.pool.try_enter(weight)?;
        // What it prints belongs to no request yet.
        let output = self.output(RequestId::from_bytes([0; 16]));
        let context = self.context(output.clone(), now, defaults::PREPARE_TIME);
        let started = core::Started::new(&modules, &self.executor.engines.plain, &context).await;
        if started.is_ok() {
            self.executor.metrics.started(Start::Warm, context.pace.begun().elapsed());
        }
        let count = Counted::new(self.executor.metrics.clone(), share);
        Some(started.map(|started| Ready { started, output, pool, since: now, _count: count }))
    }
}

fn unusable(digest: Digest, error: ArtefactError) -> InvokeError {
    InvokeError::Artefact { digest, error }
}

/// How a request is counted for which no guest ran.
fn refusal(error: &InvokeError) -> Outcome {
    match error {
        InvokeError::Busy { .. } => Outcome::Busy,
        InvokeError::Deadline { .. } => Outcome::Deadline,
        InvokeError::Artefact { .. } => Outcome::Artefact,
        _ => Outcome::Refused,
    }
}

impl fmt::Debug for Function {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Function").field("scope", &self.0.spec.scope).finish_non_exhaustive()
    }
}
