//! DNS over HTTPS (RFC 8484): the HTTP around what the name server answers.

use std::{fmt, sync::Arc, time::Duration};

use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use bytes::{Bytes, BytesMut};
use headgate_dns::{HttpsResponse, Responder};
use headgate_edge::ConnectionInfo;
use headgate_types::{Clock, DomainName};
use http::{HeaderMap, HeaderValue, Method, StatusCode, header};
use pingora_core::protocols::http::ServerSession;
use pingora_error::{Error, ErrorType};
use tokio::time::timeout;

use super::{RequestContext, respond};

/// Where clients look unless they are told otherwise.
const PATH: &str = "/dns-query";

const MESSAGE: HeaderValue = HeaderValue::from_static("application/dns-message");

/// A DNS message has no more bytes; honest queries have some fifty.
const LARGEST_QUERY: usize = u16::MAX as usize;

/// A query is one packet; whoever needs longer for it holds a place.
const QUERY_TIME: Duration = Duration::from_secs(10);

/// The name server, at the hosts of the node itself.
pub struct NameQueries {
    pub(crate) hosts: Vec<DomainName>,
    pub(crate) responder: Arc<Responder>,
    pub(crate) clock: Arc<dyn Clock>,
}

/// Why a request is no query.
struct Refusal(StatusCode, &'static str);

impl NameQueries {
    /// Whether a request is for the name server: over TLS, because nothing less is DNS over HTTPS.
    pub(super) fn take(&self, session: &ServerSession, host: &str, path: &str) -> bool {
        path == PATH && self.hosts.iter().any(|own| own.as_str() == host) && is_secure(session)
    }

    pub(super) async fn serve(
        &self,
        session: &mut ServerSession,
        ctx: &mut RequestContext<'_>,
    ) -> pingora_error::Result<()> {
        let query = match session.req_header().method {
            Method::GET => from_target(session.req_header().uri.query().unwrap_or_default()),
            Method::POST => from_body(session).await?,
            _ => return respond::method_not_allowed(session, ctx, "GET, POST").await,
        };
        let query = match query {
            Ok(query) => query,
            Err(Refusal(status, why)) => return respond::refuse(session, ctx, status, why).await,
        };
        let client = session.digest().and_then(ConnectionInfo::of_digest).map(|info| info.client);
        let client = client.ok_or_else(|| {
            Error::explain(ErrorType::InternalError, "a connection without a client's address")
        })?;
        match self.responder.over_https(&query, client.ip(), self.clock.now()) {
            Some(response) => answer(session, ctx, response).await,
            None => {
                let why = "This is no DNS query.";
                respond::refuse(session, ctx, StatusCode::BAD_REQUEST, why).await
            }
        }
    }
}

fn is_secure(session: &ServerSession) -> bool {
    let connection = session.digest().and_then(ConnectionInfo::of_digest);
    connection.is_some_and(|connection| connection.tls.is_some())
}

/// `?dns=` and the message in base64url, which has no padding (RFC 8484 §4.1).
fn from_target(query: &str) -> Result<Bytes, Refusal> {
    let written = query.split('&').find_map(|pair| pair.strip_prefix("dns="));
    let decoded = written.and_then(|text| URL_SAFE_NO_PAD.decode(text).ok());
    let why = "A query is `?dns=` and a DNS message in base64url without padding.";
    decoded.map(Bytes::from).ok_or(Refusal(StatusCode::BAD_REQUEST, why))
}

async fn from_body(session: &mut ServerSession) -> pingora_error::Result<Result<Bytes, Refusal>> {
    if session.req_header().headers.get(header::CONTENT_TYPE) != Some(&MESSAGE) {
        let why = "A query has the content type application/dns-message.";
        return Ok(Err(Refusal(StatusCode::UNSUPPORTED_MEDIA_TYPE, why)));
    }
    if respond::expects_continue(session) {
        session.write_continue_response().await?;
    }
    let read = async {
        let mut query = BytesMut::new();
        while let Some(chunk) =
            session.read_request_body().await.map_err(|error| error.into_down())?
        {
            if query.len() + chunk.len() > LARGEST_QUERY {
                let why = "No DNS message is as long as this.";
                return Ok(Err(Refusal(StatusCode::PAYLOAD_TOO_LARGE, why)));
            }
            query.extend_from_slice(&chunk);
        }
        Ok(Ok(query.freeze()))
    };
    timeout(QUERY_TIME, read).await.unwrap_or_else(|_| {
        let status = ErrorType::HTTPStatus(StatusCode::REQUEST_TIMEOUT.as_u16());
        Error::e_explain(status, "the client sends no more of its query")
    })
}

async fn answer(
    session: &mut ServerSession,
    ctx: &RequestContext<'_>,
    response: HttpsResponse,
) -> pingora_error::Result<()> {
    let HttpsResponse { message, max_age } = response;
    let mut headers = HeaderMap::with_capacity(3 + respond::OWN_FIELDS);
    headers.insert(header::CONTENT_TYPE, MESSAGE);
    headers.insert(header::CONTENT_LENGTH, HeaderValue::from(message.len()));
    let kept = max_age.and_then(|age| HeaderValue::from_str(&format!("max-age={age}")).ok());
    let kept = kept.unwrap_or(HeaderValue::from_static("no-store"));
    headers.insert(header::CACHE_CONTROL, kept);
    let head = respond::head(session, ctx, StatusCode::OK, headers);
    session.write_response_header(head).await?;
    respond::write_last(session, message.into()).await
}

impl fmt::Debug for NameQueries {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("NameQueries").field("hosts", &self.hosts).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_query_stands_in_the_target_without_padding() {
        assert_eq!(from_target("a=b&dns=AAE").ok().as_deref(), Some(&[0, 1][..]));
        for wrong in ["", "dns=AAE=", "dns=+/", "xdns=AAE"] {
            assert!(from_target(wrong).is_err_and(|refusal| refusal.0 == 400), "{wrong}");
        }
    }
}
