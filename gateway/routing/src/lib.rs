//! Which route answers a request: host, method and path in, a target out.
//!
//! A [`RouteTable`] is built once per generation and read by every request. It holds no policy and does
//! no I/O; what a target is, the caller decides. Finding one allocates nothing.
//!
//! ```text
//! Host, :authority ─► RequestHost ─┐
//!                                  ├─► RouteTable::find ─► Route | MethodNotAllowed | NotFound | UnknownHost
//! request target   ─► RequestPath ─┘
//! ```
//!
//! The order in which the routes of a host are tried:
//!
//! 1. the exact path, a website's own prefix included (`/docs` for a website at `/docs`);
//! 2. patterns, those with more literal segments first; of equally many, `{*rest}` last, then the one
//!    whose literals stand further left;
//! 3. the longest prefix: `/docs` covers `/docs` and `/docs/…`, not `/docsx`.
//!
//! Ties go to the website, then to the function, then by name. Routes that do not take the method are
//! out before any of this, so that a function for `POST /docs/edit` lives inside a website at `/docs`.
//!
//! Invariants: the order of insertion never matters; a name beats a wildcard and owns its host alone;
//! time and stack of a lookup are bounded by the routes of one host, never by what the request says.

mod builder;
mod claim;
mod conflict;
mod host;
mod host_index;
mod params;
mod path;
mod route;
mod str_map;
mod table;
mod tree;

pub use builder::RouteTableBuilder;
pub use conflict::Conflict;
pub use host::{BadHost, RequestHost};
pub use params::{Param, Params};
pub use path::{BadPath, RequestPath};
pub use route::{ParsePrefixError, PathPrefix, Route, RouteKind, RoutePath};
pub use table::{Found, RouteTable};
