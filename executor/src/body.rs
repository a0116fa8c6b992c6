//! The body of a request, as the caller hands it over.

use std::{
    fmt,
    pin::Pin,
    task::{Context, Poll},
};

use bytes::Bytes;
use http_body::{Body, Frame, SizeHint};

type Boxed = Pin<Box<dyn Body<Data = Bytes, Error = BodyError> + Send>>;

/// A request's body. An empty one costs nothing.
pub struct RequestBody(Option<Boxed>);

/// The client's body could not be read to its end.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum BodyError {
    #[error("the client sent its body too slowly")]
    Timeout,
    #[error("the client's body is larger than allowed")]
    TooLarge,
    #[error("the client left before its body was complete")]
    Disconnected,
}

impl RequestBody {
    pub fn empty() -> Self {
        Self(None)
    }

    pub fn new(body: impl Body<Data = Bytes, Error = BodyError> + Send + 'static) -> Self {
        if body.is_end_stream() { Self(None) } else { Self(Some(Box::pin(body))) }
    }

    /// A body that is already in memory.
    pub fn full(bytes: impl Into<Bytes>) -> Self {
        use http_body_util::BodyExt;
        let full = http_body_util::Full::new(bytes.into());
        Self::new(full.map_err(|never| match never {}))
    }
}

impl Body for RequestBody {
    type Data = Bytes;
    type Error = BodyError;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, BodyError>>> {
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

impl Default for RequestBody {
    fn default() -> Self {
        Self::empty()
    }
}

impl fmt::Debug for RequestBody {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let kind = if self.0.is_some() { "RequestBody(..)" } else { "RequestBody(empty)" };
        f.write_str(kind)
    }
}

impl From<BodyError> for wasmtime_wasi_http::Error {
    fn from(error: BodyError) -> Self {
        match error {
            BodyError::Timeout => Self::ConnectionReadTimeout,
            BodyError::TooLarge => Self::HttpRequestBodySize(None),
            BodyError::Disconnected => Self::ConnectionTerminated,
        }
    }
}
