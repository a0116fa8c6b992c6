//! Guests that are components exporting `wasi:http/incoming-handler@0.2` or `wasi:http/handler@0.3`.
//!
//! They get all of `wasi:cli/imports`, `wasi:http` and `wasi:config/store`: clocks, randomness, their variables,
//! requests to others, and an output that is logged. Files, sockets and names are linked, because toolchains import
//! them, and denied when used.

mod handler;
mod shared_body;

use std::sync::Arc;

use http::{HeaderName, HeaderValue, header, uri};
use http_body_util::BodyExt;
use tokio::sync::oneshot;
use wasmtime::{
    Engine, Store,
    component::{Component, HasData, Linker, ResourceTable},
};
use wasmtime_wasi::{WasiCtx, WasiCtxBuilder, WasiCtxView, WasiView, p2::bindings::io};
use wasmtime_wasi_config::{WasiConfig, WasiConfigVariables};
use wasmtime_wasi_http::{
    Error as WasiError, RequestOptions, WasiBody, WasiHttpCtx, WasiHttpCtxView, WasiHttpHooks,
    WasiHttpView,
    p2::bindings::{ProxyPre, http::types::Scheme},
    p3::bindings::ServicePre,
};

use crate::{
    artefact::Opened,
    body::RequestBody,
    config::Config,
    defaults,
    engine::Engines,
    error::{Failure, InvokeError},
    invocation::HttpInvocation,
    limits::Limits,
    log::{GuestStream, Output},
    outbound::{CallTimeouts, Calls, CallsOnDemand, OutboundError, came_through},
    pace::{Pace, watch},
    response::{Head, Source},
    running::{Ended, Failed, GuestContext, GuestFuture},
};

/// Fields that carry path parameters. A client's own are removed, so a guest can rely on them.
const PARAM_PREFIX: &str = "x-headgate-param-";

/// What a component's store holds.
pub(crate) struct State {
    table: ResourceTable,
    /// Made when the guest first asks for more than HTTP.
    wasi: Option<Box<WasiCtx>>,
    /// The function's variables, made when the guest first asks for its settings.
    settings: Option<Box<WasiConfigVariables>>,
    http: WasiHttpCtx,
    hooks: Hooks,
    limits: Limits,
}

/// Everything a component may import, for either engine.
pub(crate) struct Linkers {
    plain: Linker<State>,
    /// For 0.3; such a guest may import from 0.2, too.
    concurrent: Linker<State>,
}

impl Linkers {
    pub(crate) fn new(engines: &Engines) -> wasmtime::Result<Self> {
        let mut concurrent = linker(&engines.concurrent)?;
        wasmtime_wasi::p3::add_to_linker(&mut concurrent)?;
        wasmtime_wasi_http::p3::add_to_linker(&mut concurrent)?;
        Ok(Self { plain: linker(&engines.plain)?, concurrent })
    }

    fn of(&self, component: &Component) -> &Linker<State> {
        match Engine::same(self.plain.engine(), component.engine()) {
            true => &self.plain,
            false => &self.concurrent,
        }
    }
}

fn linker(engine: &Engine) -> wasmtime::Result<Linker<State>> {
    let mut linker = Linker::new(engine);
    wasmtime_wasi::p2::add_to_linker_async(&mut linker)?;
    // Streams need the table alone: with these, a guest that only speaks HTTP never makes a WASI context.
    linker.allow_shadowing(true);
    io::error::add_to_linker::<State, HasTable>(&mut linker, State::table)?;
    io::poll::add_to_linker::<State, HasTable>(&mut linker, State::table)?;
    io::streams::add_to_linker::<State, HasTable>(&mut linker, State::table)?;
    linker.allow_shadowing(false);
    wasmtime_wasi_http::p2::add_only_http_to_linker_async(&mut linker)?;
    wasmtime_wasi_config::add_to_linker(&mut linker, State::settings)?;
    Ok(linker)
}

/// Access to a store's host objects, as wasmtime's bindings want it named.
struct HasTable;

impl HasData for HasTable {
    type Data<'a> = &'a mut ResourceTable;
}

