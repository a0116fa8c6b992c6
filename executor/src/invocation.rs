//! What a function can be invoked with.

use headgate_types::RequestId;

use crate::body::RequestBody;

/// An event for a function. Channels, timers, storage events and sockets join later.
#[derive(Debug)]
#[non_exhaustive]
pub enum Invocation {
    Http(HttpInvocation),
}

/// An HTTP request.
#[derive(Debug)]
pub struct HttpInvocation {
    /// Its URI may be absolute or only a path; without an authority there must be a `Host` field.
    pub request: http::Request<RequestBody>,
    /// It came over TLS.
    pub secure: bool,
    pub request_id: RequestId,
    /// Parameters of the path pattern, decoded. Components find them as `x-headgate-param-<name>` fields (a
    /// client's own fields of that name are removed), core guests as query values that win over the query.
    pub params: Vec<(Box<str>, String)>,
}
