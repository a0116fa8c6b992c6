//! A small pingora application: what the gateway's proxy does around a request, and a few handlers.

use std::sync::Arc;

use async_trait::async_trait;
use bytes::Bytes;
use headgate_edge::{ConnectionInfo, Limits, ShutdownWatch, h2_options};
use pingora_core::{
    Error, ErrorType,
    apps::{HttpPersistentSettings, HttpServerApp, HttpServerOptions, ReusedHttpStream},
    protocols::http::{ServerSession, v2::server::H2Options},
};
use pingora_http::ResponseHeader;
use tokio::sync::Semaphore;

#[derive(Debug)]
pub(crate) struct App {
    pub(crate) limits: Limits,
    pub(crate) options: HttpServerOptions,
    /// `/held` waits for a permit of it.
    pub(crate) gate: Semaphore,
    /// Requests that reached `/held`.
    pub(crate) held: Semaphore,
}

impl App {
    pub(crate) fn new(limits: Limits) -> Self {
        let mut options = HttpServerOptions::default();
        options.h2_idle_timeout = Some(limits.idle);
        Self { limits, options, gate: Semaphore::new(0), held: Semaphore::new(0) }
    }

    async fn answer(&self, session: &mut ServerSession) -> pingora_core::Result<()> {
        let path = session.req_header().uri.path().to_owned();
        match path.as_str() {
            "/length" => {
                let mut length = 0;
                while let Some(part) = session.read_request_body().await? {
                    length += part.len();
                }
                text(session, 200, format!("{length} bytes")).await
            }
            "/info" => {
                let info = session.digest().and_then(ConnectionInfo::of_digest).cloned();
                text(session, 200, format!("{info:?}")).await
            }
            "/held" => {
                self.held.add_permits(1);
                if let Ok(permit) = self.gate.acquire().await {
                    permit.forget();
                }
                text(session, 200, "held".to_owned()).await
            }
            "/idle" => {
                // What the proxy does while it waits for an upstream: watch for the client's
                // leaving.
                while let Some(_part) = session.read_request_body().await? {}
                self.held.add_permits(1);
                let text_of = tokio::select! {
                    read = session.read_body_or_idle(true) => format!("disturbed by {read:?}"),
                    permit = self.gate.acquire() => {
                        drop(permit);
                        "undisturbed".to_owned()
                    }
                };
                text(session, 200, text_of).await
            }
            "/upgrade" => {
                let mut head = ResponseHeader::build(101, Some(2))?;
                head.insert_header("connection", "upgrade")?;
                head.insert_header("upgrade", "websocket")?;
                session.write_response_header(Box::new(head)).await?;
                while let Some(part) = session.read_request_body().await? {
                    session.write_response_body(part, false).await?;
                }
                session.write_response_body(Bytes::new(), true).await
            }
            "/stream" => {
                let mut head = ResponseHeader::build(200, None)?;
                if !session.is_http2() {
                    head.insert_header("transfer-encoding", "chunked")?;
                }
                session.write_response_header(Box::new(head)).await?;
                for part in ["one ", "two ", "three"] {
                    session.write_response_body(Bytes::from_static(part.as_bytes()), false).await?;
                }
                session.write_response_body(Bytes::new(), true).await
            }
            "/huge" => text(session, 200, "x".repeat(12_000_000)).await,
            "/large" => text(session, 200, "x".repeat(3_000_000)).await,
            "/full" => {
                session.set_keepalive(None);
                text(session, 413, "x".repeat(100_000)).await
            }
            "/failed" => {
                text(session, 413, "x".repeat(100_000)).await?;
                session.set_keepalive(None);
                Err(Error::new(ErrorType::InternalError))
            }
            "/cut" => {
                // Without a length, so that to HTTP/1.0 its end is the end of the connection.
                session.write_response_header(Box::new(ResponseHeader::build(200, None)?)).await?;
                session.write_response_body(Bytes::from_static(b"the first half"), false).await?;
                if let Some(info) = session.digest().and_then(ConnectionInfo::of_digest) {
                    info.abort();
                }
                Err(Error::new(ErrorType::InternalError))
            }
            "/endless" => {
                session.write_response_header(Box::new(ResponseHeader::build(200, None)?)).await?;
                self.held.add_permits(1);
                std::future::pending().await
            }
            "/panic" => panic!("a handler's bug"),
            path => text(session, 200, format!("hello {path}")).await,
        }
    }
}

async fn text(session: &mut ServerSession, status: u16, text: String) -> pingora_core::Result<()> {
    let mut head = ResponseHeader::build(status, Some(2))?;
    head.insert_header("content-length", text.len())?;
    session.write_response_header(Box::new(head)).await?;
    session.write_response_body(text.into(), true).await
}

#[async_trait]
impl HttpServerApp for App {
    async fn process_new_http(
        self: &Arc<Self>,
        mut session: ServerSession,
        _: &ShutdownWatch,
    ) -> Option<ReusedHttpStream> {
        match session.read_request().await {
            Ok(true) => {}
            Ok(false) => return None,
            Err(_) => {
                let _ = session.respond_error(400).await;
                session.shutdown().await;
                return None;
            }
        }
        if self.answer(&mut session).await.is_err() {
            if session.response_written().is_none() {
                let _ = session.respond_error(408).await;
            }
            return None; // without a goodbye, as pingora's own applications do
        }
        let settings = HttpPersistentSettings::for_session(&session);
        let stream = session.finish().await.ok()??;
        Some(ReusedHttpStream::from_reusable_stream(stream, settings))
    }

    fn h2_options(&self) -> Option<H2Options> {
        Some(h2_options(&self.limits))
    }

    fn server_options(&self) -> Option<&HttpServerOptions> {
        Some(&self.options)
    }
}
