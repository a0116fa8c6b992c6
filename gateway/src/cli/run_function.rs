//! `headgate run-function`: one function of a project, run once without a server.
//!
//! It is loaded, compiled, linked and invoked by the code that deploys and answers, over a blob store and an
//! executor of its own. The answer goes where a program's would: its body to standard output as it comes, all
//! else to standard error.

mod lines;
mod measure;
mod request;
mod show;

use std::{
    num::NonZeroU32,
    path::{Path, PathBuf},
    sync::Arc,
    time::Instant,
};

use anyhow::Context as _;
use clap::Args;
use headgate_executor::{Function, GuestBodyError, InvokeError, Phases};
use headgate_project::{Diagnostics, diagnostic::Diagnostic, marks};
use headgate_types::Chain;
use http::{HeaderMap, HeaderName, HeaderValue, Method, StatusCode};
use http_body_util::BodyExt;

use self::{
    lines::Lines,
    measure::{Measured, Measurement},
    request::Request,
    show::Shown,
};
use crate::{
    cli::{
        Verdict,
        output::{Output, Reader},
        scratch::{self, Scratch, reading},
    },
    deploy::single::{Single, single},
    manifest::Manifest,
    node_config::NodeConfig,
    snapshot::function_spec,
};

pub(super) const HELP: &str = "\
Only this function and what it is linked with is compiled; mistakes in other files do not matter.
The body of its answer goes to standard output as it comes; status, fields, what it prints and what
its time went into go to standard error. Exits with 0 for any answer below 500, with 1 otherwise.
With --repeat, the answer shown is the first one.

Examples:
  headgate run-function hello shop
  headgate run-function admin/health --header 'Accept: application/json'
  headgate run-function count --method POST --path /count --body 'one two three'
  headgate run-function users --path '/users/7?full=1' --output json
  headgate run-function hello --repeat 100
                                          what its first request costs, and those after it";

#[derive(Debug, Args)]
pub(super) struct Arguments {
    /// The function, as `name` or `application/name`
    name: String,

    /// The project's folder
    #[arg(default_value = ".", hide_default_value = true, value_name = "DIR")]
    dir: PathBuf,

    /// The request's method [default: the function's first]
    #[arg(long)]
    method: Option<Method>,

    /// The request's path and query [default: the function's first path]
    #[arg(long)]
    path: Option<String>,

    /// A field of the request; may be repeated
    #[arg(long = "header", value_name = "NAME: VALUE", value_parser = field)]
    headers: Vec<(HeaderName, HeaderValue)>,

    /// The request's body
    #[arg(long, value_name = "TEXT")]
    body: Option<String>,

    /// The request's body is what is in this file; `-` is standard input
    #[arg(long, value_name = "FILE", conflicts_with = "body")]
    body_file: Option<PathBuf>,

    /// Run it so often, one after the other, and tell what the first and the others take
    #[arg(long, value_name = "N", default_value = "1", hide_default_value = true)]
    repeat: NonZeroU32,
}

fn field(text: &str) -> Result<(HeaderName, HeaderValue), &'static str> {
    let wanted = "write a name, a colon and a value, such as 'Accept: text/plain'";
    let (name, value) = text.split_once(':').ok_or(wanted)?;
    let name = name.trim().parse().map_err(|_| wanted)?;
    let value = HeaderValue::from_str(value.trim()).map_err(|_| wanted)?;
    Ok((name, value))
}

pub(super) fn run(arguments: Arguments, output: &Output) -> anyhow::Result<Verdict> {
    let dir = &arguments.dir;
    let config = scratch::config(dir)?;
    if !marks::is_project(dir).with_context(|| reading(dir))? {
        return show::refused(&only(marks::no_project(dir)), output);
    }
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
    runtime.block_on(prepare_and_run(&arguments, config, output))
}

fn only(diagnostic: Diagnostic) -> Diagnostics {
    let mut diagnostics = Diagnostics::default();
    diagnostics.push(diagnostic);
    diagnostics
}

async fn prepare_and_run(
    arguments: &Arguments,
    config: NodeConfig,
    output: &Output,
) -> anyhow::Result<Verdict> {
    let lines = Arc::new(Lines::new(output.clone()));
    let scratch = Scratch::open(config, lines.clone())?;
    let candidate = scratch.candidate(&arguments.dir)?;
    let Scratch { store, executor, limits, .. } = &scratch;
    let prepared = scratch.with_bar(output, async |progress| {
        single(store, executor, *limits, candidate, &arguments.name, progress).await
    });
    let (manifest, diagnostics, elsewhere) = match prepared.await? {
        Single::Ready { manifest, diagnostics, elsewhere } => (manifest, diagnostics, elsewhere),
        Single::Refused(diagnostics) => return show::refused(&diagnostics, output),
        Single::Unknown(unknown) => return show::unknown(&unknown, output),
    };
    let request = match Request::new(arguments, &manifest.functions[0]) {
        Ok(request) => request,
        Err(unfit) => return show::unfit(&unfit, output),
    };
    let body = body(arguments)?;
    let function = executor.function(function_spec(&manifest, &manifest.functions[0], limits));
    let shown = Shown { output, diagnostics: &diagnostics, elsewhere, name: name(&manifest) };
    shown.preparations();
    let ran = answer(&function, &request, body.clone(), &shown).await?;
    let mut measured = Measured::new(ran.measurement);
    lines.mute();
    for _ in 1..arguments.repeat.get() {
        measured.add(again(&function, &request, body.clone()).await);
    }
    shown.end(&request, &ran, &function, &measured, lines.taken())
}

