//! Answers DNS queries for zones that are handed in as values.
//!
//! ```text
//!          ZoneBuilder ─► Zone ─► Zones ─────┐  replaced whole
//!                     Challenges ────────────┤  TXT values that come and go
//!                                            ▼
//!  UDP ─┐                                Responder      packet in, packet out, no I/O
//!  TCP ─┼─ Server ─► packet ─► Query ─► EDNS, cookie ─► zone ─► answer ─► rate limit ─► packet
//!  TLS ─┘                                    ▲
//!  HTTPS (the caller's edge) ── over_https ──┘
//! ```
//!
//! The crate is an authoritative server: it does not resolve, transfer, accept updates or sign. [`client`]
//! asks one server one question, for those who look whether it answers. It knows no files, projects or peers; whoever has zones builds them and publishes
//! the set. hickory's types are what records are handed in as.
//!
//! ```
//! use std::{str::FromStr as _, sync::Arc};
//!
//! use headgate_dns::{
//!     Challenges, Cookies, Metrics, Name, QueryLog, RData, RateLimiter, RateLimits, RecordType,
//!     Responder, Secret, Server, ZoneBuilder, Zones, bind,
//! };
//! use headgate_types::clock::SystemClock;
//! use prometheus_client::registry::Registry;
//! use tokio_util::sync::CancellationToken;
//!
//! # #[tokio::main(flavor = "current_thread")]
//! # async fn main() -> Result<(), Box<dyn std::error::Error>> {
//! let origin = Name::from_str("example.test.")?;
//! let mut zone = ZoneBuilder::new(&origin);
//! for (owner, kind, data) in [
//!     ("example.test.", RecordType::SOA, "ns1.example.test. dns.example.test. 1 3600 600 86400 60"),
//!     ("example.test.", RecordType::NS, "ns1.example.test."),
//!     ("ns1.example.test.", RecordType::A, "192.0.2.1"),
//!     ("*.example.test.", RecordType::A, "192.0.2.80"),
//! ] {
//!     zone.add(&Name::from_str(owner)?, 300, &RData::try_from_str(kind, data)?);
//! }
//!
//! let metrics = Metrics::register(&mut Registry::default());
//! let zones = Zones::new(Arc::clone(&metrics));
//! zones.publish([Arc::new(zone.build()?)]);
//! let responder = Responder {
//!     zones,
//!     challenges: Challenges::default(),
//!     cookies: Cookies::new(Secret::random()),
//!     rate_limiter: RateLimiter::new(RateLimits::default()),
//!     metrics,
//!     query_log: QueryLog::off(),
//! };
//!
//! let sockets = bind("127.0.0.1:0".parse()?, 2)?;
//! let (responder, clock) = (Arc::new(responder), Arc::new(SystemClock));
//! let server = Server { responder, clock, udp: sockets.udp, tcp: sockets.tcp, tls: None };
//! let shutdown = CancellationToken::new();
//! # shutdown.cancel();
//! server.run(shutdown).await?;
//! # Ok(())
//! # }
//! ```
//!
//! Invariants:
//! 1. An answer is from one set of zones: the sockets take what is published once for each query.
//! 2. A zone is valid or it is not served: what an answer needs to be right was checked when it was
//!    built, so answering has no errors of its own.
//! 3. A packet that is no query is counted and gets no answer, or a header at most. Nothing that
//!    arrives ends a task.
//! 4. Whoever forges an address gains nothing: beyond a trickle of a quarter of a megabit a second, a
//!    network is sent no more than was received in its name.
//! 5. Everything has a bound: answers, aliases followed, connections, their time, accounts, challenges.

pub mod answer;
pub mod challenges;
pub mod client;
pub mod cookies;
pub mod defaults;
pub mod metrics;
pub mod name;
pub mod query_log;
pub mod rate_limit;
pub mod responder;
pub mod serial;
pub mod server;
pub mod zone;
pub mod zone_file;
pub mod zones;

mod message;
mod over_https;

pub use challenges::{Challenge, ChallengeError, Challenges};
pub use cookies::{Cookies, Secret};
pub use hickory_proto::rr::{Name, RData, RecordType, rdata};
pub use message::Rcode;
pub use metrics::{Counts, Metrics};
pub use name::LowerName;
pub use over_https::HttpsResponse;
pub use query_log::QueryLog;
pub use rate_limit::{RateLimiter, RateLimits};
pub use responder::{Client, Responder, Response, Transport};
pub use serial::Serial;
pub use server::{BindError, Server, Sockets, bind};
pub use zone::{InvalidZone, Lookup, RecordSet, Zone, ZoneBuilder};
pub use zone_file::ZoneFile;
pub use zones::Zones;
