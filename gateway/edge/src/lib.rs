//! Everything between the kernel's socket and pingora's session.
//!
//! ```text
//! kernel ─► sockets ─► listener ─► admission ─► tls ─► connection ─► pingora session ─► app
//!                                                        │
//!                              EdgeStream = wire + head scan + pace + stall + h2 guard + write gathering
//! ```
//!
//! The crate owns the accept loops and the keep-alive loop. It reads each HTTP/1 request head
//! whole, under limits of time, size and shape, before pingora sees a byte of it; it recognises the
//! HTTP/2 preface and watches the frames that pass; it chooses the TLS configuration from the
//! ClientHello.
//!
//! It deliberately does not route, parse header values into types, frame message bodies (pingora's
//! parser stays the only authority on where a body ends) or answer anything but its own refusals.
//!
//! Invariants:
//! 1. A stranger pays before we do: every wait has a deadline, every buffer and table a size.
//! 2. A head that two parsers could read in two ways never reaches the application
//!    ([`HeadScan`] and pingora's own checks divide the work; see [`head`]).
//! 3. Every connection is owned by the accept loop that took it and counted until it ends.
//! 4. An answer that is whole reaches its client (the lingering close), and one that is not does not
//!    look whole (the reset of [`ConnectionInfo::abort`]).

pub mod admission;
pub mod budget;
pub mod defaults;
pub mod descriptors;
pub mod frames;
pub mod h2_guard;
pub mod head;
pub mod info;
pub mod limits;
pub mod listener;
pub mod metrics;
pub mod sockets;
pub mod tls;

mod connection;
mod linger;
mod pace;
mod refusal;
mod stall;
mod stream;
mod waiter;
mod wire;

pub use admission::{Admission, AdmissionLimits};
pub use budget::Budget;
pub use descriptors::raise_descriptor_limit;
pub use head::{Found, HeadScan};
pub use info::{ClientPolicy, ClientProof, ConnectionInfo, TlsInfo};
pub use limits::{H2Limits, Limits, h2_options};
pub use listener::{Drained, Edge, Listener, Transport, serve};
pub use metrics::Metrics;
pub use pingora_core::server::ShutdownWatch;
pub use refusal::Refusal;
pub use sockets::{BindError, BindOptions, bind};
pub use stream::EdgeStream;
pub use tls::{PickConfig, Picked};
