//! One UDP socket: a batch of queries in, their answers out.

use std::{
    io::{self, IoSliceMut},
    net::UdpSocket as StdSocket,
    sync::Arc,
};

use headgate_types::clock::Clock;
use quinn_udp::{BATCH_SIZE, RecvMeta, Transmit, UdpSocketState};
use tokio::{io::Interest, net::UdpSocket, task::yield_now, time::sleep};
use tokio_util::sync::CancellationToken;
use tracing::warn;

use crate::{
    defaults,
    responder::{Client, Responder, Transport},
};

/// The kernel may hand over datagrams of one client as one piece of up to this size.
const PIECE: usize = 64 * 1024;

pub(super) struct UdpListener {
    socket: UdpSocket,
    /// Receives in batches and answers from the address a query came to, which matters on a machine
    /// with several.
    state: UdpSocketState,
    responder: Arc<Responder>,
    clock: Arc<dyn Clock>,
}

/// What one look into the socket brought.
enum Received {
    /// Pieces, and there may be more.
    Pieces(usize),
    Nothing,
    Failed(io::Error),
}

impl UdpListener {
    pub(super) fn new(
        socket: StdSocket,
        responder: Arc<Responder>,
        clock: Arc<dyn Clock>,
    ) -> io::Result<Self> {
        socket.set_nonblocking(true)?;
        let socket = UdpSocket::from_std(socket)?;
        let state = UdpSocketState::new((&socket).into())?;
        Ok(Self { socket, state, responder, clock })
    }

    pub(super) async fn run(self, shutdown: CancellationToken) {
        let mut memory = vec![0; BATCH_SIZE * PIECE];
        let mut metas = [RecvMeta::default(); BATCH_SIZE];
        let mut out = Vec::with_capacity(PIECE);
        loop {
            let stopping = tokio::select! {
                biased;
                () = shutdown.cancelled() => true,
                ready = self.socket.readable() => {
                    if let Err(error) = ready {
                        warn!(%error, "a socket is not readable any more");
                        return;
                    }
                    false
                }
            };
            for _ in 0..defaults::UDP_BATCHES_PER_TURN {
                match self.receive(&mut memory, &mut metas) {
                    Received::Pieces(count) => self.answer(&memory, &metas[..count], &mut out),
                    Received::Nothing => break,
                    Received::Failed(error) => {
                        warn!(%error, "receiving pauses");
                        sleep(defaults::PAUSE).await;
                        break;
                    }
                }
            }
            if stopping {
                return;
            }
            yield_now().await;
        }
    }

    fn receive(&self, memory: &mut [u8], metas: &mut [RecvMeta; BATCH_SIZE]) -> Received {
        let mut pieces = memory.chunks_exact_mut(PIECE).map(IoSliceMut::new);
        let mut pieces: [IoSliceMut<'_>; BATCH_SIZE] =
            std::array::from_fn(|_| pieces.next().expect("there is a piece for each"));
        let received = self.socket.try_io(Interest::READABLE, || {
            self.state.recv((&self.socket).into(), &mut pieces, metas)
        });
        match received {
            Ok(count) => Received::Pieces(count),
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => Received::Nothing,
            Err(error) => Received::Failed(error),
        }
    }

    fn answer(&self, memory: &[u8], metas: &[RecvMeta], out: &mut Vec<u8>) {
        let now = self.clock.now();
        let mut queries = 0;
        for (piece, meta) in memory.chunks_exact(PIECE).zip(metas) {
            let client =
                Client { address: meta.addr.ip().to_canonical(), transport: Transport::Udp };
            if meta.len == 0 {
                self.responder.metrics.malformed();
            }
            for packet in piece[..meta.len].chunks(meta.stride.max(1)) {
                queries += 1;
                // Nobody asks from port 0, and nothing can be sent there.
                if meta.addr.port() != 0
                    && self.responder.respond(packet, client, now, out).is_some()
                {
                    self.send(meta, out);
                }
            }
        }
        self.responder.metrics.queries(Transport::Udp, queries);
    }

    /// Sends if the kernel has room. Waiting would keep everybody from being answered for one who
    /// asks again anyway.
    fn send(&self, meta: &RecvMeta, answer: &[u8]) {
        let transmit = Transmit {
            destination: meta.addr,
            ecn: None,
            contents: answer,
            segment_size: None,
            src_ip: meta.dst_ip,
        };
        if self.state.try_send((&self.socket).into(), &transmit).is_err() {
            self.responder.metrics.unsent();
        }
    }
}
