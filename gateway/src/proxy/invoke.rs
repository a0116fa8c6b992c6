//! A function's answer: the request goes in, the response comes out, both streamed, neither held whole.
//!
//! The guest runs inside this task; its response body drives it. So whenever this future ends, because
//! the answer is complete, the client left or something failed, the guest ends with it and its instance
//! is free.

mod upload;

use bytes::Bytes;
use futures::FutureExt;
use headgate_executor::{Function, HttpInvocation, Invocation, RequestBody, ResponseBody};
use http::{HeaderMap, HeaderName, HeaderValue, Method, Request, StatusCode, Version, header};
use http_body::Body;
use http_body_util::BodyExt;
use pingora_error::{Error, ErrorType};
use pingora_http::ResponseHeader;
use pingora_proxy::Session;
use tokio::time::{Instant, timeout_at};

use self::upload::Upload;
use super::{RequestContext, respond, trace};
use crate::policy::Policy;

type Written = pingora_error::Result<()>;

pub(super) async fn serve(
    session: &mut Session,
    ctx: &mut RequestContext,
    function: &Function,
    policy: &Policy,
    params: Vec<(Box<str>, String)>,
) -> Written {
    let (mut upload, body) = Upload::begin(session, policy).await?;
    let invocation = Invocation::Http(HttpInvocation {
        request: guest_request(session, ctx, body),
        secure: is_secure(session),
        request_id: ctx.id,
        params,
    });
    let answer = {
        let mut invoke = std::pin::pin!(function.invoke(invocation));
        loop {
            tokio::select! {
                biased;
                answer = &mut invoke => break answer,
                moved = upload.advance(session) => moved?,
            }
        }
    };
    match answer {
        Ok(response) => {
            let deadline = Instant::from_std(ctx.started + function.spec().limits.deadline);
            download(session, ctx, response, &mut upload, deadline).await
        }
        Err(error) => respond::guest_failed(session, ctx, &error).await,
    }
}

/// Writes the response while the rest of the request is still read.
///
/// The function's `deadline` binds the client, too: while a write waits for him, the guest is not polled, so it
/// cannot notice the deadline itself and would keep its instance for as long as he likes.
async fn download(
    session: &mut Session,
    ctx: &mut RequestContext,
    response: http::Response<ResponseBody>,
    upload: &mut Upload,
    deadline: Instant,
) -> Written {
    let (parts, mut body) = response.into_parts();
    let mut head = respond::head(session, ctx, parts.status, parts.headers.len());
    append_fields(&mut head, &parts.headers)?;
    let bodiless = session.req_header().method == Method::HEAD
        || matches!(parts.status, StatusCode::NO_CONTENT | StatusCode::NOT_MODIFIED);
    if bodiless {
        session.write_response_header(head, true).await?;
        return session.write_response_body(None, true).await;
    }
    // Most answers are one chunk that is there already: then its length is known, and head and body
    // leave in one write instead of three.
    let first = body.frame().now_or_never();
    let whole = match &first {
        Some(None) => Some(0),
        Some(Some(Ok(frame))) if body.is_end_stream() => frame.data_ref().map(Bytes::len),
        _ => None,
    };
    frame_body(session, &mut head, whole)?;
    session.write_response_header(head, false).await?;
    let done = match first {
        Some(Some(Ok(frame))) if whole.is_some() => {
            session.write_response_body(frame.into_data().ok(), true).await?;
            true
        }
        Some(first) => write_frame(session, ctx, first, deadline).await?,
        None => false,
    };
    if done {
        return Ok(());
    }
    loop {
        tokio::select! {
            biased;
            frame = body.frame() => if write_frame(session, ctx, frame, deadline).await? {
                return Ok(());
            },
            moved = upload.advance(session) => moved?,
        }
    }
}

