//! The gateway's own answers, and the one place where an error becomes a status.
//!
//! A visitor learns what happened and the request id to quote, never what is inside. A developer, on a
//! dev node, also sees the diagnostics of a revision that was refused.

use bytes::Bytes;
use headgate_edge::ConnectionInfo;
use headgate_executor::{Fault, InvokeError};
use headgate_types::Chain;
use http::{HeaderValue, StatusCode, header};
use pingora_error::{Error, ErrorSource, ErrorType};
use pingora_http::ResponseHeader;
use pingora_proxy::Session;
use tracing::{debug, error, info};

use super::{RequestContext, trace};
use crate::{policy::Policy, snapshot::Route, status::StatusBoard};

mod page;

type Written = pingora_error::Result<()>;

/// How long a client should wait before it asks a full node again. Long enough to matter, short enough
/// that nobody notices a burst.
const RETRY_AFTER: HeaderValue = HeaderValue::from_static("1");

/// Begins a response head with what every response carries.
pub(super) fn head(
    session: &mut Session,
    ctx: &RequestContext,
    status: StatusCode,
    fields: usize,
) -> Box<ResponseHeader> {
    if session.is_process_shutting_down() {
        session.set_keepalive(None); // so that the head says `connection: close`, as will happen
    }
    let mut head = ResponseHeader::build_no_case(status, Some(fields + 4)).expect("a valid status");
    let id = HeaderValue::from_bytes(&ctx.id.to_hex()).expect("hex digits are a valid value");
    head.insert_header(trace::REQUEST_ID, id).expect("a valid field");
    Box::new(head)
}

pub(super) async fn bad_request(
    session: &mut Session,
    ctx: &mut RequestContext,
    why: &str,
) -> Written {
    session.set_keepalive(None); // whoever cannot write a request may have lost its framing too
    say(session, ctx, StatusCode::BAD_REQUEST, why, &[]).await
}

pub(super) async fn uri_too_long(session: &mut Session, ctx: &mut RequestContext) -> Written {
    let text = "The address is longer than what is taken here.";
    say(session, ctx, StatusCode::URI_TOO_LONG, text, &[]).await
}

pub(super) async fn not_found(
    session: &mut Session,
    ctx: &mut RequestContext,
    board: Option<&StatusBoard>,
) -> Written {
    match board.and_then(page::refused_revision) {
        Some(refused) => page::diagnostics(session, ctx, StatusCode::NOT_FOUND, &refused).await,
        None => {
            say(session, ctx, StatusCode::NOT_FOUND, "There is nothing at this address.", &[]).await
        }
    }
}

/// 404 as well: a stranger need not learn which hosts a node knows.
pub(super) async fn unknown_host(
    session: &mut Session,
    ctx: &mut RequestContext,
    board: Option<&StatusBoard>,
) -> Written {
    match board.and_then(page::refused_revision) {
        Some(refused) => {
            page::diagnostics(session, ctx, StatusCode::SERVICE_UNAVAILABLE, &refused).await
        }
        None => {
            say(session, ctx, StatusCode::NOT_FOUND, "No site is served under this name.", &[])
                .await
        }
    }
}

pub(super) async fn method_not_allowed(
    session: &mut Session,
    ctx: &mut RequestContext,
    allow: &str,
) -> Written {
    let allow = HeaderValue::from_str(allow).expect("method names are a valid value");
    let text = "This address does not take this method.";
    say(session, ctx, StatusCode::METHOD_NOT_ALLOWED, text, &[(header::ALLOW, allow)]).await
}

/// The route holds as many requests as it may.
pub(super) async fn busy(session: &mut Session, ctx: &mut RequestContext) -> Written {
    let text = "This site is busy. Please try again in a moment.";
    let retry = [(header::RETRY_AFTER, RETRY_AFTER)];
    say(session, ctx, StatusCode::SERVICE_UNAVAILABLE, text, &retry).await
}

/// What the client announced of its body; the edge has refused what is no number.
pub(super) fn content_length(session: &Session) -> Option<u64> {
    session.req_header().headers.get(header::CONTENT_LENGTH)?.to_str().ok()?.parse().ok()
}

/// The final status that was sent, if one was: `100 Continue` is no answer.
pub(in crate::proxy) fn answered(session: &Session) -> Option<StatusCode> {
    let head = session.response_written()?;
    (!head.status.is_informational()).then_some(head.status)
}

/// Answers 413 to a body that is announced as too long. True if it was.
pub(super) async fn refuse_body(
    session: &mut Session,
    ctx: &mut RequestContext,
    policy: &Policy,
) -> pingora_error::Result<bool> {
    if content_length(session).is_none_or(|length| length <= policy.max_body.as_bytes()) {
        return Ok(false);
    }
    session.set_keepalive(None); // the rest of the body is not read
    let text = format!("The request's body is longer than the {} taken here.", policy.max_body);
    say(session, ctx, StatusCode::PAYLOAD_TOO_LARGE, &text, &[]).await?;
    Ok(true)
}

