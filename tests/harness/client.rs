//! HTTP clients: HTTP/1.1 and HTTP/2, over TLS and in the clear, each one connection to one host.

mod answer;
mod tls;

use std::{convert::Infallible, net::SocketAddr};

use bytes::Bytes;
use http::{HeaderName, HeaderValue, Method, Request, Version, header, request::Builder};
use http_body_util::{
    BodyExt, Empty, Full,
    channel::{self, Channel},
    combinators::UnsyncBoxBody,
};
use hyper::client::conn::{http1, http2};
use hyper_util::rt::{TokioExecutor, TokioIo};
use tokio::{
    io::{AsyncRead, AsyncWrite},
    net::TcpStream,
    task::AbortHandle,
    time::timeout,
};

pub use self::answer::{Answer, Stream};
pub(crate) use self::tls::{Roots, shake_hands};
use crate::{Certificate, PATIENCE};

/// What is spoken, and over what.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Protocol {
    Http1,
    /// HTTP/2 in the clear, by prior knowledge.
    H2c,
    Https1,
    /// HTTP/2 over TLS, by ALPN.
    Https2,
}

impl Protocol {
    pub const ALL: [Self; 4] = [Self::Http1, Self::H2c, Self::Https1, Self::Https2];

    pub(crate) fn is_secure(self) -> bool {
        matches!(self, Self::Https1 | Self::Https2)
    }

    fn is_h2(self) -> bool {
        matches!(self, Self::H2c | Self::Https2)
    }

    pub fn version(self) -> Version {
        if self.is_h2() { Version::HTTP_2 } else { Version::HTTP_11 }
    }
}

/// Where the rest of a request's body goes in.
pub type Upload = channel::Sender<Bytes>;

/// What a conversation begins with.
const FIRST_WORD: &str = "begun";

/// The body of a request.
pub type Body = UnsyncBoxBody<Bytes, Infallible>;

pub fn empty() -> Body {
    Empty::new().boxed_unsync()
}

pub fn body(content: impl Into<Bytes>) -> Body {
    Full::new(content.into()).boxed_unsync()
}

/// One connection to one host of a node, kept alive.
#[derive(Debug)]
pub struct Client {
    protocol: Protocol,
    host: String,
    sender: Sender,
    connection: AbortHandle,
}

#[derive(Debug)]
enum Sender {
    Http1(http1::SendRequest<Body>),
    Http2(http2::SendRequest<Body>),
}

impl Client {
    pub(crate) async fn connect(
        protocol: Protocol,
        address: SocketAddr,
        host: &str,
        roots: &Roots,
        own: Option<&Certificate>,
    ) -> Self {
        let tcp = TcpStream::connect(address).await.expect("the node accepts connections");
        let (sender, connection) = if protocol.is_secure() {
            let alpn: &[u8] = if protocol.is_h2() { b"h2" } else { b"http/1.1" };
            let stream = shake_hands(tcp, host, alpn, roots, own).await;
            let stream = stream.unwrap_or_else(|error| panic!("no TLS with {host}: {error}"));
            assert_eq!(stream.get_ref().1.alpn_protocol(), Some(alpn), "by ALPN");
            begin(protocol, stream).await
        } else {
            begin(protocol, tcp).await
        };
        Self { protocol, host: host.to_owned(), sender, connection }
    }

    /// A request to this host, to be completed.
    pub fn request(&self, method: Method, path: &str) -> Builder {
        let builder = Request::builder().method(method);
        if self.protocol.is_h2() {
            let scheme = if self.protocol.is_secure() { "https" } else { "http" };
            builder.uri(format!("{scheme}://{}{path}", self.host)).version(Version::HTTP_2)
        } else {
            builder.uri(path).header(header::HOST, &self.host)
        }
    }

    pub async fn get(&mut self, path: &str) -> Answer {
        self.get_with(path, &[]).await
    }

