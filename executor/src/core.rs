//! Guests that are core modules speaking Taubyte's ABI.
//!
//! A fresh instance is started (`_initialize`, else `_start`) and its entry called with the id of the one event
//! it has. What the entry returns is ignored, as in Taubyte: only a trap or the deadline is an error. The answer
//! is what the guest told the functions of [`event`].

mod codec;
mod env;
mod errno;
mod event;
mod identity;
mod memory;
mod redirect;
mod reply;
mod sdk_table;

use std::{collections::HashMap, sync::Arc, time::Instant};

use headgate_types::RequestId;
use tokio::sync::oneshot;
use wasmtime::{
    Engine, ExternType, FuncType, InstancePre, Linker, Memory, Module, ModuleExport, Store, ValType,
};
use wasmtime_wasi::{I32Exit, p1::WasiP1Ctx};

use self::event::Event;
pub(crate) use self::sdk_table::is_unserved;
use crate::{
    artefact::Opened,
    body::RequestBody,
    component,
    error::{DeadlineReached, Failure, InvokeError},
    function::FunctionSpec,
    invocation::HttpInvocation,
    limits::Limits,
    log::Output,
    response::Head,
    running::{GuestContext, GuestFuture, watch},
};

/// The module all functions of Taubyte's SDK are imported from.
const SDK: &str = "taubyte/sdk";
/// The only event of an instance. Taubyte counts them from zero.
const EVENT: u32 = 0;

/// What a core guest's store holds.
pub(crate) struct State {
    limits: Limits,
    deadline: Instant,
    function: Arc<FunctionSpec>,
    output: Output,
    /// The guest's memory, once it is instantiated.
    memory: Option<Memory>,
    event: Event,
    /// Made when the guest first calls WASI; many never do.
    wasi: Option<Box<WasiP1Ctx>>,
}

/// Everything a core guest may import.
pub(crate) fn linker(engine: &Engine) -> wasmtime::Result<Linker<State>> {
    let mut linker = Linker::new(engine);
    wasmtime_wasi::p1::add_to_linker_async(&mut linker, State::wasi)?;
    env::add_to_linker(&mut linker)?;
    event::add_to_linker(&mut linker)?;
    identity::add_to_linker(&mut linker)?;
    sdk_table::add_to_linker(&mut linker)?;
    Ok(linker)
}

/// What the linker provides, by module and name. Asked once: it tells types only in the context of a store.
pub(crate) struct Signatures(HashMap<String, HashMap<String, FuncType>>);

impl Signatures {
    pub(crate) fn of(linker: &Linker<State>, context: &GuestContext) -> Self {
        let (head, _) = oneshot::channel();
        let nothing = HttpInvocation {
            request: http::Request::new(RequestBody::empty()),
            secure: false,
            request_id: RequestId::from_bytes([0; 16]),
            params: Vec::new(),
        };
        let event = Event::new(nothing, &context.config, head);
        let mut store = Store::new(linker.engine(), State::new(context, event));
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

/// Whether an export of this type can be an entry.
pub(crate) fn takes_event(ty: &FuncType) -> bool {
    let mut params = ty.params();
    let mut results = ty.results();
    let takes = matches!((params.next(), params.next()), (Some(ValType::I32), None));
    takes && matches!((results.next(), results.next()), (None | Some(ValType::I32), None))
}

/// An opened core module with its exports looked up.
pub(crate) struct CoreModule {
    pre: InstancePre<State>,
    memory: Option<ModuleExport>,
    /// `_initialize`, else `_start`; the latter may fail.
    start: Option<Start>,
    entries: Box<[(Box<str>, EntryPoint)]>,
}

#[derive(Clone, Copy)]
struct Start {
    export: ModuleExport,
    may_fail: bool,
}

/// Where an event goes in.
#[derive(Clone, Copy)]
pub(crate) struct EntryPoint {
    export: ModuleExport,
    returns: bool,
}

impl CoreModule {
    pub(crate) fn new(linker: &Linker<State>, module: &Module) -> wasmtime::Result<Self> {
        let mut entries = Vec::new();
        for export in module.exports() {
            let ExternType::Func(ty) = export.ty() else { continue };
            if !takes_event(&ty) {
                continue;
            }
            if let Some(index) = module.get_export_index(export.name()) {
                let returns = ty.results().len() > 0;
                entries.push((export.name().into(), EntryPoint { export: index, returns }));
            }
        }
        let start = |name, may_fail| {
            let export = module.get_export_index(name)?;
            Some(Start { export, may_fail })
        };
        Ok(Self {
            pre: linker.instantiate_pre(module)?,
            memory: module.get_export_index("memory"),
            start: start("_initialize", false).or_else(|| start("_start", true)),
            entries: entries.into(),
        })
    }

    pub(crate) fn entry(&self, name: &str) -> Option<EntryPoint> {
        let (_, entry) = self.entries.iter().find(|(known, _)| **known == *name)?;
        Some(*entry)
    }
}

/// Prepares a request; the guest runs when the future is polled.
pub(crate) fn start(
    opened: Arc<Opened>,
    entry: EntryPoint,
    engine: &Engine,
    context: &GuestContext,
    http: HttpInvocation,
) -> Result<(GuestFuture, oneshot::Receiver<Head>), InvokeError> {
    let (head_sender, head) = oneshot::channel();
    let event = Event::new(http, &context.config, head_sender);
    let mut store = Store::new(engine, State::new(context, event));
    store.limiter(|state| &mut state.limits);
    watch(&mut store, |state| state.deadline);
    let guest = Box::pin(async move {
        match run(&opened, entry, &mut store).await {
            Ok(()) => Ok(store.into_data().event.finish()),
            Err(error) => Err(Failure::of(&error, store.data().limits.refused())),
        }
    });
    Ok((guest, head))
}

async fn run(opened: &Opened, entry: EntryPoint, store: &mut Store<State>) -> wasmtime::Result<()> {
    let Opened::Core(module) = opened else {
        wasmtime::bail!("a component was started as a core module");
    };
    let instance = module.pre.instantiate_async(&mut *store).await?;
    if let Some(memory) = &module.memory {
        let memory = instance.get_module_export(&mut *store, memory);
        store.data_mut().memory = memory.and_then(wasmtime::Extern::into_memory);
    }
    let func = |store: &mut Store<State>, export: &ModuleExport| {
        let func = instance.get_module_export(store, export).and_then(wasmtime::Extern::into_func);
        func.ok_or_else(|| wasmtime::format_err!("an entry is not a function"))
    };
    if let Some(start) = &module.start {
        let init = func(store, &start.export)?.typed::<(), ()>(&*store)?;
        match init.call_async(&mut *store, ()).await {
            Err(error) if !start.may_fail || error.is::<DeadlineReached>() => return Err(error),
            _ => {}
        }
    }
    let handle = func(store, &entry.export)?;
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

impl State {
    fn new(context: &GuestContext, event: Event) -> Self {
        Self {
            limits: Limits::new(context),
            deadline: context.deadline,
            function: context.function.clone(),
            output: context.output.clone(),
            memory: None,
            event,
            wasi: None,
        }
    }

    fn wasi(&mut self) -> &mut WasiP1Ctx {
        let (output, function) = (&self.output, &self.function);
        self.wasi.get_or_insert_with(|| {
            Box::new(component::wasi(output, &function.variables).build_p1())
        })
    }
}
