//! Projects: from the files of one revision to a checked [`Project`], and to good advice if there is
//! none.
//!
//! [`load()`] reads Taubyte's layout from any [`tree::Tree`] and reports every problem at once, each with
//! file, line, column, excerpt and hint. It names artefacts and sites but does not read them;
//! [`unpack`] does, within limits. Nothing here compiles guests, knows other projects, or serves.
//!
//! ```text
//! Tree ─► layout ─► yaml ─► schema ─► raw ─► compile ─► Project
//!         which     spanned  known    as     names resolved,
//!         file is   tree     keys     written  conflicts found
//!         what        └──────────┴───────┴────────┴──► Diagnostics
//! ```
//!
//! [`json_schema`] tells editors what the files may say, from the tables that [`schema`] reads by.
//!
//! Invariants:
//! 1. There is a [`Project`] if and only if no diagnostic is an error.
//! 2. No input panics, and none takes more than its size and the limits in [`defaults`] allow.
//! 3. The same tree gives the same project and the same diagnostics, in the same order.

pub mod artefact;
pub mod changes;
mod compile;
pub mod defaults;
pub mod diagnostic;
mod dotenv;
pub mod git;
mod identity;
pub mod json_schema;
mod layout;
mod load;
pub mod marks;
pub mod model;
mod raw;
pub mod schema;
mod separate;
pub mod tree;
pub mod unpack;
pub mod watch;
mod yaml;

pub use artefact::ArtefactFile;
pub use diagnostic::{Diagnostic, Diagnostics, Place, Severity, explain};
pub use load::{LoadOptions, Loaded, load};
pub use model::{
    Application, Certificate, ClientCa, Domain, Function, Group, Https, Library, Project, Record,
    SiteRoot, Source, Unserved, Website,
};
pub use separate::{Separate, separate};
