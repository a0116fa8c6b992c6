//! The body of a response, which owns the guest that writes it.

use std::{
    collections::VecDeque,
    fmt,
    future::{Future, poll_fn},
    mem,
    pin::{Pin, pin},
    task::{Context, Poll},
};

use bytes::Bytes;
use http::HeaderMap;
use http_body::{Body, Frame, SizeHint};
use tokio::sync::mpsc;
use wasmtime_wasi_http::WasiBody;

use crate::{
    error::GuestBodyError,
    metrics::Outcome,
    phases::Phases,
    running::{Ended, Running},
};

/// The body of a guest's response. Owns the guest: polling it runs the guest, dropping it ends it.
///
/// It ends with `None` only if the guest finished it; anything else is an error, after which the connection has
/// to be cut. While it is not polled, a guest that waits for it keeps its slot: give slow clients a limit.
pub struct ResponseBody {
    state: State,
    declared: Declared,
    /// Of a guest that ended.
    phases: Phases,
}

enum State {
    Running { running: Box<Running>, source: Source },
    Rest(Rest),
}

/// What is left of a body whose guest is gone.
#[derive(Default)]
pub(super) struct Rest {
    chunks: VecDeque<Bytes>,
    pub(super) trailers: Option<HeaderMap>,
    pub(super) error: Option<GuestBodyError>,
}

impl ResponseBody {
    pub(super) fn running(running: Running, source: Source, declared: Declared) -> Self {
        let phases = running.phases();
        Self { state: State::Running { running: Box::new(running), source }, declared, phases }
    }

    pub(super) fn rest(rest: Rest, declared: Declared, phases: Phases) -> Self {
        Self { state: State::Rest(rest), declared, phases }
    }

    /// What its invocation's time went into until now.
    pub fn phases(&self) -> Phases {
        match &self.state {
            State::Running { running, .. } => running.phases(),
            State::Rest(_) => self.phases,
        }
    }

    /// Ends the guest, if it still runs, and remembers nothing but `error`.
    fn fail(
        &mut self,
        error: GuestBodyError,
    ) -> Poll<Option<Result<Frame<Bytes>, GuestBodyError>>> {
        if let State::Running { running, .. } = &mut self.state {
            running.flight().ended(Outcome::Partial);
            self.phases = running.phases();
        }
        self.state = State::Rest(Rest::default());
        self.declared.mute = true; // nothing more is expected of it
        Poll::Ready(Some(Err(error)))
    }
}

impl Rest {
    /// Takes what is on its way from a guest that `ended`. Its store, if there is one, lives until then.
    pub(super) fn drain(
        source: &mut Source,
        ended: Ended,
        result: Result<(), GuestBodyError>,
    ) -> Self {
        let mut rest = Self { error: result.err(), ..Self::default() };
        let mut cx = Context::from_waker(std::task::Waker::noop());
        let complete = loop {
            // Tokio's budget for one turn of a task would have a channel look empty that is not.
            let next = tokio::task::unconstrained(poll_fn(|cx| source.poll(cx)));
            match pin!(next).poll(&mut cx) {
                Poll::Ready(Some(Ok(frame))) => match frame.into_data() {
                    Ok(bytes) => rest.chunks.push_back(bytes),
                    Err(frame) => {
                        rest.trailers = frame.into_trailers().ok();
                        break Ok(());
                    }
                },
                Poll::Ready(Some(Err(error))) => break Err(error),
                Poll::Ready(None) => break Ok(()),
                Poll::Pending => break Err(GuestBodyError::Unfinished),
            }
        };
        drop(ended);
        rest.error = rest.error.or_else(|| complete.err());
        rest
    }

    pub(super) fn length(&self) -> u64 {
        self.chunks.iter().map(|chunk| chunk.len() as u64).sum()
    }
}

impl Source {
    fn poll(&mut self, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, GuestBodyError>>> {
        let frame = match self {
            Self::Component(body) => Pin::new(body)
                .poll_frame(cx)
                .map(|frame| frame.map(|frame| frame.map_err(|_| GuestBodyError::Abandoned))),
            Self::Core(chunks) => chunks.poll_recv(cx).map(|chunk| Some(Ok(Frame::data(chunk?)))),
            Self::Whole(bytes) if !bytes.is_empty() => {
                Poll::Ready(Some(Ok(Frame::data(mem::take(bytes)))))
            }
            Self::Whole(_) | Self::Ended => Poll::Ready(None),
        };
        if let Poll::Ready(None) = frame {
            *self = Self::Ended;
        }
        frame
    }
}

impl Body for ResponseBody {
    type Data = Bytes;
    type Error = GuestBodyError;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, GuestBodyError>>> {
        loop {
            let this = &mut *self;
            let frame = match &mut this.state {
                State::Rest(rest) => rest.next(&this.declared),
                State::Running { running, source } => {
                    match next(running, source, &this.declared, cx) {
                        Poll::Pending => return Poll::Pending,
                        Poll::Ready(Next::Frame(frame)) => {
                            running.pace().heard();
                            Some(frame)
                        }
                        Poll::Ready(Next::Rest(rest)) => {
                            this.phases = running.phases();
                            this.state = State::Rest(rest);
                            continue;
                        }
                    }
                }
            };
            return match frame {
                None => Poll::Ready(None),
                Some(Err(error)) => this.fail(error),
                Some(Ok(frame)) => {
                    if let Some(bytes) = frame.data_ref() {
                        if this.declared.mute || bytes.is_empty() {
                            continue;
                        }
                        if let Err(error) = this.declared.send(bytes) {
                            return this.fail(error);
                        }
                    }
                    Poll::Ready(Some(Ok(frame)))
                }
            };
        }
    }

