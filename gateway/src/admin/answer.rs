//! From a request to its answer.

use std::net::IpAddr;

use bytes::Bytes;
use futures::{StreamExt, stream};
use http::{HeaderValue, Method, Request, Response, StatusCode, header, uri::Authority};
use http_body::Body as HttpBody;
use http_body_util::{BodyExt, Full, StreamBody, combinators::UnsyncBoxBody};
use hyper::body::Frame;
use serde::Serialize;
use tokio::sync::OwnedSemaphorePermit;
use tokio_util::sync::CancellationToken;

use super::{
    AdminState, Phase, orders,
    server::{Shared, Via},
    wire::{CertificatesStatus, Detail, NamesStatus, NodeStatus, ProjectState},
};
use crate::log_hub::{Followed, Follower, LogFilter, LogLine};

pub(super) type Body = UnsyncBoxBody<Bytes, std::convert::Infallible>;

const TEXT: &str = "text/plain; charset=utf-8";
const JSON: &str = "application/json";
const NDJSON: &str = "application/x-ndjson";
const OPEN_METRICS: &str = "application/openmetrics-text; version=1.0.0; charset=utf-8";

/// The orders that are about no project.
const CHECK: &str = "/domains/check";
const RENEW: &str = "/certs/renew";
const IMPORT: &str = "/certs/import";

pub(super) struct Answer {
    pub(super) response: Response<Body>,
    /// The body goes on until somebody leaves.
    pub(super) endless: bool,
}

impl From<Response<Body>> for Answer {
    fn from(response: Response<Body>) -> Self {
        Self { response, endless: false }
    }
}

pub(super) async fn answer<B>(request: Request<B>, via: Via, shared: &Shared) -> Answer
where
    B: HttpBody<Data = Bytes>,
    B::Error: Into<Box<dyn std::error::Error + Send + Sync>>,
{
    if via == Via::Tcp && !names_loopback(&request) {
        let why = "this listener answers only to localhost, 127.0.0.1 and [::1]";
        return text(StatusCode::MISDIRECTED_REQUEST, why).into();
    }
    let other = [CHECK, RENEW, IMPORT].contains(&request.uri().path());
    if other && via == Via::Unix && request.method() == Method::POST {
        return match request.uri().path() {
            RENEW => orders::renew(request, shared).await.into(),
            IMPORT => orders::import(request, shared).await.into(),
            _ => orders::check_host(request, shared).await.into(),
        };
    }
    let order = orders::Kind::of(request.uri().path()).filter(|_| via == Via::Unix);
    let allowed = if order.is_some() { Method::POST } else { Method::GET };
    if request.method() != allowed {
        let mut response = text(StatusCode::METHOD_NOT_ALLOWED, &format!("only {allowed}"));
        let allowed = HeaderValue::from_str(allowed.as_str());
        response.headers_mut().insert(header::ALLOW, allowed.expect("methods are tokens"));
        return response.into();
    }
    if let Some(order) = order {
        return orders::carry_out(order, request, shared).await.into();
    }
    let state = &shared.state;
    match (request.uri().path(), via) {
        ("/livez", _) => text(StatusCode::OK, "ok").into(),
        ("/readyz", _) => readyz(state).into(),
        ("/metrics", _) => metrics(state).into(),
        ("/snapshot", _) => json(&NodeStatus::of(state, Detail::Counts)).into(),
        ("/status", Via::Unix) => json(&NodeStatus::of(state, Detail::Diagnostics)).into(),
        ("/routes", Via::Unix) => json(&state.view.routes()).into(),
        ("/logs", Via::Unix) => logs(request.uri().query().unwrap_or_default(), shared),
        ("/domains", Via::Unix) => json(&state.domains.domains()).into(),
        ("/functions", Via::Unix) => json(&state.functions.functions().await).into(),
        ("/certs", Via::Unix) => json(&certificates(state)).into(),
        ("/dns", Via::Unix) => json(&names(state)).into(),
        ("/dns/zone", Via::Unix) => records(request.uri().query().unwrap_or_default(), state).into(),
        ("/revisions", Via::Unix) => {
            orders::list(request.uri().query().unwrap_or_default(), shared).await.into()
        }
        (
            "/status" | "/routes" | "/logs" | "/revisions" | "/domains" | "/functions" | "/certs" | "/dns"
            | "/dns/zone",
            Via::Tcp,
        ) => {
            text(StatusCode::FORBIDDEN, "only on the admin socket").into()
        }
        (CHECK | RENEW | IMPORT, Via::Unix) => text(StatusCode::METHOD_NOT_ALLOWED, "only POST").into(),
        (path, Via::Tcp) if other || orders::Kind::of(path).is_some() => {
            text(StatusCode::FORBIDDEN, "only on the admin socket").into()
        }
        _ => text(
            StatusCode::NOT_FOUND,
            "try /livez /readyz /metrics /snapshot, and on the socket /status /routes /logs /revisions \
             /domains /functions /certs /dns /dns/zone",
        )
        .into(),
    }
}

/// A page of another origin can make a browser connect here under its own name (DNS rebinding); it cannot
/// make the browser say `localhost`.
fn names_loopback<B>(request: &Request<B>) -> bool {
    let mut hosts = request.headers().get_all(header::HOST).iter();
    let (Some(host), None) = (hosts.next(), hosts.next()) else { return false };
    let Ok(authority) = Authority::try_from(host.as_bytes()) else { return false };
    let host = authority.host().trim_start_matches('[').trim_end_matches(']');
    host.eq_ignore_ascii_case("localhost")
        || host.parse::<IpAddr>().is_ok_and(|address| address.is_loopback())
}

