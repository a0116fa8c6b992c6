//! A function's answer: the request goes in, the response comes out, both streamed, neither held whole.
//!
//! The guest runs inside this task; its response body drives it. So whenever this future ends, because
//! the answer is complete, the client left or something failed, the guest ends with it and its instance
//! is free.

mod upload;

use std::net::IpAddr;

use base64::{Engine as _, engine::general_purpose::STANDARD};
use bytes::Bytes;
use futures::FutureExt;
use headgate_executor::{
    Function, GuestBodyError, HttpInvocation, Invocation, InvokeError, RequestBody, ResponseBody,
};
use headgate_types::{Chain, RequestId};
use http::{
    HeaderMap, HeaderName, HeaderValue, Method, Request, StatusCode, Version, header,
    response::Parts,
};
use http_body::{Body, Frame};
use http_body_util::BodyExt;
use pingora_core::protocols::http::ServerSession;
use pingora_error::{Error, ErrorType};
use tokio::time::{Instant, timeout_at};
use tracing::info;

use self::upload::Upload;
use super::{
    RequestContext,
    context::{client_proof, is_secure},
    respond, trace,
};
use crate::snapshot::Route;

type Written = pingora_error::Result<()>;

pub(super) async fn serve(
    session: &mut ServerSession,
    ctx: &mut RequestContext<'_>,
    route: &Route,
    function: &Function,
    params: Vec<(Box<str>, String)>,
) -> Written {
    let (mut upload, body) = Upload::begin(session, &route.policy).await?;
    let invocation = Invocation::Http(HttpInvocation {
        request: guest_request(session, ctx, body),
        secure: is_secure(session),
        request_id: ctx.id,
        params,
    });
    let answer = {
        let mut invoke = std::pin::pin!(function.invoke_noting(invocation, &mut ctx.phases));
        loop {
            tokio::select! {
                biased;
                answer = &mut invoke => break answer,
                moved = upload.advance(session) => moved?,
            }
        }
    };
    let (parts, mut body) = match answer {
        Ok(response) => response.into_parts(),
        Err(error) => return respond::guest_failed(session, ctx, route, &error).await,
    };
    // Most answers are one chunk that is there already. One that has failed already can still be
    // answered as a failure.
    let first = match body.frame().now_or_never() {
        Some(Some(Err(error))) => {
            ctx.phases = body.phases();
            let error = InvokeError::from(error);
            return respond::guest_failed(session, ctx, route, &error).await;
        }
        Some(Some(Ok(frame))) => First::Frame(frame),
        Some(None) => First::End,
        None => First::Pending,
    };
    let deadline = Instant::from_std(ctx.started + function.spec().limits.deadline);
    let mut download = Download { session, ctx, body, deadline };
    let written = download.run(parts, first, &mut upload).await;
    download.ctx.phases = download.body.phases();
    written
}

/// What is there of a response's body when its head is.
enum First {
    Frame(Frame<Bytes>),
    End,
    Pending,
}

/// A response on its way to the client, while the rest of the request is still read.
struct Download<'a, 'p> {
    session: &'a mut ServerSession,
    ctx: &'a mut RequestContext<'p>,
    body: ResponseBody,
    /// The function's deadline binds the client, too: while a write waits for it, the guest is not
    /// polled, so it cannot notice the deadline itself and would keep its instance for as long as the
    /// client likes.
    deadline: Instant,
}

