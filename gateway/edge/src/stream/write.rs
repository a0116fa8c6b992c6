//! The writing half: small writes gather, larger ones leave together with what was gathered.

use std::{
    io::{self, IoSlice},
    pin::Pin,
    task::{Context, Poll, ready},
};

use bytes::Buf;
use tokio::io::AsyncWrite;

use super::{EdgeStream, Io};

/// Up to here writes gather until a flush: a head and a small body become one packet and one TLS
/// record.
const GATHER: usize = 4096;

/// Slices of one vectored write, the gathered bytes among them.
const SLICES: usize = 8;

impl EdgeStream {
    fn poll_drain(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        while !self.gathered.is_empty() {
            let written = ready!(self.io.poll_write(cx, &self.gathered))?;
            if written == 0 {
                return Poll::Ready(Err(io::ErrorKind::WriteZero.into()));
            }
            self.gathered.advance(written);
        }
        self.gathered.clear();
        Poll::Ready(Ok(()))
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
            let written = ready!(stream.io.poll_write_vectored(cx, &out[first..count]))?;
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
        match &mut stream.io {
            Io::Plain(wire) => Pin::new(wire).poll_flush(cx),
            Io::Tls(tls) => Pin::new(&mut **tls).poll_flush(cx),
        }
    }

    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let stream = self.get_mut();
        ready!(stream.poll_drain(cx))?;
        match &mut stream.io {
            Io::Plain(wire) => Pin::new(wire).poll_shutdown(cx),
            Io::Tls(tls) => Pin::new(&mut **tls).poll_shutdown(cx),
        }
    }
}

impl Io {
    fn poll_write(&mut self, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        match self {
            Self::Plain(wire) => Pin::new(wire).poll_write(cx, bytes),
            Self::Tls(tls) => Pin::new(&mut **tls).poll_write(cx, bytes),
        }
    }

    fn poll_write_vectored(
        &mut self,
        cx: &mut Context<'_>,
        slices: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        match self {
            Self::Plain(wire) => Pin::new(wire).poll_write_vectored(cx, slices),
            Self::Tls(tls) => Pin::new(&mut **tls).poll_write_vectored(cx, slices),
        }
    }
}
