//! The engine's numbers, each with its reason.

use std::time::Duration;

const MINUTE: Duration = Duration::from_secs(60);
const HOUR: Duration = Duration::from_secs(60 * 60);
const DAY: Duration = Duration::from_secs(24 * 60 * 60);

/// A request's time. Authorities answer in a second; behind a busy one some take longer.
pub const REQUEST_TIME: Duration = Duration::from_secs(30);

/// Largest answer read. A chain has some 5 KiB, a directory less.
pub const MAX_ANSWER: usize = 256 * 1024;

/// How long one try of an order may take, waits included. The order itself lives for days; a later
/// try goes on with it.
pub const ORDER_PATIENCE: Duration = Duration::from_secs(10 * 60);

/// Bad nonces in a row, each after three of the library's own: at one in five that is never seen.
pub const NONCE_TRIES: u32 = 10;

/// Faults in a row before an order is left to a later try: some fifteen seconds, which is longer than
/// an authority takes to change one server for another.
pub const FAULT_TRIES: u32 = 4;

/// First pause after a fault; doubled with each that follows at once.
pub const FAULT_PAUSE: Duration = Duration::from_secs(1);

/// An order that is told to wait longer makes room for others.
pub const LONGEST_PAUSE: Duration = MINUTE;

/// Looks at an order that is being validated: often at first, as most take a second or two.
pub const FIRST_LOOK: Duration = Duration::from_millis(250);
pub const LONGEST_LOOK: Duration = Duration::from_secs(10);

/// Times an order may begin anew within one try.
pub const ORDER_TURNS: u32 = 3;

/// Pause after `rateLimited` without a time.
pub const RATE_LIMITED: Duration = HOUR;

/// Pauses between tries of one certificate: doubled from the first to the longest.
pub const FIRST_RETRY: Duration = MINUTE;
pub const LONGEST_RETRY: Duration = DAY;

/// Failures that an authority is shown for one name within an hour (Let's Encrypt's limit).
pub const FAILURES_PER_NAME: usize = 5;
pub const FAILURE_WINDOW: Duration = HOUR;

/// Pauses of everything while the authority does not answer. Shorter than for one certificate: it
/// is nobody's fault here, and it comes back for all at once.
pub const FIRST_OUTAGE: Duration = Duration::from_secs(10);
pub const LONGEST_OUTAGE: Duration = Duration::from_secs(15 * 60);

/// Orders under way at once. Each waits for the network nearly all its time; more would only reach
/// the limits sooner.
pub const CONCURRENCY: usize = 8;

/// Renewals are spread over this part of the life before their last third, by the names' hash.
pub const SPREAD: u32 = 12;

/// How often an authority is asked when to renew, unless it says so itself (RFC 9773 §4.3.2).
pub const RENEWAL_INFO: Duration = Duration::from_secs(6 * 60 * 60);
pub const RENEWAL_INFO_SHORTEST: Duration = HOUR;
pub const RENEWAL_INFO_LONGEST: Duration = DAY;

/// Questions about renewals under way at once.
pub const RENEWAL_INFO_CONCURRENCY: usize = 2;

/// Longest sleep of the reconciler: a moved clock is noticed after that.
pub const LONGEST_SLEEP: Duration = MINUTE;

/// An order that was begun and left is forgotten after that; authorities keep them for a week.
pub const DRAFT_LIFE: Duration = Duration::from_secs(7 * 24 * 60 * 60);

/// Names in one certificate (Let's Encrypt's limit).
pub const NAMES_PER_CERTIFICATE: usize = 100;

/// Certificates wanted at once: some kilobytes each.
pub const WANTED: usize = 100_000;

/// Orders of the operator that wait to be looked at.
pub const COMMANDS: usize = 16;

/// Challenges answered at once by HTTP or TLS: each is one name of an order under way.
pub const CHALLENGES: usize = CONCURRENCY * NAMES_PER_CERTIFICATE;
