//! What a client got.

use bytes::Bytes;
use http::{HeaderMap, Response, StatusCode, Version, response::Parts};
use http_body_util::BodyExt;
use hyper::body::Incoming;
use serde_json::Value;
use tokio::time::timeout;

use crate::PATIENCE;

/// A whole answer.
#[derive(Debug, Clone)]
pub struct Answer {
    pub status: StatusCode,
    pub version: Version,
    pub headers: HeaderMap,
    pub body: Bytes,
}

impl Answer {
    /// A field, or an empty text if there is none.
    pub fn header(&self, name: &str) -> &str {
        self.headers.get(name).map_or("", |value| value.to_str().expect("tests ask for text"))
    }

    pub fn text(&self) -> String {
        String::from_utf8_lossy(&self.body).into_owned()
    }

    pub fn json(&self) -> Value {
        let json = serde_json::from_slice(&self.body);
        json.unwrap_or_else(|error| panic!("{error} in {:?}", self.text()))
    }
}

/// An answer whose body is still on its way.
#[derive(Debug)]
pub struct Stream {
    pub status: StatusCode,
    pub headers: HeaderMap,
    /// What came behind the body, once it ended.
    pub trailers: Option<HeaderMap>,
    version: Version,
    body: Incoming,
}

impl Stream {
    pub(crate) fn new(response: Response<Incoming>) -> Self {
        let (Parts { status, version, headers, .. }, body) = response.into_parts();
        Self { status, headers, trailers: None, version, body }
    }

    /// The next bytes; `None` at the end.
    ///
    /// # Errors
    /// When the answer is cut.
    pub async fn chunk(&mut self) -> hyper::Result<Option<Bytes>> {
        loop {
            let frame = timeout(PATIENCE, self.body.frame()).await;
            match frame.unwrap_or_else(|_| panic!("nothing more within {PATIENCE:?}")) {
                None => return Ok(None),
                Some(frame) => match frame?.into_data() {
                    Ok(data) if !data.is_empty() => return Ok(Some(data)),
                    Ok(_) => {}
                    Err(frame) => self.trailers = frame.into_trailers().ok(),
                },
            }
        }
    }

    /// # Errors
    /// When the answer is cut.
    pub async fn whole(self) -> hyper::Result<Answer> {
        let body = self.body.collect().await?.to_bytes();
        Ok(Answer { status: self.status, version: self.version, headers: self.headers, body })
    }

    /// Reads on and throws away, until the answer ends or is cut. Returns how many bytes there were.
    pub async fn pour(mut self) -> (u64, hyper::Result<()>) {
        let mut bytes = 0;
        loop {
            match self.chunk().await {
                Ok(Some(chunk)) => bytes += chunk.len() as u64,
                Ok(None) => return (bytes, Ok(())),
                Err(error) => return (bytes, Err(error)),
            }
        }
    }
}