/// A guest that gave no answer. The status says whose fault it was: 502 and 504 are the guest's, 503 is
/// load, 500 is ours.
pub(super) async fn guest_failed(
    session: &mut Session,
    ctx: &mut RequestContext,
    route: &Route,
    error: &InvokeError,
) -> Written {
    note_guest_failure(ctx, route, error);
    match error {
        InvokeError::Busy { retry_after } => {
            let seconds = HeaderValue::from(retry_after.as_secs().max(1));
            let text = "This function is busy. Please try again in a moment.";
            let retry = [(header::RETRY_AFTER, seconds)];
            say(session, ctx, StatusCode::SERVICE_UNAVAILABLE, text, &retry).await
        }
        InvokeError::Request { reason } => {
            let text = format!("The function cannot be asked this: {reason}.");
            say(session, ctx, StatusCode::BAD_REQUEST, &text, &[]).await
        }
        InvokeError::Deadline { .. } => {
            let text = "The function took too long to answer.";
            say(session, ctx, StatusCode::GATEWAY_TIMEOUT, text, &[]).await
        }
        other if other.fault() == Fault::Ourselves => {
            let text = "This node could not run the function.";
            say(session, ctx, StatusCode::INTERNAL_SERVER_ERROR, text, &[]).await
        }
        _ => say(session, ctx, StatusCode::BAD_GATEWAY, "The function failed.", &[]).await,
    }
}

fn note_guest_failure(ctx: &mut RequestContext, route: &Route, error: &InvokeError) {
    let (project, function) = (&route.revision.project, &route.name);
    let (request, error_text) = (ctx.id, Chain(error).to_string());
    match error.fault() {
        Fault::Downstream => {
            debug!(%project, %function, %request, error = %error_text, "invocation ended")
        }
        Fault::Guest => {
            info!(%project, %function, %request, error = %error_text, "invocation failed")
        }
        Fault::Ourselves => {
            error!(%project, %function, %request, error = %error_text, "invocation failed")
        }
    }
    ctx.failure = Some(error_text);
}

/// Answers what `request_filter` failed with, if there is still somebody to answer and nothing was said.
/// Returns the status for the log; 0 if the connection is gone or the answer was cut.
///
/// A cut answer resets the connection: where the end of the connection is the end of the body, closing
/// it would make the part look like the whole (RFC 9112 §8).
pub(super) async fn failure(session: &mut Session, ctx: &mut RequestContext, error: &Error) -> u16 {
    ctx.failure.get_or_insert_with(|| error.to_string());
    session.set_keepalive(None);
    if answered(session).is_some() {
        ctx.cut = true;
        if let Some(connection) = session.digest().and_then(ConnectionInfo::of_digest) {
            connection.abort();
        }
        return 0;
    }
    let status = match (error.etype(), error.esource()) {
        (ErrorType::HTTPStatus(code), _) => *code,
        (ErrorType::ReadTimedout, _) => 408,
        (ErrorType::ConnectionClosed | ErrorType::WriteError | ErrorType::ReadError, _) => 0,
        (ErrorType::H2Error | ErrorType::InvalidH2, _) => 0,
        (_, ErrorSource::Downstream) => 400,
        _ => 500,
    };
    if status == 500 {
        error!(request = %ctx.id, %error, "request failed");
    }
    let Ok(code) = StatusCode::from_u16(status) else { return 0 };
    let text = code.canonical_reason().unwrap_or("Error");
    match say(session, ctx, code, text, &[]).await {
        Ok(()) => status,
        Err(_) => 0,
    }
}

/// One sentence as a page for browsers and as a line of text for everybody else.
async fn say(
    session: &mut Session,
    ctx: &RequestContext,
    status: StatusCode,
    text: &str,
    fields: &[(header::HeaderName, HeaderValue)],
) -> Written {
    let html = page::wanted(session);
    let body = if html { page::sentence(ctx, status, text) } else { format!("{text}\n") };
    write(session, ctx, status, html, body.into(), fields).await
}

async fn write(
    session: &mut Session,
    ctx: &RequestContext,
    status: StatusCode,
    html: bool,
    body: Bytes,
    fields: &[(header::HeaderName, HeaderValue)],
) -> Written {
    let kind = if html { "text/html; charset=utf-8" } else { "text/plain; charset=utf-8" };
    let mut head = head(session, ctx, status, 4 + fields.len());
    head.insert_header(header::CONTENT_TYPE, HeaderValue::from_static(kind))?;
    head.insert_header(header::CONTENT_LENGTH, HeaderValue::from(body.len()))?;
    head.insert_header(header::CACHE_CONTROL, HeaderValue::from_static("no-store"))?;
    head.insert_header(header::X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"))?;
    for (name, value) in fields {
        head.insert_header(name, value)?;
    }
    let body = (session.req_header().method != http::Method::HEAD).then_some(body);
    session.write_response_header(head, false).await?;
    session.write_response_body(body, true).await
}
