//! The gateway's own answers, and the one place where an error becomes a status.
//!
//! A visitor learns what happened and the request id to quote, never what is inside. A developer, on a
//! dev node, also sees the diagnostics of a revision that was refused.

use std::{sync::atomic::Ordering, time::Duration};

use bytes::Bytes;
use headgate_edge::ConnectionInfo;
use headgate_executor::{Fault, InvokeError};
use headgate_types::Chain;
use http::{HeaderMap, HeaderName, HeaderValue, StatusCode, Version, header};
use pingora_core::protocols::http::ServerSession;
use pingora_error::{Error, ErrorSource, ErrorType};
use pingora_http::ResponseHeader;
use tracing::{debug, error, info};

use super::{RequestContext, https, trace};
use crate::{policy::Policy, snapshot::Route, status::StatusBoard};

mod page;

type Written = pingora_error::Result<()>;

/// How long a client should wait before it asks a full node again. Long enough to matter, short enough
/// that nobody notices a burst.
const RETRY_AFTER: HeaderValue = HeaderValue::from_static("1");

/// A response head: these fields and what every response carries.
pub(super) fn head(
    session: &mut ServerSession,
    ctx: &RequestContext<'_>,
    status: StatusCode,
    fields: HeaderMap,
) -> Box<ResponseHeader> {
    // The head then says `connection: close`, as will happen.
    if ctx.draining.load(Ordering::Acquire) || is_kept_waiting(session) {
        session.set_keepalive(None);
    }
    let (mut parts, ()) = http::Response::new(()).into_parts();
    (parts.status, parts.headers) = (status, fields);
    let mut id = HeaderValue::from_bytes(&ctx.id.to_hex()).expect("hex digits are a valid value");
    // No secret, but never the same again: HPACK would push out of its table what comes again and again.
    id.set_sensitive(true);
    parts.headers.insert(trace::REQUEST_ID, id);
    if ctx.hsts {
        // A function may have said it in other words.
        parts.headers.entry(header::STRICT_TRANSPORT_SECURITY).or_insert(https::HSTS);
    }
    Box::new(ResponseHeader::from(parts))
}

/// Sends a response that is nothing but its head.
pub(super) async fn head_alone(session: &mut ServerSession, head: Box<ResponseHeader>) -> Written {
    if let ServerSession::H2(stream) = session {
        return stream.write_response_header(head, true);
    }
    session.write_response_header(head).await?;
    session.write_response_body(Bytes::new(), true).await
}

/// The end of a body, as one write where it fits into one.
pub(super) async fn write_last(session: &mut ServerSession, mut bytes: Bytes) -> Written {
    if session.is_http2() && bytes.len() > PIECE {
        let tail = bytes.split_off(bytes.len() - PIECE);
        write_pieces(session, bytes).await?;
        bytes = tail;
    }
    session.write_response_body(bytes, true).await
}

/// In pieces on HTTP/2, where a write has a time limit: a slow line must get each through in time.
pub(super) async fn write_pieces(session: &mut ServerSession, mut bytes: Bytes) -> Written {
    if !session.is_http2() {
        return session.write_response_body(bytes, false).await;
    }
    while !bytes.is_empty() {
        let piece = bytes.split_to(bytes.len().min(PIECE));
        session.write_response_body(piece, false).await?;
    }
    Ok(())
}

/// At the minute a write may take, one kilobyte a second is enough.
const PIECE: usize = 64 << 10;

/// A client that waits for `100 Continue` and gets a final answer may send its body or not (RFC 9110
/// §10.1.1), so what comes next on the connection could be either.
fn is_kept_waiting(session: &mut ServerSession) -> bool {
    session.response_written().is_none() && expects_continue(session) && !session.is_body_empty()
}

/// RFC 9110 §10.1.1: only HTTP/1.1 clients may be answered 100; h2 does it by itself.
pub(super) fn expects_continue(session: &ServerSession) -> bool {
    let request = session.req_header();
    request.version == Version::HTTP_11
        && request
            .headers
            .get(header::EXPECT)
            .is_some_and(|value| value.as_bytes().eq_ignore_ascii_case(b"100-continue"))
}

/// What a head needs room for beside the fields of an answer: the request id and HSTS here, and below us the
/// date and what concerns the connection.
pub(super) const OWN_FIELDS: usize = 5;

pub(super) async fn bad_request(
    session: &mut ServerSession,
    ctx: &mut RequestContext<'_>,
    why: &str,
) -> Written {
    session.set_keepalive(None); // whoever cannot write a request may have lost its framing too
    say(session, ctx, StatusCode::BAD_REQUEST, why, &[]).await
}

