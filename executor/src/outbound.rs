//! What guests reach outside of this node: HTTP and name lookups.
//!
//! Where to is the affair of whoever implements [`Outbound`]; how much is bounded here: for one request of a
//! function by [`Calls`], for all instances of the function together by [`Outside`].

mod calls;
mod error;

use std::sync::Arc;

use bytes::Bytes;
use headgate_types::Scope;
use http_body_util::combinators::UnsyncBoxBody;
use tokio::sync::Semaphore;

pub(crate) use self::calls::{Calls, CallsOnDemand, came_through};
pub use self::error::{LookupFailed, OutboundError};
use crate::globals::Globals;

/// The way out, as guests are granted it.
#[async_trait::async_trait]
pub trait Outbound: Send + Sync + 'static {
    /// Sends a request in the name of a function. Its URI is absolute; its `CDN-Loop` is that of the request the
    /// function answers, to which the caller of others adds itself (RFC 8586). Redirects are not followed; bodies are
    /// streamed both ways; dropping the future or the body ends the call.
    async fn send(
        &self,
        scope: &Scope,
        request: http::Request<OutboundBody>,
        timeouts: CallTimeouts,
    ) -> Result<http::Response<OutboundBody>, OutboundError>;

    /// Looks a name up in the name of a function.
    async fn look_up(&self, scope: &Scope, lookup: &Lookup) -> Result<Found, LookupFailed>;
}

/// A body on its way out, or in.
pub type OutboundBody = UnsyncBoxBody<Bytes, OutboundError>;

/// How long a call may take where; `None` is for the implementation to say.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct CallTimeouts {
    pub connect: Option<std::time::Duration>,
    pub first_byte: Option<std::time::Duration>,
    pub between_bytes: Option<std::time::Duration>,
}

/// A question to a name server.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Lookup {
    pub kind: LookupKind,
    /// A name; an address for [`LookupKind::Names`].
    pub name: String,
    /// Whom to ask instead of the system's name servers.
    pub server: Option<NameServer>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LookupKind {
    Texts,
    /// The names of an address.
    Names,
    CanonicalName,
    MailExchanges,
}

/// A name server as a guest names it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NameServer {
    /// `host:port`.
    pub address: String,
    pub tcp: bool,
}

/// What a lookup found. Names end with a dot.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Found {
    Texts(Vec<Vec<u8>>),
    Names(Vec<String>),
    /// Preference and host, the preferred first.
    MailExchanges(Vec<(u16, String)>),
}

/// What one function reaches beyond its guests.
pub(crate) struct Outside {
    way: Arc<dyn Outbound>,
    globals: Arc<dyn Globals>,
    /// Calls that all its instances may have under way.
    at_once: Arc<Semaphore>,
}

impl Outside {
    pub(crate) fn new(way: Arc<dyn Outbound>, globals: Arc<dyn Globals>, at_once: usize) -> Self {
        Self { way, globals, at_once: Arc::new(Semaphore::new(at_once)) }
    }

    pub(crate) fn globals(&self) -> &Arc<dyn Globals> {
        &self.globals
    }
}

/// A node, or a part of one, from which no guest gets out.
#[derive(Debug, Clone, Copy, Default)]
pub struct NoWayOut;

#[async_trait::async_trait]
impl Outbound for NoWayOut {
    async fn send(
        &self,
        _: &Scope,
        _: http::Request<OutboundBody>,
        _: CallTimeouts,
    ) -> Result<http::Response<OutboundBody>, OutboundError> {
        Err(OutboundError::Denied { reason: NOBODY.to_owned() })
    }

    async fn look_up(&self, _: &Scope, _: &Lookup) -> Result<Found, LookupFailed> {
        Err(LookupFailed { reason: NOBODY.to_owned() })
    }
}

const NOBODY: &str = "nobody calls out from here";
