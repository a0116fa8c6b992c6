//! Guests that are core modules speaking Taubyte's ABI.
//!
//! A fresh instance is started (`_initialize`, else `_start`) and its entry called with the id of the one event
//! it has. What the entry returns is ignored, as in Taubyte: only a trap or the deadline is an error. The answer
//! is what the guest told the functions of [`event`].
//!
//! A guest that imports from other modules of its project is several instances in one store: they share the
//! event, the answer and all limits, and call each other directly.

mod codec;
mod dns;
mod env;
mod errno;
mod event;
mod fifo;
mod globals;
mod http_client;
mod identity;
mod memory;
mod memory_view;
mod module;
mod redirect;
mod reply;
mod sdk_table;
mod wasi;

use std::{collections::HashMap, sync::Arc};

use tokio::sync::oneshot;
use wasmtime::{Engine, FuncType, Instance, Linker, Memory, Module, Store};
use wasmtime_wasi::I32Exit;

use self::event::Event;
pub(crate) use self::{
    module::{COMMAND, CoreModule, EntryPoint, INITIALIZE, start_export, takes_event},
    sdk_table::is_unserved,
};
use crate::{
    artefact::{Needs, Opened},
    error::{Failure, InvokeError},
    function::FunctionSpec,
    invocation::HttpInvocation,
    limits::Limits,
    link::LinkedModule,
    log::Output,
    outbound::{Calls, CallsOnDemand, came_through},
    pace::{Pace, watch},
    response::Head,
    running::{Failed, GuestContext, GuestFuture},
};

/// The module all functions of Taubyte's SDK are imported from.
const SDK: &str = "taubyte/sdk";
/// The only event of an instance. Taubyte counts them from zero.
const EVENT: u32 = 0;

/// What a core guest's store holds.
pub(crate) struct State {
    limits: Limits,
    function: Arc<FunctionSpec>,
    output: Output,
    on_demand: CallsOnDemand,
    /// Made when the guest first calls out.
    calls: Option<Calls>,
    clients: http_client::Clients,
    resolvers: dns::Resolvers,
    /// The guest's memory, once it is instantiated; none if it is linked, as each module has its own.
    memory: Option<Memory>,
    event: Event,
    views: memory_view::Views,
    fifos: fifo::Fifos,
    values: globals::Values,
    wasi: wasi::Wasi,
}

/// Everything a core guest may import.
pub(crate) fn linker(engine: &Engine) -> wasmtime::Result<Linker<State>> {
    let mut linker = Linker::new(engine);
    wasi::add_to_linker(&mut linker)?;
    env::add_to_linker(&mut linker)?;
    event::add_to_linker(&mut linker)?;
    http_client::add_to_linker(&mut linker)?;
    dns::add_to_linker(&mut linker)?;
    identity::add_to_linker(&mut linker)?;
    memory_view::add_to_linker(&mut linker)?;
    fifo::add_to_linker(&mut linker)?;
    globals::add_to_linker(&mut linker)?;
    sdk_table::add_to_linker(&mut linker)?;
    Ok(linker)
}

/// What the linker provides, by module and name. Asked once: it tells types only in the context of a store.
pub(crate) struct Signatures(HashMap<String, HashMap<String, FuncType>>);

impl Signatures {
    pub(crate) fn of(linker: &Linker<State>, context: &GuestContext) -> Self {
        let mut store = empty_store(linker.engine(), context);
        let provided: Vec<_> = linker
            .iter(&mut store)
            .map(|(module, name, item)| (module.to_owned(), name.to_owned(), item))
            .collect();
        let mut signatures: HashMap<String, HashMap<String, FuncType>> = HashMap::new();
        for (module, name, item) in provided {
            if let Some(function) = item.into_func() {
                signatures.entry(module).or_default().insert(name, function.ty(&store));
            }
        }
        Self(signatures)
    }

    pub(crate) fn get(&self, module: &str, name: &str) -> Option<&FuncType> {
        self.0.get(module)?.get(name)
    }
}

/// What is instantiated for a request.
pub(crate) struct Modules {
    /// The function's own.
    pub(crate) own: Arc<Opened>,
    /// Those it is linked with, as its specification lists them: each after what it imports from.
    pub(crate) linked: Box<[Arc<Opened>]>,
}

/// An instance that is started and waits for its event.
pub(crate) struct Started {
    store: Store<State>,
    instance: Instance,
}

impl Started {
    /// Instantiates and starts ahead of the request, in the time and with the output that `context` gives it.
    pub(crate) async fn new(
        modules: &Modules,
        engine: &Engine,
        context: &GuestContext,
    ) -> wasmtime::Result<Self> {
        let mut store = empty_store(engine, context);
        let instance = context.pace.drive(set_up(modules, &mut store)).await??;
        Ok(Self { store, instance })
    }
}