/// Prepares a request; the guest runs when the future is polled.
pub(crate) fn start(
    opened: Arc<Opened>,
    context: &GuestContext,
    http: HttpInvocation,
) -> Result<(GuestFuture, oneshot::Receiver<Head>), InvokeError> {
    let scheme = if http.secure { Scheme::Https } else { Scheme::Http };
    let request = prepare(http)?;
    let Opened::Component { pre, .. } = &*opened else {
        return Err(InvokeError::Request { reason: "a core module was started as a component" });
    };
    let mut store = Store::new(pre.engine(), State::new(context));
    store.data_mut().hooks.on_demand.came_through = came_through(request.headers());
    store.limiter(|state| &mut state.limits);
    store.set_hostcall_fuel(defaults::HOST_CALL);
    watch(&mut store, context.pace.clone());
    let (head_sender, head) = oneshot::channel();
    let pace = context.pace.clone();
    let guest = Box::pin(async move {
        let handled = match &*opened {
            Opened::Component { pre: Pre::IncomingHandler(pre), .. } => {
                handle(pre, &mut store, &pace, (scheme, request), head_sender).await
            }
            Opened::Component { pre: Pre::Handler(pre), .. } => {
                // Boxed, so that guests of 0.2 do not carry what this takes.
                let request = (scheme, request);
                Box::pin(handler::handle(pre, &mut store, &pace, request, head_sender)).await
            }
            Opened::Core(_) => {
                Err(wasmtime::format_err!("a core module was started as a component"))
            }
        };
        match handled {
            Ok(()) => Ok(Ended::Component(store)),
            Err(error) => {
                let failure = Failure::of(&error, store.data().limits.refused(), |_| None);
                Err(Failed::keeping(failure, store))
            }
        }
    });
    Ok((guest, head))
}

async fn handle(
    pre: &ProxyPre<State>,
    store: &mut Store<State>,
    pace: &Pace,
    (scheme, request): (Scheme, http::Request<RequestBody>),
    head: oneshot::Sender<Head>,
) -> wasmtime::Result<()> {
    let request = store.data_mut().http().new_incoming_request(scheme, request)?;
    let out = store.data_mut().http().new_response_outparam_from_callback(|answer| {
        let answer = match answer {
            Ok(response) => Head::Response(response.map(Source::Component)),
            Err(code) => Head::Error(format!("{code:?}")),
        };
        // Nobody listens any more if the request was dropped; then the guest is about to be, too.
        _ = head.send(answer);
    })?;
    let proxy = pre.instantiate_async(&mut *store).await?;
    pace.started();
    proxy.wasi_http_incoming_handler().call_handle(store, request, out).await
}

/// The request as the guest is meant to see it.
fn prepare(http: HttpInvocation) -> Result<http::Request<RequestBody>, InvokeError> {
    let HttpInvocation { mut request, params, .. } = http;
    if request.uri().authority().is_none() {
        let host = request.headers().get(header::HOST);
        let host = host.ok_or(InvokeError::Request { reason: "it names no host" })?;
        uri::Authority::try_from(host.as_bytes())
            .map_err(|_| InvokeError::Request { reason: "its host is not valid" })?;
    }
    let headers = request.headers_mut();
    let forged: Vec<HeaderName> =
        headers.keys().filter(|name| name.as_str().starts_with(PARAM_PREFIX)).cloned().collect();
    for name in forged {
        headers.remove(name);
    }
    for (name, value) in params {
        let field = HeaderName::try_from(format!("{PARAM_PREFIX}{name}"))
            .map_err(|_| InvokeError::Request { reason: "a path parameter's name is no token" })?;
        let value = HeaderValue::from_bytes(value.as_bytes())
            .map_err(|_| InvokeError::Request { reason: "its path has control characters" })?;
        headers.insert(field, value);
    }
    Ok(request)
}

impl State {
    fn new(context: &GuestContext) -> Self {
        let mut table = ResourceTable::new();
        table.set_max_capacity(defaults::HOST_RESOURCES);
        let mut http = WasiHttpCtx::new();
        http.set_field_size_limit(field_limit(&context.config));
        Self {
            table,
            wasi: None,
            http,
            hooks: Hooks { on_demand: CallsOnDemand::of(context), calls: None },
            settings: None,
            limits: Limits::new(context),
        }
    }

    fn table(&mut self) -> &mut ResourceTable {
        &mut self.table
    }

