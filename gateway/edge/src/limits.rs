//! `Limits`: what one connection may cost. All values come from [`crate::defaults`].

use std::time::Duration;

use pingora_core::protocols::http::v2::server::{H2Options, default_h2_options};

use crate::{budget::Budget, defaults};

/// What one connection may cost in time, memory and work.
#[derive(Debug, Clone)]
pub struct Limits {
    /// TLS handshake, whole.
    pub handshake: Duration,
    /// A request head, whole; over it 408.
    pub head: Duration,
    /// Silence between requests.
    pub idle: Duration,
    /// Request line and fields; over it 431.
    pub head_bytes: usize,
    /// The request target; over it 414.
    pub uri_bytes: usize,
    /// Number of fields; over it 431.
    pub head_fields: usize,
    /// Silence inside an HTTP/1 request body.
    pub body_idle: Duration,
    /// Bytes a second of an HTTP/1 request body, over the time spent waiting for it.
    pub body_rate: u64,
    /// Waiting forgiven before `body_rate` is judged.
    pub body_grace: Duration,
    /// For discarding a body nobody read.
    pub body_discard: Duration,
    /// Time in which no byte of what is written leaves for the client, over HTTP/1 and HTTP/2. There
    /// is no least speed.
    pub write: Duration,
    /// HTTP/2 by prior knowledge on plain connections (RFC 9113 §3.3).
    pub h2c: bool,
    pub h2: H2Limits,
}

/// The part of [`Limits`] that is about HTTP/2 alone.
#[derive(Debug, Clone)]
pub struct H2Limits {
    /// Streams open at once.
    pub streams: u32,
    /// Decoded bytes of one header list.
    pub header_list: u32,
    /// Flow-control window of a stream, in bytes.
    pub stream_window: u32,
    /// Flow-control window of the connection, in bytes.
    pub connection_window: u32,
    /// Response bytes buffered per stream.
    pub send_buffer: usize,
    /// Streams reset before the application saw them.
    pub pending_resets: usize,
    /// RST_STREAM frames.
    pub resets: Budget,
    /// SETTINGS and PING frames.
    pub settings_and_pings: Budget,
    /// Frames of other kinds that bring no request forward.
    pub other_frames: Budget,
    /// WINDOW_UPDATE frames that each DATA frame we sent explains.
    pub window_updates_per_data: u32,
    /// CONTINUATION frames of one header block.
    pub continuation_frames: u32,
    /// Encoded bytes of one header block.
    pub header_block: usize,
}

/// The part of the limits that the `h2` crate enforces itself.
///
/// The caller sets it on its pingora application (`HttpServerApp::h2_options`).
pub fn h2_options(limits: &Limits) -> H2Options {
    let h2 = &limits.h2;
    let mut options = default_h2_options();
    options
        .max_concurrent_streams(h2.streams)
        .max_header_list_size(h2.header_list)
        .initial_window_size(h2.stream_window)
        .initial_connection_window_size(h2.connection_window)
        .max_send_buffer_size(h2.send_buffer)
        .max_pending_accept_reset_streams(h2.pending_resets);
    options
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            handshake: defaults::HANDSHAKE,
            head: defaults::HEAD,
            idle: defaults::IDLE,
            head_bytes: defaults::HEAD_BYTES,
            uri_bytes: defaults::URI_BYTES,
            head_fields: defaults::HEAD_FIELDS,
            body_idle: defaults::BODY_IDLE,
            body_rate: defaults::BODY_RATE,
            body_grace: defaults::BODY_GRACE,
            body_discard: defaults::BODY_DISCARD,
            write: defaults::WRITE,
            h2c: true,
            h2: H2Limits::default(),
        }
    }
}

impl Default for H2Limits {
    fn default() -> Self {
        Self {
            streams: defaults::H2_STREAMS,
            header_list: defaults::H2_HEADER_LIST,
            stream_window: defaults::H2_STREAM_WINDOW,
            connection_window: defaults::H2_CONNECTION_WINDOW,
            send_buffer: defaults::H2_SEND_BUFFER,
            pending_resets: defaults::H2_PENDING_RESETS,
            resets: defaults::H2_RESETS,
            settings_and_pings: defaults::H2_SETTINGS_AND_PINGS,
            other_frames: defaults::H2_OTHER_FRAMES,
            window_updates_per_data: defaults::H2_WINDOW_UPDATES_PER_DATA,
            continuation_frames: defaults::H2_CONTINUATION_FRAMES,
            header_block: defaults::H2_HEADER_BLOCK,
        }
    }
}
