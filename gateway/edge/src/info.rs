//! `ConnectionInfo`: what handlers may know of the connection a request came on.

use std::{
    net::SocketAddr,
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicU64, Ordering::Relaxed},
    },
};

use pingora_core::protocols::Digest;
use rustls::pki_types::CertificateDer;

/// What handlers may know of the connection a request came on.
#[derive(Debug)]
pub struct ConnectionInfo {
    /// The client's address, as the kernel says.
    pub client: SocketAddr,
    /// The name the client asked for in its ClientHello.
    pub server_name: Option<Box<str>>,
    /// `None` on a plain connection.
    pub tls: Option<TlsInfo>,
    /// What the client proved itself with; `None` where it was not asked to.
    pub proof: Option<ClientProof>,
    received: AtomicU64,
    sent: AtomicU64,
    aborted: AtomicBool,
}

/// What was negotiated, in the words of the IANA registries.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct TlsInfo {
    /// `TLSv1_3`, `TLSv1_2`.
    pub version: &'static str,
    /// `TLS13_AES_128_GCM_SHA256` and its kin.
    pub cipher: &'static str,
}

/// A certificate that the client showed, verified, and what it was verified by.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ClientProof {
    /// As whoever picked the configuration calls it.
    pub policy: ClientPolicy,
    /// The client's own first.
    pub certificates: Vec<CertificateDer<'static>>,
}

/// The name of what is demanded of clients: the same for the same demand, and for no other.
pub type ClientPolicy = [u8; 32];

impl ConnectionInfo {
    pub(crate) fn new(client: SocketAddr) -> Self {
        Self {
            client,
            server_name: None,
            tls: None,
            proof: None,
            received: AtomicU64::new(0),
            sent: AtomicU64::new(0),
            aborted: AtomicBool::new(false),
        }
    }

    /// The same connection after its handshake.
    pub(crate) fn secured(
        &self,
        server_name: Option<&str>,
        tls: TlsInfo,
        proof: Option<ClientProof>,
    ) -> Self {
        Self {
            client: self.client,
            server_name: server_name.map(Into::into),
            tls: Some(tls),
            proof,
            received: AtomicU64::new(self.received()),
            sent: AtomicU64::new(self.sent()),
            aborted: AtomicBool::new(false),
        }
    }

    /// From the digest of a pingora session that runs on an [`EdgeStream`](crate::EdgeStream).
    ///
    /// The user data of `proxy_digest` is the one slot of a digest that others may fill.
    pub fn of_digest(digest: &Digest) -> Option<&Arc<Self>> {
        digest.proxy_digest.as_ref()?.user_data.as_ref()?.downcast_ref()
    }

    /// Bytes read from the wire so far, TLS included.
    pub fn received(&self) -> u64 {
        self.received.load(Relaxed)
    }

    /// Bytes written to the wire so far, TLS included.
    pub fn sent(&self) -> u64 {
        self.sent.load(Relaxed)
    }

    /// Has the connection reset instead of closed, when the handler lets go of it: what was sent of
    /// the answer is not the whole of it, and to a client that takes the end of the connection for the
    /// end of the answer (RFC 9112 §6.3, item 8) a close would say that it was.
    ///
    /// Nothing is sent after it, close_notify and FIN neither. On an HTTP/2 connection it does nothing: a
    /// stream is cut by RST_STREAM, and the other streams of the connection go on.
    pub fn abort(&self) {
        self.aborted.store(true, Relaxed);
    }

    pub(crate) fn is_aborted(&self) -> bool {
        self.aborted.load(Relaxed)
    }

    pub(crate) fn count_received(&self, bytes: usize) {
        add(&self.received, bytes);
    }

    pub(crate) fn count_sent(&self, bytes: usize) {
        add(&self.sent, bytes);
    }
}

/// Only the connection's own task writes, so a load and a store do without a locked instruction.
fn add(counter: &AtomicU64, bytes: usize) {
    counter.store(counter.load(Relaxed) + bytes as u64, Relaxed);
}
