//! Bare hyper on one thread: the least an HTTP server in Rust costs.
//!
//! Arguments: HTTP address, HTTPS address, certificate file, key file. HTTPS speaks HTTP/2 only.

use std::{convert::Infallible, sync::Arc};

use bytes::Bytes;
use headgate_benches::peer::BODY;
use http_body_util::Full;
use hyper::{
    Request, Response,
    body::Incoming,
    header::{CONTENT_TYPE, HeaderValue},
    server::conn::{http1, http2},
    service::service_fn,
};
use hyper_util::rt::{TokioExecutor, TokioIo};
use rustls_pki_types::{CertificateDer, PrivateKeyDer, pem::PemObject};
use tokio::net::TcpListener;
use tokio_rustls::TlsAcceptor;

fn main() -> anyhow::Result<()> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [http, https, certificate, key] = &arguments[..] else {
        anyhow::bail!("usage: peer_hyper HTTP HTTPS CERTIFICATE KEY");
    };
    let provider = rustls::crypto::aws_lc_rs::default_provider().install_default();
    provider.map_err(|_| anyhow::anyhow!("a TLS provider was installed before"))?;
    let tls = tls(certificate, key)?;
    let runtime =
        tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build()?;
    runtime.block_on(async {
        let http = TcpListener::bind(http).await?;
        let https = TcpListener::bind(https).await?;
        // Accepting in a spawned task keeps connections on the worker, not on the thread that waits here.
        let plain = tokio::spawn(serve_plain(http));
        let secure = tokio::spawn(serve_tls(https, tls));
        tokio::try_join!(async { plain.await? }, async { secure.await? })?;
        Ok(())
    })
}

async fn serve_plain(listener: TcpListener) -> anyhow::Result<()> {
    loop {
        let (stream, _) = listener.accept().await?;
        stream.set_nodelay(true)?;
        let connection =
            http1::Builder::new().serve_connection(TokioIo::new(stream), service_fn(hello));
        tokio::spawn(async {
            // A client that leaves is no news.
            let _ = connection.await;
        });
    }
}

async fn serve_tls(listener: TcpListener, tls: TlsAcceptor) -> anyhow::Result<()> {
    loop {
        let (stream, _) = listener.accept().await?;
        stream.set_nodelay(true)?;
        let tls = tls.clone();
        tokio::spawn(async move {
            let Ok(stream) = tls.accept(stream).await else { return };
            let _ = http2::Builder::new(TokioExecutor::new())
                .serve_connection(TokioIo::new(stream), service_fn(hello))
                .await;
        });
    }
}

async fn hello(_: Request<Incoming>) -> Result<Response<Full<Bytes>>, Infallible> {
    let mut response = Response::new(Full::new(Bytes::from_static(BODY.as_bytes())));
    response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static("text/plain"));
    Ok(response)
}

fn tls(certificate: &str, key: &str) -> anyhow::Result<TlsAcceptor> {
    let certificates =
        CertificateDer::pem_file_iter(certificate)?.collect::<Result<Vec<_>, _>>()?;
    let key = PrivateKeyDer::from_pem_file(key)?;
    let mut config = rustls::ServerConfig::builder()
        .with_no_client_auth()
        .with_single_cert(certificates, key)?;
    config.alpn_protocols = vec![b"h2".to_vec()];
    Ok(TlsAcceptor::from(Arc::new(config)))
}
