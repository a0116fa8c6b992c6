//! `Client`: calls over HTTP, each project by connections of its own.

mod hop;

use std::{fmt, pin::pin, sync::Arc, time::Duration};

use futures::future::{Either, select};
use headgate_types::ProjectName;
use http::{
    HeaderMap, HeaderValue, Method, Request, Response, StatusCode, Uri, header, uri::Scheme,
};
use http_body::Body as _;
use hyper::body::Incoming;
use hyper_util::{
    client::legacy::{self, ResponseFuture, connect::capture_connection},
    rt::{TokioExecutor, TokioTimer},
};
use moka::sync::Cache;
use tokio::sync::Semaphore;

use crate::{
    body::{Progress, RequestBody, ResponseBody, Upload},
    config::Config,
    connector::{Connector, Parts},
    defaults,
    error::{Error, OpenError},
    metrics::Metrics,
    policy::Policy,
    resolver::Resolver,
    tls,
};

/// Calls what the policy lets it. Cheap to clone; the clones share their connections.
#[derive(Clone)]
pub struct Client(Arc<Shared>);

struct Shared {
    policy: Arc<Policy>,
    resolver: Arc<Resolver>,
    tls: rustls::ClientConfig,
    slots: Arc<Semaphore>,
    projects: Cache<ProjectName, ProjectClient>,
    metrics: Arc<Metrics>,
}

/// hyper's client drives each connection in a task, which ends with the connection: at the latest when it was idle
/// for as long as it may be, or when the client is dropped and its last response is read.
type ProjectClient = legacy::Client<Connector, Upload>;

/// How long a call may take where; `None` is the default of each.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Timeouts {
    /// Until there is a connection, looking its name up included. Longer than the default has no effect.
    pub connect: Option<Duration>,
    /// Until the answer begins, from when the request was sent.
    pub first_byte: Option<Duration>,
    /// Between two pieces of the answer.
    pub between_bytes: Option<Duration>,
}

impl Client {
    /// Reads the certificates that are trusted. Connects to nobody.
    ///
    /// # Errors
    /// The owner's own certificates cannot be read.
    pub fn open(
        config: &Config,
        resolver: Arc<Resolver>,
        metrics: Arc<Metrics>,
    ) -> Result<Self, OpenError> {
        Ok(Self(Arc::new(Shared {
            policy: Arc::new(config.policy.clone()),
            resolver,
            tls: tls::base(config.roots.as_deref())?,
            slots: Arc::new(Semaphore::new(defaults::CONNECTIONS)),
            projects: Cache::builder()
                .max_capacity(defaults::PROJECTS)
                .time_to_idle(defaults::PROJECT_IDLE)
                .build(),
            metrics,
        })))
    }

    /// What may be reached.
    pub fn policy(&self) -> &Policy {
        &self.0.policy
    }

    /// Sends a request in the name of a project. Its URI is absolute; fields that concern one connection only are
    /// taken off, either way. Dropping the future or the body ends the call.
    ///
    /// # Errors
    /// See [`Error`]. Statuses are none.
    pub async fn send(
        &self,
        project: &ProjectName,
        request: Request<RequestBody>,
        timeouts: Timeouts,
    ) -> Result<Response<ResponseBody>, Error> {
        let result = self.send_uncounted(project, request, timeouts).await;
        self.0.metrics.called(result.as_ref().map_or_else(Error::label, |_| "ok"));
        result
    }

    async fn send_uncounted(
        &self,
        project: &ProjectName,
        request: Request<RequestBody>,
        timeouts: Timeouts,
    ) -> Result<Response<ResponseBody>, Error> {
        check(request.method(), request.uri())?;
        let (parts, mut body) = request.into_parts();
        let rarely_has_one = [Method::GET, Method::HEAD].contains(&parts.method);
        if rarely_has_one {
            body = body.begun().await;
        }
        let has_one = rarely_has_one && body.size_hint().exact().is_none();
        let request = Request::from_parts(parts, body);
        let progress = Progress::new();
        let mut request = request.map(|body| Upload { body, progress: progress.clone() });
        // Which version is spoken is agreed on with each host.
        *request.version_mut() = http::Version::HTTP_11;
        hop::strip_request(request.headers_mut());
        if has_one && !request.headers().contains_key(header::CONTENT_LENGTH) {
            // Without it hyper would leave out the body of a GET over HTTP/1. HTTP/2 does without it.
            let chunked = HeaderValue::from_static("chunked");
            request.headers_mut().insert(header::TRANSFER_ENCODING, chunked);
        }
        let mut captured = capture_connection(&mut request);
        let connected = async move {
            captured.wait_for_connection_metadata().await;
        };
        let response = self.of(project).request(request);
        let mut response = respond(response, connected, &progress, timeouts).await?;
        if response.status() == StatusCode::SWITCHING_PROTOCOLS {
            return Err(Error::Protocol(Arc::new(Switched)));
        }
        check_head(response.headers())?;
        hop::strip_response(response.headers_mut());
        let between_bytes = timeouts.between_bytes.unwrap_or(defaults::BETWEEN_BYTES);
        Ok(response.map(|incoming| ResponseBody::new(incoming, between_bytes)))
    }

