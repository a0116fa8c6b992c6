//! Static websites: what a file becomes at deploy, and how a request for it is answered.
//!
//! ```text
//! deploy    path, bytes ─► prepare ─► Prepared ─(the caller stores the bytes)─► SiteFile ─► SiteTable
//! start     SiteTable ─► Site                    headers ready, names resolved
//! request   SiteRequest ─► Site::answer ─► SiteAnswer: status, headers, which bytes of which blob
//! ```
//!
//! There is no I/O here: no file is opened and no blob is read, the caller does both. There is also no
//! listing of folders and no `Last-Modified`: a digest says what a time can only guess.
//!
//! Invariants: a name that is not in the table does not exist, so no path can leave the site; each
//! encoding of a file is a representation with an `ETag` of its own; a range lies within its blob.

mod answer;
mod compress;
mod conditional;
mod hashed_name;
mod mime;
mod negotiate;
mod prepare;
mod range;
mod site;
mod table;

pub use answer::{Body, SiteAnswer, SiteRequest};
pub use hashed_name::is_hashed_name;
pub use prepare::{Prepared, prepare};
pub use site::Site;
pub use table::{Encoded, Encoding, SiteFile, SiteTable, is_served};
