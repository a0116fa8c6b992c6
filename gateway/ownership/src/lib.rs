//! Who may have a host: what its owner enters in DNS, and what that says to who looks.
//!
//! ```text
//! (host, project) ─► Rules::wanted ─► records to enter, any of which will do
//! (host, project, what was found) ─► Rules::judge ─► Trusted │ Verified │ Pending
//! ```
//!
//! Pure: nothing is looked up here and no time is read. Whoever asks DNS (for routing, for certificates)
//! brings what it found, and decides what a pending host may do.
//!
//! Invariants: what verifies one project for one host verifies no other project and no other host; a record
//! that is not understood verifies nothing, and keeps no other record from doing so; no key appears in a
//! `Debug` output.

mod rules;
mod taubyte;
mod token;

use headgate_types::{HostPattern, ProjectName};
use serde::{Deserialize, Serialize};

pub use self::{
    rules::{Found, Rules},
    taubyte::{Taubyte, TaubyteError},
    token::OwnershipKey,
};

/// Whose claim on a host it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Claim<'a> {
    pub host: &'a HostPattern,
    /// As the operator calls it: nobody else can call theirs so.
    pub project: &'a ProjectName,
    /// As its `config.yaml` says, so no more than its authors' word; empty if that says nothing.
    pub project_id: &'a str,
}

/// Whether a project may have a host.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "state", rename_all = "lowercase")]
pub enum Ownership {
    /// Nobody is asked: a developer's machine serves whatever its project names.
    Trusted,
    /// Its owner said so.
    Verified { by: Proof },
    /// Its owner has not said so yet: any one of these records does.
    Pending { enter: Vec<Record> },
}

/// What showed it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Proof {
    /// Our own token in a TXT record.
    Token,
    /// A token signed by a Taubyte cloud, in a TXT record.
    Taubyte,
    /// The host is below the operator's own name and carries the project's id.
    Generated,
}

/// A record for the owner of a host to enter.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Record {
    /// Always `TXT`; said, because people copy it into forms.
    #[serde(rename = "type")]
    pub kind: RecordKind,
    /// Fully qualified, without the dot at the end.
    pub name: String,
    pub value: Value,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum RecordKind {
    #[serde(rename = "TXT")]
    Txt,
}

/// What a record holds.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Value {
    /// These characters.
    Text(String),
    /// What only this party can make: a Taubyte cloud signs for `POST /domain/{host}/for/{project}`.
    From(String),
}
