//! The crate's numbers, each with its reason.

use std::time::Duration;

/// The largest UDP answer, whatever larger size a client announces. It passes every path without
/// fragments (DNS flag day 2020, RFC 9715), and fragments can be forged.
pub const UDP_ANSWER: usize = 1232;

/// What a client without EDNS takes over UDP (RFC 1035 §4.2.1); no client is held to less.
pub const UDP_ANSWER_WITHOUT_EDNS: usize = 512;

/// Aliases followed within one answer. Honest chains have two or three links, and a resolver that
/// gets a chain unfinished asks on for its last name.
pub const ALIASES: usize = 8;

/// Names of one message that later ones are compressed against. Beyond them names are written out,
/// which is correct, only longer; a referral to six name servers needs about fifteen.
pub const COMPRESSION_NAMES: usize = 24;

/// Bytes of one record set. It must fit into a TCP message beside the longest question and OPT.
pub const RECORD_SET_BYTES: usize = 65_535 - 1024;

/// TTL of challenge values: a certificate authority that asks a moment after a second value was
/// published must not be told the first one alone by its resolver's cache.
pub const CHALLENGE_TTL: u32 = 1;

/// Challenge values at once: each certificate order of a node has a handful of names under way.
pub const CHALLENGES: usize = 4096;

/// Challenge values at one name: a wildcard and its apex need two, for each authority and each node
/// that orders at the same time. All of them still fit into one UDP answer.
pub const CHALLENGES_PER_NAME: usize = 16;

/// How long a server cookie is taken (RFC 9018 §4.3 advises an hour).
pub const COOKIE_LIFE: Duration = Duration::from_secs(3600);

/// Age from which a cookie that is still good is replaced in the answer (RFC 9018 §4.3).
pub const COOKIE_RENEWAL: Duration = Duration::from_secs(1800);

/// How far in the future a cookie may be dated: the clocks of nodes that share a secret differ.
pub const COOKIE_AHEAD: Duration = Duration::from_secs(300);

/// Equal answers to one network. A resolver asks once in a TTL; 10/s leaves room for the resolvers
/// of a whole network and makes a reflector of no use.
pub const EQUAL_ANSWERS_PER_SECOND: u32 = 10;

/// Bytes that all answers to one network may be larger than its queries, each second. A quarter of a
/// megabit is nothing to flood anybody with, and some 400 usual answers; a resolver that wants more is
/// told to come by TCP or with a cookie.
pub const EXCESS_BYTES_PER_SECOND: u32 = 32 * 1024;

/// Seconds' worth of answers a network may take at once after a silence.
pub const ANSWER_BURST_SECONDS: u32 = 2;

/// Every second limited answer is sent truncated instead of dropped, so that honest clients behind
/// a forged address get through by TCP (BIND's and NSD's default).
pub const SLIP: u32 = 2;

/// How much of an IPv4 address names a network for rate limiting: the smallest that is routed.
pub const IPV4_NETWORK_PREFIX: u32 = 24;

/// How much of an IPv6 address does: what a site is usually given.
pub const IPV6_NETWORK_PREFIX: u32 = 56;

/// Accounts of the rate limiter, 16 bytes each: 1 MiB. A flood from more networks than this forgets
/// the least recent, which errs on the side of answering.
pub const RATE_ACCOUNTS: usize = 65_536;

/// Datagrams a socket may hold in the kernel. The usual 208 KiB are gone in some milliseconds of a
/// burst; the kernel caps the wish at `net.core.rmem_max`.
pub const UDP_RECEIVE_BUFFER: usize = 4 * 1024 * 1024;

/// Batches a UDP socket's task takes before it lets others run.
pub const UDP_BATCHES_PER_TURN: usize = 8;

/// Connections of TCP and TLS together (BIND's default; honest resolvers hold few and briefly).
pub const TCP_CONNECTIONS: usize = 150;

/// Connections of one IPv4 address or IPv6 site, so that one stranger does not hold them all.
pub const TCP_CONNECTIONS_PER_CLIENT: usize = 16;

/// Silence on a connection, and the time a query, an answer or a handshake may take (RFC 7766
/// §6.2.3 asks for "a few seconds").
pub const TCP_IDLE: Duration = Duration::from_secs(10);

/// Queries answered on one connection before it is closed: work for one stranger has an end.
pub const TCP_QUERIES_PER_CONNECTION: u32 = 10_000;

/// Answers gathered before they are written, so that pipelined queries share a segment, and a client
/// that does not read pins no more than this and one answer.
pub const TCP_WRITE_BUFFER: usize = 64 * 1024;

/// Finished connections that wait for accept.
pub const TCP_BACKLOG: i32 = 1024;

/// Accepting or receiving pauses this long when descriptors or memory run out.
pub const PAUSE: Duration = Duration::from_millis(50);

/// From the signal to stop until connections are cut.
pub const DRAIN: Duration = Duration::from_secs(5);
