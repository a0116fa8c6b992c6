//! Every number of this crate, each with its reason.

use std::{ops::RangeInclusive, time::Duration};

/// The web's ports, and those that need no privilege and so are where people run services. The rest belongs to
/// protocols a guest could only abuse by HTTP: mail, shells, name servers.
pub const PORTS: [RangeInclusive<u16>; 3] = [80..=80, 443..=443, 1024..=65535];

/// To look a name up, all tries included; those who wait have their own deadline.
pub const LOOKUP: Duration = Duration::from_secs(5);
/// One try of a lookup. A server that is alive answers well within.
pub const LOOKUP_TRY: Duration = Duration::from_secs(2);
/// Further tries of a lookup: all together take less than it may.
pub const LOOKUP_RETRIES: usize = 1;
/// That there is nothing is believed no longer, so that a name that was just made is found.
pub const LOOKUP_NEGATIVE: Duration = Duration::from_secs(60);
/// Lookups on their way at once; more wait, and count their waiting as looking.
pub const LOOKUPS: usize = 256;
/// Answers kept as long as their records allow.
pub const LOOKUP_CACHE: u64 = 4096;
/// An answer is kept no longer, so that a service that moves is found again.
pub const LOOKUP_LONGEST: Duration = Duration::from_secs(3600);
/// Addresses of one name that are tried.
pub const ADDRESSES: usize = 8;
/// Before the next address is tried beside one that is silent (RFC 8305 §5).
pub const ATTEMPT_DELAY: Duration = Duration::from_millis(250);

/// To connect, over all addresses of a host (hardening C5).
pub const CONNECT: Duration = Duration::from_secs(5);
/// To agree on TLS once connected; a far host needs three round trips.
pub const HANDSHAKE: Duration = Duration::from_secs(5);
/// How long a GET waits for the first of its body. Whoever has nothing to send says so at once; then it is sent
/// without a body, since many servers refuse a GET with one, even if it is empty.
pub const BODY_BEGINS: Duration = Duration::from_millis(50);
/// Until the head of a response is there, unless a call says otherwise.
pub const HEAD: Duration = Duration::from_secs(30);
/// Between two pieces of a body, either way, unless a call says otherwise.
pub const BETWEEN_BYTES: Duration = Duration::from_secs(30);

/// Connections of the node, idle ones included (hardening C5).
pub const CONNECTIONS: usize = 1024;
/// Of these, what one project may have: a quarter, so that it takes four to crowd a fifth.
pub const PROJECT_CONNECTIONS: usize = 256;
/// How long a call waits for a connection to become free.
pub const CONNECTION_WAIT: Duration = Duration::from_secs(5);
/// Idle connections kept to one host, for one project.
pub const IDLE_PER_HOST: usize = 8;
/// Idle connections are kept for less than what servers commonly wait before they close (60 s and more), so that
/// a call seldom meets one that is just being closed.
pub const IDLE: Duration = Duration::from_secs(30);
/// A project that called nobody for this long has no client any more.
pub const PROJECT_IDLE: Duration = Duration::from_secs(300);
/// Projects that have a client at once; the least recently used one loses its idle connections.
pub const PROJECTS: u64 = 1024;
/// TLS sessions a project's client can resume.
pub const TLS_SESSIONS: usize = 64;

/// Bytes of a response's head. As much as a guest's own response may have.
pub const RESPONSE_HEAD: usize = 64 << 10;
/// Fields of a response's head.
pub const RESPONSE_FIELDS: usize = 128;
/// What may be on its way to a guest that does not read: of one stream, and of all on an HTTP/2 connection.
pub const H2_STREAM_WINDOW: u32 = 256 << 10;
pub const H2_CONNECTION_WINDOW: u32 = 1 << 20;
/// An HTTP/2 connection in use is asked for a sign of life this often; a host that vanished is noticed by it.
pub const H2_KEEP_ALIVE: Duration = Duration::from_secs(20);
/// How long it may take to answer.
pub const H2_KEEP_ALIVE_TIMEOUT: Duration = Duration::from_secs(10);