    fn settings(&mut self) -> WasiConfig<'_> {
        let variables = &self.hooks.on_demand.function.variables;
        let settings =
            self.settings.get_or_insert_with(|| Box::new(variables.iter().cloned().collect()));
        WasiConfig::from(&**settings)
    }
}

/// wasmtime counts a field's overhead as well; the exact limit is checked when the head is sent.
fn field_limit(config: &Config) -> usize {
    2 * config.response_head
}

/// What WASI shows a guest: its variables and its log, and nothing of this machine but clocks and randomness.
fn wasi(output: &Output, variables: &[(String, String)]) -> WasiCtxBuilder {
    let mut builder = WasiCtx::builder();
    builder
        .envs(variables)
        .stdout(output.stream(GuestStream::Stdout))
        .stderr(output.stream(GuestStream::Stderr))
        .allow_tcp(false)
        .allow_udp(false)
        .allow_ip_name_lookup(false)
        .max_random_size(defaults::RANDOM_BYTES);
    builder
}

impl WasiView for State {
    fn ctx(&mut self) -> WasiCtxView<'_> {
        let CallsOnDemand { output, function, .. } = &self.hooks.on_demand;
        let wasi =
            self.wasi.get_or_insert_with(|| Box::new(wasi(output, &function.variables).build()));
        WasiCtxView { ctx: wasi, table: &mut self.table }
    }
}

impl WasiHttpView for State {
    fn http(&mut self) -> WasiHttpCtxView<'_> {
        WasiHttpCtxView { ctx: &mut self.http, table: &mut self.table, hooks: &mut self.hooks }
    }
}

/// Our word on `wasi:http`.
struct Hooks {
    on_demand: CallsOnDemand,
    calls: Option<Calls>,
}

type Pending<T> = Box<dyn Future<Output = Result<T, WasiError>> + Send>;

impl WasiHttpHooks for Hooks {
    /// wasmtime drives the call in a task that ends with the store's resources. Redirects are the guest's affair,
    /// as the specification has it.
    fn send_request(
        &mut self,
        request: http::Request<WasiBody>,
        options: Option<RequestOptions>,
        _sent: Pending<()>,
    ) -> Pending<(http::Response<WasiBody>, Pending<()>)> {
        let calls = self.calls.get_or_insert_with(|| Calls::new(&self.on_demand)).clone();
        let request = request
            .map(|body| body.map_err(|_: WasiError| OutboundError::RequestBody).boxed_unsync());
        let options = options.unwrap_or_default();
        let timeouts = CallTimeouts {
            connect: options.connect_timeout,
            first_byte: options.first_byte_timeout,
            between_bytes: options.between_bytes_timeout,
        };
        Box::new(async move {
            let response = calls.send(request, timeouts).await?;
            let response = response.map(|body| body.map_err(WasiError::from).boxed_unsync());
            // The connection is driven elsewhere.
            Ok((response, Box::new(std::future::ready(Ok(()))) as Pending<()>))
        })
    }

    fn p2_outgoing_body_chunk_size(&mut self) -> usize {
        defaults::COMPONENT_CHUNK
    }
}

/// A component's entry, resolved once.
pub(crate) enum Pre {
    /// `wasi:http/incoming-handler@0.2`
    IncomingHandler(ProxyPre<State>),
    /// `wasi:http/handler@0.3`
    Handler(ServicePre<State>),
}

impl Pre {
    fn engine(&self) -> &Engine {
        match self {
            Self::IncomingHandler(pre) => pre.engine(),
            Self::Handler(pre) => pre.engine(),
        }
    }
}

/// What a component may export to be called.
pub(crate) const INCOMING_HANDLER: &str = "wasi:http/incoming-handler@0.2.";
pub(crate) const HANDLER: &str = "wasi:http/handler@0.3.";

/// Resolves a component's entry; of one that has both, the newer.
pub(crate) fn entry(linkers: &Linkers, component: &Component) -> wasmtime::Result<Pre> {
    let ty = component.component_type();
    let mut exports = ty.exports(component.engine());
    let newer = exports.any(|(name, _)| name.starts_with(HANDLER));
    let pre = linkers.of(component).instantiate_pre(component)?;
    Ok(match newer {
        true => Pre::Handler(ServicePre::new(pre)?),
        false => Pre::IncomingHandler(ProxyPre::new(pre)?),
    })
}
