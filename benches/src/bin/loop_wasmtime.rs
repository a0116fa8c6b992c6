//! wasmtime alone: a pooled engine that instantiates and calls one guest, over and over. What a function
//! costs beside this is what its host adds.
//!
//! Arguments: the guest's file and, for a core module, its export. Core guests find host functions that do
//! nothing; components get wasmtime's own `wasi:http`, and their answer is read to its end.

use std::{
    convert::Infallible,
    path::Path,
    sync::mpsc::{RecvTimeoutError, SyncSender, sync_channel},
    thread,
    time::{Duration, Instant},
};

use bytes::Bytes;
use headgate_benches::looping::{Counting, Round, take_turns};
use http_body_util::{BodyExt, Empty};
use tokio::{sync::oneshot, task::unconstrained};
use wasmtime::{
    Caller, Config, Engine, Extern, InstanceAllocationStrategy, InstancePre, Linker, Module,
    PoolingAllocationConfig, Store, StoreLimits, StoreLimitsBuilder,
    component::{self, Component, ResourceTable},
};
use wasmtime_wasi::{WasiCtx, WasiCtxView, WasiView};
use wasmtime_wasi_http::{
    Error, RequestOptions, WasiBody, WasiHttpCtx, WasiHttpCtxView, WasiHttpHooks, WasiHttpView,
    p2::bindings::{ProxyPre, http::types::Scheme},
};

fn main() -> anyhow::Result<()> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let engine = engine().map_err(failed)?;
    let _ticker = tick(&engine);
    match &arguments[..] {
        [file] => component_loop(&engine, file.as_ref()),
        [file, export] => core_loop(&engine, file.as_ref(), export),
        _ => anyhow::bail!("usage: loop_wasmtime FILE [EXPORT]"),
    }
}

/// Guests alive at one time.
const SLOTS: u32 = 100;
/// What every host of strangers' guests needs: an end to their time and to their memory.
const EPOCH_TICK: Duration = Duration::from_millis(10);
const EPOCH_DEADLINE: u64 = 1000;
const MEMORY: usize = 128 << 20;
/// Memory a slot keeps for its next guest, the value wasmtime's authors measured with.
const KEEP_RESIDENT: usize = 64 << 10;

fn engine() -> wasmtime::Result<Engine> {
    let mut pool = PoolingAllocationConfig::new();
    pool.total_core_instances(SLOTS * 8)
        .total_component_instances(SLOTS)
        .total_memories(SLOTS)
        .total_tables(SLOTS * 4)
        .total_stacks(SLOTS)
        .table_elements(100_000)
        .max_unused_warm_slots(SLOTS)
        .linear_memory_keep_resident(KEEP_RESIDENT)
        .table_keep_resident(KEEP_RESIDENT)
        .async_stack_keep_resident(KEEP_RESIDENT);
    let mut config = Config::new();
    config.epoch_interruption(true).allocation_strategy(InstanceAllocationStrategy::Pooling(pool));
    Engine::new(&config)
}

/// Makes the engine's time pass until the returned sender is dropped.
fn tick(engine: &Engine) -> SyncSender<()> {
    let (stop, stopped) = sync_channel(0);
    let engine = engine.weak();
    thread::spawn(move || {
        while stopped.recv_timeout(EPOCH_TICK) == Err(RecvTimeoutError::Timeout) {
            let Some(engine) = engine.upgrade() else { return };
            engine.increment_epoch();
        }
    });
    stop
}

fn limits() -> StoreLimits {
    StoreLimitsBuilder::new().memory_size(MEMORY).build()
}

fn core_loop(engine: &Engine, file: &Path, export: &str) -> anyhow::Result<()> {
    let guest = core_guest(engine, file).map_err(failed)?;
    take_turns(|duration| {
        let mut counting = Counting::start(duration);
        while counting.running() {
            let start = Instant::now();
            core_call(engine, &guest, export).map_err(failed)?;
            counting.called(start);
        }
        Ok(counting.end())
    })
}

fn core_guest(engine: &Engine, file: &Path) -> wasmtime::Result<InstancePre<StoreLimits>> {
    core_linker(engine)?.instantiate_pre(&Module::from_file(engine, file)?)
}

fn core_call(
    engine: &Engine,
    guest: &InstancePre<StoreLimits>,
    export: &str,
) -> wasmtime::Result<()> {
    let mut store = Store::new(engine, limits());
    store.limiter(|limits| limits);
    store.set_epoch_deadline(EPOCH_DEADLINE);
    let instance = guest.instantiate(&mut store)?;
    instance.get_typed_func::<u32, u32>(&mut store, export)?.call(&mut store, EVENT)?;
    Ok(())
}

const EVENT: u32 = 1;
/// `getEventType` of an HTTP event.
const HTTP: u32 = 1;
/// `readHttpEventBody` at the end of the body.
const END_OF_BODY: u32 = 8;

const SDK: &str = "taubyte/sdk";

