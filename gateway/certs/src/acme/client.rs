//! The HTTP client under `instant-acme`: bounded in time and size, and it keeps what that library
//! drops, the authority's `Retry-After` and answers that are not ACME's.

use std::{
    cell::Cell,
    future::Future,
    path::Path,
    pin::Pin,
    sync::Arc,
    time::{Duration, UNIX_EPOCH},
};

use bytes::Bytes;
use headgate_types::{Chain, Clock};
use http::{Request, StatusCode, header::RETRY_AFTER};
use http_body_util::{BodyExt, Limited};
use hyper_rustls::{HttpsConnector, HttpsConnectorBuilder};
use hyper_util::{
    client::legacy::{Client, connect::HttpConnector},
    rt::TokioExecutor,
};
use instant_acme::{BodyWrapper, BytesResponse, Error, HttpClient};
use rustls::{
    ClientConfig, RootCertStore,
    pki_types::{CertificateDer, pem::PemObject},
};
use tokio::time::timeout;

use super::{
    defaults,
    order::Fault,
    problem::{Problem, tidy},
};
use crate::provider;

tokio::task_local! {
    /// The `Retry-After` of the last answer to this task.
    static PAUSE: Cell<Option<Duration>>;
}

/// Speaks to one authority. Cheap to clone.
#[derive(Clone)]
pub(crate) struct AcmeHttp {
    client: Client<HttpsConnector<HttpConnector>, BodyWrapper<Bytes>>,
    clock: Arc<dyn Clock>,
}

/// Why there is no client.
#[derive(Debug, thiserror::Error)]
pub enum RootsError {
    #[error("cannot read the roots in {path}")]
    Read { path: std::path::PathBuf, source: rustls::pki_types::pem::Error },
    #[error("there is no certificate in {0}; it should have the authority's root as PEM")]
    Empty(std::path::PathBuf),
    #[error("this machine trusts no certificate authority; install `ca-certificates`")]
    NoneInstalled,
    #[error("TLS cannot be set up")]
    Tls(#[from] rustls::Error),
}

/// What the library is told instead of an answer, and hands back to us.
#[derive(Debug, thiserror::Error)]
enum CallError {
    #[error("{0}")]
    NoAnswer(String),
    #[error("it answered {status}: {detail}")]
    TurnedAway { status: StatusCode, detail: String, retry_after: Option<Duration> },
}

impl AcmeHttp {
    /// A client that trusts the roots in a PEM file alone, or those of this machine.
    pub(crate) fn new(roots: Option<&Path>, clock: Arc<dyn Clock>) -> Result<Self, RootsError> {
        let tls = ClientConfig::builder_with_provider(provider())
            .with_safe_default_protocol_versions()?
            .with_root_certificates(load_roots(roots)?)
            .with_no_client_auth();
        let connector =
            HttpsConnectorBuilder::new().with_tls_config(tls).https_only().enable_http1().build();
        let client = Client::builder(TokioExecutor::new())
            .pool_idle_timeout(Duration::from_secs(30))
            .build(connector);
        Ok(Self { client, clock })
    }

    pub(crate) fn boxed(&self) -> Box<dyn HttpClient> {
        Box::new(self.clone())
    }

