//! What the tests share: an executor in a temporary folder, and short ways to call a guest.

use std::{
    collections::HashMap,
    io,
    path::PathBuf,
    sync::{
        Arc, Mutex,
        atomic::{AtomicU32, Ordering},
    },
    time::Duration,
};

use bytes::Bytes;
use headgate_executor::{
    Artefacts, CompileError, Compiled, Config, Entry, Executor, Function, FunctionLimits,
    FunctionSpec, GuestBodyError, GuestLine, GuestLog, GuestStream, HttpInvocation, Invocation,
    InvokeError, Metrics, NoWayOut, Outbound, RequestBody, ResponseBody,
};
use headgate_types::{Branch, ByteSize, Commit, Digest, RequestId, Scope};
use http::{Request, Response};
use http_body_util::BodyExt;
use prometheus_client::{encoding::text, registry::Registry};
use tempfile::TempDir;

use crate::values::Values;

pub(crate) struct Lab {
    pub(crate) executor: Executor,
    pub(crate) lines: Arc<Lines>,
    pub(crate) wasm: Arc<Wasm>,
    pub(crate) values: Arc<Values>,
    pub(crate) folder: TempDir,
    registry: Registry,
}

/// Raw artefacts by digest, and how often they were asked for.
#[derive(Default)]
pub(crate) struct Wasm {
    blobs: Mutex<HashMap<Digest, Bytes>>,
    pub(crate) reads: AtomicU32,
}

/// What guests printed.
#[derive(Default)]
pub(crate) struct Lines(Mutex<Vec<(GuestStream, String)>>);

impl Lab {
    pub(crate) fn new() -> Self {
        Self::with(|_| {})
    }

    pub(crate) fn with(change: impl FnOnce(&mut Config)) -> Self {
        Self::calling(Arc::new(NoWayOut), change)
    }

    /// Guests call out by `outbound`.
    pub(crate) fn calling(outbound: Arc<dyn Outbound>, change: impl FnOnce(&mut Config)) -> Self {
        let folder = TempDir::new().unwrap();
        let mut config = Config::new(folder.path().join("native"));
        config.instances = 8; // many tests run at once, each with a pool
        change(&mut config);
        let (lines, wasm) = (Arc::<Lines>::default(), Arc::<Wasm>::default());
        let (mut registry, values) = (Registry::default(), Arc::<Values>::default());
        let metrics = Arc::new(Metrics::new(&mut registry));
        let (artefacts, log, globals) = (wasm.clone(), lines.clone(), values.clone());
        let executor = Executor::open(config, artefacts, log, outbound, globals, metrics).unwrap();
        Self { executor, lines, wasm, values, folder, registry }
    }

    pub(crate) async fn compile(&self, wasm: &[u8]) -> Result<Compiled, CompileError> {
        let bytes = Bytes::copy_from_slice(wasm);
        let digest = Digest::of(wasm);
        self.wasm.blobs.lock().unwrap().insert(digest, bytes.clone());
        self.executor.compile(digest, bytes).await
    }

    pub(crate) async fn component(&self, wasm: &[u8]) -> Function {
        self.component_with(wasm, |_| {}).await
    }

    pub(crate) async fn component_with(
        &self,
        wasm: &[u8],
        change: impl FnOnce(&mut FunctionSpec),
    ) -> Function {
        self.compile(wasm).await.unwrap();
        let mut spec = spec(Digest::of(wasm), Entry::Component);
        change(&mut spec);
        self.executor.function(spec)
    }

    pub(crate) async fn core(&self, wasm: &[u8], export: &str) -> Function {
        self.core_with(wasm, export, |_| {}).await
    }

    pub(crate) async fn core_with(
        &self,
        wasm: &[u8],
        export: &str,
        change: impl FnOnce(&mut FunctionSpec),
    ) -> Function {
        self.compile(wasm).await.unwrap();
        let mut spec = spec(Digest::of(wasm), Entry::Core { export: export.into() });
        change(&mut spec);
        self.executor.function(spec)
    }

    /// The metrics as a scraper sees them.
    pub(crate) fn metrics(&self) -> String {
        let mut out = String::new();
        text::encode(&mut out, &self.registry).unwrap();
        out
    }

    /// The native artefacts on disk.
    pub(crate) fn natives(&self) -> Vec<PathBuf> {
        let folder = std::fs::read_dir(self.folder.path().join("native")).unwrap();
        let paths = folder.map(|entry| entry.unwrap().path());
        paths.filter(|path| path.extension().is_some_and(|known| known == "cwasm")).collect()
    }
}