/// The part of Taubyte's ABI that the measured guests import, as stubs that do the least a guest accepts.
fn core_linker(engine: &Engine) -> wasmtime::Result<Linker<StoreLimits>> {
    let mut linker = Linker::new(engine);
    for name in ["getHttpEventMethodSize", "getHttpEventPathSize", "eventHttpRetCode"] {
        linker.func_wrap(SDK, name, |_: u32, _: u32| 0_u32)?;
    }
    for name in ["getHttpEventMethod", "getHttpEventPath"] {
        linker.func_wrap(SDK, name, |_: u32, _: u32, _: u32| 0_u32)?;
    }
    for name in ["getHttpEventHeadersSize", "getHttpEventQueryValueByNameSize", "eventHttpWrite"] {
        linker.func_wrap(SDK, name, |_: u32, _: u32, _: u32, _: u32| 0_u32)?;
    }
    for name in ["getHttpEventHeaders", "getHttpEventQueryValueByName", "eventHttpHeaderAdd"] {
        linker.func_wrap(SDK, name, |_: u32, _: u32, _: u32, _: u32, _: u32| 0_u32)?;
    }
    linker.func_wrap(SDK, "readHttpEventBody", |_: u32, _: u32, _: u32, _: u32| END_OF_BODY)?;
    linker.func_wrap(SDK, "getEventType", event_type)?;
    Ok(linker)
}

fn event_type(
    mut caller: Caller<'_, StoreLimits>,
    _event: u32,
    place: u32,
) -> wasmtime::Result<()> {
    let memory = caller.get_export("memory").and_then(Extern::into_memory);
    let memory = memory.ok_or_else(|| wasmtime::format_err!("the guest exports no memory"))?;
    memory.write(&mut caller, place as usize, &HTTP.to_le_bytes())?;
    Ok(())
}

fn component_loop(engine: &Engine, file: &Path) -> anyhow::Result<()> {
    let guest = component_guest(engine, file).map_err(failed)?;
    let runtime =
        tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build()?;
    take_turns(|duration| {
        // The loop has the worker for itself, so it need not be told to yield.
        let turn = unconstrained(component_turn(engine.clone(), guest.clone(), duration));
        runtime.block_on(async { tokio::spawn(turn).await?.map_err(failed) })
    })
}

fn component_guest(engine: &Engine, file: &Path) -> wasmtime::Result<ProxyPre<State>> {
    let mut linker = component::Linker::new(engine);
    wasmtime_wasi::p2::add_to_linker_async(&mut linker)?;
    wasmtime_wasi_http::p2::add_only_http_to_linker_async(&mut linker)?;
    ProxyPre::new(linker.instantiate_pre(&Component::from_file(engine, file)?)?)
}

async fn component_turn(
    engine: Engine,
    guest: ProxyPre<State>,
    duration: Duration,
) -> wasmtime::Result<Round> {
    let mut counting = Counting::start(duration);
    while counting.running() {
        let start = Instant::now();
        let body = component_call(&engine, &guest).await?;
        counting.called(start);
        wasmtime::ensure!(!body.is_empty(), "the guest answered nothing");
    }
    Ok(counting.end())
}

async fn component_call(engine: &Engine, guest: &ProxyPre<State>) -> wasmtime::Result<Bytes> {
    let mut store = Store::new(engine, State::new());
    store.limiter(|state| &mut state.limits);
    store.set_epoch_deadline(EPOCH_DEADLINE);
    let (sender, response) = oneshot::channel();
    let body = Empty::<Bytes>::new().map_err(|never: Infallible| -> Error { match never {} });
    let request = http::Request::get("http://bench.test/").body(body)?;
    let request = store.data_mut().http().new_incoming_request(Scheme::Http, request)?;
    let responder = store.data_mut().http().new_response_outparam(sender)?;
    let proxy = guest.instantiate_async(&mut store).await?;
    let call = async move {
        proxy.wasi_http_incoming_handler().call_handle(&mut store, request, responder).await
    };
    let read = async move {
        wasmtime::Result::Ok(response.await??.into_body().collect().await?.to_bytes())
    };
    let (called, body) = tokio::join!(call, read);
    called?;
    body
}

/// wasmtime has an error type of its own.
fn failed(error: wasmtime::Error) -> anyhow::Error {
    anyhow::Error::from_boxed(error.into())
}

/// What a component's instance holds.
struct State {
    wasi: WasiCtx,
    http: WasiHttpCtx,
    table: ResourceTable,
    limits: StoreLimits,
    hooks: NoWayOut,
}

impl State {
    fn new() -> Self {
        Self {
            wasi: WasiCtx::builder().build(),
            http: WasiHttpCtx::new(),
            table: ResourceTable::new(),
            limits: limits(),
            hooks: NoWayOut,
        }
    }
}

impl WasiView for State {
    fn ctx(&mut self) -> WasiCtxView<'_> {
        WasiCtxView { ctx: &mut self.wasi, table: &mut self.table }
    }
}

impl WasiHttpView for State {
    fn http(&mut self) -> WasiHttpCtxView<'_> {
        WasiHttpCtxView { ctx: &mut self.http, table: &mut self.table, hooks: &mut self.hooks }
    }
}

/// No guest here asks anything of anybody.
struct NoWayOut;

type Sent = (http::Response<WasiBody>, Box<dyn Future<Output = Result<(), Error>> + Send>);

impl WasiHttpHooks for NoWayOut {
    fn send_request(
        &mut self,
        _: http::Request<WasiBody>,
        _: Option<RequestOptions>,
        _: Box<dyn Future<Output = Result<(), Error>> + Send>,
    ) -> Box<dyn Future<Output = Result<Sent, Error>> + Send> {
        Box::new(async { Err(Error::HttpRequestDenied) })
    }
}
