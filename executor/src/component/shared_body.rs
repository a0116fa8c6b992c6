//! The body of a response, in the hands of two: the guest's side, which goes on until it ended, and its reader.

use std::{
    collections::VecDeque,
    pin::Pin,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    task::{Context, Poll, Waker},
};

use bytes::Bytes;
use http_body::{Body, Frame};
use wasmtime_wasi_http::{Error, WasiBody};

use crate::defaults;

/// A body that a guest of 0.3 gave. Its tasks may be done long before it ends, as when it hands on the request's.
#[derive(Clone)]
pub(super) struct SharedBody(Arc<Mutex<Shared>>);

struct Shared {
    body: WasiBody,
    /// What the guest's side took out, to see whether this is all.
    ahead: VecDeque<Result<Frame<Bytes>, Error>>,
    ended: bool,
    /// The guest's side, while it waits for the end.
    waiting: Option<Waker>,
}

impl SharedBody {
    pub(super) fn new(body: WasiBody) -> Self {
        let shared = Shared { body, ahead: VecDeque::new(), ended: false, waiting: None };
        Self(Arc::new(Mutex::new(shared)))
    }

    /// Ready when all of the body came out of the guest, read or not. Looks ahead as far as one chunk goes, so that
    /// a short answer is known to be whole at once; beyond that, its reader sets the pace.
    pub(super) fn poll_ended(&self, cx: &mut Context<'_>) -> Poll<()> {
        let mut shared = self.shared();
        while !shared.ended && shared.length_ahead() < defaults::COMPONENT_CHUNK {
            match Pin::new(&mut shared.body).poll_frame(cx) {
                Poll::Ready(frame) => shared.came(frame),
                Poll::Pending => break,
            }
        }
        if shared.ended {
            return Poll::Ready(());
        }
        shared.waiting = Some(cx.waker().clone());
        Poll::Pending
    }

    fn shared(&self) -> MutexGuard<'_, Shared> {
        // A body that panicked is not polled again: the panic ends the task of both sides.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Shared {
    fn came(&mut self, frame: Option<Result<Frame<Bytes>, Error>>) {
        self.ended |= !matches!(frame, Some(Ok(_)));
        self.ahead.extend(frame);
    }

    fn length_ahead(&self) -> usize {
        let frames = self.ahead.iter().flatten();
        frames.filter_map(Frame::data_ref).map(Bytes::len).sum()
    }
}

impl Body for SharedBody {
    type Data = Bytes;
    type Error = Error;

    fn poll_frame(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Error>>> {
        let mut shared = self.shared();
        if shared.ahead.is_empty() && !shared.ended {
            match Pin::new(&mut shared.body).poll_frame(cx) {
                Poll::Ready(frame) => shared.came(frame),
                Poll::Pending => return Poll::Pending,
            }
        }
        if shared.ended {
            shared.waiting.take().into_iter().for_each(Waker::wake);
        }
        Poll::Ready(shared.ahead.pop_front())
    }
}
