//! What can go wrong, sorted by what a guest can tell apart.

use std::{error::Error as StdError, io, path::PathBuf, sync::Arc};

use crate::{body::RequestBodyError, policy::Denied, resolver::LookupError};

type Cause = Box<dyn StdError + Send + Sync>;

/// The client could not be opened.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    #[error("failed to read the certificates in {path}")]
    Roots {
        path: PathBuf,
        #[source]
        error: Cause,
    },
    #[error("there is no certificate in {path}")]
    NoRoots { path: PathBuf },
}

/// Why a call got no response, or not all of it.
#[derive(Debug, Clone, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    #[error("only http and https can be called")]
    Scheme,
    #[error("the URL names no host, or a user")]
    Url,
    #[error("no tunnels are made")]
    Tunnel,
    #[error("denied: {0}")]
    Denied(#[from] Denied),
    #[error("failed to look up its name")]
    Lookup(#[source] LookupError),
    /// All connections that the project, or the node, may have are in use.
    #[error("too many connections are in use")]
    Busy,
    #[error("it refused the connection")]
    Refused,
    #[error("failed to connect")]
    Connect(#[source] Arc<io::Error>),
    #[error("not connected in time")]
    ConnectTimeout,
    #[error("its certificate is not valid: {0}")]
    Certificate(String),
    #[error("it ended the TLS handshake with alert {number}")]
    TlsAlert { number: u8 },
    #[error("the TLS handshake failed")]
    Tls(#[source] Arc<io::Error>),
    #[error("its answer did not begin in time")]
    HeadTimeout,
    #[error("its answer stalled")]
    BodyTimeout,
    #[error("its answer's head is too large")]
    HeadTooLarge,
    #[error("it closed the connection before its answer was complete")]
    Closed,
    #[error("it does not speak HTTP as it should")]
    Protocol(#[source] Arc<dyn StdError + Send + Sync>),
    /// Whoever called did not give the body it began.
    #[error("the request's body was not completed")]
    RequestBody(#[source] RequestBodyError),
}

impl Error {
    /// A metric's label.
    pub(crate) fn label(&self) -> &'static str {
        match self {
            Self::Scheme | Self::Url | Self::Tunnel => "invalid",
            Self::Denied(_) => "denied",
            Self::Lookup(_) => "lookup",
            Self::Busy => "busy",
            Self::Refused | Self::Connect(_) | Self::ConnectTimeout => "connect",
            Self::Certificate(_) | Self::TlsAlert { .. } | Self::Tls(_) => "tls",
            Self::HeadTimeout | Self::BodyTimeout => "timeout",
            Self::HeadTooLarge | Self::Protocol(_) => "protocol",
            Self::Closed => "closed",
            Self::RequestBody(_) => "request_body",
        }
    }

    /// Reads what hyper's client says: its own words, or those of the connector.
    pub(crate) fn of_client(error: hyper_util::client::legacy::Error) -> Self {
        match find::<Self>(&error) {
            Some(own) => own.clone(),
            None => Self::read(Arc::new(error)),
        }
    }

    /// The same for an error within a body.
    pub(crate) fn of_body(error: hyper::Error) -> Self {
        Self::read(Arc::new(error))
    }

    fn read(error: Arc<dyn StdError + Send + Sync>) -> Self {
        if let Some(body) = find::<RequestBodyError>(&*error) {
            return Self::RequestBody(*body);
        }
        let hyper = find::<hyper::Error>(&*error);
        if hyper.is_some_and(hyper::Error::is_parse_too_large) {
            return Self::HeadTooLarge;
        }
        let cut = hyper.is_some_and(|hyper| {
            hyper.is_incomplete_message() || hyper.is_closed() || hyper.is_canceled()
        });
        if cut || find::<io::Error>(&*error).is_some() {
            return Self::Closed;
        }
        Self::Protocol(error)
    }
}

/// The first of its causes that is a `T`.
fn find<'a, T: StdError + 'static>(error: &'a (dyn StdError + 'static)) -> Option<&'a T> {
    let mut cause = Some(error);
    while let Some(error) = cause {
        if let Some(found) = error.downcast_ref() {
            return Some(found);
        }
        cause = error.source();
    }
    None
}
