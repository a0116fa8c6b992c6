//! Whatever host calls a core guest makes, with whatever arguments, it ends in a way that is foreseen, and what the
//! host keeps for it stays small (the run's own bound on memory).
#![no_main]

use std::{
    io,
    sync::{Arc, LazyLock},
    time::Duration,
};

use bytes::Bytes;
use headgate_executor::{
    Artefacts, Config, Entry, Executor, Function, FunctionLimits, FunctionSpec, GuestLine, GuestLog,
    HttpInvocation, Invocation, InvokeError, Metrics, RequestBody, TrapReason,
};
use headgate_types::{Branch, ByteSize, Commit, Digest, RequestId, Scope};
use http_body_util::BodyExt;
use libfuzzer_sys::fuzz_target;
use tokio::runtime::Runtime;

#[path = "../../../executor/tests/executor/values.rs"]
#[allow(dead_code, reason = "tests use more of it")]
mod values;

#[path = "../../../executor/tests/executor/every_call.rs"]
#[allow(dead_code, reason = "tests use more of it")]
mod every_call;

fuzz_target!(|bytes: &[u8]| {
    let Lab { runtime, function, .. } = &*LAB;
    let request = http::Request::post("/path?query=value")
        .header("host", "shop.test")
        .body(RequestBody::full(every_call::program(bytes)))
        .expect("this is a request");
    let invocation = Invocation::Http(HttpInvocation {
        request,
        secure: false,
        request_id: RequestId::from_bytes([0; 16]),
        params: Vec::new(),
    });
    runtime.block_on(async {
        match function.invoke(invocation).await {
            Ok(response) => _ = response.into_body().collect().await,
            Err(InvokeError::Trap(trapped)) => {
                assert!(matches!(trapped.reason, TrapReason::Exit), "{trapped:?}");
            }
            Err(error) => assert!(!matches!(error, InvokeError::Artefact { .. }), "{error:?}"),
        }
    });
    assert_eq!(function.in_flight(), 0);
});

struct Lab {
    runtime: Runtime,
    function: Function,
    _folder: tempfile::TempDir,
}

static LAB: LazyLock<Lab> = LazyLock::new(|| {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build();
    let runtime = runtime.expect("a runtime");
    let folder = tempfile::tempdir().expect("there is a place for temporary files");
    let mut config = Config::new(folder.path().join("native"));
    config.instances = 1;
    let metrics = Arc::new(Metrics::new(&mut prometheus_client::registry::Registry::default()));
    let executor = Executor::open(
        config,
        Arc::new(Nothing),
        Arc::new(Nothing),
        Arc::new(headgate_executor::NoWayOut),
        Arc::<values::Values>::default(),
        metrics,
    );
    let executor = executor.expect("an executor");
    let wasm = wat::parse_str(every_call::guest()).expect("the guest is WebAssembly");
    let artefact = Digest::of(&wasm);
    runtime.block_on(executor.compile(artefact, wasm.into())).expect("the guest compiles");
    let function = executor.function(FunctionSpec {
        scope: Scope {
            project: "fuzz".parse().expect("this is a name"),
            application: None,
            function: "host_calls".into(),
            branch: Branch::new("main"),
        },
        id: String::new(),
        artefact,
        linked: Vec::new(),
        entry: Entry::Core { export: "main".into() },
        limits: FunctionLimits {
            memory: ByteSize::from_mib(4),
            deadline: Duration::from_millis(500),
            concurrency: 1,
            queue: 0,
        },
        variables: vec![("NAME".to_owned(), "value".to_owned())],
        project_id: String::new(),
        commit: Commit::new(""),
    });
    Lab { runtime, function, _folder: folder }
});

/// Nobody reads the log, and the native artefact is never lost.
struct Nothing;

impl GuestLog for Nothing {
    fn line(&self, _line: GuestLine<'_>) {}
}

impl Artefacts for Nothing {
    fn read(&self, _digest: Digest) -> io::Result<Bytes> {
        Err(io::ErrorKind::NotFound.into())
    }
}