/// Prepares a request, by an instance that was started for it or by a new one; the guest runs when the future is
/// polled.
pub(crate) fn start(
    modules: Modules,
    entry: EntryPoint,
    engine: &Engine,
    context: &GuestContext,
    http: HttpInvocation,
    started: Option<Started>,
) -> Result<(GuestFuture, oneshot::Receiver<Head>), InvokeError> {
    let (head_sender, head) = oneshot::channel();
    let pace = context.pace.clone();
    let came_through = came_through(http.request.headers());
    let event = Event::new(http, &context.config, head_sender);
    let (mut store, instance) = match started {
        Some(Started { mut store, instance }) => {
            store.data_mut().event = event;
            watch(&mut store, context.pace.clone());
            (store, Some(instance))
        }
        None => (store(engine, context, event), None),
    };
    store.data_mut().on_demand.came_through = came_through;
    let guest = Box::pin(async move {
        match run(&modules, entry, instance, &pace, &mut store).await {
            Ok(()) => Ok(store.into_data().event.finish()),
            Err(error) => {
                let State { limits, function, .. } = store.data();
                let named = |code: &Module| modules.name_of(&function.linked, code);
                let failure = Failure::of(&error, limits.refused(), named);
                Err(Failed::keeping(failure, store))
            }
        }
    });
    Ok((guest, head))
}

/// A store without an event.
pub(crate) fn empty_store(engine: &Engine, context: &GuestContext) -> Store<State> {
    let (head, _) = oneshot::channel();
    store(engine, context, Event::nothing(&context.config, head))
}

fn store(engine: &Engine, context: &GuestContext, event: Event) -> Store<State> {
    let mut store = Store::new(engine, State::new(context, event));
    store.limiter(|state| &mut state.limits);
    watch(&mut store, context.pace.clone());
    store
}

async fn run(
    modules: &Modules,
    entry: EntryPoint,
    started: Option<Instance>,
    pace: &Pace,
    store: &mut Store<State>,
) -> wasmtime::Result<()> {
    let instance = match started {
        Some(instance) => instance,
        None => {
            let instance = set_up(modules, store).await?;
            pace.started();
            instance
        }
    };
    let handle = module::function(store, &instance, &entry.export)?;
    let called = if entry.returns {
        let handle = handle.typed::<u32, u32>(&*store)?;
        handle.call_async(&mut *store, EVENT).await.map(drop)
    } else {
        let handle = handle.typed::<u32, ()>(&*store)?;
        handle.call_async(&mut *store, EVENT).await
    };
    match called {
        Err(error) if matches!(error.downcast_ref(), Some(I32Exit(0))) => Ok(()),
        called => called,
    }
}

/// Instantiates the modules and runs their start-up.
async fn set_up(modules: &Modules, store: &mut Store<State>) -> wasmtime::Result<Instance> {
    let own = core_module(&modules.own)?;
    let instance = if modules.linked.is_empty() {
        let instance = own.instantiate(store, &[]).await?;
        store.data_mut().memory = own.memory(store, &instance);
        instance
    } else {
        // Boxed, so that a guest without linked modules does not carry what this takes.
        Box::pin(link(modules, own, store)).await?
    };
    own.start(store, &instance).await?;
    Ok(instance)
}

/// Instantiates and starts each module that the function's own is linked with, then instantiates that one. Host
/// functions look up the memory of whoever calls them, since there is more than one.
async fn link(
    modules: &Modules,
    own: &CoreModule,
    store: &mut Store<State>,
) -> wasmtime::Result<Instance> {
    let function = store.data().function.clone();
    let mut linked = Vec::with_capacity(modules.linked.len());
    for (opened, known) in modules.linked.iter().zip(&function.linked) {
        let module = core_module(opened)?;
        let instance = module.instantiate(store, &linked).await?;
        module.start(store, &instance).await?;
        linked.push((&*known.name, instance));
    }
    own.instantiate(store, &linked).await
}

fn core_module(opened: &Opened) -> wasmtime::Result<&CoreModule> {
    match opened {
        Opened::Core(module) => Ok(module),
        Opened::Component { .. } => Err(wasmtime::format_err!("it is a component")),
    }
}

impl Modules {
    /// Whether the function's own begins with the memory its start-up left.
    pub(crate) fn is_snapshot(&self) -> bool {
        core_module(&self.own).is_ok_and(CoreModule::is_snapshot)
    }

    /// What an instance of them takes of the pool.
    pub(crate) fn needs(&self) -> Needs {
        self.linked.iter().fold(self.own.needs(), |needs, linked| needs + linked.needs())
    }

    /// Whether something is run before the event comes.
    pub(crate) fn have_start(&self) -> bool {
        let all = std::iter::once(&self.own).chain(&self.linked);
        all.into_iter().any(|opened| core_module(opened).is_ok_and(CoreModule::has_start))
    }

    /// The name of the linked module that has this code; nothing for the function's own.
    fn name_of<'a>(&self, names: &'a [LinkedModule], code: &Module) -> Option<&'a str> {
        let code = code.image_range();
        let is_it = |opened: &Opened| core_module(opened).is_ok_and(|known| known.code() == code);
        if is_it(&self.own) {
            return None;
        }
        let mut linked = self.linked.iter().zip(names);
        linked.find(|(opened, _)| is_it(opened)).map(|(_, known)| &*known.name)
    }
}

impl State {
    fn new(context: &GuestContext, event: Event) -> Self {
        Self {
            limits: Limits::new(context),
            function: context.function.clone(),
            output: context.output.clone(),
            on_demand: CallsOnDemand::of(context),
            calls: None,
            clients: http_client::Clients::default(),
            resolvers: dns::Resolvers::default(),
            memory: None,
            event,
            views: memory_view::Views::default(),
            fifos: fifo::Fifos::default(),
            values: globals::Values::default(),
            wasi: wasi::Wasi::new(),
        }
    }

    fn calls(&mut self) -> Calls {
        self.calls.get_or_insert_with(|| Calls::new(&self.on_demand)).clone()
    }
}
