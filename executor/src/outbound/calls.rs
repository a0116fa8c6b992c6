//! `Calls`: what one request of a function calls, within its bounds.

use std::{
    pin::Pin,
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicU32, Ordering},
    },
    task::{Context, Poll},
    time::Duration,
};

use bytes::Bytes;
use http::{HeaderMap, HeaderName, HeaderValue, Request, Response, Uri};
use http_body::{Body, Frame, SizeHint};
use http_body_util::BodyExt;
use tokio::{
    sync::{OwnedSemaphorePermit, Semaphore},
    time::timeout,
};

use super::{CallTimeouts, Found, Lookup, LookupFailed, OutboundBody, OutboundError, Outside};
use crate::{
    config::Config,
    defaults,
    function::FunctionSpec,
    log::{Output, Told, shown},
    running::GuestContext,
};

/// Clones share the bounds. A call that outlives its request is nobody's: whoever drives one drops it with the guest.
#[derive(Clone)]
pub(crate) struct Calls(Arc<Shared>);

struct Shared {
    outside: Arc<Outside>,
    function: Arc<FunctionSpec>,
    output: Output,
    came_through: Option<HeaderValue>,
    /// Calls of this request that may be under way.
    at_once: Arc<Semaphore>,
    /// Calls and lookups it may still make.
    left: AtomicU32,
    limit: u32,
    /// What was said in the log already.
    told: Mutex<Told>,
}

/// Made of what a guest is started with, when it calls for the first time: most never do.
#[derive(Clone)]
pub(crate) struct CallsOnDemand {
    pub(crate) config: Arc<Config>,
    pub(crate) outside: Arc<Outside>,
    pub(crate) function: Arc<FunctionSpec>,
    pub(crate) output: Output,
    /// What the request says of where it came through, which its calls say as well.
    pub(crate) came_through: Option<HeaderValue>,
}

/// Names the networks that a request came through (RFC 8586).
const CDN_LOOP: HeaderName = HeaderName::from_static("cdn-loop");

/// The `CDN-Loop` of a request, as one field.
pub(crate) fn came_through(request: &HeaderMap) -> Option<HeaderValue> {
    let mut values = request.get_all(CDN_LOOP).iter();
    let first = values.next()?;
    let rest: Vec<_> = values.map(HeaderValue::as_bytes).collect();
    if rest.is_empty() {
        return Some(first.clone());
    }
    let all = [&[first.as_bytes()], &rest[..]].concat().join(&b", "[..]);
    Some(HeaderValue::from_bytes(&all).expect("values of fields, joined, are one"))
}

impl Calls {
    pub(crate) fn new(context: &CallsOnDemand) -> Self {
        let CallsOnDemand { config, outside, function, output, came_through } = context.clone();
        Self(Arc::new(Shared {
            outside,
            function,
            output,
            came_through,
            at_once: Arc::new(Semaphore::new(config.calls_at_once)),
            left: AtomicU32::new(config.calls),
            limit: config.calls,
            told: Mutex::default(),
        }))
    }

    /// Waits for its turn, then sends. The turn ends with the response's body.
    pub(crate) async fn send(
        self,
        request: Request<OutboundBody>,
        timeouts: CallTimeouts,
    ) -> Result<Response<OutboundBody>, OutboundError> {
        let place = place(request.uri());
        let result = self.send_untold(request, timeouts).await;
        result.inspect_err(|error| self.tell(&format!("a call to `{place}` failed: {error}")))
    }

    /// Looks up, which counts as a call.
    pub(crate) async fn look_up(self, lookup: &Lookup) -> Result<Found, LookupFailed> {
        let result = match self.count() {
            Ok(()) => self.0.outside.way.look_up(&self.0.function.scope, lookup).await,
            Err(error) => Err(LookupFailed { reason: error.to_string() }),
        };
        result.inspect_err(|error| {
            self.tell(&format!("looking up `{}` failed: {error}", shown(&lookup.name)));
        })
    }

    async fn send_untold(
        &self,
        mut request: Request<OutboundBody>,
        timeouts: CallTimeouts,
    ) -> Result<Response<OutboundBody>, OutboundError> {
        self.count()?;
        // A guest that forgets the field, or writes it, would hide that it calls itself.
        request.headers_mut().remove(CDN_LOOP);
        if let Some(value) = &self.0.came_through {
            request.headers_mut().insert(CDN_LOOP, value.clone());
        }
        let turn = self.turn(timeouts.connect.unwrap_or(defaults::CALL_WAIT)).await?;
        let response = self.0.outside.way.send(&self.0.function.scope, request, timeouts).await?;
        Ok(response.map(|body| InTurn { body, turn: Some(turn) }.boxed_unsync()))
    }

    fn count(&self) -> Result<(), OutboundError> {
        let left = &self.0.left;
        let counted =
            left.fetch_update(Ordering::Relaxed, Ordering::Relaxed, |left| left.checked_sub(1));
        counted.map(drop).map_err(|_| OutboundError::TooMany { limit: self.0.limit })
    }

    async fn turn(&self, patience: Duration) -> Result<Turn, OutboundError> {
        let waiting = async {
            let closed = "turns are never closed";
            let own = self.0.at_once.clone().acquire_owned().await.expect(closed);
            (own, self.0.outside.at_once.clone().acquire_owned().await.expect(closed))
        };
        timeout(patience, waiting).await.map_err(|_| OutboundError::Busy)
    }

    fn tell(&self, text: &str) {
        let mut told = self.0.told.lock().unwrap_or_else(PoisonError::into_inner);
        told.once(&self.0.output, text);
    }
}

impl CallsOnDemand {
    pub(crate) fn of(context: &GuestContext) -> Self {
        Self {
            config: context.config.clone(),
            outside: context.outside.clone(),
            function: context.function.clone(),
            output: context.output.clone(),
            came_through: None,
        }
    }
}

type Turn = (OwnedSemaphorePermit, OwnedSemaphorePermit);

/// A response's body, which holds its call's turn until it was read or is dropped.
struct InTurn {
    body: OutboundBody,
    turn: Option<Turn>,
}

impl Body for InTurn {
    type Data = Bytes;
    type Error = OutboundError;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, OutboundError>>> {
        let frame = Pin::new(&mut self.body).poll_frame(cx);
        if let Poll::Ready(None | Some(Err(_))) = &frame {
            self.turn = None;
        }
        frame
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}

/// Whom a URL leads to, without what may be secret in it.
fn place(uri: &Uri) -> String {
    let scheme = uri.scheme_str().unwrap_or_default();
    let host = shown(uri.host().unwrap_or_default());
    match uri.port_u16() {
        Some(port) => format!("{scheme}://{host}:{port}"),
        None => format!("{scheme}://{host}"),
    }
}
