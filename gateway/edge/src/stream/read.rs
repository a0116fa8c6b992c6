//! The reading half.

use std::{
    io,
    mem::MaybeUninit,
    pin::Pin,
    task::{Context, Poll, ready},
};

use bytes::Buf;
use tokio::{
    io::{AsyncRead, AsyncWrite, ReadBuf},
    time::Instant,
};
use tracing::debug;

use super::EdgeStream;
use crate::{refusal::Refusal, waiter::poll_deadline};

/// Read at once, on the stack: an idle connection owns no read buffer.
pub(crate) const CHUNK: usize = 16 * 1024;

impl EdgeStream {
    /// Reads up to `most` bytes more ahead, but no more than [`CHUNK`]; their number, zero at the end
    /// of the stream.
    pub(crate) fn read_ahead(
        &mut self,
        cx: &mut Context<'_>,
        most: usize,
    ) -> Poll<io::Result<usize>> {
        let mut chunk = [const { MaybeUninit::<u8>::uninit() }; CHUNK];
        let mut chunk = ReadBuf::uninit(&mut chunk[..most.min(CHUNK)]);
        ready!(self.io.poll_read(cx, &mut chunk))?;
        self.ahead.extend_from_slice(chunk.filled());
        Poll::Ready(Ok(chunk.filled().len()))
    }

    fn read_wire(&mut self, cx: &mut Context<'_>, out: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        let before = out.filled().len();
        let read = match self.gate {
            // pingora asks for no more than the body has left; this does not rely on it.
            Some(left) if left < out.remaining() => {
                let mut part = ReadBuf::new(out.initialize_unfilled_to(left));
                let read = self.io.poll_read(cx, &mut part)?;
                let bytes = part.filled().len();
                out.advance(bytes);
                read
            }
            _ => self.io.poll_read(cx, out)?,
        };
        let bytes = out.filled().len() - before;
        if let Some(left) = &mut self.gate {
            *left -= bytes;
        }
        let Some(pace) = &mut self.pace else { return read.map(Ok) };
        match read {
            Poll::Pending => {
                pace.waits(Instant::now);
                Poll::Pending
            }
            Poll::Ready(()) => {
                if pace.received(bytes, &self.edge.limits, Instant::now) {
                    return Poll::Ready(Ok(()));
                }
                self.edge.metrics.rejected(Refusal::SlowBody);
                Poll::Ready(Err(refused(io::ErrorKind::TimedOut, Refusal::SlowBody)))
            }
        }
    }

    fn read_shown(&mut self, out: &mut ReadBuf<'_>) {
        let shown = match self.gate {
            _ if self.head_left > 0 => self.head_left,
            Some(left) => left.min(self.ahead.len()),
            None => self.ahead.len(),
        };
        let take = shown.min(out.remaining());
        out.put_slice(&self.ahead[..take]);
        self.ahead.advance(take);
        self.head_left = self.head_left.saturating_sub(take);
        if let Some(left) = &mut self.gate {
            *left = left.saturating_sub(take);
        }
    }

    /// The request was shown whole. What comes belongs to the next one and stays here, up to the size
    /// of a head; of the end of the stream pingora is told, because a handler may wait to see its
    /// client leave.
    fn read_beyond(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        loop {
            let room = self.edge.limits.head_bytes.saturating_sub(self.ahead.len());
            if room == 0 {
                // The rest stays in the kernel. Nobody needs to be woken: the connection loop goes
                // on when the answer is written.
                return Poll::Pending;
            }
            if ready!(self.read_ahead(cx, room))? == 0 {
                return Poll::Ready(Ok(()));
            }
        }
    }

    /// Follows HTTP/2 frames; `pending` says that nothing more is there.
    fn watch(&mut self, cx: &mut Context<'_>, fresh: &[u8], pending: bool) -> io::Result<()> {
        let Some(guard) = &mut self.guard else { return Ok(()) };
        let limits = &self.edge.limits;
        let mut refusal = guard.received(fresh, &limits.h2, Instant::now);
        if pending
            && let Some(begun) = guard.head_begun()
            && poll_deadline(&mut self.timer, cx, begun + limits.head)
        {
            refusal = Some(Refusal::H2HeadTimeout);
        }
        match refusal {
            Some(refusal) => Err(self.calm(cx, refusal)),
            None => Ok(()),
        }
    }

    /// Says GOAWAY as far as the socket takes it, and ends the connection with an error for h2.
    fn calm(&mut self, cx: &mut Context<'_>, refusal: Refusal) -> io::Error {
        self.edge.metrics.rejected(refusal);
        debug!(client.addr = %self.info.client, reason = refusal.label(), "cut an HTTP/2 connection");
        if let Some(goaway) = self.guard.as_ref().and_then(|guard| guard.goaway()) {
            self.gathered.extend_from_slice(&goaway);
            let _ = Pin::new(&mut *self).poll_flush(cx);
        }
        self.guard = None; // one GOAWAY is enough
        refused(io::ErrorKind::ConnectionAborted, refusal)
    }
}

impl AsyncRead for EdgeStream {
    fn poll_read(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        out: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let stream = self.get_mut();
        if stream.gate == Some(0) {
            return stream.read_beyond(cx);
        }
        let before = out.filled().len();
        let pending = if stream.ahead.is_empty() {
            stream.read_wire(cx, out)?.is_pending()
        } else {
            stream.read_shown(out);
            false
        };
        if stream.guard.is_some() {
            stream.watch(cx, &out.filled()[before..], pending)?;
        }
        if pending { Poll::Pending } else { Poll::Ready(Ok(())) }
    }
}

pub(super) fn refused(kind: io::ErrorKind, refusal: Refusal) -> io::Error {
    io::Error::new(kind, refusal.to_string())
}
