//! The keep-alive loop of one connection. It stands in for the loop in pingora's
//! `ServerApp::process_new`.
//!
//! Each turn reads one HTTP/1 head whole, under limits, and hands the stream to a pingora session,
//! which finds the head waiting; the session gives the stream back when the answer is written. An
//! HTTP/2 preface ends the loop: from there on the guard inside the stream watches.

use std::{future::poll_fn, sync::Arc, task::Poll};

use pingora_core::{
    apps::{HttpPersistentSettings, HttpServerApp, ServerApp},
    protocols::http::ServerSession,
    server::ShutdownWatch,
};
use tokio::{
    io::AsyncWriteExt,
    time::{Instant, timeout},
};
use tracing::debug;

use crate::{
    defaults,
    h2_guard::PREFACE,
    head::{Found, HeadScan},
    limits::Limits,
    metrics::Ending,
    refusal::Refusal,
    stream::{CHUNK, EdgeStream},
    waiter::Waiter,
};

/// Serves one connection until it ends.
pub(crate) async fn serve_connection<A>(
    app: Arc<A>,
    stream: Box<EdgeStream>,
    shutdown: ShutdownWatch,
) -> Ending
where
    A: HttpServerApp + Send + Sync + 'static,
{
    let remains = stream.remains().clone();
    let ending = serve_requests(app, stream, shutdown).await;
    // Whoever dropped the stream, its socket is here if the client still sends.
    remains.linger().await;
    ending
}

async fn serve_requests<A>(
    app: Arc<A>,
    mut stream: Box<EdgeStream>,
    shutdown: ShutdownWatch,
) -> Ending
where
    A: HttpServerApp + Send + Sync + 'static,
{
    // Once for the connection: its reference count is shared by all workers.
    let edge = Arc::clone(stream.edge());
    let limits = &edge.limits;
    let mut waiter = Waiter::new(shutdown.clone());
    let mut kept = Kept::New;
    loop {
        match read_head(&mut stream, limits, &mut waiter, &kept).await {
            Next::Http1 => {}
            Next::Http2 => {
                drop(waiter);
                stream.become_h2();
                app.process_new(stream, &shutdown).await;
                return Ending::Closed;
            }
            Next::Refuse(refusal) => {
                refuse(&mut stream, refusal).await;
                return Ending::Refused;
            }
            Next::Close => {
                let _ = timeout(defaults::GOODBYE, stream.shutdown()).await;
                return Ending::Closed;
            }
        }
        let session = session(&*app, stream, limits, kept, &shutdown);
        let Some(reused) = app.process_new_http(session, &shutdown).await else {
            return Ending::Closed;
        };
        let (returned, settings) = reused.consume();
        kept = Kept::Settings(settings);
        // What a session gives back is what it was given.
        let Ok(ours) = returned.into_any().downcast::<EdgeStream>() else { return Ending::Closed };
        if ours.is_cut() {
            return Ending::Closed;
        }
        stream = ours;
    }
}

/// What the connection brings from its requests so far.
#[derive(Debug)]
enum Kept {
    /// There was none.
    New,
    Settings(Option<HttpPersistentSettings>),
}

/// What the connection does next.
#[derive(Debug)]
enum Next {
    Http1,
    Http2,
    Refuse(Refusal),
    Close,
}

fn session<A: HttpServerApp>(
    app: &A,
    stream: Box<EdgeStream>,
    limits: &Limits,
    kept: Kept,
    shutdown: &ShutdownWatch,
) -> ServerSession {
    let mut session = ServerSession::new_http1(stream);
    // pingora's defaults: 60 s for each read, and for ever for the other. Its write timeout stays
    // off: it would time a whole body in one piece, and knows neither heads nor flushes; the stream
    // itself watches that something leaves.
    session.set_read_timeout(Some(limits.body_idle));
    session.set_total_drain_timeout(Some(limits.body_discard));
    // An answer given before the end of an upload costs the rest of the upload, not the connection.
    session.set_close_on_response_before_downstream_finish(false);
    match kept {
        Kept::Settings(Some(settings)) => settings.apply_to_session(&mut session),
        Kept::New | Kept::Settings(None) => {
            session.set_keepalive(Some(limits.idle.as_secs().max(1)));
            let requests = app.server_options().and_then(|o| o.keepalive_request_limit);
            session.set_keepalive_reuses_remaining(requests);
        }
    }
    if *shutdown.borrow() {
        // The answer says `connection: close`. `set_keepalive(None)` would not do: reading the head
        // sets it again.
        session.set_keepalive_reuses_remaining(Some(0));
    }
    session
}

/// Waits for a whole head or an HTTP/2 preface.
async fn read_head(
    stream: &mut EdgeStream,
    limits: &Limits,
    waiter: &mut Waiter,
    kept: &Kept,
) -> Next {
    let first = matches!(kept, Kept::New);
    let must_h2 = stream.is_h2();
    let may_h2 = must_h2 || (first && limits.h2c && !stream.is_tls());
    stream.begin_request();
    let mut scan = HeadScan::default();
    // A new connection owes a head at once; a kept one may rest before it.
    let mut head_deadline = first.then(|| Instant::now() + limits.head);
    let mut idle_deadline = None;
    poll_fn(|cx| {
        loop {
            let ahead = stream.ahead();
            // The preface is compared as far as it has come: `GET` differs at once, so nobody waits
            // for 24 bytes.
            let length = ahead.len().min(PREFACE.len());
            if may_h2 && ahead[..length] == PREFACE[..length] {
                if length == PREFACE.len() {
                    return Next::Http2.into();
                }
            } else if must_h2 {
                return Next::Close.into();
            } else if length > 0 {
                match scan.scan(ahead, limits) {
                    Found::More => {}
                    Found::Head(head) => {
                        stream.show(&head);
                        return Next::Http1.into();
                    }
                    Found::Reject(refusal) => return Next::Refuse(refusal).into(),
                }
            }
            match stream.read_ahead(cx, CHUNK) {
                Poll::Ready(Ok(1..)) => continue,
                Poll::Ready(_) => return Next::Close.into(),
                Poll::Pending => {}
            }
            let begun = !stream.ahead().is_empty();
            if !begun {
                stream.rest();
            }
            if begun || first {
                let mut deadline =
                    *head_deadline.get_or_insert_with(|| Instant::now() + limits.head);
                if !begun && waiter.stopping(cx) {
                    let grace = Instant::now() + defaults::DRAIN_FIRST_HEAD;
                    deadline = deadline.min(grace);
                    head_deadline = Some(deadline);
                }
                if waiter.expired(cx, deadline) {
                    let silent = !begun || must_h2;
                    return if silent { Next::Close } else { Next::Refuse(Refusal::HeadTimeout) }
                        .into();
                }
            } else {
                let idle = *idle_deadline.get_or_insert_with(|| Instant::now() + limits.idle);
                if waiter.expired(cx, idle) || waiter.stopping(cx) {
                    return Next::Close.into();
                }
            }
            return Poll::Pending;
        }
    })
    .await
}

/// A real answer; a lingering close follows.
async fn refuse(stream: &mut EdgeStream, refusal: Refusal) {
    stream.edge().metrics.rejected(refusal);
    debug!(client.addr = %stream.info().client, reason = refusal.label(), "refused a request");
    let answer = refusal.answer();
    stream.discard();
    let say = async {
        stream.write_all(&answer).await?;
        stream.shutdown().await
    };
    // Whatever goes wrong here, the connection ends.
    let _ = timeout(defaults::REFUSAL, say).await;
}