    /// With further fields.
    pub async fn get_with(&mut self, path: &str, fields: &[(&str, &str)]) -> Answer {
        self.ask(Method::GET, path, fields, empty()).await
    }

    pub async fn head(&mut self, path: &str) -> Answer {
        self.ask(Method::HEAD, path, &[], empty()).await
    }

    pub async fn post(&mut self, path: &str, content: impl Into<Bytes>) -> Answer {
        self.ask(Method::POST, path, &[], body(content)).await
    }

    pub async fn ask(
        &mut self,
        method: Method,
        path: &str,
        fields: &[(&str, &str)],
        body: Body,
    ) -> Answer {
        let shown = format!("{method} {path} over {:?}", self.protocol);
        let answer = self.try_ask(method, path, fields, body).await;
        answer.unwrap_or_else(|error| panic!("{shown}: {error:?}"))
    }

    /// The whole answer, or why there is none.
    pub async fn try_ask(
        &mut self,
        method: Method,
        path: &str,
        fields: &[(&str, &str)],
        body: Body,
    ) -> hyper::Result<Answer> {
        let mut request =
            self.request(method, path).body(body).expect("tests write valid requests");
        for (name, value) in fields {
            let name: HeaderName = name.parse().expect("tests write valid names");
            request.headers_mut().append(name, HeaderValue::from_str(value).expect("and values"));
        }
        let whole = async { self.open(request).await?.whole().await };
        let whole = timeout(PATIENCE, whole).await;
        whole.unwrap_or_else(|_| panic!("no answer within {PATIENCE:?}"))
    }

    /// Sends a request; the answer's body is still on its way.
    pub async fn open(&mut self, request: Request<Body>) -> hyper::Result<Stream> {
        let response = match &mut self.sender {
            Sender::Http1(sender) => {
                sender.ready().await?;
                sender.send_request(request).await?
            }
            Sender::Http2(sender) => {
                sender.ready().await?;
                sender.send_request(request).await?
            }
        };
        Ok(Stream::new(response))
    }

    /// Begins to talk with a function that echoes what it is sent: the first word has come back, and the
    /// function goes on for as long as the upload does.
    pub async fn converse(&mut self, path: &str) -> (Upload, Stream) {
        let (mut upload, content) = Channel::new(1);
        upload.send_data(FIRST_WORD.into()).await.expect("there is room for one");
        let request = self.request(Method::POST, path).body(content.boxed_unsync());
        let opened = self.open(request.expect("tests write valid requests")).await;
        let mut stream = opened.unwrap_or_else(|error| panic!("{path}: {error:?}"));
        let echoed = stream.chunk().await;
        assert!(matches!(&echoed, Ok(Some(word)) if word == FIRST_WORD), "{path}: {echoed:?}");
        (upload, stream)
    }

    /// Whether the node ended the connection.
    pub fn is_closed(&self) -> bool {
        match &self.sender {
            Sender::Http1(sender) => sender.is_closed(),
            Sender::Http2(sender) => sender.is_closed(),
        }
    }
}

/// A client that leaves closes its connection at once, whatever is under way.
impl Drop for Client {
    fn drop(&mut self) {
        self.connection.abort();
    }
}

async fn begin<S>(protocol: Protocol, stream: S) -> (Sender, AbortHandle)
where
    S: AsyncRead + AsyncWrite + Send + Unpin + 'static,
{
    let io = TokioIo::new(stream);
    if protocol.is_h2() {
        let shaken = http2::handshake(TokioExecutor::new(), io).await;
        let (sender, connection) = shaken.expect("HTTP/2 begins without a word of the node");
        (Sender::Http2(sender), tokio::spawn(connection).abort_handle())
    } else {
        let shaken = http1::handshake(io).await;
        let (sender, connection) = shaken.expect("HTTP/1 begins without a word of the node");
        (Sender::Http1(sender), tokio::spawn(connection).abort_handle())
    }
}
