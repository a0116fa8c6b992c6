//! The JSON of `/dns`.

use std::net::SocketAddr;

use headgate_types::ProjectName;
use serde::{Deserialize, Serialize};

/// What the node answers for, and what it was asked.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct NamesStatus {
    /// Whether zones are made at all.
    pub enabled: bool,
    /// Over UDP and TCP.
    pub listen: Vec<SocketAddr>,
    #[serde(default)]
    pub tls: Vec<SocketAddr>,
    /// By name.
    pub zones: Vec<ZoneRow>,
    pub problems: Vec<ZoneProblemRow>,
    pub unanswered: UnansweredRow,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ZoneRow {
    /// Without the root's dot.
    pub zone: String,
    pub serial: u32,
    pub records: usize,
    /// Whose domains it has; none in the operator's own zone.
    pub projects: Vec<ProjectName>,
    /// Since the node started.
    pub queries: u64,
}

/// A zone, or what belongs into one, that is left out.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ZoneProblemRow {
    pub zone: String,
    pub project: Option<ProjectName>,
    pub problem: String,
}

/// Packets that no zone answered.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct UnansweredRow {
    /// Refused, because they are about no zone of this node.
    pub off_zone: u64,
    pub malformed: u64,
    /// Told to come back by TCP or with a cookie, because their network asks too much.
    pub slipped: u64,
    /// Not answered for the same reason.
    pub dropped: u64,
}

/// One record, in the words of a zone file.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct RecordRow {
    pub owner: String,
    pub ttl: u32,
    #[serde(rename = "type")]
    pub kind: String,
    pub data: String,
}
