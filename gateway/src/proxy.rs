//! `Proxy`: the one `ProxyHttp` behind every listener.
//!
//! ```text
//! request ─► host, path, method ─► Snapshot::find ─► Policy ─┬─► invoke    a function answers
//!                                                             └─► website   a file answers
//! ```
//!
//! In-process answers are given in `request_filter`. Everything before an answer touches memory only.
//! Whose fault an error is decides its status and its log level, in `respond`.

mod access_log;
mod context;
mod invoke;
mod respond;
mod trace;
mod website;

use std::{panic::AssertUnwindSafe, sync::Arc, time::Duration};

use async_trait::async_trait;
use futures::FutureExt;
use headgate_edge::{ConnectionInfo, defaults::URI_BYTES};
use headgate_routing::{Found, RequestHost, RequestPath};
use pingora_core::upstreams::peer::HttpPeer;
use pingora_error::{Error, ErrorType};
use pingora_proxy::{FailToProxy, ProxyHttp, Session};

pub use self::{access_log::AccessLog, context::RequestContext, trace::RequestIds};
use crate::{
    blob_cache::BlobCache,
    metrics::{Metrics, RequestKind},
    snapshot::{Route, SnapshotCell, Target},
    status::StatusBoard,
};

/// A write to an HTTP/2 stream that takes longer waits for a client that opens no window: answers leave in
/// pieces that even a slow line takes in seconds.
const WRITE: Duration = Duration::from_secs(60);

/// Answers requests from the current snapshot.
#[derive(Debug)]
pub struct Proxy {
    pub(crate) snapshot: Arc<SnapshotCell>,
    pub(crate) blobs: Arc<BlobCache>,
    pub(crate) ids: RequestIds,
    pub(crate) access: AccessLog,
    pub(crate) metrics: Arc<Metrics>,
    /// What the error pages may tell a developer; `None` on a real node, whose visitors are strangers.
    pub(crate) board: Option<Arc<StatusBoard>>,
}

/// What a request asks for, resolved. Holds no borrow of the snapshot, which may be replaced meanwhile.
enum Resolved {
    Route {
        route: Arc<Route>,
        params: Vec<(Box<str>, String)>,
        rest: Box<str>,
    },
    MethodNotAllowed {
        allow: String,
    },
    NotFound,
    /// No project claims the host.
    UnknownHost,
    /// Over HTTP/1 the edge says so; HTTP/2 only bounds its header list as a whole.
    UriTooLong,
    /// The target cannot be a path or the host cannot be a host.
    BadRequest(&'static str),
}

impl Proxy {
    async fn answer(
        &self,
        session: &mut Session,
        ctx: &mut RequestContext,
    ) -> pingora_error::Result<()> {
        trace::begin(session, ctx);
        if session.is_http2() {
            // A connection that stalls is the edge's affair; a stream that does, of one that moves, is ours.
            session.set_write_timeout(Some(WRITE));
        }
        match self.resolve(session) {
            Resolved::Route { route, params, rest } => {
                let answered = self.serve(session, ctx, &route, params, &rest).await;
                ctx.route = Some(route);
                answered
            }
            Resolved::MethodNotAllowed { allow } => {
                respond::method_not_allowed(session, ctx, &allow).await
            }
            Resolved::NotFound => respond::not_found(session, ctx, self.board.as_deref()).await,
            Resolved::UnknownHost => {
                respond::unknown_host(session, ctx, self.board.as_deref()).await
            }
            Resolved::UriTooLong => respond::uri_too_long(session, ctx).await,
            Resolved::BadRequest(why) => respond::bad_request(session, ctx, why).await,
        }
    }

    async fn serve(
        &self,
        session: &mut Session,
        ctx: &mut RequestContext,
        route: &Route,
        params: Vec<(Box<str>, String)>,
        rest: &str,
    ) -> pingora_error::Result<()> {
        let Some(_place) = route.policy.enter() else {
            return respond::busy(session, ctx).await;
        };
        if respond::refuse_body(session, ctx, &route.policy).await? {
            return Ok(());
        }
        match &route.target {
            Target::Function(function) => {
                invoke::serve(session, ctx, route, function, params).await
            }
            Target::Website(site) => website::serve(session, ctx, site, rest, &self.blobs).await,
        }
    }

