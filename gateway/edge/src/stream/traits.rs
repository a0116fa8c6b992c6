//! The small traits that make an `EdgeStream` one of pingora's streams.

use std::sync::Arc;

use async_trait::async_trait;
use pingora_core::protocols::{
    ALPN, GetProxyDigest, GetSocketDigest, GetTimingDigest, Peek, Shutdown, SocketDigest, Ssl,
    TimingDigest, UniqueID, UniqueIDType, raw_connect::ProxyDigest, tls::SslDigest,
};
use tokio::{io::AsyncWriteExt, time::timeout};

use super::EdgeStream;
use crate::defaults;

#[async_trait]
impl Shutdown for EdgeStream {
    async fn shutdown(&mut self) {
        if self.is_cut() {
            return;
        }
        // A client that takes nothing must not hold us in a goodbye.
        let _ = timeout(defaults::GOODBYE, AsyncWriteExt::shutdown(self)).await;
    }
}

impl UniqueID for EdgeStream {
    fn id(&self) -> UniqueIDType {
        self.fd
    }
}

/// `get_ssl` stays `None`: pingora's `TlsRef` cannot be built outside it.
impl Ssl for EdgeStream {
    fn get_ssl_digest(&self) -> Option<Arc<SslDigest>> {
        self.ssl.clone()
    }

    fn selected_alpn_proto(&self) -> Option<ALPN> {
        self.alpn.clone()
    }
}

impl GetTimingDigest for EdgeStream {
    fn get_timing_digest(&self) -> Vec<Option<TimingDigest>> {
        Vec::new()
    }
}

impl GetProxyDigest for EdgeStream {
    fn get_proxy_digest(&self) -> Option<Arc<ProxyDigest>> {
        Some(Arc::clone(&self.proxy))
    }
}

impl GetSocketDigest for EdgeStream {
    fn get_socket_digest(&self) -> Option<Arc<SocketDigest>> {
        Some(Arc::clone(&self.socket))
    }
}

/// Never asked: `HttpServerOptions::h2c` must stay off, because the preface is recognised before
/// pingora comes.
impl Peek for EdgeStream {}
