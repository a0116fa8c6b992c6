//! A function: an artefact, the limits it runs under, and in whose name.

use std::{
    fmt,
    sync::Arc,
    time::{Duration, Instant},
};

use headgate_types::{ByteSize, Commit, Digest, Scope};
use http::Response;

use crate::{
    admission::{Flight, Gate, ProjectGate, Refused},
    artefact::Opened,
    backoff::Backoff,
    component, core, defaults,
    error::{ArtefactError, InvokeError},
    executor::Shared,
    invocation::{HttpInvocation, Invocation},
    link::LinkedModule,
    log::Output,
    metrics::Outcome,
    response::{ResponseBody, respond},
    running::{GuestContext, Running},
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
    /// From arrival to the last byte of the answer, waiting included.
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
pub struct Function {
    executor: Arc<Shared>,
    spec: Arc<FunctionSpec>,
    gate: Arc<Gate>,
    project: Option<ProjectGate>,
    backoff: Arc<Backoff>,
}

impl Function {
    pub(crate) fn new(
        executor: Arc<Shared>,
        spec: FunctionSpec,
        project: Option<ProjectGate>,
    ) -> Self {
        let gate = Arc::new(Gate::new(spec.limits.concurrency, spec.limits.queue));
        Self { executor, spec: Arc::new(spec), gate, project, backoff: Arc::default() }
    }

    pub fn scope(&self) -> &Scope {
        &self.spec.scope
    }

    pub fn spec(&self) -> &FunctionSpec {
        &self.spec
    }

    /// Requests that hold one of its slots.
    pub fn in_flight(&self) -> u32 {
        self.gate.taken()
    }

    /// How much longer it is left alone, because its latest calls all trapped.
    pub fn resting(&self) -> Option<Duration> {
        self.backoff.resting(Instant::now())
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
        let Invocation::Http(http) = invocation;
        let deadline = Instant::now() + self.spec.limits.deadline;
        let (metrics, backoff) = (self.executor.metrics.clone(), self.backoff.clone());
        let mut flight = Flight::begin(metrics, self.spec.clone(), backoff)
            .map_err(|retry_after| InvokeError::Resting { retry_after })?;
        let admitted = self.admit(deadline, &mut flight).await;
        let modules = admitted.inspect_err(|error| flight.ended(refusal(error)))?;
        let context = GuestContext {
            config: self.executor.config.clone(),
            function: self.spec.clone(),
            output: Output::new(
                &self.executor.config,
                self.executor.log.clone(),
                self.spec.clone(),
                http.request_id,
            ),
            metrics: self.executor.metrics.clone(),
            deadline,
        };
        self.run(http, context, flight, modules).await
    }

    async fn run(
        &self,
        http: HttpInvocation,
        context: GuestContext,
        mut flight: Flight,
        modules: core::Modules,
    ) -> Result<Response<ResponseBody>, InvokeError> {
        let method = http.request.method().clone();
        let engine = &self.executor.engine;
        let artefact = self.spec.artefact;
        let started = match (&*modules.own, &self.spec.entry) {
            (Opened::Component { .. }, Entry::Component) => {
                component::start(modules.own, engine, &context, http)
            }
            (Opened::Core(module), Entry::Core { export }) => match module.entry(export) {
                Some(entry) => core::start(modules, entry, engine, &context, http),
                None => Err(unusable(artefact, ArtefactError::NoExport(export.clone()))),
            },
            _ => Err(unusable(artefact, ArtefactError::Kind)),
        };
        let (guest, head) = started.inspect_err(|error| flight.ended(refusal(error)))?;
        let running = Running::new(guest, &context, flight);
        let config = context.config.clone();
        drop(context);
        respond(running, head, method, &config).await
    }

    /// Waits for the function's slot, the artefacts, the project's slots and the pool's, in that order.
    async fn admit(
        &self,
        deadline: Instant,
        flight: &mut Flight,
    ) -> Result<core::Modules, InvokeError> {
        let metrics = &self.executor.metrics;
        let own = self.gate.enter(1, deadline, metrics).await.map_err(|why| self.refused(why))?;
        let opened = self.open(self.spec.artefact, deadline).await?;
        let mut needs = opened.needs();
        let mut linked = Vec::with_capacity(self.spec.linked.len());
        for module in &self.spec.linked {
            let opened = self.open(module.artefact, deadline).await?;
            needs = needs + opened.needs();
            linked.push(opened);
        }
        let weight = needs.slots();
        let project = match &self.project {
            Some(ProjectGate(gate)) => {
                let slots = gate.enter(weight, deadline, metrics).await;
                Some(slots.map_err(|why| self.refused(why))?)
            }
            None => None,
        };
        let pool = self.executor.pool.enter(weight, deadline, metrics);
        let pool = pool.await.map_err(|why| self.refused(why))?;
        flight.admitted((own, project, pool));
        Ok(core::Modules { own: opened, linked: linked.into() })
    }

    async fn open(&self, artefact: Digest, deadline: Instant) -> Result<Arc<Opened>, InvokeError> {
        if let Some(opened) = self.executor.opened(artefact) {
            return Ok(opened);
        }
        let opening = self.executor.open_artefact(artefact);
        tokio::time::timeout_at(deadline.into(), opening)
            .await
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
        f.debug_struct("Function").field("scope", &self.spec.scope).finish_non_exhaustive()
    }
}
