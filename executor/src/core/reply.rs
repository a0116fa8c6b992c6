//! The answer of a core guest while it is being made.
//!
//! It is held back until the guest returns, so that a status set after the first write still counts, and a
//! length can be told. A guest that flushes, or writes more than is held back, commits it: the head leaves, and
//! from then on writing waits for the client.

use bytes::{Bytes, BytesMut};
use http::{HeaderMap, HeaderName, HeaderValue, Response, StatusCode};
use tokio::sync::{mpsc, oneshot};
use wasmtime_wasi_http::DEFAULT_FORBIDDEN_HEADERS;

use super::errno::{Errno, HTTP_WRITE};
use crate::{
    config::Config,
    defaults,
    response::{Head, Source},
    running::Ended,
};

pub(super) struct Reply {
    status: Option<StatusCode>,
    headers: HeaderMap,
    /// Bytes and fields that may still be added to the head.
    head_left: usize,
    fields_left: usize,
    too_large: bool,
    buffer_limit: usize,
    stage: Stage,
}

enum Stage {
    Held {
        body: BytesMut,
        head: oneshot::Sender<Head>,
    },
    Committed(mpsc::Sender<Bytes>),
    /// The client is gone or the head could not be sent.
    Broken,
}

impl Reply {
    pub(super) fn new(config: &Config, head: oneshot::Sender<Head>) -> Self {
        Self {
            status: None,
            headers: HeaderMap::new(),
            head_left: config.response_head,
            fields_left: config.response_fields,
            too_large: false,
            buffer_limit: config.response_buffer,
            stage: Stage::Held { body: BytesMut::new(), head },
        }
    }

    /// Adds a field; without effect once the head has left. Line breaks become spaces and bad names are skipped,
    /// as Go's server does; fields of the connection are ours.
    pub(super) fn add_header(&mut self, name: &[u8], value: &[u8]) {
        let Ok(name) = HeaderName::from_bytes(name) else { return };
        if DEFAULT_FORBIDDEN_HEADERS.contains(&name) {
            return;
        }
        let size = name.as_str().len() + value.len();
        if self.fields_left == 0 || size > self.head_left {
            self.too_large = true;
            return;
        }
        let clean: Vec<u8> = value
            .iter()
            .map(|byte| if matches!(byte, b'\r' | b'\n') { b' ' } else { *byte })
            .collect();
        if let Ok(value) = HeaderValue::from_bytes(clean.trim_ascii()) {
            self.fields_left -= 1;
            self.head_left -= size;
            self.headers.append(name, value);
        }
    }

    pub(super) fn has_header(&self, name: &HeaderName) -> bool {
        self.headers.contains_key(name)
    }

    /// The first code wins; interim ones are not sent.
    pub(super) fn status(&mut self, code: u32) -> Result<(), Errno> {
        let code = u16::try_from(code).map_err(|_| HTTP_WRITE)?;
        let status = StatusCode::from_u16(code).map_err(|_| HTTP_WRITE)?;
        if !status.is_informational() {
            self.status.get_or_insert(status);
        }
        Ok(())
    }

    /// Whether a status was set.
    pub(super) fn has_status(&self) -> bool {
        self.status.is_some()
    }

    /// Holds `bytes` back, if there is room.
    pub(super) fn buffer(&mut self, bytes: &[u8]) -> bool {
        match &mut self.stage {
            Stage::Held { body, .. } if body.len() + bytes.len() <= self.buffer_limit => {
                body.extend_from_slice(bytes);
                true
            }
            _ => false,
        }
    }

    /// Sends `bytes` on their way, after the head and what was held back.
    pub(super) async fn send(&mut self, bytes: Bytes) -> Result<(), Errno> {
        self.flush().await?;
        let Stage::Committed(chunks) = &self.stage else { return Err(HTTP_WRITE) };
        if chunks.send(bytes).await.is_err() {
            self.stage = Stage::Broken;
            return Err(HTTP_WRITE);
        }
        Ok(())
    }

    /// Commits the answer, if that did not happen yet.
    pub(super) async fn flush(&mut self) -> Result<(), Errno> {
        let (body, sender) = match std::mem::replace(&mut self.stage, Stage::Broken) {
            Stage::Held { body, head } => (body, head),
            committed @ Stage::Committed(_) => {
                self.stage = committed;
                return Ok(());
            }
            Stage::Broken => return Err(HTTP_WRITE),
        };
        let (chunks, source) = mpsc::channel(defaults::RESPONSE_CHUNKS);
        let head = self.head(Source::Core(source));
        sender.send(head).map_err(|_| HTTP_WRITE)?;
        if !body.is_empty() {
            chunks.send(body.freeze()).await.map_err(|_| HTTP_WRITE)?;
        }
        self.stage = Stage::Committed(chunks);
        Ok(())
    }

    /// What is to be sent when the guest is done.
    pub(super) fn finish(mut self) -> Ended {
        match std::mem::replace(&mut self.stage, Stage::Broken) {
            Stage::Held { body, .. } => Ended::Whole(self.head(Source::Whole(body.freeze()))),
            Stage::Committed(_) | Stage::Broken => Ended::Streamed,
        }
    }

    fn head(&mut self, source: Source) -> Head {
        if self.too_large {
            return Head::TooLarge;
        }
        let mut response = Response::new(source);
        *response.status_mut() = self.status.unwrap_or(StatusCode::OK);
        *response.headers_mut() = std::mem::take(&mut self.headers);
        Head::Response(response)
    }
}
