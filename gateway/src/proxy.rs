//! `Proxy`: the one HTTP application behind every listener.
//!
//! ```text
//! request ─► host, path, method ─► Snapshot::find ─► Policy ─┬─► invoke    a function answers
//!                                                             └─► website   a file answers
//! ```
//!
//! Before that, DNS over HTTPS is answered at the hosts of the node itself.
//!
//! It stands on pingora's sessions, not on its `HttpProxy`: what is answered in this process needs no
//! upstream, no cache phases and no filter modules, and paid for all of them. A route that does proxy can
//! still go there: `HttpProxy::process_new_http` takes a session whose head was read if the head is put
//! back first (`set_pipelined_prefix(session.to_h1_raw())`; on HTTP/2 nothing need be put back).
//!
//! Everything before an answer touches memory only. Whose fault an error is decides its status and its log
//! level, in `respond`.

mod access_log;
mod context;
mod https;
mod invoke;
mod name_query;
mod respond;
mod trace;
mod website;

use std::{
    fmt,
    panic::AssertUnwindSafe,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use async_trait::async_trait;
use futures::FutureExt;
use headgate_certs::acme::HttpTokens;
use headgate_edge::{
    ConnectionInfo,
    defaults::{BODY_DISCARD, URI_BYTES},
};
use headgate_routing::{Found, RequestHost, RequestPath};
use headgate_types::Digest;
use http::{HeaderValue, Method, StatusCode};
use pingora_core::{
    apps::{HttpPersistentSettings, HttpServerApp, HttpServerOptions, ReusedHttpStream},
    protocols::http::{ServerSession, v2::server::H2Options},
    server::ShutdownWatch,
};
use pingora_error::{Error, ErrorType};
use tracing::debug;

pub(crate) use self::invoke::{Hop, pass_on};
pub use self::{
    access_log::AccessLog, context::RequestContext, name_query::NameQueries, trace::RequestIds,
};
use crate::{
    blob_cache::BlobCache,
    loops,
    metrics::{Metrics, RequestKind},
    snapshot::{Route, SnapshotCell, Target},
    status::StatusBoard,
};

/// A write to an HTTP/2 stream that takes longer waits for a client that opens no window: answers leave in
/// pieces that even a slow line takes in seconds.
const WRITE: Duration = Duration::from_secs(60);

/// Answers requests from the current snapshot.
pub struct Proxy {
    pub(crate) snapshot: Arc<SnapshotCell>,
    pub(crate) blobs: Arc<BlobCache>,
    /// DNS over HTTPS; `None` if the node answers no DNS.
    pub(crate) names: Option<NameQueries>,
    pub(crate) ids: RequestIds,
    pub(crate) access: AccessLog,
    pub(crate) metrics: Arc<Metrics>,
    /// What the error pages may tell a developer; `None` on a real node, whose visitors are strangers.
    pub(crate) board: Option<Arc<StatusBoard>>,
    pub(crate) server_options: HttpServerOptions,
    pub(crate) h2_options: H2Options,
    /// The node shuts down: connections end with the answer under way.
    pub(crate) draining: AtomicBool,
    /// The port that requests in the clear are sent to; `None` on a node without HTTPS.
    pub(crate) https: Option<u16>,
    /// The answers to HTTP-01 challenges under way.
    pub(crate) challenges: HttpTokens,
}

/// What a request asks for, resolved. Holds no borrow of the snapshot, which may be replaced meanwhile.
enum Resolved {
    Route {
        route: Arc<Route>,
        params: Vec<(Box<str>, String)>,
        /// Length of what lies below the route's prefix, in bytes at the end of the resolved path.
        below: usize,
    },
    /// It is for the name server.
    NameQuery,
    MethodNotAllowed {
        allow: String,
    },
    /// In the clear, to a host that is asked over HTTPS.
    Redirect {
        location: HeaderValue,
    },
    /// The connection shook hands under another policy than the host's.
    Misdirected,
    /// The answer to a challenge of a certificate authority.
    Challenge {
        key_authorization: String,
    },
    NotFound,
    /// No project claims the host.
    UnknownHost,
    /// Over HTTP/1 the edge says so; HTTP/2 only bounds its header list as a whole.
    UriTooLong,
    /// The target cannot be a path or the host cannot be a host.
    BadRequest(&'static str),
    /// `CONNECT`: what follows its head would be no HTTP.
    Tunnel,
}

impl Proxy {
    async fn answer(
        &self,
        session: &mut ServerSession,
        ctx: &mut RequestContext<'_>,
    ) -> pingora_error::Result<()> {
        trace::begin(session, ctx);
        if session.is_http2() {
            // A connection that stalls is the edge's affair; a stream that does, of one that moves, is ours.
            session.set_write_timeout(Some(WRITE));
        }
        match self.resolve(session, ctx) {
            Resolved::Route { route, params, below } => {
                ctx.route = Some(route.clone());
                self.serve(session, ctx, &route, params, below).await
            }
            Resolved::Redirect { location } => respond::redirect(session, ctx, location).await,
            Resolved::Misdirected => respond::misdirected(session, ctx).await,
            Resolved::Challenge { key_authorization } => {
                respond::challenge(session, ctx, key_authorization).await
            }
            Resolved::NameQuery => match &self.names {
                Some(names) => names.serve(session, ctx).await,
                None => respond::not_found(session, ctx, None).await,
            },
            Resolved::MethodNotAllowed { allow } => {
                respond::method_not_allowed(session, ctx, &allow).await
            }
            Resolved::NotFound => respond::not_found(session, ctx, self.board.as_deref()).await,
            Resolved::UnknownHost => {
                respond::unknown_host(session, ctx, self.board.as_deref()).await
            }
            Resolved::UriTooLong => respond::uri_too_long(session, ctx).await,
            Resolved::BadRequest(why) => respond::bad_request(session, ctx, why).await,
            Resolved::Tunnel => respond::no_tunnel(session, ctx).await,
        }
    }

    async fn serve(
        &self,
        session: &mut ServerSession,
        ctx: &mut RequestContext<'_>,
        route: &Route,
        params: Vec<(Box<str>, String)>,
        below: usize,
    ) -> pingora_error::Result<()> {
        let Some(_place) = route.policy.enter() else {
            return respond::busy(session, ctx).await;
        };
        if respond::refuse_body(session, ctx, &route.policy).await? {
            return Ok(());
        }
        match &route.target {
            Target::Function(_)
                if loops::passes(&session.req_header().headers) >= loops::MOST_PASSES =>
            {
                respond::looped(session, ctx).await
            }
            Target::Function(function) => {
                invoke::serve(session, ctx, route, function, params).await
            }
            Target::Website(site) => website::serve(session, ctx, site, below, &self.blobs).await,
        }
    }

    fn resolve(&self, session: &ServerSession, ctx: &mut RequestContext<'_>) -> Resolved {
        let request = session.req_header();
        if request.method == Method::CONNECT {
            return Resolved::Tunnel;
        }
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
        let names = self.names.as_ref();
        if names.is_some_and(|names| names.take(session, host.as_str(), path.as_str())) {
            return Resolved::NameQuery;
        }
        let snapshot = self.snapshot.load();
        let mut rule = snapshot.rules().find(host.as_str());
        if context::is_secure(session) {
            ctx.hsts = rule.hsts;
        } else {
            let path = request.uri.path();
            if let Some(key_authorization) = self.challenges.answer(path) {
                return Resolved::Challenge { key_authorization };
            }
            if let Some(port) = self.https.filter(|_| rule.redirect && !https::is_challenge(path))
                && let Some(location) = https::location(host.as_str(), port, &request.uri)
            {
                return Resolved::Redirect { location };
            }
        }
        let method = request.method.as_str();
        let mut found = snapshot.find(host.as_str(), method, &path);
        if matches!(found, Found::UnknownHost) && context::is_loopback(host.as_str()) {
            found = snapshot.find("localhost", method, &path);
            rule.clients = snapshot.rules().find("localhost").clients;
        }
        // Both ways: who proved itself to one host has not done so for another, and HTTP/2 would put both on
        // one connection.
        let proof = context::client_proof(session);
        if proof.map(|proof| &proof.policy) != rule.clients.as_ref().map(Digest::as_bytes) {
            return Resolved::Misdirected;
        }
        match found {
            Found::Route { target, params, rest, .. } => Resolved::Route {
                route: target.clone(),
                below: rest.len(),
                params: params.iter().map(|p| (p.name.into(), p.value().into_owned())).collect(),
            },
            Found::MethodNotAllowed { allow } => {
                Resolved::MethodNotAllowed { allow: allow.to_string() }
            }
            Found::NotFound => Resolved::NotFound,
            Found::UnknownHost => Resolved::UnknownHost,
        }
    }

    /// Counts a request that was dealt with, and logs it.
    fn note(&self, session: &ServerSession, ctx: &RequestContext<'_>) {
        let kind = match ctx.route.as_ref().map(|route| &route.target) {
            Some(Target::Function(_)) => RequestKind::Function,
            Some(Target::Website(_)) => RequestKind::Website,
            None => RequestKind::Gateway,
        };
        let method = session.req_header().method.as_str();
        let status = respond::answered(session);
        let elapsed = ctx.started.elapsed();
        self.metrics.requests.count(kind, method, status, elapsed);
        let connection = session.digest().and_then(ConnectionInfo::of_digest);
        self.access.write(session, ctx, connection.map(AsRef::as_ref), elapsed);
    }
}

impl fmt::Debug for Proxy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Proxy").finish_non_exhaustive()
    }
}