/// One frame of the response; true after the last.
async fn write_frame(
    session: &mut Session,
    ctx: &mut RequestContext,
    frame: Option<Result<http_body::Frame<Bytes>, headgate_executor::GuestBodyError>>,
    deadline: Instant,
) -> pingora_error::Result<bool> {
    match frame {
        Some(Ok(frame)) => match frame.into_data() {
            Ok(data) => {
                let write = session.write_response_body(Some(data), false);
                match timeout_at(deadline, write).await {
                    Ok(written) => written.map(|()| false),
                    Err(_) => Err(Error::explain(
                        ErrorType::WriteTimedout,
                        "the client did not take the response within the function's time",
                    )),
                }
            }
            Err(frame) => match frame.into_trailers() {
                // HTTP/1 trailers are dropped below us; on HTTP/2 they end the stream.
                Ok(trailers) if session.is_http2() => session
                    .downstream_session
                    .write_response_trailers(trailers)
                    .await
                    .map(|()| true),
                _ => Ok(false),
            },
        },
        None => session.write_response_body(None, true).await.map(|()| true),
        Some(Err(error)) => {
            let what = headgate_types::Chain(&error).to_string();
            tracing::info!(request = %ctx.id, error = %what, "response cut");
            ctx.failure = Some(what);
            Err(Error::explain(ErrorType::InternalError, "the guest's response ended early"))
        }
    }
}

/// The head a guest sees: what the client sent, less what concerns only the connection, plus what this
/// node knows better than the client.
fn guest_request(
    session: &Session,
    ctx: &RequestContext,
    body: RequestBody,
) -> Request<RequestBody> {
    let mut parts = session.req_header().as_owned_parts();
    let fields = &mut parts.headers;
    strip_hop_by_hop(fields);
    fields.remove(header::EXPECT); // answered by `Upload`, so the guest has nothing to expect
    let id = HeaderValue::from_bytes(&ctx.id.to_hex()).expect("hex digits are a valid value");
    fields.insert(trace::REQUEST_ID, id);
    let parent = HeaderValue::try_from(trace::traceparent(ctx)).expect("a valid field value");
    fields.insert(trace::TRACEPARENT, parent);
    let scheme = if is_secure(session) { "https" } else { "http" };
    fields.insert(FORWARDED_PROTO, HeaderValue::from_static(scheme));
    let client =
        session.client_addr().and_then(|addr| addr.as_inet()).map(|addr| addr.ip().to_string());
    if let Some(value) = client.and_then(|ip| HeaderValue::try_from(ip).ok()) {
        fields.insert(FORWARDED_FOR, value);
    }
    Request::from_parts(parts, body)
}

const FORWARDED_FOR: HeaderName = HeaderName::from_static("x-forwarded-for");
const FORWARDED_PROTO: HeaderName = HeaderName::from_static("x-forwarded-proto");

/// Fields for one connection only (RFC 9110 §7.6.1), and those that `Connection` names.
fn strip_hop_by_hop(fields: &mut HeaderMap) {
    if let Some(named) = fields.remove(header::CONNECTION) {
        for name in named.to_str().unwrap_or_default().split(',') {
            if let Ok(name) = HeaderName::try_from(name.trim()) {
                fields.remove(name);
            }
        }
    }
    for name in [header::TE, header::TRAILER, header::TRANSFER_ENCODING, header::UPGRADE] {
        fields.remove(name);
    }
    fields.remove(KEEP_ALIVE);
    fields.remove(PROXY_CONNECTION);
}

const KEEP_ALIVE: HeaderName = HeaderName::from_static("keep-alive");
const PROXY_CONNECTION: HeaderName = HeaderName::from_static("proxy-connection");

fn append_fields(head: &mut ResponseHeader, fields: &HeaderMap) -> Written {
    let about_the_connection = |name: &HeaderName| {
        matches!(
            *name,
            header::CONNECTION | header::TRANSFER_ENCODING | header::UPGRADE | header::TE
        ) || name == KEEP_ALIVE
            || name == PROXY_CONNECTION
    };
    for (name, value) in fields.iter().filter(|(name, _)| !about_the_connection(name)) {
        head.append_header(name, value)?;
    }
    Ok(())
}

/// Says where the body ends: by its length if the guest or we know it, else by chunks (HTTP/1.1) or by
/// the end of the connection (HTTP/1.0).
fn frame_body(session: &mut Session, head: &mut ResponseHeader, whole: Option<usize>) -> Written {
    if head.headers.contains_key(header::CONTENT_LENGTH) {
        return Ok(());
    }
    match whole {
        Some(length) => head.insert_header(header::CONTENT_LENGTH, HeaderValue::from(length))?,
        None if session.is_http2() => {}
        None if session.req_header().version == Version::HTTP_11 => {
            head.insert_header(header::TRANSFER_ENCODING, HeaderValue::from_static("chunked"))?;
        }
        None => session.set_keepalive(None),
    }
    Ok(())
}

fn is_secure(session: &Session) -> bool {
    session.digest().is_some_and(|digest| digest.ssl_digest.is_some())
}