    fn is_end_stream(&self) -> bool {
        match &self.state {
            State::Running { .. } => false,
            State::Rest(rest) => {
                let data = !self.declared.mute && !rest.chunks.is_empty();
                !data
                    && rest.trailers.is_none()
                    && rest.error.is_none()
                    && self.declared.check_end(0).is_none()
            }
        }
    }

    fn size_hint(&self) -> SizeHint {
        if self.declared.mute {
            return SizeHint::with_exact(0);
        }
        match (&self.state, self.declared.length) {
            (_, Some(length)) => SizeHint::with_exact(length.saturating_sub(self.declared.sent)),
            (State::Rest(rest), None) if rest.error.is_none() => {
                SizeHint::with_exact(rest.length())
            }
            _ => SizeHint::default(),
        }
    }
}

/// What a running guest's body does next.
enum Next {
    Frame(Result<Frame<Bytes>, GuestBodyError>),
    /// The guest ended; this is left of its body.
    Rest(Rest),
}

/// Gives what the guest wrote before it runs on: a guest never gets far ahead of its client.
fn next(
    running: &mut Running,
    source: &mut Source,
    declared: &Declared,
    cx: &mut Context<'_>,
) -> Poll<Next> {
    if let Poll::Ready(Some(frame)) = source.poll(cx) {
        return Poll::Ready(Next::Frame(frame));
    }
    let complete = matches!(source, Source::Ended);
    match running.poll(cx) {
        Poll::Pending => match source.poll(cx) {
            Poll::Ready(Some(frame)) => Poll::Ready(Next::Frame(frame)),
            // A complete body waits for its guest: what it does after its answer counts too.
            Poll::Ready(None) | Poll::Pending => Poll::Pending,
        },
        Poll::Ready(Ok(ended)) => {
            let rest = Rest::drain(source, ended, Ok(()));
            if rest.error.is_some() || declared.check_end(rest.length()).is_some() {
                running.flight().ended(Outcome::Partial);
            }
            Poll::Ready(Next::Rest(rest))
        }
        // The client has everything; the log and the counters know of the failure.
        Poll::Ready(Err(_)) if complete => Poll::Ready(Next::Rest(Rest::default())),
        Poll::Ready(Err(failed)) => {
            let error = failed.failure.into_body(running.pace().limit());
            Poll::Ready(Next::Rest(Rest::drain(source, Ended::Streamed, Err(error))))
        }
    }
}

impl Rest {
    fn next(&mut self, declared: &Declared) -> Option<Result<Frame<Bytes>, GuestBodyError>> {
        if let Some(chunk) = self.chunks.pop_front() {
            return Some(Ok(Frame::data(chunk)));
        }
        if let Some(error) = self.error.take().or_else(|| declared.check_end(0)) {
            return Some(Err(error));
        }
        self.trailers.take().map(|trailers| Ok(Frame::trailers(trailers)))
    }
}

impl fmt::Debug for ResponseBody {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let state = match &self.state {
            State::Running { .. } => "running",
            State::Rest(_) => "ended",
        };
        f.debug_struct("ResponseBody").field("guest", &state).finish_non_exhaustive()
    }
}

/// Where the body of a response comes from.
pub(crate) enum Source {
    Component(WasiBody),
    Core(mpsc::Receiver<Bytes>),
    Whole(Bytes),
    /// It was read to its clean end.
    Ended,
}

/// The length a guest promised, and how much of it was sent.
#[derive(Debug, Clone, Copy)]
pub(super) struct Declared {
    pub(super) length: Option<u64>,
    pub(super) sent: u64,
    /// Answers to HEAD, 204 and 304 have no body, whatever the guest writes.
    pub(super) mute: bool,
}

impl Declared {
    pub(super) fn known(self) -> bool {
        self.length.is_some()
    }

    fn send(&mut self, bytes: &Bytes) -> Result<(), GuestBodyError> {
        self.sent += bytes.len() as u64;
        match self.length {
            Some(declared) if self.sent > declared => {
                Err(GuestBodyError::Length { declared, too_many: true })
            }
            _ => Ok(()),
        }
    }

    /// Whether `more` bytes would complete it.
    pub(super) fn check_end(self, more: u64) -> Option<GuestBodyError> {
        let (Some(declared), false) = (self.length, self.mute) else { return None };
        let total = self.sent + more;
        let too_many = total > declared;
        (total != declared).then_some(GuestBodyError::Length { declared, too_many })
    }
}