pub(crate) fn spec(artefact: Digest, entry: Entry) -> FunctionSpec {
    FunctionSpec {
        scope: Scope {
            project: "shop".parse().unwrap(),
            application: Some("front".into()),
            function: "test".into(),
            branch: Branch::new("main"),
        },
        id: "QmFunction".to_owned(),
        artefact,
        linked: Vec::new(),
        entry,
        limits: FunctionLimits {
            memory: ByteSize::from_mib(64),
            deadline: Duration::from_secs(20),
            concurrency: 4,
            queue: 4,
        },
        variables: vec![("GREETING".to_owned(), "good morning".to_owned())],
        project_id: "QmProject".to_owned(),
        commit: Commit::new("0123456789abcdef"),
    }
}

/// A guest of `tests/guests`.
pub(crate) fn guest(name: &str) -> Vec<u8> {
    let path = format!("{}/../tests/guests/{name}/{name}.wasm", env!("CARGO_MANIFEST_DIR"));
    std::fs::read(&path).unwrap_or_else(|error| panic!("{path}: {error}"))
}

pub(crate) fn wat(text: &str) -> Vec<u8> {
    wat::parse_str(text).unwrap()
}

/// A core guest: imports, a memory, and one export `main` with this body; `$event` is the event's id.
pub(crate) fn core_wat(imports: &str, data: &str, body: &str) -> Vec<u8> {
    wat(&format!(
        r#"(module {imports} (memory (export "memory") 1) {data}
            (func (export "main") (param $event i32) {body}))"#
    ))
}

pub(crate) const COMPONENT: &str = include_str!("component.wat");

/// A component whose handler has this body; see `component.wat`.
pub(crate) fn component_wat(handle: &str) -> Vec<u8> {
    wat(&COMPONENT.replace("HANDLE))", &format!("{handle}))")))
}

pub(crate) fn get(path: &str) -> Request<RequestBody> {
    request("GET", path, RequestBody::empty())
}

pub(crate) fn post(path: &str, body: impl Into<Bytes>) -> Request<RequestBody> {
    request("POST", path, RequestBody::full(body))
}

pub(crate) fn request(method: &str, path: &str, body: RequestBody) -> Request<RequestBody> {
    Request::builder().method(method).uri(path).header("host", "shop.test").body(body).unwrap()
}

pub(crate) fn http(request: Request<RequestBody>) -> Invocation {
    let request_id = RequestId::from_bytes([7; 16]);
    Invocation::Http(HttpInvocation { request, secure: true, request_id, params: Vec::new() })
}

pub(crate) async fn call(
    function: &Function,
    request: Request<RequestBody>,
) -> Result<Response<ResponseBody>, InvokeError> {
    function.invoke(http(request)).await
}

/// Status and text of an answer that must be complete.
pub(crate) async fn answer(function: &Function, request: Request<RequestBody>) -> (u16, String) {
    let (parts, body) = call(function, request).await.unwrap().into_parts();
    (parts.status.as_u16(), text_of(body).await.unwrap())
}

pub(crate) async fn text_of(body: ResponseBody) -> Result<String, GuestBodyError> {
    let bytes = body.collect().await?.to_bytes();
    Ok(String::from_utf8_lossy(&bytes).into_owned())
}

/// Waits until `condition` holds; ten seconds are for ever here.
pub(crate) async fn eventually(condition: impl Fn() -> bool) {
    let waiting = async {
        while !condition() {
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
    };
    tokio::time::timeout(Duration::from_secs(10), waiting).await.expect("it never came true");
}

impl Artefacts for Wasm {
    fn read(&self, digest: Digest) -> io::Result<Bytes> {
        self.reads.fetch_add(1, Ordering::Relaxed);
        let blobs = self.blobs.lock().unwrap();
        blobs.get(&digest).cloned().ok_or_else(|| io::ErrorKind::NotFound.into())
    }
}

impl Wasm {
    pub(crate) fn forget_all(&self) {
        self.blobs.lock().unwrap().clear();
    }
}

impl GuestLog for Lines {
    fn line(&self, line: GuestLine<'_>) {
        assert_eq!(line.scope.to_string(), "shop/front/test");
        assert_eq!(line.request_id, RequestId::from_bytes([7; 16]));
        self.0.lock().unwrap().push((line.stream, line.text.to_owned()));
    }
}

impl Lines {
    pub(crate) fn of(&self, stream: GuestStream) -> Vec<String> {
        let lines = self.0.lock().unwrap();
        lines.iter().filter(|(of, _)| *of == stream).map(|(_, text)| text.clone()).collect()
    }
}
