//! The JSON of `/functions`.

use headgate_types::{Branch, ByteSize, Commit, Digest, ProjectName};
use serde::{Deserialize, Serialize};

use crate::manifest::LinkedEntry;

/// One function that is served.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct FunctionRow {
    pub project: ProjectName,
    pub branch: Branch,
    /// The revision it was deployed with.
    pub commit: Commit,
    pub application: Option<String>,
    pub name: String,
    pub kind: FunctionKind,
    /// The export that a core module is called by.
    pub call: Option<String>,
    pub artefact: Digest,
    /// Of the artefact, in bytes; `null` if it is lost.
    pub size: Option<u64>,
    /// The modules it is linked with, each after what it imports from.
    pub linked: Vec<LinkedEntry>,
    pub start_up: StartUpRow,
    pub now: NowRow,
    pub limits: LimitsRow,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum FunctionKind {
    Component,
    Core,
}

/// How instances come to be ready for their request.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct StartUpRow {
    pub kind: StartUpKind,
    /// Why each instance has to be started.
    pub because: Option<String>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum StartUpKind {
    /// Its artefact is not compiled on this node; its next request does that.
    Unknown,
    None,
    Snapshot,
    Each,
}

/// How it stands at this moment.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct NowRow {
    pub in_flight: u32,
    pub waiting: u32,
    /// Instances that are started and wait for a request.
    pub prepared: usize,
    /// How much longer requests are refused, because it only trapped.
    #[serde(default)]
    pub resting_ms: Option<u64>,
}

/// What it may have: what its project asks for, cut to the node's limits.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct LimitsRow {
    pub memory: ByteSize,
    pub timeout_ms: u64,
    pub concurrency: u32,
    pub queue: u32,
}