    fn resolve(&self, session: &Session) -> Resolved {
        let request = session.req_header();
        if request.uri.path_and_query().is_some_and(|target| target.as_str().len() > URI_BYTES) {
            return Resolved::UriTooLong;
        }
        let Some(host) = context::host(request) else {
            return Resolved::BadRequest("the request names no host");
        };
        let Ok(host) = RequestHost::parse(host) else {
            return Resolved::BadRequest("the request's host is not a host name");
        };
        let Ok(path) = RequestPath::parse(request.uri.path()) else {
            return Resolved::BadRequest("the request's path is not a valid path");
        };
        let snapshot = self.snapshot.load();
        let method = request.method.as_str();
        let mut found = snapshot.find(host.as_str(), method, &path);
        if matches!(found, Found::UnknownHost) && context::is_loopback(host.as_str()) {
            found = snapshot.find("localhost", method, &path);
        }
        match found {
            Found::Route { target, params, rest, .. } => Resolved::Route {
                route: target.clone(),
                params: params.iter().map(|p| (p.name.into(), p.value().into_owned())).collect(),
                rest: rest.into(),
            },
            Found::MethodNotAllowed { allow } => {
                Resolved::MethodNotAllowed { allow: allow.to_string() }
            }
            Found::NotFound => Resolved::NotFound,
            Found::UnknownHost => Resolved::UnknownHost,
        }
    }
}

#[async_trait]
impl ProxyHttp for Proxy {
    type CTX = RequestContext;

    fn new_ctx(&self) -> RequestContext {
        RequestContext::new(self.ids.next())
    }

    async fn request_filter(
        &self,
        session: &mut Session,
        ctx: &mut RequestContext,
    ) -> pingora_error::Result<bool> {
        let answer = AssertUnwindSafe(self.answer(session, ctx));
        match answer.catch_unwind().await {
            Ok(answered) => answered.map(|()| true),
            // The panic's own message is in the log. What it left half done is this request's alone.
            Err(_) => Err(Error::explain(ErrorType::InternalError, "answering panicked")),
        }
    }

    /// Never reached: `request_filter` answers every request itself as long as no route proxies.
    async fn upstream_peer(
        &self,
        _: &mut Session,
        _: &mut RequestContext,
    ) -> pingora_error::Result<Box<HttpPeer>> {
        Err(Error::explain(ErrorType::InternalError, "no route has an upstream"))
    }

    /// An error after the head was sent cuts the connection or stream, so that no client takes the part
    /// for the whole. Before that it gets an answer.
    async fn fail_to_proxy(
        &self,
        session: &mut Session,
        error: &Error,
        ctx: &mut RequestContext,
    ) -> FailToProxy {
        let error_code = respond::failure(session, ctx, error).await;
        FailToProxy { error_code, can_reuse_downstream: false }
    }

    async fn logging(&self, session: &mut Session, _: Option<&Error>, ctx: &mut RequestContext) {
        let kind = match ctx.route.as_ref().map(|route| &route.target) {
            Some(Target::Function(_)) => RequestKind::Function,
            Some(Target::Website(_)) => RequestKind::Website,
            None => RequestKind::Gateway,
        };
        let method = session.req_header().method.as_str();
        let status = respond::answered(session);
        self.metrics.requests.count(kind, method, status, ctx.started.elapsed());
        let connection = session.digest().and_then(ConnectionInfo::of_digest);
        self.access.write(session, ctx, connection.map(AsRef::as_ref));
    }

    /// `fail_to_proxy` has said what there is to say, at the level its owner deserves.
    fn suppress_error_log(&self, _: &Session, _: &RequestContext, _: &Error) -> bool {
        true
    }
}
