//! The other end of the admin socket, for `headgate status | routes | logs | revisions | rollback | …`.

use std::{fmt, io, path::PathBuf, time::Duration};

use bytes::{Bytes, BytesMut};
use http::{Request, StatusCode, header, request::Builder};
use http_body_util::{BodyExt, Full, Limited};
use hyper::body::Incoming;
use hyper_util::rt::TokioIo;
use serde::{Serialize, de::DeserializeOwned};
use tokio::{net::UnixStream, task::AbortHandle, time::timeout};

/// A node that lives answers at once; one that is stopped (SIGSTOP) never does.
const ANSWER_TIME: Duration = Duration::from_secs(10);
/// For an order: what was lost of a revision's native code is compiled first, one function after another.
const ORDER_TIME: Duration = Duration::from_secs(300);
/// The routes of a hundred thousand hosts fit.
const LARGEST_ANSWER: usize = 64 << 20;
/// A log line is at most a few kilobytes, escaped a few times that.
const LONGEST_LINE: usize = 256 << 10;

/// Asks a node over its socket. Every call is a connection of its own.
#[derive(Debug, Clone)]
pub struct Client {
    /// Where it may be; the first that answers is asked.
    sockets: Vec<PathBuf>,
}

#[derive(Debug, thiserror::Error)]
pub enum ClientError {
    /// No socket, or nobody behind it, at any of these.
    #[error("no headgate is running at {}", Places(.0))]
    NotRunning(Vec<PathBuf>),
    #[error("cannot open {}", .path.display())]
    Open {
        path: PathBuf,
        #[source]
        error: io::Error,
    },
    #[error("the node did not answer within {} s", .0.as_secs())]
    Late(Duration),
    #[error("the connection to the node failed")]
    Connection(#[from] hyper::Error),
    #[error("the node answered {status}: {text}")]
    Refused { status: StatusCode, text: String },
    #[error("the node's answer is not understood; is it another version of headgate?")]
    Answer(#[source] Box<dyn std::error::Error + Send + Sync>),
}

struct Places<'a>(&'a [PathBuf]);

/// The appliance's and a developer's; nodes that were killed leave more of them than anybody reads.
const MOST_PLACES: usize = 2;

impl fmt::Display for Places<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (shown, rest) = self.0.split_at(self.0.len().min(MOST_PLACES));
        for (n, path) in shown.iter().enumerate() {
            write!(f, "{}{}", if n > 0 { ", nor at " } else { "" }, path.display())?;
        }
        match rest.len() {
            0 => Ok(()),
            more => write!(f, ", nor at {more} sockets that others left behind"),
        }
    }
}

impl Client {
    pub fn new(socket: impl Into<PathBuf>) -> Self {
        Self::any_of(vec![socket.into()])
    }

    pub fn any_of(sockets: Vec<PathBuf>) -> Self {
        Self { sockets }
    }

    /// The JSON at `path`.
    ///
    /// # Errors
    /// When no node answers, or not with what was expected.
    pub async fn json<T: DeserializeOwned>(&self, path: &str) -> Result<T, ClientError> {
        let bytes = self.bytes(path).await?;
        serde_json::from_slice(&bytes).map_err(|error| ClientError::Answer(error.into()))
    }

    /// The whole answer at `path`.
    ///
    /// # Errors
    /// As [`Self::json`].
    pub async fn bytes(&self, path: &str) -> Result<Bytes, ClientError> {
        let exchange = async {
            let lines = self.open(Request::get(path), Bytes::new()).await?;
            whole(lines.body).await
        };
        timeout(ANSWER_TIME, exchange).await.map_err(|_| ClientError::Late(ANSWER_TIME))?
    }

    /// Gives an order, and returns the JSON that answers it.
    ///
    /// # Errors
    /// As [`Self::json`]; what the node refuses is JSON, too.
    pub async fn order(&self, path: &str, order: &impl Serialize) -> Result<Bytes, ClientError> {
        let order = serde_json::to_vec(order).map_err(|error| ClientError::Answer(error.into()))?;
        let exchange = async {
            let lines = self.open(Request::post(path), order.into()).await?;
            whole(lines.body).await
        };
        timeout(ORDER_TIME, exchange).await.map_err(|_| ClientError::Late(ORDER_TIME))?
    }

    /// The answer at `path`, line by line, for as long as it goes on.
    ///
    /// # Errors
    /// As [`Self::json`].
    pub async fn lines(&self, path: &str) -> Result<Lines, ClientError> {
        let opened = self.open(Request::get(path), Bytes::new());
        timeout(ANSWER_TIME, opened).await.map_err(|_| ClientError::Late(ANSWER_TIME))?
    }

    async fn open(&self, request: Builder, body: Bytes) -> Result<Lines, ClientError> {
        let stream = self.connect().await?;
        let (mut sender, connection) =
            hyper::client::conn::http1::handshake(TokioIo::new(stream)).await?;
        let connection = Connection(tokio::spawn(connection).abort_handle());
        let request = request
            .header(header::HOST, "localhost")
            .body(Full::new(body))
            .map_err(|error| ClientError::Answer(error.into()))?;
        let response = sender.send_request(request).await?;
        let status = response.status();
        if status.is_success() {
            let body = response.into_body();
            return Ok(Lines { body, read: BytesMut::new(), _connection: connection });
        }
        let bytes = whole(response.into_body()).await?;
        let text = String::from_utf8_lossy(&bytes).trim().to_owned();
        Err(ClientError::Refused { status, text })
    }

    /// A socket that only another user may open keeps nobody from asking their own node.
    async fn connect(&self) -> Result<UnixStream, ClientError> {
        let mut failed = None;
        for path in &self.sockets {
            let error = match UnixStream::connect(path).await {
                Ok(stream) => return Ok(stream),
                Err(error) => error,
            };
            if !matches!(error.kind(), io::ErrorKind::NotFound | io::ErrorKind::ConnectionRefused) {
                failed.get_or_insert(ClientError::Open { path: path.clone(), error });
            }
        }
        Err(failed.unwrap_or_else(|| ClientError::NotRunning(self.sockets.clone())))
    }
}

async fn whole(body: Incoming) -> Result<Bytes, ClientError> {
    let collected = Limited::new(body, LARGEST_ANSWER).collect().await;
    Ok(collected.map_err(ClientError::Answer)?.to_bytes())
}

/// An answer as it arrives.
#[derive(Debug)]
pub struct Lines {
    body: Incoming,
    read: BytesMut,
    _connection: Connection,
}

impl Lines {
    /// The next line without its end; `None` when the node ended the answer.
    ///
    /// # Errors
    /// When the connection breaks, or a line has no end.
    pub async fn next(&mut self) -> Result<Option<Bytes>, ClientError> {
        loop {
            if let Some(end) = self.read.iter().position(|byte| *byte == b'\n') {
                let mut line = self.read.split_to(end + 1);
                line.truncate(end);
                return Ok(Some(line.freeze()));
            }
            if self.read.len() > LONGEST_LINE {
                return Err(ClientError::Answer("a line without end".into()));
            }
            match self.body.frame().await {
                Some(frame) => {
                    if let Ok(data) = frame?.into_data() {
                        self.read.extend_from_slice(&data);
                    }
                }
                None => return Ok(None),
            }
        }
    }
}

/// The task that moves bytes; it ends with the answer's reader.
#[derive(Debug)]
struct Connection(AbortHandle);

impl Drop for Connection {
    fn drop(&mut self) {
        self.0.abort();
    }
}
