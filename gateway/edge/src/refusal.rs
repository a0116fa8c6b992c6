//! `Refusal`: why the edge turned a client away, and the status that says so.

use std::fmt;

/// Why the edge turned a client away. The text of each is its metric label.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Refusal {
    /// The head did not arrive in time.
    HeadTimeout,
    /// The head has too many bytes.
    HeadTooLarge,
    /// The head has too many fields.
    TooManyFields,
    /// The request target has too many bytes.
    UriTooLong,
    /// The first line is not a request line, or a line does not end as one.
    Malformed,
    /// `Host` is missing or there are several (RFC 9112 §3.2).
    Host,
    /// The length of the body can be read in two ways (RFC 9112 §6.3).
    Framing,
    /// A transfer coding other than `chunked` (RFC 9112 §6.1).
    TransferCoding,
    /// A version of HTTP this line cannot speak.
    Version,
    /// The request body is slower than allowed.
    SlowBody,
    /// The client takes nothing of what is written to it.
    WriteStall,
    /// Too many RST_STREAM frames.
    H2Resets,
    /// Too many SETTINGS or PING frames.
    H2SettingsAndPings,
    /// A header block of too many frames or bytes.
    H2HeaderBlock,
    /// A header block that was begun and did not end in time.
    H2HeadTimeout,
    /// Too many frames that bring nothing forward.
    H2OtherFrames,
    /// The node has as many connections as it may.
    Connections,
    /// The client's address has as many connections as it may.
    ClientConnections,
    /// The client's address opens connections too fast.
    ClientRate,
}

impl Refusal {
    /// The HTTP/1 status; `None` where the connection can only be cut.
    pub fn status(self) -> Option<u16> {
        Some(match self {
            Self::HeadTimeout => 408,
            Self::UriTooLong => 414,
            Self::HeadTooLarge | Self::TooManyFields => 431,
            Self::Malformed | Self::Host | Self::Framing => 400,
            Self::TransferCoding => 501,
            Self::Version => 505,
            Self::Connections | Self::ClientConnections | Self::ClientRate => 503,
            Self::SlowBody
            | Self::WriteStall
            | Self::H2Resets
            | Self::H2SettingsAndPings
            | Self::H2HeaderBlock
            | Self::H2HeadTimeout
            | Self::H2OtherFrames => return None,
        })
    }

    /// The metric label.
    pub fn label(self) -> &'static str {
        match self {
            Self::HeadTimeout => "head_timeout",
            Self::HeadTooLarge => "head_too_large",
            Self::TooManyFields => "too_many_fields",
            Self::UriTooLong => "uri_too_long",
            Self::Malformed => "malformed",
            Self::Host => "host",
            Self::Framing => "framing",
            Self::TransferCoding => "transfer_coding",
            Self::Version => "version",
            Self::SlowBody => "slow_body",
            Self::WriteStall => "write_stall",
            Self::H2Resets => "h2_resets",
            Self::H2SettingsAndPings => "h2_settings_and_pings",
            Self::H2HeaderBlock => "h2_header_block",
            Self::H2HeadTimeout => "h2_head_timeout",
            Self::H2OtherFrames => "h2_other_frames",
            Self::Connections => "connections",
            Self::ClientConnections => "client_connections",
            Self::ClientRate => "client_rate",
        }
    }

    /// A whole HTTP/1.1 answer that closes the connection; empty where there is no status.
    pub(crate) fn answer(self) -> Vec<u8> {
        let Some(status) = self.status() else { return Vec::new() };
        let reason = http::StatusCode::from_u16(status)
            .ok()
            .and_then(|status| status.canonical_reason())
            .unwrap_or("Error");
        let retry = match status {
            503 => format!("retry-after: {}\r\n", crate::defaults::RETRY_AFTER_SECONDS),
            _ => String::new(),
        };
        format!(
            "HTTP/1.1 {status} {reason}\r\ncontent-type: text/plain; charset=utf-8\r\n\
             content-length: {length}\r\n{retry}connection: close\r\n\r\n{self}\n",
            length = self.to_string().len() + 1,
        )
        .into_bytes()
    }
}

/// What the client is told.
impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::HeadTimeout => "the request head took too long",
            Self::HeadTooLarge => "the request head is too large",
            Self::TooManyFields => "the request head has too many fields",
            Self::UriTooLong => "the request target is too long",
            Self::Malformed => "this is not an HTTP/1.1 request",
            Self::Host => "an HTTP/1.1 request has exactly one Host",
            Self::Framing => "the length of the request body is ambiguous",
            Self::TransferCoding => "the only transfer coding understood is chunked",
            Self::Version => "this version of HTTP is not spoken here",
            Self::SlowBody => "the request body is too slow",
            Self::WriteStall => "the client takes nothing of the answer",
            Self::H2Resets => "too many stream resets",
            Self::H2SettingsAndPings => "too many SETTINGS or PING frames",
            Self::H2HeaderBlock => "the header block is too large",
            Self::H2HeadTimeout => "the header block took too long",
            Self::H2OtherFrames => "too many frames without content",
            Self::Connections => "this node has too many connections",
            Self::ClientConnections => "this client has too many connections",
            Self::ClientRate => "this client opens connections too fast",
        })
    }
}
