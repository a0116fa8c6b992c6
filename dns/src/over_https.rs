//! DNS over HTTPS (RFC 8484), as far as it is DNS: bytes of a query in, bytes of its response out.
//!
//! The HTTP around it is the caller's: the path, GET with its `dns` parameter and POST, the content
//! type `application/dns-message`.

use std::net::IpAddr;

use headgate_types::clock::Timestamp;

use crate::responder::{Client, Responder, Transport};

/// A response for the body of an HTTP answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HttpsResponse {
    pub message: Vec<u8>,
    /// Seconds for `cache-control: max-age` (RFC 8484 §5.1); none for what should not be kept.
    pub max_age: Option<u32>,
}

impl Responder {
    /// Answers a query that came by HTTPS; `None` calls for 400.
    pub fn over_https(
        &self,
        query: &[u8],
        client: IpAddr,
        now: Timestamp,
    ) -> Option<HttpsResponse> {
        let client = Client { address: client, transport: Transport::Https };
        let mut message = Vec::new();
        let response = self.respond(query, client, now, &mut message)?;
        Some(HttpsResponse { message, max_age: response.least_ttl })
    }
}