fn name(manifest: &Manifest) -> String {
    let function = &manifest.functions[0];
    crate::deploy::single::called(function.application.as_deref(), &function.name)
}

fn body(arguments: &Arguments) -> anyhow::Result<bytes::Bytes> {
    let bytes = match (&arguments.body, &arguments.body_file) {
        (Some(text), _) => text.clone().into_bytes(),
        (None, Some(file)) if file == Path::new("-") => {
            let mut bytes = Vec::new();
            std::io::Read::read_to_end(&mut std::io::stdin().lock(), &mut bytes)
                .context("reading standard input")?;
            bytes
        }
        (None, Some(file)) => std::fs::read(file).with_context(|| reading(file))?,
        (None, None) => Vec::new(),
    };
    Ok(bytes.into())
}

/// How a run went.
struct Ran {
    head: Option<(StatusCode, HeaderMap)>,
    /// Kept for JSON only.
    body: Vec<u8>,
    failure: Option<Failure>,
    measurement: Measurement,
}

/// Why there was no answer, or only a part of one.
struct Failure {
    text: String,
    backtrace: Vec<String>,
}

impl Failure {
    fn of_invocation(error: &InvokeError) -> Self {
        let backtrace = match error {
            InvokeError::Trap(trapped) => trapped.backtrace.lines().map(str::to_owned).collect(),
            _ => Vec::new(),
        };
        Self { text: Chain(error).to_string(), backtrace }
    }

    fn of_body(error: GuestBodyError) -> Self {
        Self::of_invocation(&InvokeError::from(error))
    }
}

/// JSON holds a body whole; beyond this it is better streamed.
const LARGEST_BODY: usize = 64 << 20;

/// Runs it and shows its answer as it comes.
async fn answer(
    function: &Function,
    request: &Request,
    body: bytes::Bytes,
    shown: &Shown<'_>,
) -> anyhow::Result<Ran> {
    let begin = Instant::now();
    let mut phases = Phases::default();
    let invoked = function.invoke_noting(request.invocation(body), &mut phases).await;
    let first_byte = begin.elapsed();
    let mut ran = Ran {
        head: None,
        body: Vec::new(),
        failure: None,
        measurement: Measurement { whole: first_byte, first_byte, phases, failed: true },
    };
    let response = match invoked {
        Ok(response) => response,
        Err(error) => {
            ran.failure = Some(Failure::of_invocation(&error));
            return Ok(ran);
        }
    };
    let (parts, mut body) = response.into_parts();
    shown.head(&parts);
    ran.head = Some((parts.status, parts.headers));
    let json = shown.output.is_json();
    while let Some(frame) = body.frame().await {
        let data = match frame.map(http_body::Frame::into_data) {
            Ok(Ok(data)) => data,
            Ok(Err(_)) => continue, // trailers
            Err(error) => {
                ran.failure = Some(Failure::of_body(error));
                break;
            }
        };
        if json {
            anyhow::ensure!(
                ran.body.len() + data.len() <= LARGEST_BODY,
                "the answer's body is larger than the {} MiB that are shown as JSON",
                LARGEST_BODY >> 20
            );
            ran.body.extend_from_slice(&data);
        } else if shown.output.try_bytes(&data)? == Reader::Gone {
            break;
        }
    }
    ran.measurement.phases = body.phases();
    ran.measurement.whole = begin.elapsed();
    ran.measurement.failed = ran.failure.is_some();
    Ok(ran)
}

/// Runs it once more, for the time it takes.
async fn again(function: &Function, request: &Request, body: bytes::Bytes) -> Measurement {
    let begin = Instant::now();
    let mut phases = Phases::default();
    let invoked = function.invoke_noting(request.invocation(body), &mut phases).await;
    let first_byte = begin.elapsed();
    let mut failed = true;
    if let Ok(response) = invoked {
        let mut body = response.into_body();
        failed = false;
        while let Some(frame) = body.frame().await {
            failed |= frame.is_err();
        }
        phases = body.phases();
    }
    Measurement { whole: begin.elapsed(), first_byte, phases, failed }
}