fn readyz(state: &AdminState) -> Response<Body> {
    match state.readiness.phase() {
        Phase::Ready => text(StatusCode::OK, "ready"),
        Phase::Draining => text(StatusCode::SERVICE_UNAVAILABLE, "draining"),
        Phase::Starting => {
            let projects = NodeStatus::of(state, Detail::Counts).projects;
            let waiting: Vec<_> = projects
                .iter()
                .filter(|p| p.serving.is_none())
                .filter(|p| matches!(p.state, ProjectState::Waiting | ProjectState::Deploying))
                .map(|p| p.project.as_str())
                .collect();
            let why = match waiting.as_slice() {
                [] => "starting".to_owned(),
                names => format!("starting: waiting for {}", names.join(", ")),
            };
            text(StatusCode::SERVICE_UNAVAILABLE, &why)
        }
    }
}

fn metrics(state: &AdminState) -> Response<Body> {
    let mut body = String::new();
    match prometheus_client::encoding::text::encode(&mut body, &state.registry) {
        Ok(()) => response(StatusCode::OK, OPEN_METRICS, body),
        Err(_) => text(StatusCode::INTERNAL_SERVER_ERROR, "the metrics cannot be written"),
    }
}

fn names(state: &AdminState) -> NamesStatus {
    state.names.as_ref().map(|names| names.names()).unwrap_or_default()
}

fn certificates(state: &AdminState) -> CertificatesStatus {
    state.certificates.as_ref().map(|all| all.certificates()).unwrap_or_default()
}

fn records(query: &str, state: &AdminState) -> Response<Body> {
    let Some(zone) = query.split('&').find_map(|pair| pair.strip_prefix("name=")) else {
        return text(StatusCode::BAD_REQUEST, "which zone? /dns/zone?name=ZONE");
    };
    match state.names.as_ref().and_then(|names| names.records(zone)) {
        Some(records) => json(&records),
        None => text(StatusCode::NOT_FOUND, "this node has no zone of this name"),
    }
}

fn logs(query: &str, shared: &Shared) -> Answer {
    let (mut filter, mut follow) = (LogFilter::default(), false);
    for (key, value) in query.split('&').filter_map(|pair| pair.split_once('=')) {
        match key {
            "follow" => follow = value == "1",
            "project" => match value.parse() {
                Ok(project) => filter.project = Some(project),
                Err(_) => return text(StatusCode::BAD_REQUEST, "no project is called so").into(),
            },
            _ => {}
        }
    }
    let recent = shared.state.logs.recent(&filter);
    if let Some(unknown) = filter.project.as_ref().filter(|_| recent.is_empty()) {
        let known: Vec<_> =
            shared.state.board.all().into_iter().map(|status| status.project).collect();
        if !known.contains(unknown) {
            return orders::unknown_project(unknown.clone(), known).into();
        }
    }
    if !follow {
        let lines = recent;
        return response(StatusCode::OK, NDJSON, all_lines(&lines)).into();
    }
    let Ok(place) = shared.followers.clone().try_acquire_owned() else {
        return text(StatusCode::SERVICE_UNAVAILABLE, "too many follow the logs").into();
    };
    let (lines, follower) = shared.state.logs.follow(filter);
    let first = stream::iter((!lines.is_empty()).then(|| Bytes::from(all_lines(&lines))));
    let following = Following { follower, shutdown: shared.shutdown.clone(), _place: place };
    let live = stream::unfold(following, |mut following| async {
        following.next().await.map(|bytes| (bytes, following))
    });
    let body = StreamBody::new(first.chain(live).map(|bytes| Ok(Frame::data(bytes))));
    let response = with_type(StatusCode::OK, NDJSON, body.boxed_unsync());
    Answer { response, endless: true }
}

/// One client that follows the logs; its place is free again when it leaves.
struct Following {
    follower: Follower,
    shutdown: CancellationToken,
    _place: OwnedSemaphorePermit,
}

impl Following {
    async fn next(&mut self) -> Option<Bytes> {
        let followed = tokio::select! {
            followed = self.follower.next() => followed?,
            () = self.shutdown.cancelled() => return None,
        };
        Some(match followed {
            Followed::Line(line) => json_line(&*line).into(),
            Followed::Skipped(skipped) => json_line(&super::wire::Skipped { skipped }).into(),
        })
    }
}

fn all_lines(lines: &[std::sync::Arc<LogLine>]) -> String {
    lines.iter().map(|line| json_line(&**line)).collect()
}

fn json_line(value: &impl Serialize) -> String {
    let mut line = serde_json::to_string(value).expect("these types have only string keys");
    line.push('\n');
    line
}

pub(super) fn json(value: &impl Serialize) -> Response<Body> {
    json_as(StatusCode::OK, value)
}

pub(super) fn json_as(status: StatusCode, value: &impl Serialize) -> Response<Body> {
    response(status, JSON, json_line(value))
}

pub(super) fn text(status: StatusCode, line: &str) -> Response<Body> {
    response(status, TEXT, format!("{line}\n"))
}

fn response(status: StatusCode, content_type: &'static str, body: String) -> Response<Body> {
    with_type(status, content_type, Full::from(body).boxed_unsync())
}

fn with_type(status: StatusCode, content_type: &'static str, body: Body) -> Response<Body> {
    let mut response = Response::new(body);
    *response.status_mut() = status;
    let headers = response.headers_mut();
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static(content_type));
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    response
}
