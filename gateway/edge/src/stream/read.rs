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

use super::{EdgeStream, Io};
use crate::{refusal::Refusal, waiter::poll_deadline};

/// Read at once, on the stack: an idle connection owns no read buffer.
const CHUNK: usize = 16 * 1024;

impl EdgeStream {
    /// Reads some more ahead; the number of bytes, zero at the end of the stream.
    pub(crate) fn read_ahead(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<usize>> {
        let mut chunk = [const { MaybeUninit::<u8>::uninit() }; CHUNK];
        let mut chunk = ReadBuf::uninit(&mut chunk);
        ready!(self.io.poll_read(cx, &mut chunk))?;
        self.ahead.extend_from_slice(chunk.filled());
        Poll::Ready(Ok(chunk.filled().len()))
    }

    fn read_wire(&mut self, cx: &mut Context<'_>, out: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        let before = out.filled().len();
        let read = self.io.poll_read(cx, out)?;
        let Some(pace) = &mut self.pace else { return read.map(Ok) };
        match read {
            Poll::Pending => {
                pace.waits(Instant::now);
                Poll::Pending
            }
            Poll::Ready(()) => {
                let bytes = out.filled().len() - before;
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
            Some(left) => left,
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
            return Poll::Pending; // the connection loop opens it; nobody waits for this read
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

impl Io {
    fn poll_read(&mut self, cx: &mut Context<'_>, out: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        match self {
            Self::Plain(wire) => Pin::new(wire).poll_read(cx, out),
            Self::Tls(tls) => Pin::new(&mut **tls).poll_read(cx, out),
        }
    }
}

fn refused(kind: io::ErrorKind, refusal: Refusal) -> io::Error {
    io::Error::new(kind, refusal.to_string())
}