pub(super) async fn uri_too_long(
    session: &mut ServerSession,
    ctx: &mut RequestContext<'_>,
) -> Written {
    let text = "The address is longer than what is taken here.";
    say(session, ctx, StatusCode::URI_TOO_LONG, text, &[]).await
}

pub(super) async fn not_found(
    session: &mut ServerSession,
    ctx: &mut RequestContext<'_>,
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
    session: &mut ServerSession,
    ctx: &mut RequestContext<'_>,
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

/// The method stays what it is (RFC 9110 §15.4.9), and it is for good.
pub(super) async fn redirect(
    session: &mut ServerSession,
    ctx: &mut RequestContext<'_>,
    location: HeaderValue,
) -> Written {
    let text = "This site is served over HTTPS.";
    let fields = [(header::LOCATION, location)];
    say(session, ctx, StatusCode::PERMANENT_REDIRECT, text, &fields).await
}

/// RFC 9110 §15.5.20: a client that is told so asks again over a connection of its own.
pub(super) async fn misdirected(
    session: &mut ServerSession,
    ctx: &mut RequestContext<'_>,
) -> Written {
    let text = "This site is served over another connection than this one: over HTTPS, begun for its \
                own name, and with a certificate where it asks for one.";
    say(session, ctx, StatusCode::MISDIRECTED_REQUEST, text, &[]).await
}

/// RFC 8555 §8.3 has it so, the media type included.
pub(super) async fn challenge(
    session: &mut ServerSession,
    ctx: &mut RequestContext<'_>,
    key_authorization: String,
) -> Written {
    let kind = HeaderValue::from_static("application/octet-stream");
    write_as(session, ctx, StatusCode::OK, kind, key_authorization.into(), &[]).await
}

pub(super) async fn method_not_allowed(
    session: &mut ServerSession,
    ctx: &mut RequestContext<'_>,
    allow: &str,
) -> Written {
    let allow = HeaderValue::from_str(allow).expect("method names are a valid value");
    let text = "This address does not take this method.";
    say(session, ctx, StatusCode::METHOD_NOT_ALLOWED, text, &[(header::ALLOW, allow)]).await
}

/// A tunnel would need a route that proxies.
pub(super) async fn no_tunnel(
    session: &mut ServerSession,
    ctx: &mut RequestContext<'_>,
) -> Written {
    session.set_keepalive(None); // what follows the head is no request
    let text = "This gateway opens no tunnels.";
    // RFC 9110 §10.2.1: empty, because there is no method this target takes.
    let allow = [(header::ALLOW, HeaderValue::from_static(""))];
    say(session, ctx, StatusCode::METHOD_NOT_ALLOWED, text, &allow).await
}

/// Functions call each other in a circle.
pub(super) async fn looped(session: &mut ServerSession, ctx: &mut RequestContext<'_>) -> Written {
    let text = "This request came through too many functions, which call each other in a circle.";
    say(session, ctx, StatusCode::LOOP_DETECTED, text, &[]).await
}

/// A request that asks for something in the wrong way.
pub(super) async fn refuse(
    session: &mut ServerSession,
    ctx: &mut RequestContext<'_>,
    status: StatusCode,
    why: &str,
) -> Written {
    say(session, ctx, status, why, &[]).await
}

/// The route holds as many requests as it may.
pub(super) async fn busy(session: &mut ServerSession, ctx: &mut RequestContext<'_>) -> Written {
    let text = "This site is busy. Please try again in a moment.";
    let retry = [(header::RETRY_AFTER, RETRY_AFTER)];
    say(session, ctx, StatusCode::SERVICE_UNAVAILABLE, text, &retry).await
}

/// What the client announced of its body; the edge has refused what is no number.
pub(super) fn content_length(session: &ServerSession) -> Option<u64> {
    session.req_header().headers.get(header::CONTENT_LENGTH)?.to_str().ok()?.parse().ok()
}

/// The final status that was sent, if one was: `100 Continue` is no answer.
pub(in crate::proxy) fn answered(session: &ServerSession) -> Option<StatusCode> {
    let head = session.response_written()?;
    (!head.status.is_informational()).then_some(head.status)
}

/// Answers 413 to a body that is announced as too long. True if it was.
pub(super) async fn refuse_body(
    session: &mut ServerSession,
    ctx: &mut RequestContext<'_>,
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
/// load or a function that rests, 500 is ours.
pub(super) async fn guest_failed(
    session: &mut ServerSession,
    ctx: &mut RequestContext<'_>,
    route: &Route,
    error: &InvokeError,
) -> Written {
    note_guest_failure(ctx, route, error);
    match error {
        InvokeError::Busy { retry_after } => {
            let text = "This function is busy. Please try again in a moment.";
            say(session, ctx, StatusCode::SERVICE_UNAVAILABLE, text, &[retry(*retry_after)]).await
        }
        InvokeError::Resting { retry_after } => {
            let text = "This function keeps failing, so it rests. Please try again in a moment.";
            say(session, ctx, StatusCode::SERVICE_UNAVAILABLE, text, &[retry(*retry_after)]).await
        }
        InvokeError::Request { reason } => {
            let text = format!("The function cannot be asked this: {reason}.");
            say(session, ctx, StatusCode::BAD_REQUEST, &text, &[]).await
        }
        InvokeError::Deadline { .. } | InvokeError::Computing { .. } => {
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

/// Whole seconds, rounded up: who comes earlier is refused again.
fn retry(after: Duration) -> (HeaderName, HeaderValue) {
    let seconds = after.as_secs() + u64::from(after.subsec_nanos() > 0);
    (header::RETRY_AFTER, HeaderValue::from(seconds.max(1)))
}

fn note_guest_failure(ctx: &mut RequestContext<'_>, route: &Route, error: &InvokeError) {
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

/// Answers what answering failed with, if there is still somebody to answer and nothing was said.
///
/// A cut answer resets the connection: where the end of the connection is the end of the body, closing
/// it would make the part look like the whole (RFC 9112 §8).
pub(super) async fn failure(
    session: &mut ServerSession,
    ctx: &mut RequestContext<'_>,
    error: &Error,
) {
    ctx.failure.get_or_insert_with(|| error.to_string());
    session.set_keepalive(None);
    if answered(session).is_some() {
        ctx.cut = true;
        if let Some(connection) = session.digest().and_then(ConnectionInfo::of_digest) {
            connection.abort();
        }
        return;
    }
    let status = match (error.etype(), error.esource()) {
        (ErrorType::HTTPStatus(code), _) => StatusCode::from_u16(*code).ok(),
        (ErrorType::ReadTimedout, _) => Some(StatusCode::REQUEST_TIMEOUT),
        (ErrorType::ConnectionClosed | ErrorType::WriteError | ErrorType::ReadError, _) => None,
        (ErrorType::H2Error | ErrorType::InvalidH2, _) => None,
        (_, ErrorSource::Downstream) => Some(StatusCode::BAD_REQUEST),
        _ => Some(StatusCode::INTERNAL_SERVER_ERROR),
    };
    let Some(status) = status else { return };
    if status == StatusCode::INTERNAL_SERVER_ERROR {
        error!(request = %ctx.id, %error, "request failed");
    }
    let text = status.canonical_reason().unwrap_or("Error");
    // Whoever does not take it has gone, and the log says already why.
    let _ = say(session, ctx, status, text, &[]).await;
}

/// One sentence as a page for browsers and as a line of text for everybody else.
async fn say(
    session: &mut ServerSession,
    ctx: &RequestContext<'_>,
    status: StatusCode,
    text: &str,
    fields: &[(HeaderName, HeaderValue)],
) -> Written {
    let html = page::wanted(session);
    let body = if html { page::sentence(ctx, status, text) } else { format!("{text}\n") };
    write(session, ctx, status, html, body.into(), fields).await
}

async fn write(
    session: &mut ServerSession,
    ctx: &RequestContext<'_>,
    status: StatusCode,
    html: bool,
    body: Bytes,
    fields: &[(HeaderName, HeaderValue)],
) -> Written {
    let kind = if html { "text/html; charset=utf-8" } else { "text/plain; charset=utf-8" };
    write_as(session, ctx, status, HeaderValue::from_static(kind), body, fields).await
}

async fn write_as(
    session: &mut ServerSession,
    ctx: &RequestContext<'_>,
    status: StatusCode,
    kind: HeaderValue,
    body: Bytes,
    fields: &[(HeaderName, HeaderValue)],
) -> Written {
    let mut headers = HeaderMap::with_capacity(4 + fields.len() + OWN_FIELDS);
    headers.insert(header::CONTENT_TYPE, kind);
    headers.insert(header::CONTENT_LENGTH, HeaderValue::from(body.len()));
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    headers.insert(header::X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    headers.extend(fields.iter().cloned());
    let head = head(session, ctx, status, headers);
    if session.req_header().method == http::Method::HEAD {
        return head_alone(session, head).await;
    }
    session.write_response_header(head).await?;
    session.write_response_body(body, true).await
}
