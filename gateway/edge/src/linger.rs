//! The lingering close (RFC 9112 §9.6).
//!
//! To close a socket with input unread makes the kernel reset the connection, and with it the
//! answer that is still on its way. pingora drops its stream the moment it is done, whatever the
//! client still sends; so the stream leaves its socket to the connection's own task, which says FIN
//! and reads away what comes.

use std::{
    future::poll_fn,
    mem::MaybeUninit,
    pin::Pin,
    sync::{Arc, Mutex, PoisonError},
    task::{Poll, ready},
};

use tokio::{
    io::{AsyncRead, AsyncWriteExt, ReadBuf},
    time::timeout,
};

use crate::{defaults, wire::Wire};

/// Read away at once, on the stack.
const CHUNK: usize = 16 * 1024;

/// The place where a stream leaves its socket.
#[derive(Debug, Clone, Default)]
pub(crate) struct Remains(Arc<Mutex<Option<Wire>>>);

impl Remains {
    pub(crate) fn leave(&self, wire: Wire) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = Some(wire);
    }

    /// Sees the socket off, if one was left.
    pub(crate) async fn linger(self) {
        let wire = self.0.lock().unwrap_or_else(PoisonError::into_inner).take();
        if let Some(mut wire) = wire {
            // Whatever goes wrong here, the connection ends.
            let _ = timeout(defaults::LINGER, see_off(&mut wire)).await;
        }
    }
}

async fn see_off(wire: &mut Wire) -> std::io::Result<()> {
    wire.shutdown().await?;
    let mut left = defaults::LINGER_INPUT;
    while left > 0 {
        match read_away(wire).await? {
            0 => return Ok(()),
            read => left = left.saturating_sub(read),
        }
    }
    // Enough was read. To close now would still reset the answer: the time that is left is the
    // client's, while its own writes wait.
    std::future::pending().await
}

async fn read_away(wire: &mut Wire) -> std::io::Result<usize> {
    poll_fn(|cx| {
        let mut sink = [const { MaybeUninit::<u8>::uninit() }; CHUNK];
        let mut sink = ReadBuf::uninit(&mut sink);
        ready!(Pin::new(&mut *wire).poll_read(cx, &mut sink))?;
        Poll::Ready(Ok(sink.filled().len()))
    })
    .await
}
