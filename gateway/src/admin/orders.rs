//! What an operator may order: which kept revision of a branch is served, a look at whose a host is, and
//! certificates.

use std::time::Duration;

use bytes::Bytes;
use headgate_certs::acme::CommandError;
use headgate_types::{Chain, ProjectName};
use http::{Request, Response, StatusCode};
use http_body::Body as HttpBody;
use http_body_util::{BodyExt, Limited};
use serde::de::DeserializeOwned;
use tokio::{sync::OwnedSemaphorePermit, time::timeout};

use super::{
    answer::{Body, json, json_as, text},
    server::Shared,
    wire::{BranchRow, CheckHost, DoneRow, ImportPem, Order, Refusal, RenewHost},
};
use crate::revisions::{Named, RevisionsError, Wanted};

/// A project's name, a branch and a commit fit many times over.
const LARGEST_ORDER: usize = 16 << 10;
/// A chain of ten certificates and a key, as JSON.
const LARGEST_IMPORT: usize = 64 << 10;
/// For its bytes to arrive; a local client sends them at once.
const BODY_TIME: Duration = Duration::from_secs(5);

/// The path of an order.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    Rollback,
    Pin,
    Follow,
}

impl Kind {
    pub(super) fn of(path: &str) -> Option<Self> {
        match path {
            "/rollback" => Some(Self::Rollback),
            "/pin" => Some(Self::Pin),
            "/follow" => Some(Self::Follow),
            _ => None,
        }
    }
}

/// Carries an order out. It goes on to its end once it began to write, whether or not the client waits.
pub(super) async fn carry_out<B>(kind: Kind, request: Request<B>, shared: &Shared) -> Response<Body>
where
    B: HttpBody<Data = Bytes>,
    B::Error: Into<Box<dyn std::error::Error + Send + Sync>>,
{
    let (_place, Order { project, branch, commit }) =
        match take(request, shared, LARGEST_ORDER).await {
            Ok(order) => order,
            Err((status, why)) => return text(status, &why),
        };
    if commit.as_deref() == Some("") {
        return text(StatusCode::BAD_REQUEST, "an empty commit is none");
    }
    let named = Named { project, branch };
    let operations = &shared.state.operations;
    let result = match (kind, commit) {
        (Kind::Follow, Some(_)) => {
            return text(StatusCode::BAD_REQUEST, "a branch is followed, not a commit");
        }
        (Kind::Follow, None) => operations.follow(&named).await,
        (Kind::Rollback, None) => operations.pin(&named, &Wanted::Previous).await,
        (Kind::Pin, None) => operations.pin(&named, &Wanted::Current).await,
        (Kind::Rollback | Kind::Pin, Some(commit)) => {
            operations.pin(&named, &Wanted::Commit(commit)).await
        }
    };
    match result {
        Ok(done) => json(&DoneRow::of(done, kind != Kind::Follow)),
        Err(error) => json_as(status(&error), &Refusal::of(&error)),
    }
}

/// Asks DNS now for the claims on a host, and answers with them.
pub(super) async fn check_host<B>(request: Request<B>, shared: &Shared) -> Response<Body>
where
    B: HttpBody<Data = Bytes>,
    B::Error: Into<Box<dyn std::error::Error + Send + Sync>>,
{
    let (_place, CheckHost { host }) = match take(request, shared, LARGEST_ORDER).await {
        Ok(order) => order,
        Err((status, why)) => return text(status, &why),
    };
    match shared.state.domains.check(&host).await {
        rows if rows.is_empty() => {
            text(StatusCode::NOT_FOUND, &format!("no project of this node names {host}"))
        }
        rows => json(&rows),
    }
}

/// Has certificates ordered now.
pub(super) async fn renew<B>(request: Request<B>, shared: &Shared) -> Response<Body>
where
    B: HttpBody<Data = Bytes>,
    B::Error: Into<Box<dyn std::error::Error + Send + Sync>>,
{
    let Some(certificates) = &shared.state.certificates else { return nobody_orders() };
    let (_place, RenewHost { host }) = match take(request, shared, LARGEST_ORDER).await {
        Ok(order) => order,
        Err((status, why)) => return text(status, &why),
    };
    match certificates.renew(host).await {
        Ok(renewed) => json(&renewed),
        Err(error) => refused(&error),
    }
}