    fn of(&self, project: &ProjectName) -> ProjectClient {
        self.0.projects.get_with_by_ref(project, || self.0.project_client())
    }
}

/// An upstream that changes the protocol though nobody asked.
#[derive(Debug, thiserror::Error)]
#[error("it switched protocols unasked")]
struct Switched;

impl Shared {
    fn project_client(&self) -> ProjectClient {
        let own = Arc::new(Semaphore::new(defaults::PROJECT_CONNECTIONS));
        let connector = Connector::new(Parts {
            policy: self.policy.clone(),
            resolver: self.resolver.clone(),
            tls: tls::of_project(&self.tls),
            slots: [own, self.slots.clone()],
            metrics: self.metrics.clone(),
        });
        legacy::Client::builder(TokioExecutor::new())
            .pool_timer(TokioTimer::new())
            .timer(TokioTimer::new())
            .pool_idle_timeout(defaults::IDLE)
            .pool_max_idle_per_host(defaults::IDLE_PER_HOST)
            .http1_max_buf_size(defaults::RESPONSE_HEAD)
            .http1_max_headers(defaults::RESPONSE_FIELDS)
            .http2_max_header_list_size(RESPONSE_HEAD_H2)
            .http2_initial_stream_window_size(defaults::H2_STREAM_WINDOW)
            .http2_initial_connection_window_size(defaults::H2_CONNECTION_WINDOW)
            .http2_keep_alive_interval(defaults::H2_KEEP_ALIVE)
            .http2_keep_alive_timeout(defaults::H2_KEEP_ALIVE_TIMEOUT)
            .build(connector)
    }
}

#[expect(clippy::cast_possible_truncation, reason = "a constant far below 4 GiB")]
const RESPONSE_HEAD_H2: u32 = defaults::RESPONSE_HEAD as u32;

fn check(method: &Method, uri: &Uri) -> Result<(), Error> {
    if ![Some(&Scheme::HTTP), Some(&Scheme::HTTPS)].contains(&uri.scheme()) {
        return Err(Error::Scheme);
    }
    let authority = uri.authority().ok_or(Error::Url)?;
    if authority.host().is_empty() || authority.as_str().contains('@') {
        return Err(Error::Url);
    }
    if *method == Method::CONNECT { Err(Error::Tunnel) } else { Ok(()) }
}

/// hyper bounds what it reads, but only by the size of its buffers.
fn check_head(fields: &HeaderMap) -> Result<(), Error> {
    let size: usize = fields.iter().map(|(name, value)| name.as_str().len() + value.len()).sum();
    let fits = size <= defaults::RESPONSE_HEAD && fields.len() <= defaults::RESPONSE_FIELDS;
    if fits { Ok(()) } else { Err(Error::HeadTooLarge) }
}

/// The head of the answer, or which of its timeouts ran out first.
async fn respond(
    response: ResponseFuture,
    connected: impl Future<Output = ()>,
    progress: &Progress,
    timeouts: Timeouts,
) -> Result<Response<Incoming>, Error> {
    let late = async {
        if let Some(limit) = timeouts.connect {
            if tokio::time::timeout(limit, connected).await.is_err() {
                return Error::ConnectTimeout;
            }
        } else {
            connected.await; // the connector has limits of its own
        }
        progress.moved();
        let limit = timeouts.first_byte.unwrap_or(defaults::HEAD);
        loop {
            let deadline = progress.last() + limit;
            tokio::time::sleep_until(deadline.into()).await;
            if progress.last() + limit <= deadline {
                return Error::HeadTimeout;
            }
        }
    };
    match select(pin!(response), pin!(late)).await {
        Either::Left((response, _)) => response.map_err(Error::of_client),
        Either::Right((late, _)) => Err(late),
    }
}

impl fmt::Debug for Client {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Client").field("policy", &self.0.policy).finish_non_exhaustive()
    }
}
