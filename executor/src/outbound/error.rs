//! Why a call or a lookup failed, as far as a guest can tell.

use wasmtime_wasi_http::Error as WasiError;

/// Why a call got no response, or not all of it.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum OutboundError {
    /// The address it leads to may not be called.
    #[error("denied: {reason}")]
    AddressDenied { reason: String },
    /// Something else about it may not be.
    #[error("denied: {reason}")]
    Denied { reason: String },
    #[error("its URL cannot be called")]
    Url,
    #[error("its method cannot be used")]
    Method,
    #[error("its name was not found ({rcode})")]
    Name { rcode: String },
    #[error("its name was not looked up in time")]
    NameTimeout,
    #[error("too many calls are under way")]
    Busy,
    /// This invocation has called as often as it may.
    #[error("it is call number {} of this request, which may make {limit}", limit + 1)]
    TooMany { limit: u32 },
    #[error("it refused the connection")]
    Refused,
    #[error("it cannot be reached: {reason}")]
    Unreachable { reason: String },
    #[error("not connected in time")]
    ConnectTimeout,
    #[error("its certificate is not valid: {reason}")]
    Certificate { reason: String },
    #[error("it ended the TLS handshake with alert {number}")]
    TlsAlert { number: u8 },
    #[error("the TLS handshake failed: {reason}")]
    Tls { reason: String },
    /// Nothing came for too long, be it the head or a piece of the body.
    #[error("it did not answer in time")]
    Timeout,
    #[error("its answer's head is too large")]
    HeadTooLarge,
    #[error("it closed the connection before its answer was complete")]
    Closed,
    #[error("it does not speak HTTP as it should: {reason}")]
    Protocol { reason: String },
    /// The guest left its own request's body unfinished.
    #[error("its body was not completed")]
    RequestBody,
}

/// Why a lookup found nothing, in words for the log. Guests are told only that it did not.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{reason}")]
pub struct LookupFailed {
    pub reason: String,
}

impl From<OutboundError> for WasiError {
    fn from(error: OutboundError) -> Self {
        match error {
            OutboundError::AddressDenied { .. } => Self::DestinationIpProhibited,
            OutboundError::Denied { .. } => Self::HttpRequestDenied,
            OutboundError::Url => Self::HttpRequestUriInvalid,
            OutboundError::Method => Self::HttpRequestMethodInvalid,
            OutboundError::Name { rcode } => Self::DnsError { rcode: Some(rcode), info_code: None },
            OutboundError::NameTimeout => Self::DnsTimeout,
            OutboundError::Busy | OutboundError::TooMany { .. } => Self::ConnectionLimitReached,
            OutboundError::Refused => Self::ConnectionRefused,
            OutboundError::Unreachable { .. } => Self::DestinationUnavailable,
            OutboundError::ConnectTimeout => Self::ConnectionTimeout,
            OutboundError::Certificate { .. } => Self::TlsCertificateError,
            OutboundError::TlsAlert { number } => {
                Self::TlsAlertReceived { alert_id: Some(number), alert_message: None }
            }
            OutboundError::Tls { .. } => Self::TlsProtocolError,
            OutboundError::Timeout => Self::ConnectionReadTimeout,
            OutboundError::HeadTooLarge => Self::HttpResponseHeaderSectionSize(None),
            OutboundError::Closed => Self::ConnectionTerminated,
            OutboundError::Protocol { .. } | OutboundError::RequestBody => Self::HttpProtocolError,
        }
    }
}