#[async_trait]
impl HttpServerApp for Proxy {
    async fn process_new_http(
        self: &Arc<Self>,
        mut session: ServerSession,
        _: &ShutdownWatch,
    ) -> Option<ReusedHttpStream> {
        if !read_head(&mut session).await {
            return None;
        }
        let mut ctx = RequestContext::new(self.ids.next(), &self.draining);
        let answer = AssertUnwindSafe(self.answer(&mut session, &mut ctx));
        let answered = answer.catch_unwind().await.unwrap_or_else(|_| {
            // The panic's own message is in the log. What it left half done is this request's alone.
            Err(Error::explain(ErrorType::InternalError, "answering panicked"))
        });
        if let Err(error) = &answered {
            // After the head was sent it cuts the connection or stream, so that no client takes the part
            // for the whole. Before that there is still an answer to give.
            respond::failure(&mut session, &mut ctx, error).await;
        }
        self.note(&session, &ctx);
        if answered.is_err() {
            return None;
        }
        discard_upload(&mut session).await;
        let settings = HttpPersistentSettings::for_session(&session);
        let stream = session.finish().await.ok()??;
        Some(ReusedHttpStream::from_reusable_stream(stream, settings))
    }

    /// From now on answers say that their connection closes.
    async fn http_cleanup(&self) {
        self.draining.store(true, Ordering::Release);
    }

    fn server_options(&self) -> Option<&HttpServerOptions> {
        Some(&self.server_options)
    }

    fn h2_options(&self) -> Option<H2Options> {
        Some(self.h2_options.clone())
    }
}

/// Reads what is left of an HTTP/2 request that was answered early, for a while. Some clients lose an answer
/// that is followed by a reset, although RFC 9113 §8.1 has it so; for HTTP/1 pingora does the same.
async fn discard_upload(session: &mut ServerSession) {
    if session.is_http2() && !session.is_body_done() {
        session.set_total_drain_timeout(Some(BODY_DISCARD));
        // Whoever does not stop sending is reset after all.
        let _ = session.drain_request_body().await;
    }
}

/// Waits for the request's head; false if there is none to answer.
async fn read_head(session: &mut ServerSession) -> bool {
    match session.read_request().await {
        Ok(read) => read,
        Err(error) => {
            debug!(%error, "no valid head");
            if *error.etype() == ErrorType::InvalidHTTPHeader {
                // Whoever sent it may be gone already.
                let _ = session.respond_error(StatusCode::BAD_REQUEST.as_u16()).await;
            }
            session.shutdown().await;
            false
        }
    }
}
