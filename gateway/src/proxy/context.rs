//! `RequestContext`: what is known of one request beside its head; and what its head says it is for.

use std::{
    net::IpAddr,
    sync::{Arc, atomic::AtomicBool},
    time::Instant,
};

use headgate_edge::{ClientProof, ConnectionInfo};
use headgate_executor::Phases;
use headgate_types::RequestId;
use pingora_core::protocols::http::ServerSession;
use pingora_http::RequestHeader;

use crate::snapshot::Route;

#[derive(Debug)]
pub struct RequestContext<'p> {
    pub id: RequestId,
    /// The span of this request, child of `parent` (W3C Trace Context §3.2.2.4).
    pub span: [u8; 8],
    pub started: Instant,
    pub route: Option<Arc<Route>>,
    /// What a function's time went into.
    pub phases: Phases,
    /// The answer was begun and could not be finished.
    pub cut: bool,
    /// Why the answer is an error, for the log.
    pub failure: Option<String>,
    /// The answer says that the host is to be asked over HTTPS alone.
    pub hsts: bool,
    /// The node shuts down.
    pub draining: &'p AtomicBool,
}

impl<'p> RequestContext<'p> {
    pub(super) fn new((id, span): (RequestId, [u8; 8]), draining: &'p AtomicBool) -> Self {
        Self {
            id,
            span,
            started: Instant::now(),
            route: None,
            phases: Phases::default(),
            failure: None,
            cut: false,
            hsts: false,
            draining,
        }
    }
}

/// The host a request is for: the target's authority before the `Host` field (RFC 9112 §3.2.2).
pub(super) fn host(request: &RequestHeader) -> Option<&str> {
    match request.uri.authority() {
        Some(authority) => Some(authority.as_str()),
        None => request.headers.get(http::header::HOST)?.to_str().ok(),
    }
}

pub(super) fn is_secure(session: &ServerSession) -> bool {
    session.digest().is_some_and(|digest| digest.ssl_digest.is_some())
}

/// What the client proved itself with when the connection began.
pub(super) fn client_proof(session: &ServerSession) -> Option<&ClientProof> {
    session.digest().and_then(ConnectionInfo::of_digest)?.proof.as_ref()
}

/// A request by loopback address is one for `localhost`, so that `http://127.0.0.1:8080` just works.
pub(super) fn is_loopback(host: &str) -> bool {
    let digits = host.strip_prefix('[').and_then(|h| h.strip_suffix(']')).unwrap_or(host);
    digits.parse::<IpAddr>().is_ok_and(|address| address.is_loopback())
}
