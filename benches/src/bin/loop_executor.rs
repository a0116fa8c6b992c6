//! The executor without HTTP: `Function::invoke` of one guest, over and over, each in a fresh instance.
//!
//! Arguments: a folder for native artefacts, the guest's file and, for a core module, its export.

use std::{
    fs, io,
    path::Path,
    sync::Arc,
    time::{Duration, Instant},
};

use anyhow::{Context as _, ensure};
use bytes::Bytes;
use headgate_benches::looping::{Counting, Round, take_turns};
use headgate_executor::{
    Artefacts, Config, Entry, Executor, Function, FunctionLimits, FunctionSpec, GuestLine,
    GuestLog, HttpInvocation, Invocation, Metrics, NoGlobals, NoWayOut, RequestBody,
};
use headgate_types::{Branch, ByteSize, Commit, Digest, RequestId, Scope};
use http_body_util::BodyExt;
use prometheus_client::registry::Registry;
use tokio::task::unconstrained;

fn main() -> anyhow::Result<()> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let (natives, file, export) = match &arguments[..] {
        [natives, file] => (natives, file, None),
        [natives, file, export] => (natives, file, Some(export.as_str())),
        _ => anyhow::bail!("usage: loop_executor NATIVES FILE [EXPORT]"),
    };
    let wasm = fs::read(file).with_context(|| format!("reading {file}"))?;
    let runtime =
        tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build()?;
    let function = runtime.block_on(function(natives.as_ref(), wasm.into(), export))?;
    take_turns(|duration| {
        // The loop has the worker for itself, so it need not be told to yield.
        let turn = unconstrained(turn(function.clone(), duration));
        runtime.block_on(async { tokio::spawn(turn).await? })
    })
}

async fn function(natives: &Path, wasm: Bytes, export: Option<&str>) -> anyhow::Result<Function> {
    let digest = Digest::of(&wasm);
    let metrics = Arc::new(Metrics::new(&mut Registry::default()));
    let config = Config::new(natives);
    let artefacts = Arc::new(OneArtefact(wasm.clone()));
    let (no_way_out, no_globals) = (Arc::new(NoWayOut), Arc::new(NoGlobals));
    let executor =
        Executor::open(config, artefacts, Arc::new(NoLog), no_way_out, no_globals, metrics)?;
    executor.compile(digest, wasm).await?;
    let entry = match export {
        Some(export) => Entry::Core { export: export.into() },
        None => Entry::Component,
    };
    Ok(executor.function(FunctionSpec {
        scope: Scope {
            project: "bench".parse()?,
            application: None,
            function: "bench".into(),
            branch: Branch::new("main"),
        },
        id: "bench".to_owned(),
        artefact: digest,
        linked: Vec::new(),
        entry,
        limits: FunctionLimits { memory: ByteSize::from_mib(128), ..FunctionLimits::default() },
        variables: Vec::new(),
        project_id: "bench".to_owned(),
        commit: Commit::new("bench"),
    }))
}

async fn turn(function: Function, duration: Duration) -> anyhow::Result<Round> {
    let mut counting = Counting::start(duration);
    let mut number = 0_u128;
    while counting.running() {
        number += 1;
        let start = Instant::now();
        let body = call(&function, number).await?;
        counting.called(start);
        ensure!(!body.is_empty(), "the guest answered nothing");
    }
    Ok(counting.end())
}

async fn call(function: &Function, number: u128) -> anyhow::Result<Bytes> {
    let request = http::Request::get("http://bench.test/").body(RequestBody::empty())?;
    let invocation = Invocation::Http(HttpInvocation {
        request,
        secure: false,
        request_id: RequestId::from_bytes(number.to_be_bytes()),
        params: Vec::new(),
    });
    let response = function.invoke(invocation).await?;
    ensure!(response.status().is_success(), "the guest answered {}", response.status());
    Ok(response.into_body().collect().await?.to_bytes())
}

/// The artefact's native form was made before; this is for the day it is lost.
#[derive(Debug)]
struct OneArtefact(Bytes);

impl Artefacts for OneArtefact {
    fn read(&self, _: Digest) -> io::Result<Bytes> {
        Ok(self.0.clone())
    }
}

#[derive(Debug)]
struct NoLog;

impl GuestLog for NoLog {
    fn line(&self, _: GuestLine<'_>) {}
}