/// Keeps a certificate of the operator's.
pub(super) async fn import<B>(request: Request<B>, shared: &Shared) -> Response<Body>
where
    B: HttpBody<Data = Bytes>,
    B::Error: Into<Box<dyn std::error::Error + Send + Sync>>,
{
    let Some(certificates) = &shared.state.certificates else { return nobody_orders() };
    let (_place, ImportPem { pem }) = match take(request, shared, LARGEST_IMPORT).await {
        Ok(order) => order,
        Err((status, why)) => return text(status, &why),
    };
    match certificates.import(&pem).await {
        Ok(imported) => json(&imported),
        Err(error) => refused(&error),
    }
}

fn nobody_orders() -> Response<Body> {
    text(
        StatusCode::NOT_FOUND,
        "this node keeps no certificates but its own authority's; `tls: {authority: acme}` in \
         node.yaml has them ordered, and `tls.certificates` names those you have",
    )
}

fn refused(error: &CommandError) -> Response<Body> {
    let status = match error {
        CommandError::Unknown(_) => StatusCode::NOT_FOUND,
        CommandError::Invalid(_) | CommandError::Expired(_) => StatusCode::UNPROCESSABLE_ENTITY,
        CommandError::Stopped => StatusCode::SERVICE_UNAVAILABLE,
        CommandError::Store(_) => StatusCode::INTERNAL_SERVER_ERROR,
    };
    text(status, &Chain(error).to_string())
}

/// An order with its place among those at one time, or what to answer instead.
async fn take<B, T>(
    request: Request<B>,
    shared: &Shared,
    most: usize,
) -> Result<(OwnedSemaphorePermit, T), (StatusCode, String)>
where
    B: HttpBody<Data = Bytes>,
    B::Error: Into<Box<dyn std::error::Error + Send + Sync>>,
    T: DeserializeOwned,
{
    let place =
        shared.orders.clone().try_acquire_owned().map_err(|_| {
            (StatusCode::SERVICE_UNAVAILABLE, "too many orders at one time".to_owned())
        })?;
    let body = Limited::new(request.into_body(), most).collect();
    let refuse = |status, why: &str| Err((status, why.to_owned()));
    let body = match timeout(BODY_TIME, body).await {
        Ok(Ok(body)) => body,
        Ok(Err(_)) => {
            let why = format!("an order like this has at most {} KiB", most >> 10);
            return refuse(StatusCode::PAYLOAD_TOO_LARGE, &why);
        }
        Err(_) => return refuse(StatusCode::REQUEST_TIMEOUT, "the order did not arrive in time"),
    };
    serde_json::from_slice(&body.to_bytes())
        .map(|order| (place, order))
        .map_err(|error| (StatusCode::BAD_REQUEST, format!("not an order: {error}")))
}

/// What is kept of every branch, or of those of one project.
pub(super) async fn list(query: &str, shared: &Shared) -> Response<Body> {
    let named = query.split('&').find_map(|pair| pair.strip_prefix("project="));
    let Ok(project) = named.map(str::parse::<ProjectName>).transpose() else {
        return text(StatusCode::BAD_REQUEST, "no project is called so");
    };
    let kept = match shared.state.operations.list(project.clone()).await {
        Ok(kept) => kept,
        Err(error) => return json_as(status(&error), &Refusal::of(&error)),
    };
    let mut board = shared.state.board.all();
    let followed = board.iter().map(|status| status.project.clone()).collect();
    board.retain(|status| project.as_ref().is_none_or(|project| *project == status.project));
    let rows = BranchRow::all(kept, &board);
    match project {
        Some(project) if rows.is_empty() => unknown_project(project, followed),
        _ => json(&rows),
    }
}

/// Names those that are `known`, each once.
pub(super) fn unknown_project(project: ProjectName, mut known: Vec<ProjectName>) -> Response<Body> {
    known.dedup();
    let error = RevisionsError::UnknownProject { project, known };
    json_as(StatusCode::NOT_FOUND, &Refusal::of(&error))
}

fn status(error: &RevisionsError) -> StatusCode {
    match error {
        RevisionsError::UnknownProject { .. } | RevisionsError::UnknownBranch { .. } => {
            StatusCode::NOT_FOUND
        }
        error if error.is_askers_fault() => StatusCode::CONFLICT,
        _ => StatusCode::INTERNAL_SERVER_ERROR,
    }
}
