//! The crate's numbers, each with its reason.

use std::time::Duration;

const DAY: Duration = Duration::from_secs(24 * 60 * 60);

/// Life of the local authority. Renewing it means a visit to every browser that trusts it.
pub const AUTHORITY_LIFE: Duration = DAY.saturating_mul(3650);

/// Life of what it issues: as long as public certificates live, so that nothing works in dev alone.
pub const LEAF_LIFE: Duration = DAY.saturating_mul(90);

/// A leaf is issued anew for a table once this much of its life is over, as ACME clients renew
/// theirs.
pub const LEAF_RENEW_AFTER: Duration = DAY.saturating_mul(60);

/// Certificates begin to be valid this much before now: virtual machines wake up with their clocks
/// behind.
pub const BACKDATE: Duration = DAY;

/// Issued certificates kept for the next table; about 2 KiB each.
pub const ISSUED: usize = 10_000;

/// TLS 1.2 sessions kept in memory for clients that do not take tickets; about 1 KiB each.
pub const SESSIONS: usize = 4096;

/// A ticket key seals for this long, then the next one does. Whoever takes a key can read the TLS 1.2
/// sessions of its time.
pub const TICKET_ROTATION: Duration = Duration::from_secs(12 * 60 * 60);

/// And opens for this long: every ticket is good for half a day at least, none for more than a day.
pub const TICKET_KEY_LIFE: Duration = DAY;

/// A key from further in the future than this was made by a clock that has been set right since.
pub const TICKET_CLOCK_SLACK: Duration = Duration::from_secs(60 * 60);

/// Longest ticket looked at: a session holds the client's certificates, some kilobytes at most.
pub const TICKET_BYTES: usize = 16 * 1024;
