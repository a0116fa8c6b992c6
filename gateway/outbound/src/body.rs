//! Bodies: a request's as the caller gives it, a response's as it comes.

use std::{
    fmt,
    pin::Pin,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    task::{Context, Poll, ready},
    time::{Duration, Instant},
};

use bytes::Bytes;
use http_body::{Body, Frame, SizeHint};
use hyper::body::Incoming;
use tokio::time::Sleep;

use crate::{defaults, error::Error};

/// The body of a request. An empty one costs nothing.
pub struct RequestBody(Option<Boxed>);

type Boxed = Pin<Box<dyn Body<Data = Bytes, Error = RequestBodyError> + Send>>;

/// Whoever makes a request's body broke it off.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("broken off by its maker")]
pub struct RequestBodyError;

impl RequestBody {
    pub fn empty() -> Self {
        Self(None)
    }

    pub fn new(body: impl Body<Data = Bytes, Error = RequestBodyError> + Send + 'static) -> Self {
        if body.is_end_stream() { Self(None) } else { Self(Some(Box::pin(body))) }
    }
}

impl RequestBody {
    /// Waits a moment for its first piece, so that a body of nothing becomes none.
    pub(crate) async fn begun(mut self) -> Self {
        let Some(body) = self.0.as_mut().filter(|body| body.size_hint().exact().is_none()) else {
            return self;
        };
        let first = std::future::poll_fn(|cx| body.as_mut().poll_frame(cx));
        match tokio::time::timeout(defaults::BODY_BEGINS, first).await {
            Ok(None) => Self(None),
            Ok(first) => Self(self.0.map(|rest| Box::pin(Begun { first, rest }) as _)),
            Err(_) => self,
        }
    }
}

/// A body whose first piece is here.
struct Begun {
    first: Option<Result<Frame<Bytes>, RequestBodyError>>,
    rest: Boxed,
}

impl Body for Begun {
    type Data = Bytes;
    type Error = RequestBodyError;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, RequestBodyError>>> {
        match self.first.take() {
            Some(first) => Poll::Ready(Some(first)),
            None => self.rest.as_mut().poll_frame(cx),
        }
    }
}

impl Body for RequestBody {
    type Data = Bytes;
    type Error = RequestBodyError;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, RequestBodyError>>> {
        match &mut self.0 {
            Some(body) => body.as_mut().poll_frame(cx),
            None => Poll::Ready(None),
        }
    }

    fn is_end_stream(&self) -> bool {
        self.0.as_ref().is_none_or(|body| body.is_end_stream())
    }

    fn size_hint(&self) -> SizeHint {
        self.0.as_ref().map_or_else(|| SizeHint::with_exact(0), |body| body.size_hint())
    }
}

impl fmt::Debug for RequestBody {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(if self.0.is_some() { "RequestBody(..)" } else { "RequestBody(empty)" })
    }
}

/// When a request's body moved last: as long as it does, nobody can expect an answer.
#[derive(Debug, Clone)]
pub(crate) struct Progress(Arc<(Instant, AtomicU64)>);

impl Progress {
    pub(crate) fn new() -> Self {
        Self(Arc::new((Instant::now(), AtomicU64::new(0))))
    }

    pub(crate) fn last(&self) -> Instant {
        self.0.0 + Duration::from_millis(self.0.1.load(Ordering::Relaxed))
    }

    pub(crate) fn moved(&self) {
        let since = u64::try_from(self.0.0.elapsed().as_millis()).unwrap_or(u64::MAX);
        self.0.1.store(since, Ordering::Relaxed);
    }
}

/// A request's body on its way, which notes that it moves.
pub(crate) struct Upload {
    pub(crate) body: RequestBody,
    pub(crate) progress: Progress,
}

impl Body for Upload {
    type Data = Bytes;
    type Error = RequestBodyError;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, RequestBodyError>>> {
        let frame = ready!(Pin::new(&mut self.body).poll_frame(cx));
        self.progress.moved();
        Poll::Ready(frame)
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}

/// The body of a response. It ends with an error if it stalls or breaks off; dropping it lets the connection go.
pub struct ResponseBody {
    incoming: Incoming,
    between_bytes: Duration,
    /// Runs while somebody waits for the next piece.
    timer: Option<Pin<Box<Sleep>>>,
    waiting: bool,
}

impl ResponseBody {
    pub(crate) fn new(incoming: Incoming, between_bytes: Duration) -> Self {
        Self { incoming, between_bytes, timer: None, waiting: false }
    }

    fn stalled(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        let deadline = tokio::time::Instant::now() + self.between_bytes;
        let timer = self.timer.get_or_insert_with(|| Box::pin(tokio::time::sleep_until(deadline)));
        if !std::mem::replace(&mut self.waiting, true) {
            timer.as_mut().reset(deadline);
        }
        timer.as_mut().poll(cx)
    }
}

impl Body for ResponseBody {
    type Data = Bytes;
    type Error = Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Error>>> {
        match Pin::new(&mut self.incoming).poll_frame(cx) {
            Poll::Ready(frame) => {
                self.waiting = false;
                Poll::Ready(frame.map(|frame| frame.map_err(Error::of_body)))
            }
            Poll::Pending => {
                ready!(self.stalled(cx));
                Poll::Ready(Some(Err(Error::BodyTimeout)))
            }
        }
    }

    fn is_end_stream(&self) -> bool {
        self.incoming.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.incoming.size_hint()
    }
}

impl fmt::Debug for ResponseBody {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ResponseBody").field("size", &self.size_hint()).finish_non_exhaustive()
    }
}
