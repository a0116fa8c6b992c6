//! The words every part of Headgate shares: names, digests, units, revisions, time.
//!
//! Plain values, parsed once at the rim and trusted from then on. No I/O, no async, no policy; this
//! crate imports nobody in the house and everybody may import it.

pub mod clock;
pub mod digest;
pub mod domain;
pub mod error;
pub mod ids;
pub mod methods;
pub mod path;
pub mod record;
pub mod revision;
pub mod units;

pub use clock::{Clock, SystemClock, Timestamp};
pub use digest::{Digest, DigestWriter};
pub use domain::{DomainName, HostPattern};
pub use error::Chain;
pub use ids::{ProjectName, RequestId, Scope};
pub use methods::MethodSet;
pub use path::PathPattern;
pub use record::{RecordData, RecordType};
pub use revision::{Branch, Commit, Generation, Revision};
pub use units::{ByteSize, duration_units, format_duration, parse_duration};
