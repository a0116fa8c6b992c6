//! What this node lets its guests reach: an HTTP client and a resolver, behind a policy on addresses.
//!
//! ```text
//!  Client::send(project, request)
//!     │  http and https only, hop-by-hop fields taken off
//!     ▼
//!  the project's pool ── idle connection ──────────────────────────────┐
//!     │ none                                                           ▼
//!     └─► Resolver ─► Policy, on each address ─► a free slot ─► TCP ─► TLS ─► HTTP/1.1 or HTTP/2
//!          one lookup   denied: `Error::Denied`   busy: `Error::Busy`          streaming both ways
//! ```
//!
//! It knows nothing of guests, functions or their limits: whoever calls says for which project, and bounds how much
//! it calls. It follows no redirects, so each hop of one is a call of its own and judged like the first.
//!
//! # Invariants
//!
//! 1. **The address that was judged is the one connected to.** A name is looked up once for a connection, and its
//!    addresses are handed to the socket; nothing behind the policy resolves a name again.
//! 2. **Projects share no connection and no TLS session.** What one sends can neither be delayed nor recognised by
//!    another's.
//! 3. **Everything has an end**: lookups, connecting, handshakes, heads, pauses within a body, connections (of a
//!    project, of the node), idle ones, sizes of heads. Numbers stand in [`defaults`].
//! 4. **No body is gathered.** Either way it is as far as its reader is, but for the windows of the protocol.

mod body;
mod client;
mod config;
mod connector;
pub mod defaults;
mod error;
mod metrics;
pub mod policy;
mod resolver;
mod tls;

pub use body::{RequestBody, RequestBodyError, ResponseBody};
pub use client::{Client, Timeouts};
pub use config::Config;
pub use error::{Error, OpenError};
pub use metrics::Metrics;
pub use policy::Policy;
pub use resolver::{
    Authorization, LookupError, MailExchange, Resolver, Transport, system_name_servers,
};