impl Download<'_, '_> {
    async fn run(&mut self, parts: Parts, first: First, upload: &mut Upload) -> Written {
        let Parts { status, headers: mut fields, .. } = parts;
        HOP_BY_HOP.iter().for_each(|name| _ = fields.remove(name));
        if bodiless(self.session, status) {
            let head = respond::head(self.session, self.ctx, status, fields);
            return respond::head_alone(self.session, head).await;
        }
        // If that is all, its length is known, and head and body leave in one write instead of three.
        let whole = match &first {
            First::End => Some(0),
            First::Frame(frame) if self.body.is_end_stream() => frame.data_ref().map(Bytes::len),
            First::Frame(_) | First::Pending => None,
        };
        frame_body(self.session, &mut fields, whole);
        let head = respond::head(self.session, self.ctx, status, fields);
        self.session.write_response_header(head).await?;
        match first {
            First::Frame(frame) if whole.is_some() => {
                let body = frame.into_data().unwrap_or_default();
                return respond::write_last(self.session, body).await;
            }
            First::Frame(frame) => {
                if self.write(Some(Ok(frame))).await? == Progress::Complete {
                    return Ok(());
                }
            }
            First::End => return self.session.write_response_body(Bytes::new(), true).await,
            First::Pending => {}
        }
        loop {
            tokio::select! {
                biased;
                frame = self.body.frame() => {
                    if self.write(frame).await? == Progress::Complete {
                        return Ok(());
                    }
                }
                moved = upload.advance(self.session) => moved?,
            }
        }
    }

    async fn write(
        &mut self,
        frame: Option<Result<Frame<Bytes>, GuestBodyError>>,
    ) -> pingora_error::Result<Progress> {
        let frame = match frame {
            Some(Ok(frame)) => frame,
            None => {
                self.session.write_response_body(Bytes::new(), true).await?;
                return Ok(Progress::Complete);
            }
            Some(Err(error)) => {
                let what = Chain(&error).to_string();
                info!(request = %self.ctx.id, error = %what, "response cut");
                self.ctx.failure = Some(what);
                let why = "the guest's response ended early";
                return Err(Error::explain(ErrorType::InternalError, why));
            }
        };
        match frame.into_data() {
            Ok(data) => {
                let write = self.session.write_response_body(data, false);
                let Ok(written) = timeout_at(self.deadline, write).await else {
                    let why = "the client did not take the response within the function's time";
                    return Error::e_explain(ErrorType::WriteTimedout, why);
                };
                written.map(|()| Progress::More)
            }
            Err(frame) => match frame.into_trailers() {
                // HTTP/1 trailers are dropped below us; on HTTP/2 they end the stream.
                Ok(trailers) if self.session.is_http2() => {
                    self.session.write_response_trailers(trailers).await?;
                    Ok(Progress::Complete)
                }
                _ => Ok(Progress::More),
            },
        }
    }
}

#[derive(PartialEq, Eq)]
enum Progress {
    More,
    Complete,
}

/// RFC 9110 §6.4.1: such a response has no body, whatever its head says.
fn bodiless(session: &ServerSession, status: StatusCode) -> bool {
    session.req_header().method == Method::HEAD
        || matches!(status, StatusCode::NO_CONTENT | StatusCode::NOT_MODIFIED)
}

/// The head a guest sees: what the client sent, less what concerns only the connection, plus what this
/// node knows better than the client.
fn guest_request(
    session: &ServerSession,
    ctx: &RequestContext<'_>,
    body: RequestBody,
) -> Request<RequestBody> {
    let mut parts = session.req_header().as_owned_parts();
    let client = session.client_addr().and_then(|addr| addr.as_inet()).map(|addr| addr.ip());
    let secure = is_secure(session);
    let certificate = client_proof(session).and_then(|proof| proof.certificates.first());
    let certificate = certificate.map(AsRef::as_ref);
    let hop = Hop { id: ctx.id, span: ctx.span, secure, client, certificate };
    pass_on(&mut parts.headers, &hop);
    Request::from_parts(parts, body)
}

/// What this node knows of a request better than its client.
pub(crate) struct Hop<'a> {
    pub(crate) id: RequestId,
    pub(crate) span: [u8; 8],
    pub(crate) secure: bool,
    pub(crate) client: Option<IpAddr>,
    /// The client's, verified, as DER.
    pub(crate) certificate: Option<&'a [u8]>,
}