    async fn call(self, request: Request<BodyWrapper<Bytes>>) -> Result<BytesResponse, CallError> {
        let no_answer = |error: &(dyn std::error::Error + 'static)| {
            CallError::NoAnswer(Chain(error).to_string())
        };
        let response = self.client.request(request).await.map_err(|error| no_answer(&error))?;
        let (parts, body) = response.into_parts();
        let body = Limited::new(body, defaults::MAX_ANSWER).collect().await;
        let body = body.map_err(|error| no_answer(&*error))?.to_bytes();
        let retry_after = parts.headers.get(RETRY_AFTER).and_then(|value| value.to_str().ok());
        let retry_after = retry_after.and_then(|value| pause(value, &*self.clock));
        if parts.status == StatusCode::TOO_MANY_REQUESTS || parts.status.is_server_error() {
            let detail = detail(&body);
            return Err(CallError::TurnedAway { status: parts.status, detail, retry_after });
        }
        let _ = PAUSE.try_with(|cell| cell.set(retry_after));
        Ok(BytesResponse { parts, body: Box::new(body) })
    }
}

impl HttpClient for AcmeHttp {
    fn request(
        &self,
        request: Request<BodyWrapper<Bytes>>,
    ) -> Pin<Box<dyn Future<Output = Result<BytesResponse, Error>> + Send>> {
        let call = self.clone().call(request);
        Box::pin(async move {
            let answer = timeout(defaults::REQUEST_TIME, call).await;
            let answer =
                answer.unwrap_or_else(|_| Err(CallError::NoAnswer("it took too long".to_owned())));
            answer.map_err(|error| Error::Other(Box::new(error)))
        })
    }
}

/// Runs a call of the library, and tells how long its last answer asks to wait.
pub(crate) async fn with_pause<T>(call: impl Future<Output = T>) -> (T, Option<Duration>) {
    PAUSE
        .scope(Cell::new(None), async {
            let result = call.await;
            (result, PAUSE.with(Cell::get))
        })
        .await
}

/// What an error of the library means for an order.
pub(crate) fn fault(error: Error) -> Fault {
    let unavailable = |why: String| Fault::Unavailable { why: tidy(&why), retry_after: None };
    match error {
        Error::Api(problem) => problem_fault(problem),
        Error::Other(error) => match error.downcast::<CallError>() {
            Ok(error) => match *error {
                CallError::NoAnswer(why) => unavailable(why),
                CallError::TurnedAway { status, detail, retry_after }
                    if status == StatusCode::TOO_MANY_REQUESTS =>
                {
                    Fault::RateLimited { detail, retry_after }
                }
                CallError::TurnedAway { status, detail, retry_after } => {
                    Fault::Unavailable { why: format!("{status}: {detail}"), retry_after }
                }
            },
            Err(error) => unavailable(Chain(&*error).to_string()),
        },
        Error::Json(_) => unavailable("its answer is not ACME's".to_owned()),
        error => unavailable(Chain(&error).to_string()),
    }
}

fn problem_fault(problem: instant_acme::Problem) -> Fault {
    let urn = problem.r#type.as_deref().unwrap_or_default();
    let detail = problem.detail.clone().unwrap_or_default();
    match urn.rsplit(':').next().unwrap_or_default() {
        "badNonce" => Fault::BadNonce,
        "accountDoesNotExist" => Fault::AccountUnknown,
        "orderNotReady" => Fault::NotReady,
        "rateLimited" => Fault::RateLimited { detail: tidy(&detail), retry_after: None },
        "serverInternal" => Fault::Unavailable { why: tidy(&detail), retry_after: None },
        _ if problem.status == Some(404) => Fault::Gone,
        _ => Fault::Refused(told(&problem)),
    }
}

/// The problem in our words; the first of several that is about a name.
pub(crate) fn told(problem: &instant_acme::Problem) -> Problem {
    let sub = problem.subproblems.iter().find(|sub| sub.identifier.is_some());
    let name = sub.and_then(|sub| match &sub.identifier {
        Some(instant_acme::Identifier::Dns(name)) => Some(name.clone()),
        _ => None,
    });
    let urn = sub.and_then(|sub| sub.r#type.as_deref()).or(problem.r#type.as_deref());
    let detail = sub.and_then(|sub| sub.detail.as_deref()).or(problem.detail.as_deref());
    Problem::new(urn, name, detail.unwrap_or("no reason is given"))
}

/// `Retry-After` in seconds or as a date (RFC 9110 §10.2.3).
fn pause(value: &str, clock: &dyn Clock) -> Option<Duration> {
    if let Ok(seconds) = value.trim().parse() {
        return Some(Duration::from_secs(seconds));
    }
    let date = httpdate::parse_http_date(value.trim()).ok()?.duration_since(UNIX_EPOCH).ok()?;
    let now = Duration::from_millis(clock.now().as_millis());
    Some(date.saturating_sub(now))
}

fn detail(body: &[u8]) -> String {
    match serde_json::from_slice::<instant_acme::Problem>(body) {
        Ok(problem) => tidy(&problem.detail.unwrap_or_default()),
        Err(_) => tidy(&String::from_utf8_lossy(body)),
    }
}

fn load_roots(path: Option<&Path>) -> Result<RootCertStore, RootsError> {
    let mut roots = RootCertStore::empty();
    let Some(path) = path else {
        roots.add_parsable_certificates(rustls_native_certs::load_native_certs().certs);
        return if roots.is_empty() { Err(RootsError::NoneInstalled) } else { Ok(roots) };
    };
    let read = |source| RootsError::Read { path: path.to_owned(), source };
    let certificates = CertificateDer::pem_file_iter(path).map_err(read)?;
    for certificate in certificates {
        roots.add(certificate.map_err(read)?)?;
    }
    if roots.is_empty() { Err(RootsError::Empty(path.to_owned())) } else { Ok(roots) }
}

impl std::fmt::Debug for AcmeHttp {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("AcmeHttp").finish_non_exhaustive()
    }
}
