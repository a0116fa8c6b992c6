//! The writing half: small writes gather, larger ones leave together with what was gathered.

use std::{
    io::{self, IoSlice},
    pin::Pin,
    task::{Context, Poll, ready},
};

use bytes::Buf;
use tokio::io::AsyncWrite;
use tracing::debug;

use super::{EdgeStream, read::refused};
use crate::refusal::Refusal;

/// Up to here writes gather until a flush: a head and a small body become one packet and one TLS
/// record.
const GATHER: usize = 4096;

/// Slices of one vectored write, the gathered bytes among them.
const SLICES: usize = 8;

impl EdgeStream {
    fn poll_drain(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        while !self.gathered.is_empty() {
            let written = self.io.poll_write(cx, &self.gathered);
            let written = ready!(self.timed(cx, written))?;
            if written == 0 {
                return Poll::Ready(Err(io::ErrorKind::WriteZero.into()));
            }
            self.gathered.advance(written);
        }
        self.gathered.clear();
        Poll::Ready(Ok(()))
    }

    /// Fails a write that waits when nothing has left for too long.
    fn timed<T>(
        &mut self,
        cx: &mut Context<'_>,
        written: Poll<io::Result<T>>,
    ) -> Poll<io::Result<T>> {
        let waits = written.is_pending();
        if !waits || !self.stall.expired(cx, self.info.sent(), self.edge.limits.write) {
            return written;
        }
        if !self.stalled {
            self.stalled = true;
            self.edge.metrics.rejected(Refusal::WriteStall);
            debug!(client.addr = %self.info.client, "cut a connection that takes nothing");
        }
        Poll::Ready(Err(refused(io::ErrorKind::TimedOut, Refusal::WriteStall)))
    }

    /// Notes that the first `count` bytes of `slices` were taken.
    fn taken(&mut self, slices: &[IoSlice<'_>], count: usize) -> usize {
        if let Some(guard) = &mut self.guard {
            let mut left = count;
            for slice in slices {
                let part = left.min(slice.len());
                guard.sent(&slice[..part], &self.edge.limits.h2);
                left -= part;
            }
        }
        count
    }
}

impl AsyncWrite for EdgeStream {
    fn poll_write(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        self.poll_write_vectored(cx, &[IoSlice::new(bytes)])
    }

    fn poll_write_vectored(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        slices: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let stream = self.get_mut();
        let total: usize = slices.iter().map(|slice| slice.len()).sum();
        if stream.gathered.len() + total <= GATHER {
            for slice in slices {
                stream.gathered.extend_from_slice(slice);
            }
            return Poll::Ready(Ok(stream.taken(slices, total)));
        }
        loop {
            let held = stream.gathered.len();
            let mut out = [IoSlice::new(&[]); SLICES];
            out[0] = IoSlice::new(&stream.gathered);
            let full = slices.iter().filter(|slice| !slice.is_empty());
            let mut count = 1;
            for (place, slice) in out[1..].iter_mut().zip(full) {
                *place = IoSlice::new(slice);
                count += 1;
            }
            let first = usize::from(held == 0);
            let written = stream.io.poll_write_vectored(cx, &out[first..count]);
            let written = ready!(stream.timed(cx, written))?;
            if written == 0 {
                return Poll::Ready(Err(io::ErrorKind::WriteZero.into()));
            }
            if written > held {
                stream.gathered.clear();
                return Poll::Ready(Ok(stream.taken(slices, written - held)));
            }
            stream.gathered.advance(written);
        }
    }

    fn is_write_vectored(&self) -> bool {
        true
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let stream = self.get_mut();
        ready!(stream.poll_drain(cx))?;
        let flushed = stream.io.poll_flush(cx);
        stream.timed(cx, flushed)
    }

    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let stream = self.get_mut();
        ready!(stream.poll_drain(cx))?;
        let shut = stream.io.poll_shutdown(cx);
        stream.timed(cx, shut)
    }
}