/// Makes the fields a client sent those that a guest sees.
pub(crate) fn pass_on(fields: &mut HeaderMap, hop: &Hop<'_>) {
    strip_hop_by_hop(fields);
    fields.remove(header::EXPECT); // answered by `Upload`, so the guest has nothing to expect
    let id = HeaderValue::from_bytes(&hop.id.to_hex()).expect("hex digits are a valid value");
    fields.insert(trace::REQUEST_ID, id);
    let parent = HeaderValue::from_bytes(&trace::traceparent(hop.id, hop.span));
    fields.insert(trace::TRACEPARENT, parent.expect("a valid field value"));
    let scheme = if hop.secure { "https" } else { "http" };
    fields.insert(FORWARDED_PROTO, HeaderValue::from_static(scheme));
    if let Some(value) = hop.client.and_then(|ip| HeaderValue::try_from(ip.to_string()).ok()) {
        fields.insert(FORWARDED_FOR, value);
    }
    tell_certificate(fields, hop.certificate);
}

/// What a client says of its own certificate is not to be believed (RFC 9440 §2.4).
fn tell_certificate(fields: &mut HeaderMap, certificate: Option<&[u8]>) {
    fields.remove(CLIENT_CERT_CHAIN);
    match certificate {
        Some(der) => {
            let value = HeaderValue::try_from(format!(":{}:", STANDARD.encode(der)));
            fields.insert(CLIENT_CERT, value.expect("base64 is a valid value"));
        }
        None => _ = fields.remove(CLIENT_CERT),
    }
}

/// A byte sequence of structured fields (RFC 9440 §2.2).
const CLIENT_CERT: HeaderName = HeaderName::from_static("client-cert");
const CLIENT_CERT_CHAIN: HeaderName = HeaderName::from_static("client-cert-chain");
const FORWARDED_FOR: HeaderName = HeaderName::from_static("x-forwarded-for");
const FORWARDED_PROTO: HeaderName = HeaderName::from_static("x-forwarded-proto");

/// Fields for one connection only (RFC 9110 §7.6.1), and those that `Connection` names.
fn strip_hop_by_hop(fields: &mut HeaderMap) {
    if fields.contains_key(header::CONNECTION) {
        let named: Vec<HeaderName> = fields
            .get_all(header::CONNECTION)
            .iter()
            .filter_map(|value| value.to_str().ok())
            .flat_map(|names| names.split(','))
            .filter_map(|name| HeaderName::try_from(name.trim()).ok())
            .collect();
        named.into_iter().for_each(|name| _ = fields.remove(name));
    }
    HOP_BY_HOP.iter().for_each(|name| _ = fields.remove(name));
}

const HOP_BY_HOP: [HeaderName; 7] = [
    header::CONNECTION,
    header::TE,
    header::TRAILER,
    header::TRANSFER_ENCODING,
    header::UPGRADE,
    HeaderName::from_static("keep-alive"),
    HeaderName::from_static("proxy-connection"),
];

/// Says where the body ends: by its length if the guest or we know it, else by chunks (HTTP/1.1) or by
/// the end of the connection (HTTP/1.0).
fn frame_body(session: &mut ServerSession, fields: &mut HeaderMap, whole: Option<usize>) {
    if fields.contains_key(header::CONTENT_LENGTH) {
        return;
    }
    match whole {
        Some(length) => _ = fields.insert(header::CONTENT_LENGTH, HeaderValue::from(length)),
        None if session.is_http2() => {}
        None if session.req_header().version == Version::HTTP_11 => {
            fields.insert(header::TRANSFER_ENCODING, HeaderValue::from_static("chunked"));
        }
        None => session.set_keepalive(None),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nobody_but_this_node_tells_of_a_certificate() {
        let passed = |certificate| {
            let mut fields = HeaderMap::new();
            fields.append("client-cert", HeaderValue::from_static(":Zm9yZ2Vk:"));
            fields.append("client-cert", HeaderValue::from_static(":dHdpY2U=:"));
            fields.append("client-cert-chain", HeaderValue::from_static(":Zm9yZ2Vk:"));
            let id = RequestId::random(&mut rand::rng());
            let hop = Hop { id, span: [1; 8], secure: true, client: None, certificate };
            pass_on(&mut fields, &hop);
            assert!(!fields.contains_key(CLIENT_CERT_CHAIN));
            fields.get_all(CLIENT_CERT).iter().cloned().collect::<Vec<_>>()
        };
        assert_eq!(passed(None), [""; 0]);
        assert_eq!(passed(Some(b"certificate")), [":Y2VydGlmaWNhdGU=:"]);
    }
}
