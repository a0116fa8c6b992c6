//! The crate's numbers, each with its reason.

use std::time::Duration;

use crate::budget::Budget;

/// TLS handshake, from accept to the client's Finished. A satellite link needs about two seconds.
pub const HANDSHAKE: Duration = Duration::from_secs(10);

/// A whole request head, from its first byte (for a new connection: from accept). Honest heads fit
/// in one packet; the rest of the time is for a lost one and its retransmissions.
pub const HEAD: Duration = Duration::from_secs(10);

/// Silence between two requests. nginx's `keepalive_timeout`; longer than the 60 s after which
/// common load balancers let go, so that they close first and never race a request against our
/// close.
pub const IDLE: Duration = Duration::from_secs(75);

/// Request line and fields together. Four times the 8 KiB that browsers stay below with cookies.
pub const HEAD_BYTES: usize = 32 * 1024;

/// The request target. RFC 9110 §4.1 asks for at least 8,000 octets.
pub const URI_BYTES: usize = 8 * 1024;

/// Fields of one head. Browsers send about 20, a chain of proxies adds ten more.
pub const HEAD_FIELDS: usize = 100;

/// Silence inside a request body.
pub const BODY_IDLE: Duration = Duration::from_secs(60);

/// Bytes a second of a request body, over the time spent waiting for the client. Kestrel's minimum:
/// far below a bad mobile connection, far above what makes a slow-body attack worth while.
pub const BODY_RATE: u64 = 240;

/// Waiting that is forgiven before `BODY_RATE` is judged, for slow starts and lost packets.
pub const BODY_GRACE: Duration = Duration::from_secs(5);

/// For reading away a body no handler wanted, so that the connection can be used again.
pub const BODY_DISCARD: Duration = Duration::from_secs(5);

/// While an answer waits to leave, over HTTP/1 and HTTP/2: a client that takes not one byte in a
/// minute has gone.
pub const WRITE: Duration = Duration::from_secs(60);

/// Bytes the kernel takes of an answer beyond what it could send. Without it the kernel takes some
/// MB and says that there is room again when a third of them has gone, and a client that reads an
/// audio stream as it plays would count as one that takes nothing for [`WRITE`]. It also bounds what
/// a client that reads nothing pins in the kernel.
pub const UNSENT: u32 = 128 * 1024;

/// HTTP/2 streams open at once; RFC 9113 §6.5.2 advises against fewer than 100.
pub const H2_STREAMS: u32 = 100;

/// Decoded header list of one request: the same as an HTTP/1 head.
pub const H2_HEADER_LIST: u32 = 32 * 1024;

/// Flow-control window of a stream: what 100 stalled uploads may hold in memory together stays
/// under the connection's window anyway; 64 KiB feeds one upload at 5 Mbit/s over 100 ms.
pub const H2_STREAM_WINDOW: u32 = 64 * 1024;

/// Flow-control window of a connection: the most request-body memory one connection can pin.
pub const H2_CONNECTION_WINDOW: u32 = 1024 * 1024;

/// Response bytes buffered per stream above the socket. h2's default of 400 KiB times 100 streams
/// would let one client that reads nothing pin 40 MB.
pub const H2_SEND_BUFFER: usize = 128 * 1024;

/// Streams reset before the application saw them (CVE-2023-44487).
pub const H2_PENDING_RESETS: usize = 20;

/// RST_STREAM frames: leaving a page cancels at most all open streams, so one burst of 100, then
/// 100 in 30 s.
pub const H2_RESETS: Budget = Budget { burst: 100, per: Duration::from_secs(30), refill: 100 };

/// SETTINGS and PING frames. Keep-alive pings come every few seconds; a client that measures its
/// bandwidth starts with a handful more.
pub const H2_SETTINGS_AND_PINGS: Budget =
    Budget { burst: 50, per: Duration::from_secs(1), refill: 10 };

/// All other frames that carry no request: empty DATA, PRIORITY, unknown types, and WINDOW_UPDATE
/// beyond what our own DATA explains. Old clients open with a PRIORITY frame for each of 100
/// streams.
pub const H2_OTHER_FRAMES: Budget = Budget { burst: 500, per: Duration::from_secs(1), refill: 100 };

/// WINDOW_UPDATE frames one sent DATA frame entitles the client to; two (stream and connection) are
/// usual.
pub const H2_WINDOW_UPDATES_PER_DATA: u32 = 10;

/// CONTINUATION frames of one header block (CVE-2024-27316). Four of 16 KiB would already exceed
/// the list.
pub const H2_CONTINUATION_FRAMES: u32 = 8;

/// Encoded bytes of one header block. HPACK rarely makes a list larger, so the list's limit serves
/// here too.
pub const H2_HEADER_BLOCK: usize = 32 * 1024;

/// An HTTP/2 connection without a stream. As for HTTP/1; the caller sets it on pingora's
/// `HttpServerOptions::h2_idle_timeout`.
pub const H2_IDLE: Duration = IDLE;

/// Share of the descriptor limit for client connections; the rest is for upstreams, files and
/// ourselves.
pub const CONNECTIONS_PERCENT: u64 = 80;

/// Connections when the descriptor limit is unlimited or unknown: about 4 GB at 4 KiB each.
pub const CONNECTIONS_CAP: usize = 1_000_000;

/// Connections one client address holds. A browser opens six, a large office behind one NAT some
/// dozens.
pub const CONNECTIONS_PER_CLIENT: usize = 256;

/// New connections of one client address.
pub const NEW_PER_CLIENT: Budget = Budget { burst: 200, per: Duration::from_secs(1), refill: 100 };

/// Addresses remembered that hold no connection, only for their rate. About 4 MB.
pub const REMEMBERED_CLIENTS: usize = 65_536;

/// How much of an IPv6 address names the client: a /64 is one household's or one machine's network.
pub const IPV6_CLIENT_PREFIX: u32 = 64;

/// `Retry-After` of a connection refused for admission.
pub const RETRY_AFTER_SECONDS: u32 = 5;

/// Connections finished by the kernel that wait for accept. The kernel caps it at
/// `net.core.somaxconn` (4096 on Linux since 5.4): enough for 40 ms of 100,000 connections a
/// second.
pub const BACKLOG: i32 = 4096;

/// From the first signal until connections are cut.
pub const DRAIN: Duration = Duration::from_secs(30);

/// During a drain a connection that has not asked anything yet may still do so for this long: its
/// client has just connected and would otherwise see a failed request.
pub const DRAIN_FIRST_HEAD: Duration = Duration::from_secs(1);

/// Accepting pauses this long when descriptors or memory run out, and up to the second number while
/// it lasts.
pub const ACCEPT_BACK_OFF: (Duration, Duration) =
    (Duration::from_millis(10), Duration::from_secs(1));

/// Connections taken from a socket's queue after its loop was told to stop, so that none of them is
/// reset.
pub const DRAIN_ACCEPTS: usize = 4096;

/// For writing a refusal.
pub const REFUSAL: Duration = Duration::from_secs(2);

/// A lingering close: some round trips of a slow link, in which the client reads its answer.
pub const LINGER: Duration = Duration::from_secs(2);

/// Input read away during it. Most clients write a whole upload before they read: this lets one of
/// some photographs get as far as its answer. Beyond it their writes wait.
pub const LINGER_INPUT: usize = 8 * 1024 * 1024;

/// For saying goodbye: TLS close_notify and FIN.
pub const GOODBYE: Duration = Duration::from_secs(1);
