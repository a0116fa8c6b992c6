//! `Upload`: the request's body on its way from the client to a guest.
//!
//! A bounded channel of two chunks couples them: nothing is read from the client while the guest has
//! not taken what is there, so a slow guest slows its client down instead of filling our memory.

use std::{
    pin::Pin,
    task::{Context, Poll},
    time::Duration,
};

use bytes::Bytes;
use headgate_executor::{BodyError, RequestBody};
use http::StatusCode;
use http_body::{Body, Frame};
use pingora_core::protocols::http::ServerSession;
use pingora_error::{Error, ErrorType};
use tokio::{
    sync::mpsc,
    time::{Instant, sleep_until},
};

use crate::{policy::Policy, proxy::respond};

/// One chunk in hand and one on the way.
const CHUNKS: usize = 2;

/// A client that sends nothing for so long while it owes a body is gone (C1). The edge bounds the
/// pace of HTTP/1 bodies; on HTTP/2 this is the only bound.
const BODY_IDLE: Duration = Duration::from_secs(60);

#[derive(Debug)]
pub(super) struct Upload {
    state: State,
    /// Bytes that may still come.
    left: u64,
    /// Since when the client is waited for; `None` while it is the guest that keeps us waiting.
    waiting: Option<Instant>,
}

#[derive(Debug)]
enum State {
    Reading(mpsc::Sender<Bytes>),
    /// The guest dropped its request. The rest is read and thrown away, because a client that is still
    /// sending may not look at the answer before it is through.
    Discarding,
    /// The body is complete. Only the client's leaving is of interest.
    Done,
}

impl Upload {
    /// Splits a request's body off. A request without one costs no channel.
    pub(super) async fn begin(
        session: &mut ServerSession,
        policy: &Policy,
    ) -> pingora_error::Result<(Self, RequestBody)> {
        let left = policy.max_body.as_bytes();
        if session.is_body_empty() {
            return Ok((Self { state: State::Done, left, waiting: None }, RequestBody::empty()));
        }
        let length = respond::content_length(session);
        if respond::expects_continue(session) {
            session.write_continue_response().await?;
        }
        let (to_guest, from_client) = mpsc::channel(CHUNKS);
        let body = RequestBody::new(ChannelBody { from_client, length });
        Ok((Self { state: State::Reading(to_guest), left, waiting: None }, body))
    }

    /// Moves one chunk, or waits until there is one. With the body complete it waits for the client to
    /// leave, and fails then.
    ///
    /// May be dropped and called again at any await: a chunk is taken from the session only when there
    /// is room for it.
    pub(super) async fn advance(
        &mut self,
        session: &mut ServerSession,
    ) -> pingora_error::Result<()> {
        match &self.state {
            State::Done => {
                let left = session.read_body_or_idle(true).await;
                return left.map(|_| ()).map_err(|error| error.into_down());
            }
            // The permit is given back at once: this is the only sender, so the room stays.
            State::Reading(to_guest) => {
                if to_guest.reserve().await.is_err() {
                    self.state = State::Discarding;
                    return Ok(());
                }
            }
            State::Discarding => {}
        }
        let deadline = *self.waiting.get_or_insert_with(Instant::now) + BODY_IDLE;
        let chunk = tokio::select! {
            biased;
            chunk = session.read_request_body() => {
                chunk.map_err(|error| error.into_down())?
            }
            () = sleep_until(deadline) => return stopped(
                StatusCode::REQUEST_TIMEOUT, "the client sends no more of its request",
            ),
        };
        self.waiting = None;
        match chunk {
            Some(chunk) => self.take(chunk),
            None => {
                self.state = State::Done;
                Ok(())
            }
        }
    }

    fn take(&mut self, chunk: Bytes) -> pingora_error::Result<()> {
        let Some(left) = self.left.checked_sub(chunk.len() as u64) else {
            return stopped(StatusCode::PAYLOAD_TOO_LARGE, "the request's body is too long");
        };
        self.left = left;
        if let State::Reading(to_guest) = &self.state
            && to_guest.try_send(chunk).is_err()
        {
            self.state = State::Discarding; // there was room, so the guest has gone
        }
        Ok(())
    }
}

fn stopped<T>(status: StatusCode, why: &'static str) -> pingora_error::Result<T> {
    Error::e_explain(ErrorType::HTTPStatus(status.as_u16()), why)
}

/// The guest's end of the channel.
struct ChannelBody {
    from_client: mpsc::Receiver<Bytes>,
    length: Option<u64>,
}

impl Body for ChannelBody {
    type Data = Bytes;
    type Error = BodyError;

    fn poll_frame(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, BodyError>>> {
        let received = self.get_mut().from_client.poll_recv(cx);
        received.map(|chunk| chunk.map(|chunk| Ok(Frame::data(chunk))))
    }

    fn size_hint(&self) -> http_body::SizeHint {
        self.length.map_or_else(http_body::SizeHint::default, http_body::SizeHint::with_exact)
    }
}
